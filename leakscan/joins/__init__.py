"""What only the whole can tell: what is learnt on the way, and the leaks that wait for it (waiting.py).

Captures may come in any order and any split, so nothing is settled before the summary is read. Then

- a leak below the highest confidence is confirmed if its value is confirmed elsewhere: a website passed it on;
- one of unknown bearer is local if its client is somebody's neighbour, and nothing of that client says cellular;
- one of no known network has that of other leaks that came through the same gateway; or, where none is known, that of
  the gateway's subscribers, if nearly all have the same home operator;
- a name is consistent with injection if its values follow clients (origin.py), and a name that nobody knows is a
  tracker if they do (trackers.py).

Comes in: requests and sightings. Goes out: sightings as the whole sees them. State: tables bounded by the constants
below, which keep what has the smallest hashes. It merges: commutative and associative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from leakscan.distinct import Bounded, Distinct
from leakscan.joins.trackers import RULE, Tracker
from leakscan.joins.waiting import Waiting
from leakscan.model import CONFIDENCES, Carrier, Leak
from leakscan.networks import CELLULAR, UNKNOWN, WIFI
from leakscan.origin import Manner, Spread
from leakscan.tally import PERSONAL, CarrierKey, Sighting, carrier_key, clip

#: Rows of leaks that wait, and requests that have no other leak than hidden ones, by what waits in them.
MAX_WAITING = 8192
MAX_WAITING_REQUESTS = 4096
MAX_WAITING_IN_REQUEST = 8
#: Confirmed values that others are compared with.
MAX_CONFIRMED = 65_536
#: Clients whose bearer is told by what else is seen of them, and gateways that are known by what they add.
MAX_CLIENTS = 16_384
MAX_GATEWAYS = 1024
#: Subscribers of a gateway whose home operators are asked, those of the smallest hash: a sample. So many at least, and
#: so great a share of them, have the operator whose gateway it is; numbers are ported, virtual operators are guests.
MAX_SUBSCRIBERS = 64
MIN_SUBSCRIBERS, MOST_SUBSCRIBERS = 3, 0.75
KINDS_OF_SUBSCRIBERS = ("imsi", "msisdn")
#: Names of which it is known where and with what their values were seen.
MAX_SPREADS = 256
#: Names that no catalogue knows, watched for whether they are trackers.
MAX_TRACKERS = 64

CONFIRMED = CONFIDENCES[-1]
#: What a leak waits for.
FOR_ITS_VALUE, FOR_NEIGHBOURS, FOR_ITS_GATEWAY = 1, 2, 4
BY_GATEWAY = ("gateway: the same headers as in requests of this network",)


class NameKey(NamedTuple):
    """A behaviour on whatever host."""

    rule: str
    place: str
    lower: str


class Count:
    """A number that merges."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0

    def merge(self, other: Count) -> None:
        self.n += other.n


