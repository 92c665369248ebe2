"""Who did it: whose network carried a leak, whose subscriber it is about, and on which bearer.

Comes in: a message, a match in it, and the entry of `--networks` that holds the client's address. Goes out: an
`Attribution`, in which `network` and `home_operator` stand apart (roaming and virtual operators make them differ), each
with the evidence that gave it. Evidence is a vote with candidates, the strongest first; what contradicts it is shown
as `conflict: ...` and never dropped: roaming and number portability are findings. No state.

Evidence holds no captured string: PLMN codes, country codes and words of our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from leakscan.model import Carrier, Match, Message
from leakscan.networks import NetworkEntry, Networks
from leakscan.plmn import plmn_of

#: So many names are still an answer ("A or B"); with more, nobody is named.
MAX_NAMED = 3

CELLULAR, WIFI, UNKNOWN = "cellular", "wifi", "unknown"
CONFLICT = "conflict: "


class Attribution(NamedTuple):
    """The answers for one match."""

    network: Carrier | None
    home_operator: Carrier | None
    bearer: str  # cellular, wifi, unknown
    bearer_evidence: tuple[str, ...]


class Vote(NamedTuple):
    """One piece of evidence: it fits any of the candidates."""

    candidates: tuple[Carrier, ...]
    evidence: str


def attribute(message: Message, match: Match, networks: Networks | None, entry: NetworkEntry | None) -> Attribution:
    """All three answers for `match`. `entry` is what `networks` says of the message's client at its time."""
    said = _vote(match.carriers, f"{match.rule}: PLMN", networks)
    network = _settle([*([Vote((entry.network,), entry.network.evidence[0])] if entry else []), *said])
    home = _home_operator(match, networks, entry)
    regions, code = _calling_code(match)
    if regions:
        network = _with_country(network, regions, code, agreement_counts=False)
        home = _with_country(home, regions, code, agreement_counts=True)
    return Attribution(network, home, *bearer_of(message, entry))


def bearer_of(message: Message, entry: NetworkEntry | None) -> tuple[str, tuple[str, ...]]:
    """The bearer of the message's client, and why."""
    votes = list(_bearer_votes(message, entry))
    if not votes:
        return UNKNOWN, ()
    bearer = votes[0][0]
    return bearer, tuple(why if voted == bearer else f"{CONFLICT}{why} ({voted})" for voted, why in votes)


def _bearer_votes(message: Message, entry: NetworkEntry | None) -> Iterator[tuple[str, str]]:
    """Strongest first: the operator knows best (Wi-Fi calling also comes in GTP-U)."""
    if entry is not None and entry.bearer != UNKNOWN:
        yield entry.bearer, entry.network.evidence[0]
    if message.teid is not None or message.tunnel == "gtp-u":
        yield CELLULAR, "GTP-U tunnel"
    elif message.tunnel == "gprs-ns":
        yield CELLULAR, "GPRS Gb"
    name = message.origin.interface.lower()
    for start, bearer in INTERFACES:
        if name.startswith(start):
            yield bearer, f"interface {start}*"
            break
    if message.origin.link in WIFI_LINKS:
        yield WIFI, f"link type {message.origin.link} (802.11)"


def _home_operator(match: Match, networks: Networks | None, entry: NetworkEntry | None) -> Carrier | None:
    """What the value says is about this subscriber, the file's word is about all of a range: so where they differ the
    value comes first; where they agree the file does, because it alone can name a virtual operator."""
    said = _vote(match.home, f"{match.identifier}: PLMN", networks)
    filed = [Vote((entry.home,), entry.home.evidence[0])] if entry and entry.home else []
    agree = not said or not filed or _common(filed[0].candidates, said[0].candidates)
    return _settle([*filed, *said] if agree else [*said, *filed])


def _vote(codes: Sequence[str], source: str, networks: Networks | None) -> list[Vote]:
    """The vote of PLMN codes that stand for one thing: several are candidates of which one is right."""
    if not codes:
        return []
    return [Vote(tuple(_carrier(code, networks) for code in codes), f"{source} {' or '.join(codes[:MAX_NAMED])}")]


