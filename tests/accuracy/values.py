"""Identifiers made at random from a seed: valid by the rules of their standards, and nobody's in particular.

Numbers come from libphonenumber's plans while the script runs (an example number of the country with its last digits
changed until it is valid again); none of them is written down anywhere. Check digits are python-stdnum's, so that the
detectors' own arithmetic is not tested with itself.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from random import Random

import phonenumbers
from stdnum import luhn

from leakscan.plmn import Plmn, _table

MOBILE = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
#: Number plans: one region each. More than 50, of every zone of E.164.
PLANS = (
    "GB", "FR", "DE", "ES", "IT", "PT", "NL", "BE", "CH", "AT", "SE", "NO", "DK", "FI", "IE", "PL",
    "CZ", "SK", "HU", "RO", "BG", "GR", "TR", "RU", "UA", "RS", "HR", "EE", "LT", "LV", "IS", "US",
    "CA", "MX", "BR", "AR", "CL", "CO", "PE", "VE", "EC", "UY", "GT", "CR", "PA", "ZA", "NG", "KE",
    "GH", "EG", "MA", "TZ", "UG", "ET", "SN", "CI", "CM", "IN", "PK", "BD", "LK", "NP", "CN", "HK",
    "TW", "JP", "KR", "SG", "MY", "TH", "VN", "PH", "ID", "AU", "NZ", "FJ", "SA", "AE", "KW", "IL",
    "JO", "IQ", "IR", "KZ",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALPHANUMERIC = LETTERS + LETTERS.upper() + "0123456789"


def digits(random: Random, count: int) -> str:
    return "".join(random.choices("0123456789", k=count))


def number(random: Random, count: int) -> str:
    """Digits of which the first is no zero."""
    return random.choice("123456789") + digits(random, count - 1)


def text(random: Random, count: int, alphabet: str = ALPHANUMERIC) -> str:
    return "".join(random.choices(alphabet, k=count))


def hexadecimal(random: Random, count: int) -> str:
    return text(random, count, "0123456789abcdef")


def octets(random: Random, count: int) -> str:
    return b64encode(random.randbytes(count)).decode()


@cache
def _example(region: str) -> str:
    found = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)[1:]


def msisdn(random: Random, region: str) -> str:
    """A mobile number of the region, digits from the country code on."""
    example = _example(region)
    while True:
        made = example[:-5] + digits(random, 5)
        parsed = phonenumbers.parse("+" + made)
        if phonenumbers.is_valid_number(parsed) and phonenumbers.number_type(parsed) in MOBILE:
            return made


def country(number_: str) -> str:
    """The country code that a number begins with."""
    return str(phonenumbers.parse("+" + number_).country_code)


def written(number_: str, form: phonenumbers.PhoneNumberFormat) -> str:
    return phonenumbers.format_number(phonenumbers.parse("+" + number_), form)


@cache
def networks() -> tuple[Plmn, ...]:
    return tuple(sorted(_table().values()))


def imsi(random: Random) -> tuple[str, Plmn]:
    network = random.choice(networks())
    head = network.mcc + network.mnc
    return head + digits(random, 15 - len(head)), network


def imei(random: Random) -> str:
    """With its check digit; bodies in proportion to what is on the market."""
    body = random.choice(["35"] * 6 + ["86"] * 3 + ["01", "99", "91"]) + digits(random, 12)
    return body + luhn.calc_check_digit(body)


def imeisv(random: Random) -> str:
    return imei(random)[:14] + f"{random.randrange(99):02}"


def iccid(random: Random, region: str, count: int) -> str:
    country = str(phonenumbers.country_code_for_region(region))
    body = "89" + ("01" if country == "1" else country)
    body += digits(random, count - 1 - len(body))
    return body + luhn.calc_check_digit(body)


def meid(random: Random) -> str:
    return f"A0000{random.randrange(16**9):09X}"
