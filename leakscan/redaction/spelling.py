"""One field's text with other values in it: the same length, the same encodings, the same everything else.

In: the text of a field as on the wire, the matches in it, and what each value becomes. Out: the new text, or None when
it cannot be done at the same length. State: none. The encodings of a match are undone one by one, as encodings.py
does, down to the text that holds the value; there it is replaced, and on the way back every encoding is put on again.
Whatever comes out is decoded once more and must be what was meant.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping

from leakscan.detectors.encodings import DECODERS, GUESSES, INTERNATIONAL, OCTETS, trim
from leakscan.redaction.fakes import cased
from leakscan.redaction.makers import scrambled_like

#: What may be a value of its own inside another text.
_TOKEN = re.compile(r"[^\s,;&|\"'<>(){}\[\]]+")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|(.)", re.DOTALL)
_JSON_UNIT = re.compile(r"\\u([0-9A-Fa-f]{4})|\\.|.", re.DOTALL)
MIN_BARE_CHARS = 4  # a shorter value is replaced where it stands alone, not inside a word
_BETWEEN = r"[^0-9A-Za-z]{0,3}"


def rewritten(text: str, value: str, fake: str, chain: tuple[str, ...]) -> str | None:
    """`text` with `fake` for `value`, which stands in it behind the encodings of `chain`, outermost first.

    A text in which the value cannot be seen (it was worked out from it) is replaced as a whole. None when it cannot be
    done.
    """
    if len(value) != len(fake):
        return None
    made = _undone(text, value, fake, chain)
    if made is None and not chain:
        made = scrambled_like(text, fake)
    return made


def _undone(text: str, value: str, fake: str, chain: tuple[str, ...]) -> str | None:
    """The same where the value can be seen; else None."""
    if not chain:
        return substituted(text, value, fake)
    for start, end in _pieces(text):
        piece = text[start:end]
        for decode in _decoders(chain[0]):
            plain = decode(piece)
            inner = None if plain is None else _undone(plain, value, fake, chain[1:])
            for made in ENCODERS[chain[0]](piece, inner) if inner is not None else ():
                if len(made) == len(piece) and decode(made) == inner:
                    return text[:start] + made + text[end:]
    return _undone(text, value, fake, chain[1:]) if chain[0] in MEMBERS else None


#: What is also said of a value that is one of several in a text, and stands there as it is.
MEMBERS = frozenset({"json"})


def substituted(text: str, value: str, fake: str) -> str | None:
    """`text` with `fake` for every `value` in it, also where separators stand between its characters; None where there
    is none."""
    between = _BETWEEN if len(value) >= MIN_BARE_CHARS else ""
    pattern = between.join(_class(char) for char in value)
    if len(value) < MIN_BARE_CHARS:
        pattern = rf"(?<![0-9A-Za-z]){pattern}(?![0-9A-Za-z])"
    made, count = re.subn(pattern, lambda found: _laid(found[0], value, fake), text, flags=re.IGNORECASE)
    return made if count else None


def _class(char: str) -> str:
    """What may stand for a character of a value: `*` is what hides a digit (verdict.masked)."""
    return "[*x#.\u2022\u00b7?]" if char == "*" else re.escape(char)


def _laid(found: str, value: str, fake: str) -> str:
    """The fake's characters in place of the value's, in their cases where those differ; what is between them stays."""
    places: list[int] = []
    for at, char in enumerate(found):
        if len(places) < len(value) and (char.lower() == value[len(places)].lower() or value[len(places)] == "*"):
            places.append(at)
    as_it_is = all(found[at] == char for at, char in zip(places, value, strict=False))
    out = list(found)
    for at, char in zip(places, fake, strict=False):
        out[at] = char if as_it_is else cased(char, found[at], found)
    return "".join(out)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Parts of a text that an encoding may be around: all of it, what is left when it is trimmed, the words in it."""
    yield 0, len(text)
    inner = trim(text)
    if inner and inner != text:
        start = text.index(inner)
        yield start, start + len(inner)
    for found in _TOKEN.finditer(text):
        yield found.span()
        name, mark, _ = found[0].partition("=")
        if mark:
            yield found.start() + len(name) + 1, found.end()


