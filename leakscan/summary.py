"""The whole: a fold over requests and leaks, with `add` and `merge`.

Comes in: one `add_request` for every readable request and one `add` for every leak that is shown, or may yet be (values
masked unless the operator asked for them; host and name redacted alike). Goes out: the summary of the result, schema 1
(docs/formats.md); what counts of it is the gate's to say (gate.py). State: bounded by the constants here and in
tally.py, whatever the capture holds. `merge` is commutative and associative.

What only the whole can tell is a join: such leaks wait (joins.py) until the summary is read. One below the highest
confidence is confirmed then if its value is confirmed elsewhere; one of unknown bearer is local if its client is
somebody's neighbour; one of no known network has that of other leaks that came through the same gateway. `joined`
settles all of it, in a copy: more may come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from heapq import nlargest
from typing import NamedTuple

from leakscan.distinct import Bounded, Distinct
from leakscan.filenames import shown_name
from leakscan.joins import Count, Joins, NameKey
from leakscan.joins.trackers import MEANING, RULE, Order
from leakscan.losses import OTHER, UNREAD, Losses, Problem
from leakscan.model import CONFIDENCES, PARTNER_VERDICTS, SEVERITIES, Carrier, Coverage, Leak
from leakscan.neighbours import Neighbours
from leakscan.networks import UNKNOWN, WIFI
from leakscan.origin import Manner
from leakscan.tally import (
    EXACT_IN_WHOLE,
    MAX_PARTIES,
    Around,
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
    carrier_key,
    clip,
    sighting,
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
NOTHING_AROUND = Around()


class Counted(NamedTuple):
    """Requests counted elsewhere: what a summary says of them and its leaks do not."""

    requests: int
    leaking_requests: int
    local_requests: int
    hosts: Mapping[str, int]
    other_hosts: int  # requests to hosts that have no row
    networks: Sequence[tuple[Carrier | None, int, Mapping[str, int]]]  # requests in all and by bearer
    other_networks: tuple[int, Mapping[str, int]]
    timeline: Timeline


class Summary:
    """Requests and leaks, added up. `losses`, `coverage` and `neighbours` are those that the stages count in."""

    def __init__(
        self,
        losses: Losses | None = None,
        coverage: Coverage | None = None,
        neighbours: Distinct | None = None,
        least: str = "probable",
    ) -> None:
        self.losses = Losses() if losses is None else losses
        self.coverage = Coverage() if coverage is None else coverage
        self.neighbours = Neighbours() if neighbours is None else neighbours
        self._least = CONFIDENCES.index(least)  # confidence of what is shown
        self.total = Tally(EXACT_IN_WHOLE)
        self.outside = Tally(EXACT_IN_WHOLE)  # leaks to whoever is no partner of the policy; all, where there is none
        self.rules: dict[str, str] = {}  # what the rules that found something mean; as many as the catalogue has
        self.leaking_requests = 0
        self.max_drops: float | None = None  # per cent of the frames that may have been dropped while capturing
        self.timeline = Timeline()
        self._request_has_leak = False
        self._request_waits: set[int] = set()  # values in the request added last that may yet be shown
        self._joins = Joins(self.neighbours)
        self._folded: int | None = None  # leaks that could not wait, and may count wrongly; whole only
        self._tracked_apart = 0  # leaks of trackers that have no row, whole only
        self._local = 0  # requests that are settled as local: in the whole, or elsewhere
        self._injection = self._joins.injection
        self._joined: Summary | None = None
        self._joined_with = 0  # neighbours
        self._behaviours: Bounded[BehaviourKey, Behaviour] = Bounded(MAX_BEHAVIOURS, Behaviour)
        self._names: Bounded[NameKey, Behaviour] = Bounded(MAX_NAMES, Behaviour)
        self._hosts: Bounded[str, HostRow] = Bounded(MAX_LEAKING_HOSTS, HostRow)
        self._host_requests: Bounded[str, Count] = Bounded(MAX_HOSTS, Count)
        self._networks: Bounded[CarrierKey, NetworkRow] = Bounded(MAX_PARTIES, NetworkRow)
        self._unattributed = NetworkRow()
        self._kinds: Bounded[str, Tally] = Bounded(MAX_KINDS, partial(Tally, EXACT_IN_WHOLE))

    def __repr__(self) -> str:
        total = self.joined().total
        return f"Summary({self.outcome()!r}, requests={total.requests}, leaks={total.leaks})"

    @property
    def requests(self) -> int:
        """Readable requests: the denominator of everything."""
        return self.total.requests

    def add_request(self, *, host: str, network: Carrier | None, bearer: str, time_ns: int, client: int = 0) -> None:
        """One readable request, leaking or not; called before `add` for its leaks. `host` is redacted, `client` as in
        Around.
        """
        if client:
            self._joins.asked(client, bearer, network)
        self.total.requests += 1
        self._end_request()
        self._host_requests.at(clip(host)).n += 1
        row = self._network(network)
        row.tally.requests += 1
        bump(row.bearer_requests, bearer)
        self.timeline.add_request(time_ns)

    def restore(self, counted: Counted) -> None:
        """Take over requests that were counted elsewhere; `add` for their leaks counts none of them again."""
        self._end_request()
        self._joined = None
        self.total.requests += counted.requests
        self.leaking_requests += counted.leaking_requests
        self._local += counted.local_requests
        self._request_has_leak = True
        for host, requests in counted.hosts.items():
            self._host_requests.at(clip(host)).n += requests
        self._host_requests.rest.n += counted.other_hosts
        rows = [(self._network(carrier), requests, bearers) for carrier, requests, bearers in counted.networks]
        for row, requests, bearers in [*rows, (self._networks.rest, *counted.other_networks)]:
            row.tally.requests += requests
            bump_all(row.bearer_requests, bearers)
        self.timeline.merge(counted.timeline)

    def resume_request(self, alone: bool) -> None:
        """More leaks of a request that was added before come now; `alone`: it had none that is shown."""
        self._end_request()
        self._request_has_leak = not alone

    def add(
        self,
        leak: Leak,
        *,
        time_ns: int,
        rotating: bool,
        around: Around = NOTHING_AROUND,
        manner: Manner | None = None,
    ) -> None:
        """One leak of the request added last. A rotating token does not tell one subscriber from another. `manner`: how
        it stands in its request, if it may be a network's doing.
        """
        self._joined = None
        seen = sighting(leak, time_ns, rotating, around)
        if not around.shown:
            self._request_waits.add(seen.value)
        elif not self._request_has_leak:
            self._request_has_leak = True
            self.leaking_requests += 1
        self._joins.learn(seen, manner)
        for ready in self._joins.sort(seen):
            self._tally(ready)

    def take(self, seen: Sighting) -> None:
        """Leaks that are known from another summary alone, and wait for nothing; without a fingerprint, of behaviours
        past its bound.
        """
        self._joined = None
        self._tally(seen)

    def explain(self, rule: str, meaning: str) -> None:
        """What a rule that found something looks for, in one line; of two that differ the first by order."""
        self.rules[rule] = min(meaning, self.rules.get(rule, meaning))

    def watch(
        self, name: str, value: int, manner: Manner, key: tuple[object, ...], order: Order, time: str, alone: bool,
        make: Callable[[], Sighting],
    ) -> None:  # fmt: skip
        """A token that nobody knows, in the request added last; see Tracker.add."""
        self._joined = None
        self._joins.trackers.at(clip(name.lower())).add(value, manner, key, order, time, alone, make)

    def merge(self, other: Summary) -> None:
        """Take over what `other` counted."""
        self.losses.merge(other.losses)
        self.coverage.merge(other.coverage)
        self._end_request()
        other._end_request()
        self._take(other)
        for ready in self._joins.merge(other._joins):
            self._tally(ready)

    def joined(self) -> Summary:
        """The same with everything settled that waits for the whole. To be read, not added to."""
        if self._joins.is_empty():
            return self
        if self._joined is None or self._joined_with != len(self.neighbours):
            joins, whole = self._joins, Summary(self.losses, self.coverage)
            whole.max_drops = self.max_drops
            whole._take(self)
            whole._folded, whole._injection = joins.miscounted(), joins.injection
            for seen in joins.settled():
                whole._tally(seen)
            whole.leaking_requests += joins.raised_requests(() if self._request_has_leak else self._request_waits)
            whole._settle_clients(joins)
            whole._settle_trackers(joins, self._least)
            self._joined, self._joined_with = whole, len(self.neighbours)
        return self._joined

    def _tally(self, seen: Sighting) -> None:
        """Count it in every row it belongs to."""
        leak = seen.leak
        outside = leak.recipient.verdict not in PARTNER_VERDICTS
        self.total.add(seen)
        if outside:
            self.outside.add(seen)
        if leak.fingerprint:
            self._behaviours.at(BehaviourKey(leak.fingerprint, leak.rule, leak.place)).add(seen)
            self._names.at(NameKey(leak.rule, leak.place, clip(leak.name.lower()))).add(seen)
        else:
            self._behaviours.rest.add(seen)
            self._names.rest.add(seen)
        self._hosts.at(seen.host).add(seen)
        self._network(leak.network).add(seen)
        self._kinds.at(leak.identifier).add(seen)
        self.timeline.add_leak(seen.time_ns, outside, seen.leaks)

    def _settle_clients(self, joins: Joins) -> None:
        """Count the requests of local clients as Wi-Fi."""
        for key, count in joins.local_requests():
            network = self._unattributed if key is None else self._networks.at(key)
            bump(network.bearer_requests, UNKNOWN, -count)
            if not network.bearer_requests[UNKNOWN]:
                del network.bearer_requests[UNKNOWN]
            bump(network.bearer_requests, WIFI, count)
            self._local += count

    def _settle_trackers(self, joins: Joins, least: int) -> None:
        """Count what has turned out to be a tracker."""
        for _, tracker in joins.trackers:
            verdict = tracker.spread.tracks()
            if not verdict or CONFIDENCES.index(verdict) < least:
                continue
            self.explain(RULE, MEANING)
            self._tracked_apart += tracker.rows.rest.count
            for row in tracker:
                seen = joins.settle(row.sighting())
                self._tally(seen._replace(leak=replace(seen.leak, confidence=verdict)))
                self.leaking_requests += row.alone

    def _end_request(self) -> None:
        if self._request_waits:
            if not self._request_has_leak:
                self._joins.hidden(self._request_waits)
            self._request_waits.clear()
        self._request_has_leak = False
        self._joined = None

    def _take(self, other: Summary) -> None:
        """Take over all that is counted, but not what waits."""
        self.total.merge(other.total)
        self.outside.merge(other.outside)
        for rule, meaning in other.rules.items():
            self.explain(rule, meaning)
        self.leaking_requests += other.leaking_requests
        self._local += other._local
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
        return bool(self.joined()._losses(UNREAD))

    def leaks_so_far(self) -> int:
        """Leaks with a line of their own, whatever waits."""
        return self.total.leaks + sum(seen.leaks for seen in self._joins.waiting())

    def leading(self, most: int) -> tuple[list[Json], list[Json]]:
        """Hosts and networks with the most leaks so far, with what their rows in `to_dict` would say of leaks by now,
        but for what the whole may yet change.
        """
        hosts: Counter[str] = Counter({host: row.leaks for host, row in self._hosts})
        networks: Counter[CarrierKey | None] = Counter({key: row.tally.leaks for key, row in self._networks})
        networks[None] += self._unattributed.tally.leaks
        waiting = list(self._joins.waiting())
        for seen in waiting:
            hosts[seen.host] += seen.leaks
            networks[_key_of(seen.leak.network)] += seen.leaks
        top = [host for host, _ in nlargest(most, hosts.items(), key=lambda entry: (entry[1], entry[0]))]
        leaking = [(key, count) for key, count in networks.items() if count]
        over = [key for key, _ in nlargest(most, leaking, key=lambda entry: (entry[1], str(entry[0])))]
        return [{"host": host, **self._host_so_far(host, waiting).to_dict()} for host in top], [
            self._network_so_far(key, waiting) for key in over
        ]

    def _host_so_far(self, host: str, waiting: list[Sighting]) -> HostRow:
        row = HostRow()
        if host in self._hosts.rows:
            row.merge(self._hosts.rows[host])
        for seen in waiting:
            if seen.host == host:
                row.add(seen)
        return row

    def _network_so_far(self, key: CarrierKey | None, waiting: list[Sighting]) -> Json:
        row, there = NetworkRow(), self._unattributed if key is None else self._networks.rows.get(key)
        if there is not None:
            row.merge(there)
        for seen in waiting:
            if _key_of(seen.leak.network) == key:
                row.add(seen)
        return {"network": None if key is None else row.to_dict(key), **row.tally.to_dict()}

    def to_dict(self) -> Json:
        """The `summary` object of the result."""
        return self.joined()._to_dict()

    def _to_dict(self) -> Json:
        return {
            "type": "summary",
            "outcome": self.outcome(),
            "total": {**self.total.to_dict(), "leaking_requests": self.leaking_requests, "local_requests": self._local},
            "outside": self.outside.to_dict(self.requests),
            "behaviours": self._behaviour_rows(),
            "folded": self._folded_row(),
            "names": self._name_rows(),
            "rules": self._rules_found(),
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
        row = self._networks.at(carrier_key(network))
        row.learn(network.evidence)
        return row

    def _all_behaviours(self) -> list[Behaviour]:
        """Those with a row, and what was folded: a verdict must not depend on which was which."""
        behaviours = self.joined()._behaviours
        folded = behaviours.rest
        return [*behaviours.rows.values(), *([folded] if folded.tally.leaks else [])]

    def _losses(self, kind: str) -> dict[str, int]:
        losses = Losses()
        losses.merge(self.losses)
        losses["summary.trackers-folded"] += self._tracked_apart
        losses["summary.joins-folded"] += self._joins.miscounted() if self._folded is None else self._folded
        losses["summary.behaviours-folded"] += self._behaviours.rest.tally.leaks
        losses["summary.hosts-folded"] += self._host_requests.rest.n
        dropped = losses["capture.dropped"] + losses["capture.interface-dropped"]
        if self.max_drops is not None and dropped * 100 > self.max_drops * (self.coverage.frames + dropped):
            losses["capture.drops-over"] += dropped
        return losses.of_kind(kind)

    def _behaviour_rows(self) -> list[Json]:
        rows = [
            behaviour.row(key._asdict(), self._injection(key.rule, key.place, behaviour.name or ""))
            for key, behaviour in self._behaviours
        ]
        return sorted(rows, key=lambda row: (*_worst_first(row), row["fingerprint"]))

    def _rules_found(self) -> dict[str, str]:
        """What the rules mean that have a row: a hint that was never shown explains nothing."""
        found = {key.rule for key, _ in self._behaviours} | {key.rule for key, _ in self._names}
        return {rule: meaning for rule, meaning in sorted(self.rules.items()) if rule in found}

    def _folded_row(self) -> Json | None:
        """Behaviours past the bound, as if they were one: what counts must not depend on which have a row."""
        folded = self._behaviours.rest
        return folded.row({"fingerprint": None}) if folded.tally.leaks else None

    def _name_rows(self) -> list[Json]:
        """Behaviours without the host: what one header, cookie or parameter did to everybody, wherever it went."""
        rows = [
            behaviour.row({"rule": key.rule, "place": key.place}, self._injection(*key))
            for key, behaviour in self._names
        ]
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


def _key_of(carrier: Carrier | None) -> CarrierKey | None:
    return None if carrier is None else carrier_key(carrier)


def _problem(problem: Problem) -> Json:
    return {**problem._asdict(), "capture": shown_name(problem.capture)}


def _worst_first(row: Json) -> tuple[int, int, int]:
    return -SEVERITIES.index(row["severity"]), -row["subscribers"], -row["leaks"]
