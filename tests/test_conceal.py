"""Masks, pseudonyms and keys: the raw value stops here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest

from leakscan.conceal import MIN_KEY_BYTES, Concealer, read_key
from leakscan.errors import FileMistake

KEY = b"0123456789abcdef"
NUMBER = "447700900123"


def test_pseudonym_is_an_hmac_over_kind_and_normal_form() -> None:
    expected = base64.b32encode(hmac.new(KEY, b"msisdn\0" + NUMBER.encode(), hashlib.sha256).digest())
    assert Concealer(KEY).pseudonym("msisdn", NUMBER) == "msisdn:" + expected[:12].decode().lower()


def test_pseudonyms_differ_by_kind_value_and_key() -> None:
    pseudonyms = [
        Concealer(KEY).pseudonym("msisdn", NUMBER),
        Concealer(KEY).pseudonym("imsi", NUMBER),
        Concealer(KEY).pseudonym("msisdn", "447700900124"),
        Concealer(KEY + b"x").pseudonym("msisdn", NUMBER),
        Concealer().pseudonym("msisdn", NUMBER),
        Concealer().pseudonym("msisdn", NUMBER),
    ]
    assert len({pseudonym.partition(":")[2] for pseudonym in pseudonyms}) == len(pseudonyms)
    assert all(re.fullmatch(r"(msisdn|imsi):[a-z2-7]{12}", pseudonym) for pseudonym in pseudonyms)


def test_key_id_names_the_key_and_gives_nothing_away() -> None:
    assert Concealer(KEY).key_id == Concealer(KEY).key_id != Concealer(KEY + b"x").key_id
    assert Concealer(KEY).key_id.startswith("key:")
    assert Concealer().key_id.startswith("run:")
    assert Concealer().key_id != Concealer().key_id


def test_values_are_hidden_unless_shown() -> None:
    hidden, shown = Concealer(KEY), Concealer(KEY, show_values=True)
    assert hidden.value("msisdn", NUMBER) == "44********23"
    assert hidden.redact(f"/{NUMBER}") == "/..."
    assert hidden.redact("/abcdefg", ["ABCDEFG"]) == "/..."
    assert re.fullmatch(r"ip:[a-z2-7]{12}", hidden.client("10.0.0.1"))
    assert shown.value("msisdn", NUMBER) == NUMBER
    assert shown.redact(f"/{NUMBER}", [NUMBER]) == f"/{NUMBER}"
    assert shown.client("10.0.0.1") == "10.0.0.1"
    assert shown.pseudonym("msisdn", NUMBER) == hidden.pseudonym("msisdn", NUMBER)


def test_text_that_is_not_unicode_has_a_pseudonym() -> None:
    assert Concealer(KEY).pseudonym("msisdn", "\ud800") != Concealer(KEY).pseudonym("msisdn", "\ud801")


def test_read_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(MIN_KEY_BYTES)))
    assert read_key(path) == bytes(range(MIN_KEY_BYTES))


@pytest.mark.parametrize("content", [b"", b"x" * (MIN_KEY_BYTES - 1), b"x" * (1 << 17)])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(FileMistake, match=r"key.*bytes"):
        read_key(path)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMistake, match="No such file"):
        read_key(tmp_path / "none")
