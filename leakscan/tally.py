"""What is counted of leaks, whatever they are grouped by: a host, a network, a behaviour, the whole.

Comes in: leaks, already masked. Goes out: rows of the summary. State: `Tally` and the rows built on it; each holds
sets of at most `limit` hashes for each kind of identifier, and tables bounded by the constants below. All of it
merges: commutative and associative, because nothing depends on what came first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from leakscan.distinct import Bounded, Distinct, Links, stable_hash
from leakscan.model import CONFIDENCES, SEVERITIES, Carrier, Leak
from leakscan.origin import CONSISTENT, UNKNOWN

#: Different values (and hosts) counted exactly in one row; more become an estimate, with a standard error of 3 %.
EXACT_IN_ROW = 1024
#: The same in the rows of networks, kinds and the whole; 0.8 %.
EXACT_IN_WHOLE = 16_384
MAX_PARTIES = 512
MAX_EVIDENCE = 16
MAX_NAMED_HOSTS = 100
#: Different chains of encodings in one row, the first by order.
MAX_CHAINS = 16
#: Longer names and values are clipped in the summary; leak lines have them whole.
MAX_CHARS = 200

#: Kinds of which one person has one. A person has many cells, charging ids, and perhaps the model of many others.
PERSONAL = frozenset(
    {"msisdn", "imsi", "imei", "iccid", "meid_esn", "subscriber_token", "email", "mac", "device_id", "advertising_id"}
)
#: Of these a person has one for each scheme, so two in one request are two names of one person.
SCHEMED = frozenset({"subscriber_token", "device_id", "advertising_id"})

Json = dict[str, Any]


class Around(NamedTuple):
    """What the rest of a leak's request tells, for the joins over the whole. Hashes are 0 where there is nothing."""

    shown: bool = True  # the leak has a line of its own; else it counts only if the whole raises it
    same: int = 0  # hash of another pseudonym of the same kind that is the same person's
    client: int = 0  # hash of the client's address, if it was captured where neighbours could be seen
    gateway: int = 0  # hash of what a gateway added: names, in their order


class Sighting(NamedTuple):
    """One leak with what the spine knows of it and what all rows need of it, worked out once; or several that differ in
    nothing that a row counts, but for their times."""

    leak: Leak
    time_ns: int
    rotating: bool
    value: int  # hash of the pseudonym
    host: str
    host_hash: int
    around: Around = Around()
    raised: bool = False  # its confidence was, by the whole
    leaks: int = 1
    last: tuple[int, str] | None = None  # time of the last of several, as in Tally


def sighting(leak: Leak, time_ns: int, rotating: bool, around: Around) -> Sighting:
    """What all rows need of a leak. Some are kept: what a capture makes long is clipped."""
    if len(leak.target) + len(leak.name) + len(leak.value) + len(leak.host) > MAX_CHARS:
        name, value, host = clip(leak.name), clip(leak.value), clip(leak.host)
        leak = replace(leak, target=clip(leak.target), method=clip(leak.method), name=name, value=value, host=host)
    host = clip(leak.host)
    return Sighting(leak, time_ns, rotating, stable_hash(leak.pseudonym), host, stable_hash(host), around)


def clip(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 3] + "..."


def bump(counts: dict[str, int], key: str, by: int = 1) -> None:
    counts[key] = counts.get(key, 0) + by


def bump_all(counts: dict[str, int], others: Mapping[str, int]) -> None:
    for key, count in others.items():
        bump(counts, key, count)


def commonest(counts: Mapping[str, int]) -> str:
    """The key with the highest count, the first by name among equals; "" of none."""
    return min(counts, key=lambda key: (-counts[key], key), default="")