def _decoders(name: str) -> list[Callable[[str], str | None]]:
    names = ALIASES.get(name, (name,))
    return [decode for known, decode in (*DECODERS, *GUESSES) if known in names]


#: What known values call base64 may have either alphabet.
ALIASES: Mapping[str, tuple[str, ...]] = {"base64": ("base64", "base64url")}


# -- encoders: the encoded text as it was, what is to be in it -> what the new encoded text may be
# ----------------------


def _percent(raw: str, plain: str) -> Iterator[str]:
    """Every character in the style it had."""
    units = list(_ESCAPE.finditer(raw))
    if len(units) == len(plain):
        yield "".join(
            char if unit[1] is None else "%" + _as(unit[1], f"{ord(char):02x}")
            for unit, char in zip(units, plain, strict=True)
        )


def _base64(raw: str, plain: str) -> Iterator[str]:
    try:
        data = plain.encode("latin-1")
    except UnicodeEncodeError:
        return
    padding = raw[len(raw.rstrip("=")) :]
    for octets in (data, *_packed(plain)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(octets).decode().rstrip("=") + padding


def _packed(plain: str) -> Iterator[bytes]:
    """The octets of hex digits."""
    with contextlib.suppress(ValueError):
        yield binascii.unhexlify(plain.removeprefix(OCTETS).encode("ascii"))


def _jwt(raw: str, plain: str) -> Iterator[str]:
    """The payload; its signature is another's now, and would tell whether one has guessed what was signed."""
    head, _, rest = raw.partition(".")
    body, dot, signature = rest.partition(".")
    for made in _base64(body, plain):
        yield f"{head}.{made}{dot}{scrambled_like(signature, plain)}"


def _hex(raw: str, plain: str) -> Iterator[str]:
    """Between the same separators, behind the same 0x."""
    digits = binascii.hexlify(plain.encode("latin-1", "replace")).decode()
    pattern = re.compile(r"(?i)(0x(?=(?:[0-9a-f]{2})+\Z)|\\x|[: -])|[0-9a-f]{2}")
    units = list(pattern.finditer(raw))
    if sum(unit[1] is None for unit in units) == len(plain):
        pairs = iter(re.findall("..", digits))
        yield "".join(unit[0] if unit[1] is not None else _as(unit[0], next(pairs)) for unit in units)


def _as(old: str, new: str) -> str:
    """Hex digits in the case that the old ones had."""
    return new.upper() if old.upper() == old else new


def _tbcd(raw: str, plain: str) -> Iterator[str]:
    """With the filler that it had, and what stood before the number."""
    fill = next((char for char in raw if char in "fF"), "F")
    filled = plain + fill * (len(plain) % 2)
    made = "".join(filled[at + 1] + filled[at] for at in range(0, len(filled), 2))
    for before in ("", INTERNATIONAL, OCTETS, OCTETS + INTERNATIONAL):
        yield before + made + fill * (len(raw) - len(before) - len(made))


def _json(raw: str, plain: str) -> Iterator[str]:
    """Escapes of a JSON string, RFC 8259 section 7, where they were."""
    units = list(_JSON_UNIT.finditer(raw))
    if len(units) == len(plain):
        yield "".join(
            "\\u" + _as(unit[1], f"{ord(char):04x}") if unit[1] else unit[0] if len(unit[0]) > 1 else char
            for unit, char in zip(units, plain, strict=True)
        )


def _reversed(raw: str, plain: str) -> Iterator[str]:
    yield plain[::-1]


ENCODERS: Mapping[str, Callable[[str, str], Iterator[str]]] = {
    "percent": _percent,
    "base64": _base64,
    "base64url": _base64,
    "jwt": _jwt,
    "hex": _hex,
    "tbcd": _tbcd,
    "json": _json,
    "reversed": _reversed,
}
