"""MEID and ESN: the identity of a CDMA device.

What: MEID: 14 hexadecimal digits of which the first two are A0 or higher, with or without a check digit, or 18 decimal
digits; ESN, its forerunner: 8 hexadecimal or 11 decimal digits (3GPP2 S.R0048, C.S0016). A MEID of decimal digits only
belongs to the numbers of the IMEI.

Why it matters: like the IMEI, it names the device for its whole life.

What counts: one of these forms under a known name.

What does not: hexadecimal digits under other names; zeros and other placeholders.

Example: `meid=A0000012345678` (made up)

Sources: 3GPP2 S.R0048 and C.S0016; GSMA TS.06.
"""

from __future__ import annotations

import re

from leakscan.detectors import imei
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import IS_PLACEHOLDER, REJECTED, VALID, Verdict, digits_only, is_dummy

_MEID = re.compile(r"((?:[A-F][0-9A-F]|99)[0-9A-F]{12})([0-9A-F]?)", re.IGNORECASE)
_ESN = re.compile(r"[0-9A-F]{8}", re.IGNORECASE)
FIRST_MEIDS = "A00000"
MULTI_RAT = "99"  # numbers that are an IMEI and a MEID
#: What 8 decimal digits may be, if no ESN: a date, year first or last.
_DATE = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d|[0-3]\d[0-3]\d(?:19|20)\d\d", re.ASCII)
_SEPARATORS = re.compile(r"[ :-]")
_LABEL = re.compile(r"(?:(?:urn:meid|[a-z_-]{0,16}(?:meid|esn)[a-z_-]{0,8})\s?[=:]\s*|0x)", re.IGNORECASE)
_JPHONE = re.compile(r"[A-Z]{3}[0-9A-Z]{1,2}[0-9]{6,7}")


def check(value: str, signature: Signature) -> Verdict:
    """A MEID or ESN, hexadecimal or decimal, under a name that is known."""
    text = value.strip()
    if found := _LABEL.match(text):
        text = text[found.end() :]
    text = _SEPARATORS.sub("", text)
    if is_dummy(text):
        return IS_PLACEHOLDER
    if (found := _MEID.fullmatch(text)) and not digits_only(text):
        if found[2] and found[2].upper() != check_digit(found[1]):
            return REJECTED
        return Verdict(VALID, text, found[1].upper(), ("MEID",))
    if digits_only(text) and len(text) == imei.TAC_AND_SERIAL and text.startswith(MULTI_RAT):
        return Verdict(VALID, text, evidence=("MEID of decimal digits",))
    if digits_only(text) and len(text) == 18:
        high, low = int(text[:10]), int(text[10:])
        if 0xA0000000 <= high <= 0xFFFFFFFF and low <= 0xFFFFFF:
            return Verdict(VALID, text, f"{high:08X}{low:06X}", ("MEID, decimal",))
    if digits_only(text) and len(text) == 11 and int(text[:3]) <= 0xFF and int(text[3:]) <= 0xFFFFFF:
        return Verdict(VALID, text, f"{int(text[:3]):02X}{int(text[3:]):06X}", ("ESN, decimal",))
    if _ESN.fullmatch(text) and not text.isalpha() and not _DATE.fullmatch(text):
        return Verdict(VALID, text, text.upper(), ("ESN",))
    return REJECTED


def check_strict(value: str, signature: Signature) -> Verdict:
    """A hexadecimal MEID under a name that may hold anything: of the range that was given out first, A00000."""
    verdict = check(value, signature)
    return verdict if verdict.grade == VALID and verdict.normal.startswith(FIRST_MEIDS) else REJECTED


def is_sure(verdict: Verdict) -> bool:
    """Whether it is of the range that was given out first; most hexadecimal digits are a MEID, read backwards, too."""
    return verdict.normal.startswith(FIRST_MEIDS)


def check_jphone(value: str, signature: Signature) -> Verdict:
    """The serial number in the User-Agent of a J-PHONE handset: SN and 11 letters and digits."""
    return Verdict(VALID, value, evidence=("J-PHONE serial number",)) if _JPHONE.fullmatch(value) else REJECTED


def check_digit(meid: str) -> str:
    """Luhn in base 16 (3GPP2 S.R0048 annex)."""
    total = 0
    for place, digit in enumerate(reversed(meid)):
        number = int(digit, 16) << (1 - (place & 1))
        total += number // 16 + number % 16
    return f"{-total % 16:X}"
