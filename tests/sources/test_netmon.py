"""Network Monitor captures, made in memory."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.losses import Losses
from leakscan.sources import frames

START = 1_326_153_600 * 10**9  # 2012-01-10T00:00:00Z
DATE = (2012, 1, 2, 10, 0, 0, 0, 0)
FRAMES = [b"one" * 5, b"", b"three" * 20]
VERSIONS = {(1, 1): 0, (2, 0): 0, (2, 1): 2, (2, 2): 6, (2, 3): 15}


def netmon(version: tuple[int, int], kinds=(1, 1, 1), date=DATE, elapsed=0) -> bytes:
    major, minor = version
    body = b""
    for number, (data, kind) in enumerate(zip(FRAMES, kinds, strict=True)):
        if major == 1:
            body += struct.pack("<IHH", elapsed or number, len(data) + 1, len(data)) + data
        else:
            trailer = struct.pack("<H", kind).ljust(VERSIONS[version], b"\0")[: VERSIONS[version]]
            body += struct.pack("<qII", elapsed or 1000 * number, len(data) + 1, len(data)) + data + trailer
    head = b"RTSS" if major == 1 else b"GMBU"
    head += struct.pack("<BBH8HII", minor, major, 1, *date, 128 + len(body), 12)
    return head.ljust(128, b"\0") + body + bytes(12)


class Source:
    """Bytes in pieces."""

    def __init__(self, data: bytes, size: int = 1 << 20) -> None:
        self.data, self.size = data, size

    def readinto(self, view) -> int:
        piece = self.data[: min(self.size, len(view))]
        self.data = self.data[len(piece) :]
        view[: len(piece)] = piece
        return len(piece)


def read(data: bytes, size: int = 1 << 20) -> tuple[list, Losses]:
    losses, found = Losses(), []
    for batch in frames(Source(data, size), "test.cap", losses):
        for index in range(len(batch.start)):
            start, captured = int(batch.start[index]), int(batch.captured[index])
            frame = bytes(batch.buffer[start : start + captured])
            time_ns = int(batch.time_ns[index])
            found.append((batch.first_frame + index, batch.origin.link, time_ns, frame, int(batch.wire[index])))
    return found, losses


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_frames(version, size):
    expected = [(n + 1, 1, START + n * 10**6, data, len(data) + 1) for n, data in enumerate(FRAMES)]
    assert read(netmon(version), size) == (expected, {})


def test_network_types():
    found, losses = read(netmon((2, 1), kinds=(1, 2, 999)))
    assert ([link for _, link, *_ in found], losses) == ([1, 6, 0xFFFF], {})


def test_times_past_all_clocks():
    found, losses = read(netmon((2, 0), elapsed=2**62))
    assert (len(found), losses) == (3, {"time.out-of-range": 3})
    assert read(netmon((2, 0), date=(2012, 13, 2, 10, 0, 0, 0, 0)))[1] == {"file.damaged": 1}


@given(st.integers(1, len(netmon((2, 0))) - 13))
def test_cut(kept):
    """All complete frames, and one loss."""
    found, losses = read(netmon((2, 0))[:kept])
    whole = read(netmon((2, 0)))[0]
    assert found == whole[: len(found)]
    assert sum(losses.values()) == 1


@given(st.integers(0, 300), st.integers(1, 255))
def test_damage_never_raises(at, change):
    data = bytearray(netmon((2, 3)))
    data[at % len(data)] ^= change
    read(bytes(data))
