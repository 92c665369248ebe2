"""ICCID and EID: the serial number of the SIM card.

What: 89, country code, issuer, account, check digit: 19 digits, or 20 when the check digit follows 19 (ITU-T E.118).
Some systems leave the check digit out or add a filler F; on the card the digits are swapped in pairs, so it begins with
98. An embedded SIM has a 32-digit EID, whose remainder by 97 is 1 (GSMA SGP.02 annex J).

Why it matters: it names the card, and with it the subscription and the network that issued it.

What counts: under a known name, 19 or 20 digits that begin with 89 and have a right check digit; an EID. Without the
check digit, probable.

What does not: long numbers under other names; the number of the Android emulator; placeholders.

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
#: What the Android emulator and sample programs say.
EMULATORS = frozenset(("89014103211118510720", "8901410321111851072"))
_SEPARATORS = re.compile(r"[ -]")
_DOCOMO = re.compile(r"8981[0-9A-Za-z]{16}")


def check(value: str, signature: Signature) -> Verdict:
    """An ICCID or EID under a name that is known."""
    text = _SEPARATORS.sub("", value.strip()).rstrip("fF")
    if is_dummy(text) or text in EMULATORS:
        return IS_PLACEHOLDER
    if not digits_only(text):
        return REJECTED
    if len(text) == EID_DIGITS and int(text) % 97 == 1:
        return Verdict(VALID, text, evidence=("EID",))
    if len(text) not in LENGTHS or not text.startswith("89"):
        return REJECTED
    if len(text) > min(LENGTHS) and luhn(text):
        return Verdict(VALID, text, text[:-1], ("check digit",))
    return Verdict(PLAUSIBLE, text, evidence=("no check digit",))


def is_sure(verdict: Verdict) -> bool:
    """Whether the check digit is right, or that of an EID."""
    return verdict.grade == VALID


def check_docomo(value: str, signature: Signature) -> Verdict:
    """The card number in the User-Agent of a FOMA phone: 20 letters and digits, issuer 8981."""
    return Verdict(VALID, value, value.upper(), ("docomo card",)) if _DOCOMO.fullmatch(value) else REJECTED
