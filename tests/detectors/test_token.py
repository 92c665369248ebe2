"""Subscriber tokens: the forms that are known."""

from __future__ import annotations

import base64

import pytest

from leakscan.detectors import DETECTORS, builtin
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import NO, PLACEHOLDER, PLAUSIBLE, VALID, Verdict

UIDH = base64.b64encode(b"123456789\0" + bytes(range(32))).decode()
CIPHER = "Ab3" * 114 + "Ab"
STATIC = "234015STATRSV2015-07-09T15:51:15Z" + CIPHER
DYNAMIC = "234015DYNMRSV2015-07-09T15:51:15Z" + CIPHER


def judge(rule: str, value: str) -> Verdict:
    signature: Signature = builtin().signatures[rule]
    return DETECTORS[signature.formats[0]].check(value, signature)


@pytest.mark.parametrize(
    ("rule", "value", "grade", "normal", "rotating"),
    [
        ("x-uidh", UIDH, VALID, "123456789", False),
        ("x-uidh", UIDH[:-4], PLAUSIBLE, "", True),
        ("x-uidh", "OPTOUT", NO, "", False),
        ("x-acr", "AABBCCDDEEFF00112233;ncc=310410;type=Static", VALID, "AABBCCDDEEFF00112233", False),
        ("x-acr", "AABBCCDDEEFF00112233;ncc=310410;type=Dynamic", VALID, "AABBCCDDEEFF00112233", True),
        ("x-acr", "AABBCCDDEEFF00112233", PLAUSIBLE, "", False),
        ("x-vf-acr", STATIC, VALID, "234015" + CIPHER, False),
        ("x-vf-acr", DYNAMIC, VALID, DYNAMIC, True),
        ("x-vf-acr", "yes", PLACEHOLDER, "", False),
        ("x-asid", "0400AbCdEf12+/", VALID, "", False),
        ("x-asid", "AbCdEf12", NO, "", False),
        ("x-dcmguid", "0a1B2c3", VALID, "", False),
        ("x-dcmguid", "0a1B2c3d", NO, "", False),
        ("x-jphone-uid", "AbCdEfGh01234567", VALID, "", False),
        ("x-em-uid", "u0000000000000001", VALID, "", False),
        ("clientid", "eGtUaaaaaaaaaaaaaaaaaaaa-@sprintpcs.com", VALID, "", False),
        ("clientid", "1234567890.1234567890", NO, "", False),
        ("uid", "01AbCdEf2345", VALID, "", False),
        ("uid", "NULLGWDOCOMO", PLACEHOLDER, "", False),
        ("uid", "3515976817595231396", NO, "", False),
        ("x-orange-id", "f3Qy8LmN2pR7", VALID, "", False),
        ("x-orange-id", "anonymous", PLACEHOLDER, "", False),
        ("x-orange-id", "two words 1", NO, "", False),
        ("x-orange-id", "nodigits", NO, "", False),
        ("x-msisdn-alias", "A1b2C3d4E5f6", VALID, "", False),
        ("x-msisdn-alias", "447700900123", NO, "", False),
    ],
)
def test_form(rule: str, value: str, grade: int, normal: str, rotating: bool) -> None:
    verdict = judge(rule, value)
    assert (verdict.grade, verdict.normal, verdict.rotating) == (grade, normal, rotating)


@pytest.mark.parametrize(
    ("rule", "value", "home", "carriers"),
    [
        ("x-acr", "AABBCCDDEEFF00112233;ncc=310410;type=Static", ("310-410",), ()),
        ("x-vf-acr", STATIC, ("234-15",), ()),
        ("x-vf-acr", "204004" + STATIC[6:], ("204-04",), ()),
        ("x-up-subno", "b01_0123456789_gw.ezweb.ne.jp", (), ("440-50",)),
        ("x-up-subno", "B01-0123-0123456789-gw1_waphsp.tim.it", (), ("222-01",)),  # as TIM's gateway writes it
        ("x-up-subno", "b01_0123456789_gw.mycingular.net", (), ("310-410",)),
        ("x-up-subno", "b01_0123456789_gw.notmycingular.net", (), ()),
        ("x-up-nai", "user01@wlan.mnc015.mcc234.3gppnetwork.org", ("234-15",), ()),
    ],
)
def test_what_the_value_says_of_the_network(
    rule: str, value: str, home: tuple[str, ...], carriers: tuple[str, ...]
) -> None:
    verdict = judge(rule, value)
    assert (verdict.grade, verdict.home, verdict.carriers) == (VALID, home, carriers)


@pytest.mark.parametrize(
    ("rule", "value", "identifier"),
    [
        ("x-up-nai", "0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org", "imsi"),
        ("x-up-nai", "12025550123@carrier.example", "msisdn"),
        ("x-up-nai", "user01@carrier.example", ""),
        ("x-up-subno", "12025550123", "msisdn"),
    ],
)
def test_a_token_that_is_the_number_itself(rule: str, value: str, identifier: str) -> None:
    assert judge(rule, value).identifier == identifier