class _Client:
    """Requests of one address that say nothing of their bearer, by network."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests: dict[CarrierKey | None, int] = {}

    def merge(self, other: _Client) -> None:
        for network, count in other.requests.items():
            self.requests[network] = self.requests.get(network, 0) + count


class _Subscriber:
    """The home operator of one subscriber of a gateway."""

    __slots__ = ("home",)

    def __init__(self) -> None:
        self.home: tuple[str, CarrierKey] | None = None  # by which kind of identifier

    def learn(self, home: tuple[str, CarrierKey]) -> None:
        self.home = home if self.home is None else min(self.home, home, key=str)

    def merge(self, other: _Subscriber) -> None:
        if other.home is not None:
            self.learn(other.home)


class _Gateway:
    """The network of a gateway, as far as there is one only; and whose subscribers it serves."""

    __slots__ = ("network", "networks", "subscribers")

    def __init__(self) -> None:
        self.network: CarrierKey | None = None
        self.networks = 0  # 2: more than one
        self.subscribers: Bounded[int, _Subscriber] = Bounded(MAX_SUBSCRIBERS, _Subscriber, int)

    def named(self) -> Carrier | None:
        """The network, with why."""
        if self.networks:
            return None if self.network is None else Carrier(*self.network, BY_GATEWAY)
        homes = Counter(row.home for _, row in self.subscribers if row.home is not None)
        for kind in KINDS_OF_SUBSCRIBERS:
            known = {home: count for (by, home), count in homes.items() if by == kind}
            home, most = max(known.items(), key=lambda item: item[1], default=(None, 0))
            if home is not None and most >= MIN_SUBSCRIBERS and most >= MOST_SUBSCRIBERS * sum(known.values()):
                return Carrier(
                    *home, (f"gateway: {most} of {sum(known.values())} subscribers seen are this operator's",)
                )
        return None

    def learn(self, network: CarrierKey) -> None:
        if network != self.network and self.networks < 2:
            self.networks += 1
            self.network = network if self.networks == 1 else None

    def merge(self, other: _Gateway) -> None:
        if other.network is not None and other.networks == 1:
            self.learn(other.network)
        elif other.networks:
            self.networks, self.network = 2, None
        self.subscribers.merge(other.subscribers)


class Joins:
    """All of it. `neighbours` is the set that the stages add to."""

    def __init__(self, neighbours: Distinct) -> None:
        self.neighbours = neighbours
        self.trackers: Bounded[str, Tracker] = Bounded(MAX_TRACKERS, Tracker)
        self._waiting = Waiting(MAX_WAITING)
        self._requests: Bounded[tuple[int, ...], Count] = Bounded(MAX_WAITING_REQUESTS, Count)
        self._given_up: dict[int, int] = {}  # leaks that found no place to wait, by what they waited for
        self._confirmed = Distinct(MAX_CONFIRMED)
        self._clients: Bounded[int, _Client] = Bounded(MAX_CLIENTS, _Client, int)
        self._cellular = Distinct(MAX_CLIENTS)
        self._gateways: Bounded[int, _Gateway] = Bounded(MAX_GATEWAYS, _Gateway, int)
        self._spreads: Bounded[NameKey, Spread] = Bounded(MAX_SPREADS, Spread)

    def asked(self, client: int, bearer: str, network: Carrier | None) -> None:
        """A request of a client that may be a neighbour."""
        if bearer == UNKNOWN:
            requests = self._clients.at(client).requests
            key = None if network is None else carrier_key(network)
            requests[key] = requests.get(key, 0) + 1
        elif bearer == CELLULAR:
            self._cellular.add(client)

    def hidden(self, values: Iterable[int]) -> None:
        """A request that has only leaks that are not shown, of these values."""
        self._requests.at(tuple(sorted(values))[:MAX_WAITING_IN_REQUEST]).n += 1

    def learn(self, seen: Sighting, manner: Manner | None) -> None:
        """What a leak tells of others."""
        leak, around = seen.leak, seen.around
        if manner is not None:
            self._spreads.at(NameKey(leak.rule, leak.place, clip(leak.name.lower()))).add(seen.value, manner)
        if around.gateway:
            gateway = self._gateways.at(around.gateway)
            if leak.network is not None:
                gateway.learn(carrier_key(leak.network))
            elif leak.home_operator is not None and leak.identifier in KINDS_OF_SUBSCRIBERS and manner is not None:
                gateway.subscribers.at(seen.value).learn((leak.identifier, carrier_key(leak.home_operator)))
        if leak.confidence == CONFIRMED and leak.identifier in PERSONAL:
            self._confirmed.add(seen.value)

    def sort(self, seen: Sighting) -> list[Sighting]:
        """Let a leak wait if the whole may change how it counts; gives those to be counted now."""
        if _waits_for(seen):
            return self._past_waiting(row.sighting() for row in self._waiting.add(seen))
        return [seen] if seen.around.shown else []

    def merge(self, other: Joins) -> list[Sighting]:
        """Take over what was learnt and what waits there; gives what is to be counted now."""
        self.neighbours.merge(other.neighbours)
        self.trackers.merge(other.trackers)
        self._requests.merge(other._requests)
        self._confirmed.merge(other._confirmed)
        self._clients.merge(other._clients)
        self._cellular.merge(other._cellular)
        self._gateways.merge(other._gateways)
        self._spreads.merge(other._spreads)
        for reasons, count in other._given_up.items():
            self._given_up[reasons] = self._given_up.get(reasons, 0) + count
        return self._past_waiting(row.sighting() for row in self._waiting.merge(other._waiting))

    def is_empty(self) -> bool:
        """Whether nothing is there that the whole could change."""
        return not (len(self._waiting) or len(self._clients) or len(self.trackers))

    # -- when the summary is read ----------------------------------------------------------------------------------

    def waiting(self) -> Iterator[Sighting]:
        """What waits and has a line of its own, as the line says."""
        return (seen for row in self._waiting if (seen := row.sighting()).around.shown)

    def settled(self) -> Iterator[Sighting]:
        """What waits, as the whole sees it; without what stays hidden."""
        for row in self._waiting:
            seen = self.settle(row.sighting())
            if seen.around.shown or seen.raised:
                yield seen

    def settle(self, seen: Sighting) -> Sighting:
        """A leak with what the whole says of it."""
        leak, around = seen.leak, seen.around
        if may_rise(leak) and seen.value in self._confirmed:
            seen, leak = seen._replace(raised=True), replace(leak, confidence=CONFIRMED)
        if leak.bearer == UNKNOWN and self._is_local(around.client):
            leak = replace(leak, bearer=WIFI)
        gateway = self._gateways.rows.get(around.gateway) if leak.network is None else None
        if gateway is not None and (network := gateway.named()) is not None:
            leak = replace(leak, network=network)
        return seen._replace(leak=leak)

    def raised_requests(self, last: Iterable[int]) -> int:
        """Requests of which all leaks were hidden, and one is raised. `last`: the hidden values of the request that is
        still open.
        """
        requests: Bounded[tuple[int, ...], Count] = Bounded(MAX_WAITING_REQUESTS, Count)
        requests.merge(self._requests)
        if values := tuple(sorted(last))[:MAX_WAITING_IN_REQUEST]:
            requests.at(values).n += 1
        return sum(count.n for values, count in requests if any(value in self._confirmed for value in values))

    def local_requests(self) -> Iterator[tuple[CarrierKey | None, int]]:
        """Requests of unknown bearer that are local after all: their network, and how many."""
        for client, row in self._clients:
            if self._is_local(client):
                yield from row.requests.items()

    def injection(self, rule: str, place: str, name: str) -> tuple[str, ...]:
        """Why what stands under a name may have been injected."""
        if rule == RULE:
            tracker = self.trackers.rows.get(name.lower())
            return () if tracker is None else tracker.spread.evidence()
        spread = self._spreads.rows.get(NameKey(rule, place, name.lower()))
        return () if spread is None else spread.evidence()

    def miscounted(self) -> int:
        """Leaks that could not wait for what there is by now."""
        there = (FOR_ITS_VALUE if len(self._confirmed) else 0) | (FOR_NEIGHBOURS if len(self.neighbours) else 0)
        there |= FOR_ITS_GATEWAY if any(gateway.named() is not None for _, gateway in self._gateways) else 0
        return sum(count for reasons, count in self._given_up.items() if reasons & there)

    def _is_local(self, client: int) -> bool:
        """Whether the client is on a local network, as far as ARP and multicast tell and nothing contradicts."""
        return client in self.neighbours and client not in self._cellular

    def _past_waiting(self, sightings: Iterable[Sighting]) -> list[Sighting]:
        """What may wait no longer counts as its line says, or not at all."""
        shown = []
        for seen in sightings:
            reasons = _waits_for(seen)
            self._given_up[reasons] = self._given_up.get(reasons, 0) + seen.leaks
            if seen.around.shown:
                shown.append(seen)
        return shown


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
