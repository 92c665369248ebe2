"""What is looked for in values under names that say nothing: values that name their parts, and values alone.

In: a value, a line or the raw head of a request. Out: whether anything in it is worth a closer look, and `Candidate`s,
to be checked like any value under a known name. All of it works on text and on raw lines alike: where `line_speaks`
and `may_name_inside` find nothing in a line, `detect` finds nothing in any value of it under an unknown name, so that
a request without known names need not be taken apart.

A value names its parts when it is JSON, plain, percent-encoded or in base64 (a JWT is two of those), or a list such as
`msisdn=...` inside another value.

A candidate is a run of digits that touches no letter, digit, dot, hyphen or underscore (those are parts of hashes,
versions, coordinates and UUIDs), with the first digit and the length of an identifier. UNIX times, in seconds and
milliseconds, are none.

No state. Bounds: `MAX_CANDIDATES` of one value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MIN_CHARS = 12  # a shorter value holds no name with an identifier behind it
MAX_CANDIDATES = 16
CUT_CHARS = 4096  # fields.MAX_VALUE_CHARS: a longer value was cut, and so may be the run at its end


#: Nothing before the first digit that it could be a part of; an escape (`%3D`) and the prefixes of TS 29.571 are none.
_LEFT = r"(?:(?<![0-9A-Za-z._%-][0-9])|(?<=%[0-9A-Fa-f]{2}[0-9])|(?<=imsi-[0-9])|(?<=imei-[0-9])|(?<=sisdn-[0-9]))"
_RUNS = (
    r"(?<=1)[2-9][0-9]{2}[2-9][0-9]{6}(?![0-9])",  # North America: 11 digits
    r"(?<=[2-9])[0-9]{9,31}",  # other numbers, IMSI, IMEI, ICCID, EID
    r"(?<=0)(?:0[1-9][0-9]{7,14}|[01][0-9]{13,15})",  # 00 and a number; test networks and devices, CTIA's IMEIs
    r"(?<=\+[1-9])[0-9 ().-]{6,20}",
    r"(?<=%2[Bb][1-9])[0-9]{6,14}",
    r"[0-9]{7}-[0-9]{6}-[0-9]{1,2}|[0-9]-[0-9]{6}-[0-9]{6}-[0-9]",  # IMEI and IMEISV with hyphens
    r"[0-9]{14,15}@",  # IMSI and realm
    r"[0-9]{5}(?:STAT|DYNM)RSV",  # ACR
)
#: The first digit is consumed before anything else is tried: a pattern that begins with a set is searched for fast.
#: Then comes what all have in common.
_SOURCE = rf"[0-9](?=[0-9 ().-]{{5}})(?<![0-9]{{3}}[0-9]){_LEFT}(?:{'|'.join(_RUNS)})"
_VALUE, _LINE = re.compile(_SOURCE, re.ASCII), re.compile(_SOURCE.encode())
#: What every candidate has, and few lines: six digits at an edge, or digits with spaces behind a plus. The first
#: pattern alone rules out most lines, and is ten times as fast as the others.
_SIX, _EDGE, _SPACED = "[0-9][0-9]{5}", "[^0-9A-Za-z._][0-9]{6}", r"\+[1-9][0-9 ().-]{6}"
_ESCAPED, _FIRST = "%[0-9A-Fa-f]{2}[0-9]{6}", r"\A[0-9]{6}"
_SIX_VALUE, *_FEW_VALUES = (re.compile(form, re.ASCII) for form in (_SIX, _EDGE, _ESCAPED, _FIRST))
_FEW_LINES = [re.compile(form.encode()) for form in (_EDGE, _ESCAPED, _FIRST)]
_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_SIX_DIGITS = b"000000"
_SPACED_VALUE, _SPACED_LINE = re.compile(_SPACED, re.ASCII), re.compile(_SPACED.encode())

_ACR = re.compile(r"[0-9]{6}(?:STAT|DYNM)RSV[0-9]{4}-[0-9T:.-]{10,20}Z[A-Za-z0-9+/=_-]{16,512}")
_IDENTITY = re.compile(r"[0-9]{7,16}@[A-Za-z0-9.-]{1,128}\.3gppnetwork\.org", re.IGNORECASE)
#: TS 29.571; RFC 7254 (urn:gsma:imei:).
_PREFIXES = {"imsi-": "imsi-", "imei-": "imei-", "msisdn-": "msisdn-", ":imei:": "imei-"}


class Candidate(NamedTuple):
    """What a value may hold."""

    kind: str  # one of catalogue.ALONE
    text: str  # to be checked


def may_name_inside(line: bytes) -> bool:
    """Whether some value of a raw line, or of several, may name what it holds. Says yes too often, never too rarely.

    JSON: a brace as it is, percent-encoded once and twice, and how `{"` begins in base64. Then what names of
    identifiers are made of, and few other words are. Written out, because nearly every request comes here.
    """
    lower = line.lower()
    return (
        b"{" in lower
        or b"eyj" in lower
        or (b"%" in lower and (b"%7b" in lower or b"%257b" in lower))
        or b"msisdn" in lower
        or b"imsi" in lower
        or b"imei" in lower
        or b"iccid" in lower
    )


def names_inside(value: str) -> bool:
    """The same for one value."""
    return len(value) >= MIN_CHARS and may_name_inside(value.encode("utf-8", "replace"))


def speaks(value: str) -> bool:
    """Whether there may be a candidate in a value, or in several with a line end between them."""
    six = _SIX_VALUE.search(value) and any(form.search(value) for form in _FEW_VALUES)
    return bool((six or _SPACED_VALUE.search(value)) and _VALUE.search(value))


def line_speaks(line: bytes) -> bool:
    """The same of a line of a request head, or of a whole one."""
    six = _SIX_DIGITS in line.translate(_DIGITS) and any(form.search(line) for form in _FEW_LINES)
    return bool((six or _SPACED_LINE.search(line)) and _LINE.search(line))


def candidates(value: str) -> Iterator[Candidate]:
    """What stands in the value, in its order; one run of digits may be several kinds of identifier."""
    for count, found in enumerate(_VALUE.finditer(value)):
        if count == MAX_CANDIDATES:
            return
        yield from _of(found[0].rstrip(" ().-"), value, found.start())


def _of(text: str, value: str, start: int) -> Iterator[Candidate]:
    if text.endswith("RSV"):
        if acr := _ACR.match(value, start):
            yield Candidate("acr", acr[0])
        return
    if identity := _IDENTITY.match(value, start):
        yield Candidate("identity", identity[0])
        return
    text = text.rstrip("@")
    end = start + len(text)
    before, after = value[max(0, start - 7) : start].lower(), value[end : end + 1]
    if after.isalnum() or (after and after in "._-") or end == CUT_CHARS:
        return
    if prefix := next((prefix for prefix in _PREFIXES if before.endswith(prefix)), ""):
        yield Candidate("identity", _PREFIXES[prefix] + text)
        return
    if before.endswith(("+", "%2b")):
        yield Candidate("msisdn", "+" + text)
        return
    if "-" in text:
        yield Candidate("imei", text)
    elif text.startswith("00"):
        yield Candidate("msisdn", text)
    for kind, (shortest, longest, heads) in KINDS.items():
        if shortest <= len(text) <= longest and text.startswith(heads):
            yield Candidate(kind, text)


#: Kind -> (fewest digits, most digits, how they may begin).
KINDS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "msisdn": (10, 15, tuple("123456789")),
    "imei": (15, 15, ("00", "01", "35", "86", "91", "98", "99")),
    "imsi": (15, 15, ("001", *"2345679")),
    "iccid": (19, 32, ("89",)),
}
