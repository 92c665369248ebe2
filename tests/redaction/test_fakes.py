"""What stands in an identifier's place: of the same form and length, nobody's, and never anybody else's."""

from __future__ import annotations

import base64
import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.detectors.imei import luhn
from leakscan.detectors.meid import check_digit
from leakscan.model import Field, Match
from leakscan.redaction.fakes import Fakes, Identity, spelled

KEY = b"a key of sixteen"


def fake(kind: str, normal: str, *others: str) -> str:
    return Fakes(KEY, {Identity(kind, one) for one in (normal, *others)}).of(Identity(kind, normal))


@pytest.mark.parametrize(
    ("kind", "normal", "form"),
    [
        ("msisdn", "447712345678", r"447700900\d{3}"),
        ("msisdn", "12125550000", r"1[2-9]\d\d55501\d\d"),
        ("msisdn", "33612345678", r"3363998\d{4}"),
        ("msisdn", "491701234567", r"49\d{10}"),
        ("msisdn", "3546111234", r"354\d{7}"),
        ("imsi", "234101234567890", r"23410\d{10}"),
        ("imsi", "310410123456789", r"310410\d{9}"),
        ("imsi", "001010123456789", r"00101\d{10}"),
        ("imei", "35890810123456", r"00\d{12}"),
        ("iccid", "894410123456789012", r"8944\d{14}"),
        ("meid_esn", "A0000012345678", r"A0[0-9A-F]{12}"),
        ("subscriber_token", "AABBCC0011223344;ncc=00101;type=Static", r"[A-F0-9]{16};ncc=00101;type=Static"),
        ("subscriber_token", "user-12345@apn.example", r"[a-z]{4}-\d{5}@apn\.example"),
        ("subscriber_token", "aa_00012345_wapgw.mycingular.net", r"[a-z]{2}_\d{8}_wapgw\.mycingular\.net"),
        ("email", "someone@mail.example.org", r"[a-z]{7}@[a-z]{8}\.example"),
        ("email", "someone@x.de", r"[a-z]{7}@[a-z]\.de"),
        ("mac", "001b21a0b1c2", r"02[0-9a-f]{10}"),
        (
            "advertising_id",
            "38400000-8cf0-41bd-b23e-10b96e40000d",
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}",
        ),
        ("private_ip", "10.0.0.1", r"10\.\d\.\d\.\d"),
        ("private_ip", "192.168.100.20", r"192\.168\.[12]\d\d\.\d\d"),
        ("private_ip", "100.64.7.9", r"100\.64\.\d\.\d"),
        ("private_ip", "fd00::1:2", r"fd00::[1-9a-f]:[1-9a-f]"),
        ("cell_location", "23410", r"00101"),
        ("cell_location", "310410", r"001001"),
        ("cell_location", "8232f4011a2b32f40101c45678", r"8232f401[0-9a-f]{18}"),
        ("subscriber_profile", "1", r"[02-9]"),
    ],
)
def test_form(kind, normal, form):
    made = fake(kind, normal)
    assert re.fullmatch(form, made), made
    assert len(made) == len(normal)
    assert made != normal


def test_x_uidh_keeps_its_structure():
    token = base64.b64encode(b"981596494\0" + bytes(range(32))).decode()
    data = base64.b64decode(fake("subscriber_token", token))
    assert (len(data), data[:9].isdigit(), data[9]) == (42, True, 0)
    assert data[:9] != b"981596494"


kinds = st.sampled_from(["msisdn", "imsi", "imei", "iccid"])
numbers = st.text("0123456789", min_size=7, max_size=20).map(lambda text: "1" + text[1:])


@given(kinds, st.lists(numbers, min_size=1, max_size=30, unique=True))
def test_no_fake_is_another_s(kind, normals):
    """Different for different identifiers, the same for the same, and never one that is in the capture."""
    fakes = Fakes(KEY, {Identity(kind, normal) for normal in normals})
    made = [fakes.of(Identity(kind, normal)) for normal in normals]
    assert len(set(made)) == len(made)
    assert not set(made) & set(normals)
    assert [fakes.of(Identity(kind, normal)) for normal in normals] == made
    assert [len(one) for one in made] == [len(one) for one in normals]


