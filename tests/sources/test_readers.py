"""pcap and pcapng: what each variant says about its frames, however its bytes arrive."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.losses import Losses
from leakscan.sources import frames
from leakscan.sources.stream import BUFFER_BYTES, MAX_RECORD_BYTES
from tests.builders import (
    START_NS,
    STEP_NS,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    pcap,
    pcapng,
    section,
    simple,
    statistics,
)

ONE, TWO = b"one frame of bytes", b"another one"
SECOND = 10**9


class Pieces:
    """A source that gives its bytes in pieces of the given sizes, over and over."""

    def __init__(self, content: bytes, sizes: Iterable[int] = (1 << 30,)) -> None:
        self._content = content
        self._sizes = list(sizes)
        self.reads = 0
        self.given = 0

    def readinto(self, view: memoryview) -> int:
        size = self._sizes[self.reads % len(self._sizes)]
        self.reads += 1
        piece = self._content[self.given : self.given + min(size, len(view))]
        view[: len(piece)] = piece
        self.given += len(piece)
        return len(piece)


class Seen(NamedTuple):
    number: int
    time_ns: int
    data: bytes
    wire: int
    link: int
    digits: int
    interface: str


def read(
    content: bytes, sizes: Iterable[int] = (1 << 30,), size: int = BUFFER_BYTES, ahead: bool = False
) -> tuple[list[Seen], Losses]:
    losses = Losses()
    seen = []
    threads = ExitStack()
    source = Pieces(gzip.compress(content, 1) if ahead else content, sizes)
    for batch in frames(source, "x", losses, size, threads if ahead else None):
        assert len(batch.start), "a batch holds at least one frame"
        columns = (batch.start, batch.captured, batch.wire, batch.time_ns)
        for index, (start, captured, wire, time_ns) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            data = bytes(batch.buffer[start : start + captured])
            assert len(data) == captured
            origin = batch.origin
            seen.append(
                Seen(batch.first_frame + index, time_ns, data, wire, origin.link, origin.digits, origin.interface)
            )
    threads.close()
    return seen, losses


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("ns", [False, True])
def test_pcap(order: str, ns: bool) -> None:
    seen, losses = read(pcap([(123_456_789, ONE), (2 * SECOND, TWO, 1000)], link=113, ns=ns, order=order))
    first = 123_456_789 if ns else 123_456_000
    digits = 9 if ns else 6
    assert seen == [
        Seen(1, first, ONE, len(ONE), 113, digits, ""),
        Seen(2, 2 * SECOND, TWO, 1000, 113, digits, ""),
    ]
    assert not losses


@pytest.mark.parametrize(
    ("field", "link"),
    [(1, 1), (12, 101), (14, 101), (101, 101), (16, 103), (0x1234_0001, 1), (228, 228)],
)
def test_pcap_link_type(field: int, link: int) -> None:
    (frame,), _ = read(pcap([ONE], link=field))
    assert (frame.link, frame.data) == (link, ONE)


@pytest.mark.parametrize(
    ("wire", "data", "captured"),
    [
        (None, b"frameFCS!", b"frame"),
        (9, b"frameFC", b"frame"),  # the snap length took part of it
        (9, b"fram", b"fram"),  # and all of it
        (3, b"FCS", b""),
    ],
)
def test_frame_check_sequence_is_taken_off(wire: int | None, data: bytes, captured: bytes) -> None:
    wire = len(data) if wire is None else wire
    (from_pcap,), _ = read(pcap([(0, data, wire)], link=0x2400_0001))
    (from_pcapng,), _ = read(pcapng(section(), interface(fcslen=4), enhanced(data, wire=wire)))
    (in_bits,), _ = read(pcapng(section(), interface(fcslen=32), enhanced(data, wire=wire)))
    assert from_pcap == from_pcapng == in_bits
    assert (from_pcap.data, from_pcap.wire) == (captured, max(0, wire - 4))


def swapped(content: bytes) -> bytes:
    """A pcap file of one frame with its two lengths the other way round."""
    return content[:32] + content[36:40] + content[32:36] + content[40:]


@pytest.mark.parametrize(
    "content",
    [
        pcap([(0, ONE, 99)], version=(2, 4)),
        swapped(pcap([(0, ONE, 99)], version=(2, 2))),
        swapped(pcap([(0, ONE, 99)], version=(543, 0))),
        swapped(pcap([(0, ONE, 99)], version=(2, 3))),
        pcap([(0, ONE, 99)], version=(2, 3)),
        pcap([(0, ONE, 99)], magic=0xA1B2CD34, extra=bytes(8)),
        pcap([(0, ONE, 99)], magic=0xA1B2CD34, extra=bytes(8), order=">"),
    ],
)
def test_pcap_variants(content: bytes) -> None:
    assert read(content) == ([Seen(1, 0, ONE, 99, 1, 6, "")], {})


@pytest.mark.parametrize(("magic", "digits"), [(0x1C0001AB, 6), (0x1C0001AC, 9)])
def test_pcap_of_ixia(magic: int, digits: int) -> None:
    content = pcap([(5000, ONE)], magic=magic, ns=digits == 9)
    content = content[:24] + b"size" + content[24:]
    assert read(content) == ([Seen(1, 5000, ONE, len(ONE), 1, digits, "")], {})


def test_pcap_of_aix() -> None:
    content = swapped(pcap([(1_000_000_123, ONE)], ns=True, magic=0xA1B2C3D4, version=(2, 2), link=6))
    assert read(content) == ([Seen(1, 1_000_000_123, ONE, len(ONE), 1, 9, "")], {})


def test_captured_is_never_more_than_wire() -> None:
    assert read(pcap([(0, ONE, 3)]))[0][0].wire == len(ONE)
    assert read(pcapng(section(), interface(), enhanced(ONE, wire=3)))[0][0].wire == len(ONE)


MIXED = [
    section("<"),
    interface(1, name="wlan0", tsresol=9, order="<"),
    interface(101, name="rmnet0", tsresol=3, tsoffset=1000, order="<"),
    enhanced(ONE, 5, 0),
    enhanced(TWO, 5, 1),
    simple(ONE),
    enhanced(TWO, 7, 0),
    obsolete(ONE, 9, 1),
    section(">"),
    interface(113, tsresol=0x80 + 10, order=">"),
    enhanced(ONE, 2048, 0, order=">"),
    obsolete(TWO, 3072, 0, order=">"),
    simple(TWO, order=">"),
]
MIXED_SEEN = [
    Seen(1, 5, ONE, len(ONE), 1, 9, "wlan0"),
    Seen(2, 1000 * SECOND + 5_000_000, TWO, len(TWO), 101, 3, "rmnet0"),
    Seen(3, 1000 * SECOND + 5_000_000, ONE, len(ONE), 1, 9, "wlan0"),  # no time of its own: the one before
    Seen(4, 7, TWO, len(TWO), 1, 9, "wlan0"),
    Seen(5, 1000 * SECOND + 9_000_000, ONE, len(ONE), 101, 3, "rmnet0"),
    Seen(6, 2 * SECOND, ONE, len(ONE), 113, 4, ""),
    Seen(7, 3 * SECOND, TWO, len(TWO), 113, 4, ""),
    Seen(8, 3 * SECOND, TWO, len(TWO), 113, 4, ""),
]


def test_pcapng_of_all_sorts() -> None:
    assert read(pcapng(*MIXED)) == (MIXED_SEEN, {})


@pytest.mark.parametrize("order", "<>")
def test_pcapng_other_blocks(order: str) -> None:
    """Blocks without packets are passed over, also when they are longer than the buffer."""
    seen, losses = read(
        pcapng(
            section(order),
            block(4, b"names", order),
            interface(order=order),
            block(5, b"statistics", order),
            block(10, bytes(9000), order),
            enhanced(ONE, order=order, options=option(1, b"a comment", order)),
            block(0x0BAD, bytes(9000), order),
            block(0x7777, b"", order),
            enhanced(TWO, order=order),
        ),
        size=4096,
    )
    assert [frame.data for frame in seen] == [ONE, TWO]
    assert [frame.number for frame in seen] == [1, 3]  # Wireshark numbers custom blocks, too
    assert losses == {"block.unknown": 2}


@pytest.mark.parametrize(
    ("snap", "data", "wire", "captured"),
    [(0, b"12345", None, b"12345"), (3, b"123", 60, b"123"), (0, b"12345678", 60, b"12345678")],
)
def test_simple_packet_block(snap: int, data: bytes, wire: int | None, captured: bytes) -> None:
    (frame,), losses = read(pcapng(section(), interface(snap=snap), simple(data, wire)))
    assert (frame.data, frame.wire, losses) == (captured, wire or len(data), {})


@pytest.mark.parametrize(
    ("tsresol", "tsoffset", "ticks", "time_ns", "digits"),
    [
        (None, None, 1_500_000, 1_500_000_000, 6),
        (0, None, 2, 2 * SECOND, 0),
        (9, None, 2**62, 2**62, 9),
        (9, 10, 5, 10 * SECOND + 5, 9),
        (9, -10, 5, -10 * SECOND + 5, 9),
        (12, None, 1_234_567_891_234_567, 1_234_567_891_234, 9),
        (127, None, 2**64 - 1, 0, 9),
        (0x80 + 1, None, 3, 1_500_000_000, 1),
        (0x80 + 32, None, 3 << 31, 1_500_000_000, 9),
        (0x80 + 127, None, 2**64 - 1, 0, 9),
    ],
)
def test_clock(tsresol: int | None, tsoffset: int | None, ticks: int, time_ns: int, digits: int) -> None:
    (frame,), losses = read(pcapng(section(), interface(tsresol=tsresol, tsoffset=tsoffset), enhanced(ONE, ticks)))
    assert (frame.time_ns, frame.digits, losses) == (time_ns, digits, {})


@pytest.mark.parametrize(
    ("tsresol", "tsoffset"), [(9, None), (0, None), (6, 10**9), (0x80, None), (9, 2**62), (12, 2**62)]
)
def test_times_past_64_bits_are_clamped(tsresol: int, tsoffset: int | None) -> None:
    blocks = [section(), interface(tsresol=tsresol, tsoffset=tsoffset), enhanced(ONE, 2**64 - 1)]
    (frame,), losses = read(pcapng(*blocks))
    assert frame.time_ns == 2**63 - 1
    assert losses == {"time.out-of-range": 1}


def test_equal_interfaces_share_a_batch() -> None:
    """Or a capture that was merged of many would come in batches of one frame."""
    blocks = [section(), interface(name="a"), interface(name="a"), interface(name="b")]
    blocks += [enhanced(ONE, interface=index) for index in (0, 1, 0, 1, 2, 2, 0)]
    batches = list(frames(Pieces(pcapng(*blocks)), "x", Losses()))
    assert [(batch.first_frame, len(batch.start)) for batch in batches] == [(1, 4), (5, 2), (7, 1)]


def test_packets_of_an_unknown_interface() -> None:
    seen, losses = read(
        pcapng(simple(ONE)[:0], section(), simple(ONE), interface(), enhanced(ONE), *[enhanced(TWO, 0, 7)] * 2)
        + enhanced(ONE)
    )
    assert [frame.number for frame in seen] == [2, 5]
    assert losses == {"block.interface-missing": 3}
    assert [problem.offset for problem in losses.problems] == [28, 28 + len(simple(ONE)) + 20 + len(enhanced(ONE))]


def lengthened(record: bytes) -> bytes:
    return record[:4] + struct.pack("<I", len(record) + 4) + record[8:]


@pytest.mark.parametrize(
    ("content", "kept", "loss", "offset"),
    [
        (b"", 0, "file.empty", 0),
        (b"\n\r", 0, "file.empty", 0),
        (pcap([])[:20], 0, "file.empty", 0),
        (section()[:20], 0, "file.empty", 0),
        (b"#!/bin/sh\necho hello\n", 0, "file.not-a-capture", 0),
        (b"snoop\0\0\0" + bytes(100), 0, "file.not-a-capture", 0),
        (b"\n\r\r\n" + bytes(100), 0, "file.not-a-capture", 0),
        (pcap([ONE, TWO])[:-1], 1, "file.cut", 24 + 16 + len(ONE)),
        (pcap([ONE], version=(1, 4)), 0, "file.damaged", 0),
        (pcap([ONE]) + b"\xff" * 16, 1, "file.damaged", 40 + len(ONE)),
        (pcap([ONE, bytes(MAX_RECORD_BYTES + 1), TWO]), 1, "file.damaged", 40 + len(ONE)),
        (pcapng(frames=[ONE, TWO])[:-1], 1, "file.cut", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE]) + block(5, bytes(100))[:-4], 1, "file.cut", None),
        (pcapng(frames=[ONE]) + block(5, bytes(100))[:50], 1, "file.cut", None),
        (pcapng(frames=[ONE]) + section(version=(2, 0)), 1, "file.damaged", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE]) + lengthened(enhanced(TWO)) + section(), 1, "file.damaged", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE]) + lengthened(block(5, b"")) + section(), 1, "file.damaged", None),
        (pcapng(frames=[ONE]) + bytes(12), 1, "file.damaged", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE]) + b"\6\0\0\0\xff\xff\xff\x7f" * 4, 1, "file.damaged", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE]) + b"\6\0\0\0\4\0\0\0" * 4, 1, "file.damaged", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE]) + b"\1\0\0\0\xff\xff\xff\x7f" * 4, 1, "file.damaged", 48 + len(enhanced(ONE))),
        (pcapng(frames=[ONE, bytes(MAX_RECORD_BYTES + 1)]), 1, "file.damaged", 48 + len(enhanced(ONE))),
    ],
)
def test_what_is_wrong_is_counted_once(content: bytes, kept: int, loss: str, offset: int | None) -> None:
    seen, losses = read(content)
    assert len(seen) == kept
    losses.pop("block.unknown", None)
    assert losses == {loss: 1}
    assert offset is None or losses.problems[0].offset == offset


def test_empty_captures_are_whole() -> None:
    assert read(pcap([])) == ([], {})
    assert read(pcapng(section(), interface())) == ([], {})


def test_a_large_capture_reuses_the_buffer() -> None:
    content = [bytes([index % 251]) * (index % 1500) for index in range(12_000)]
    for whole in (pcap(content), pcapng(frames=content)):
        assert len(whole) > 2 * BUFFER_BYTES
        seen, losses = read(whole)
        assert (seen, losses) == read(whole, ahead=True)
        assert [frame.data for frame in seen] == content
        assert [frame.number for frame in seen] == list(range(1, 12_001))
        assert [frame.time_ns for frame in seen] == [START_NS + index * STEP_NS for index in range(12_000)]
        assert not losses


FRAMES = st.lists(st.binary(max_size=300), max_size=30)
CAPTURES = st.one_of(
    st.builds(pcap, FRAMES, ns=st.booleans(), order=st.sampled_from("<>")),
    st.builds(lambda content, order: pcapng(frames=content, order=order), FRAMES, st.sampled_from("<>")),
    st.permutations(MIXED[3:8]).map(lambda blocks: pcapng(*MIXED[:3], *blocks, *MIXED[8:])),
)
SIZES = st.lists(st.integers(1, 500), min_size=1, max_size=5)


@given(CAPTURES, SIZES)
def test_any_cut_same_frames(content: bytes, sizes: list[int]) -> None:
    whole = read(content)
    assert whole == read(content, sizes, size=512)
    assert whole == read(content, [1])
    assert whole == read(content, sizes, size=512, ahead=True)
    assert not whole[1]


def records(order: str, ns: bool) -> list[bytes]:
    return [pcap([], order=order, ns=ns), *(pcap([data], order=order, ns=ns)[24:] for data in (ONE, TWO, b"", ONE))]


@pytest.mark.parametrize("pieces", [records("<", False), records(">", True), MIXED], ids=["pcap", "pcap-ns", "pcapng"])
def test_truncation_keeps_what_is_complete(pieces: list[bytes]) -> None:
    """Cut at every byte: all complete frames, and one loss unless the cut is between two records."""
    whole, _ = read(b"".join(pieces))
    ends = {0: 0}  # bytes -> frames complete by then
    for index in range(len(pieces)):
        ends[len(b"".join(pieces[: index + 1]))] = len(read(b"".join(pieces[: index + 1]))[0])
    assert ends[max(ends)] == len(whole) == (8 if pieces is MIXED else 4)
    for size in range(1, max(ends)):
        seen, losses = read(b"".join(pieces)[:size])
        assert seen == whole[: ends[max(end for end in ends if end <= size)]]
        assert sum(losses.values()) == (0 if size in ends else 1)


@settings(max_examples=200)
@given(
    st.one_of(CAPTURES, st.binary(max_size=200).map(lambda rest: pcap([]) + rest), st.binary(max_size=200)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), max_size=8),
    SIZES,
)
def test_damage_neither_raises_nor_hangs(content: bytes, flips: list[tuple[int, int]], sizes: list[int]) -> None:
    damaged = bytearray(content)
    for position, bit in flips:
        if damaged:
            damaged[position % len(damaged)] ^= 1 << bit
    source = Pieces(bytes(damaged), sizes)
    losses = Losses()
    for batch in frames(source, "x", losses, 4096):
        assert int((batch.start + batch.captured).max()) <= len(batch.buffer)
        assert int(batch.captured.min()) >= 0
    assert source.reads <= len(damaged) + 2
    assert read(bytes(damaged), size=4096) == read(bytes(damaged), sizes, size=4096)
    (frames_here, here), (frames_there, there) = read(bytes(damaged)), read(bytes(damaged), sizes, ahead=True)
    assert (frames_here, here, here.problems) == (frames_there, there, there.problems)


def test_what_goes_wrong_in_the_thread_comes_out() -> None:
    class Broken(Pieces):
        def readinto(self, view: memoryview) -> int:
            if self.given:
                raise MemoryError
            return super().readinto(view)

    threads = ExitStack()
    with pytest.raises(MemoryError), threads:
        list(frames(Broken(gzip.compress(pcap([ONE] * 9)), [40]), "x", Losses(), 512, threads))


def stops_reading(make: Callable[[], bytes]) -> int:
    source = Pieces(make(), [100])
    for _ in frames(source, "x", Losses()):
        pass
    return source.given


def test_damage_stops_the_reading() -> None:
    assert stops_reading(lambda: pcap([ONE]) + b"\xff" * 10_000) <= 200


@pytest.mark.parametrize("order", ["<", ">"])
def test_frames_that_the_host_dropped(order: str) -> None:
    """Counters grow; each interface has its own, and each section begins anew."""
    both = interface(order=order) * 2
    told = [(1, 0, 0), (1, 2, 0), (3, 2, 0), (2, 2, 0), (4, 0, 1), (9, 9, 2)]  # the last: an interface never described
    blocks = [statistics(dropped, by_system, number, order) for dropped, by_system, number in told]
    data = pcapng(section(order), both, *blocks, section(order), both, statistics(7, order=order))
    assert {read(data, sizes)[1]["capture.dropped"] for sizes in ([1 << 30], [3], [17, 1])} == {5 + 4 + 7}
