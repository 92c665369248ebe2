"""What a phone number says of its network: the country, and to whom its range was once given.

Comes in: a match. Goes out: countries (ISO 3166), the holder of the range. Numbers can be ported, and virtual operators
have ranges of their own or their host's: so the holder is the weakest evidence there is. State: the last
`REMEMBERED` answers. phonenumbers is imported when the first number comes: 30 ms and 11 MB for the ranges.
"""

from __future__ import annotations

from functools import lru_cache

from leakscan.model import Match

REMEMBERED = 4096
#: Evidence of numbers without a country code (detectors/msisdn.py).
_NATIONAL = frozenset({"national form", "national number"})


def international(match: Match) -> str:
    """The digits of an international number that is more than a hint, else ""."""
    digits = match.normal
    if match.identifier != "msisdn" or match.confidence == "hint" or not (digits.isascii() and digits.isdigit()):
        return ""
    return "" if digits == match.value and not _NATIONAL.isdisjoint(match.evidence) else digits


@lru_cache(maxsize=REMEMBERED)
def calling_code(digits: str) -> tuple[tuple[str, ...], str]:
    """The countries of a number's country code, and that code: (("GB", "GG", ...), "44"); ((), "") without one."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE  # late: 15 ms

    for length in (1, 2, 3):  # no code is the beginning of another
        code = digits[:length]
        if code and int(code) in COUNTRY_CODE_TO_REGION_CODE:
            return COUNTRY_CODE_TO_REGION_CODE[int(code)], code
    return (), ""


@lru_cache(maxsize=REMEMBERED)
def range_holder(digits: str) -> tuple[str, str | None]:
    """The operator to whom the number's range was given, and the country; ("", None) when that is not known."""
    import phonenumbers
    from phonenumbers import carrier, carrierdata  # late: the table of ranges

    if not any(digits[:size] in carrierdata.CARRIER_DATA for size in range(1, carrierdata.CARRIER_LONGEST_PREFIX + 1)):
        return "", None  # what the library would say, too, but after three parses
    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return "", None
    name: str = carrier.name_for_number(number, "en")
    return name, phonenumbers.region_code_for_number(number) if name else None


def may_be_ported(country: str | None) -> bool:
    """Whether people of a country can take their mobile number to another operator; of an unknown one they may."""
    import phonenumbers  # late: 15 ms

    return country is None or phonenumbers.is_mobile_number_portable_region(country)
