"""What the rest of a request tells of a leak in it: who else in it is the same person, which gateway it came through,
whether the client wrote it.

Comes in: the matches of one request. Goes out: hashes, for the joins of the summary. No state.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from leakscan.conceal import Concealer
from leakscan.distinct import stable_hash
from leakscan.fields import header
from leakscan.fingerprint import registrable_domain
from leakscan.masks import country_code
from leakscan.model import Match, Message
from leakscan.neighbours import client_hash
from leakscan.origin import Manner
from leakscan.tally import SCHEMED

MIN_NAMES = 2
#: Kinds of identifiers and rules of names that proxies of all sorts write.
ANYBODYS = frozenset({"private_ip", "via", "x-country-code", "x-proxy-id", "x-bluecoat-via", "x-content-opt"})

_FAMILY = re.compile(r"[^/ (]*")
#: Headers that browsers and programs write, and proxies leave alone.
CLIENTS_OWN = frozenset(
    {"accept", "accept-charset", "accept-encoding", "accept-language", "content-length", "content-type", "cookie"}
    | {"host", "if-modified-since", "if-none-match", "origin", "range", "referer", "user-agent", "x-requested-with"}
)


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


def manners_of(message: Message, matches: Sequence[Match]) -> list[Manner | None]:
    """How each match stands in the request; None where gateways don't write, and of what the client's program wrote."""
    if all(match.field.place not in ("header", "cookie") or match.origin != "unknown" for match in matches):
        return [None] * len(matches)
    names = [name for name, _ in message.headers]
    own = [place for place, is_own in enumerate(map(_is_clients_own, names)) if is_own]
    cases = {case_of(names[place]) for place in own}
    program = header(message, "user-agent")
    agent = (_hash(program), _hash(_FAMILY.match(program)[0])) if program else (0, 0)  # type: ignore[index]
    client = client_hash(message.origin.capture, message.client), _hash(message.client)
    common = (*client, *agent, _hash(registrable_domain(message.host)))
    manners: list[Manner | None] = []
    for match in matches:
        place, name, _ = match.field
        if place == "header" and match.origin == "unknown":
            at = names.index(name) if name in names else -1
            foreign = len(own) > 1 and len(cases) == 1 and case_of(name) not in cases
            slot = 0 if at < 0 or not own else -1 if at < own[0] else 1 if at > own[-1] else 0
            manners.append(Manner(*common, foreign, slot))
        elif place == "cookie" and match.origin == "unknown":
            manners.append(Manner(*common, False, 0))
        else:
            manners.append(None)
    return manners


@lru_cache(maxsize=1024)
def _is_clients_own(name: str) -> bool:
    return name.strip().lower() in CLIENTS_OWN


@lru_cache(maxsize=1024)
def case_of(name: str) -> str:
    """How a header's name is written."""
    if name == name.lower():
        return "lower"
    if name == name.upper():
        return "upper"
    return "title" if all(part[:1].isupper() and part[1:] == part[1:].lower() for part in name.split("-")) else "mixed"


@lru_cache(maxsize=4096)
def _hash(text: str) -> int:
    return stable_hash(text)


def _national(number: str) -> str:
    """An international number without its country code."""
    return number[len(country_code(number)) :]
