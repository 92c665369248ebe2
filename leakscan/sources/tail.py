"""How a long plain capture ends, from its last TAIL_BYTES alone.

In: its size, and how to open it at a place. Out: the time of the latest frame there, or None where a tail does not tell
it: a compressed capture, one that is damaged there, interfaces that are described elsewhere. Where records begin in
the middle is guessed (`boundaries`), and a guess counts when a walk from it ends where the capture does. No state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Protocol

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import pcap, pcapng
from leakscan.sources.boundaries import first_block, first_record
from leakscan.sources.stream import ByteSource, Fault, Window, read_up_to

TAIL_BYTES = 1 << 20
#: Of the beginning, for what is said there of the packets.
HEAD_BYTES = 64 << 10


class Opened(ByteSource, Protocol):
    def close(self) -> None: ...


def latest(size: int, opened: Callable[[int, int], Opened]) -> int | None:
    """`opened` gives the bytes from a place on, so many at least. Raises OSError, Fault."""
    with closing(opened(0, HEAD_BYTES)) as source:
        head = _window(read_up_to(source, HEAD_BYTES))
    place = size - TAIL_BYTES & -4  # where blocks may begin
    with closing(opened(place, size - place)) as source:
        tail = read_up_to(source, size - place)
    known = bytes(head.data[:4])
    if pcap.recognises(known):
        return _last_record(pcap.file_header(head), tail)
    return _last_block(head, tail) if pcapng.recognises(known) else None


def _last_record(header: pcap.FileHeader, tail: bytes) -> int | None:
    begin = first_record(memoryview(tail), len(tail), header)
    return None if begin is None else _latest(pcap.records(_window(tail[begin:]), header))


def _last_block(head: Window, tail: bytes) -> int | None:
    reader = pcapng.Reader(head)
    try:
        for _ in reader.batches():
            pass
    except Fault:  # a block goes on behind it
        pass
    described = reader.description()
    begin = first_block(memoryview(tail), len(tail), described.order)
    if begin is None:
        return None
    window = _window(tail[begin:])
    behind = pcapng.Reader(window)
    behind.take(described)
    found = _latest(behind.batches())
    return found if behind.description() == described and not window.losses["block.interface-missing"] else None


def _latest(batches: Iterator[FrameBatch]) -> int | None:
    found: int | None = None
    try:
        for batch in batches:
            found = max(found or 0, int(batch.time_ns.max()))
    except Fault as fault:
        if fault.loss != "file.cut":
            return None
    return found


def _window(data: bytes) -> Window:
    return Window(_Nothing(), data, "", Losses(), max(len(data), TAIL_BYTES + 4))


class _Nothing:
    """What follows bytes that are all there."""

    size = 0

    def readinto(self, view: memoryview) -> int:
        return 0
