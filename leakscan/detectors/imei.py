"""IMEI and IMEISV: the identity of the device.

What: type allocation code (8 digits), serial number (6), check digit; or, with the software version in place of the
check digit, 16 digits (3GPP TS 23.003 section 6). The check digit is not sent in the network, so 14 digits, and 15
with a spare 0 at the end, are right, too. Written plainly or as `AABBBBBB-CCCCCC-EE`, or in swapped digits (TBCD).

Why it matters: it names the device for its whole life, whatever SIM card, account or advertising id is in it.

What counts: under a known name, 15 digits with a right check digit; 15 with a spare 0, 16 or 14 digits that begin with
the prefix of a body that allocates. Others of these lengths are probable when the network wrote them. 16 digits whose
prefix nobody has, or had long ago, are read in swapped pairs if that gives a usual one. Under a name that may hold
anything, the check digit must be right and the prefix one of those in use; `urn:gsma:imei:` with hyphens (RFC 7254)
counts under any name.

What does not: 15 digits elsewhere: one in ten passes the check, one in two hundred the prefix, too; those are hints.
`imei=1`, UUIDs, zeros, counting rows, placeholders; the few that emulators and badly repaired devices have in common.

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
    digest,
    digits_only,
    hidden,
    is_dummy,
    masked,
)

TAC_AND_SERIAL, IMEISV_DIGITS = 14, 16
_SEPARATORS = re.compile(r"[ ./-]")
_ANDROID_ID = re.compile(r"[0-9A-Fa-f]{14,16}")  # what programs send where they may not read the IMEI
_WRITTEN = re.compile(r"\d{8}-\d{6}-(?:\d\d|0)", re.ASCII)  # AABBBBBB-CCCCCC-EE, IMEISV; RFC 7254 has a spare 0
#: `urn:gsma:imei:` of RFC 7254, `imei-` of TS 29.571, and what people write.
_LABEL = re.compile(r"(?:urn:gsma:|[a-z_-]{0,16})imei(?:sv)?[a-z_ ]{0,8}[:=/-]\s*", re.IGNORECASE)
_BEHIND = re.compile(r"(?<=\d)\s*[,;|].*|(?<=\d{14})/\d\d?|(?<=\d{15})/\d\d?", re.ASCII | re.DOTALL)


def check(value: str, signature: Signature) -> Verdict:
    """An IMEI or IMEISV under a name that is known."""
    text = value.strip()
    if found := _LABEL.match(text):
        text = text[found.end() :]
    text = _BEHIND.sub("", text, count=1)
    if is_dummy(text):
        return IS_PLACEHOLDER
    digits = _SEPARATORS.sub("", text).rstrip("Ff")
    if not digits_only(digits):
        return (
            REJECTED if _ANDROID_ID.fullmatch(text) else masked(text) or hidden(text, signature.confidence) or REJECTED
        )
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
    """An IMEI under a name that may hold anything: the check digit must be right, or the form the written one, and the
    prefix one of those in use."""
    verdict = check(value, signature)
    certain = CHECK_DIGIT in verdict.evidence or _WRITTEN.fullmatch(value.strip())
    live = verdict.value[:2] in LIVE_PREFIXES and verdict.value[:3] != "000"
    return verdict if verdict.grade == VALID and certain and live else REJECTED


def check_digest(value: str, signature: Signature) -> Verdict:
    """The hash of an IMEI, under a name that says both."""
    verdict = digest(value.strip())
    return REJECTED if verdict is None else verdict._replace(grade=VALID)


def is_sure(verdict: Verdict) -> bool:
    """Whether prefix and check digit are right, one of 40 random numbers; of an IMEISV, which has none, whether most
    devices have such a prefix."""
    if len(verdict.value) == IMEISV_DIGITS:
        return verdict.value[:2] in USUAL_PREFIXES
    return CHECK_DIGIT in verdict.evidence and verdict.value[:2] in PREFIXES


def is_doubtful(verdict: Verdict) -> bool:
    """Whether nobody allocates such prefixes; without a check digit also whether nobody has for long. Read backwards,
    15 digits keep their check digit right."""
    return verdict.value[:2] not in (LIVE_PREFIXES if len(verdict.value) == IMEISV_DIGITS else PREFIXES)


def luhn(digits: str) -> bool:
    """Check digit of ISO/IEC 7812-1 annex B, over all digits, the check digit last."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) << (place & 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


CHECK_DIGIT = "check digit"
#: Devices of the last twenty years, and those of tests (TACs 00100000 and up; zeros are how numbers are padded).
LIVE_PREFIXES = ("00", "01", "35", "86", "91", "98", "99")
USUAL_PREFIXES = ("01", "35", "86")
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
