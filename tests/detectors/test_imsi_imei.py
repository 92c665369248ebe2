"""IMSI, IMEI, ICCID, MEID: tables, and python-stdnum as the oracle for check digits."""

from __future__ import annotations

import pytest
import stdnum.imei
import stdnum.luhn
import stdnum.meid
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import builtin, iccid, imei, imsi, meid
from leakscan.detectors.verdict import HASHED, NO, PLACEHOLDER, PLAUSIBLE, VALID

IMSI = builtin().signatures["x-nokia-imsi"]
IMEI = builtin().signatures["x-up-3gpp-imeisv"]
ICCID = builtin().signatures["iccid"]
MEID = builtin().signatures["meid"]


@pytest.mark.parametrize(
    ("value", "grade", "digits", "home"),
    [
        ("001010123456789", VALID, "001010123456789", ("001-01",)),
        ("imsi-001010123456789", VALID, "001010123456789", ("001-01",)),
        ("00101012345678", VALID, "00101012345678", ("001-01",)),
        ("0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org", VALID, "001010123456789", ("001-001", "001-01")),
        ("001010123456789@carrier.example", VALID, "001010123456789", ("001-01",)),
        ("00101012", PLAUSIBLE, "00101012", ("001-01",)),
        ("100010123456789", PLAUSIBLE, "100010123456789", ()),  # nobody has MCC 100
        ("00101****6789", PLAUSIBLE, "00101****6789", ()),
        ("12345", NO, "", ()),
        ("0010101234567890", NO, "", ()),
        ("000000000000000", PLACEHOLDER, "", ()),
        ("123456789012345", PLACEHOLDER, "", ()),
        ("unknown", PLACEHOLDER, "", ()),
        ("5ED8C096-7D50-434F-A015-0E70FA445E36", NO, "", ()),
    ],
)
def test_imsi(value: str, grade: int, digits: str, home: tuple[str, ...]) -> None:
    verdict = imsi.check(value, IMSI)
    assert (verdict.grade, verdict.value, set(verdict.home) - {"001-010"}) == (grade, digits, set(home))


def test_an_mnc_of_three_digits_and_one_of_two_that_begin_alike_both_stand() -> None:
    assert set(imsi.plmns("71402" + "0" * 10)) == {"714-02", "714-020"}
    assert imsi.plmns("23410" + "0" * 10) == ("234-10",)
    assert imsi.plmns("310410" + "0" * 9) == ("310-410",)


def test_a_name_that_may_hold_anything_needs_a_whole_imsi() -> None:
    assert imsi.check_strict("001010123456789", IMSI).grade == VALID
    assert imsi.check_strict("00101012", IMSI).grade == NO
    assert imsi.check_strict("100010123456789", IMSI).grade == NO


@pytest.mark.parametrize(
    ("value", "grade", "normal", "word"),
    [
        ("001010012345672", VALID, "00101001234567", "check digit"),
        ("00-101001-234567-2", VALID, "00101001234567", "check digit"),
        ("urn:gsma:imei:00101001-234567-2", VALID, "00101001234567", "check digit"),
        ("001010012345670", VALID, "00101001234567", "spare 0 as check digit"),
        ("00101001234567", VALID, "00101001234567", "without check digit"),
        ("0010100123456703", VALID, "00101001234567", "IMEISV"),
        ("00101001-234567-03", VALID, "00101001234567", "IMEISV"),
        ("001010012345672,03", VALID, "00101001234567", "check digit"),
        ("001010012345675", PLAUSIBLE, "00101001234567", "wrong check digit"),
        ("20240131235959", PLAUSIBLE, "20240131235959", "without check digit"),  # a time: nobody allocates 20
        ("1", PLACEHOLDER, "", ""),
        ("000000000000000", PLACEHOLDER, "", ""),
        ("0000000000000000", PLACEHOLDER, "", ""),
        ("012345678901234", PLACEHOLDER, "", ""),
        ("123456789012345", PLACEHOLDER, "", ""),
        ("unknown", PLACEHOLDER, "", ""),
        ("5ED8C096-7D50-434F-A015-0E70FA445E36", NO, "", ""),
        ("12340678", NO, "", ""),
        ("00101001234567212", NO, "", ""),
    ],
)
def test_imei(value: str, grade: int, normal: str, word: str) -> None:
    verdict = imei.check(value, IMEI)
    assert (verdict.grade, verdict.normal) == (grade, normal)
    assert word in (*verdict.evidence, "")


