"""Captures made in memory, for tests. Nothing here is shared with the readers under test.

`pcap` and `pcapng` take frames or blocks and give the bytes of a file. A frame is its bytes, or (time_ns, bytes), or
(time_ns, bytes, bytes it had on the wire). Frames without a time come one millisecond apart from `START_NS` on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

START_NS = 1_326_153_600 * 10**9  # 2012-01-10T00:00:00Z
STEP_NS = 10**6

Frame = bytes | tuple[int, bytes] | tuple[int, bytes, int]


def pcap(
    frames: Iterable[Frame],
    link: int = 1,
    ns: bool = False,
    order: str = "<",
    version: tuple[int, int] = (2, 4),
    magic: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A pcap file. `link` is the whole link type field; `extra` stands behind every record header."""
    magic = magic or (0xA1B23C4D if ns else 0xA1B2C3D4)
    out = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, 262144, link)]
    for time_ns, data, wire in _whole(frames):
        seconds, fraction = divmod(time_ns, 10**9)
        out.append(struct.pack(order + "IIII", seconds, fraction if ns else fraction // 1000, len(data), wire))
        out += [extra, data]
    return b"".join(out)


def pcapng(*blocks: bytes, link: int = 1, order: str = "<", frames: Iterable[Frame] = ()) -> bytes:
    """A pcapng file of `blocks`; or of `frames`, with one interface of type `link` and microseconds."""
    if not blocks:
        enhanced_blocks = [enhanced(data, t // 1000, wire=wire, order=order) for t, data, wire in _whole(frames)]
        blocks = (section(order), interface(link, order=order), *enhanced_blocks)
    return b"".join(blocks)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1), order)


def interface(
    link: int = 1,
    snap: int = 0,
    name: str | None = None,
    tsresol: int | None = None,
    tsoffset: int | None = None,
    fcslen: int | None = None,
    order: str = "<",
) -> bytes:
    """An Interface Description Block. `tsresol` as on the wire: 9 is nanoseconds, 0x80 + n is 2 ** -n seconds."""
    options = b""
    if name is not None:
        options += option(2, name.encode(), order)
    if tsresol is not None:
        options += option(9, bytes([tsresol]), order)
    if fcslen is not None:
        options += option(13, bytes([fcslen]), order)
    if tsoffset is not None:
        options += option(14, struct.pack(order + "q", tsoffset), order)
    if options:
        options += option(0, b"", order)
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def enhanced(
    data: bytes, ticks: int = 0, interface: int = 0, wire: int | None = None, order: str = "<", options: bytes = b""
) -> bytes:
    """An Enhanced Packet Block; `ticks` in the resolution of its interface."""
    wire = len(data) if wire is None else wire
    head = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def statistics(dropped: int = 0, by_system: int = 0, interface: int = 0, order: str = "<") -> bytes:
    """An Interface Statistics Block with both counters of dropped frames."""
    counters = ((5, dropped), (7, by_system))
    options = b"".join(option(code, struct.pack(order + "Q", count), order) for code, count in counters)
    return block(5, struct.pack(order + "III", interface, 0, 0) + options + option(0, b"", order), order)


def simple(data: bytes, wire: int | None = None, order: str = "<") -> bytes:
    """A Simple Packet Block: interface 0, no time."""
    return block(3, struct.pack(order + "I", len(data) if wire is None else wire) + data, order)


def obsolete(
    data: bytes, ticks: int = 0, interface: int = 0, wire: int | None = None, order: str = "<", drops: int = 0xFFFF
) -> bytes:
    """A Packet Block, as written before there was the Enhanced one."""
    wire = len(data) if wire is None else wire
    head = struct.pack(order + "HHIIII", interface, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire)
    return block(2, head + data, order)


def _whole(frames: Iterable[Frame]) -> Iterator[tuple[int, bytes, int]]:
    for index, frame in enumerate(frames):
        time_ns, data, *rest = (START_NS + index * STEP_NS, frame) if isinstance(frame, bytes) else frame
        yield time_ns, data, rest[0] if rest else len(data)
