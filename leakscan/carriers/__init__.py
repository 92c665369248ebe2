"""Who did it: whose network carried a leak, whose subscriber it is about, and on which bearer.

Comes in: requests, what was found in each, and what the operator knows (`--networks`, `--asn-db`). Goes out: a `Place`
for each client address, and an `Attribution` for each leak, in which `network` and `home_operator` stand apart (roaming
and virtual operators make them differ), each with the evidence that gave it. Evidence is a vote (votes.py); what
contradicts the rest is shown and never dropped: roaming and number portability are findings.

All of a request's headers speak for all of its leaks: they are about one subscriber on one network. Its target speaks
for itself only: a client writes there what it likes, also other people's numbers.

Evidence holds no captured string: codes, masked addresses, and words of tables and of the operator's own files. State:
the answers for the last addresses asked about, in networks.py and asn.py; at most REMEMBERED attributions, of values of
MAX_REMEMBERED_CHARS at most: a subscriber's header comes with every request.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from leakscan.carriers.asn import AsnDatabase, System
from leakscan.carriers.bearer import LINKS_WITH_NEIGHBOURS, bearer_of, by_the_core, of_matches, of_path
from leakscan.carriers.numbers import calling_code, international, may_be_ported, range_holder
from leakscan.carriers.votes import MAX_NAMED, WEIGHTS, Vote, agree, conflict, settle
from leakscan.masks import mask
from leakscan.model import Carrier, Match, Message
from leakscan.networks import NetworkEntry, Networks
from leakscan.operators import brand_in, of_apn, of_brands, of_hosts
from leakscan.plmn import plmn_of, plmns_in

__all__ = ["LINKS_WITH_NEIGHBOURS", "AsnDatabase", "Attribution", "Attributor", "Place", "bearer_of", "of_path"]


class Place(NamedTuple):
    """What a client's address says at the time of a request."""

    entry: NetworkEntry | None  # the operator's own word
    system: Carrier | None  # the autonomous system

    @property
    def network(self) -> Carrier | None:
        """Whose network it is, as far as the address tells."""
        return self.system if self.entry is None else self.entry.network


NOWHERE = Place(None, None)
REMEMBERED = 4096
MAX_REMEMBERED_CHARS = 512


class Attribution(NamedTuple):
    """The answers for one leak."""

    network: Carrier | None
    home_operator: Carrier | None


