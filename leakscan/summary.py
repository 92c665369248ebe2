"""The whole: a fold over requests and leaks, with `add` and `merge`.

Comes in: one `add_request` for every readable request and one `add` for every leak that is shown, or may yet be (values
masked unless the operator asked for them; host and name redacted alike). Goes out: the summary of the result, schema 1
(docs/formats.md), and the verdicts: `outcome`, `counts`, `unread`, all read from behaviours and losses and from
nowhere else. State: bounded by the constants here and in tally.py, whatever the capture holds. `merge` is commutative
and associative.

What only the whole can tell is a join: such leaks wait (joins.py) until the summary is read. One below the highest
confidence is confirmed then if its value is confirmed elsewhere; one of unknown bearer is local if its client is
somebody's neighbour; one of no known network has that of other leaks that came through the same gateway. `joined`
settles all of it, in a copy: more may come.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from heapq import nlargest
from typing import NamedTuple

from leakscan.distinct import Bounded, Distinct, stable_hash
from leakscan.joins import Row, Waiting
from leakscan.losses import OTHER, UNREAD, Losses
from leakscan.model import CONFIDENCES, PARTNER_VERDICTS, SEVERITIES, Carrier, Coverage, Leak
from leakscan.neighbours import Neighbours
from leakscan.networks import CELLULAR, UNKNOWN, WIFI
from leakscan.origin import Manner, Spread
from leakscan.tally import (
    EXACT_IN_WHOLE,
    MAX_PARTIES,
    PERSONAL,
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
#: Rows of leaks that wait for the whole, and requests with no other leak than such, by what waits in them.
MAX_WAITING = 8192
MAX_WAITING_REQUESTS = 4096
MAX_WAITING_IN_REQUEST = 8
#: Confirmed values that others are compared with.
MAX_CONFIRMED = 65_536
#: Clients whose bearer is told by what else is seen of them, and gateways that are known by what they add.
MAX_CLIENTS = 16_384
MAX_GATEWAYS = 1024
#: Names of which it is known where and with what their values were seen.
MAX_SPREADS = 256

LEAK, INCONCLUSIVE, NONE_FOUND = "leak", "inconclusive", "none-found"
OTHER_HOSTS = "(other)"
#: Recipients' verdicts that do not count: the partner was allowed to have it, and not in the clear.
HARMLESS_VERDICTS = frozenset({"allowed"})
CONFIRMED = CONFIDENCES[-1]
NOTHING_AROUND = Around()
#: What a leak waits for.
FOR_ITS_VALUE, FOR_NEIGHBOURS, FOR_ITS_GATEWAY = 1, 2, 4
BY_GATEWAY = ("gateway: the same headers as in requests of this network",)


class NameKey(NamedTuple):
    """A behaviour on whatever host."""

    rule: str
    place: str
    lower: str

    def to_dict(self) -> Json:
        return {"rule": self.rule, "place": self.place}


class Count:
    """A number that merges."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0

    def merge(self, other: Count) -> None:
        self.n += other.n


