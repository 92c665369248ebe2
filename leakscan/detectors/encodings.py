"""One value -> its readings: as it stands, then with the encodings undone that it may wear, outermost first.

Percent-encoding (nested), base64 and base64url, hex of ASCII text, and nibble-swapped decimal digits (TBCD, 3GPP
TS 29.002 section 17.7.8). A decoding counts only when it gives text; white space, quotes and brackets around a reading
are trimmed and are no encoding. `DECODERS` is the table.

No state. Bounds: `MAX_DEPTH` encodings inside each other, `MAX_DECODES` attempts and `MAX_DECODED_CHARS` for one value.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

MAX_DEPTH = 3
MAX_DECODES = 64
MAX_DECODED_CHARS = 4096

#: What is trimmed from the ends of every reading.
TRIMMED = " \t\r\n\"'"
_BRACKETS = {"<": ">", "(": ")", "[": "]"}

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{8,}={0,2}")
_HEX_TEXT = re.compile(r"(?:[0-9a-fA-F]{2}){6,}")
_TBCD = re.compile(r"[0-9]{5,}[fF][0-9]")
_ICCID_ON_CARD = re.compile(r"98[0-9]{18}")
_TEXT = re.compile(r"[\t\n\r\0 -~]+")

Reading = tuple[str, tuple[str, ...]]


def readings(value: str) -> Iterator[Reading]:
    """`(text, chain)`, the plain one first, breadth first; the chain names the encodings undone, outermost first."""
    level: list[Reading] = [(trim(value), ())]
    seen = {level[0][0]}
    decodes = 0
    chars = 0
    while level:
        yield from level
        deeper: list[Reading] = []
        for text, chain in level:
            if len(chain) == MAX_DEPTH:
                continue
            for name, decode in DECODERS.items():
                decodes += 1
                if decodes > MAX_DECODES:
                    return
                plain = decode(text)
                if plain is None or (plain := trim(plain)) in seen:
                    continue
                chars += len(plain)
                if chars > MAX_DECODED_CHARS:
                    return
                seen.add(plain)
                deeper.append((plain, (*chain, name)))
        level = deeper


def trim(text: str) -> str:
    """Without white space, quotes and one pair of brackets around it."""
    text = text.strip(TRIMMED)
    if len(text) > 2 and _BRACKETS.get(text[0]) == text[-1]:
        text = text[1:-1].strip(TRIMMED)
    return text


def _percent(text: str) -> str | None:
    return unquote(text, encoding="latin-1") if "%" in text else None


def _base64(text: str) -> str | None:
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or not _BASE64.fullmatch(text):
        return None
    return _text(base64.b64decode(bare + "=" * (-len(bare) % 4)))


def _base64url(text: str) -> str | None:
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or ("-" not in text and "_" not in text) or not _BASE64URL.fullmatch(text):
        return None
    return _text(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))


def _hex_text(text: str) -> str | None:
    return _text(binascii.unhexlify(text)) if _HEX_TEXT.fullmatch(text) else None


def _tbcd(text: str) -> str | None:
    """Digits swapped in pairs. Demands the filler F, because swapped digits without one are plain digits, too; an ICCID
    has an even number of digits and no filler, but begins with 89."""
    if len(text) % 2 or not (_TBCD.fullmatch(text) or _ICCID_ON_CARD.fullmatch(text)):
        return None
    return "".join(text[at + 1] + text[at] for at in range(0, len(text), 2)).rstrip("fF")


def _text(data: bytes) -> str | None:
    text = data.decode("latin-1")
    return text if _TEXT.fullmatch(text) else None


DECODERS: Mapping[str, Callable[[str], str | None]] = {
    "percent": _percent,
    "base64": _base64,
    "base64url": _base64url,
    "hex": _hex_text,
    "tbcd": _tbcd,
}
