"""Leaks that an earlier result counts and has no line for: what only its whole could tell (unknown trackers, hints of
which the value is confirmed elsewhere), what a record had no room for.

Comes in: the rows of `behaviours`, and `folded`, of a result's summary; how many lines there were of each. Goes out:
sightings of what is missing, for the merged summary to count. State: how many lines each behaviour has.

Of such leaks no more is known than what the row says of all of them, so what nobody can tell is told the strict way: a
host that is not named fits no entry, nor does a server whose address is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from leakscan.baseline import FINGERPRINT
from leakscan.distinct import stable_hash
from leakscan.masks import remask
from leakscan.model import CONFIDENCES, SEVERITIES, Leak, Recipient
from leakscan.policy import ALLOWED, NO_POLICY, NOT_ALLOWED, VERDICTS, Policy
from leakscan.results import BEARERS, KIND, MAX_ITEMS, ORIGINS, PLACES, RULE, Line, Result, party
from leakscan.show import HIDDEN, redact
from leakscan.spine import OWN_CENTRE
from leakscan.summary import MAX_BEHAVIOURS, Summary
from leakscan.tally import MAX_NAMED_HOSTS, Json, Sighting, commonest

#: Into so many at most leaks without a line are parted, for subscribers and hosts to be counted.
MAX_SIGHTINGS = 2048
#: What the leaks of `folded` have as fingerprint: they share none.
FOLDED = ""


class Settled(NamedTuple):
    """A behaviour as a summary has it, or all that are past its bound."""

    leak: Leak  # what its leaks have in common; the first host, the earliest value
    first_ns: int
    last_ns: int
    leaks: int
    subscribers: int
    raised: int  # so many of the leaks were, by the whole
    hosts: list[str]
    host_count: int
    kinds: list[str]
    verdicts: dict[str, int]
    partners: int  # of the policy that the result was made with


class Unlined:
    """Of one result: told of its lines, then asked what they lack."""

    def __init__(self, result: Result) -> None:
        tail = result.summary()
        rows = list(tail.inners("behaviours"))
        if tail.row.get("folded") is not None:
            rows.append(tail.inner("folded"))
        self._settled = {settled.leak.fingerprint: settled for settled in map(_settled, rows)}
        self._key = result.run.key_id
        self._lines: Counter[str] = Counter()
        self._hidden = False  # some lines are not shown
        self.leaks = 0

    def line(self, leak: Leak, shown: bool) -> None:
        """A leak that has one. What has no row is among what is folded."""
        self._hidden |= not shown
        self._lines[leak.fingerprint if leak.fingerprint in self._settled else FOLDED] += 1

    def sightings(self, part: Summary, least: str, policy: Policy | None) -> Iterator[Sighting]:
        """What `part`, to which all lines were added, does not have yet of at least this confidence."""
        if self._is_all_there():
            return
        summary = part.to_dict()
        there: dict[str, Json] = {row["fingerprint"]: row for row in summary["behaviours"]}
        for fingerprint, settled in self._settled.items():
            row = there.get(fingerprint)
            missing = settled.leaks - self._lines[fingerprint]
            if row is None and fingerprint != FOLDED:  # no line is sure enough, but the row is
                missing = max(missing, settled.raised, 1)
            if missing > 0 and CONFIDENCES.index(settled.leak.confidence) >= CONFIDENCES.index(least):
                self.leaks += missing
                people = max(0, settled.subscribers - (row["subscribers"] if row else 0))
                yield from _sightings(settled, missing, people, self._key, policy)

    def _is_all_there(self) -> bool:
        """Whether every leak has a line, as in most results: then nobody need put the whole together to see."""
        if self._hidden or len(self._settled) > MAX_BEHAVIOURS:
            return False
        return all(0 < settled.leaks <= self._lines[name] for name, settled in self._settled.items())


def _settled(line: Line) -> Settled:
    folded = line.get("fingerprint") is None
    identifier, hosts = line.text("identifier", KIND), list(line.texts("hosts"))
    networks = list(line.inners("network", MAX_ITEMS))
    leak = Leak(
        time=line.text("last_seen"),
        capture="",
        frame=0,
        frame_end=0,
        client="",
        client_port=0,
        server="",
        server_port=0,
        teid=None,
        host=hosts[0] if hosts else HIDDEN,
        method="",
        target="",
        place="" if folded else line.choice("place", PLACES),
        name=redact(line.text("name")),
        rule="" if folded else redact(line.text("rule", RULE)),
        identifier=identifier,
        value=remask(identifier, line.text_or_none("example") or ""),
        pseudonym="",
        encoding=(),
        confidence=line.choice("confidence", CONFIDENCES),
        severity=line.choice("severity", SEVERITIES),
        origin=line.choice("origin", ORIGINS),
        bearer=commonest(line.counts("bearers", BEARERS)) or "unknown",
        network=party(networks[0]) if len(networks) == 1 else None,
        home_operator=None,
        recipient=Recipient(),
        fingerprint=FOLDED if folded else line.text("fingerprint", FINGERPRINT),
        evidence=(),
        partial=False,
    )
    return Settled(
        leak=leak,
        first_ns=line.time("first_seen"),
        last_ns=line.time("last_seen"),
        leaks=line.count("leaks"),
        subscribers=line.count("subscribers"),
        raised=line.count("raised") if "raised" in line.row else 0,
        hosts=hosts,
        host_count=line.count("host_count"),
        kinds=[kind for kind in line.counts("identifiers") if KIND.fullmatch(kind)],
        verdicts=line.counts("verdicts", VERDICTS),
        partners=len(line.items("partners", MAX_ITEMS)) if "partners" in line.row else 0,
    )


def _sightings(settled: Settled, leaks: int, people: int, key: str, policy: Policy | None) -> Iterator[Sighting]:
    """So many leaks of so many people."""
    hosts = [*settled.hosts, *[HIDDEN] * _unnamed(settled)]
    count = max(1, min(leaks, max(people, len(hosts)), MAX_SIGHTINGS))
    if count < len(hosts) and _unnamed(settled):  # what is not named must not be left out
        hosts = [HIDDEN, *hosts]
    leak = replace(settled.leak, recipient=_recipient(settled, policy))
    for number in range(count):
        host = hosts[number % len(hosts)] if hosts else leak.host
        nameless = f" {number}" if host == HIDDEN else ""
        yield Sighting(
            leak=replace(leak, host=host),
            time_ns=settled.first_ns if number == 0 else settled.last_ns,
            rotating=not people,
            # The same for all results under a key: together they are at least as many as in one of them.
            value=stable_hash(f"{key} {leak.fingerprint} {number % max(1, people)}"),
            host=host,
            host_hash=stable_hash(f"{leak.fingerprint}{nameless}" if nameless else host),
            raised=settled.raised > 0,
            leaks=1 if number < count - 1 else leaks - count + 1,
        )


def _unnamed(settled: Settled) -> int:
    return min(MAX_SIGHTINGS, max(0, settled.host_count - len(settled.hosts)))


def _recipient(settled: Settled, policy: Policy | None) -> Recipient:
    """The worst verdict: under the policy that holds now, else of those that there were."""
    if policy is None:
        return Recipient(max(settled.verdicts, key=VERDICTS.index, default=NO_POLICY))
    if set(settled.verdicts) == {ALLOWED} and not settled.partners:
        return OWN_CENTRE
    if settled.leak.fingerprint == FOLDED or _unnamed(settled) or not settled.hosts:
        return Recipient(NOT_ALLOWED)
    moments = policy.turns(settled.first_ns, settled.last_ns)
    judged = [
        policy.recipient(host, "", kind, time_ns)
        for host in settled.hosts[:MAX_NAMED_HOSTS]
        for kind in {settled.leak.identifier, *settled.kinds}
        for time_ns in moments
    ]
    return max(judged, key=lambda recipient: VERDICTS.index(recipient.verdict))
