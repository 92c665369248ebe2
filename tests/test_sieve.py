"""The sieve goes faster and changes nothing: with and without it, in any batches, the same comes out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.wire import SYN, ethernet, gtp_u, ip, udp
from leakscan.columns import LOCATE
from leakscan.decode import Decoder
from leakscan.losses import Losses
from leakscan.model import Coverage, FrameBatch, Message, Origin
from leakscan.protocols import Http1
from leakscan.reassembly import Reassembler
from leakscan.sieve import Sieve
from leakscan.verdicts import Verdicts, classify
from tests.decode.test_decode import FRAMES, OUTER, TUNNELLED, fragmented
from tests.streams import CLIENT, SERVER, request, tcp

Frame = tuple[bytes, int]  # captured bytes, bytes on the wire


def batches(frames: list[Frame], size: int, link: int) -> Iterator[FrameBatch]:
    origin = Origin("test.pcap", link, 6, "")
    for first in range(0, len(frames), size):
        part = frames[first : first + size]
        buffer = bytearray(b"".join(data for data, _ in part) + bytes(64))
        captured = np.array([len(data) for data, _ in part])
        start = np.cumsum(captured) - captured
        wire = np.array([wire for _, wire in part])
        yield FrameBatch(origin, buffer, start, captured, wire, np.arange(len(part)) + first, first + 1)
        buffer[:] = b"\xee" * len(buffer)  # the buffer is reused: nobody may keep a view of it


def read(frames: list[Frame], size: int, link: int, sieve: bool) -> tuple[list[Message], Coverage, Losses]:
    coverage, losses = Coverage(), Losses()
    decoder, verdicts = Decoder(losses), Verdicts()
    segments = Sieve(decoder, verdicts, coverage, losses, sieve).segments(batches(frames, size, link))
    reassembler = Reassembler(verdicts, coverage, losses)
    found = list(Http1(coverage, losses, reassembler.skip).messages(reassembler.reassemble(segments)))
    decoder.end()
    return found, coverage, losses


def same(frames: list[Frame], size: int, link: int) -> list[Message]:
    fast, slow = read(frames, size, link, True), read(frames, max(1, len(frames)), link, False)
    assert fast == slow
    return fast[0]


GET, POST = request("/a", "Cookie: a=b"), request("/p", method="POST", body=b"x" * 90)
CHUNKS = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5a\r\n" + b"y" * 90 + b"\r\n0\r\n\r\n"
WAITS = request("/w", "Expect: 100-continue", method="POST", body=b"z" * 90)
TLS = b"\x16\x03\x01\x00\x40\x01" + bytes(64)
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
CONTENT = [
    GET,
    POST,
    CHUNKS,
    WAITS,
    GET + GET,
    TLS,
    RESPONSE + GET * 2,
    b"EHLO a.example\r\n" + GET,
    b"\x05\x01\0" + GET,
    b"GE",
    bytes(50),
]
LINK_OF = {
    0: lambda packet: struct.pack("<I", 2 if packet[0] >> 4 == 4 else 30) + packet,
    1: lambda packet: ethernet(packet, True),
    101: lambda packet: packet,
    108: lambda packet: struct.pack(">I", 2 if packet[0] >> 4 == 4 else 24) + packet,
    113: lambda packet: struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x800 if packet[0] >> 4 == 4 else 0x86DD) + packet,
    276: lambda packet: (
        struct.pack("!HHIHBB8s", 0x800 if packet[0] >> 4 == 4 else 0x86DD, 0, 2, 1, 0, 6, bytes(8)) + packet
    ),
}
PAIRS = [(CLIENT, SERVER), (SERVER, CLIENT), ("2001:db8::1", "2001:db8::80")]


def _in_two(packet: bytes) -> list[bytes]:
    """The packet as IP fragments: odd frames of a stream that is plain otherwise. (A SYN stays whole, behind options.)"""
    if packet[0] >> 4 != 4:
        return [packet]
    if len(packet) > 60:
        return fragmented(packet, [4])
    return [b"\x46" + packet[1:2] + struct.pack("!H", len(packet) + 4) + packet[4:20] + b"\1\1\1\0" + packet[20:]]


@st.composite
def traffic(draw: st.DrawFn) -> tuple[int, list[Frame]]:
    """A few connections, interleaved, with loss, duplicates, snapped frames and things that are not TCP."""
    link = draw(st.sampled_from(sorted(LOCATE)))
    random = draw(st.randoms(use_true_random=False))
    streams = []
    for _ in range(draw(st.integers(1, 4))):
        client, server = draw(st.sampled_from(PAIRS))
        data = b"".join(draw(st.lists(st.sampled_from(CONTENT), min_size=1, max_size=3)))
        port, isn, at = draw(st.integers(1, 3)), draw(st.sampled_from([7, 2**32 - 30])), 0
        packets = [tcp(isn - 1, flags=SYN, client=client, server=server, port=port)] * draw(st.integers(0, 1))
        while at < len(data):
            size = draw(st.integers(1, 120))
            packets.append(tcp(isn + at, data[at : at + size], client=client, server=server, port=port))
            at += size
        streams.append(packets)
    packets = []
    while any(streams):
        stream = random.choice([s for s in streams if s])
        packets.append(stream.pop(0))
        fate = random.random()
        if fate < 0.1:
            packets.pop()
        elif fate < 0.2:
            packets.insert(max(0, len(packets) - 2), packets[-1])
        elif fate < 0.3:
            packets.append(
                random.choice([udp(CLIENT, 53, SERVER, 53, b"dns"), ip(CLIENT, SERVER, 1, bytes(8)), b"\x45" * 30])
            )
    packets = [part for packet in packets for part in (_in_two(packet) if random.random() < 0.1 else [packet])]
    tunnel = draw(st.sampled_from([None, None, gtp_u(*OUTER, 5, 6), gtp_u(*OUTER, 5, 6, extended=True)]))
    if tunnel:
        packets = [tunnel(packet, True) if random.random() < 0.9 else packet for packet in packets]
    frames = [LINK_OF[link](packet) for packet in packets]
    snap = draw(st.sampled_from([40, 70, 110, 9999, 9999, 9999]))
    return link, [(frame[:snap], len(frame)) for frame in frames]


@pytest.fixture(scope="module", autouse=True)
def small_bodies_are_skipped():
    with mock.patch("leakscan.protocols.http1.MIN_SKIPPED", 10), mock.patch("leakscan.protocols.http1.MAX_SKIPPED", 60):
        yield


@given(traffic(), st.integers(1, 50))
def test_same_with_and_without(what, size):
    link, frames = what
    same(frames, size, link)


@pytest.mark.parametrize("link", sorted(LOCATE))
def test_it_reads(link):
    frames = [LINK_OF[link](packet) for packet in (tcp(9, flags=SYN), tcp(10, GET), tcp(10 + len(GET), POST))]
    assert [m.target for m in same([(f, len(f)) for f in frames], 2, link)] == ["/a", "/p"]


@pytest.mark.parametrize("frame", [pytest.param(f, id=i) for _, i, f in TUNNELLED])
def test_tunnels(frame):
    assert len(same([(frame, len(frame))] * 2, 1, 1)) == 1


@given(st.sampled_from([(n, f) for n, _, f in FRAMES if n in LOCATE] + [(1, f) for _, _, f in TUNNELLED]), st.data())
def test_damage(what, data):
    """One octet wrong, or the end missing: whatever decode makes of it, the sieve does."""
    link, frame = what
    broken = bytearray(frame)
    broken[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    kept = data.draw(st.integers(1, len(frame)))
    wire = data.draw(st.sampled_from([kept, len(frame)]))
    same([(bytes(broken[:kept]), wire)], 1, link)


def test_ignored_directions_are_dropped_in_bulk():
    """What reassembly has no use for does not reach it: a table, not a second opinion."""
    payload = [tcp(10 + len(TLS) * i, TLS) for i in range(200)]
    frames = [(ethernet(packet, True),) for packet in (tcp(9, flags=SYN), *payload)]
    coverage, losses = Coverage(), Losses()
    verdicts = Verdicts()
    seen = 0

    def count(segments):
        nonlocal seen
        for segment in segments:
            seen += 1
            yield segment

    sieve = Sieve(Decoder(losses), verdicts, coverage, losses)
    segments = count(sieve.segments(batches([(f, len(f)) for (f,) in frames], 50, 1)))
    assert list(Reassembler(verdicts, coverage, losses).reassemble(segments)) == []
    assert (seen, coverage.tls_streams, coverage.tcp_payload_bytes) == (2, 1, 200 * len(TLS))


def test_an_odd_frame_opens_a_direction_again():
    """The SYN stands behind IP options, so decode reads it; payload before it is dropped, payload behind it is not."""
    (again,) = _in_two(tcp(899, flags=SYN))
    packets = [
        tcp(9, flags=SYN),
        tcp(10, TLS),
        tcp(10 + len(TLS), TLS),
        again,
        tcp(900, GET),
        tcp(900 + len(GET), POST),
    ]
    frames = [(ethernet(packet, True),) for packet in packets]
    assert [m.target for m in same([(f, len(f)) for (f,) in frames], 99, 1)] == ["/a", "/p"]


@given(st.binary(max_size=8))
def test_a_watched_direction_is_handed_on_where_a_requestmay_begin(data):
    from leakscan.sieve import may_begin

    buffer = np.frombuffer(data + b"\0", np.uint8)
    may = bool(may_begin(buffer, np.array([0]), np.array([len(data)]))[0])
    assert may or classify(data) == "other"


@pytest.mark.parametrize("tunnel", [None, gtp_u(*OUTER, 5, 6)], ids=["plain", "GTP-U"])
@pytest.mark.parametrize(("client", "server"), PAIRS)
def test_one_hash_in_both_places(client, server, tunnel):
    packet = tcp(1, GET, client=client, server=server)
    frame = packet if tunnel is None else tunnel(packet, True)
    verdicts = Verdicts()
    sieve = Sieve(Decoder(Losses()), verdicts, Coverage(), Losses())
    asked = []
    ignored = sieve._ignored
    sieve._ignored = lambda buf, segments, *more: asked.append(segments) or ignored(buf, segments, *more)
    (segment,) = sieve.segments(batches([(frame, len(frame))], 1, 101))
    assert asked[0].token.tolist() == [verdicts.token(segment.key)]
