"""Responses as far as they are wanted: bodies of text, paired with their requests; any cut, any coding, every bound."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.losses import Losses
from leakscan.model import Answer, Head, Openings, Segment, reverse_key
from leakscan.protocols import responses as module
from leakscan.protocols.responses import Responses
from tests.streams import KEY, ORIGIN, cut, segment

BACK = reverse_key(KEY)
PAGE = b"<html>" + b"a page of some length; " * 20 + b"</html>"


def head(line: bytes = b"GET / HTTP/1.1", partial: bool = False, key: bytes = KEY) -> Head:
    return Head(key, line + b"\r\n\r\n", [line, b"", b""], ORIGIN, 0, 1, 1, "test.pcap", None, partial)


def response(body: bytes = PAGE, *lines: str, status: int = 200, kind: str = "text/html", length: bool = True) -> bytes:
    made = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *lines]
    if length:
        made.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*made, "", ""]).encode() + body


def chunked(body: bytes, size: int = 100) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"


def read(
    segments: Sequence[Segment | Openings], requests: Sequence[Head] = (head(),), losses: Losses | None = None
) -> list[Answer]:
    made = Responses(Losses() if losses is None else losses)
    for request in requests:
        made.asked(request)
    assert list(made.watch(segments)) == list(segments)
    return made.answers()


def segments(data: bytes, places: Sequence[int] = ()) -> list[Segment]:
    return [
        segment(1000 + at, piece, key=BACK, frame=10 + number) for number, (at, piece) in enumerate(cut(data, places))
    ]


def bodies(data: bytes, requests: Sequence[Head] = (head(),), losses: Losses | None = None) -> list[bytes]:
    return [answer.body for answer in read(segments(data), requests, losses)]


CHUNKED = response(b"", "Transfer-Encoding: chunked", length=False) + chunked(PAGE)
WHOLE = {
    "length": response(),
    "chunked": CHUNKED,
    "until the end": response(PAGE, length=False),
    "gzip": response(gzip.compress(PAGE, mtime=0), "Content-Encoding: gzip"),
    "deflate": response(zlib.compress(PAGE), "Content-Encoding: deflate"),
    "bare deflate": response(zlib.compress(PAGE, wbits=-15), "Content-Encoding: deflate"),
    "continue before": b"HTTP/1.1 100 Continue\r\n\r\n" + response(),
    "bare line feeds": response().replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=list(WHOLE))
def test_bodies(data: bytes) -> None:
    losses = Losses()
    assert bodies(data, losses=losses) == [PAGE]
    assert not losses


@given(st.sampled_from(list(WHOLE.values())), st.lists(st.integers(1, 700), max_size=8), st.randoms())
def test_any_cut_and_any_order_give_the_same(data: bytes, places: list[int], rng: random.Random) -> None:
    pieces = segments(data, places)
    first, rest = pieces[0], pieces[1:]
    rest += rng.sample(pieces, min(2, len(pieces)))  # some twice
    rng.shuffle(rest)
    if len(first.payload) < 7:  # where a direction begins is seen by its first bytes
        return
    answers = read([first, *rest])
    assert [answer.body for answer in answers] == [PAGE]


def test_where_it_stood() -> None:
    (answer,) = read(segments(response(), [50, 200]))
    assert (answer.frame, answer.frame_end, answer.kind) == (10, 12, "text/html")
    assert answer.request == head()


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"HEAD / HTTP/1.1", response()[: -len(PAGE)]),
        (b"GET / HTTP/1.1", response(b"", status=304, length=False)),
        (b"GET / HTTP/1.1", response(b"", status=204, length=False)),
        (b"GET / HTTP/1.1", response(b"")),
        (b"GET / HTTP/1.1", response(kind="image/gif")),
    ],
    ids=["HEAD", "304", "204", "empty", "a picture"],
)
def test_answers_without_a_page_are_passed(line: bytes, data: bytes) -> None:
    """And the next one is the next request's."""
    requests = [head(line), head(b"GET /2 HTTP/1.1")]
    assert [answer.request for answer in read(segments(data + response()), requests)] == [requests[1]]


@pytest.mark.parametrize(
    "data",
    [
        response(status=101),
        response(b"xx", "Content-Encoding: br"),
        response(b"xx", "Content-Encoding: gzip"),
        CHUNKED.replace(b"64;x=y", b"xyz", 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000,
        b"HTTP/1.1 nonsense\r\n\r\n",
    ],
    ids=["upgrade", "unknown coding", "not gzip", "chunk size", "endless head", "status line"],
)
def test_what_cannot_be_read_is_counted(data: bytes) -> None:
    losses = Losses()
    assert bodies(data, losses=losses) == []
    assert losses == {"http.response-skipped": 1}


def test_a_hole_ends_it() -> None:
    losses = Losses()
    pieces = segments(response(PAGE * 200), range(0, 100_000, 1000))
    assert read([*pieces[:1], *pieces[2:]], losses=losses) == []
    assert losses == {"http.response-skipped": 1}


def test_what_the_capture_cut_ends_it() -> None:
    losses = Losses()
    whole = segments(response())[0]
    assert read([whole._replace(payload=whole.payload[:100], missing=len(whole.payload) - 100)], losses=losses) == []
    assert losses == {"http.response-skipped": 1}


def test_a_new_connection_begins_anew() -> None:
    opening = Openings([(BACK, 1, 18, 0)])
    assert read([*segments(response(PAGE, length=False)), opening, *segments(response())]) != []
    assert len(read([opening, *segments(response())])) == 0  # the request was another connection's


def test_nobody_asked() -> None:
    assert bodies(response(), ()) == []
    assert bodies(response(), (head(partial=True),)) == []


def test_a_bomb_stops_at_the_ratio() -> None:
    losses = Losses()
    (body,) = bodies(response(gzip.compress(bytes(5 << 20), mtime=0), "Content-Encoding: gzip"), losses=losses)
    assert len(body) <= module.MAX_BODY_BYTES
    assert losses == {"http.response-skipped": 1}


def test_long_bodies_are_searched_at_their_beginning() -> None:
    losses = Losses()
    (body,) = bodies(response(PAGE * 2000), losses=losses)
    assert len(body) == module.MAX_RAW_BYTES
    assert losses == {"http.response-skipped": 1}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bound in {"MAX_CONNECTIONS": 8, "MAX_PENDING": 4, "MAX_BYTES": 5000}.items():
        monkeypatch.setattr(module, name, bound)
    made = Responses(Losses())
    unfinished = response(b"x" * 3000)[:-1]
    for number in range(100):
        key = KEY[:-4] + number.to_bytes(2) + KEY[-2:]
        for _ in range(1 + number % 6):
            made.asked(head(key=key))
        made._feed(segment(0, unfinished, key=reverse_key(key)))
        assert made._bytes <= 5000
        assert len(made._streams) <= 8
    assert made._bytes == sum(stream.bytes for stream in made._streams.values())
    for key in list(made._streams):
        made._close(key)
    assert made._bytes == 0