def test_a_hashed_imei() -> None:
    assert imei.check("d41d8cd98f00b204e9800998ecf8427e", IMEI).form == HASHED


@pytest.mark.parametrize(
    ("value", "grade"),
    [("001010012345672", VALID), ("001010012345670", NO), ("0010100123456703", NO), ("200010012345671", NO)],
)
def test_a_name_that_may_hold_anything_needs_check_digit_and_prefix(value: str, grade: int) -> None:
    assert imei.check_strict(value, IMEI).grade == grade


@given(st.text("0123456789", min_size=2, max_size=20))
def test_luhn_agrees_with_stdnum(digits: str) -> None:
    assert imei.luhn(digits) == stdnum.luhn.is_valid(digits)


@given(st.text("0123456789", min_size=14, max_size=14))
def test_an_imei_that_stdnum_accepts_is_valid(digits: str) -> None:
    value = digits + stdnum.luhn.calc_check_digit(digits)
    assert stdnum.imei.is_valid(value)
    assert imei.check(value, IMEI).grade in (VALID, PLACEHOLDER)


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        ("894410123456789012", PLAUSIBLE),  # 18 digits: the check digit was left out
        ("8944101234567890120", PLAUSIBLE),
        ("89441012345678901", NO),
        ("89014103211118510720", PLACEHOLDER),  # the Android emulator's
        ("1234567890123456789", PLACEHOLDER),
        ("1234567890123456782", NO),
        ("unknown", PLACEHOLDER),
        ("89049032123451234512345678901235", VALID),  # an EID
        ("89049032123451234512345678901236", NO),
    ],
)
def test_iccid(value: str, grade: int) -> None:
    assert iccid.check(value, ICCID).grade == grade


@pytest.mark.parametrize("value", ["358240051111110", "00499901064000", "004999010640000", "3586730137958951"])
def test_an_imei_that_many_devices_have_is_nobodys(value: str) -> None:
    assert imei.check(value, IMEI).grade == PLACEHOLDER


@given(st.text("0123456789", min_size=16, max_size=17))
def test_iccid_with_its_check_digit_is_valid(account: str) -> None:
    body = "89" + account
    value = body + stdnum.luhn.calc_check_digit(body)
    verdict = iccid.check(value, ICCID)
    assert verdict.grade == PLACEHOLDER or (verdict.grade, verdict.normal) == (VALID, body)
    assert iccid.check(value + "F", ICCID) == verdict


@pytest.mark.parametrize(
    ("value", "grade", "normal"),
    [
        ("A0000012345678", VALID, "A0000012345678"),
        ("a0000012345678", VALID, "A0000012345678"),
        ("268435457803430008", VALID, "A0000012345678"),
        ("AF0123450ABCDEC", VALID, "AF0123450ABCDE"),
        ("AF0123450ABCDED", NO, ""),
        ("80123456", VALID, "80123456"),
        ("12801193046", VALID, "80123456"),
        ("90000012345678", NO, ""),  # a decimal MEID belongs to the IMEI's numbers
        ("20240131", NO, ""),  # a date
        ("31012024", NO, ""),
        ("92414408", VALID, "92414408"),
        ("2A0B1C3D", VALID, "2A0B1C3D"),
        ("deadbeef", NO, ""),  # a word, as ESNs hardly are
        ("99999999999", PLACEHOLDER, ""),
        ("00000000000000", PLACEHOLDER, ""),
        ("999999999999999999", PLACEHOLDER, ""),
    ],
)
def test_meid(value: str, grade: int, normal: str) -> None:
    verdict = meid.check(value, MEID)
    assert (verdict.grade, verdict.normal) == (grade, normal)


@given(st.text("0123456789ABCDEF", min_size=12, max_size=12), st.sampled_from("ABCDEF"))
def test_meid_agrees_with_stdnum(rest: str, first: str) -> None:
    number = first + "0" + rest
    assert meid.check_digit(number) == stdnum.meid.calc_check_digit(number)
    decimal = stdnum.meid.format(number, format="dec", separator="")
    verdict = meid.check(decimal, MEID)
    assert verdict.grade == PLACEHOLDER or verdict.normal == number
