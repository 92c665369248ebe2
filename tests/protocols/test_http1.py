"""HTTP/1: what real traffic writes is read as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.losses import Losses
from leakscan.model import Coverage
from leakscan.protocols import http1
from tests.streams import KEY, brief, chunk, cut, messages, request

GET = request("/a")
CHUNKED = b"POST /c HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n\r\n"

#: bytes of a client -> what is read: (method, target, protocol, host, header lines)
READ = [
    (
        "plain",
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        [("GET", "/", "http/1.1", "a.example", [("Host", "a.example")])],
    ),
    (
        "bare LF",
        b"GET / HTTP/1.0\nHost: a.example\n\n",
        [("GET", "/", "http/1.0", "a.example", [("Host", "a.example")])],
    ),
    (
        "mixed line ends",
        b"GET / HTTP/1.1\nA: 1\r\nB: 2\n\r\n",
        [("GET", "/", "http/1.1", "203.0.113.80", [("A", "1"), ("B", "2")])],
    ),
    ("no header", b"GET / HTTP/1.0\r\n\r\n", [("GET", "/", "http/1.0", "203.0.113.80", [])]),
    (
        "order, case and duplicates stay",
        b"GET / HTTP/1.1\r\nb: 1\r\nA: 2\r\nB: 3\r\nA: 2\r\n\r\n",
        [("GET", "/", "http/1.1", "203.0.113.80", [("b", "1"), ("A", "2"), ("B", "3"), ("A", "2")])],
    ),
    (
        "folded lines are joined as on the wire",
        b"GET / HTTP/1.1\r\nA: one\r\n\ttwo\r\nB: 3\r\n\r\n",
        [("GET", "/", "http/1.1", "203.0.113.80", [("A", "one\r\n\ttwo"), ("B", "3")])],
    ),
    (
        "a line without colon",
        b"GET / HTTP/1.1\r\nwhat is this\r\nA : 1 \r\n\r\n",
        [("GET", "/", "http/1.1", "203.0.113.80", [("what is this", None), ("A ", "1")])],
    ),
    (
        "bytes that don't belong",
        b"GET /\xe9 HTTP/1.1\r\nA\xff: \xb2\x00\r\n\r\n",
        [("GET", "/\xe9", "http/1.1", "203.0.113.80", [("A\xff", "\xb2\x00")])],
    ),
    ("spaces in the target", b"GET /a b c HTTP/1.1\r\n\r\n", [("GET", "/a b c", "http/1.1", "203.0.113.80", [])]),
    ("an odd method", b"RPC_IN_DATA / HTTP/1.1\r\n\r\n", [("RPC_IN_DATA", "/", "http/1.1", "203.0.113.80", [])]),
    ("an empty line first", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", [("GET", "/", "http/1.1", "203.0.113.80", [])]),
    (
        "an absolute URI wins over Host, the first of several",
        b"GET http://u@A.example:8080/x HTTP/1.1\r\nHost: b.example\r\n\r\nGET / HTTP/1.1\r\nHost: c.example:80\r\nHost: d.example\r\n\r\n",
        [
            ("GET", "http://u@A.example:8080/x", "http/1.1", "a.example", [("Host", "b.example")]),
            ("GET", "/", "http/1.1", "c.example", [("Host", "c.example:80"), ("Host", "d.example")]),
        ],
    ),
    (
        "IPv6 host",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
        [("GET", "/", "http/1.1", "2001:db8::1", [("Host", "[2001:db8::1]:80")])],
    ),
    (
        "CONNECT, and plain HTTP through it",
        b"CONNECT a.example:443 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        [
            ("CONNECT", "a.example:443", "http/1.1", "a.example", []),
            ("GET", "/", "http/1.1", "a.example", [("Host", "a.example")]),
        ],
    ),
]

#: bytes of a client -> targets
BODIES = [
    ("length", request("/p", method="POST", body=GET) + request("/b"), ["/p", "/b"]),
    ("leading zeros", b"POST /p HTTP/1.1\r\nContent-Length: 0000000000000000000000003\r\n\r\nabc" + GET, ["/p", "/a"]),
    ("5,000 digits", b"POST /p HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n" + GET, ["/p", "/a"]),
    ("Latin-1 digits", b"POST /p HTTP/1.1\r\nContent-Length: \xb2\xb3\r\n\r\n" + GET, ["/p", "/a"]),
    ("the first of several lengths", b"POST /p HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\nab" + GET, ["/p", "/a"]),
    ("chunked", CHUNKED + b"5\r\nGET /\r\n0\r\n\r\n" + GET, ["/c", "/a"]),
    ("chunk extensions and trailers", CHUNKED + b"1;a=b\r\nx\r\n0;c\r\nT: 1\r\nU: 2\r\n\r\n" + GET, ["/c", "/a"]),
    ("chunked wins over length", CHUNKED[:-2] + b"Content-Length: 999\r\n\r\n0\r\n\r\n" + GET, ["/c", "/a"]),
    ("a body of 2**60 bytes", b"POST /p HTTP/1.1\r\nContent-Length: 1152921504606846976\r\n\r\n" + GET, ["/p"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), [pytest.param(d, e, id=i) for i, d, e in READ])
def test_heads(data, expected):
    found = [(m.method, m.target, m.protocol, m.host, list(m.headers)) for m in messages([chunk(data)])]
    assert found == expected


@pytest.mark.parametrize(("data", "expected"), [pytest.param(d, e, id=i) for i, d, e in BODIES])
def test_bodies(data, expected):
    assert [m.target for m in messages([chunk(data)])] == expected


@pytest.mark.parametrize("data", [pytest.param(d, id=i) for i, d, _ in [*READ, *BODIES]])
def test_byte_by_byte(data):
    whole = [brief(m) for m in messages([chunk(data)])]
    assert [brief(m) for m in messages([chunk(data[i : i + 1]) for i in range(len(data))])] == whole


@given(st.sampled_from([d for _, d, _ in [*READ, *BODIES]]), st.lists(st.integers(0, 300), max_size=20))
def test_any_cut(data, places):
    whole = [brief(m) for m in messages([chunk(data)])]
    assert [brief(m) for m in messages([chunk(piece) for _, piece in cut(data, places)])] == whole


def test_expect_refused():
    head = b"POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert [m.target for m in messages([chunk(head), chunk(b"hello"), chunk(GET)])] == ["/p", "/a"]
    assert [m.target for m in messages([chunk(head), chunk(GET)])] == ["/p", "/a"]


def test_upgrade_ends_http_until_the_next_request_line():
    upgrade = request("/ws", "Upgrade: websocket", "Connection: Upgrade")
    losses = Losses()
    found = messages([chunk(upgrade), chunk(b"\x81\x85\0\0\0\0hello"), chunk(GET)], losses)
    assert [m.target for m in found] == ["/ws", "/a"]
    assert losses["http.tunnel"] == 1
    assert losses["http.resynchronised"] == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            b"GET /a HTTP/1.1\r\nHost: a.example\r\nX-MSISDN: 44770090",
            [("Host", "a.example"), ("X-MSISDN", "44770090")],
        ),
        (b"GET /a HTTP/1.1\r\n", []),
        (b"GET /a", []),
    ],
)
def test_a_head_cut_short_is_still_read(data, expected):
    losses = Losses()
    (message,) = messages([chunk(data), chunk(b"", end=True)], losses)
    assert (message.method, message.target, list(message.headers), message.partial) == ("GET", "/a", expected, True)
    assert losses["http.head-cut"] == 1


def test_frames_of_a_message():
    head = request("/a")
    (message,) = messages([chunk(head[:9], frame=3), chunk(head[9:20], frame=5), chunk(head[20:], frame=7)])
    assert (message.frame, message.frame_end) == (3, 7)


def test_the_frame_that_completes_a_head_may_hold_its_middle():
    head = request("/a")
    (message,) = messages([chunk(head[:9], frame=3), chunk(head[9:20], frame=7), chunk(head[20:], frame=5)])
    assert (message.frame, message.frame_end) == (3, 7)


def test_limits():
    losses = Losses()
    endless = [chunk(b"GET / HTTP/1.1\r\n"), *(chunk(b"A: " + b"x" * 60000) for _ in range(20))]
    assert [m.partial for m in messages(endless, losses)] == [True]
    many = b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * (http1.MAX_HEADER_LINES + 5) + b"\r\n"
    (message,) = messages([chunk(many)], losses)
    assert (len(message.headers), message.partial) == (http1.MAX_HEADER_LINES, True)
    assert losses["http.head-too-long"] == 2


def test_unfinished_heads_are_bounded(monkeypatch):
    monkeypatch.setattr(http1, "MAX_UNFINISHED_BYTES", 10_000)
    losses = Losses()
    parser = http1.Http1(Coverage(), losses)
    starts = (chunk(GET[:30])._replace(key=KEY[:-4] + i.to_bytes(4, "big")) for i in range(100))
    assert [m.partial for m in parser.messages(starts)] == [True] * 66
    assert losses["http.head-evicted"] == 66
    assert parser._unfinished_bytes <= 10_000


def test_an_unfinished_head_that_comes_byte_by_byte_weighs_more_than_its_bytes(monkeypatch):
    monkeypatch.setattr(http1, "MAX_UNFINISHED_BYTES", 10_000)
    losses = Losses()
    parser = http1.Http1(Coverage(), losses)
    endless = GET[:-2] + b"A: " + b"x" * 1000
    (message,) = parser.messages(chunk(endless[at : at + 1]) for at in range(len(endless)))
    assert (message.partial, losses["http.head-evicted"]) == (True, 1)
    assert parser._unfinished_bytes <= 10_000


def test_a_parser_lives_while_it_is_inside_of_something():
    parser = http1.Http1(Coverage(), Losses())
    assert len(list(parser.messages([chunk(GET), chunk(GET + GET[:9])]))) == 2
    assert len(parser._parsers) == 1
    assert len(list(parser.messages([chunk(GET[9:])]))) == 1
    assert parser._parsers == {}


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 3)), max_size=20))
def test_nothing_makes_it_raise(what):
    messages([chunk(GET[:20]), *(chunk(data, skipped=skipped) for data, skipped in what), chunk(b"", end=True)])
