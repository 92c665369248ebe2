"""Large request bodies are passed over by sequence number: nothing of them is copied, and nothing behind them is lost."""

from __future__ import annotations

import pytest

from leakscan import reassembly
from leakscan.losses import Losses
from leakscan.model import Coverage
from leakscan.protocols import Http1
from leakscan.reassembly import Reassembler
from leakscan.verdicts import Verdicts
from tests.streams import request, segment

SIZE = 100_000
BODY = (b"GET /no HTTP/1.1\r\n\r\n" * 5001)[:SIZE]
POST = request("/p", method="POST", body=BODY)
HEAD = len(POST) - SIZE
NEXT = request("/next")
CHUNKED = (
    b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % SIZE + BODY + b"\r\n0\r\n\r\n"
)  # fmt: skip


def read(segments, monkeypatch):
    """Targets, bytes that reached the parser, what was counted."""
    coverage, losses, fed = Coverage(), Losses(), 0
    reassembler = Reassembler(Verdicts(), coverage, losses)

    def chunks():
        nonlocal fed
        for chunk in reassembler.reassemble(segments):
            fed += len(chunk.data)
            yield chunk

    messages = list(Http1(coverage, losses, reassembler.skip).messages(chunks()))
    assert coverage.examined_bytes == sum(len(s.payload) for s in segments)
    return [message.target for message in messages], fed, dict(losses)


def stream(data: bytes, size: int = 1400):
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [segment(9, flags=2), *(segment(10 + size * n, piece, frame=n + 2) for n, piece in enumerate(pieces))]


@pytest.mark.parametrize("data", [POST, CHUNKED], ids=["length", "chunked"])
def test_a_body_is_not_delivered(data, monkeypatch):
    targets, fed, losses = read(stream(data + NEXT), monkeypatch)
    assert targets == ["/p", "/next"]
    assert fed < 2 * 1400 + HEAD + 100
    assert losses == {"http.body-skipped": 1}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s[:20] + s[21:], id="a hole in it"),
        pytest.param(lambda s: [*s[:20], s[21], s[20], *s[22:]], id="out of order"),
        pytest.param(lambda s: [*s[:20], s[19], *s[20:]], id="a segment twice"),
        pytest.param(lambda s: [*s[:70], s[71], s[70], *s[72:]], id="its last segments out of order"),
        pytest.param(lambda s: [*s, *s[5:70]], id="sent again, all of it"),
    ],
)
def test_what_befalls_a_body_befalls_nobody_else(change, monkeypatch):
    targets, _, losses = read(change(stream(POST + NEXT)), monkeypatch)
    assert targets == ["/p", "/next"]
    assert losses == {"http.body-skipped": 1}


def test_a_length_that_lies_hides_what_is_body_and_no_more(monkeypatch):
    lie = b"POST /p HTTP/1.1\r\nContent-Length: 5000\r\n\r\n"
    assert read(stream(lie + NEXT * 400, 100), monkeypatch)[0][:2] == ["/p", "/next"]


def test_more_than_at_a_time(monkeypatch):
    monkeypatch.setattr("leakscan.protocols.http1.MAX_SKIPPED", 5000)
    targets, fed, _ = read(stream(POST + NEXT), monkeypatch)
    assert targets == ["/p", "/next"]
    assert fed < SIZE // 2


def test_a_new_connection_ends_it(monkeypatch):
    """The same addresses and ports, in the middle of a body."""
    again = [segment(5000, flags=2, frame=900), segment(5001, NEXT, frame=901)]
    targets, _, _ = read([*stream(POST)[:10], *again], monkeypatch)
    assert targets == ["/p", "/next"]
    assert reassembly.MAX_BEHIND > 3 * 16 << 20
