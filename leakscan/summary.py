"""The whole: a fold over requests and leaks, with `add` and `merge`.

Comes in: one `add_request` for every readable request and one `add` for every leak that is shown (values masked
unless the operator asked for them; host and name redacted alike). Goes out: the summary of the result, schema 1
(docs/formats.md); what counts of it is the gate's to say (gate.py). State: bounded by the constants here and in
tally.py, whatever the capture holds. `merge` is commutative and associative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import NamedTuple

from leakscan.distinct import Bounded, stable_hash
from leakscan.filenames import shown_name
from leakscan.losses import OTHER, UNREAD, Losses, Problem
from leakscan.model import CONFIDENCES, PARTNER_VERDICTS, SEVERITIES, Carrier, Coverage, Leak
from leakscan.tally import (
    EXACT_IN_WHOLE,
    MAX_PARTIES,
    Behaviour,
    BehaviourKey,
    CarrierKey,
    HostRow,
    Json,
    NetworkRow,
    Sighting,
    Tally,
    bump,
    bump_all,
    clip,
)
from leakscan.timeline import Timeline

MAX_BEHAVIOURS = 4096
#: Hosts of which the requests are counted apart, and hosts with leaks that have a row of their own.
MAX_HOSTS = 50_000
MAX_LEAKING_HOSTS = 10_000
#: Host rows without a leak in the result, the busiest.
MAX_CLEAN_ROWS = 1000
MAX_NAMES = 1024
MAX_KINDS = 64

LEAK, INCONCLUSIVE, NONE_FOUND = "leak", "inconclusive", "none-found"
OTHER_HOSTS = "(other)"


class NameKey(NamedTuple):
    """A behaviour on whatever host."""

    rule: str
    place: str
    lower: str

    def to_dict(self) -> Json:
        return {"rule": self.rule, "place": self.place}


class Counted(NamedTuple):
    """Requests counted elsewhere: what a summary says of them and its leaks do not."""

    requests: int
    leaking_requests: int
    hosts: Mapping[str, int]
    other_hosts: int  # requests to hosts that have no row
    networks: Sequence[tuple[Carrier | None, int, Mapping[str, int]]]  # requests in all and by bearer
    other_networks: tuple[int, Mapping[str, int]]
    timeline: Timeline


class Count:
    """A number that merges."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0

    def merge(self, other: Count) -> None:
        self.n += other.n


