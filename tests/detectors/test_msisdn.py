"""Phone numbers: what a value under a known, a telling and a form's name is."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import builtin, msisdn
from leakscan.detectors.verdict import (
    ENCRYPTED,
    HASHED,
    MASKED,
    NO,
    PLACEHOLDER,
    PLAIN,
    PLAUSIBLE,
    VALID,
)

KNOWN = builtin().signatures["x-up-calling-line-id"]
TELLING = builtin().signatures["name-says-msisdn"]
INDIAN = builtin().signatures["rapmdn"]
NUMBER = "447700900123"


@pytest.mark.parametrize(
    ("value", "digits", "normal"),
    [
        (NUMBER, NUMBER, NUMBER),
        ("+447700900123", NUMBER, NUMBER),
        ("00447700900123", NUMBER, NUMBER),
        ("+44 7700 900123", NUMBER, NUMBER),
        ("+44 (7700) 900-123", NUMBER, NUMBER),
        ("+44.7700.900123", NUMBER, NUMBER),
        ("tel:+447700900123", NUMBER, NUMBER),
        ("TEL:+447700900123;phone-context=carrier.example", NUMBER, NUMBER),
        ("sip:+447700900123@ims.carrier.example;user=phone", NUMBER, NUMBER),
        ("447700900123, 10.1.2.3", NUMBER, NUMBER),
        ("447700900123;x=1", NUMBER, NUMBER),
        ("4477009001231700000000", NUMBER, NUMBER),
        ("4407700900123", "4407700900123", NUMBER),
        ("12025550123", "12025550123", "12025550123"),
        ("+1 (202) 555-0123", "12025550123", "12025550123"),
    ],
)
def test_spellings_of_one_number(value: str, digits: str, normal: str) -> None:
    verdict = msisdn.check(value, KNOWN)
    assert (verdict.grade, verdict.value, verdict.normal, verdict.form) == (VALID, digits, normal, PLAIN)


@pytest.mark.parametrize(
    ("value", "grade", "form"),
    [
        ("07700900123", PLAUSIBLE, PLAIN),  # national, of no country we know
        ("44770090", PLAUSIBLE, PLAIN),  # cut: no British number is as short
        ("4477******23", PLAUSIBLE, MASKED),
        ("447700900XXX", PLAUSIBLE, MASKED),
        ("d41d8cd98f00b204e9800998ecf8427e", PLAUSIBLE, HASHED),
        ("3q2+78r+ur4QESA=", PLAUSIBLE, ENCRYPTED),
        ("unknown", PLACEHOLDER, PLAIN),
        ("99999999999", PLACEHOLDER, PLAIN),
        ("19999999999", PLACEHOLDER, PLAIN),
        ("000000000000", PLACEHOLDER, PLAIN),
        ("1234567890", PLACEHOLDER, PLAIN),
        ("666", PLACEHOLDER, PLAIN),
        ("${msisdn}", PLACEHOLDER, PLAIN),
        ("{{msisdn}}", PLACEHOLDER, PLAIN),
        ("<MSISDN #>", PLACEHOLDER, PLAIN),
        ("##LINE1##", PLACEHOLDER, PLAIN),
        ("", PLACEHOLDER, PLAIN),
        ("12", NO, PLAIN),
        ("4477009001234567", NO, PLAIN),  # 16 digits, and the last ten are no time
        ("62.24.131.145", NO, PLAIN),  # an address
        ("\u00b2\u00b3\u00b9\u00b2\u00b3\u00b9\u00b2", NO, PLAIN),  # Latin-1 superscripts are no digits
        ("internet", NO, PLAIN),
        ("Mozilla/5.0 (X11)", NO, PLAIN),
    ],
)
def test_what_is_no_plain_number(value: str, grade: int, form: str) -> None:
    verdict = msisdn.check(value, KNOWN)
    assert (verdict.grade, verdict.form) == (grade, form)


def test_the_realm_of_a_sip_uri_names_the_home_network() -> None:
    verdict = msisdn.check("sip:+447700900123@ims.mnc010.mcc234.3gppnetwork.org", KNOWN)
    assert verdict.home == ("234-10",)


def test_a_cipher_counts_only_under_a_known_name() -> None:
    assert msisdn.check("3q2+78r+ur4QESA=", KNOWN).grade == PLAUSIBLE
    assert msisdn.check("3q2+78r+ur4QESA=", TELLING).grade == NO


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        ("12025550123", VALID),
        (NUMBER, VALID),
        ("441134960123", NO),
        ("1700000000", NO),
        ("51234567", NO),
        ("07700900123", NO),
        ("unknown", NO),
    ],
)
def test_a_name_that_may_hold_anything_needs_a_mobile_or_fictional_range(value: str, grade: int) -> None:
    assert msisdn.check_strict(value, TELLING).grade == grade


def test_national_numbers_get_the_country_of_the_rule() -> None:
    verdict = msisdn.check_national("2025550123", INDIAN)
    assert (verdict.grade, verdict.value, verdict.normal) == (VALID, "2025550123", "912025550123")
    assert msisdn.check_national("2025550123", builtin().signatures["x-mdn"]).normal == "2025550123"


@pytest.mark.parametrize("region", ["GB", "DE", "FR", "IN", "BR", "MX", "KE", "ZA", "US", "JP", "FI", "TK", "AR", "IT"])
def test_every_number_plan_s_example_is_valid(region: str) -> None:
    """Made here, not written down: the library's own example of a mobile number of that region."""
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    plus = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for spelling in (plus, plus[1:], "00" + plus[1:]):
        verdict = msisdn.check(spelling, KNOWN)
        assert (verdict.grade, verdict.normal) == (VALID, plus[1:])


@given(st.integers(1_000_000_000, 1_999_999_999))
def test_unix_seconds_are_no_number_anywhere(seconds: int) -> None:
    """As `+digits` no second since 2001 lies in an assigned range; read with a default country four of five would."""
    assert msisdn.check_strict(str(seconds), TELLING).grade != VALID


PLAN = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))


@given(PLAN, st.text("0123456789", max_size=6), st.booleans())
def test_what_rules_out_mobiles_never_rules_one_out(region: str, tail: str, mobile: bool) -> None:
    """The quick look against the plan itself, on examples of every country with their ends changed."""
    kind = phonenumbers.PhoneNumberType.MOBILE if mobile else phonenumbers.PhoneNumberType.FIXED_LINE
    example = phonenumbers.example_number_for_type(region, kind)
    if example is None:
        return
    digits = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    digits = digits[: len(digits) - len(tail)] + tail
    words = msisdn._number_plan(digits)[2]
    assert msisdn._may_be_mobile(digits) or not {msisdn.MOBILE, msisdn.FICTION} & set(words)
