"""What each kind of value shows of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors.catalogue import IDENTIFIERS
from leakscan.masks import MASKS, MIN_HIDDEN, country_code, mask

MASKED = [
    # kind, value, mask
    ("msisdn", "447700900123", "44********23"),
    ("msisdn", "12015550123", "1********23"),
    ("msisdn", "12345678", "1*******"),  # six hidden needs nine digits: the country code alone
    ("msisdn", "6901234", "690****"),
    ("msisdn", "44", "**"),
    ("msisdn", "", "(0 characters)"),
    ("msisdn", "0" * 11, "*********00"),
    ("msisdn", "d41d8cd98f00b204e9800998ecf8427e", "(32 characters)"),
    ("msisdn", "²³¹²³¹²³¹", "(9 characters)"),
    ("imsi", "001010123456789", "00101**********"),
    ("imsi", "999991234567890", "99999**********"),
    ("imsi", "310260123456789", "310260*********"),  # three digits of MNC
    ("imsi", "001010", "001***"),
    ("imsi", "x" * 15, "(15 characters)"),
    ("imei", "004401000000017", "00440100*******"),
    ("imei", "0044010000000101", "00440100********"),
    ("imei", "0044010", "*******"),
    ("iccid", "8944000000000000001", "8944***************"),
    ("iccid", "8901000000000000001F", "8901****************"),
    ("iccid", "1234567890123456789", "(19 characters)"),
    ("meid_esn", "A0000000000001", "A000... (14 characters)"),
    ("private_ip", "10.20.30.40", "10.20.0.0/16"),
    ("private_ip", "2001:db8:1:2::3", "2001:db8::/32"),
    ("private_ip", "10.20.30", "(8 characters)"),
    ("apn_or_network_node", "10.20.30.40", "10.20.0.0/16"),
    ("apn_or_network_node", "internet", "(8 characters)"),
    ("email", "somebody@mail.example", "***@mail.example"),
    ("email", "a@447700900123.example", "***@....example"),
    ("email", "a@b@c", "(5 characters)"),
    ("mac", "00:00:5e:00:53:01", "00:00:5e:**:**:**"),
    ("mac", "00005E005301", "00005E******"),
    ("mac", "00:00:5e", "(8 characters)"),
    ("cell_location", "8200f1101234" + "00f11001234567", "001-01 (26 characters)"),
    ("cell_location", "0010112341234567", "001-01 (16 characters)"),  # MCC, MNC, area, cell; not a type octet of 00
    ("cell_location", "999-99-1234-56789", "999-99 (17 characters)"),
    ("cell_location", "51.5000,-0.1000", "(15 characters)"),
    ("cell_location", "00101", "(5 characters)"),
    ("subscriber_token", "OTgxMTYxMDgwAAAA", "OTgx... (16 characters)"),
    ("subscriber_token", "OTgxMTYxMDg", "(11 characters)"),
    ("subscriber_token", "A1b2C3d4E5f6", "A1b2... (12 characters)"),  # no MAC: hex digits in a row may be anything
    ("subscriber_token", "1", "(1 character)"),
    ("subscriber_profile", "prepaid-gold-customer", "(21 characters)"),
    ("never heard of", "447700900123", "(12 characters)"),
]


@pytest.mark.parametrize(("kind", "value", "masked"), MASKED)
def test_mask(kind: str, value: str, masked: str) -> None:
    assert mask(kind, value) == masked


def test_national_number_shows_no_country_code() -> None:
    assert mask("msisdn", "2015550123", normal="12015550123") == "********23"
    assert mask("msisdn", "447700900123", normal="447700900123") == "44********23"


def test_kinds_are_known_to_detection() -> None:
    assert MASKS.keys() <= set(IDENTIFIERS)


@pytest.mark.parametrize(("number", "code"), [("447700", "44"), ("1201", "1"), ("7", "7"), ("35312", "353"), ("0", "")])
def test_country_code(number: str, code: str) -> None:
    assert country_code(number) == code


def test_country_codes_are_those_of_phonenumbers() -> None:
    import phonenumbers

    for code in map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE):
        assert country_code(code + "5" * 9) == code


@given(st.sampled_from(IDENTIFIERS), st.text(st.characters(max_codepoint=0xFF), max_size=40))
def test_hostile_values_are_hidden(kind: str, value: str) -> None:
    masked = mask(kind, value)
    assert len(value) < 5 or value not in masked


@given(st.sampled_from(["msisdn", "imsi", "imei", "iccid"]), st.from_regex(r"(89)?[0-9]{6,20}", fullmatch=True))
def test_six_digits_stay_hidden_or_the_country_alone_is_shown(kind: str, value: str) -> None:
    masked = mask(kind, value)
    shown = sum(char.isdigit() for char in masked) if "(" not in masked else 0
    assert len(value) - shown >= MIN_HIDDEN or shown <= 3
