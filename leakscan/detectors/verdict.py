"""What a check says about one value, and the words that every check shares: placeholders, masks, unreadable forms.

A check is `(value, signature) -> Verdict`. It is given one reading of a value (trimmed, decoded) under a name that the
signature knows, and judges the value only: what the finding is worth is decided by `detect`. No state.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Grades, weakest first.
NO, PLACEHOLDER, PLAUSIBLE, VALID = range(4)

# Forms: how the identifier stands in the value.
PLAIN, MASKED, HASHED, ENCRYPTED = "plain", "masked", "hashed", "encrypted"

#: Evidence of a value that was read in a way that nothing asks for.
GUESSED = "only when read backwards or swapped"

MAX_OPAQUE_CHARS = 1024
MIN_CIPHER_BYTES = 8
#: Shorter rows of equal or counting digits may be anything.
MIN_ROW_DIGITS = 6


class Verdict(NamedTuple):
    """Grade of a value and what was read from it."""

    grade: int
    value: str = ""  # the identifier without separators and prefixes (docs/formats.md)
    normal: str = ""  # what makes two spellings of it one; "" when it is `value`
    evidence: tuple[str, ...] = ()
    form: str = PLAIN
    identifier: str = ""  # set when the value tells more than the name: an IMSI in a NAI
    severity: str = ""  # set when it depends on the value: a cell or only an area
    carriers: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    rotating: bool = False


REJECTED = Verdict(NO)
IS_PLACEHOLDER = Verdict(PLACEHOLDER)

#: Seen in gateways and their scripts where no identifier was at hand.
PLACEHOLDERS = frozenset(
    {"-", "--", "...", ".", "?", "0", "00", "000", "0000", "1", "-1", "666", "19999999999", "x", "xxx"}
    | {"nan", "nil", "none", "null", "(null)", "<null>", "void", "unknown", "undefined", "anonymous", "n/a", "na"}
    | {"not_available", "not-available", "notavailable", "unavailable", "not_found", "not-found", "notfound"}
    | {"no_msisdn", "no-msisdn", "nomsisdn", "no_imsi", "noimsi", "no_imei", "noimei", "noval", "novalue", "missing"}
    | {"empty", "blank", "default", "dummy", "test", "guest", "error", "invalid", "hidden"}
    | {"true", "false", "yes", "no", "on", "off"}
    | {"msisdn", "x-msisdn", "imsi", "imei", "iccid", "meid", "mdn"}
)
#: Template text that nobody filled in: ${msisdn}, {{imei}}, <MSISDN #>, ##LINE1##, %MSISDN%, $(msisdn), [MSISDN].
_TEMPLATE = re.compile(
    r"\$\{|\$\(|\{\{|\{[a-z_]|##|^<[^>+]*[# ]?>$|^%[a-z_]+%?$|^\$[a-z_]+$|^\[[a-z _]+\]$|^@@", re.IGNORECASE
)
_COUNTING = "012345678901234567890123456789"
#: What Android's emulator says of itself, apart from zeros: number, IMSI, card, IMEI; then IMEIs that many devices have
#: at once, after a repair or as they came from the factory.
_EMULATOR = re.compile(
    r"1?555521\d{4}|31026000{9}|8901410321111851072\d?|35824005111111\d{0,2}|00499901064000\d{0,2}|35867301379589\d{0,2}",
    re.ASCII,
)
_MASKED = re.compile(r"\+?(\d{2,})([*x#.\u2022\u00b7?]{3,})(\d{0,6})", re.IGNORECASE | re.ASCII)
_DIGEST_CHARS = frozenset((32, 40, 56, 64, 96, 128))
_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_OPAQUE = re.compile(r"[!-~]+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_DIGIT, _UPPER, _LOWER = re.compile(r"[0-9]"), re.compile(r"[A-Z]"), re.compile(r"[a-z]")
_TURN = re.compile(r"(?<=[a-z])[A-Z]|(?<=[A-Z])[a-z]")
MIN_MIXED_CHARS, MIN_TURNS = 10, 3


def digits_only(text: str) -> bool:
    """ASCII digits and nothing else; `str.isdigit` also takes superscripts, which Latin-1 has."""
    return text.isascii() and text.isdigit()


def is_placeholder(text: str) -> bool:
    """No identifier at all: empty, a word for nothing, one repeated character, template text."""
    if not text or text.lower() in PLACEHOLDERS or (len(text) > 2 and len(set(text)) == 1):
        return True
    if digits_only(text):
        return len(text) >= MIN_ROW_DIGITS and len(set(text[1:])) == 1
    return _TEMPLATE.search(text) is not None


def is_dummy(text: str) -> bool:
    """What is typed instead of a number: a placeholder, digits that count up or down, the emulator's constants."""
    if is_placeholder(text) or _EMULATOR.fullmatch(text.removeprefix("+")):
        return True
    return len(text) >= MIN_ROW_DIGITS and (text in _COUNTING or text in _COUNTING[::-1])


def masked(text: str) -> Verdict | None:
    """A number of which the sender hid a part (4477******23): the disclosure of a partial number."""
    found = _MASKED.fullmatch(text)
    if found is None or len(found[1]) + len(found[3]) < 4 or len(text) > 24:
        return None
    value = found[1] + "*" * len(found[2]) + found[3]
    return Verdict(PLAUSIBLE, value, form=MASKED, severity="medium", rotating=True)


def digest(text: str) -> Verdict | None:
    """Hex digits of the length of a usual digest: the identifier, hashed."""
    if len(text) not in _DIGEST_CHARS or not _HEX.fullmatch(text) or digits_only(text):
        return None
    return Verdict(PLAUSIBLE, text, text.lower(), form=HASHED)


def cipher(text: str) -> Verdict | None:
    """Hex or base64 of bytes that are no text: the identifier, encrypted. Demands letters and digits in hex, and in
    base64 a length of whole groups, so that words do not pass."""
    if len(text) > MAX_OPAQUE_CHARS or digits_only(text):
        return None
    if _HEX.fullmatch(text) and len(text) % 2 == 0:
        size = len(text) // 2
        mixed = not text.isalpha()
    elif _BASE64.fullmatch(text):
        bare = text.rstrip("=")
        size = len(bare) * 3 // 4
        mixed = (len(text) % 4 == 0 or bare == text) and len(bare) % 4 != 1 and _looks_random(bare)
    else:
        return None
    if size < MIN_CIPHER_BYTES or not mixed:
        return None
    return Verdict(PLAUSIBLE, text, form=ENCRYPTED)


def hidden(text: str, confidence: str) -> Verdict | None:
    """The identifier hashed, under any name that says what it is, or encrypted, under a name that is known."""
    return digest(text) or (cipher(text) if confidence == "confirmed" else None)


def _looks_random(text: str) -> bool:
    """Upper case, lower case and digits, as 11 or more base64 characters nearly always have; or the cases mixed as no
    word has them."""
    return bool(_UPPER.search(text) and _LOWER.search(text) and _DIGIT.search(text)) or _is_mixed(text)


def _is_mixed(text: str) -> bool:
    return len(text) >= MIN_MIXED_CHARS and len(_TURN.findall(text)) >= MIN_TURNS


def opaque(text: str, shortest: int = 4) -> bool:
    """One printable word of some length with a digit in it: what tokens look like, and sentences do not. A long one may
    do without if upper and lower case take turns."""
    if not shortest <= len(text) <= MAX_OPAQUE_CHARS or _OPAQUE.fullmatch(text) is None or _ESCAPE.search(text):
        return False  # what has escapes is judged when they are undone
    return _DIGIT.search(text) is not None or _is_mixed(text)
