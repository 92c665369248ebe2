"""MSISDN: the subscriber's phone number.

What: the number in international form, at most 15 digits, country code first, no prefix (ITU-T E.164; 3GPP TS 23.003
section 3.3). Gateways write it as digits, sometimes with `+`, `00`, `tel:` or `sip:`, sometimes with an address or a
time behind it, in hex, in base64, hashed or encrypted.

Why it matters: it names the person, for years, across every site, and it can be called.

What counts: under a known name, digits that fit the number plan of their country code (its assigned lengths; ranges
kept for fiction and tests fit, too). A number that fits no plan, a digest or unreadable bytes count as probable.
Under a name that only sounds like one, the number must lie in a range of mobile phones unless the name says MSISDN.

What does not: digits under other names, however much they look like a number: every fifth string of 11 random digits
is a "valid" number. Placeholders such as `unknown`, `${msisdn}` or a row of nines. National numbers, unless the
name's rule says which country; a value is never read with a default country.

Example: `x-up-calling-line-id: 447700900123`

Sources: ITU-T E.164; 3GPP TS 23.003; Google's libphonenumber for the number plans.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from leakscan.detectors import imsi
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

MIN_DIGITS = 7  # Tokelau, country code included
MAX_DIGITS = 15  # E.164 section 6
MAX_NATIONAL = 11  # digits of a national number, with the 0 that many countries dial before it
#: Seconds or milliseconds behind a number (Nokia msisdn-ts) between 2001 and 2033, or a date and time of day.
_STAMP = re.compile(r"1\d{9}(?:\d{3})?|20\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d[0-5]\d", re.ASCII)
_STAMP_DIGITS = (10, 13, 14)
_SEPARATORS = re.compile(r"[ .()/\u00a0-]+")
#: Some gateways put the address where others put the number.
_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_APPENDED = re.compile(r"[,;|]")
#: What ends a number, but may stand in a cipher.
_NUMBER_FIRST = re.compile(r"([+(]?[0-9][0-9 ().-]{5,})[_:@&].*", re.DOTALL)
#: RFC 3966, RFC 3261, RFC 5724; GPSI of TS 29.571.
_URI = re.compile(r"(?:tel|sips?|smsto|sms|callto):(?://)?|msisdn[:-]", re.IGNORECASE)
#: Numbers that regulators keep for films and examples: no plan calls them assigned.
_FICTION = re.compile(r"44(?:7700900|1632960|2079460|8081570)\d{3}|1[2-9]\d{2}55501\d{2}")


def check(value: str, signature: Signature) -> Verdict:
    """A number in international form under a name that is known."""
    text, evidence, home = _unwrap(value)
    if is_dummy(text):
        return IS_PLACEHOLDER
    if _QUAD.fullmatch(text):
        return REJECTED
    if home and (card := imsi.of_realm(text, home)):
        return Verdict(VALID, card, evidence=(*evidence, "IMSI of its realm"), identifier="imsi", home=home)
    digits = _international(text)
    if not digits:
        return _not_international(text, signature)
    if len(digits) > MAX_DIGITS and (number := _without_stamp(digits)):
        digits, evidence = number, (*evidence, "followed by a time")
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return REJECTED
    country, normal, words = _number_plan(digits)
    if not country:
        return Verdict(PLAUSIBLE, digits, evidence=(*evidence, "fits no number plan"), home=home)
    return Verdict(VALID, digits, normal, (*evidence, f"country code {country}", *words), home=home)


def check_strict(value: str, signature: Signature) -> Verdict:
    """A number under a name that may hold anything: it must lie in a range assigned to mobile phones."""
    verdict = check(value, signature)
    return verdict if verdict.grade == VALID and MOBILE in verdict.evidence else REJECTED


def check_plus(value: str, signature: Signature) -> Verdict:
    """A number under a name that forms use (phone=), if it is written with + or 00."""
    return check(value, signature) if value.strip().startswith(("+", "00", "tel:+")) else REJECTED


def check_national(value: str, signature: Signature) -> Verdict:
    """A national number (CDMA's MDN and MIN: 10 digits) under a name whose rule says so."""
    text = _unwrap(value)[0]
    if is_dummy(text):
        return IS_PLACEHOLDER
    digits = _SEPARATORS.sub("", text)
    if len(digits) != NATIONAL_DIGITS or not digits_only(digits):
        return check(value, signature)
    code = COUNTRY_CODES.get(signature.region, "")
    return Verdict(VALID, digits, code + digits, ("national number", *((signature.region,) if code else ())))


def is_sure(verdict: Verdict) -> bool:
    """Whether phones use the range: of random 12 digits 3 % lie in one, while half have a length that some plan has."""
    return MOBILE in verdict.evidence or _FICTION.fullmatch(verdict.normal) is not None


def is_doubtful(verdict: Verdict) -> bool:
    """Whether the plan has such numbers, but not in a range in use."""
    return ASSIGNED not in verdict.evidence and not is_sure(verdict)


def is_national(text: str) -> bool:
    """Whether it is what people dial within a country: digits behind one 0. Backwards it may look like another."""
    return len(text) <= MAX_NATIONAL and digits_only(text) and text[:1] == "0" != text[1:2]


def _unwrap(value: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Value without URI and without what gateways append: (text, evidence, home PLMNs)."""
    evidence: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    text = value.strip()
    if found := _URI.match(text):
        evidence = (found[0].lower() + " URI",)
        text, _, realm = text[found.end() :].partition("@")
        home = imsi.realm_plmns(realm)
    head, *rest = _APPENDED.split(text, maxsplit=1)
    if rest and head.strip():
        text, evidence = head.strip(), (*evidence, "followed by another value")
    if found := _NUMBER_FIRST.fullmatch(text):
        text, evidence = found[1], (*evidence, "followed by another value")
    return text, evidence, home


def _without_stamp(digits: str) -> str:
    """The number before a time, or "": where times of several forms would fit, the one that leaves a number."""
    cuts = [(digits[:-size], digits[-size:]) for size in _STAMP_DIGITS if len(digits) - size >= MIN_DIGITS]
    numbers = [number for number, stamp in cuts if len(number) <= MAX_DIGITS and _STAMP.fullmatch(stamp)]
    return next((number for number in numbers if _number_plan(number)[0]), numbers[0] if numbers else "")


def _international(text: str) -> str:
    """Digits from the country code on, or "" when it is no such number."""
    bare = _SEPARATORS.sub("", text)
    if bare.startswith("+"):
        bare = bare[1:]
    elif bare.startswith("00"):
        bare = bare[2:]
    return bare if digits_only(bare) and not bare.startswith("0") else ""


@lru_cache(maxsize=4096)  # one subscriber sends many requests, and asking takes 60 us
def _number_plan(digits: str) -> tuple[str, str, tuple[str, ...]]:
    """(country code, normal form, kind of range); ("", "", ()) when the country has no number of this length."""
    import phonenumbers  # late: 15 ms, and only a finding needs it

    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return "", "", ()
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return "", "", ()  # is_possible_number also takes lengths that can be dialled within a town only
    normal = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    mobile = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    words: tuple[str, ...] = ()
    if phonenumbers.is_valid_number(number):
        words = (MOBILE,) if phonenumbers.number_type(number) in mobile else (ASSIGNED,)
    return str(number.country_code), normal, words


def _not_international(text: str, signature: Signature) -> Verdict:
    """Part of the number, the number in national form, or the number behind a hash or a cipher."""
    digits = _SEPARATORS.sub("", text)
    if digits_only(digits) and MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return Verdict(PLAUSIBLE, digits, evidence=("national form",))
    return masked(text) or hidden(text, signature.confidence) or REJECTED


#: Evidence: what libphonenumber says of the range.
MOBILE, ASSIGNED = "mobile range", "assigned range"
NATIONAL_DIGITS = 10
COUNTRY_CODES: Mapping[str, str] = {"IN": "91", "MX": "52", "US": "1"}
