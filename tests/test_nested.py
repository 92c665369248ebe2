"""JSON to its members: whole, cut, broken, hostile."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.nested import MAX_MEMBERS, members, unescaped


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


@given(st.dictionaries(st.text(max_size=5), st.text("abc123", max_size=9), max_size=6))
def test_what_was_written_is_read(made: dict[str, str]) -> None:
    assert members(json.dumps(made)) == list(made.items())


HOSTILE = ["[", "{", '{"a":', '["', '"a":"', '"a":"\\', "[[1],", '{"a":"b",', "1", "\\u0041", '\\"']


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("start", ["{", "["])
def test_hostile_text_is_cheap(start: str, piece: str) -> None:
    began = time.process_time()
    members(start + (piece * 100_000)[:100_000])
    assert time.process_time() - began < 0.5
