"""Disguises made for tests: every encoding that leakscan undoes, the other way round, and undone by other code than its own."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from urllib.parse import quote, unquote


def percent(text: str) -> str:
    """Every character, as nobody needs to and some gateways do."""
    return "".join(f"%{ord(char):02X}" for char in text)


def percent_lightly(text: str) -> str:
    return quote(text, safe="")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def b64_bare(text: str) -> str:
    return b64(text).rstrip("=")


def b64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def hexed(text: str) -> str:
    return text.encode().hex()


def hexed_high(text: str) -> str:
    return text.encode().hex().upper()


def hexed_apart(text: str) -> str:
    return text.encode().hex(":")


def tbcd(digits: str) -> str:
    filled = digits + "F" * (len(digits) % 2)
    return "".join(filled[at + 1] + filled[at] for at in range(0, len(filled), 2))


def tbcd_address(digits: str) -> str:
    return "91" + tbcd(digits)


def packed(digits: str) -> str:
    """The octets of swapped digits."""
    return base64.b64encode(bytes.fromhex(tbcd(digits))).decode()


def backwards(text: str) -> str:
    return text[::-1]


def quoted(text: str) -> str:
    return f'"{text}"'


def jwt(name: str, value: str) -> str:
    parts = (json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"iat": 1326153600, name: value}))
    return ".".join([*map(b64url, parts), "c2lnbmF0dXJlc2lnbmF0dXJl"])


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


#: Name in a leak's `encoding` -> what undoes it.
UNDO: dict[str, Callable[[str], str]] = {
    "percent": unquote,
    "base64": lambda text: base64.b64decode(_padded(text.rstrip("="))).decode("latin-1"),
    "base64url": lambda text: base64.urlsafe_b64decode(_padded(text.rstrip("="))).decode("latin-1"),
    "hex": lambda text: binascii.unhexlify(text.replace(":", "")).decode("latin-1"),
    "reversed": backwards,
    "tbcd": lambda text: tbcd(text).rstrip("F"),
}


def undone(text: str, chain: tuple[str, ...]) -> str:
    """`text` with a reported chain undone, quotes aside."""
    for name in chain:
        text = UNDO[name](text.strip('" '))
    return text.strip('" ')
