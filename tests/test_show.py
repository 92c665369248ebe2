"""What redact hides and keeps, and what show escapes."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.show import redact, show

REDACTED = [
    # text, what is left of it
    ("/a/447700900123/b", "/a/.../b"),
    ("447700900123.news.example", "....news.example"),
    ("x-447700900123", "x-..."),
    ("/7700900", "/..."),
    ("/770090", "/770090"),
    ("/447-700-900123", "/..."),
    ("/44.7700.900.123", "/..."),
    ("/(0)7700 / 900 123", "/(..."),
    ("/%34%34%37%37%30%30900123", "/..."),
    ("/447%2D700%20900123", "/..."),
    ("/%2534%2534%25377700900", "/..."),
    ("/0123456789abcd", "/..."),
    ("/0123456789abc/", "/...abc/"),  # thirteen hex digits, of which ten are a run
    ("/deadbeefdeadb", "/deadbeefdeadb"),
    ("/deadbeefdeadbe", "/..."),
    ("/123e4567-e89b-42d3-a456-426614174000", "/..."),
    ("/00:00:5e:00:53:01/x", "/.../x"),
    ("/me@mail.example/x", "/.../x"),
    ("/me%40mail.example", "/..."),
    ("/index.html", "/index.html"),
    ("/v1.2/a%20b", "/v1.2/a%20b"),
    ("/100%", "/100%"),
    ("198.51.100.10", "198.51.100.10"),
    ("[2001:db8:1234:5678::9]", "[2001:db8:1234:5678::9]"),
    ("447.700.900.123", "..."),
    ("fe80::1%447700900123", "fe..."),
    ("", ""),
]


@pytest.mark.parametrize(("text", "left"), REDACTED)
def test_redact(text: str, left: str) -> None:
    assert redact(text) == left


SPANS = [
    # text, spans, what is left
    ("/t/AbCdEf/x", ("abcdef",), "/t/.../x"),
    ("/t/a%62cdef/x", ("abcdef",), "/t/.../x"),
    ("/t/xabcdefx", ("abcdef",), "/t/x...x"),
    ("/n95/n955", ("n95",), "/.../n955"),
    ("/1/21/1", ("1",), "/.../21/..."),
    ("198.51.100.10", ("198.51.100.10",), "..."),
    ("/index", ("",), "/index"),
]


@pytest.mark.parametrize(("text", "spans", "left"), SPANS)
def test_spans(text: str, spans: tuple[str, ...], left: str) -> None:
    assert redact(text, spans) == left


numbers = st.integers(0, 999).map(lambda last: f"447700900{last:03d}")
latin = st.text(st.characters(max_codepoint=0xFF), max_size=30)
no_digits = st.text(st.characters(max_codepoint=0xFF, exclude_categories=["Nd"]), max_size=30)


def dressed(number: str, marks: list[str], escaped: set[int]) -> str:
    """A number with a mark before each digit, some digits percent-encoded."""
    return "".join(
        mark + (f"%{ord(digit):02x}" if index in escaped else digit)
        for index, (mark, digit) in enumerate(zip(marks, number, strict=True))
    )


@given(
    numbers,
    st.lists(st.sampled_from(["", "", "-", ".", " ", "%20", "%2d", "/", ") ", "²"]), min_size=12, max_size=12),
    st.sets(st.integers(0, 11)),
    no_digits,
    no_digits,
)
def test_no_number_survives(number: str, marks: list[str], escaped: set[int], before: str, after: str) -> None:
    left = redact(before + dressed(number, marks, escaped) + after)
    assert len(re.sub(r"[^0-9]", "", left)) < 4  # an escape before the number may have taken a digit or two of it


@given(latin, latin, st.text(st.characters(max_codepoint=0xFF), min_size=4, max_size=12))
def test_no_span_survives(before: str, after: str, span: str) -> None:
    for text in (before + span + after, before + quote(span, encoding="latin-1") + after):
        left = redact(text, [span])
        assert span.lower() not in left.replace("...", "").lower() or span.lower() in (before + after).lower()


@pytest.mark.parametrize("piece", ["1", "%31", "%2531", "1-", "a", "@", "a@", ":", "0:", "00:", "....", "1...", "%"])
def test_redact_takes_linear_time(piece: str) -> None:
    redact(piece * (200_000 // len(piece)))


SHOWN = [
    ("plain", "plain"),
    ("a b", "a b"),
    ("\x1b[31m", "\\x1b[31m"),
    ("\x9b31m", "\\x9b31m"),
    ("a\r\nb\t", "a\\x0d\\x0ab\\x09"),
    ("\x7f", "\\x7f"),
    ("\u202eabc\u2066", "\\u202eabc\\u2066"),
    ("\u200b\ufeff", "\\u200b\\ufeff"),
    ("\ud800", "\\ud800"),
    ("\uffff\U0010ffff", "\\uffff\\U0010ffff"),
    ("\u2028", "\\u2028"),
    ("é[/b]", "é[/b]"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_show(text: str, shown: str) -> None:
    assert show(text) == shown


@given(st.text(st.characters()))
def test_show_leaves_nothing_alive(text: str) -> None:
    assert not [char for char in show(text) if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
    assert show(show(text)) == show(text)
