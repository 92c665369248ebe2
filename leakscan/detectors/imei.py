"""IMEI and IMEISV: the identity of the device.

What: type allocation code (8 digits), serial number (6), check digit; or, with the software version in place of the
check digit, 16 digits (3GPP TS 23.003 section 6). The check digit is not sent in the network, so 14 digits, and 15
with a spare 0 at the end, are right, too. Written plainly or as `AABBBBBB-CCCCCC-EE`, or in swapped digits (TBCD).

Why it matters: it names the device for its whole life, whatever SIM card, account or advertising id is in it.

What counts: under a known name, 15 digits with a right check digit; 15 with a spare 0, 16 or 14 digits that begin with
the prefix of a body that allocates. Others of these lengths are probable when the network wrote them. Under a name
that may hold anything, the check digit and the prefix must be right.

What does not: 15 digits elsewhere: one in ten passes the check. `imei=1`, UUIDs, zeros, counting rows, placeholders.

Example: `x-up-3gpp-imeisv: 00101001-234567-03`

Sources: 3GPP TS 23.003 section 6 and annex B; GSMA TS.06 for the prefixes.
"""

from __future__ import annotations

import re

from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import (
    IS_PLACEHOLDER,
    PLAUSIBLE,
    REJECTED,
    VALID,
    Verdict,
    digits_only,
    hidden,
    is_dummy,
    masked,
)

TAC_AND_SERIAL = 14
_SEPARATORS = re.compile(r"[ ./-]")
_PREFIXED = re.compile(r"(?:urn:gsma:)?imei(?:sv)?[:=-]", re.IGNORECASE)  # RFC 7254, TS 29.571
_WITH_VERSION = re.compile(r"\d{14,15},\d{1,2}", re.ASCII)


def check(value: str, signature: Signature) -> Verdict:
    """An IMEI or IMEISV under a name that is known."""
    text = _PREFIXED.sub("", value.strip(), count=1)
    if _WITH_VERSION.fullmatch(text):
        text = text.partition(",")[0]
    if is_dummy(text):
        return IS_PLACEHOLDER
    digits = _SEPARATORS.sub("", text)
    if not digits_only(digits):
        return masked(text) or hidden(text, signature.confidence) or REJECTED
    if is_dummy(digits) or is_dummy(digits[:TAC_AND_SERIAL]):
        return IS_PLACEHOLDER
    normal = digits[:TAC_AND_SERIAL]
    if len(digits) not in FORMS:
        return REJECTED
    body = PREFIXES.get(digits[:2])
    evidence = (f"prefix of {body}",) if body else ()
    if len(digits) == 15 and luhn(digits):
        return Verdict(VALID, digits, normal, (*evidence, CHECK_DIGIT))
    if len(digits) == 15 and digits[-1] != "0":
        return Verdict(PLAUSIBLE, digits, normal, (*evidence, "wrong check digit"))
    return Verdict(VALID if body else PLAUSIBLE, digits, normal, (*evidence, FORMS[len(digits)]))


def check_strict(value: str, signature: Signature) -> Verdict:
    """An IMEI under a name that may hold anything: prefix and check digit must be right."""
    verdict = check(value, signature)
    return verdict if verdict.grade == VALID and is_sure(verdict) else REJECTED


def is_sure(verdict: Verdict) -> bool:
    """Whether prefix and check digit are right: one of 40 random numbers."""
    return CHECK_DIGIT in verdict.evidence and verdict.value[:2] in PREFIXES


def is_doubtful(verdict: Verdict) -> bool:
    """Whether nobody allocates such prefixes. Read backwards, 15 digits keep their check digit right."""
    return verdict.value[:2] not in PREFIXES


def luhn(digits: str) -> bool:
    """Check digit of ISO/IEC 7812-1 annex B, over all digits, the check digit last."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) << (place & 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


CHECK_DIGIT = "check digit"
#: Digits -> what the form is called; 15 with a right check digit aside.
FORMS = {14: "without check digit", 15: "spare 0 as check digit", 16: "IMEISV"}
#: Reporting body identifiers: who allocates, or allocated.
PREFIXES = {
    **dict.fromkeys(("00", "02", "03", "04", "05", "06", "07", "08", "09"), "test devices"),
    "01": "CTIA",
    "10": "DECT",
    "30": "Iridium",
    "33": "ART (France)",
    "35": "TUV SUD",
    "44": "BABT",
    "45": "NTA (Denmark)",
    "49": "BZT (Germany)",
    "50": "BZT ETS (Germany)",
    "51": "Cetecom",
    "52": "Cetecom",
    "53": "TUV",
    "54": "Phoenix",
    "86": "TAF (China)",
    "91": "MSAI (India)",
    "98": "BABT",
    "99": "multi-RAT administrator",
}
