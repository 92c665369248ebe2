"""MSISDN: the subscriber's phone number.

What: the number in international form, at most 15 digits, country code first, no prefix (ITU-T E.164; 3GPP TS 23.003
section 3.3). Gateways write it as digits, sometimes with `+`, `00`, `tel:` or `sip:`, sometimes with an address, a type
or a time behind it, in hex, in base64, hashed or encrypted.

Why it matters: it names the person, for years, across every site, and it can be called.

What counts: under a known name, digits that fit the number plan of their country code (its assigned lengths; ranges
kept for fiction and tests fit, too). A number that fits no plan, a national number, a digest or unreadable bytes count
as probable. Under a name that only sounds like one, the number must lie in a range of mobile phones, or one kept for
fiction, unless the name says MSISDN.

What does not: digits under other names, however much they look like a number: every fifth string of 11 random digits
is a "valid" number, every twelfth a mobile one; those are hints. Placeholders such as `unknown`, `${msisdn}` or a row
of nines. National numbers, unless the name's rule says so; a value is never read with a default country.

Example: `x-up-calling-line-id: 447700900123`

Sources: ITU-T E.164; 3GPP TS 23.003; Google's libphonenumber for the number plans; Ofcom and Arcep for the ranges that
are kept for fiction.
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
MAX_PIECES = 16
#: Seconds or milliseconds behind a number (Nokia msisdn-ts) between 2001 and 2033, or a date and time of day.
_STAMP = re.compile(r"1\d{9}(?:\d{3})?|20\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d[0-5]\d", re.ASCII)
_STAMP_DIGITS = (10, 13, 14)
_SEPARATORS = re.compile(r"[ .()/\t\u00a0-]+")
#: Some gateways put the address where others put the number.
_QUAD = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?", re.ASCII)
#: RFC 3966, RFC 3261, RFC 5724; GPSI of TS 29.571.
_URI = re.compile(r"(?:tel|sips?|smsto|sms|callto):(?://)?|msisdn[:-]", re.IGNORECASE)
#: `"Name" <sip:+447700900123@carrier.example>;tag=1`, RFC 3261 section 25.1.
_NAME_ADDRESS = re.compile(r"<((?:tel|sips?):[^<>]*)>", re.IGNORECASE)
_LABEL = re.compile(r"[a-z_-]{0,24}(?:msisdn|mdn|cli|number|phone|mobile)[a-z_-]{0,8}\s?[=:]\s*", re.IGNORECASE)
_PIECES = re.compile(r"[,;|\r\n]+")
#: What ends a number, but may stand in a cipher: the type of a multimedia address (OMA MMS), a time, an address.
_NUMBER_FIRST = re.compile(
    r"([+(]?[0-9][0-9 ().-]{5,}?)"
    r"(?:[_:@&=~^].*|/[A-Za-z].*|/[0-9]{1,2}|[-. ]1[0-9]{9}(?:[0-9]{3})?|\s{1,4}[0-9]{1,3}(?:\.[0-9]{1,3}){3})",
    re.DOTALL,
)
_VERSION = re.compile(r"[1-9][0-9]*\.[0-9]")
#: Punctuation at the end that no form of a masked number has.
_LAST = " \t.:#&"


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
    """A number under a name that may hold anything: of a range of mobile phones, or of one kept for fiction. With dots
    between its digits, and no mark of an international number before them, it is a version."""
    if _VERSION.match(value.strip()):
        return REJECTED
    verdict = check(value, signature)
    return verdict if verdict.grade == VALID and is_sure(verdict) else REJECTED


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


def mdn(value: str, signature: Signature) -> Verdict:
    """Ten digits of North America's plan, under a name of CDMA networks: plausible, for nothing says the country."""
    if len(value) != NATIONAL_DIGITS or not digits_only(value) or is_dummy(value):
        return REJECTED
    country, normal, words = _number_plan(NORTH_AMERICA + value)
    known = country == NORTH_AMERICA and {MOBILE, FICTION} & set(words)
    return Verdict(PLAUSIBLE, value, normal, ("national number",)) if known else REJECTED


def check_without_code(value: str, signature: Signature) -> Verdict:
    """A number of any country without its code, under a name that says so (Nokia msisdn-without-cc)."""
    text = _unwrap(value)[0]
    if is_dummy(text):
        return IS_PLACEHOLDER
    digits = _SEPARATORS.sub("", text)
    if not digits_only(digits) or not MIN_DIGITS - 1 <= len(digits) <= MAX_DIGITS - 1:
        return check(value, signature)
    return Verdict(VALID, digits, digits.lstrip("0"), ("national number",))


