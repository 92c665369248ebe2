"""Reassembly: streams stay whole whatever the network did to them, and holes are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan import reassembly
from leakscan.losses import Losses
from leakscan.model import Coverage, reverse_key
from tests.streams import KEY, brief, cut, request, segment, through

SYN, FIN, RST, ACK = 2, 1, 4, 16
GET = request("/a", "Accept: */*")
NEXT = request("/b", "Cookie: a=b")
POST = request("/p", method="POST", body=b"GET /no HTTP/1.1\r\n\r\n" * 3)
TLS = b"\x16\x03\x01\x00\x40\x01" + bytes(64)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def stream(*pieces, isn=999, key=KEY):
    """A SYN and then pieces: bytes follow each other, (offset, bytes) stand where they say."""
    out, at = [segment(isn, flags=SYN, key=key)], 0
    for frame, piece in enumerate(pieces, 2):
        offset, data = piece if isinstance(piece, tuple) else (at, piece)
        out.append(segment(isn + 1 + offset, data, key=key, frame=frame))
        at = max(at, offset + len(data))
    return out


def targets(segments, losses=None):
    return [message.target for message in through(segments, losses)]


@pytest.mark.parametrize(
    ("segments", "expected", "counted"),
    [
        pytest.param(stream(GET, NEXT), ["/a", "/b"], {}, id="in order"),
        pytest.param(stream(GET + POST + NEXT), ["/a", "/p", "/b"], {"http.body-skipped": 1}, id="pipelined"),
        pytest.param(stream(GET[:9], (20, GET[20:]), (9, GET[9:20])), ["/a"], {}, id="out of order"),
        pytest.param(stream(GET, (0, GET), NEXT), ["/a", "/b"], {}, id="retransmission"),
        pytest.param(stream(GET[:30], (10, GET[10:] + NEXT)), ["/a", "/b"], {}, id="overlap with the same bytes"),
        pytest.param(
            stream(GET[:9], (0, b"x" * 9 + GET[9:])), ["/a"], {"tcp.overlap-conflict": 1}, id="first bytes win"
        ),
        pytest.param(
            stream((20, GET[20:]), (0, GET[:20] + b"x" * 5)),
            ["/a"],
            {"tcp.overlap-conflict": 1},
            id="first bytes win, also those that waited",
        ),
        pytest.param(stream(GET, NEXT, isn=2**32 - 20), ["/a", "/b"], {}, id="sequence numbers wrap"),
        pytest.param([segment(5, GET)], ["/a"], {"tcp.midstream": 1}, id="joined in the middle"),
        pytest.param(
            [segment(5, b"tail of a body"), segment(19, GET, frame=2)],
            ["/a"],
            {"tcp.midstream": 1},
            id="joined in the middle of a body",
        ),
        pytest.param(
            stream(GET, (len(GET) + 100, NEXT)),
            ["/a", "/b"],
            {"tcp.gap": 1, "tcp.gap-bytes": 100, "http.head-torn": 1, "http.resynchronised": 1},
            id="a hole between requests",
        ),
        pytest.param(
            stream(POST[:-20], (len(POST), NEXT)),
            ["/p", "/b"],
            {"tcp.gap": 1, "tcp.gap-bytes": 20, "http.body-skipped": 1},
            id="a hole in a body",
        ),
        pytest.param(
            stream(GET[:30], (len(GET), NEXT)),
            ["/a", "/b"],
            {"tcp.gap": 1, "tcp.gap-bytes": len(GET) - 30, "http.head-torn": 1, "http.resynchronised": 1},
            id="a hole in a head",
        ),
        pytest.param(stream(GET[:30]), ["/a"], {"http.head-cut": 1}, id="a head cut by the end"),
        pytest.param(stream(TLS, GET), [], {"tls": 1}, id="TLS stays TLS"),
        pytest.param(stream(b"EHLO mail.example\r\n", GET), [], {"tcp.other": 1}, id="another protocol"),
        pytest.param(
            [*stream(TLS), segment(7999, flags=SYN, frame=5), segment(8000, GET, frame=6)],
            ["/a"],
            {"tls": 1},
            id="the same ports again",
        ),
        pytest.param([segment(999, flags=SYN), *stream(GET)], ["/a"], {}, id="SYN twice"),
        pytest.param([*stream(GET), segment(999, flags=SYN), segment(1000, GET)], ["/a"], {}, id="SYN twice, late"),
        pytest.param([*stream(GET), segment(999, b"\0", frame=9)], ["/a"], {}, id="keep-alive probe"),
        pytest.param(stream(GET, NEXT[:5], (len(GET) + 5, NEXT[5:])), ["/a", "/b"], {}, id="request line in two"),
        pytest.param(
            stream(b"\x05\x01\x00", b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", GET), ["/a"], {}, id="SOCKS 5"
        ),
        pytest.param(stream(b"\x04\x01\x00\x50\xc0\x00\x02\x01me\0" + GET), ["/a"], {}, id="SOCKS 4"),
        pytest.param(stream(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", GET), ["/a"], {}, id="PROXY protocol"),
        pytest.param(
            [segment(999, GET, flags=SYN), segment(1000 + len(GET), NEXT)], ["/a", "/b"], {}, id="data on the SYN"
        ),
        pytest.param(
            [*stream(GET[:20]), segment(4000000000, NEXT, frame=9)], ["/", "/b"], None, id="another connection"
        ),
    ],
)
def test_streams(segments, expected, counted):
    losses = Losses()
    found = targets(segments, losses)
    if counted is None:
        assert found[-1] == expected[-1]
    else:
        assert (found, {name: losses[name] for name in losses if losses[name]}) == (expected, counted)


def test_a_response_is_not_searched_for_requests():
    server = reverse_key(KEY)
    segments = [*stream(GET), segment(1, RESPONSE, key=server), segment(1 + len(RESPONSE), NEXT, key=server)]
    assert targets(segments) == ["/a"]


def test_streams_are_counted_once():
    coverage = Coverage()
    server = reverse_key(KEY)
    both = [
        segment(9, flags=SYN),
        segment(99, flags=SYN | ACK, key=server),
        segment(10, GET),
        segment(100, RESPONSE, key=server),
    ]
    through(both, coverage=coverage)
    assert (coverage.streams, coverage.requests, coverage.examined_bytes) == (1, 1, len(GET) + len(RESPONSE))


def test_snapped_payload_is_a_hole():
    losses = Losses()
    segments = [segment(9, flags=SYN), segment(10, GET[:40], missing=60), segment(110, NEXT, frame=3)]
    assert [m.partial for m in through(segments, losses)] == [True, False]
    assert losses["tcp.gap-bytes"] == 60


def test_a_hole_is_given_up_after_a_while():
    late = reassembly.GAP_WAIT_NS + 1
    first, hole, after, filled = stream(GET, (len(GET) + 50, NEXT), (len(GET), b"x" * 50))[0:4]
    after = after._replace(time_ns=hole.time_ns)
    filled = filled._replace(time_ns=hole.time_ns + late)
    losses = Losses()
    assert targets([first, hole, after, filled], losses) == ["/a", "/b"]
    assert losses["tcp.gap-bytes"] == 50


def test_held_segments_are_bounded():
    far = [segment(2000 + 10 * i, b"x" * 5, frame=i) for i in range(5 * reassembly.MAX_HELD_SEGMENTS)]
    machine = reassembly.Reassembler(reassembly.Verdicts(), Coverage(), Losses())
    for s in [*stream(GET), *far]:
        machine.feed(s)
    held = len(machine._table.find(KEY).held)
    assert held <= reassembly.MAX_HELD_SEGMENTS + 1


def many(count, data=GET[:5]):
    """So many connections, each with the beginning of a request line."""
    for i in range(count):
        key = KEY[:-4] + i.to_bytes(4, "big")
        yield segment(9, flags=SYN, key=key, frame=i)
        yield segment(10, data, key=key, frame=i)


def test_streams_are_bounded(monkeypatch):
    monkeypatch.setattr(reassembly, "MAX_STREAMS", 100)
    losses = Losses()
    machine = reassembly.Reassembler(reassembly.Verdicts(), Coverage(), losses)
    for s in many(1000):
        machine.feed(s)
        assert len(machine._table) <= 101
    assert losses["tcp.stream-evicted"] > 800


def test_a_stream_that_waits_for_nothing_is_given_up_without_loss(monkeypatch):
    monkeypatch.setattr(reassembly, "MAX_STREAMS", 100)
    losses = Losses()
    assert len(through(list(many(1000, GET)), losses)) == 1000
    assert losses == {}


def test_waiting_bytes_are_bounded(monkeypatch):
    monkeypatch.setattr(reassembly, "MAX_HELD_ALL", 1000)
    losses = Losses()
    machine = reassembly.Reassembler(reassembly.Verdicts(), Coverage(), losses)
    holes = (segment(500, GET, key=KEY[:-4] + i.to_bytes(4, "little"), frame=i) for i in range(1000, 1100))
    for s in [*many(500), *holes]:
        machine.feed(s)
        assert machine._held_bytes <= 1000 + len(GET)
    assert losses["tcp.held-evicted"] >= 300
    machine.end()
    assert machine._held_bytes == 0


def test_pieces_that_wait_weigh_more_than_their_bytes(monkeypatch):
    monkeypatch.setattr(reassembly, "MAX_HELD_ALL", 100 * reassembly.PIECE_BYTES)
    losses = Losses()
    machine = reassembly.Reassembler(reassembly.Verdicts(), Coverage(), losses)
    machine.feed(segment(100, GET))
    for at in range(200):
        machine.feed(segment(1000 + 2 * at, b"x"))
    assert losses["tcp.held-evicted"] >= 100
    machine.end()
    assert machine._held_bytes == 0


def test_of_a_long_segment_only_the_beginning_is_remembered():
    losses = Losses()
    long = GET[:-2] + b"A: " + b"x" * 60_000 + b"\r\n\r\n"
    other = b"P" + long[1:]
    machine = reassembly.Reassembler(reassembly.Verdicts(), Coverage(), losses)
    machine.feed(segment(100, long))
    machine.feed(segment(100, other))
    assert losses["tcp.overlap-conflict"] == 1
    (recent,) = machine._recent.values()
    assert [len(data) for _, data in recent] == [reassembly.MAX_RECENT_BYTES]


REQUESTS = st.lists(
    st.sampled_from([GET, NEXT, POST, request("/fold", "X-A: one\r\n two"), b"GET /lf HTTP/1.0\nHost: b.example\n\n"]),
    min_size=1,
    max_size=4,
)


@given(
    REQUESTS,
    st.lists(st.integers(0, 600), max_size=40),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 30), max_size=8),
    st.randoms(use_true_random=False),
)
def test_any_cut_same_answer(parts, places, isn, again, random):
    """Cut anywhere, in any order, with duplicates and overlaps: the same messages."""
    data = b"".join(parts)
    pieces = cut(data, places)
    pieces += [pieces[i % len(pieces)] for i in again]
    pieces += [(max(0, at - 3), data[max(0, at - 3) : at + len(piece)]) for at, piece in pieces[:3]]
    random.shuffle(pieces)
    losses = Losses()
    plain = [brief(m) for m in through(stream(data, isn=isn))]
    assert [brief(m) for m in through(stream(*pieces, isn=isn), losses)] == plain
    assert len(plain) == len(parts)
    assert not losses.of_kind("unread")


@given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=40), st.integers(0, 31), st.booleans()), max_size=60))
def test_nothing_makes_it_raise(what):
    keys = {False: KEY, True: reverse_key(KEY)}
    through([segment(at, data, flags=flags, key=keys[way], frame=i) for i, (at, data, flags, way) in enumerate(what)])