class Attributor:
    """Attributes requests and leaks."""

    def __init__(self, networks: Networks | None = None, systems: AsnDatabase | None = None) -> None:
        self._networks = networks
        self._systems = systems
        self._known: dict[tuple[Hashable, ...], Attribution] = {}

    def place(self, client: str, time_ns: int) -> Place:
        """What the client's address says: all that is known of a request in which nothing was found."""
        if self._networks is None and self._systems is None:
            return NOWHERE
        entry = self._networks.lookup(client, time_ns) if self._networks else None
        system = self._systems.lookup(client) if self._systems else None
        return Place(entry, None if system is None else _of_system(system, client))

    def bearer(self, message: Message, matches: Sequence[Match], place: Place) -> tuple[str, tuple[str, ...]]:
        """The bearer of a request, and why."""
        votes = of_path(message.origin, message.tunnel, message.teid is not None, place.entry)
        return bearer_of([*votes, *of_matches(matches)] if matches else votes)

    def attribute(self, message: Message, matches: Sequence[Match], match: Match, place: Place) -> Attribution:
        """Whose network carried `match`, one of the `matches` in `message`, and whose subscriber it is about."""
        spoken = [other for other in matches if _by_the_network(other)]
        host = "" if HOST_RULES.keys().isdisjoint(other.rule for other in (match, *spoken)) else message.host
        asked = (id(place.entry), place.system, host, match, *spoken)
        known = self._known.get(asked)
        if known is None:
            known = self._attribution(host, spoken, match, place)
            if sum(len(other.field.value) for other in (match, *spoken)) <= MAX_REMEMBERED_CHARS:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[asked] = known
        return known

    def _attribution(self, host: str, spoken: Sequence[Match], match: Match, place: Place) -> Attribution:
        about = [match, *spoken] if _by_the_network(match) else [match]
        said = spoken if match in spoken else [match, *spoken]  # in one order for all leaks of a request
        network = settle([*_by_address(place), *self._networks_said(said, host)])
        homes = self._homes(place, about)
        home = settle(homes)
        if network is None and home is not None:
            network = settle(_of_subscriber(home, homes, spoken))
        number = next((digits for one in about if (digits := international(one))), "")
        regions, code = calling_code(number) if number else ((), "")
        if regions:
            network = _with_country(network, regions, code, "roaming?", agreement_counts=False)
            home = _with_country(home, regions, code, "a number of another country?", agreement_counts=True)
        return Attribution(network, home)

    def _networks_said(self, matches: Sequence[Match], host: str) -> Iterator[Vote]:
        """What names and values say of the network that carried them to `host`."""
        for match in matches:
            brand = brand_in(match.rule) or next(
                (BRAND_WORDS[word] for word in match.evidence if word in BRAND_WORDS), ""
            )
            group = _of_brand(brand, match.rule, matches) if brand else None
            if group and match.carriers and not _elsewhere(group, match.carriers):
                group = None  # the same name, and it says less
            if match.carriers and group is None:
                kind = NETWORK_KINDS.get(match.rule, "serving-plmn" if match.identifier == "cell_location" else "")
                yield from self._vote(kind or "unique-name", match.carriers, f"{match.rule}: PLMN")
            elif match.rule in HOST_RULES:
                kind, (domain, codes) = HOST_RULES[match.rule], of_hosts(match.value)
                if not codes:
                    kind, (domain, codes) = "host-brand", of_brands(match.value)
                if codes and not f".{host}".endswith(f".{domain}"):  # a site's own balancer is no gateway
                    yield from self._vote(kind, codes, f"{match.rule}: {domain}, PLMN")
            if match.rule.rpartition(".")[2] in APN_RULES:
                yield from self._vote("apn", of_apn(match.value), f"{match.rule}: access point of PLMN")
            if group:
                yield group

    def _homes(self, place: Place, matches: Sequence[Match]) -> list[Vote]:
        """Whose subscriber. What a value says is about this one, the file's word is about all of a range: so where they
        differ the value comes first; where they agree the file does, because it alone can name a virtual operator.
        """
        votes: list[Vote] = []
        for match in matches:
            kind = "imsi" if match.identifier == "imsi" else "token-plmn"
            votes += self._vote(kind, match.home, f"{match.identifier}: PLMN")
        number = next((digits for match in matches if (digits := international(match))), "")
        holder, country = range_holder(number) if number else ("", None)
        if holder:
            holding = Carrier(holder, country, None, None, ())
            votes.append(
                Vote("number-range", (holding,), f"range of {holder}", "ported, or a virtual operator?", named=True)
            )
        if place.entry is not None and place.entry.home is not None:
            filed = Vote("networks-file-home", (place.entry.home,), place.entry.home.evidence[0])
            strongest = max(votes, key=lambda vote: WEIGHTS[vote.kind], default=None)
            if strongest is None or agree(strongest, filed):
                filed = filed._replace(kind="networks-file")
            votes.append(filed)
        return votes

    def _vote(self, kind: str, codes: Sequence[str], source: str) -> list[Vote]:
        """The vote of PLMN codes that stand for one thing: several are candidates of which one is right."""
        if not codes:
            return []
        candidates = tuple(self._carrier(code) for code in codes)
        return [Vote(kind, candidates, f"{source} {' or '.join(codes[:MAX_NAMED])}")]

    def _carrier(self, code: str) -> Carrier:
        """The carrier of a PLMN code: as the operator's own file names it, else the table, else by the code."""
        mcc, _, mnc = code.partition("-")
        filed = self._networks.carrier(mcc, mnc) if self._networks else None
        if filed is not None:
            return filed
        known = plmn_of(code)
        return Carrier(known.name if known else code, known.country if known else None, mcc, mnc, ())


def _by_the_network(match: Match) -> bool:
    """Whether it stands where a network writes: then it is about the subscriber of this request."""
    return match.origin == "injected" or (match.field.place in ("header", "cookie") and match.origin != "client-sent")


