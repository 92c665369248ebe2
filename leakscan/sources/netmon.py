"""Microsoft Network Monitor captures, versions 1 and 2: a file header, frames one behind the other, a table of offsets.

In: a `Window`. Out: `FrameBatch`es, one per filled window. State: the number of the next frame. The table stands
behind the frames and says what reading them in order says too; it is not needed, and its place is where they end.

Times count from a local time without a zone, which is taken for UTC. Versions from 2.1 on write the network type behind
each frame, and more, that is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from leakscan.model import FrameBatch, Origin
from leakscan.sources.links import without_fcs
from leakscan.sources.stream import MAX_RECORD_BYTES, Fault, Window

FILE_HEADER_BYTES = 128
DIGITS = 6
LAST_NS = (1 << 63) - 1


class Layout(NamedTuple):
    """How one version writes a frame."""

    header: struct.Struct  # time since the beginning, bytes on the wire, bytes captured
    unit_ns: int
    trailer: int  # bytes behind the frame; the first two are its network type, if there are any


class _Row(NamedTuple):
    link: int
    start: int
    captured: int
    wire: int
    time_ns: int


def recognises(head: bytes) -> bool:
    return head[:4] in (b"RTSS", b"GMBU")


def read(window: Window) -> Iterator[FrameBatch]:
    """The frames of one capture. Raises Fault where the file is cut or damaged."""
    if not window.need(FILE_HEADER_BYTES):
        raise Fault("file.empty", "the capture ends inside its file header")
    minor, major, network, *date = struct.unpack_from("<4xBBH8H", window.data)
    (end_of_frames,) = struct.unpack_from("<24xI", window.data)
    layout = LAYOUTS.get((major, min(minor, 3) if major == 2 else 0))
    start_ns = _start_ns(date)
    if layout is None or start_ns is None:
        raise Fault("file.damaged", f"Network Monitor {major}.{minor}: a version or time that leakscan does not read")
    window.start += FILE_HEADER_BYTES
    number = 1
    while window.offset < end_of_frames:
        rows = list(_walk(window, layout, end_of_frames, network, start_ns))
        for link, run in groupby(rows, key=lambda row: row.link):
            batch = _batch(window, link, list(run), number)
            number += len(batch.start)
            yield batch
        if window.offset < end_of_frames and not window.more():
            raise Fault("file.cut", "the capture ends before its frames do")


def _walk(window: Window, layout: Layout, end_of_frames: int, network: int, start_ns: int) -> Iterator[_Row]:
    """The complete frames in the window; moves its start behind them."""
    header = layout.header
    base = window.offset - window.start
    end = min(window.end, end_of_frames - base)
    while window.start + header.size <= end:
        elapsed, wire, captured = header.unpack_from(window.data, window.start)
        if captured > MAX_RECORD_BYTES:
            raise Fault("file.damaged", f"a packet record of {captured} bytes")
        start = window.start + header.size
        behind = start + captured
        if behind + layout.trailer > end:
            if end < window.end:
                raise Fault("file.damaged", "a packet record that ends behind all frames")
            return
        time_ns = start_ns + elapsed * layout.unit_ns
        if not -LAST_NS <= time_ns <= LAST_NS:
            window.losses["time.out-of-range"] += 1
            time_ns = LAST_NS
        kind = struct.unpack_from("<H", window.data, behind)[0] if layout.trailer else network
        yield _Row(NETWORKS.get(kind, UNKNOWN_LINK), start, captured, wire, time_ns)
        window.start = behind + layout.trailer


def _batch(window: Window, link: int, rows: list[_Row], number: int) -> FrameBatch:
    import numpy as np

    start, captured, wire, time_ns = np.array([row[1:] for row in rows], np.int64).T
    captured, wire = without_fcs(captured, wire, 0)
    origin = Origin(window.capture, link, DIGITS, "")
    return FrameBatch(origin, window.data, start, captured, wire, time_ns, number, window.base)


def _start_ns(date: list[int]) -> int | None:
    """Windows' SYSTEMTIME: year, month, day of the week, day, hour, minute, second, millisecond."""
    year, month, _, day, hour, minute, second, milliseconds = date
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(time.timestamp()) * 10**9 + milliseconds * 10**6


#: (major, minor) -> layout
LAYOUTS = {
    (1, 0): Layout(struct.Struct("<IHH"), 10**6, 0),
    (2, 0): Layout(struct.Struct("<qII"), 1000, 0),
    (2, 1): Layout(struct.Struct("<qII"), 1000, 2),
    (2, 2): Layout(struct.Struct("<qII"), 1000, 6),
    (2, 3): Layout(struct.Struct("<qII"), 1000, 15),
}
#: Network type -> LINKTYPE_
NETWORKS = {1: 1, 2: 6, 3: 10}
UNKNOWN_LINK = 0xFFFF
