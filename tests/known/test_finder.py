"""Known values: every spelling, disguise and hash is found where it stands, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import time
import zlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.known import _best
from leakscan.known.file import Entry
from leakscan.known.finder import Finder, unquoted
from leakscan.known.index import Index
from tests.detectors.disguises import (
    b64,
    b64_bare,
    b64url,
    backwards,
    hexed,
    hexed_high,
    jwt,
    percent,
    percent_lightly,
    quoted,
    tbcd,
    tbcd_address,
)

NUMBER, IMSI, IMEI, ICCID = "447700900123", "001010123456789", "001010012345672", "8944101234567890128"
MEID, MAC, EMAIL, TOKEN = "A0000012345678", "00005e005302", "alice@mail.example", "AbC-dEf_12345678"
ADVERTISING = "5ed8c096-7d50-434f-a015-0e70fa445e36"
VALUES = {
    "msisdn": (NUMBER, NUMBER),
    "imsi": (IMSI, IMSI),
    "imei": (IMEI, IMEI[:-1]),
    "iccid": (ICCID, ICCID[:-1]),
    "meid_esn": (MEID, MEID),
    "mac": ("00:00:5E:00:53:02", MAC),
    "email": ("Alice@mail.example", EMAIL),
    "subscriber_token": (TOKEN, TOKEN),
    "advertising_id": (ADVERTISING, ADVERTISING),
    "device_id": ("a1b2c3d4e5f60718", "a1b2c3d4e5f60718"),
}
ENTRIES = tuple(
    Entry(number, kind, value, normal, "", ("pepper",), ())
    for number, (kind, (value, normal)) in enumerate(VALUES.items(), 1)
)
FINDER = Finder(Index(ENTRIES))


def found(text: str | bytes) -> dict[str, tuple[str, str, str]]:
    """Kind -> chain, how it is written, confidence: of the surest hit with the fewest encodings."""
    raw = text if isinstance(text, bytes) else text.encode("latin-1")
    best: dict[str, tuple[str, str, str]] = {}
    hits = list(FINDER.hits(raw))
    assert FINDER.search(raw) == bool(hits)
    for hit in _best(hits):
        best[hit.entry.kind] = (" > ".join(hit.chain), hit.words, hit.confidence)
    return best


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def digest64(name: str, text: str) -> str:
    return base64.b64encode(hashlib.new(name, text.encode()).digest()).decode()


@pytest.mark.parametrize(
    ("kind", "text", "chain", "words", "confidence"),
    [
        ("msisdn", NUMBER, "", "", "confirmed"),
        ("msisdn", f"+{NUMBER}", "", "", "confirmed"),
        ("msisdn", f"00{NUMBER}", "", "with 00", "confirmed"),
        ("msisdn", "07700900123", "", "in national form", "confirmed"),
        ("msisdn", "7700900123", "", "in national form", "confirmed"),
        ("msisdn", "+44 7700 900123", "", "with separators", "confirmed"),
        ("msisdn", "44-7700-900-123", "", "with separators", "confirmed"),
        ("msisdn", "+44 (0)7700 900123", "", "with (0)", "confirmed"),
        ("msisdn", "1.1 447700900123 5.0", "", "", "confirmed"),
        ("msisdn", "7 44 7700 900123 7", "", "with separators", "confirmed"),
        ("msisdn", f"{NUMBER}1326153600", "", "followed by a time", "confirmed"),
        ("msisdn", f"{NUMBER}20120110120000", "", "followed by a time", "confirmed"),
        ("msisdn", "x=RHcACRAy&y", "base64 > tbcd", "", "probable"),  # the octets 44 77 00 90 10 32
        ("msisdn", "kUR3AAkQMg==", "base64 > tbcd", "", "confirmed"),  # behind the octet for "international"
        ("msisdn", f"tel{NUMBER}x", "", "", "confirmed"),
        ("msisdn", tbcd(NUMBER), "tbcd", "", "confirmed"),
        ("msisdn", tbcd_address(NUMBER), "tbcd", "", "confirmed"),
        ("msisdn", backwards(NUMBER), "reversed", "", "confirmed"),
        ("msisdn", percent(NUMBER), "percent", "", "confirmed"),
        ("msisdn", percent(percent(NUMBER)), "percent > percent", "", "confirmed"),
        ("msisdn", "%22447700900123%22", "", "", "confirmed"),
        ("msisdn", f"a%20b&n={NUMBER}", "", "", "confirmed"),
        ("msisdn", b64(NUMBER), "base64", "", "confirmed"),
        ("msisdn", b64(f'{{"a":"x","n":"{NUMBER}"}}'), "base64", "", "confirmed"),
        ("msisdn", b64(f"?>~{NUMBER}"), "base64", "", "confirmed"),
        ("msisdn", b64("{\"name\":\"\u00e9\u00ff\",\"n\":\"" + NUMBER + '"}'), "base64", "", "confirmed"),
        ("msisdn", "Bearer " + jwt("sub", NUMBER), "base64", "", "confirmed"),
        ("msisdn", r"\u0034\u00347700900123", "json", "", "confirmed"),
        ("msisdn", b64(hexed(b64_bare(NUMBER))), "base64 > hex > base64", "", "confirmed"),
        ("msisdn", backwards(b64(NUMBER)), "reversed > base64", "", "confirmed"),
        ("msisdn", tbcd(hexed(NUMBER)), "tbcd > hex", "", "confirmed"),
        ("imsi", tbcd(IMSI), "tbcd", "", "confirmed"),
        ("imsi", f"0{IMSI}@nai.epc.mnc001.mcc001.3gppnetwork.org", "", "as in a NAI", "confirmed"),
        ("imsi", "00101-0123-456-789", "", "with separators", "confirmed"),
        ("imei", IMEI, "", "", "confirmed"),
        ("imei", IMEI[:-1], "", "without check digit", "confirmed"),
        ("imei", IMEI[:-1] + "0", "", "with a spare 0", "confirmed"),
        ("imei", IMEI[:-1] + "03", "", "as IMEISV", "confirmed"),
        ("imei", "00-101001-234567-2", "", "with separators", "confirmed"),
        ("imei", tbcd(IMEI).lower(), "tbcd", "", "confirmed"),
        ("iccid", ICCID[:-1], "", "without check digit", "confirmed"),
        ("iccid", "8944 1012 3456 7890 128", "", "with separators", "confirmed"),
        ("iccid", tbcd(ICCID), "tbcd", "", "confirmed"),
        ("meid_esn", MEID.lower(), "", "", "confirmed"),
        ("meid_esn", "268435457803430008", "", "in decimal form", "confirmed"),
        ("mac", "00-00-5E-00-53-02", "", "", "confirmed"),
        ("mac", "0000.5e00.5302", "", "", "confirmed"),
        ("mac", MAC.upper(), "", "without separators", "confirmed"),
        ("email", "ALICE@MAIL.EXAMPLE", "", "", "confirmed"),
        ("email", "alice%40mail.example", "percent", "", "confirmed"),
        ("email", b64(EMAIL), "base64", "", "confirmed"),
        ("email", "<alice@mail.example>.", "", "", "confirmed"),
        ("advertising_id", ADVERTISING.upper(), "", "", "confirmed"),
        ("advertising_id", ADVERTISING.replace("-", ""), "", "without separators", "confirmed"),
        ("subscriber_token", f"id={TOKEN};", "", "", "confirmed"),
        ("device_id", "A1B2C3D4E5F60718", "", "", "confirmed"),
        # hashes
        ("msisdn", md5(NUMBER), "md5", "md5 of the value", "confirmed"),
        ("msisdn", md5("+" + NUMBER).upper(), "md5", "md5 of the value with +", "confirmed"),
        ("msisdn", hashlib.sha1(b"07700900123").hexdigest(), "sha1", "sha1 of the value in national form", "confirmed"),
        ("msisdn", hashlib.sha256(b"+44 7700 900123").hexdigest(), "sha256", "sha256 of the value with separators", "confirmed"),
        ("msisdn", hashlib.sha512(NUMBER.encode()).hexdigest(), "sha512", "sha512 of the value", "confirmed"),
        ("msisdn", md5("pepper" + NUMBER), "md5", "md5 of the value, salted", "confirmed"),
        ("msisdn", md5(NUMBER + "pepper"), "md5", "md5 of the value, salted", "confirmed"),
        ("msisdn", f"u{md5(NUMBER)}"[-33:], "md5", "md5 of the value", "confirmed"),
        ("msisdn", md5(NUMBER)[:16], "md5", "md5 of the value, cut to 16 digits", "confirmed"),
        ("msisdn", md5(NUMBER)[:12], "md5", "md5 of the value, cut to 12 digits", "probable"),
        ("msisdn", md5(NUMBER)[:8], "md5", "md5 of the value, cut to 8 digits", "hint"),
        ("msisdn", f"{zlib.crc32(NUMBER.encode()):08X}", "crc32", "crc32 of the value", "hint"),
        ("msisdn", str(zlib.crc32(NUMBER.encode())), "crc32", "crc32 of the value", "hint"),
        ("msisdn", digest64("sha256", NUMBER), "base64 > sha256", "sha256 of the value", "confirmed"),
        ("msisdn", digest64("sha1", NUMBER).replace("+", "-").replace("/", "_").rstrip("="), "base64 > sha1", "sha1 of the value", "confirmed"),
        ("msisdn", percent_lightly(digest64("sha512", NUMBER)), "percent > base64 > sha512", "sha512 of the value", "confirmed"),
        ("msisdn", b64(md5(NUMBER)), "base64 > md5", "md5 of the value", "confirmed"),
        ("imei", md5(IMEI[:-1]), "md5", "md5 of the value without check digit", "confirmed"),
        ("email", md5(EMAIL), "md5", "md5 of the value", "confirmed"),
        ("email", md5("Alice@mail.example"), "md5", "md5 of the value", "confirmed"),
        ("mac", md5("00:00:5e:00:53:02"), "md5", "md5 of the value", "confirmed"),
        ("advertising_id", hashlib.sha1(ADVERTISING.upper().encode()).hexdigest(), "sha1", "sha1 of the value", "confirmed"),
    ],
)  # fmt: skip
def test_found(kind: str, text: str, chain: str, words: str, confidence: str) -> None:
    for around in ("{}", "GET /a?b={} HTTP/1.1", "x-y: {}\r\n", '{{"k":"{}"}}'):
        assert found(around.format(text)).get(kind) == (chain, words, confidence), around


@pytest.mark.parametrize(
    "text",
    [
        "447700900124",
        "1447700900123",
        "4477009001234",
        "44770090012",
        "447700900123" "1326153600" "1",
        md5(NUMBER)[:7],
        md5(NUMBER)[1:20],
        TOKEN.lower(),
        TOKEN[:-1],
        "alice@mail.example.org",
        "malice@mail.example",
        "00:00:5e:00:53",
        "00:00:5e:00:53:02:01",
        "%",
        "%%%41%4",
        "\\u00",
        "eyJ",
        "",
    ],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert found(text) == {}


DISGUISES = [percent, percent_lightly, b64, b64_bare, b64url, hexed, hexed_high, quoted]
TEXTS = {kind: [value for value in values if value] for kind, values in VALUES.items()}


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(TEXTS)),
    st.lists(st.sampled_from(DISGUISES), max_size=3),
    st.sampled_from(["{}", "a={}&b=1", "x {} y", "/{}/", ";{}"]),
    st.sampled_from(["", "md5", "sha1", "sha256", "sha512"]),
    st.sampled_from(["", "pepper"]),
)
def test_any_disguise_of_any_value_or_hash(kind, disguises, around, algorithm, salt) -> None:
    text = TEXTS[kind][0]
    if algorithm:
        text = hashlib.new(algorithm, (salt + text).encode()).hexdigest()
    for disguise in disguises:
        text = disguise(text)
    chain, _, confidence = found(around.format(text))[kind]
    assert confidence == "confirmed"
    assert len(chain.split(" > ")) <= len(disguises) + 1
    assert not algorithm or chain.endswith(algorithm)


@given(st.binary(max_size=200), st.sampled_from(sorted(VALUES)), st.sampled_from(DISGUISES))
def test_search_and_hits_never_differ(noise: bytes, kind: str, disguise) -> None:
    raw = noise + disguise(VALUES[kind][0]).encode() + noise
    assert FINDER.search(raw) == bool(list(FINDER.hits(raw)))
    assert Finder(Index(ENTRIES[:1])).search(noise) == FINDER.search(noise)


def test_percent_is_undone_a_bounded_number_of_times() -> None:
    assert unquoted(b"a") == [b"a"]
    assert unquoted(b"%2541") == [b"%2541", b"%41", b"A"]
    assert len(unquoted(b"%" + b"25" * 50 + b"41")) == 4


def many(count: int) -> Finder:
    random = Random(count)
    numbers = {f"4477009{random.randrange(10**5):05d}" for _ in range(count)}
    return Finder(Index(tuple(Entry(at, "msisdn", n, n, "", (), ()) for at, n in enumerate(sorted(numbers), 1))))


def seconds(finder: Finder, heads: list[bytes]) -> float:
    best = 1e9
    for _ in range(5):
        began = time.process_time()
        assert not any(finder.search(head) for head in heads)
        best = min(best, time.process_time() - began)
    return best


def test_the_cost_does_not_grow_with_the_values() -> None:
    random = Random(1)
    heads = [
        f"GET /p/{random.randrange(10**6)}?t={random.randrange(10**9, 10**10)} HTTP/1.1\r\nHost: www.example\r\n"
        f"Cookie: sid={random.randbytes(16).hex()}; _ga=GA1.2.{random.randrange(10**9)}.1326153600; a={b64(str(random.random()))}"
        f"\r\nUser-Agent: Mozilla/5.0 (Linux; Android 4.0.3) AppleWebKit/534.30\r\n\r\n".encode()
        for _ in range(1000)
    ]
    assert seconds(many(1000), heads) < 2 * seconds(many(2), heads)


HOSTILE = [
    "4",
    "44 ",
    "4.",
    "eyJ-",
    "eyJ",
    "%25",
    "a@",
    "@",
    "a1b2c3d4",
    "QUFB",
    "3a",
    "\\u0041",
    "00:",
    "A" * 63 + " ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_bytes_are_cheap(piece: str) -> None:
    raw = (piece.encode() * 100_000)[: 256 << 10]
    began = time.process_time()
    FINDER.search(raw)
    assert time.process_time() - began < 2
