"""Which values under names that say nothing are worth a closer look.

Comes in: a value, or a raw line that holds some. Goes out: whether a value may name itself what it holds: JSON, plain,
percent-encoded or in base64 (a JWT is two of those), or a list such as `msisdn=...` inside another value. It may say
yes too often, never too rarely: `detect` opens nothing else under an unknown name. No state.
"""

from __future__ import annotations

MIN_CHARS = 12  # a shorter value holds no name with an identifier behind it

#: In lower case. JSON: a brace as it is, percent-encoded once and twice, and how `{"` begins in base64. Then what names
#: of identifiers are made of, and few other words are.
SIGNS = (b"{", b"%7b", b"%257b", b"eyj", b"msisdn", b"imsi", b"imei", b"iccid")

_TEXT_SIGNS = tuple(sign.decode("ascii") for sign in SIGNS)


def may_name_inside(line: bytes) -> bool:
    """Whether some value of a raw line, or of several, may name what it holds."""
    lower = line.lower()
    return any(sign in lower for sign in SIGNS)


def names_inside(value: str) -> bool:
    """The same for one value."""
    if len(value) < MIN_CHARS:
        return False
    lower = value.lower()
    return any(sign in lower for sign in _TEXT_SIGNS)
