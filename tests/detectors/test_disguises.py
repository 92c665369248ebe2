"""Disguises: whatever an identifier wears under a name that tells is taken off, and what wears nothing is left alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from leakscan.detectors import detect, imei, imsi
from leakscan.losses import Losses
from leakscan.model import Field
from tests.detectors import chance
from tests.detectors.disguises import (
    b64,
    b64_bare,
    b64url,
    backwards,
    hexed,
    hexed_apart,
    hexed_high,
    jwt,
    packed,
    percent,
    percent_lightly,
    quoted,
    tbcd,
    tbcd_address,
    undone,
)

NUMBER, IMSI, IMEI, ICCID = "447700900123", "001010123456789", "001010012345672", "8944101234567890128"
AMERICAN = "12025550123"
FREE = "448081570123"  # kept for fiction, too; in hex of ASCII its end is like a time
DIGITS = "hex digits, nearly all decimal"
REALM = "mnc001.mcc001.3gppnetwork.org"


def found(place: str, name: str, value: str) -> list[tuple[str, str, str, str]]:
    """rule, value, chain, confidence of each match."""
    matches = detect([Field(place, name, value)], Losses())
    return [(match.rule, match.value, " > ".join(match.encoding), match.confidence) for match in matches]


@pytest.mark.parametrize(
    ("name", "value", "identifier", "chain", "confidence"),
    [
        ("x-msisdn", quoted(NUMBER), NUMBER, "", "confirmed"),
        ("x-msisdn", rf"\"{NUMBER}\"", NUMBER, "", "confirmed"),
        ("x-msisdn", percent(NUMBER), NUMBER, "percent", "confirmed"),
        ("x-msisdn", percent_lightly(percent_lightly(percent_lightly("+44 7700 900123"))), NUMBER, "percent > percent > percent", "confirmed"),
        ("x-msisdn", b64(NUMBER), NUMBER, "base64", "confirmed"),
        ("x-msisdn", b64_bare(AMERICAN), AMERICAN, "base64", "confirmed"),
        ("x-msisdn", b64(hexed(NUMBER)), NUMBER, "base64 > hex", "confirmed"),
        ("x-msisdn", percent(b64(hexed(NUMBER))), NUMBER, "percent > base64 > hex", "confirmed"),
        ("x-msisdn", hexed(NUMBER), NUMBER, "hex", "confirmed"),
        ("x-msisdn", "0x" + hexed(NUMBER), NUMBER, "hex", "confirmed"),
        ("x-msisdn", hexed_apart(NUMBER), NUMBER, "hex", "confirmed"),
        ("x-msisdn", "".join(rf"\x{ord(char):02x}" for char in NUMBER), NUMBER, "hex", "confirmed"),
        ("x-msisdn", r"\u0034\u0034" + NUMBER[2:], NUMBER, "json", "confirmed"),
        ("x-msisdn", tbcd(AMERICAN), AMERICAN, "tbcd", "confirmed"),
        ("x-msisdn", tbcd_address(AMERICAN), AMERICAN, "tbcd", "confirmed"),
        ("x-msisdn", tbcd_address(NUMBER), NUMBER, "tbcd", "probable"),
        ("x-msisdn", packed(AMERICAN), AMERICAN, "base64 > tbcd", "confirmed"),
        ("x-msisdn", packed(NUMBER), NUMBER, "base64 > tbcd", "probable"),
        ("x-msisdn", b64(hexed(FREE)), FREE, "base64 > hex", "confirmed"),
        ("x-imsi", packed(IMSI), IMSI, "base64 > tbcd", "confirmed"),
        ("x-msisdn", percent(b64(b64(b64(NUMBER)))), NUMBER, "percent > base64 > base64 > base64", "confirmed"),
        ("x-msisdn", backwards(NUMBER), NUMBER, "reversed", "probable"),
        ("x-msisdn", b64(backwards(NUMBER)), NUMBER, "base64 > reversed", "probable"),
        ("x-msisdn", backwards(b64(NUMBER)), NUMBER, "reversed > base64", "probable"),
        ("x-imsi", tbcd(IMSI), IMSI, "tbcd", "confirmed"),
        ("x-imsi", backwards(IMSI), IMSI, "reversed", "probable"),
        ("x-imei", tbcd(IMEI), IMEI, "tbcd", "confirmed"),
        ("x-imei", backwards(IMEI), IMEI, "reversed", "probable"),
        ("x-imei", tbcd("0140000123456703"), "0140000123456703", "tbcd", "probable"),  # an IMEISV, as 1004...
        ("x-iccid", tbcd(ICCID), ICCID, "tbcd", "confirmed"),
        ("x-iccid", hexed(backwards(ICCID)), ICCID, "hex > reversed", "probable"),
        # beside other things
        ("x-msisdn", f"{NUMBER}, 10.1.2.3", NUMBER, "", "confirmed"),
        ("x-msisdn", f"10.1.2.3, {NUMBER}", NUMBER, "", "confirmed"),
        ("x-imsi", f"{IMSI}|10.1.2.3", IMSI, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}1326153600", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}1326153600123", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}20120110120000", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}:1326153600", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}_1326153600", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}/34", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{{{NUMBER}}}", NUMBER, "", "confirmed"),
        ("x-msisdn", f"type=number|value={NUMBER}", NUMBER, "", "confirmed"),
        ("x-msisdn", "+44 (0)7700 900123", NUMBER, "", "confirmed"),
        ("x-msisdn", f"{NUMBER}@carrier.example", NUMBER, "", "confirmed"),
        ("x-msisdn", b64(f"{NUMBER};1326153600"), NUMBER, "base64", "confirmed"),
        # URIs and network access identifiers
        ("x-msisdn", f"tel:+{NUMBER};phone-context=carrier.example", NUMBER, "", "confirmed"),
        ("x-msisdn", f"msisdn-{NUMBER}", NUMBER, "", "confirmed"),
        ("p-asserted-identity", f'"A. User" <sip:+{NUMBER}@ims.{REALM};user=phone>', NUMBER, "", "confirmed"),
        ("p-asserted-identity", f"<sip:alice@carrier.example>, <tel:+{NUMBER}>", NUMBER, "", "confirmed"),
        ("p-asserted-identity", f"<sip:{IMSI}@ims.{REALM}>", IMSI, "", "confirmed"),
        ("x-imsi", f"0{IMSI}@nai.epc.{REALM}", IMSI, "", "confirmed"),
        ("x-imsi", f"1{IMSI}@wlan.{REALM}", IMSI, "", "confirmed"),
        ("x-imsi", f"6{IMSI}@nai.epc.{REALM}", IMSI, "", "confirmed"),
        ("x-imsi", f"wlan.{REALM}!0{IMSI}@visited.example", IMSI, "", "confirmed"),
        ("x-imsi", percent_lightly(f"0{IMSI}@nai.epc.{REALM}"), IMSI, "percent", "confirmed"),
        ("x-nai-id", f"imsi{IMSI}@sos.nai.epc.{REALM}", IMSI, "", "confirmed"),
        ("x-nai-id", f"imei{IMEI}@sos.nai.epc.{REALM}", IMEI, "", "confirmed"),
    ],
)  # fmt: skip
def test_under_a_known_name(name: str, value: str, identifier: str, chain: str, confidence: str) -> None:
    assert found("header", name, value) == [(name, identifier, chain, confidence)]


def test_a_number_in_a_nai_is_a_number() -> None:
    """Ten digits before a realm that is not a mobile network's: CDMA's user names. Others stay tokens."""
    for user, identifier in (
        (AMERICAN[1:], "msisdn"),
        ("0000000001", "subscriber_token"),
        ("user01", "subscriber_token"),
    ):
        (match,) = detect([Field("header", "x-up-nai", f"{user}@carrier.example")], Losses())
        assert match.identifier == identifier
        assert (match.value, match.normal) == (user, AMERICAN) or identifier != "msisdn"


def test_the_user_of_a_realm_may_have_another_code_of_the_country() -> None:
    """An operator has several, and a virtual one none; digits that no network has are no IMSI."""
    assert imsi.of_realm(IMSI, ("001-001",)) == IMSI
    assert imsi.of_realm("00102" + IMSI[5:], ("001-001",)) == ""
    assert imsi.of_realm(IMSI, ("999-99",)) == ""


def test_the_urn_of_a_device_says_what_it_is() -> None:
    """RFC 7254, under any name; the check digit is a spare 0 there."""
    value = f"<urn:gsma:imei:{IMEI[:8]}-{IMEI[8:14]}-0>"
    assert found("header", "+sip.instance", value) == [("value-identity", IMEI[:14] + "0", "", "probable")]


def test_a_prefix_that_is_dialled_is_no_part_of_a_number() -> None:
    """1 before a North American number that has its country code already."""
    assert [match[0] for match in found("query", "subscriber_count", "1" + AMERICAN)] in ([], ["value-msisdn"])


MEMBERS = json.dumps({"plan": "x", "subscriber": {"msisdn": NUMBER, "lines": [{"imsi": int("999" + "0" * 11 + "1")}]}})


@pytest.mark.parametrize(
    ("place", "name", "value", "expected"),
    [
        # each member by its own name
        ("header", "x-subscriber-info", MEMBERS, {("x-subscriber-info.msisdn", NUMBER, "json"), ("x-subscriber-info.imsi", "999" + "0" * 11 + "1", "json")}),
        ("header", "x-opwv-ddm-identity", b64(f"msisdn={NUMBER};imsi={IMSI}"), {("x-opwv-ddm-identity.msisdn", NUMBER, "base64"), ("x-opwv-ddm-identity.imsi", IMSI, "base64")}),
        ("header", "X-OPWV-DDM-Subscriber", b64(f"msisdn={NUMBER}&plan=1"), {("x-opwv-ddm-subscriber.msisdn", NUMBER, "base64")}),
        ("header", "x-network-info", f"GPRS,{b64(NUMBER)},10.100.0.9,wap.example,unsecured", {("x-network-info.msisdn", NUMBER, "base64"), ("x-network-info.ip", "10.100.0.9", ""), ("x-network-info.apn", "wap.example", "")}),
        ("header", "x-msisdn", f"msisdn={NUMBER};imsi={IMSI}", {("x-msisdn.msisdn", NUMBER, ""), ("x-msisdn.imsi", IMSI, "")}),
        ("header", "x-msisdn", f"msisdn:{NUMBER}", {("x-msisdn.msisdn", NUMBER, "")}),
        ("cookie", "User-Identity-Forward-msisdn", hexed(NUMBER), {("user-identity-forward-msisdn", NUMBER, "hex")}),
        # members without a name of their own have the field's
        ("header", "x-msisdn", json.dumps({"value": NUMBER}), {("x-msisdn", NUMBER, "json")}),
        ("header", "x-msisdn", json.dumps([NUMBER, ""]), {("x-msisdn", NUMBER, "json")}),
        ("header", "x-msisdn", b64(json.dumps({"v": hexed(NUMBER)})), {("x-msisdn", NUMBER, "base64 > json > hex")}),
        # values that name their parts, under names that say nothing
        ("cookie", "user", percent_lightly(json.dumps({"a": 1, "msisdn": NUMBER})), {("msisdn", NUMBER, "percent > json")}),
        ("cookie", "user", b64(json.dumps({"msisdn": b64(NUMBER)})), {("msisdn", NUMBER, "base64 > json > base64")}),
        ("header", "Authorization", "Bearer " + jwt("msisdn", NUMBER), {("msisdn", NUMBER, "jwt")}),
        ("header", "X-Acme-Token", jwt("phone_number", "+" + NUMBER), {("name-says-phone", NUMBER, "jwt")}),
        ("query", "u", percent_lightly(f"http://a.example/?x=1&imei={IMEI}"), {("imei", IMEI, "percent")}),
        ("query", "d", json.dumps({"a": json.dumps({"imei": IMEI})}), {("imei", IMEI, "json")}),
        ("query", "d", f'{{"imei":"{IMEI}","cut":"', {("imei", IMEI, "json")}),
        ("referer", "d", percent_lightly(percent_lightly(json.dumps({"imsi": IMSI}))), {("imsi", IMSI, "percent > percent > json")}),
    ],
)  # fmt: skip
def test_parts(place: str, name: str, value: str, expected: set[tuple[str, str, str]]) -> None:
    assert {match[:3] for match in found(place, name, value) if match[3] != "hint"} == expected


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("cookie", "user", percent_lightly(json.dumps({"id": NUMBER, "order": IMEI}))),
        ("cookie", "user", b64(json.dumps({"id": NUMBER}))),
        ("cookie", "user", b64(NUMBER)),
        ("query", "d", hexed(IMSI)),
        ("query", "q", f"imei check {IMEI}"),
        ("header", "X-Trace", jwt("jti", NUMBER)),
        ("header", "X-Msisdn-Format", json.dumps({"type": "msisdn", "width": 447700900123})),
        ("query", "phone", backwards(AMERICAN)),
        ("query", "call", tbcd(AMERICAN)),
    ],
)
def test_no_name_no_finding(place: str, name: str, value: str) -> None:
    assert [match for match in found(place, name, value) if match[3] != "hint"] == []


def test_a_national_number_is_not_read_backwards() -> None:
    assert found("header", "x-msisdn", "07700900123") == [("x-msisdn", "07700900123", "", "probable")]


def test_what_stands_inside_is_a_secret_too() -> None:
    (match,) = detect([Field("query", "u", f"http://a.example/?imei={percent(IMEI)}")], Losses())
    assert {match.field.value, percent(IMEI)} <= set(match.spans)


# -- any chain of three --------------------------------------------------------------------------------------------------


def _with_check_digit(digits: str) -> str:
    return next(digits + check for check in "0123456789" if imei.luhn(digits + check))


digits = st.text("0123456789", min_size=3, max_size=3)
long_digits = st.text("0123456789", min_size=10, max_size=10)
IDENTIFIERS = {
    "x-msisdn": digits.map(lambda d: "447700900" + d) | digits.map(lambda d: "1202555" + "01" + d[:2]),
    "x-imsi": long_digits.map(lambda d: "00101" + d) | long_digits.map(lambda d: "99999" + d),
    "x-imei": long_digits.map(lambda d: _with_check_digit("0010" + d)),
    "x-iccid": long_digits.map(lambda d: _with_check_digit("89441000" + d)),
    "x-meid": long_digits.map(lambda d: "A1B2" + d) | long_digits.map(lambda d: "a1b2" + d),
}
ENCODERS = [percent, percent_lightly, b64, b64_bare, b64url, hexed, hexed_high, hexed_apart, quoted, backwards, tbcd]


def _is_valid(name: str, text: str) -> bool:
    """Whether a text, as it stands, is a number of the kind: then nobody can tell that it is another one in disguise."""
    matches = detect([Field("header", name, text)], Losses())
    return any(not match.encoding and match.confidence != "hint" and match.identifier in name for match in matches)


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data(), st.sampled_from(sorted(IDENTIFIERS)), st.lists(st.sampled_from(ENCODERS), min_size=1, max_size=3))
def test_any_chain_is_undone(data: st.DataObject, name: str, encoders: list) -> None:
    identifier = data.draw(IDENTIFIERS[name])
    if name != "x-meid" and {backwards, tbcd} & set(encoders):
        # Digits that, read another way, are a number of their kind as well tell nobody which one is meant.
        others = (backwards(identifier), tbcd(identifier), backwards(tbcd(identifier)), tbcd(backwards(identifier)))
        assume(not any(_is_valid(name, other) for other in others if other.isdigit()))
    text, steps = identifier, []
    for encode in encoders:
        if encode is tbcd and not (text.isdigit() and (name != "x-meid")):
            continue
        if encode is backwards and name == "x-meid":
            continue
        text = encode(text)
        if encode in (tbcd, backwards) and text.isdigit():
            assume(not _is_valid(name, text))
            assume(not (name == "x-msisdn" and text.startswith("0") and len(text) <= 11))
        steps.append(encode)
    if text == identifier:
        return
    matches = detect([Field("header", name, text)], Losses())
    assert matches, text
    assert [match.value for match in matches] == [identifier], (text, matches)
    assert undone(text, matches[0].encoding) == identifier
    assert len(matches[0].encoding) <= len(steps)


@pytest.mark.parametrize("form", sorted(set(chance.FORMS) - {DIGITS}))
def test_random_values_do_not_become_numbers(form: str) -> None:
    assert sum(chance.decoded(form, 2000).values()) <= 1
    assert sum(chance.decoded(form, 1000, loose=True).values()) == 0


def test_random_digits_seldom_do() -> None:
    """Mostly decimal digits under a name that says number: the worst there is. Plain digits would be findings anyway."""
    assert sum(chance.decoded(DIGITS, 2000).values()) <= 40
    assert sum(chance.decoded(DIGITS, 1000, loose=True).values()) <= 10
