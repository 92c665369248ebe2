"""Values alone: what is a hint, what is more, and that the search in a whole head misses none of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import detect, scan
from leakscan.fields import fields
from leakscan.losses import Losses
from leakscan.model import Field, Message, Origin

NUMBER = "447700900123"
IMSI = "001010123456789"
IMEI = "001010012345672"
ICCID = "8944101234567890128"
ACR = "001001STATRSV2015-07-09T15:51:15Z" + "Ab3" * 20


def found(value: str, place: str = "query", name: str = "x") -> set[tuple[str, str, str]]:
    matches = detect([Field(place, name, value)], Losses())
    return {(match.rule, match.normal, match.confidence) for match in matches}


@pytest.mark.parametrize(
    ("value", "rule", "normal"),
    [
        (NUMBER, "value-msisdn", NUMBER),
        ("+" + NUMBER, "value-msisdn", NUMBER),
        ("%2B" + NUMBER, "value-msisdn", NUMBER),
        ("00" + NUMBER, "value-msisdn", NUMBER),
        ("+44 7700 900123", "value-msisdn", NUMBER),
        ("12025550123", "value-msisdn", "12025550123"),
        (f"a,{NUMBER},b", "value-msisdn", NUMBER),
        (f"a|{NUMBER}|b", "value-msisdn", NUMBER),
        (f'{{"u":"{NUMBER}"}}', "value-msisdn", NUMBER),
        (f"%7B%22u%22%3A%22{NUMBER}%22%7D", "value-msisdn", NUMBER),
        (IMSI, "value-imsi", IMSI),
        (IMEI, "value-imei", IMEI[:14]),
        ("00-101001-234567-2", "value-imei", IMEI[:14]),
        ("00101001-234567-03", "value-imei", IMEI[:14]),
        (ICCID, "value-iccid", ICCID[:-1]),
    ],
)
@pytest.mark.parametrize("place", ["header", "cookie", "query", "path", "referer", "user-agent"])
def test_a_valid_value_alone_is_a_hint(place: str, value: str, rule: str, normal: str) -> None:
    assert found(value, place) == {(rule, normal, "hint")}


@pytest.mark.parametrize(
    ("value", "rule", "normal"),
    [
        (f"imsi-{IMSI}", "value-identity", IMSI),
        (f"x,imei-{IMEI},y", "value-identity", IMEI[:14]),
        (f"sip:+{NUMBER}@ims.mnc001.mcc001.3gppnetwork.org", "value-identity", NUMBER),
        (f"0{IMSI}@nai.epc.mnc001.mcc001.3gppnetwork.org", "value-identity", IMSI),
        (ACR, "value-acr", "001001" + "Ab3" * 20),
    ],
)
def test_a_value_that_says_what_it_is_is_probable(value: str, rule: str, normal: str) -> None:
    assert (rule, normal, "probable") in found(value)


@pytest.mark.parametrize(
    "value",
    [
        "1700000000",  # UNIX time
        "1700000000123",
        "20141012093011",
        "GA1.2.1234567890.1700000000",
        "14538266.1402376246.1420290299.1420290299.1420290299.1",
        "52.520008447700900",
        "id_447700900123",
        "447700900123-7",
        "a447700900123",
        "447700900123f",
        "0123456789abcdef447700900123",
        "5ed8c096-7d50-434f-a015-447700900123",
        "v1.447700900123",
        "4477009001230000000000",
        "12345678901",
        "99999999999",
        "441134960123",  # a landline
        "111010123456789",
        "100010012345675",
        "89014103211118510720",  # the emulator's card
        "%447700900123",
    ],
)
def test_no_hint(value: str) -> None:
    assert found(value) == set()


def test_an_imsi_that_passes_for_an_imei_is_one() -> None:
    assert found("354010000000007") <= {("value-imei", "35401000000000", "hint")}


def test_a_known_name_whose_value_is_something_else_is_unknown() -> None:
    assert found(NUMBER, "query", "uid") == {("value-msisdn", NUMBER, "hint")}
    assert found("unknown", "query", "msisdn") == set()


def test_many_runs_are_cheap() -> None:
    assert len(found(" ".join(f"4477009{number:05}" for number in range(300)))) <= scan.MAX_CANDIDATES


def message(target: str, headers: tuple[tuple[str, str | None], ...]) -> Message:
    origin = Origin("a.pcap", 1, 6, "")
    return Message(
        origin,
        0,
        1,
        1,
        "a.pcap",
        "192.0.2.1",
        1,
        "192.0.2.2",
        80,
        None,
        "",
        "http/1.1",
        "GET",
        target,
        "",
        headers,
        False,
    )


pieces = st.lists(
    st.sampled_from(
        [NUMBER, "+", "00", "%2B", "%3D", IMSI, IMEI, ICCID, ACR, "1700000000", "44 7700", "imsi-", "@", "9"]
    )
    | st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=4),
    max_size=6,
).map("".join)


@given(pieces)
def test_what_is_silent_has_no_candidates(value: str) -> None:
    assert scan.speaks(value) or list(scan.candidates(value)) == []


@given(pieces, pieces, pieces, pieces)
def test_where_the_head_has_nothing_no_value_has(query: str, path: str, cookie: str, header: str) -> None:
    """What lets a request be passed over unseen."""
    target = f"/{path}/x/{path}?a={query}&b={path}"
    headers = (
        ("X-A", header),
        ("Cookie", f"a={cookie}; b={query}"),
        ("Referer", f"http://www.example/{path}?c={cookie}"),
    )
    head = f"GET {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    if not scan.line_speaks(head.encode("latin-1")):
        for field in fields(message(target, headers), Losses()):
            assert not scan.speaks(field.value)
            assert list(scan.candidates(field.value)) == []
