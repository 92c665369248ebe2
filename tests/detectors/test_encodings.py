"""The readings of a value, and what they cost."""

from __future__ import annotations

import base64
import binascii
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors.encodings import DECODERS, MAX_DECODES, MAX_DEPTH, readings

NUMBER = "447700900123"


@pytest.mark.parametrize(
    ("value", "text", "chain"),
    [
        (NUMBER, NUMBER, ()),
        (f' "{NUMBER}" ', NUMBER, ()),
        (f"<{NUMBER}>", NUMBER, ()),
        ("%2B447700900123", "+447700900123", ("percent",)),
        ("%252B447700900123", "+447700900123", ("percent", "percent")),
        ("%25252B447700900123", "+447700900123", ("percent", "percent", "percent")),
        ("NDQ3NzAwOTAwMTIz", NUMBER, ("base64",)),
        ("NDQ3NzAwOTAwMTIz%3D", NUMBER, ("percent", "base64")),
        ("Pz8_bXNpc2RuPTE_", "???msisdn=1?", ("base64url",)),
        ("343437373030393030313233", NUMBER, ("hex",)),
        ("MzQzNDM3MzczMDMwMzkzMDMwMzEzMjMz", NUMBER, ("base64", "hex")),
        ("00010121436587F9", "001010123456789", ("tbcd",)),
        ("00010110325476f2", "001010012345672", ("tbcd",)),
        ("98440100000000000000", "89441000000000000000", ("tbcd",)),
    ],
)
def test_reading(value: str, text: str, chain: tuple[str, ...]) -> None:
    assert (text, chain) in list(readings(value))


@pytest.mark.parametrize(
    "value",
    [
        NUMBER,
        "1700000000",
        "0123456789abcdef",
        "d41d8cd98f00b204e9800998ecf8427e",
        "hello world",
        "AbCdEfGh01234567",
        "",
    ],
)
def test_what_is_not_encoded_has_one_reading(value: str) -> None:
    assert len(list(readings(value))) == 1


def test_the_plain_reading_is_first_and_no_reading_comes_twice() -> None:
    texts = [text for text, _ in readings("%2534%34NDQ3")]
    assert texts[0] == "%2534%34NDQ3"
    assert len(texts) == len(set(texts))


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40), st.integers(0, 2))
def test_what_was_encoded_is_read(text: str, which: int) -> None:
    encoded = [
        quote(text, safe=""),
        base64.b64encode(text.encode()).decode(),
        binascii.hexlify(text.encode()).decode(),
    ][which]
    wanted = next(iter(readings(text)))[0]
    assert wanted in {reading for reading, _ in readings(encoded)}


@given(st.text(st.characters(max_codepoint=255), max_size=300))
def test_bounds(value: str) -> None:
    found = list(readings(value))
    assert len(found) <= MAX_DECODES + 1
    assert all(len(chain) <= MAX_DEPTH and set(chain) <= {name for name, _ in DECODERS} for _, chain in found)


@pytest.mark.parametrize("hostile", ["%25" * 1365, "A" * 4096, "4" * 4096, "%" * 4096, "_" * 4096, "QUFB" * 1024])
def test_hostile_values_are_cheap(hostile: str) -> None:
    began = time.process_time()
    for _ in range(10):
        list(readings(hostile))
    assert time.process_time() - began < 1.0
