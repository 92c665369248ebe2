"""ICCID and EID: the serial number of the SIM card.

What: 89, country code, issuer, account, check digit: 19 digits, or 20 when the check digit follows 19 (ITU-T E.118).
Some systems leave the check digit out or add a filler F; on the card the digits are swapped in pairs, so it begins with
98. An embedded SIM has a 32-digit EID, whose remainder by 97 is 1 (GSMA SGP.02 annex J).

Why it matters: it names the card, and with it the subscription and the network that issued it.

What counts: under a known name, 19 or 20 digits that begin with 89 and have a right check digit; an EID. Without the
check digit, probable.

What does not: long numbers under other names, of which those with a right check digit and an assigned country code are
hints; the number of the Android emulator; placeholders.

Example: `iccid=8944101234567890128` (made up)

Sources: ITU-T E.118; GSMA SGP.02 and SGP.29.
"""

from __future__ import annotations

import re

from leakscan.detectors.catalogue import Signature
from leakscan.detectors.imei import luhn
from leakscan.detectors.verdict import (
    IS_PLACEHOLDER,
    PLAUSIBLE,
    REJECTED,
    VALID,
    Verdict,
    digits_only,
    is_dummy,
)

LENGTHS = (18, 19, 20)
EID_DIGITS = 32
_SEPARATORS = re.compile(r"[ .-]")
_LABEL = re.compile(r"[a-z_-]{0,16}(?:iccid|eid|serial)[a-z_-]{0,8}\s?[=:]\s*", re.IGNORECASE)
_DOCOMO = re.compile(r"8981[0-9A-Za-z]{16}")


def check(value: str, signature: Signature) -> Verdict:
    """An ICCID or EID under a name that is known."""
    text = value.strip()
    if found := _LABEL.match(text):
        text = text[found.end() :]
    text = _SEPARATORS.sub("", text).rstrip("fF")
    if is_dummy(text):
        return IS_PLACEHOLDER
    if not digits_only(text):
        return REJECTED
    if _is_eid(text):
        return Verdict(VALID, text, evidence=("EID",))
    if len(text) not in LENGTHS or not text.startswith("89"):
        return REJECTED
    if len(text) > min(LENGTHS) and luhn(text):
        return Verdict(VALID, text, text[:-1], ("check digit",))
    return Verdict(PLAUSIBLE, text, evidence=("no check digit",))


def check_eid(value: str, signature: Signature) -> Verdict:
    """The 32 digits of an embedded SIM. Under GSMA SGP.29 they need not begin with 89."""
    text = _SEPARATORS.sub("", value.strip())
    if is_dummy(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text, evidence=("EID",)) if digits_only(text) and _is_eid(text) else REJECTED


def check_strict(value: str, signature: Signature) -> Verdict:
    """An ICCID or EID under a name that says nothing: check digit and country code must be right."""
    verdict = check(value, signature)
    certain = verdict.grade == VALID and (len(verdict.value) == EID_DIGITS or _has_country(verdict.value))
    return verdict if certain else REJECTED


def _is_eid(digits: str) -> bool:
    return len(digits) == EID_DIGITS and int(digits) % 97 == 1


def _has_country(digits: str) -> bool:
    """A country code of E.164 behind the 89, or 01, as North American issuers write theirs."""
    import phonenumbers  # late: 15 ms

    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return digits[2:4] == "01" or any(int(digits[2 : 2 + length]) in codes for length in (1, 2, 3) if digits[2] != "0")


def is_sure(verdict: Verdict) -> bool:
    """Whether the check digit is right, or that of an EID."""
    return verdict.grade == VALID


def check_docomo(value: str, signature: Signature) -> Verdict:
    """The card number in the User-Agent of a FOMA phone: 20 letters and digits, issuer 8981."""
    return Verdict(VALID, value, value.upper(), ("docomo card",)) if _DOCOMO.fullmatch(value) else REJECTED
