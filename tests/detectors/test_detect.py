"""The ladder: what a field is worth. Whole fields in, matches out."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import builtin, detect
from leakscan.detectors.catalogue import IDENTIFIERS, PLACE_CLASSES
from leakscan.fields import pairs_fields
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, SEVERITIES, Field, Match

NUMBER = "447700900123"
IMSI = "001010123456789"
IMEI = "001010012345672"
SUBSCRIBER = {"msisdn", "imsi", "imei", "iccid", "meid_esn", "subscriber_token"}


def one(place: str, name: str, value: str) -> Match:
    matches = detect([Field(place, name, value)], Losses())
    assert len(matches) == 1, matches
    return matches[0]


def none(place: str, name: str, value: str) -> Losses:
    losses = Losses()
    assert detect([Field(place, name, value)], losses) == []
    return losses


@pytest.mark.parametrize(
    ("place", "name", "value", "rule", "confidence", "severity"),
    [
        # 1: a known name and a valid value
        ("header", "x-up-calling-line-id", NUMBER, "x-up-calling-line-id", "confirmed", "critical"),
        ("header", "HTTP_X_MSISDN", "+" + NUMBER, "x-msisdn", "confirmed", "critical"),
        ("cookie", "User-Identity-Forward-msisdn", NUMBER, "user-identity-forward-msisdn", "confirmed", "critical"),
        ("query", "msisdn", "%2B" + NUMBER, "msisdn", "confirmed", "critical"),
        ("referer", "msisdn", NUMBER, "msisdn", "confirmed", "critical"),
        ("path", "msisdn", NUMBER, "msisdn", "confirmed", "critical"),
        ("path", "tel", "12025550123", "phone", "hint", "critical"),
        ("referer", "/phone-number", "12025550123", "name-says-phone", "hint", "critical"),
        ("referer", "phone", "12025550123", "phone", "probable", "critical"),
        ("header", "x-nokia-imsi", IMSI, "x-nokia-imsi", "confirmed", "critical"),
        ("query", "imei", IMEI, "imei", "confirmed", "critical"),
        # 2: a known name and a value that is plausible only
        ("header", "x-msisdn", "44770090", "x-msisdn", "probable", "critical"),
        ("query", "msisdn", "44770090", "msisdn", "hint", "critical"),
        ("header", "x-msisdn", "4477******23", "x-msisdn", "probable", "medium"),
        ("header", "x-msisdn", "d41d8cd98f00b204e9800998ecf8427e", "x-msisdn", "probable", "high"),
        ("query", "msisdn", "d41d8cd98f00b204e9800998ecf8427e", "msisdn", "probable", "high"),
        ("query", "imei", "d41d8cd98f00b204e9800998ecf8427e", "imei", "hint", "high"),
        ("header", "msisdn", "3q2+78r+ur4QESA=", "msisdn", "probable", "high"),
        ("query", "imei", "001010012345675", "imei", "hint", "critical"),
        # 4: a name that tells, and a valid value
        ("header", "X-Acme-Msisdn", NUMBER, "name-says-msisdn", "probable", "critical"),
        ("query", "sim_imsi", IMSI, "name-says-imsi", "probable", "critical"),
        ("query", "deviceImei", IMEI, "name-says-imei", "probable", "critical"),
        ("cookie", "subscriberId", IMSI, "name-says-subscriber", "probable", "critical"),
        ("header", "X-Acme-Msisdn", "44770090", "name-says-msisdn", "hint", "critical"),
        # names anybody may use
        ("header", "X-Forwarded-For", "10.1.2.3", "x-forwarded-for", "probable", "low"),
        ("query", "phone", "%2B12025550123", "phone", "probable", "critical"),
        ("query", "uid", "01AbCdEf2345", "uid", "probable", "high"),
        ("query", "uid", "04abcdef2345", "uid", "hint", "high"),
        ("query", "guid", "ON", "guid", "hint", "low"),
        ("header", "x-wap-profile", '"http://ua.example/p.xml"', "x-wap-profile", "hint", "low"),
        # what programs add, and what networks add
        ("query", "android_id", "a1b2c3d4e5f60718", "android-id", "confirmed", "low"),
        ("header", "x-uidh", base64.b64encode(b"123456789\0" + bytes(32)).decode(), "x-uidh", "confirmed", "high"),
        ("header", "X-ACR", "AABBCCDDEEFF00112233;ncc=310410;type=Dynamic", "x-acr", "confirmed", "medium"),
        ("header", "x-nokia-roaming", "1", "x-nokia-roaming", "confirmed", "medium"),
        ("header", "sgsn-ip-address", "203.0.113.10", "sgsn-ip-address", "confirmed", "low"),
        ("user-agent", "User-Agent", f"DoCoMo/2.0 X01(c500;ser{IMEI})", "ua-docomo-ser", "confirmed", "critical"),
    ],
)
def test_ladder(place: str, name: str, value: str, rule: str, confidence: str, severity: str) -> None:
    match = one(place, name, value)
    assert (match.rule, match.confidence, match.severity) == (rule, confidence, severity)
    assert match.field == Field(place, name, value)
    assert match.value in value or match.encoding or match.spans


@pytest.mark.parametrize("value", ["unknown", "99999999999", "${msisdn}", "", "(null)", "0"])
def test_a_placeholder_is_counted_and_no_leak(value: str) -> None:
    assert dict(none("header", "x-up-calling-line-id", value)) == {"value.placeholder": 1}
    assert dict(none("header", "x-subscriber-info", f"msisdn={value}")) == {"value.placeholder": 1}


@pytest.mark.parametrize(
    ("name", "value", "origin"),
    [
        ("x-up-gl-imei", IMEI, "client-sent"),
        ("x-imei", IMEI, "client-sent"),
        ("android_id", "a1b2c3d4e5f60718", "client-sent"),
        ("x-msisdn", NUMBER, "unknown"),
    ],
)
def test_origin(name: str, value: str, origin: str) -> None:
    assert one("header", name, value).origin == origin


@pytest.mark.parametrize(
    ("place", "origin"),
    [
        ("query", "client-sent"),
        ("body", "client-sent"),
        ("referer", "unknown"),
        ("cookie", "unknown"),
        ("header", "unknown"),
    ],
)
def test_a_parameter_is_written_by_the_program(place: str, origin: str) -> None:
    assert one(place, "imei", IMEI).origin == origin


@pytest.mark.parametrize(
    ("value", "chain"),
    [
        ("343437373030393030313233", ("hex",)),
        ("NDQ3NzAwOTAwMTIz", ("base64",)),
        ("%2B447700900123", ("percent",)),
        ("%4E%44%51%33NzAwOTAwMTIz", ("percent", "base64")),
        ('"447700900123"', ()),
    ],
)
def test_disguises(value: str, chain: tuple[str, ...]) -> None:
    match = one("header", "x-msisdn", value)
    assert (match.value, match.encoding, match.spans) == (NUMBER, chain, (value,))


def test_a_plain_value_leaves_no_span() -> None:
    assert one("header", "x-msisdn", NUMBER).spans == ()


def parts(name: str, value: str) -> set[tuple[str, str, tuple[str, ...]]]:
    matches = detect([Field("header", name, value)], Losses())
    assert {match.field.name for match in matches} <= {name}
    return {(match.rule, match.value, match.encoding) for match in matches if match.confidence != "hint"}


@pytest.mark.parametrize(
    ("place", "name", "value", "expected"),
    [
        # what a gateway separates with commas, whatever comes first
        ("cookie", "imsi", f"{IMSI}, IMEI={IMEI}, a=b", {("imsi", IMSI), ("imei", IMEI)}),
        ("cookie", "Network-access-type", f"GPRS, imsi={IMSI}, a=b", {("imsi", IMSI)}),
        ("cookie", "imsi", f"12, IMEI={IMEI}", {("imei", IMEI)}),
        # a value beside an address
        ("cookie", "meid", "B0E82D53BF5180%2C192.0.2.1", {("meid_esn", "B0E82D53BF5180")}),
        ("header", "X-Device-Info", f"<d><msisdn>{NUMBER}</msisdn></d>", {("msisdn", NUMBER)}),
        ("query", "d", f"%3Cd%3E%3Cimei%3E{IMEI}%3C%2Fimei%3E%3C%2Fd%3E", {("imei", IMEI)}),
        # what is read is no cipher
        ("header", "x-msisdn", base64.b64encode(f"a=1&msisdn={NUMBER}&b=2".encode()).decode(), {("msisdn", NUMBER)}),
    ],
)
def test_lists(place: str, name: str, value: str, expected: set[tuple[str, str]]) -> None:
    matches = detect([Field(place, name, value)], Losses())
    certain = [match for match in matches if match.confidence != "hint"]
    assert {(match.identifier, match.value) for match in certain if match.identifier in SUBSCRIBER} == expected


def test_parts_of_a_composite() -> None:
    assert parts("x-network-info", f"GPRS,{NUMBER},10.100.0.9,wap.example,unsecured") == {
        ("x-network-info.msisdn", NUMBER, ()),
        ("x-network-info.ip", "10.100.0.9", ()),
        ("x-network-info.apn", "wap.example", ()),
    }
    attributes = base64.b64encode(f"msisdn={NUMBER};imsi={IMSI}".encode()).decode()
    assert parts("x-opwv-ddm-identity", attributes) == {
        ("x-opwv-ddm-identity.msisdn", NUMBER, ("base64",)),
        ("x-opwv-ddm-identity.imsi", IMSI, ("base64",)),
    }
    assert parts("x-opwv-ddm-identity", "a9f0c2d417") == {("x-opwv-ddm-identity", "a9f0c2d417", ())}
    assert parts("x-network-info", f"UDP, 10.0.0.1, security=1, {NUMBER}") == {
        ("x-network-info.msisdn", NUMBER, ()),
        ("x-network-info.ip", "10.0.0.1", ()),
    }
    assert parts("x-network-info", "UDP,security=0") == set()
    assert parts("x-network-info", "unknown") == set()
    assert parts("x-network-info", "GPRS,unknown,192.0.2.7,,unsecured") == set()


def test_one_value_of_a_field_is_one_match() -> None:
    assert len(parts("x-subscriber-info", f"msisdn={NUMBER};x-msisdn={NUMBER};cli={NUMBER}")) == 1


def test_a_carrier_is_named_by_a_unique_name_or_by_the_value_only() -> None:
    assert one("header", "x-up-vodacomgw-subid", NUMBER).carriers == ("655-01",)
    assert one("header", "x-msisdn", NUMBER).carriers == ()
    assert one("header", "x-up-subno", "b01_0123456789_gw.tim.it").carriers == ("222-01",)
    assert "999-99" in one("header", "x-nokia-imsi", "99999" + "0" * 9 + "1").home


#: Values that look like identifiers, under names that say nothing or something else.
HARD = [
    ("cookie", "_ga", "GA1.2.1234567890.1700000000"),
    ("cookie", "__utma", "14538266.1402376246.1420290299.1420290299.1420290299.1"),
    ("cookie", "uid", "3515976817595231396"),
    ("cookie", "sid", "0123456789abcdef0123456789abcdef"),
    ("cookie", "visitor", "447700900123"),
    ("query", "t", "1700000000"),
    ("query", "ts", "1700000000123"),
    ("query", "timein", "001010012345672"),
    ("query", "order", "447700900123"),
    ("query", "ean", "4006381333931"),
    ("query", "tracking", "001010012345672"),
    ("query", "lat", "52.520008"),
    ("query", "ll", "52.520008,13.404954"),
    ("query", "session", "001010123456789"),
    ("query", "uuid", "5ed8c096-7d50-434f-a015-0e70fa445e36"),
    ("query", "hash", "d41d8cd98f00b204e9800998ecf8427e"),
    ("query", "v", "1.2.3456789012"),
    ("query", "imei", "1"),
    ("query", "imei", "5ED8C096-7D50-434F-A015-0E70FA445E36"),
    ("query", "guid", "F5EB01CC01A8E08CD83630828DE17C2B02162FD8"),
    ("query", "mac", "1"),
    ("query", "utmac", "UA-10772561-7"),
    ("query", "mcc", ""),
    ("query", "mobile", "true"),
    ("query", "subscriber", "1700000000"),
    ("query", "newsletter-subscriber", "a1b2c3"),
    ("query", "msisdn", "yes"),
    ("header", "If-None-Match", '"de042a347c835047052857de1858ca06b77e786e"'),
    ("header", "Content-Length", "447700900123"),
    ("header", "X-Request-Id", "447700900123"),
    ("header", "X-Trace", "89014103211118510721"),
    ("header", "MX", "1"),
    ("header", "Client-Uid", "F356C2575A58207FB898F5256F34F1C8"),
    ("header", "Via", "1.1 varnish"),
    ("header", "X-Forwarded-For", "192.0.2.7"),
    ("header", "X-Real-IP", "127.0.0.1"),
    ("header", "Clientid", "1234567890.1234567890"),
    ("header", "Profile", "https://www.example/schema#page"),
    ("user-agent", "User-Agent", "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/108.0.0.0 Safari/537.36"),
    ("user-agent", "User-Agent", "Dalvik/2.1.0 (Linux; U; Android 9; Build/SN001010012345672)"),
]


@pytest.mark.parametrize(("place", "name", "value"), HARD)
def test_hard_negatives(place: str, name: str, value: str) -> None:
    matches = detect([Field(place, name, value)], Losses())
    assert not [match for match in matches if match.confidence != "hint"]


@given(st.sampled_from(["id", "order", "q", "ts", "v", "X-Request-Id", "_ga"]), st.text("0123456789", max_size=20))
def test_digits_are_not_evidence(name: str, digits: str) -> None:
    for place in ("header", "cookie", "query", "path"):
        assert {match.confidence for match in detect([Field(place, name, digits)], Losses())} <= {"hint"}


latin = st.text(st.characters(max_codepoint=255), max_size=80)
known = st.sampled_from(sorted({name for s in builtin().signatures.values() for name in s.names}))


@given(st.sampled_from(sorted(PLACE_CLASSES)), known | latin, latin)
def test_nothing_captured_raises_and_every_match_is_well_formed(place: str, name: str, value: str) -> None:
    for match in detect([Field(place, name, value)], Losses()):
        assert match.value
        assert match.normal
        assert match.identifier in IDENTIFIERS
        assert match.confidence in CONFIDENCES
        assert match.severity in SEVERITIES
        assert not any(match.value in word for word in match.evidence if len(match.value) > 8)


HOSTILE = [
    "4",
    "+1 ",
    "<tel:",
    "isdn=",
    "1 ",
    "imei:1",
    '"msisdn":"4',
    "1-",
    "3gppnetwork.org",
    "a_",
    "a.",
    "(",
    "%25",
    "A",
    "for=",
    ";",
    "a=1;",
    "1,",
    "0.0.",
    "@",
    "a@a.",
    ":",
    " ",
    "{",
    "<",
    "1-",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_values_are_cheap_under_every_name(piece: str) -> None:
    hostile = (piece * 4096)[:4096]
    fields = [
        Field(place, name, hostile)
        for signature in builtin().signatures.values()
        for name in signature.names
        for place in signature.places - {"part"}
    ] + [Field("query", "q", hostile)]
    began = time.process_time()
    detect(fields, Losses())
    assert (time.process_time() - began) / len(fields) < 0.005


def test_pairs_without_a_message() -> None:
    fields = pairs_fields([("Host", "www.example"), ("X-MSISDN", NUMBER), ("Cookie", f"imsi={IMSI}")], Losses())
    assert [match.identifier for match in detect(fields, Losses())] == ["msisdn", "imsi"]


def test_a_number_beside_an_address() -> None:
    """Where addresses are meant a number is one under a name that says nothing."""
    found = detect([Field("header", "X-Forwarded-For", f"{NUMBER}, 10.1.2.3")], Losses())
    assert {(match.identifier, match.confidence) for match in found} == {("private_ip", "probable"), ("msisdn", "hint")}
