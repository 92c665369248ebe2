"""What the rest of a request tells of a leak in it: who else in it is the same person, which gateway it came through.

Comes in: the matches of one request. Goes out: hashes, for the joins of the summary. No state.
"""

from __future__ import annotations

from collections.abc import Sequence

from leakscan.conceal import Concealer
from leakscan.distinct import stable_hash
from leakscan.masks import country_code
from leakscan.model import Match
from leakscan.tally import SCHEMED

MIN_NAMES = 2
#: Kinds of identifiers and rules of names that proxies of all sorts write.
ANYBODYS = frozenset({"private_ip", "via", "x-country-code", "x-proxy-id", "x-bluecoat-via", "x-content-opt"})


def persons(matches: Sequence[Match], concealer: Concealer) -> dict[int, int]:
    """Which matches name the person that another one names, too: position -> hash of the other's pseudonym.

    Tokens of several schemes in one request are one person's; of two phone numbers one may be another's, unless it is
    the other's national form.
    """
    found: dict[int, int] = {}
    for kind in {match.identifier for match in matches}:
        places = [place for place, match in enumerate(matches) if match.identifier == kind and not match.rotating]
        if len(places) < 2:
            continue
        if kind in SCHEMED:
            hashes = {place: stable_hash(concealer.pseudonym(kind, matches[place].normal)) for place in places}
            first = min(hashes.values())
            found |= {place: first for place, own in hashes.items() if own != first}
        elif kind == "msisdn":
            whole = {_national(matches[place].normal): matches[place].normal for place in places}
            for place in places:
                number = matches[place].normal
                other = whole.get(number.lstrip("0"))
                if other is not None and other != number:
                    found[place] = stable_hash(concealer.pseudonym(kind, other))
    return found


def gateway_of(matches: Sequence[Match]) -> int:
    """A gateway is known by what it adds: names, their case and order. 0 when they are too few or anybody's to tell."""
    names = [
        f"{match.field.place} {match.field.name}"
        for match in matches
        if match.field.place in ("header", "cookie")
        and match.origin != "client-sent"
        and match.identifier not in ANYBODYS
        and match.rule not in ANYBODYS
    ]
    distinct = list(dict.fromkeys(names))
    return stable_hash("\n".join(distinct)) if len(distinct) >= MIN_NAMES else 0


def _national(number: str) -> str:
    """An international number without its country code."""
    return number[len(country_code(number)) :]
