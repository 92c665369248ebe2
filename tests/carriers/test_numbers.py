"""What a phone number says of its network. The holders of real ranges are looked up, and no number stands here."""

from __future__ import annotations

import subprocess
import sys

import phonenumbers
import pytest

from leakscan.carriers.numbers import calling_code, international, may_be_ported, range_holder
from leakscan.model import Field, Match


def match(value: str, normal: str = "", confidence: str = "confirmed", evidence: tuple[str, ...] = ()) -> Match:
    field = Field("header", "x-msisdn", value)
    return Match(
        field, "x-msisdn", "msisdn", value, normal or value, (), confidence, "critical", False, "unknown", evidence
    )


@pytest.mark.parametrize(
    ("found", "digits"),
    [
        (match("447700900123"), "447700900123"),
        (match("447700900123", confidence="hint"), ""),
        (match("2025550123", evidence=("national number",)), ""),
        (match("2025550123", "12025550123", evidence=("national number", "US")), "12025550123"),
        (match("07700900123", evidence=("national form",)), ""),
        (match("4477******23"), ""),
    ],
)
def test_international(found: Match, digits: str) -> None:
    assert international(found) == digits


@pytest.mark.parametrize(
    ("digits", "code", "first"),
    [("447700900123", "44", "GB"), ("12025550123", "1", "US"), ("0", "", ""), ("", "", ""), ("999", "", "")],
)
def test_calling_code(digits: str, code: str, first: str) -> None:
    regions, found = calling_code(digits)
    assert found == code
    assert regions[:1] == ((first,) if first else ())


def test_nobodys_ranges() -> None:
    assert range_holder("447700900123") == ("", None)
    assert range_holder("12025550123") == ("", None)
    assert range_holder("0") == ("", None)


@pytest.mark.parametrize("country", ["GB", "CN", "IN", "KE"])
def test_somebodys_ranges(country: str) -> None:
    """libphonenumber's own example of a mobile number of each country."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    holder, where = range_holder(f"{example.country_code}{example.national_number}")
    assert holder
    assert where == country


def test_the_table_of_ranges_is_read_when_a_number_comes() -> None:
    script = (
        "import sys, leakscan.carriers, leakscan.spine; print([n for n in sys.modules if n.startswith('phonenumbers')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("country", "portable"), [("GB", True), ("LK", False), (None, True)])
def test_where_numbers_can_be_ported(country: str | None, portable: bool) -> None:
    assert may_be_ported(country) == portable
