"""Many byte strings at once: the same hits as one search for each, wherever pieces of the buffer end."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.redaction import needles as module
from leakscan.redaction.fakes import Identity
from leakscan.redaction.forms import forms
from leakscan.redaction.needles import Needles, TooMany

IDENTITY, FAKE = Identity("msisdn", "447700900123"), "447700900777"


def of(*pairs: tuple[bytes, bytes | None]) -> Needles:
    made = Needles()
    for old, new in pairs:
        made.add(old, new)
    return made


def everything(identity: Identity = IDENTITY, fake: str = FAKE) -> Needles:
    made = Needles()
    for form in forms(identity, fake):
        made.add(form.old, form.new, whole=form.whole, tail=form.tail)
    return made


def replaced(needles: Needles, data: bytes) -> bytes:
    """Every hit replaced, the longest first."""
    new, done = bytearray(data), bytearray(len(data))
    for hit in sorted(needles.search(data), key=lambda hit: -hit.size):
        for at, byte in enumerate(hit.new or b"", hit.start):
            if not done[at]:
                new[at], done[at] = byte, 1
    return bytes(new)


@given(
    st.lists(st.binary(min_size=6, max_size=12).map(lambda data: bytes(b % 3 for b in data)), max_size=8, unique=True),
    st.binary(max_size=300).map(lambda data: bytes(b % 3 for b in data)),
)
def test_the_same_as_one_search_for_each(olds, data):
    found = {
        (hit.start, hit.needle.old) for hit in of(*((old, bytes(len(old))) for old in olds if any(old))).search(data)
    }
    expected = {
        (at, old)
        for old in olds
        if any(old)
        for at in range(len(data) - len(old) + 1)
        if data[at : at + len(old)] == old
    }
    assert found == expected


def test_where_pieces_of_the_buffer_end(monkeypatch):
    monkeypatch.setattr(module, "PIECE_BYTES", 16)
    needles = of((b"447700900123", b"447700900777"))
    for at in range(40):
        data = b"x" * at + b"447700900123" + b"y" * (50 - at)
        assert [hit.start for hit in needles.search(data)] == [at]


def test_short_ones_are_let_go_and_the_first_of_two_stays():
    needles = of(
        (b"12345", b"54321"), (b"447700900123", b"a" * 12), (b"447700900123", b"b" * 12), (b"same-same", b"same-same")
    )
    assert len(needles) == 1
    assert needles.search(b"447700900123 12345")[0].new == b"a" * 12


def test_an_address_is_not_part_of_another():
    needles = Needles()
    needles.add(b"10.0.0.1", b"10.9.9.9", whole=True)
    data = b"10.0.0.1, 10.0.0.12 110.0.0.1 10.0.0.1.2 10.0.0.1. x=10.0.0.1"
    assert [hit.start for hit in needles.search(data)] == [0, 41, 53]


def test_there_is_a_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_NEEDLES", 2)
    with pytest.raises(TooMany):
        of(*((bytes([n]) * 8, bytes(8)) for n in range(1, 5)))


@pytest.mark.parametrize(("before", "behind"), list(itertools.product(range(7), range(7))))
def test_base64_at_every_place_of_a_group(before, behind):
    """In either alphabet, with anything around it; and what comes out decodes to the fake."""
    for encode, decode in ((base64.b64encode, base64.b64decode), (base64.urlsafe_b64encode, base64.urlsafe_b64decode)):
        for filler in (b"\xff", b"a", b"\0"):
            data = encode(filler * before + b"447700900123" + filler * behind)
            assert decode(replaced(everything(), data)) == filler * before + b"447700900777" + filler * behind


OLD, NEW = b"447700900123", b"447700900777"


def swapped(digits: bytes) -> bytes:
    return b"".join(digits[at + 1 : at + 2] + digits[at : at + 1] for at in range(0, len(digits), 2))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda n: n,
        lambda n: b"+" + n,
        lambda n: n[2:],
        lambda n: b"0" + n[2:],
        lambda n: n.hex().encode(),
        lambda n: b"".join(b"%%%02X" % byte for byte in n),
        lambda n: n.decode().encode("utf-16-le"),
        lambda n: n.decode().encode("utf-16-be"),
        lambda n: n[::-1],
        swapped,
        lambda n: bytes.fromhex(swapped(n).decode()),
        lambda n: b"GET /?a=" + n + b"&b HTTP/1.1",
    ],
)
def test_forms_of_a_number(wrap):
    data = b"before " + wrap(OLD) + b" behind"
    assert replaced(everything(), data) == b"before " + wrap(NEW) + b" behind"


def test_digits_of_odd_number_have_a_filler():
    needles = everything(Identity("imsi", "001010123456789"), "001010999888777")
    text, fake = swapped(b"001010123456789f").decode(), swapped(b"001010999888777f").decode()
    for data, expected in (
        (text.encode(), fake.encode()),
        (text.upper().encode(), fake.upper().encode()),
        (bytes.fromhex(text), bytes.fromhex(fake)),
    ):
        assert replaced(needles, b"\0" + data + b"\0") == b"\0" + expected + b"\0"


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("spell", ["{}", "+{}", "00{}", "0{national}"])
def test_hashes_become_those_of_the_fake(name, spell):
    import hashlib

    digests = [
        hashlib.new(name, spell.format(n, national=n[2:]).encode()).hexdigest() for n in (OLD.decode(), NEW.decode())
    ]
    needles = everything()
    assert replaced(needles, digests[0].encode()) == digests[1].encode()
    assert replaced(needles, digests[0].upper().encode()) == digests[1].upper().encode()


def test_mac_addresses_in_headers_and_as_octets():
    needles = everything(Identity("mac", "001b21a0b1c2"), "02ffeeddccbb")
    assert replaced(needles, b"00:1b:21:a0:b1:c2 00-1B-21-A0-B1-C2 001b21a0b1c2") == (
        b"02:ff:ee:dd:cc:bb 02-FF-EE-DD-CC-BB 02ffeeddccbb"
    )
    assert replaced(needles, bytes.fromhex("ffffffffffff001b21a0b1c20800")) == bytes.fromhex(
        "ffffffffffff02ffeeddccbb0800"
    )


def test_an_address_in_a_url():
    """Percent-encoded in the one character that needs it."""
    needles = everything(Identity("email", "user.name@mail.example"), "qdkw.yhtb@lisq.example")
    assert replaced(needles, b"?m=user.name%40mail.example&a") == b"?m=qdkw.yhtb%40lisq.example&a"


@pytest.mark.parametrize("mark", ["%3A", "%3a"])
def test_a_mac_address_in_a_url(mark):
    needles = everything(Identity("mac", "001b21a0b1c2"), "02ffeeddccbb")
    pairs = mark.join(["00", "1b", "21", "a0", "b1", "c2"]).encode()
    assert (
        replaced(needles, b"?mac=" + pairs + b"&a")
        == b"?mac=" + mark.join(["02", "ff", "ee", "dd", "cc", "bb"]).encode() + b"&a"
    )
