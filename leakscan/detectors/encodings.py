"""One value -> its readings: as it stands, then with the encodings undone that it may wear, outermost first.

Percent-encoding (nested), base64 and base64url with and without padding, hex of text, the payload of a JWT (RFC 7519),
escapes of a JSON string, and digits swapped in pairs (TBCD, 3GPP TS 29.002 section 17.7.8), also behind the octet that
says "international" (0x91). A decoding counts only when it gives text, or octets of decimal digits (BCD), in
hex; white space, quotes and brackets around a reading are trimmed and are no encoding. `DECODERS` is the table.

Two more undo what cannot be told from plain digits by looking at it: text backwards, and swapped digits without a
filler. They are `GUESSES`: tried last, and only for who asks.

No state. Bounds: `MAX_DEPTH` encodings inside each other, percent-encoding around all of them not counted, which is
how parameters and cookies are written; an `Effort` of `MAX_DECODES` attempts and `MAX_DECODED_CHARS`
for all that is tried on one field.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from leakscan.nested import unescaped

MAX_DEPTH = 3
MAX_DECODES = 256
MAX_DECODED_CHARS = 16_384
#: Nothing shorter holds an identifier, whatever is undone.
MIN_CHARS = 7

#: What is trimmed from the ends of every reading.
TRIMMED = " \t\r\n\"'"
_BRACKETS = {"<": ">", "(": ")", "[": "]"}
_BRACED = re.compile(r"\{[0-9+ ().-]{7,}\}")  # with anything else it is JSON, or a template

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{8,}={0,2}")
_HEX_TEXT = re.compile(r"(?:0[xX])?(?:[0-9a-fA-F]{2}){6,}")
_HEX_APART = re.compile(r"(?:\\x)?[0-9a-fA-F]{2}(?:(?:[: -]|\\x)[0-9a-fA-F]{2}){5,}")
_HEX_BETWEEN = re.compile(r"\\x|[: -]")
_JWT = re.compile(r"(?:[Bb]earer )?ey[A-Za-z0-9_-]{6,}\.(ey[A-Za-z0-9_-]{6,})(?:\.[A-Za-z0-9_-]*)?")
_TBCD = re.compile(r"[0-9]{8,}[fF][0-9](?:[fF]{2}){0,8}")
_ICCID_ON_CARD = re.compile(r"98[0-9]{18}")
_SWAPPABLE = re.compile(r"(?:[0-9]{2}){5,}")
#: Digits, base64, hex, a URI: no list of values, of which the last would come first.
_REVERSIBLE = re.compile(r"={0,2}[A-Za-z0-9+/_.:@%-]{7,}")
_TEXT = re.compile(r"[\t\n\r\0 -~]+")
#: Text with letters that ASCII does not have: believed where the first character says JSON.
_JSON_TEXT = re.compile(rb"[{\[][\t\n\r -\xff]*")
#: What packed digits are in hex: with a filler, or as many as few octets have by chance.
_PACKED_FILLED, _PACKED = re.compile(r"[0-9]{10,18}f[0-9]"), re.compile(r"[0-9]{10,20}")
MAX_PACKED = 10
OCTETS = "0x"  # before hex digits that were octets and no text
INTERNATIONAL = "91"  # type of number and numbering plan, TS 29.002 section 17.7.8: international, E.164

Reading = tuple[str, tuple[str, ...]]
Decoder = tuple[str, Callable[[str], str | None]]


class Effort:
    """What may still be spent on one field."""

    __slots__ = ("chars", "decodes")

    def __init__(self) -> None:
        self.decodes = MAX_DECODES
        self.chars = MAX_DECODED_CHARS

    def attempt(self) -> bool:
        self.decodes -= 1
        return self.decodes >= 0

    def take(self, text: str) -> bool:
        self.chars -= len(text)
        return self.chars >= 0


def readings(value: str, effort: Effort | None = None, depth: int = MAX_DEPTH) -> Iterator[Reading]:
    """`(text, chain)`, the plain one first, breadth first; the chain names the encodings undone, outermost first."""
    first = trim(value)
    yield first, ()
    yield from _undone([(first, ())], DECODERS, {first}, Effort() if effort is None else effort, depth)


def guesses(sure: Iterable[Reading], effort: Effort, depth: int = MAX_DEPTH) -> Iterator[Reading]:
    """The readings with at least one of `GUESSES` undone, given those without."""
    sure = list(sure)
    seen = {text for text, _ in sure}
    level = [(text, chain) for text, chain in sure if deep(chain) < depth]
    guessed = list(_undone(level, GUESSES, seen, effort, depth, levels=1))
    yield from guessed
    yield from _undone(guessed, (*DECODERS, *GUESSES), seen, effort, depth)


def deep(chain: tuple[str, ...]) -> int:
    """How many encodings are inside each other."""
    return len(chain) - (chain[:1] == ("percent",))


def _undone(
    level: list[Reading],
    decoders: Iterable[Decoder],
    seen: set[str],
    effort: Effort,
    depth: int,
    levels: int = MAX_DEPTH + 1,
) -> Iterator[Reading]:
    """What is behind the readings of one level, and behind that, as long as there is effort left."""
    while level and levels:
        levels -= 1
        deeper: list[Reading] = []
        for text, chain in level:
            if deep(chain) >= depth or len(text) < MIN_CHARS:
                continue
            for name, decode in decoders:
                if not effort.attempt():
                    return
                plain = decode(text)
                if plain is None or (plain := trim(plain)) in seen:
                    continue
                if not effort.take(plain):
                    return
                seen.add(plain)
                deeper.append((plain, (*chain, name)))
                yield deeper[-1]
        level = deeper


def encoded(text: str) -> bool:
    """Whether something can be undone."""
    return any(decode(text) is not None for _, decode in DECODERS)


def trim(text: str) -> str:
    """Without white space, quotes (escaped ones, too) and one pair of brackets around it."""
    text = text.strip(TRIMMED)
    if text[:2] == '\\"':
        text = text[2:].rstrip(TRIMMED + "\\")
    if _BRACED.fullmatch(text):
        return text[1:-1].strip()
    if len(text) > 2 and _BRACKETS.get(text[0]) == text[-1]:
        inner = text[1:-1].strip(TRIMMED)
        stays = "<" in inner if text[0] == "<" else text[0] == "[" and ("," in inner or inner.startswith("{"))
        if not stays:  # XML, and an array of JSON
            text = inner
    return text


def _percent(text: str) -> str | None:
    return unquote(text, encoding="latin-1") if "%" in text else None


def _base64(text: str) -> str | None:
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or not _BASE64.fullmatch(text):
        return None
    return _text_or_digits(base64.b64decode(bare + "=" * (-len(bare) % 4)))


def _base64url(text: str) -> str | None:
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or ("-" not in text and "_" not in text) or not _BASE64URL.fullmatch(text):
        return None
    return _text_or_digits(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))


def _jwt(text: str) -> str | None:
    """The payload. The header is known, and the signature is nobody's identifier."""
    found = _JWT.fullmatch(text)
    return None if found is None else _text(base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)))


