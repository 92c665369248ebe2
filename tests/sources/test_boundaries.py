"""Where a record begins: right where captures are plain, and never a fault."""

from __future__ import annotations

import struct
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.losses import Losses
from leakscan.sources import pcap as pcap_reader
from leakscan.sources.boundaries import CHAIN, first_block, first_record
from leakscan.sources.stream import Window
from tests.builders import START_NS, enhanced, interface, pcap, pcapng, section

FRAMES = st.lists(st.binary(min_size=42, max_size=300), min_size=1, max_size=30)  # as on Ethernet

#: Enough records for a chain that holds.
TAIL = [b"a frame like any other" * 3] * CHAIN


def header_of(data: bytes) -> pcap_reader.FileHeader:
    return pcap_reader.file_header(Window(None, data[:32], "x", Losses()))


def starts_of_pcap(frames: list[bytes], header: pcap_reader.FileHeader) -> list[int]:
    sizes = (header.variant.record_header + len(frame) for frame in frames)
    return list(accumulate(sizes, initial=header.variant.file_header))


@pytest.mark.parametrize(
    "form",
    [{}, {"ns": True}, {"order": ">"}, {"version": (2, 2)}, {"magic": 0xA1B2CD34, "extra": bytes(8)}],
    ids=str,
)
@given(FRAMES, st.data())
def test_the_next_record_is_found(form, frames, data):
    frames += TAIL
    timed = [(START_NS + number * 10**9, frame) for number, frame in enumerate(frames)]
    capture = pcap(timed, **form)
    header = header_of(capture)
    starts = starts_of_pcap(frames, header)
    near = data.draw(st.integers(header.variant.file_header, starts[-1 - len(TAIL)]))
    expected = next(start for start in starts if start >= near)
    found = first_record(memoryview(capture)[near:], len(capture) - near, header)
    assert found == expected - near
    if found:
        assert first_record(memoryview(capture)[near:], found, header) is None


@pytest.mark.parametrize("order", ["<", ">"])
@given(FRAMES, st.data())
def test_the_next_block_is_found(order, frames, data):
    frames += TAIL
    blocks = [section(order), interface(order=order), *(enhanced(f, START_NS // 1000, order=order) for f in frames)]
    capture = pcapng(*blocks)
    starts = list(accumulate(map(len, blocks)))[1:]
    near = data.draw(st.integers(starts[0], starts[-1 - len(TAIL)])) & -4
    expected = next(start for start in starts if start >= near)
    assert first_block(memoryview(capture)[near:], len(capture) - near, order) == expected - near


@given(st.binary(max_size=3000), st.integers(0, 4000), st.sampled_from("<>"))
def test_any_bytes(data, most, order):
    header = header_of(pcap([b"x"], order=order))
    for found in (first_record(memoryview(data), most, header), first_block(memoryview(data), most, order)):
        assert found is None or 0 <= found < min(most, len(data))


def test_zeros_are_no_records():
    assert first_record(memoryview(bytes(100_000)), 90_000, header_of(pcap([b"x"]))) is None


def test_records_far_apart_in_time_do_not_follow_each_other():
    header = header_of(pcap([b"x"]))
    near, far = (struct.pack("<IIII", second, 0, 4, 4) + b"data" for second in (1_326_153_600, 77))
    assert first_record(memoryview(near * 9), 50, header) == 0
    assert first_record(memoryview((near + far) * 9), 50, header) is None
