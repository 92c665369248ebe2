"""Which values under names that say nothing are worth a closer look: the cheap question, asked of all traffic.

Comes in: the raw head of a request, or any part of it. Goes out: whether it may hold values that name themselves: JSON,
plain, percent-encoded or in base64 (a JWT is two of those), or a list such as `msisdn=...` inside another value. It may
say yes too often, never too rarely: what `detect` opens under an unknown name is what this lets through. No state.
"""

from __future__ import annotations

#: Beginnings of JSON: `{"` as it is, as browsers and programs percent-encode it, once and twice, and in base64.
JSON_BEGINS = (b'{"', b"{%22", b"%7b%22", b'%7b"', b"%257b%2522", b"eyj")
#: Words that names of identifiers are made of, and other words are not.
TELLING_WORDS = (b"msisdn", b"imsi", b"imei", b"iccid")
SIGNS = (*JSON_BEGINS, *TELLING_WORDS)

_TEXT_SIGNS = tuple(sign.decode("ascii") for sign in SIGNS)


def may_name_inside(head: bytes) -> bool:
    """Whether some value of the head may name what it holds."""
    lower = head.lower()
    return any(sign in lower for sign in SIGNS)


def names_inside(value: str) -> bool:
    """The same for one value."""
    lower = value.lower()
    return any(sign in lower for sign in _TEXT_SIGNS)