def _hex_text(text: str) -> str | None:
    if _HEX_APART.fullmatch(text):
        text = _HEX_BETWEEN.sub("", text)
    elif not _HEX_TEXT.fullmatch(text):
        return None
    elif text[1] in "xX":
        text = text[2:]
    return _text(binascii.unhexlify(text))


def _tbcd(text: str) -> str | None:
    """Demands the filler F, because swapped digits without one are plain digits, too; an ICCID has an even number of
    digits and no filler, but begins with 89."""
    if len(text) % 2 or not (_TBCD.fullmatch(text) or _ICCID_ON_CARD.fullmatch(text)):
        return None
    return swapped(text)


def _tbcd_address(text: str) -> str | None:
    """The same behind the octet of an AddressString."""
    return _tbcd(text[2:]) if text.startswith(INTERNATIONAL) else None


def _tbcd_unfilled(text: str) -> str | None:
    text = text.removeprefix(OCTETS)
    return swapped(text) if _SWAPPABLE.fullmatch(text) else None


def _tbcd_unfilled_address(text: str) -> str | None:
    text = text.removeprefix(OCTETS)
    return _tbcd_unfilled(text[2:]) if text.startswith(INTERNATIONAL) else None


def _reversed(text: str) -> str | None:
    return text[::-1] if _REVERSIBLE.fullmatch(text) else None


def swapped(text: str) -> str:
    """Hex digits swapped in pairs, fillers at the end removed."""
    return "".join(text[at + 1] + text[at] for at in range(0, len(text), 2)).rstrip("fF")


def _text(data: bytes) -> str | None:
    text = data.decode("latin-1")
    if _TEXT.fullmatch(text):
        return text
    return data.decode("utf-8", "replace") if _JSON_TEXT.fullmatch(data) else None


def _text_or_digits(data: bytes) -> str | None:
    """Text, or the hex digits of packed ones, which `_tbcd` swaps; those without a filler only a guess does."""
    text = _text(data)
    if text is not None or len(data) > MAX_PACKED:
        return text
    digits = data.hex()
    return digits if _PACKED_FILLED.fullmatch(digits) else OCTETS + digits if _PACKED.fullmatch(digits) else None


#: Each tells by the form of a text that it applies.
DECODERS: tuple[Decoder, ...] = (
    ("percent", _percent),
    ("base64", _base64),
    ("base64url", _base64url),
    ("jwt", _jwt),
    ("hex", _hex_text),
    ("tbcd", _tbcd),
    ("tbcd", _tbcd_address),
    ("json", unescaped),
)
#: What may be done to any digits, or any text.
GUESSES: tuple[Decoder, ...] = (
    ("tbcd", _tbcd_unfilled),
    ("tbcd", _tbcd_unfilled_address),
    ("reversed", _reversed),
)