class Client:
    """Requests of one address that say nothing of their bearer, by network."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests: dict[CarrierKey | None, int] = {}

    def merge(self, other: Client) -> None:
        for network, count in other.requests.items():
            self.requests[network] = self.requests.get(network, 0) + count


class Gateway:
    """The network of a gateway, as far as there is one only."""

    __slots__ = ("network", "networks")

    def __init__(self) -> None:
        self.network: CarrierKey | None = None
        self.networks = 0  # 2: more than one

    def learn(self, network: CarrierKey) -> None:
        if network != self.network and self.networks < 2:
            self.networks += 1
            self.network = network if self.networks == 1 else None

    def merge(self, other: Gateway) -> None:
        if other.network is not None and other.networks == 1:
            self.learn(other.network)
        elif other.networks:
            self.networks, self.network = 2, None


class Summary:
    """Requests and leaks, added up. `losses`, `coverage` and `neighbours` are those that the stages count in."""

    def __init__(
        self, losses: Losses | None = None, coverage: Coverage | None = None, neighbours: Distinct | None = None
    ) -> None:
        self.losses = Losses() if losses is None else losses
        self.coverage = Coverage() if coverage is None else coverage
        self.neighbours = Neighbours() if neighbours is None else neighbours
        self.total = Tally(EXACT_IN_WHOLE)
        self.outside = Tally(EXACT_IN_WHOLE)  # leaks to whoever is no partner of the policy; all, where there is none
        self.rules: dict[str, str] = {}  # what the rules that found something mean; as many as the catalogue has
        self.leaking_requests = 0
        self.timeline = Timeline()
        self._request_has_leak = False
        self._request_waits: set[int] = set()  # values in the request added last that may yet be shown
        self._waiting = Waiting(MAX_WAITING)
        self._waiting_requests: Bounded[tuple[int, ...], Count] = Bounded(MAX_WAITING_REQUESTS, Count)
        self._given_up: dict[int, int] = {}  # leaks that found no place to wait, by what they waited for
        self._folded: int | None = None  # of these, how many may count wrongly; set in what `joined` gives
        self._confirmed = Distinct(MAX_CONFIRMED)
        self._clients: Bounded[int, Client] = Bounded(MAX_CLIENTS, Client, int)
        self._cellular = Distinct(MAX_CLIENTS)
        self._gateways: Bounded[int, Gateway] = Bounded(MAX_GATEWAYS, Gateway, int)
        self._spreads: Bounded[NameKey, Spread] = Bounded(MAX_SPREADS, Spread)
        self._local = 0  # requests that are settled as local, whole only
        self._joined: Summary | None = None
        self._joined_with = 0  # neighbours
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

    def add_request(self, *, host: str, network: Carrier | None, bearer: str, time_ns: int, client: int = 0) -> None:
        """One readable request, leaking or not; called before `add` for its leaks. `host` is redacted, `client` as in
        Around.
        """
        if client:
            if bearer == UNKNOWN:
                requests = self._clients.at(client).requests
                key = None if network is None else _carrier_key(network)
                requests[key] = requests.get(key, 0) + 1
            elif bearer == CELLULAR:
                self._cellular.add(client)
        self.total.requests += 1
        self._end_request()
        self._host_requests.at(clip(host)).n += 1
        row = self._network(network)
        row.tally.requests += 1
        bump(row.bearer_requests, bearer)
        self.timeline.add_request(time_ns)

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
        host = clip(leak.host)
        seen = Sighting(leak, time_ns, rotating, stable_hash(leak.pseudonym), host, stable_hash(host), around)
        if not around.shown:
            self._request_waits.add(seen.value)
        elif not self._request_has_leak:
            self._request_has_leak = True
            self.leaking_requests += 1
        if manner is not None:
            self._spreads.at(NameKey(leak.rule, leak.place, clip(leak.name.lower()))).add(seen.value, manner)
        if leak.network is not None and around.gateway:
            self._gateways.at(around.gateway).learn(_carrier_key(leak.network))
        if leak.confidence == CONFIRMED and leak.identifier in PERSONAL:
            self._confirmed.add(seen.value)
        if _waits_for(seen):
            self._give_up(self._waiting.add(seen))
        elif around.shown:
            self._tally(seen)

    def explain(self, rule: str, meaning: str) -> None:
        """What a rule that found something looks for, in one line; of two that differ the first by order."""
        self.rules[rule] = min(meaning, self.rules.get(rule, meaning))

    def merge(self, other: Summary) -> None:
        """Take over what `other` counted."""
        self.losses.merge(other.losses)
        self.coverage.merge(other.coverage)
        self._end_request()
        other._end_request()
        self._take(other)
        self._give_up(self._waiting.merge(other._waiting))
        self._waiting_requests.merge(other._waiting_requests)
        self._confirmed.merge(other._confirmed)
        self.neighbours.merge(other.neighbours)
        self._clients.merge(other._clients)
        self._cellular.merge(other._cellular)
        self._gateways.merge(other._gateways)
        self._spreads.merge(other._spreads)

    def joined(self) -> Summary:
        """The same with everything settled that waits for the whole. To be read, not added to."""
        if not len(self._waiting) and not len(self._clients):
            return self
        if self._joined is None or self._joined_with != len(self.neighbours):
            self._joined_with = len(self.neighbours)
            whole = self._joined = Summary(self.losses, self.coverage)
            whole._folded = self._miscounted()
            whole._take(self)
            for row in self._waiting:
                seen = self._settled(row.sighting())
                if seen.around.shown or seen.raised:
                    whole._tally(seen)
            whole._settle_clients(self)
            whole._spreads.merge(self._spreads)
            requests = whole._waiting_requests
            requests.merge(self._waiting_requests)
            if values := self._in_request():
                requests.at(values).n += 1
            whole.leaking_requests += sum(n.n for values, n in requests if any(v in self._confirmed for v in values))
        return self._joined

    def _tally(self, seen: Sighting) -> None:
        """Count it in every row it belongs to."""
        leak = seen.leak
        outside = leak.recipient.verdict not in PARTNER_VERDICTS
        self.total.add(seen)
        if outside:
            self.outside.add(seen)
        self._behaviours.at(BehaviourKey(leak.fingerprint, leak.rule, leak.place)).add(seen)
        self._names.at(NameKey(leak.rule, leak.place, clip(leak.name.lower()))).add(seen)
        self._hosts.at(seen.host).add(seen)
        self._network(leak.network).add(seen)
        self._kinds.at(leak.identifier).add(seen)
        self.timeline.add_leak(seen.time_ns, outside, seen.leaks)

    def _settled(self, seen: Sighting) -> Sighting:
        """What waited, with what the whole says of it."""
        leak, around = seen.leak, seen.around
        if may_rise(leak) and seen.value in self._confirmed:
            seen, leak = seen._replace(raised=True), replace(leak, confidence=CONFIRMED)
        if leak.bearer == UNKNOWN and self._is_local(around.client):
            leak = replace(leak, bearer=WIFI)
        gateway = self._gateways.rows.get(around.gateway) if leak.network is None else None
        if gateway is not None and gateway.network is not None:
            leak = replace(leak, network=Carrier(*gateway.network, BY_GATEWAY))
        return seen._replace(leak=leak)

    def _miscounted(self) -> int:
        """Leaks that could not wait for what there is by now."""
        there = (FOR_ITS_VALUE if len(self._confirmed) else 0) | (FOR_NEIGHBOURS if len(self.neighbours) else 0)
        there |= FOR_ITS_GATEWAY if any(gateway.network is not None for _, gateway in self._gateways) else 0
        return sum(count for reasons, count in self._given_up.items() if reasons & there)

    def _is_local(self, client: int) -> bool:
        """Whether the client is on a local network, as far as ARP and multicast tell and nothing contradicts."""
        return client in self.neighbours and client not in self._cellular

    def _settle_clients(self, other: Summary) -> None:
        """Count the requests of local clients in `other` as Wi-Fi."""
        for client, row in other._clients:
            if other._is_local(client):
                for key, count in row.requests.items():
                    network = self._unattributed if key is None else self._networks.at(key)
                    bump(network.bearer_requests, UNKNOWN, -count)
                    if not network.bearer_requests[UNKNOWN]:
                        del network.bearer_requests[UNKNOWN]
                    bump(network.bearer_requests, WIFI, count)
                    self._local += count

    def _give_up(self, rows: list[Row]) -> None:
        """Count what can wait no longer as it is."""
        for row in rows:
            seen = row.sighting()
            reasons = _waits_for(seen)
            self._given_up[reasons] = self._given_up.get(reasons, 0) + row.count
            if seen.around.shown:
                self._tally(seen)

    def _in_request(self) -> tuple[int, ...]:
        """The values of which the request added last has only such as wait; () when it has others."""
        return () if self._request_has_leak else tuple(sorted(self._request_waits))[:MAX_WAITING_IN_REQUEST]

    def _end_request(self) -> None:
        if self._request_waits:
            if values := self._in_request():
                self._waiting_requests.at(values).n += 1
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
        self.timeline.merge(other.timeline)
        self._behaviours.merge(other._behaviours)
        self._names.merge(other._names)
        self._hosts.merge(other._hosts)
        self._host_requests.merge(other._host_requests)
        self._networks.merge(other._networks)
        self._unattributed.merge(other._unattributed)
        self._kinds.merge(other._kinds)
        for reasons, count in other._given_up.items():
            self._given_up[reasons] = self._given_up.get(reasons, 0) + count

    def outcome(self) -> str:
        """`leak` (a confirmed or probable one), else `inconclusive` (no readable request, or something unread), else
        `none-found`.
        """
        if any(behaviour.confidence >= CONFIDENCES.index("probable") for behaviour in self._all_behaviours()):
            return LEAK
        return INCONCLUSIVE if not self.requests or self.unread() else NONE_FOUND

    def counts(self, fail_on: str) -> bool:
        """Whether a behaviour is at or above `fail_on`, one of SEVERITIES or "none", and not covered: exit code 1."""
        if fail_on == "none":
            return False
        least = SEVERITIES.index(fail_on)
        return any(
            behaviour.tally.severity >= least and not behaviour.tally.verdicts.keys() <= HARMLESS_VERDICTS
            for behaviour in self._all_behaviours()
        )

    def unread(self) -> bool:
        """Whether something that should have been read was not: exit code 3."""
        return bool(self.joined()._losses(UNREAD))

    def leading(self, most: int) -> tuple[list[Json], list[Json]]:
        """Hosts and networks with the most leaks so far, with what their rows in `to_dict` will say of leaks."""
        hosts = nlargest(most, self._hosts, key=lambda entry: (entry[1].leaks, entry[0]))
        networks: list[tuple[CarrierKey | None, NetworkRow]] = [*self._networks, (None, self._unattributed)]
        leaking = [(key, row) for key, row in networks if row.tally.leaks]
        return [{"host": host, **tally.to_dict()} for host, tally in hosts], [
            {"network": None if key is None else row.to_dict(key), **row.tally.to_dict()}
            for key, row in nlargest(most, leaking, key=lambda entry: entry[1].tally.leaks)
        ]

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
            },
        }

    def _network(self, network: Carrier | None) -> NetworkRow:
        if network is None:
            return self._unattributed
        row = self._networks.at(_carrier_key(network))
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
        losses["summary.joins-folded"] += self._miscounted() if self._folded is None else self._folded
        losses["summary.behaviours-folded"] += self._behaviours.rest.tally.leaks
        losses["summary.hosts-folded"] += self._host_requests.rest.n
        return losses.of_kind(kind)

    def _behaviour_rows(self) -> list[Json]:
        rows = [
            behaviour.row(key._asdict(), self._injection(NameKey(key.rule, key.place, (behaviour.name or "").lower())))
            for key, behaviour in self._behaviours
        ]
        return sorted(rows, key=lambda row: (*_worst_first(row), row["fingerprint"]))

    def _rules_found(self) -> dict[str, str]:
        """What the rules mean that have a row: a hint that was never shown explains nothing."""
        found = {key.rule for key, _ in self._behaviours} | {key.rule for key, _ in self._names}
        return {rule: meaning for rule, meaning in sorted(self.rules.items()) if rule in found}

    def _name_rows(self) -> list[Json]:
        """Behaviours without the host: what one header, cookie or parameter did to everybody, wherever it went."""
        rows = [behaviour.row(key.to_dict(), self._injection(key)) for key, behaviour in self._names]
        return sorted(rows, key=lambda row: (*_worst_first(row), row["rule"], row["place"], row["name"]))

    def _injection(self, key: NameKey) -> tuple[str, ...]:
        """Why what stands under a name may have been injected."""
        spread = self._spreads.rows.get(key)
        return () if spread is None else spread.evidence()

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


def _carrier_key(carrier: Carrier) -> CarrierKey:
    return CarrierKey(carrier.name, carrier.country, carrier.mcc, carrier.mnc)


def _waits_for(seen: Sighting) -> int:
    """What of the whole may change how a leak counts."""
    leak, around = seen.leak, seen.around
    return (
        (FOR_ITS_VALUE if may_rise(leak) else 0)
        | (FOR_NEIGHBOURS if around.client and leak.bearer == UNKNOWN else 0)
        | (FOR_ITS_GATEWAY if around.gateway and leak.network is None else 0)
    )


def may_rise(leak: Leak) -> bool:
    """Whether the same value, confirmed elsewhere, would make more of it."""
    return leak.confidence != CONFIRMED and leak.identifier in PERSONAL


def _worst_first(row: Json) -> tuple[int, int, int]:
    return -SEVERITIES.index(row["severity"]), -row["subscribers"], -row["leaks"]