def _carrier(code: str, networks: Networks | None) -> Carrier:
    """The carrier of a PLMN code: as the operator's own file names it, else the table, else by the code."""
    mcc, _, mnc = code.partition("-")
    filed = networks.carrier(mcc, mnc) if networks else None
    if filed is not None:
        return filed
    known = plmn_of(code)
    return Carrier(known.name if known else code, known.country if known else None, mcc, mnc, ())


def _same(one: Carrier, other: Carrier) -> bool:
    """By code where both have one; else nothing but the countries can contradict."""
    if one.mcc and other.mcc:
        return (one.mcc, one.mnc) == (other.mcc, other.mnc)
    return not one.country or not other.country or one.country == other.country


def _common(candidates: tuple[Carrier, ...], others: tuple[Carrier, ...]) -> tuple[Carrier, ...]:
    return tuple(carrier for carrier in candidates if any(_same(carrier, other) for other in others))


def _settle(votes: list[Vote]) -> Carrier | None:
    """The strongest vote, narrowed by the others as far as they agree with it."""
    if not votes:
        return None
    candidates, evidence = votes[0].candidates, [votes[0].evidence]
    for vote in votes[1:]:
        common = _common(candidates, vote.candidates)
        candidates = common or candidates
        evidence.append(vote.evidence if common else CONFLICT + vote.evidence)
    return _joined(candidates, tuple(evidence))


def _joined(candidates: tuple[Carrier, ...], evidence: tuple[str, ...]) -> Carrier | None:
    """One carrier for all candidates: what they share stays, and the names are alternatives."""
    names = list(dict.fromkeys(carrier.name for carrier in candidates))
    if len(names) > MAX_NAMED:
        return None
    first = candidates[0]
    alike = {
        part: all(getattr(carrier, part) == getattr(first, part) for carrier in candidates)
        for part in ("country", "mcc", "mnc")
    }
    return Carrier(
        name=" or ".join(names),
        country=first.country if alike["country"] else None,
        mcc=first.mcc if alike["mcc"] else None,
        mnc=first.mnc if alike["mcc"] and alike["mnc"] else None,
        evidence=evidence,
    )


def _calling_code(match: Match) -> tuple[tuple[str, ...], str]:
    """The countries (ISO 3166) of an MSISDN's country code, and that code: (("GB", "GG", ...), "44")."""
    digits = match.normal
    if match.identifier != "msisdn" or match.confidence == "hint" or not (digits.isascii() and digits.isdigit()):
        return (), ""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # late: 15 ms

    for length in (1, 2, 3):  # no code is the beginning of another
        code = digits[:length]
        if int(code) in COUNTRY_CODE_TO_REGION_CODE:
            return COUNTRY_CODE_TO_REGION_CODE[int(code)], code
    return (), ""


def _with_country(
    carrier: Carrier | None, regions: tuple[str, ...], code: str, agreement_counts: bool
) -> Carrier | None:
    """A number's country names no operator, but it supports or contradicts one."""
    if carrier is None or carrier.country is None:
        return carrier
    if carrier.country in regions:
        more = (f"msisdn: country code +{code}",) if agreement_counts else ()
    else:
        more = (f"{CONFLICT}msisdn: country code +{code}",)
    return replace(carrier, evidence=carrier.evidence + more)


#: Begins of interface names (pcapng) and the bearer behind them.
INTERFACES = (
    ("rmnet", CELLULAR),
    ("ccmni", CELLULAR),
    ("pdp_ip", CELLULAR),
    ("wwan", CELLULAR),
    ("wwp", CELLULAR),
    ("wlan", WIFI),
    ("wlp", WIFI),
)

#: Link types of 802.11 frames: bare, Prism, radiotap, AVS, PPI.
WIFI_LINKS = frozenset({105, 119, 127, 163, 192})
