"""Where fields come from: a table of requests and the places in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.fields import MAX_FIELDS, MAX_VALUE_CHARS, fields, pairs_fields
from leakscan.losses import Losses
from leakscan.model import Message, Origin, Pair

ORIGIN = Origin("made-up", 1, 6, "")


def request(target: str, *headers: Pair) -> Message:
    return Message(
        origin=ORIGIN,
        time_ns=0,
        frame=1,
        frame_end=1,
        begins_in="made-up",
        client="192.0.2.1",
        client_port=40000,
        server="198.51.100.1",
        server_port=80,
        teid=None,
        tunnel="",
        protocol="http/1.1",
        method="GET",
        target=target,
        host="www.example",
        headers=headers,
        partial=False,
    )


def found(target: str, *headers: Pair) -> list[tuple[str, str, str]]:
    losses = Losses()
    result = [tuple(field) for field in fields(request(target, *headers), losses)]
    assert not losses
    return result


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", []),
        ("*", []),
        ("/?", []),
        ("/?a=1&b=2", [("query", "a", "1"), ("query", "b", "2")]),
        ("/?a=1;b=2", [("query", "a", "1"), ("query", "b", "2")]),
        ("/?a=1=2", [("query", "a", "1=2")]),
        ("/?a=%2B44&b=", [("query", "a", "%2B44"), ("query", "b", "")]),
        ("/?flag", []),
        ("/?a=1#b=2", [("query", "a", "1")]),
        ("http://www.example/x?a=1", [("query", "a", "1")]),
        ("/page/a=1/more", [("path", "a", "1")]),
        ("/page;sid=42;b=1", [("path", "sid", "42"), ("path", "b", "1")]),
        ("/msisdn/447700900123", [("path", "msisdn", "447700900123")]),
        ("/a/b/c/d/e/f", []),
    ],
)
def test_target(target: str, expected: list[tuple[str, str, str]]) -> None:
    assert found(target) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("X-MSISDN", "447700900123"), [("header", "X-MSISDN", "447700900123")]),
        (("x-empty", ""), [("header", "x-empty", "")]),
        (("a line without colon", None), []),
        (("User-Agent", "Example/1.0"), [("user-agent", "User-Agent", "Example/1.0")]),
        (("USER-AGENT", "Example/1.0"), [("user-agent", "USER-AGENT", "Example/1.0")]),
        (("Cookie", "a=1; b=2;c=3"), [("cookie", "a", "1"), ("cookie", "b", "2"), ("cookie", "c", "3")]),
        (("cookie", 'a="1"; lonely'), [("cookie", "a", '"1"')]),
        (("Cookie", "User-Identity-Forward-msisdn=00"), [("cookie", "User-Identity-Forward-msisdn", "00")]),
        (("Referer", "http://www.example/page?x=1&y=2"), [("referer", "x", "1"), ("referer", "y", "2")]),
        (("Referer", "http://www.example/"), []),
        (("Referer", "http://imei.example/1234567"), []),  # a host is no name
        (
            ("Referer", "https://www.example/msisdn/12345678;a=1/x?b=2"),
            [("referer", "a", "1"), ("referer", "b", "2")],
        ),
        (("Referer", "https://www.example/msisdn/12345678/x"), [("referer", "/msisdn", "12345678")]),
    ],
)
def test_header(header: Pair, expected: list[tuple[str, str, str]]) -> None:
    assert found("/", header) == expected


def test_order_duplicates_and_spelling_are_kept() -> None:
    assert found("/?q=1", ("X-A", "1"), ("x-a", "2"), ("X-A", "1")) == [
        ("query", "q", "1"),
        ("header", "X-A", "1"),
        ("header", "x-a", "2"),
        ("header", "X-A", "1"),
    ]


def test_pairs_alone_give_the_same_as_a_message() -> None:
    pairs: list[Pair] = [("Cookie", "a=1"), ("X-A", "2"), ("no colon", None), ("Referer", "http://www.example/?r=3")]
    assert pairs_fields(pairs, Losses()) == fields(request("/", *pairs), Losses())


@pytest.mark.parametrize("long", ["header", "cookie", "query", "referer"])
def test_long_values_are_cut_and_counted(long: str) -> None:
    value = "7" * (MAX_VALUE_CHARS + 1)
    target = f"/?a={value}" if long == "query" else "/"
    headers: dict[str, Pair] = {
        "header": ("X-A", value),
        "cookie": ("Cookie", f"b=1; a={value}"),
        "referer": ("Referer", f"http://www.example/?a={value}"),
    }
    losses = Losses()
    result = fields(request(target, *([headers[long]] if long in headers else [])), losses)
    assert len(result[-1].value) == MAX_VALUE_CHARS
    assert dict(losses) == {"value.too-long": 1}


def test_a_long_line_of_short_values_is_whole() -> None:
    line = "; ".join(f"c{number}=1" for number in range(2000))
    assert len(found("/", ("Cookie", line))) == 2000


@pytest.mark.parametrize("many", ["/?" + "a=1&" * (MAX_FIELDS + 10), "/" + "a=1/" * (MAX_FIELDS + 10)])
def test_too_many_fields_are_counted(many: str) -> None:
    losses = Losses()
    assert len(fields(request(many, ("X-A", "1")), losses)) <= MAX_FIELDS
    assert losses["message.fields-over"] == 1


latin = st.text(st.characters(max_codepoint=255), max_size=60)


@given(latin, st.lists(st.tuples(latin, st.none() | latin), max_size=8))
def test_nothing_captured_raises(target: str, pairs: list[Pair]) -> None:
    for field in fields(request(target, *pairs), Losses()):
        assert len(field.value) <= MAX_VALUE_CHARS
