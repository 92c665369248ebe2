"""Which frames are kept of a stream that leaked: its own, from the SYN on, in both directions, and no others."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.wire import ACK, PSH, SYN, TCP, ethernet, gtp_u, ip, linux_sll, over_ip
from leakscan.decode import Decoder
from leakscan.losses import Losses
from leakscan.model import FrameBatch, Origin
from leakscan.recorder import streams
from leakscan.recorder.streams import Marker, Streams

START = 1_326_153_600 * 10**9
ORIGIN = Origin("eth0", 1, 6, "eth0")
CLIENT, SERVER = "192.0.2.1", "203.0.113.80"


def packet(flags: int, *, port: int = 40000, back: bool = False, client: str = CLIENT, server: str = SERVER) -> bytes:
    """An IP packet of the connection from `client` to `server`, or back."""
    ends = (server, client) if back else (client, server)
    ports = (80, port) if back else (port, 80)
    head = struct.pack("!HHIIBBHHH", *ports, 1000, 1, 0x50, flags, 65535, 0, 0)
    return ip(*ends, TCP, over_ip(*ends, TCP, head + b"x" * 20, 16))


def frame(*arguments, **more) -> bytes:
    return ethernet(packet(*arguments, **more), True)


def batch(frames: list[bytes], first: int = 1, origin: Origin = ORIGIN, second: float = 0) -> FrameBatch:
    captured = np.array([len(data) for data in frames], np.int64)
    times = np.full(len(frames), START + int(second * 10**9), np.int64)
    return FrameBatch(origin, b"".join(frames), np.cumsum(captured) - captured, captured, captured, times, first)


class Kept:
    """Feeds batches and notes the numbers of all frames that are kept."""

    def __init__(self) -> None:
        self.losses = Losses()
        self.streams = Streams(self.losses)
        self.numbers: list[int] = []
        self._next = 1

    def add(self, *frames: bytes, second: float = 0) -> int:
        """Gives the number of the last frame."""
        made = batch(list(frames), self._next, second=second)
        self._next += len(frames)
        self.numbers += [made.first_frame + index for index in self.streams.add(made)]
        return self._next - 1

    def leaked(self, number: int) -> list[int]:
        for found in self.streams.leaked("eth0", number):
            self.numbers += [found.batch.first_frame + index for index in found.which]
        return self.numbers


OTHER = frame(ACK | PSH, port=50000)


def test_both_directions_from_the_syn_on_before_and_after_the_leak():
    kept = Kept()
    kept.add(frame(ACK), OTHER)  # an older connection on the same ports
    kept.add(frame(SYN), OTHER, frame(SYN | ACK, back=True))
    leak = kept.add(OTHER, frame(ACK | PSH))
    kept.add()
    assert kept.leaked(leak) == [3, 5, 7]
    kept.add(OTHER, frame(ACK, back=True), frame(ACK | PSH))
    assert kept.leaked(leak) == [3, 5, 7, 9, 10]
    assert kept.leaked(10) == [3, 5, 7, 9, 10]
    assert kept.losses == {}


def test_another_connection_on_the_same_ports_is_not_it():
    kept = Kept()
    kept.add(frame(SYN))
    kept.add(frame(ACK | PSH), frame(SYN), frame(ACK | PSH))  # the leak is in the first of them
    assert kept.leaked(2) == [1, 2]
    kept.add(frame(ACK), frame(SYN), frame(ACK))
    assert kept.numbers == [1, 2, 5]


def test_a_stream_is_followed_until_it_is_quiet_for_long():
    kept = Kept()
    kept.leaked(kept.add(frame(SYN), frame(ACK | PSH)))
    kept.add(frame(ACK), second=streams.FOLLOW_NS / 1e9 - 1)
    kept.add(frame(ACK), second=2 * streams.FOLLOW_NS / 1e9 + 1)
    kept.add(frame(ACK), second=2 * streams.FOLLOW_NS / 1e9 + 2)
    assert kept.numbers == [1, 2, 3]


def test_what_is_no_longer_in_memory_is_said(monkeypatch):
    monkeypatch.setattr(streams, "MAX_RECENT_BYTES", 2000)
    kept = Kept()
    kept.add(frame(SYN))
    for _ in range(20):
        last = kept.add(frame(ACK), OTHER)
    kept.leaked(last - 1)
    assert kept.losses == {"write.stream-cut": 1}
    assert 0 < len(kept.numbers) < 20
    assert kept.streams._bytes <= 2000
    kept.leaked(2)
    assert kept.losses == {"write.stream-cut": 1, "write.stream-forgotten": 1}


def test_no_more_streams_are_followed_than_the_bound(monkeypatch):
    monkeypatch.setattr(streams, "MAX_FOLLOWED", 3)
    kept = Kept()
    for port in range(5):
        kept.leaked(kept.add(frame(SYN, port=port), frame(ACK | PSH, port=port)))
    before = len(kept.numbers)
    kept.add(*(frame(ACK, port=port) for port in range(5)))
    assert kept.numbers[before:] == [13, 14, 15]
    assert kept.losses == {"write.stream-dropped": 2}


def test_a_batch_that_will_be_filled_again_is_copied():
    kept = Kept()
    buffer = bytearray(frame(SYN) + frame(ACK | PSH))
    size = len(buffer) // 2
    column = np.array([size, size], np.int64)
    made = FrameBatch(ORIGIN, buffer, np.array([0, size]), column, column, np.full(2, START), 1)
    kept.streams.add(made)
    buffer[:] = bytes(len(buffer))
    (found,) = kept.streams.leaked("eth0", 2)
    assert bytes(found.batch.buffer) == frame(SYN) + frame(ACK | PSH)


addresses = st.sampled_from(["192.0.2.1", "203.0.113.80", "198.51.100.7"])
addresses6 = st.sampled_from(["2001:db8::1", "2001:db8::2", "2001:db8:0:1::80"])
wraps = st.sampled_from(
    [
        (1, lambda p: ethernet(p, True)),
        (1, lambda p: ethernet(p, True, vlan=7)),
        (113, lambda p: linux_sll(p, True)),
        (101, lambda p: p),
        (1, lambda p: ethernet(gtp_u("198.51.100.1", "198.51.100.2", 1, 2)(p, True), True)),
        (1, lambda p: ethernet(ip("198.51.100.1", "198.51.100.2", 4, p), True)),
    ]
)


@given(wraps, st.tuples(addresses, addresses) | st.tuples(addresses6, addresses6), st.integers(0, 65535), st.booleans())
def test_marks_are_the_same_by_the_batch_and_one_by_one_and_in_both_directions(wrap, ends, port, syn):
    link, dress = wrap
    there = packet(SYN if syn else ACK, port=port, client=ends[0], server=ends[1])
    back = packet(SYN | ACK, port=port, back=True, client=ends[0], server=ends[1])
    origin = ORIGIN._replace(link=link)
    marker = Marker()
    kept = marker.kept(batch([dress(there), dress(back), dress(there)], origin=origin))
    decoder = Decoder(Losses())
    expected = []
    for data in (there, back, there):
        (segment,) = decoder.decode(dress(data), len(dress(data)), 1, START, origin)
        expected.append(marker.mark(segment))
    assert kept.marks.tolist() == expected
    assert len(set(expected)) == 1
    assert kept.opens.tolist() == [syn, False, syn]


def test_connections_differ_and_what_is_not_tcp_has_no_mark():
    frames = [
        frame(ACK),
        frame(ACK, port=40001),
        frame(ACK, client="192.0.2.2"),
        frame(ACK, server="203.0.113.81"),
        ethernet(ip(CLIENT, SERVER, 17, bytes(20)), True),
        bytes(60),
        b"\1",
    ]
    marks = Marker().kept(batch(frames)).marks.tolist()
    assert len(set(marks[:4])) == 4
    assert marks[4:] == [0, 0, 0]


@pytest.mark.parametrize("link", [1, 0, 101, 105, 113, 239, 276, 9999])
def test_any_bytes_can_be_marked(link):
    rng = np.random.default_rng(link)
    frames = [rng.bytes(int(size)) for size in rng.integers(0, 120, 300)]
    Marker().kept(batch(frames, origin=ORIGIN._replace(link=link)))