def test_more_people_than_numbers_for_drama():
    """Ofcom keeps a thousand; the thousand and first gets a number that the plan does not assign."""
    normals = [f"4477{number:08d}" for number in range(1100)]
    fakes = Fakes(KEY, {Identity("msisdn", normal) for normal in normals})
    made = [fakes.of(Identity("msisdn", normal)) for normal in normals]
    assert len(set(made)) == 1100
    assert sum(one.startswith("447700900") for one in made) == 1000
    for one in made[-50:]:
        number = phonenumbers.parse("+" + one)
        assert phonenumbers.is_possible_number(number)
        assert not phonenumbers.is_valid_number(number)


def test_originals_in_the_reserved_range_are_left_alone():
    normals = [f"447700900{number:03d}" for number in range(500)]
    fakes = Fakes(KEY, {Identity("msisdn", normal) for normal in normals})
    made = {fakes.of(Identity("msisdn", normal)) for normal in normals}
    assert made == {f"447700900{number:03d}" for number in range(500, 1000)}


@settings(max_examples=50)
@given(
    st.sampled_from(["49170", "91981", "861391", "55119", "2348", "6281", "39333", "81901"]), st.integers(0, 10**7 - 1)
)
def test_a_number_of_any_country_is_nobody_s(head, rest):
    normal = f"{head}{rest:07d}"
    made = fake("msisdn", normal)
    number = phonenumbers.parse("+" + made)
    assert not phonenumbers.is_valid_number(number)
    assert number.country_code == phonenumbers.parse("+" + normal).country_code


def test_another_key_gives_other_fakes():
    identity = Identity("imsi", "001010123456789")
    assert len({Fakes(key, {identity}).of(identity) for key in (KEY, b"another key of sixteen", KEY)}) == 2


def match(kind: str, value: str, normal: str) -> Match:
    return Match(Field("header", "X", value), "r", kind, value, normal, (), "confirmed", "high", False, "unknown", ())


@pytest.mark.parametrize("value", ["447700900123", "7700900123", "4407700900123", "+447700900123"[1:]])
def test_a_number_in_other_spellings_gets_the_same_fake(value):
    made = spelled(match("msisdn", value, "447700900123"), "447700900123", "447700900777")
    assert made == value.replace("123", "777")


@pytest.mark.parametrize("last", "0123456789")
def test_a_check_digit_is_as_right_as_it_was(last):
    value, made = "49015420323751" + last, "00123456789012"
    new = spelled(match("imei", value, value[:14]), value[:14], made)
    assert new[:14] == made
    assert luhn(new) == luhn(value)
    if last == "0" and not luhn(value):
        assert new[-1] == "0"  # the spare digit


def test_imeisv_keeps_its_version():
    assert spelled(match("imei", "4901542032375103", "49015420323751"), "49015420323751", "00123456789012")[-2:] == "03"


def test_meid_in_all_its_forms():
    made = "A0FEDCBA987654"
    for value in ("A0000012345678", "A0000012345678" + check_digit("A0000012345678"), "a0000012345678"):
        new = spelled(match("meid_esn", value, "A0000012345678"), "A0000012345678", made)
        assert new[:14].upper() == made
        assert new.islower() == value.islower()
        assert len(new) == len(value)
    decimal = f"{0xA0000012:010d}{0x345678:08d}"
    new = spelled(match("meid_esn", decimal, "A0000012345678"), "A0000012345678", made)
    assert new == f"{0xA0FEDCBA:010d}{0x987654:08d}"


def test_letters_keep_their_cases():
    made = spelled(
        match("email", "Some.One@Mail.example", "some.one@mail.example"),
        "some.one@mail.example",
        "abcd.efg@hijk.example",
    )
    assert made == "Abcd.Efg@Hijk.example"


def test_no_original_stands_in_a_fake():
    """Half a number, of a head that was torn, is the beginning of the whole range of numbers for drama."""
    half, whole = Identity("msisdn", "447700900"), Identity("msisdn", "447700900456")
    fake = Fakes(KEY, {half, whole}).of(whole)
    assert half.normal not in fake
    assert (len(fake), fake[:2]) == (12, "44")
    assert Fakes(KEY, {whole}).of(whole).startswith(half.normal)
