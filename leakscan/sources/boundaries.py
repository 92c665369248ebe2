"""Where in the middle of a capture a record begins: a guess, for whoever checks it.

In: bytes from somewhere in a plain pcap or pcapng file. Out: the offset of the first record that begins there, as far
as a chain of believable headers tells. A capture may hold another one, so a guess can be wrong; source.py finds out.
No state.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leakscan.sources.pcap import FileHeader
from leakscan.sources.pcapng import BLOCK_FIXED, MAX_PACKET_BLOCK, OTHER_BLOCKS, PACKET_BLOCKS
from leakscan.sources.stream import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Records behind a candidate that must be believable, as far as the bytes go.
CHAIN = 5
#: Seconds between two records that follow each other.
MAX_STEP = 7 * 24 * 3600
#: Bytes that a packet had on the wire: no link, and no offloading, makes more.
MAX_WIRE = 1 << 24
#: Offsets looked at together.
AT_ONCE = 4096

#: From the offset of a record to that of the next; None where none can be.
Step = Callable[[int], "int | None"]


def first_record(data: memoryview, most: int, header: FileHeader) -> int | None:
    """The offset of the first record of a pcap file that begins in the first `most` bytes."""
    size, order, digits = header.variant.record_header, header.order, header.variant.digits
    unpack = struct.Struct(order + "IIII").unpack_from
    end = len(data)

    def step(at: int) -> int | None:
        seconds, fraction, *lengths = unpack(data, at)
        captured, wire = _lengths(lengths, header)
        if not (0 < captured <= MAX_RECORD_BYTES and captured <= wire <= MAX_WIRE and fraction < 10**digits):
            return None
        behind: int = at + size + captured
        if behind + size <= end and abs(unpack(data, behind)[0] - seconds) > MAX_STEP:
            return None
        return behind

    for low in range(0, min(most, end - 15), AT_ONCE):
        count = min(AT_ONCE, min(most, end - 15) - low)
        items: NDArray[Any] = np.ndarray((count,), "V16", data, offset=low, strides=(1,))
        fields = items.copy().view(order + "u4").reshape(-1, 4).astype(np.int64)
        captured, wire = _lengths([fields[:, 2], fields[:, 3]], header)
        may = (captured > 0) & (captured <= MAX_RECORD_BYTES) & (captured <= wire) & (wire <= MAX_WIRE)
        may &= fields[:, 1] < 10**digits
        for at in np.flatnonzero(may).tolist():
            if _holds(low + at, step, end - size, end):
                return low + int(at)
    return None


def _lengths(lengths: Sequence[Any], header: FileHeader) -> tuple[Any, Any]:
    """Captured and on the wire, in the order of this file."""
    first, second = lengths
    if header.captured_at == (8,):
        return first, second
    if header.captured_at == (12,):
        return second, first
    return np.minimum(first, second), np.maximum(first, second)


def first_block(data: memoryview, most: int, order: str) -> int | None:
    """The offset of the first block of a pcapng file that begins in the first `most` bytes, and holds a packet or
    nothing that bears on packets. `data` begins at a multiple of four of the file, as all blocks do.
    """
    unpack = struct.Struct(order + "II").unpack_from
    again = struct.Struct(order + "I").unpack_from
    end = len(data)

    def step(at: int) -> int | None:
        kind, length = unpack(data, at)
        if kind not in _KINDS or not BLOCK_FIXED <= length <= MAX_PACKET_BLOCK:
            return None
        behind: int = at + (length + 3 & -4)
        if behind <= end and again(data, behind - 4)[0] != length:
            return None
        return behind

    for low in range(0, min(most, end - 7), AT_ONCE):
        words = np.frombuffer(data[low : min(low + AT_ONCE, most, end - 7) + 3 & -4], order + "u4")
        for index in np.flatnonzero(np.isin(words, list(_KINDS))).tolist():
            if _holds(low + 4 * int(index), step, end - 8, end):
                return low + 4 * int(index)
    return None


def _holds(at: int, step: Step, last: int, end: int) -> bool:
    """Whether believable records stand in a row, up to the `last` place where one can be read. One record alone tells
    nothing, unless it is the end of the capture's.
    """
    place: int | None = at
    for number in range(CHAIN):
        if place is not None and place > last:
            return number > 1 or place == end
        place = None if place is None else step(place)
    return place is not None


_KINDS = frozenset(PACKET_BLOCKS) | frozenset(OTHER_BLOCKS)