def _by_address(place: Place) -> Iterator[Vote]:
    if place.entry is not None:
        yield Vote("networks-file", (place.entry.network,), place.entry.network.evidence[0])
    if place.system is not None:
        yield Vote("asn", (place.system,), place.system.evidence[0], silent=True)


def _of_system(system: System, client: str) -> Carrier:
    """A company is not called like its brand: a system names a network if nothing else does, and contradicts none."""
    why = f"AS{system.number} {system.name}: client in {mask('private_ip', client)}"
    return Carrier(system.name, system.country, None, None, (why,))


def _of_subscriber(home: Carrier, homes: Sequence[Vote], spoken: Sequence[Match]) -> Iterator[Vote]:
    """A mobile gateway that writes whose subscriber it serves: it is that operator's, because phones reach the Internet
    through their own operator's gateways, also abroad. A number's range says so only where numbers cannot be ported. A
    token with a code in it needs nothing beside it: only that operator makes them.
    """
    strongest = max(homes, key=lambda vote: WEIGHTS[vote.kind])
    named = any(match.identifier in ("msisdn", "imsi") for match in spoken)
    token = strongest.kind == "token-plmn" and any(match.identifier == "subscriber_token" for match in spoken)
    if not token and not (named and strongest.kind in SURE_HOMES and any(map(by_the_core, spoken))):
        return
    if strongest.kind == "number-range" and may_be_ported(home.country):
        return
    yield Vote(
        "subscriber", (replace(home, evidence=()),), f"a gateway of the subscriber's operator: {strongest.evidence}"
    )


def _of_brand(brand: str, rule: str, matches: Sequence[Match]) -> Vote:
    """A group of operators: the one of them in the country of the number in the request, if there is one."""
    for number in filter(None, map(international, matches)):
        for country in calling_code(number)[0]:
            rows = [row for row in plmns_in(country) if f"{row.name} ".startswith(f"{brand} ")]
            if rows:
                shortest = min(len(row.name) for row in rows)  # not the subsidiaries
                found = [
                    Carrier(row.name, row.country, row.mcc, row.mnc, ()) for row in rows if len(row.name) == shortest
                ]
                return Vote("brand-name", tuple(found), f"{rule}: {brand} in {country}")
    return Vote("brand-name", (Carrier(brand, None, None, None, ()),), f"{rule}: {brand}", named=True)


def _elsewhere(group: Vote, codes: Sequence[str]) -> bool:
    """Whether the group's operator in the number's country is none of those that are known for the name."""
    known = {code[:3] for code in codes}
    return not any(one.mcc is None or one.mcc in known for one in group.candidates)


def _with_country(
    carrier: Carrier | None, regions: tuple[str, ...], code: str, doubt: str, agreement_counts: bool
) -> Carrier | None:
    """A number's country names no operator, but it supports or contradicts one."""
    if carrier is None or carrier.country is None:
        return carrier
    says = f"msisdn: country code +{code}"
    if carrier.country in regions:
        more = (says,) if agreement_counts else ()
    else:
        more = (conflict(says, doubt),)
    return replace(carrier, evidence=carrier.evidence + more)


#: Rule (detectors/signatures.toml) -> kind of vote, where the network stands in the value and not in the name.
NETWORK_KINDS: Mapping[str, str] = {
    "clientid": "token-host",
    "via": "via-domain",
    "x-mobile-gateway": "token-host",
    "x-up-subno": "token-host",
}
#: Evidence of a check that names a group of operators.
BRAND_WORDS: Mapping[str, str] = {"Vodafone gateway": "Vodafone"}
#: Votes on the home operator that may say whose the gateway is.
SURE_HOMES = frozenset({"imsi", "token-plmn", "networks-file", "number-range"})
#: Rules whose value may hold a host of the operator's -> kind of vote.
HOST_RULES: Mapping[str, str] = {
    "nas-identifier": "via-domain",
    "via": "via-domain",
    "x-nai-id": "token-host",
    "x-nas-identifier": "via-domain",
    "x-operator-domain": "token-host",
    "x-up-nai": "token-host",
    "x-up-subno": "token-host",
    "x-up-uplink": "via-domain",
}
#: Rules whose value is an access point name.
APN_RULES = frozenset({"apn", "called-station-id", "x-apn-id", "x-called-station-id"})
