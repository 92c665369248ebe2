"""Votes on who a network or an operator is, and what they come to.

Comes in: votes, each with its candidates, the evidence in words, and a weight. Goes out: one `Carrier`, or none, with
all the evidence. The heaviest vote decides, narrowed by the others as far as they agree with it; what contradicts it is
shown as `conflict: ...` and never dropped, and where two equal ones contradict each other both are named. No state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from leakscan.model import Carrier

#: So many names are still an answer ("A or B"); with more, nobody is named.
MAX_NAMED = 3
CONFLICT = "conflict: "

#: Kind of evidence -> weight. Only the order counts, and which are equal. docs/attribution.md explains each.
WEIGHTS: Mapping[str, int] = {
    "networks-file": 100,
    "imsi": 95,
    "serving-plmn": 90,
    "token-plmn": 85,
    "token-host": 80,
    "networks-file-home": 75,
    "via-domain": 70,
    "host-brand": 65,
    "unique-name": 60,
    "brand-name": 50,
    "apn": 50,
    "gateway": 45,
    "asn": 40,
    "number-range": 10,
    "subscriber": 5,
}


def words(text: str) -> frozenset[str]:
    """A set, written as a line."""
    return frozenset(text.split())


class Vote(NamedTuple):
    """One piece of evidence: it fits any of the candidates."""

    kind: str  # of WEIGHTS
    candidates: tuple[Carrier, ...]
    evidence: str
    doubt: str = ""  # what a conflict with it may mean
    named: bool = False  # the candidates' names are operators' as others write them: they can contradict
    silent: bool = False  # says who, but cannot contradict


def settle(votes: Iterable[Vote]) -> Carrier | None:
    """Whom the votes name, with the evidence of all of them, the heaviest first."""
    ranked = sorted(dict.fromkeys(votes), key=lambda vote: -WEIGHTS[vote.kind])
    if not ranked:
        return None
    first, *others = ranked
    candidates, evidence = first.candidates, [first.evidence]
    for vote in others:
        common = tuple(one for one in candidates if any(_same(one, other, vote.named) for other in vote.candidates))
        if common or vote.silent:
            candidates = common or candidates
            evidence.append(vote.evidence)
            continue
        if WEIGHTS[vote.kind] == WEIGHTS[first.kind]:
            candidates += vote.candidates
        evidence.append(conflict(vote.evidence, vote.doubt))
    return _joined(candidates, tuple(evidence))


def conflict(evidence: str, doubt: str) -> str:
    """Evidence that contradicts the rest, and what that may mean."""
    return f"{CONFLICT}{evidence} ({doubt})" if doubt else CONFLICT + evidence


def agree(one: Vote, other: Vote) -> bool:
    """Whether both may be right."""
    return any(_same(a, b, one.named or other.named) for a in one.candidates for b in other.candidates)


def _same(one: Carrier, other: Carrier, by_name: bool) -> bool:
    """By code where both have one, else by name if that says something; else only the countries can contradict."""
    if one.mcc and one.mnc and other.mcc and other.mnc:
        return (one.mcc, one.mnc) == (other.mcc, other.mnc)
    if one.country and other.country and one.country != other.country:
        return False
    return not by_name or alike(one.name, other.name)


def alike(one: str, other: str) -> bool:
    """Whether two names of operators may mean one: `O2` and `O2 (UK)`, `Three` and `3`."""
    return bool(_words(one) & _words(other))


def _words(name: str) -> frozenset[str]:
    found = re.findall(r"[^\W_]+", name.lower())
    return frozenset(ALIASES.get(word, word) for word in found if word not in COMMON)


def _joined(candidates: tuple[Carrier, ...], evidence: tuple[str, ...]) -> Carrier | None:
    """One carrier for all candidates: what they share stays, and the names are alternatives."""
    names = list(dict.fromkeys(carrier.name for carrier in candidates))
    if len(names) > MAX_NAMED:
        return None
    first = candidates[0]
    alike_in = {
        part: all(getattr(carrier, part) == getattr(first, part) for carrier in candidates)
        for part in ("country", "mcc", "mnc")
    }
    return Carrier(
        name=" or ".join(names),
        country=first.country if alike_in["country"] else None,
        mcc=first.mcc if alike_in["mcc"] else None,
        mnc=first.mnc if alike_in["mcc"] and alike_in["mnc"] else None,
        evidence=evidence,
    )


#: Words of operators' names that say nothing of which.
COMMON = words(
    "as communications co company corp gmbh gsm group inc limited llc ltd mobil mobile mobiles network networks of plc "
    "sa services spa telecom telecommunications the uk us wireless"
)
#: Brands that number plans and network lists write differently.
ALIASES: Mapping[str, str] = {"three": "3", "h3g": "3", "hutchison": "3", "tmobile": "telekom"}
