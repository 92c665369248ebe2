"""One identifier in every spelling and encoding that it may have anywhere in a capture, beside its fake in the same.

In: an identity and its fake. Out: pairs of bytes, equally long. State: none. These are sought in everything that is not
encrypted, whatever it is: bodies, answers, other protocols, comments. (What stands in a field that leakscan found is
replaced as spelling.py says, in whatever it is wrapped.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from leakscan.detectors.meid import check_digit
from leakscan.known.spellings import SPELLERS, spellings
from leakscan.masks import country_code
from leakscan.redaction.fakes import Identity, luhn_digit
from leakscan.redaction.needles import Tail

MIN_CHARS = 7  # a shorter one may be a word, or a count
MIN_NATIONAL = 9
HASHES = ("md5", "sha1", "sha256", "sha512")
#: Kinds that are digits and nothing else.
NUMBERS = frozenset({"msisdn", "imsi", "imei", "iccid"})


class Form(NamedTuple):
    old: bytes
    new: bytes
    whole: bool = False
    tail: Tail | None = None


def forms(identity: Identity, fake: str) -> Iterator[Form]:
    """All of them, the more telling first."""
    if identity.kind == "private_ip":
        yield Form(identity.normal.encode("latin-1", "replace"), fake.encode(), whole=True)
        return
    for old, new in _spellings(identity, fake):
        if len(old) < MIN_CHARS or not any(char.isdigit() or char == "@" for char in old):
            continue
        data, other = old.encode("latin-1", "replace"), new.encode("latin-1", "replace")
        yield Form(data, other)
        yield from _text_forms(data, other)
        if identity.kind in NUMBERS and old.isdigit():
            yield from _digit_forms(old, new)
    if identity.kind == "mac" and len(identity.normal) == 12:
        yield Form(bytes.fromhex(identity.normal), bytes.fromhex(fake))
    yield from _hashed(identity, fake)


def _spellings(identity: Identity, fake: str) -> Iterator[tuple[str, str]]:
    kind, normal = identity
    if kind == "imei" and normal.isdigit():
        yield normal + str(luhn_digit(normal)), fake + str(luhn_digit(fake))
    if kind == "iccid" and normal.isdigit() and len(normal) < 20:
        yield normal + str(luhn_digit(normal)), fake + str(luhn_digit(fake))
    if kind == "meid_esn" and len(normal) == 14:
        yield normal + check_digit(normal), fake + check_digit(fake)
    yield normal, fake
    code = len(country_code(normal)) if kind == "msisdn" and normal.isdigit() else 0
    if code and len(normal) - code >= MIN_NATIONAL:
        yield normal[code:], fake[code:]
    if kind == "mac" and len(normal) == 12:
        for mark in ":-":
            yield mark.join(_pairs(normal)), mark.join(_pairs(fake))
    for old, new in ((normal, fake), *([("-".join(_pairs(normal)), "-".join(_pairs(fake)))] if kind == "mac" else [])):
        if old.upper() != old:
            yield old.upper(), new.upper()
        if old.lower() != old:
            yield old.lower(), new.lower()


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def _text_forms(old: bytes, new: bytes) -> Iterator[Form]:
    """Any text in hexadecimal, percent-encoded in part or through and through, in base64, in UTF-16, backwards."""
    yield Form(old.hex().encode(), new.hex().encode())
    if old.hex().upper() != old.hex():
        yield Form(old.hex().upper().encode(), new.hex().upper().encode())
    for style in (b"%%%02X", b"%%%02x"):
        for every in (True, False):
            made = Form(_percent(old, style, every), _percent(new, style, every))
            if len(made.old) == len(made.new):
                yield made
    yield Form(b"\0".join(_each(old)), b"\0".join(_each(new)))  # UTF-16 of either order
    yield Form(old[::-1], new[::-1])
    for before in range(3):
        yield from _base64(old, new, before)


def _percent(data: bytes, style: bytes, every: bool) -> bytes:
    """Every character, or those that a URL cannot have in a value."""
    return b"".join(
        style % char[0] if every or not (char.isalnum() or char in b"-._~") else char for char in _each(data)
    )


def _each(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def _base64(old: bytes, new: bytes, before: int) -> Iterator[Form]:
    """The characters that hold bits of the value alone, `before` other bytes into a group; and those of the last one,
    which it shares with the byte behind it."""
    first = -(-8 * before // 6)  # characters that hold bits of the bytes before
    lead = 6 * first - 8 * before  # bits of the value in the last of those
    pairs = []
    for data in (old, new):
        bits = int.from_bytes(data)
        size = 8 * len(data)
        whole, rest = divmod(size - lead, 6)
        chars = bytes(_SEXTETS[bits >> size - lead - 6 * (n + 1) & 63] for n in range(whole))
        pairs.append((bits >> size - lead if lead else 0, chars, bits & (1 << rest) - 1 if rest else 0, rest))
    (lead_old, chars_old, last_old, rest), (lead_new, chars_new, last_new, _) = pairs
    if lead_old != lead_new:
        return  # a fake whose first bits differ: no digit's do
    yield Form(chars_old, chars_new, tail=Tail(rest, last_old, last_new) if rest else None)


_SEXTETS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _digit_forms(old: str, new: str) -> Iterator[Form]:
    """Digits swapped in pairs (TBCD, TS 29.002 section 17.7.8), as text and as octets, as signalling has them."""
    filled = [text + "f" * (len(text) % 2) for text in (old, new)]
    swapped = ["".join(pair[::-1] for pair in _pairs(text)) for text in filled]
    yield Form(swapped[0].encode(), swapped[1].encode())
    if len(old) % 2:
        yield Form(swapped[0].upper().encode(), swapped[1].upper().encode())
    yield Form(bytes.fromhex(swapped[0]), bytes.fromhex(swapped[1]))


def digests(identity: Identity, fake: str) -> Iterator[tuple[str, str]]:
    """Plain hashes of every spelling, in hex: they are as good as the number, for they are found by trying them all."""
    if identity.kind not in SPELLERS or len(identity.normal) < MIN_CHARS:
        return
    old, new = (spellings(identity.kind, text, text).hashed for text in (identity.normal, fake))
    for one, other in zip(old, new, strict=True) if len(old) == len(new) else ():
        for name in HASHES:
            yield _digest(name, one.text), _digest(name, other.text)


def _digest(name: str, text: str) -> str:
    return hashlib.new(name, text.encode()).hexdigest()


def _hashed(identity: Identity, fake: str) -> Iterator[Form]:
    for old, new in digests(identity, fake):
        yield Form(old.encode(), new.encode())
        yield Form(old.upper().encode(), new.upper().encode())