class Tally:
    """Leaks, their span in time, their worst severity, and how many different values and hosts there were."""

    __slots__ = (
        "_distinct",
        "_limit",
        "_links",
        "bearers",
        "first",
        "hosts",
        "last",
        "leaks",
        "requests",
        "severity",
        "verdicts",
    )

    def __init__(self, limit: int = EXACT_IN_ROW) -> None:
        self._limit = limit
        self.requests = 0
        self.leaks = 0
        self.first: tuple[int, str] | None = None  # nanoseconds, and the same as text with the capture's precision
        self.last: tuple[int, str] | None = None
        self.severity = -1  # position in SEVERITIES
        self._distinct: dict[tuple[str, bool], Distinct] = {}  # by kind and whether it rotates
        self._links: dict[str, Links] = {}  # by kind: values that are one person's
        self.hosts = Distinct(limit)
        self.bearers: dict[str, int] = {}
        self.verdicts: dict[str, int] = {}

    def add(self, seen: Sighting) -> None:
        leak = seen.leak
        self.leaks += seen.leaks
        first = (seen.time_ns, leak.time)
        self._span(first, seen.last or first)
        self.severity = max(self.severity, SEVERITIES.index(leak.severity))
        self._of(leak.identifier, seen.rotating).add(seen.value)
        if seen.around.same:
            self._links_of(leak.identifier).add(seen.value, seen.around.same)
        self.hosts.add(seen.host_hash)
        bump(self.bearers, leak.bearer, seen.leaks)
        bump(self.verdicts, leak.recipient.verdict, seen.leaks)

    def merge(self, other: Tally) -> None:
        self.requests += other.requests
        self.leaks += other.leaks
        if other.first is not None and other.last is not None:
            self._span(other.first, other.last)
        self.severity = max(self.severity, other.severity)
        for (kind, rotating), values in other._distinct.items():
            self._of(kind, rotating).merge(values)
        for kind, links in other._links.items():
            self._links_of(kind).merge(links)
        self.hosts.merge(other.hosts)
        bump_all(self.bearers, other.bearers)
        bump_all(self.verdicts, other.verdicts)

    def subscribers(self) -> int:
        """At least so many: the largest count among the kinds a person has one of, without tokens that rotate."""
        counts = (
            self._links[kind].things(values) if kind in self._links else values.count()
            for (kind, rotating), values in self._distinct.items()
            if kind in PERSONAL and not rotating
        )
        return max(counts, default=0)

    def identifiers(self) -> dict[str, int]:
        """How many different values of each kind."""
        counts: dict[str, int] = {}
        for (kind, _), values in sorted(self._distinct.items()):
            bump(counts, kind, values.count())
        return counts

    def to_dict(self, requests: int | None = None) -> Json:
        """The keys every row of the summary has. `requests` is the denominator when it is known elsewhere."""
        return {
            "requests": self.requests if requests is None else requests,
            "leaks": self.leaks,
            "subscribers": self.subscribers(),
            "identifiers": self.identifiers(),
            "estimated": self.hosts.estimated or any(values.estimated for values in self._distinct.values()),
            "host_count": self.hosts.count(),
            "first_seen": None if self.first is None else self.first[1],
            "last_seen": None if self.last is None else self.last[1],
            "severity": None if self.severity < 0 else SEVERITIES[self.severity],
            "bearers": dict(sorted(self.bearers.items())),
            "verdicts": dict(sorted(self.verdicts.items())),
        }

    def _links_of(self, kind: str) -> Links:
        links = self._links.get(kind)
        if links is None:
            links = self._links[kind] = Links(self._limit)
        return links

    def _of(self, kind: str, rotating: bool) -> Distinct:
        values = self._distinct.get((kind, rotating))
        if values is None:
            values = self._distinct[kind, rotating] = Distinct(self._limit)
        return values

    def _span(self, first: tuple[int, str], last: tuple[int, str]) -> None:
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)


class HostRow(Tally):
    """A host, or a behaviour, and as which partners of the policy whoever got it did: at most MAX_EVIDENCE, the first
    by name."""

    __slots__ = ("_partners",)

    def __init__(self) -> None:
        super().__init__()
        self._partners: list[tuple[str, str]] = []  # name, purpose

    def add(self, seen: Sighting) -> None:
        super().add(seen)
        recipient = seen.leak.recipient
        if recipient.partner is not None:
            self._know([(clip(recipient.partner), clip(recipient.purpose or ""))])

    def merge(self, other: Tally) -> None:
        super().merge(other)
        if isinstance(other, HostRow):
            self._know(other._partners)

    def to_dict(self, requests: int | None = None) -> Json:
        partners = [{"partner": name, "purpose": purpose or None} for name, purpose in self._partners]
        return {**super().to_dict(requests), "partners": partners}

    def _know(self, partners: list[tuple[str, str]]) -> None:
        if not all(partner in self._partners for partner in partners):
            self._partners = sorted({*self._partners, *partners})[:MAX_EVIDENCE]


class CarrierKey(NamedTuple):
    """Who a network or home operator is, without the evidence."""

    name: str
    country: str | None
    mcc: str | None
    mnc: str | None


def carrier_key(carrier: Carrier) -> CarrierKey:
    return CarrierKey(carrier.name, carrier.country, carrier.mcc, carrier.mnc)


class Party:
    """A network or a home operator: the evidence that named it, and its leaks."""

    __slots__ = ("evidence", "tally")

    def __init__(self, limit: int = EXACT_IN_ROW) -> None:
        self.evidence: list[str] = []  # the first MAX_EVIDENCE by name
        self.tally = Tally(limit)

    def learn(self, evidence: tuple[str, ...] | list[str]) -> None:
        if not all(word in self.evidence for word in evidence):
            self.evidence = sorted({*self.evidence, *map(clip, evidence)})[:MAX_EVIDENCE]

    def merge(self, other: Party) -> None:
        self.learn(other.evidence)
        self.tally.merge(other.tally)

    def to_dict(self, key: CarrierKey) -> Json:
        return {**key._asdict(), "evidence": self.evidence}