class Summary:
    """Requests and leaks, added up. `losses` and `coverage` are those that the stages count in."""

    def __init__(self, losses: Losses | None = None, coverage: Coverage | None = None) -> None:
        self.losses = Losses() if losses is None else losses
        self.coverage = Coverage() if coverage is None else coverage
        self.total = Tally(EXACT_IN_WHOLE)
        self.outside = Tally(EXACT_IN_WHOLE)  # leaks to whoever is no partner of the policy; all, where there is none
        self.rules: dict[str, str] = {}  # what the rules that found something mean; as many as the catalogue has
        self.leaking_requests = 0
        self.max_drops: float | None = None  # per cent of the frames that may have been dropped while capturing
        self.timeline = Timeline()
        self._request_has_leak = False
        self._behaviours: Bounded[BehaviourKey, Behaviour] = Bounded(MAX_BEHAVIOURS, Behaviour)
        self._names: Bounded[NameKey, Behaviour] = Bounded(MAX_NAMES, Behaviour)
        self._hosts: Bounded[str, HostRow] = Bounded(MAX_LEAKING_HOSTS, HostRow)
        self._host_requests: Bounded[str, Count] = Bounded(MAX_HOSTS, Count)
        self._networks: Bounded[CarrierKey, NetworkRow] = Bounded(MAX_PARTIES, NetworkRow)
        self._unattributed = NetworkRow()
        self._kinds: Bounded[str, Tally] = Bounded(MAX_KINDS, partial(Tally, EXACT_IN_WHOLE))

    @property
    def requests(self) -> int:
        """Readable requests: the denominator of everything."""
        return self.total.requests

    def add_request(self, *, host: str, network: Carrier | None, bearer: str, time_ns: int) -> None:
        """One readable request, leaking or not; called before `add` for its leaks. `host` is redacted."""
        self.total.requests += 1
        self._request_has_leak = False
        self._host_requests.at(clip(host)).n += 1
        row = self._network(network)
        row.tally.requests += 1
        bump(row.bearer_requests, bearer)
        self.timeline.add_request(time_ns)

    def restore(self, counted: Counted) -> None:
        """Take over requests that were counted elsewhere; `add` for their leaks counts none of them again."""
        self.total.requests += counted.requests
        self.leaking_requests += counted.leaking_requests
        self._request_has_leak = True
        for host, requests in counted.hosts.items():
            self._host_requests.at(clip(host)).n += requests
        self._host_requests.rest.n += counted.other_hosts
        rows = [(self._network(carrier), requests, bearers) for carrier, requests, bearers in counted.networks]
        for row, requests, bearers in [*rows, (self._networks.rest, *counted.other_networks)]:
            row.tally.requests += requests
            bump_all(row.bearer_requests, bearers)
        self.timeline.merge(counted.timeline)

    def add(self, leak: Leak, *, time_ns: int, rotating: bool) -> None:
        """One leak of the request added last. A rotating token does not tell one subscriber from another."""
        if not self._request_has_leak:
            self._request_has_leak = True
            self.leaking_requests += 1
        host = clip(leak.host)
        seen = Sighting(leak, time_ns, rotating, stable_hash(leak.pseudonym), host, stable_hash(host))
        outside = leak.recipient.verdict not in PARTNER_VERDICTS
        self.total.add(seen)
        if outside:
            self.outside.add(seen)
        self._behaviours.at(BehaviourKey(leak.fingerprint, leak.rule, leak.place)).add(seen)
        self._names.at(NameKey(leak.rule, leak.place, clip(leak.name.lower()))).add(seen)
        self._hosts.at(host).add(seen)
        self._network(leak.network).add(seen)
        self._kinds.at(leak.identifier).add(seen)
        self.timeline.add_leak(time_ns, outside)

    def explain(self, rule: str, meaning: str) -> None:
        """What a rule that found something looks for, in one line; of two that differ the first by order."""
        self.rules[rule] = min(meaning, self.rules.get(rule, meaning))

    def merge(self, other: Summary) -> None:
        """Take over what `other` counted."""
        self.losses.merge(other.losses)
        self.coverage.merge(other.coverage)
        self.total.merge(other.total)
        self.outside.merge(other.outside)
        for rule, meaning in other.rules.items():
            self.explain(rule, meaning)
        self.leaking_requests += other.leaking_requests
        self.timeline.merge(other.timeline)
        self._behaviours.merge(other._behaviours)
        self._names.merge(other._names)
        self._hosts.merge(other._hosts)
        self._host_requests.merge(other._host_requests)
        self._networks.merge(other._networks)
        self._unattributed.merge(other._unattributed)
        self._kinds.merge(other._kinds)

    def outcome(self) -> str:
        """`leak` (a confirmed or probable one), else `inconclusive` (no readable request, or something unread), else
        `none-found`.
        """
        if any(behaviour.confidence >= CONFIDENCES.index("probable") for behaviour in self._all_behaviours()):
            return LEAK
        return INCONCLUSIVE if not self.requests or self.unread() else NONE_FOUND

    def unread(self) -> bool:
        """Whether something that should have been read was not: exit code 3."""
        return bool(self._losses(UNREAD))

    def to_dict(self) -> Json:
        """The `summary` object of the result."""
        return {
            "type": "summary",
            "outcome": self.outcome(),
            "total": {**self.total.to_dict(), "leaking_requests": self.leaking_requests},
            "outside": self.outside.to_dict(self.requests),
            "behaviours": self._behaviour_rows(),
            "folded": self._folded_row(),
            "names": self._name_rows(),
            "rules": dict(sorted(self.rules.items())),
            "hosts": self._host_rows(),
            "carriers": self._carrier_rows(),
            "identifiers": self._kind_rows(),
            "timeline": self.timeline.to_dict(),
            "coverage": {
                **asdict(self.coverage),
                "requests": self.requests,
                "losses": {UNREAD: self._losses(UNREAD), OTHER: self._losses(OTHER)},
                "problems": [_problem(problem) for problem in self.losses.by_name],
            },
        }

    def _network(self, network: Carrier | None) -> NetworkRow:
        if network is None:
            return self._unattributed
        row = self._networks.at(CarrierKey(network.name, network.country, network.mcc, network.mnc))
        row.learn(network.evidence)
        return row

    def _all_behaviours(self) -> list[Behaviour]:
        """Those with a row, and what was folded: a verdict must not depend on which was which."""
        folded = self._behaviours.rest
        return [*self._behaviours.rows.values(), *([folded] if folded.tally.leaks else [])]

    def _losses(self, kind: str) -> dict[str, int]:
        losses = Losses()
        losses.merge(self.losses)
        losses["summary.behaviours-folded"] += self._behaviours.rest.tally.leaks
        losses["summary.hosts-folded"] += self._host_requests.rest.n
        dropped = losses["capture.dropped"]
        if self.max_drops is not None and dropped * 100 > self.max_drops * (self.coverage.frames + dropped):
            losses["capture.drops-over"] += dropped
        return losses.of_kind(kind)

    def _behaviour_rows(self) -> list[Json]:
        rows = [behaviour.row(key._asdict()) for key, behaviour in self._behaviours]
        return sorted(rows, key=lambda row: (*_worst_first(row), row["fingerprint"]))

    def _folded_row(self) -> Json | None:
        """Behaviours past the bound, as if they were one: what counts must not depend on which have a row."""
        folded = self._behaviours.rest
        return folded.row({"fingerprint": None}) if folded.tally.leaks else None

    def _name_rows(self) -> list[Json]:
        """Behaviours without the host: what one header, cookie or parameter did to everybody, wherever it went."""
        rows = [behaviour.row(key.to_dict()) for key, behaviour in self._names]
        return sorted(rows, key=lambda row: (*_worst_first(row), row["rule"], row["place"], row["name"]))

    def _kind_rows(self) -> list[Json]:
        rows = [{"identifier": kind, **tally.to_dict(self.requests)} for kind, tally in self._kinds]
        return sorted(rows, key=lambda row: (*_worst_first(row), row["identifier"]))

    def _carrier_rows(self) -> list[Json]:
        rows = [row.row(key) for key, row in self._networks]
        if self._networks.rest.tally.requests or self._networks.rest.tally.leaks:
            rows.append({**self._networks.rest.row(None), "name": OTHER_HOSTS})
        rows.sort(key=lambda row: (-row["leaks"], -row["requests"], row["name"], str(row["network"])))
        return [*rows, self._unattributed.row(None)]

    def _host_rows(self) -> list[Json]:
        """Hosts with leaks first; then those without, the busiest first; then what has no row of its own."""
        requests, empty = self._host_requests.rows, HostRow()
        rows = [
            {"host": host, **tally.to_dict(), "requests": requests[host].n if host in requests else None}
            for host, tally in self._hosts
        ]
        rows.sort(key=lambda row: (-row["subscribers"], -row["leaks"], row["host"]))
        clean = sorted((-count.n, host) for host, count in requests.items() if host not in self._hosts.rows)
        rows += [{"host": host, **empty.to_dict(-negative)} for negative, host in clean[:MAX_CLEAN_ROWS]]
        rest = self._host_requests.rest.n - sum(negative for negative, _ in clean[MAX_CLEAN_ROWS:])
        if rest or self._hosts.rest.leaks:
            rows.append({"host": OTHER_HOSTS, **self._hosts.rest.to_dict(rest)})
        return rows


def _problem(problem: Problem) -> Json:
    return {**problem._asdict(), "capture": shown_name(problem.capture)}


def _worst_first(row: Json) -> tuple[int, int, int]:
    return -SEVERITIES.index(row["severity"]), -row["subscribers"], -row["leaks"]
