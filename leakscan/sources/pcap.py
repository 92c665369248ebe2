"""pcap files: a file header, then packet records. draft-ietf-opsawg-pcap, and the variants told by the magic number.

In: a `Window`. Out: `FrameBatch`es, one per filled window. State: the number of the next frame. Reading may begin and
end at any record (`records`), for who reads a capture in stretches.

The walk from record to record is plain Python and does nothing but collect offsets; everything else is gathered by
numpy from the record headers at those offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from leakscan.model import FrameBatch, Origin
from leakscan.sources.links import linktype, without_fcs
from leakscan.sources.stream import MAX_RECORD_BYTES, Fault, Window

if TYPE_CHECKING:
    from leakscan.model import Column


class Variant(NamedTuple):
    digits: int  # decimals of a second
    file_header: int  # bytes
    record_header: int  # bytes


class FileHeader(NamedTuple):
    order: str  # "<" or ">", as struct and numpy write it
    variant: Variant
    captured_at: tuple[int, ...]  # offset of the captured length in a record header; two: the smaller is it
    link: int
    fcs: int  # bytes of frame check sequence at the end of each frame


def recognises(head: bytes) -> bool:
    return _order(head) is not None


def read(window: Window) -> Iterator[FrameBatch]:
    """The frames of one pcap file. Raises Fault where the file is cut or damaged."""
    yield from records(window, file_header(window))


def records(window: Window, header: FileHeader, number: int = 1, limit: int | None = None) -> Iterator[FrameBatch]:
    """The frames from here on, the first of which is `number`, up to the first record at or behind the offset `limit`
    of the capture. Raises Fault.
    """

    import numpy as np

    origin = Origin(window.capture, header.link, header.variant.digits, "")
    length = header.variant.record_header
    longest = min(MAX_RECORD_BYTES, window.size - length)
    while True:
        starts, end = _walk(window, header, limit)
        if starts:
            batch = _batch(window, header, origin, np.fromiter(starts, np.int64, len(starts)), number, longest)
            good = len(batch.start)
            if good:
                yield batch
            number += good
            window.start = end if good == len(starts) else starts[good]
        if limit is not None and window.offset >= limit:
            return
        if window.end - window.start >= length and (captured := _captured(window, header)) > longest:
            raise Fault("file.damaged", f"a packet record of {captured} bytes")
        if not window.more():
            return


def _order(head: bytes | bytearray) -> str | None:
    for order in "<>":
        if len(head) >= 4 and struct.unpack_from(order + "I", head)[0] in VARIANTS:
            return order
    return None


def file_header(window: Window) -> FileHeader:
    order = _order(window.data) or "<"
    variant = VARIANTS[struct.unpack_from(order + "I", window.data)[0]]
    if window.end < variant.file_header:
        raise Fault("file.empty", "the capture ends inside its file header")
    captured_at, link, fcs, digits = layout(window.data, order)
    variant = variant._replace(digits=digits or variant.digits)
    window.start += variant.file_header
    return FileHeader(order, variant, captured_at, link, fcs)


def layout(head: bytes | bytearray, order: str) -> tuple[tuple[int, ...], int, int, int]:
    """What a file header says of the records: captured_at, link and fcs as in FileHeader, and the decimals of a second
    where they are not the variant's (else 0). Raises Fault."""
    major, minor, link = struct.unpack_from(order + "4xHH12xI", head)
    if major not in (2, DGUX_MAJOR):
        raise Fault("file.damaged", f"pcap of version {major}.{minor}, which leakscan does not read")
    # Up to version 2.2 the two lengths stood the other way round, and in files of 2.3 they have either order.
    captured_at: tuple[int, ...] = (8,)
    if major == DGUX_MAJOR or minor < 3:
        captured_at = (12,)
    elif minor == 3:
        captured_at = (8, 12)
    fcs = 2 * (link >> 28) if link & FCS_LENGTH_PRESENT else 0
    if major == 2 and minor == 2 and link in AIX_LINKS:
        return captured_at, AIX_LINKS[link], fcs, 9
    return captured_at, linktype(link & 0xFFFF), fcs, 0


def _walk(window: Window, header: FileHeader, limit: int | None) -> tuple[list[int], int]:
    """Offsets of the complete records in the window that begin before `limit`, and the end of the last one."""
    data, position, end = window.data, window.start, window.end
    length = header.variant.record_header
    starts: list[int] = []
    append = starts.append
    last = end - length if limit is None else min(end - length, limit - window.base - 1)
    if len(header.captured_at) == 1:
        unpack = struct.Struct(f"{header.order}{header.captured_at[0]}xI").unpack_from
        while position <= last:
            (captured,) = unpack(data, position)
            append(position)
            position += captured + length
    else:
        unpack = struct.Struct(f"{header.order}8xII").unpack_from
        while position <= last:
            append(position)
            position += min(unpack(data, position)) + length
    if position > end:
        position = starts.pop()  # not complete yet
    return starts, position


def _captured(window: Window, header: FileHeader) -> int:
    unpack = struct.Struct(header.order + "I").unpack_from
    return min(int(unpack(window.data, window.start + at)[0]) for at in header.captured_at)


def _batch(window: Window, header: FileHeader, origin: Origin, starts: Column, number: int, limit: int) -> FrameBatch:
    """The records at `starts` as columns, up to the first that is longer than `limit`."""

    import numpy as np

    # One 16-byte item at every offset of the buffer: indexing it copies whole record headers.
    items = np.ndarray((window.size - 15,), "V16", window.data, strides=(1,))
    fields = items[starts].view(header.order + "u4").reshape(-1, 4).astype(np.int64)
    seconds, fraction, captured, wire = fields.T
    if header.captured_at == (12,):
        captured, wire = wire, captured
    elif len(header.captured_at) == 2:
        captured, wire = np.minimum(captured, wire), np.maximum(captured, wire)
    if int(captured.max()) > limit:
        good = int(np.argmax(captured > limit))
        starts, seconds, fraction, captured, wire = (c[:good] for c in (starts, seconds, fraction, captured, wire))
    time_ns = seconds * 1_000_000_000 + fraction * 10 ** (9 - header.variant.digits)
    captured, wire = without_fcs(captured, wire, header.fcs)
    starts = starts + header.variant.record_header
    return FrameBatch(origin, window.data, starts, captured, wire, time_ns, number, window.base)


#: Bit of the link type field: its upper four bits are the length of the frame check sequence, in units of 16 bits.
FCS_LENGTH_PRESENT = 0x0400_0000
DGUX_MAJOR = 543  # DG/UX wrote version 543.0, lengths in the old order
#: AIX wrote version 2.2 with nanoseconds and interface types (RFC 1573) for link types; these four give it away.
AIX_LINKS = {6: 1, 9: 6, 15: 10, 24: 0}

#: By magic number.
VARIANTS = {
    0xA1B2C3D4: Variant(6, 24, 16),
    0xA1B23C4D: Variant(9, 24, 16),
    0xA1B2CD34: Variant(6, 24, 24),  # Kuznetzov's patch: interface, protocol and packet type behind the lengths
    0x1C0001AB: Variant(6, 28, 16),  # Ixia, software time stamps: the size of all records ends the file header
    0x1C0001AC: Variant(9, 28, 16),  # Ixia, hardware time stamps
}
