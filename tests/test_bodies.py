"""Bodies of requests: kept up to a limit, decompressed up to another, taken apart by their type, and found in."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan import bodies as bodies_module
from leakscan.bodies import MAX_BODY_BYTES, MAX_INFLATED_BYTES, Bodies, content
from leakscan.cli import run
from leakscan.fields import body_everything, body_fields
from leakscan.losses import Losses
from leakscan.model import Chunk, Coverage, Field, Head
from leakscan.protocols import Http1
from tests.builders import pcap
from tests.detectors.disguises import b64
from tests.streams import KEY, chunk, cut, frames, request, segment, through_bodies

NUMBER = "447700900123"


def heads(chunks: list[Chunk], losses: Losses | None = None) -> list[Head]:
    losses = Losses() if losses is None else losses
    return list(Http1(Coverage(), losses, bodies=Bodies(losses)).heads(chunks))


def post(body: bytes, *lines: str, path: str = "/p") -> bytes:
    return request(path, *lines, method="POST", body=body)


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    framed = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return request("/c", "Transfer-Encoding: chunked", method="POST") + framed + b"0\r\n" + trailer + b"\r\n"


# -- collecting ------------------------------------------------------------------------------------------------------------


def test_a_head_comes_with_its_body() -> None:
    losses = Losses()
    data = post(b"a=1") + request("/g") + chunked(b"hello ", b"world") + post(b"b=2")
    assert [(head.body, head.raw[:4]) for head in heads([chunk(data)], losses)] == [
        (b"a=1", b"POST"),
        (b"", b"GET "),
        (b"hello world", b"POST"),
        (b"b=2", b"POST"),
    ]
    assert not losses


PIPELINE = post(b"x" * 50) + chunked(b"one", b"two two", trailer=b"X: y\r\n") + request("/g") + post(b"last=1")


@settings(max_examples=100)
@given(st.lists(st.integers(1, len(PIPELINE)), max_size=20), st.randoms(use_true_random=False))
def test_any_cut_gives_the_same_bodies(places, random) -> None:
    pieces = [segment(1000 + at, piece, frame=number + 2) for number, (at, piece) in enumerate(cut(PIPELINE, places))]
    pieces += random.sample(pieces, min(2, len(pieces)))
    random.shuffle(pieces)
    losses = Losses()
    found = through_bodies([segment(999, flags=2), *pieces], losses)
    assert {(head.raw.split()[1], head.body) for head in found} == {
        (b"/p", b"x" * 50),
        (b"/c", b"onetwo two"),
        (b"/g", b""),
        (b"/p", b"last=1"),
    }
    assert not losses.of_kind("unread")
    assert not [name for name in losses if name.startswith("http.body")]


@pytest.mark.parametrize("at", [1, 3])
def test_it_does_not_wait_for_what_does_not_come(at: int) -> None:
    losses = Losses()
    data = post(b"0123456789")
    found = heads([chunk(data[: -10 + at]), chunk(b"", end=True)], losses)
    assert [head.body for head in found] == [b"0123456789"[:at]]
    assert losses["http.body-cut"] == 1
    losses = Losses()
    assert [head.body for head in heads([chunk(data[: -10 + at])], losses)] == [b"0123456789"[:at]]
    assert losses["http.body-cut"] == 1


def test_a_hole_in_a_body() -> None:
    losses = Losses()
    data = post(b"0123456789")
    found = heads([chunk(data[:-8]), chunk(data[-4:] + request("/next"), skipped=4)], losses)
    assert [(head.body, head.raw[:4]) for head in found] == [(b"01\x006789", b"POST"), (b"", b"GET ")]
    assert dict(losses) == {"http.body-cut": 1}


def test_a_hole_past_the_body() -> None:
    losses = Losses()
    found = heads([chunk(post(b"0123456789")[:-8]), chunk(request("/next"), skipped=50)], losses)
    assert [(head.body, head.raw[:4]) for head in found] == [(b"01", b"POST"), (b"", b"GET ")]
    assert losses["http.body-cut"] == 1


def test_a_body_that_the_server_refused() -> None:
    first = request("/a", "Content-Length: 5", "Expect: 100-continue", method="POST")
    losses = Losses()
    found = heads([chunk(first), chunk(request("/b"))], losses)
    assert [(head.raw.split()[1], head.body) for head in found] == [(b"/a", b""), (b"/b", b"")]
    assert not losses


def test_chunks_that_are_none() -> None:
    losses = Losses()
    found = heads([chunk(request("/c", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\nzz\r\n")], losses)
    assert [head.body for head in found] == [b"abc"]
    assert losses["http.body-cut"] == 1


def test_too_long_a_body_is_cut() -> None:
    losses = Losses()
    body = b"a" * (MAX_BODY_BYTES - 1) + b"bcd"
    found = heads([chunk(post(body)), chunk(post(b"next"))], losses)
    assert [head.body for head in found] == [body[:MAX_BODY_BYTES], b"next"]
    assert dict(losses) == {"http.body-too-long": 1}
    losses = Losses()
    assert (
        len(heads([chunk(piece) for _, piece in cut(post(body + body), range(0, 10**6, 5000))], losses)[0].body)
        == MAX_BODY_BYTES
    )
    assert dict(losses) == {"http.body-too-long": 1}


def test_too_many_bodies_are_given_up(monkeypatch) -> None:
    monkeypatch.setattr(bodies_module, "MAX_HELD_BYTES", 1000)
    losses = Losses()
    open_ones = [chunk(post(b"x" * 300)[:-1])._replace(key=KEY[:-4] + bytes((0, number, 0, 80))) for number in range(9)]
    found = heads(open_ones, losses)
    assert len(found) == 9
    assert losses["http.body-evicted"] == 7
    assert losses["http.body-cut"] == 2


def test_without_the_flag_nothing_changes() -> None:
    losses = Losses()
    found = list(Http1(Coverage(), losses).heads([chunk(PIPELINE)]))
    assert [head.body for head in found] == [b""] * 4
    assert losses["http.body-skipped"] == 3


# -- decompressing -----------------------------------------------------------------------------------------------------


def raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


TEXT = b'{"msisdn": "447700900123"}' * 20


@pytest.mark.parametrize(
    ("body", "coding", "loss"),
    [
        (TEXT, "", ""),
        (TEXT, "identity", ""),
        (gzip.compress(TEXT, mtime=0), "gzip", ""),
        (gzip.compress(TEXT, mtime=0), "X-GZIP", ""),
        (gzip.compress(TEXT, mtime=0), "", ""),
        (zlib.compress(TEXT), "deflate", ""),
        (raw_deflate(TEXT), "deflate", ""),
        (gzip.compress(TEXT, mtime=0)[:-9], "gzip", "http.body-undecodable"),
    ],
)
def test_content(body: bytes, coding: str, loss: str) -> None:
    losses = Losses()
    assert content(body, coding, losses) == (TEXT if not loss else content(body, coding, Losses()))
    assert content(body, coding, Losses()).startswith(b'{"msisdn": "447700900123"}')
    assert dict(losses) == ({loss: 1} if loss else {})


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (TEXT, "br"),
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0), "gzip, gzip"),
        (b"", "gzip"),
    ],
)
def test_content_that_cannot_be_told(body: bytes, coding: str) -> None:
    losses = Losses()
    assert content(body, coding, losses) == b""
    assert dict(losses) == {"http.body-undecodable": 1}


def test_a_damaged_body_is_read_up_to_the_damage() -> None:
    noise = bytes(range(256)) * 40
    packed = bytearray(gzip.compress(TEXT + noise, mtime=0))
    packed[-200] ^= 0xFF
    assert content(bytes(packed), "gzip", Losses()).startswith(TEXT[:26])


def test_a_bomb_is_not_unpacked() -> None:
    losses = Losses()
    bomb = gzip.compress(b"0" * (50 << 20), mtime=0)
    assert len(content(bomb, "gzip", losses)) <= min(MAX_INFLATED_BYTES, 100 * len(bomb))
    assert dict(losses) == {"http.body-too-long": 1}


# -- taking apart ------------------------------------------------------------------------------------------------------

MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="msisdn"\r\n\r\n447700900123\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nfile\r\n'
    b'--XX\r\nContent-Disposition: form-data; name=j\r\nContent-Type: application/json\r\n\r\n{"imsi":"001010123456789"}\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="p"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n'
    b"--XX--\r\n"
)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"a=1&b=%2B44&c&d=e=f\r\n", "application/x-www-form-urlencoded; charset=utf-8", [("a", "1"), ("b", "%2B44"), ("d", "e=f")]),
        (b"a=1&b=2", "", [("a", "1"), ("b", "2")]),
        (b"a=1&b=2", "text/plain", [("a", "1"), ("b", "2")]),
        (b"they say so: 1", "text/html", []),
        (b"os=x\r\nimsi: 1\r\nthey say so\r\n", "text/plain", [("os", "x"), ("imsi", "1")]),
        (b'{"a": {"b": "1", "c": [2, 3]}}', "application/json", [("b", "1"), ("c", "2"), ("c", "3")]),
        (b' [{"a": 1}]', "application/x-www-form-urlencoded", [("a", "1")]),
        (b'{"a": "1", "b": "\xc3\xa9", "c', "", [("a", "1"), ("b", "\u00e9")]),
        (MULTIPART, 'multipart/form-data; boundary="XX"', [("msisdn", NUMBER), ("imsi", "001010123456789")]),
        (MULTIPART, "multipart/form-data; boundary=XX", [("msisdn", NUMBER), ("imsi", "001010123456789")]),
        (MULTIPART, "multipart/form-data", []),
        (b"<msisdn>447700900123</msisdn>", "text/xml", [("msisdn", NUMBER)]),
        (b'<?xml version="1.0"?><r imsi="1"/>', "", [("imsi", "1")]),
        (b"<msisdn>447700900123</msisdn>", "text/html", []),
        (b"\x00\x01=2", "application/octet-stream", []),
        (b"", "application/json", []),
    ],
)  # fmt: skip
def test_fields(body: bytes, kind: str, expected: list[tuple[str, str]]) -> None:
    assert body_fields(body, kind, Losses()) == [Field("body", name, value) for name, value in expected]
    assert {Field("body", name, value) for name, value in expected} <= set(body_everything(body, kind))


@given(
    st.binary(max_size=300), st.sampled_from(["application/json", "multipart/form-data; boundary=a", "text/plain", ""])
)
def test_nothing_raises(body: bytes, kind: str) -> None:
    body_fields(body, kind, Losses())
    list(body_everything(b"--a" + body + b"{", kind))
    content(body, "gzip", Losses())


def test_long_values_are_cut_and_counted() -> None:
    losses = Losses()
    (field,) = body_fields(b"a=" + b"1" * 5000, "application/x-www-form-urlencoded", losses)
    assert len(field.value) == 4096
    assert losses["value.too-long"] == 1


# -- end to end ----------------------------------------------------------------------------------------------------------

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"


def leaks(folder, data: bytes, *arguments: str) -> tuple[int, list[dict], dict]:
    (folder / "a.pcap").write_bytes(pcap(frames(data, range(0, len(data), 700))))
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = run(["analyse", "-q", "-f", "jsonl", "--min-confidence", "hint", *arguments, str(folder / "a.pcap")])
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return code, [line for line in lines if line["type"] == "leak"], lines[-1]


@pytest.mark.parametrize(
    ("raw", "rule", "chain"),
    [
        (post(b"msisdn=447700900123&a=b", FORM), "msisdn", []),
        (post(b"msisdn=%2B447700900123", FORM), "msisdn", ["percent"]),
        (post(b'{"user": {"msisdn": "447700900123"}}', JSON), "msisdn", []),
        (post(gzip.compress(b'{"msisdn": 447700900123}', mtime=0), JSON, "Content-Encoding: gzip"), "msisdn", []),
        (post(MULTIPART, "Content-Type: multipart/form-data; boundary=XX"), "msisdn", []),
        (post(b"d=" + b64('{"msisdn":"447700900123"}').encode(), FORM), "msisdn", ["base64", "json"]),
        (chunked(b'{"msis', b'dn": "447700', b'900123"}'), "msisdn", []),
    ],
)  # fmt: skip
def test_found_in_a_body(tmp_path, raw: bytes, rule: str, chain: list[str]) -> None:
    code, found, summary = leaks(tmp_path, raw, "--bodies")
    found = [leak for leak in found if leak["identifier"] == "msisdn"]
    assert [(leak["place"], leak["rule"], leak["encoding"], leak["value"]) for leak in found] == [
        ("body", rule, chain, "44********23")
    ]
    assert code == 1
    assert "http.body-skipped" not in summary["coverage"]["losses"]["other"]
    code, found, summary = leaks(tmp_path, raw)
    assert (code, found) == (0, [])
    assert summary["coverage"]["losses"]["other"] == {"http.body-skipped": 1}


def test_known_values_in_bodies(tmp_path) -> None:
    (tmp_path / "known.toml").write_text(f'[[known]]\nkind = "msisdn"\nvalue = "+{NUMBER}"\n')
    raw = (
        post(b"<a>447700900123</a>", "Content-Type: text/xml")
        + post(b"x=447700900123", FORM)
        + post(b"msisdn=447700900123", FORM)
        + post(b"\x00\xff" + NUMBER.encode() + b"\x80", "Content-Type: application/octet-stream")
        + post(b"a" * 200_000 + b" 07700 900123", "Content-Type: text/plain")
        + post(b'{"a": ["447700900123"], "b": "447700900123"}', JSON)
    )
    _, found, summary = leaks(tmp_path, raw, "--bodies", "--known", str(tmp_path / "known.toml"))
    assert [(leak["place"], leak["name"], leak["rule"], leak["confidence"]) for leak in found] == [
        ("body", "a", "known-value", "confirmed"),
        ("body", "x", "known-value", "confirmed"),
        ("body", "msisdn", "msisdn", "confirmed"),
        ("body", "", "known-value", "confirmed"),
        ("body", "", "known-value", "confirmed"),
        ("body", "a", "known-value", "confirmed"),
        ("body", "b", "known-value", "confirmed"),
    ]
    assert summary["total"]["subscribers"] == 1
    assert leaks(tmp_path, raw, "--known", str(tmp_path / "known.toml"))[1] == []


def test_leaks_stay_in_the_order_of_the_heads(tmp_path) -> None:
    """The head of an upload is complete long before its body."""
    upload = post(b"msisdn=447700900123&a=" + b"b" * 5000, FORM)
    slow = frames(upload, range(0, len(upload), 500), port=40001)
    quick = frames(request("/", f"x-msisdn: {NUMBER}") * 3, port=40002)
    mixed = [*slow[:3], *quick, *slow[3:]]
    (tmp_path / "a.pcap").write_bytes(pcap(mixed))
    (tmp_path / "key").write_bytes(b"k" * 16)
    results = []
    for arguments in ([], ["--no-sieve"], ["-j", "1"]):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            run(
                [
                    "analyse",
                    "-q",
                    "-f",
                    "jsonl",
                    "--bodies",
                    "--pseudonym-key",
                    str(tmp_path / "key"),
                    *arguments,
                    str(tmp_path / "a.pcap"),
                ]
            )
        results.append(out.getvalue())
    assert len(set(results)) == 1
    found = [json.loads(line) for line in results[0].splitlines()[1:-1]]
    assert [leak["place"] for leak in found] == ["body", "header", "header", "header"]
    assert [leak["frame_end"] for leak in found] == sorted(leak["frame_end"] for leak in found)