class Parties(Bounded[CarrierKey, Party]):
    """Networks, or home operators, by who they are."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(MAX_PARTIES, Party)

    def add(self, carrier: Carrier | None, seen: Sighting) -> None:
        if carrier is not None:
            party = self.at(carrier_key(carrier))
            party.learn(carrier.evidence)
            party.tally.add(seen)

    def to_list(self) -> list[Json]:
        """Each with its leaks and subscribers, the most leaks first."""
        rows = [
            {**party.to_dict(key), "leaks": party.tally.leaks, "subscribers": party.tally.subscribers()}
            for key, party in self
        ]
        return sorted(rows, key=lambda row: (-row["leaks"], row["name"], str(row["country"]), str(row["mnc"])))


class NetworkRow(Party):
    """A network with its denominators by bearer, and the home operators of the people whose leaks it carried."""

    __slots__ = ("bearer_requests", "homes")

    def __init__(self) -> None:
        super().__init__(EXACT_IN_WHOLE)
        self.bearer_requests: dict[str, int] = {}
        self.homes = Parties()

    def add(self, seen: Sighting) -> None:
        self.tally.add(seen)
        self.homes.add(seen.leak.home_operator, seen)

    def merge(self, other: Party) -> None:
        super().merge(other)
        if isinstance(other, NetworkRow):
            bump_all(self.bearer_requests, other.bearer_requests)
            self.homes.merge(other.homes)

    def row(self, key: CarrierKey | None) -> Json:
        return {
            "name": UNATTRIBUTED if key is None else key.name,
            "network": None if key is None else self.to_dict(key),
            **self.tally.to_dict(),
            "bearer_requests": dict(sorted(self.bearer_requests.items())),
            "home_operators": self.homes.to_list(),
        }


class BehaviourKey(NamedTuple):
    fingerprint: str
    rule: str
    place: str


class Behaviour:
    """One behaviour, named by its fingerprint: all leaks of one rule, place and name to one registrable domain."""

    __slots__ = (
        "chains",
        "confidence",
        "example",
        "homes",
        "hosts",
        "identifiers",
        "name",
        "networks",
        "origins",
        "raised",
        "tally",
    )

    def __init__(self) -> None:
        self.tally = HostRow()
        self.name: str | None = None  # as on the wire; where spellings differ, the first by order
        self.confidence = -1  # position in CONFIDENCES
        self.raised = 0  # leaks whose confidence was raised, because their value is confirmed elsewhere
        self.identifiers: dict[str, int] = {}
        self.origins: dict[str, int] = {}
        self.hosts: list[str] = []  # the first MAX_NAMED_HOSTS by name
        self.chains: list[tuple[str, ...]] = []  # what was undone, without ()
        self.networks = Parties()
        self.homes = Parties()
        self.example: tuple[int, str] | None = None  # the earliest value, masked like the leak's

    def add(self, seen: Sighting) -> None:
        leak = seen.leak
        self.tally.add(seen)
        chains = [leak.encoding] if leak.encoding else []
        self._know(clip(leak.name), (seen.time_ns, clip(leak.value)), [seen.host], chains)
        self.confidence = max(self.confidence, CONFIDENCES.index(leak.confidence))
        self.raised += seen.leaks * seen.raised
        bump(self.identifiers, leak.identifier, seen.leaks)
        bump(self.origins, leak.origin, seen.leaks)
        self.networks.add(leak.network, seen)
        self.homes.add(leak.home_operator, seen)

    def merge(self, other: Behaviour) -> None:
        self.tally.merge(other.tally)
        if other.name is not None and other.example is not None:
            self._know(other.name, other.example, other.hosts, other.chains)
        self.confidence = max(self.confidence, other.confidence)
        self.raised += other.raised
        bump_all(self.identifiers, other.identifiers)
        bump_all(self.origins, other.origins)
        self.networks.merge(other.networks)
        self.homes.merge(other.homes)

    def row(self, key: Json, injection: tuple[str, ...] = ()) -> Json:
        """`injection`: why it is consistent with injection, as far as the whole tells."""
        origin = commonest(self.origins)
        if injection and origin == UNKNOWN:
            origin = CONSISTENT
        common = self.tally.to_dict()
        del common["requests"]  # a behaviour has no denominator of its own
        return {
            **key,
            "name": self.name,
            "identifier": commonest(self.identifiers),
            "hosts": self.hosts,
            "encodings": [list(chain) for chain in self.chains],
            **common,
            "confidence": CONFIDENCES[self.confidence],
            "raised": self.raised,
            "origin": origin,
            "origin_evidence": list(injection) if origin == CONSISTENT else [],
            "network": self.networks.to_list(),
            "home_operator": self.homes.to_list(),
            "example": None if self.example is None else self.example[1],
            "covered_by": None,
        }

    def _know(self, name: str, example: tuple[int, str], hosts: list[str], chains: list[tuple[str, ...]]) -> None:
        self.name = name if self.name is None else min(self.name, name)
        self.example = example if self.example is None else min(self.example, example)
        self.hosts = _first(self.hosts, hosts)
        if not all(chain in self.chains for chain in chains):
            self.chains = sorted({*self.chains, *chains})[:MAX_CHAINS]


def _first(names: list[str], more: list[str]) -> list[str]:
    """The first MAX_NAMED_HOSTS of both lists, by name."""
    return names if all(name in names for name in more) else sorted({*names, *more})[:MAX_NAMED_HOSTS]


UNATTRIBUTED = "unattributed"