def is_sure(verdict: Verdict) -> bool:
    """Whether phones use the range: of random 12 digits 3 % lie in one, while half have a length that some plan has."""
    return not {MOBILE, FICTION}.isdisjoint(verdict.evidence)


def is_doubtful(verdict: Verdict) -> bool:
    """Whether the plan has such numbers, but not in a range in use."""
    return ASSIGNED not in verdict.evidence and not is_sure(verdict)


def is_national(text: str) -> bool:
    """Whether it is what people dial within a country: digits behind one 0. Backwards it may look like another."""
    return len(text) <= MAX_NATIONAL and digits_only(text) and text[:1] == "0" != text[1:2]


def _unwrap(value: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Value without URI and without what gateways put around it: (text, evidence, home PLMNs)."""
    evidence: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    text = value.strip().rstrip(_LAST)
    if found := _NAME_ADDRESS.search(text):
        text = found[1]
    elif found := _LABEL.match(text):
        text = text[found.end() :]
    uri = _URI.match(text)
    if uri:
        text, evidence = text[uri.end() :], (uri[0].lower() + " URI",)
    user, mark, realm = text.partition("@")
    if mark and (uri or _international(user)):
        text, home = user, imsi.realm_plmns(realm)
    pieces = [piece for raw in _PIECES.split(text, MAX_PIECES) if (piece := raw.strip(" \t\"'"))]
    if len(pieces) > 1:
        numbers = [piece for piece in pieces if _is_number(piece)]
        where = "followed by" if not numbers or numbers[0] is pieces[0] else "behind"
        text, evidence = (numbers or pieces)[0], (*evidence, f"{where} another value")
    elif pieces:
        text = pieces[0]
    if number := _number_first(text):
        text, evidence = number, (*evidence, "followed by another value")
    return text, evidence, home


def _number_first(text: str) -> str:
    """The number that something follows, or ""."""
    found = _NUMBER_FIRST.fullmatch(text)
    return found[1] if found and sum("0" <= c <= "9" for c in found[1]) >= MIN_DIGITS else ""


def _is_number(text: str) -> bool:
    digits = _international(_number_first(text) or text)
    return MIN_DIGITS <= len(digits) <= MAX_DIGITS and not _QUAD.fullmatch(text)


def _without_stamp(digits: str) -> str:
    """The number before a time, or "": where times of several forms would fit, the one that leaves a number. Digits in
    hex of ASCII are none: they are judged when that is undone."""
    if set(digits[::2]) == {"3"}:
        return ""
    cuts = [(digits[:-size], digits[-size:]) for size in _STAMP_DIGITS if len(digits) - size >= MIN_DIGITS]
    numbers = [number for number, stamp in cuts if len(number) <= MAX_DIGITS and _STAMP.fullmatch(stamp)]
    return next((number for number in numbers if _number_plan(number)[0]), numbers[0] if numbers else "")


def _international(text: str) -> str:
    """Digits from the country code on, or "" when it is no such number. The 0 in brackets is dialled in the country."""
    bare = _SEPARATORS.sub("", text.replace("(0)", "", 1))
    if bare.startswith("+"):
        bare = bare[1:]
    elif bare.startswith("00"):
        bare = bare[2:]
    bare = bare.rstrip("Ff")  # the filler of swapped digits, in a value that is none
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
    if number.country_code == 1 and normal != digits:
        return "", "", ()  # the 1 that is dialled before a number in North America is its country code already
    mobile = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    words: tuple[str, ...] = ()
    if _FICTION.fullmatch(normal):
        words = (FICTION,)
    elif phonenumbers.is_valid_number(number):
        words = (MOBILE,) if phonenumbers.number_type(number) in mobile else (ASSIGNED,)
    return str(number.country_code), normal, words


def _not_international(text: str, signature: Signature) -> Verdict:
    """Part of the number, the number in national form, or the number behind a hash or a cipher."""
    digits = _SEPARATORS.sub("", text)
    if digits_only(digits) and MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return Verdict(PLAUSIBLE, digits, evidence=("national form",))
    return masked(text) or hidden(text, signature.confidence) or REJECTED


#: Evidence: what libphonenumber says of the range, or its regulator.
MOBILE, ASSIGNED, FICTION = "mobile range", "assigned range", "range kept for fiction"
#: Numbers that regulators keep for films and examples, which most plans do not call assigned: Ofcom's for drama, 555-01
#: of North America, Arcep's for audiovisual works (06 39 98).
_FICTION = re.compile(r"44(?:7700900|1632960|2079460|8081570)\d{3}|1[2-9]\d{2}55501\d{2}|3363998\d{4}")
NATIONAL_DIGITS = 10
NORTH_AMERICA = "1"
COUNTRY_CODES: Mapping[str, str] = {"IN": "91", "MX": "52", "US": "1"}
