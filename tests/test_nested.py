"""JSON to its members: whole, cut, broken, hostile."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.nested import MAX_MEMBERS, lines, members, tagged, unescaped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "1", "b": {"c": [2, "3", {"d": 4}]}}', [("a", "1"), ("c", "2"), ("c", "3"), ("d", "4")]),
        ('["x", 5]', [("", "x"), ("", "5")]),
        ('{"a": 1, "a": 2}', [("a", "1"), ("a", "2")]),
        ('{"a": 4.47700900123e11, "b": 1.5, "c": 1e999, "d": null, "e": true}', [("a", "447700900123"), ("b", "1.5"), ("c", "1e999")]),
        ('{"a": "{\\"b\\": \\"1\\"}"}', [("b", "1")]),
        ('{"\\u0061": "\\u0031"}', [("a", "1")]),
        (' {"a": "1"} ', [("a", "1")]),
        ('{"a": "1", "b": "2', [("a", "1"), ("b", "2")]),
        ('{"a": "1"}\n{"a": "2"}', [("a", "1"), ("a", "2")]),
        ("{'a': '1'}", None),
        ("{}", []),
        ("a=1", None),
        ("", None),
        ("447700900123", None),
    ],
)  # fmt: skip
def test_members(text: str, expected: list[tuple[str, str]] | None) -> None:
    assert members(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<?xml version="1.0"?><r><imsi>1</imsi><a/> </r>', [("imsi", "1")]),
        ("<soap:Body><m:imsi>1</m:imsi></soap:Body>", [("imsi", "1")]),
        ("<r imsi='1' os=\"x\"/>", [("imsi", "1"), ("os", "x")]),
        ("<imsi><![CDATA[1]]></imsi>", [("imsi", "1")]),
        ("<key>imsi</key><string>1</string>", [("key", "imsi"), ("string", "1"), ("imsi", "1")]),
        ("<name>imsi</name><value><int>1</int></value>", [("name", "imsi"), ("int", "1"), ("imsi", "1")]),
        ('<param name="imsi" value="1"/>', [("name", "imsi"), ("value", "1"), ("imsi", "1")]),
        ('<param name="imsi">1</param><b>2</b>', [("name", "imsi"), ("param", "1"), ("imsi", "1"), ("b", "2")]),
        ("<imsi>1", [("imsi", "1")]),
        ("no tags", []),
    ],
)  # fmt: skip
def test_tagged(text: str, expected: list[tuple[str, str]]) -> None:
    assert tagged(text) == expected


def test_lines() -> None:
    text = 'os=x\r\nimsi: 1\n"imei" = 2\nno value\n=3\n'
    assert lines(text) == [("os", "x"), ("imsi", "1"), ("imei", "2")]


def test_there_is_a_limit() -> None:
    assert len(members(json.dumps(list(range(2 * MAX_MEMBERS)))) or ()) == MAX_MEMBERS


@pytest.mark.parametrize(("text", "expected"), [(r"\u0034", "4"), (r"a\"b", 'a"b'), ("a", None), ("\\", None)])
def test_unescaped(text: str, expected: str | None) -> None:
    assert unescaped(text) == expected


@given(st.text(max_size=200))
def test_nothing_raises(text: str) -> None:
    members("{" + text)
    members(text)
    unescaped(text)
    tagged("<" + text)
    lines(text)


@given(st.dictionaries(st.text(max_size=5), st.text("abc123", max_size=9), max_size=6))
def test_what_was_written_is_read(made: dict[str, str]) -> None:
    assert members(json.dumps(made)) == list(made.items())


@pytest.mark.parametrize(
    "piece", ["<", "<a", "<a>", "<a b='", '<a b="1" ', "a=", "<![CDATA[", "\n", " ", "a\n", "<param name='"]
)
def test_hostile_tags_are_cheap(piece: str) -> None:
    began = time.process_time()
    for text in ((piece * 100_000)[:100_000], "<a " + (piece * 100_000)[:100_000]):
        tagged(text)
        lines(text)
    assert time.process_time() - began < 0.5


HOSTILE = ["[", "{", '{"a":', '["', '"a":"', '"a":"\\', "[[1],", '{"a":"b",', "1", "\\u0041", '\\"']


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("start", ["{", "["])
def test_hostile_text_is_cheap(start: str, piece: str) -> None:
    began = time.process_time()
    members(start + (piece * 100_000)[:100_000])
    assert time.process_time() - began < 0.5
