"""A capture file as a row of pieces, none left out: file headers, packet records, blocks of every kind.

In: a pcap or pcapng capture. Out: `Piece`s, which put one behind the other are the file; frames are numbered as the
readers in sources/ do. State: one piece at a time, at most MAX_PIECE_BYTES, and the link types of a section's
interfaces. The end is where a reader stopped: what leakscan could not read is not copied.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leakscan.sources import content, pcap, pcapng
from leakscan.sources.interface import Clock, Interface, parse_interface

MAX_PIECE_BYTES = 64 << 20
DECRYPTION_SECRETS = 10  # draft-ietf-opsawg-pcapng section 4.7
NAME_RESOLUTION = 4
_SECTION, _INTERFACE = 0x0A0D0D0A, 1
NO_LINK = -1  # of a frame whose interface was never described
SECOND = 10**9
_NOBODY = Interface(NO_LINK, Clock(), 0, "")


class Piece(NamedTuple):
    data: bytes
    kind: int  # block type of pcapng; of pcap 0, or 6 (as an Enhanced Packet Block) for a record
    order: str  # "<" or ">"
    frame: int  # number, 0 where there is none
    start: int  # of the frame in data
    size: int  # of the frame as it was captured, with its check sequence
    wire: int  # of the frame on the wire
    link: int
    fcs: int  # bytes of check sequence at the frame's end, when the file says so
    time_ns: int = 0

    @property
    def frame_bytes(self) -> bytes:
        return self.data[self.start : self.start + self.size]


class _Bytes:
    """Bytes of a capture, so many at a time."""

    def __init__(self, name: str, end: int | None, on_bytes: Callable[[int], None] | None) -> None:
        self._source = content(name, on_bytes)
        self._waiting = b""
        self._at = 0  # what is before was taken
        self._left = end

    def need(self, size: int) -> bytes | None:
        """The next `size` bytes, which stay; None when there are not so many."""
        if size > MAX_PIECE_BYTES or (self._left is not None and size > self._left):
            return None
        there = len(self._waiting) - self._at
        if there < size:
            parts = [self._waiting[self._at :]]
            while there < size and (more := next(self._source, None)) is not None:
                parts.append(more)
                there += len(more)
            self._waiting, self._at = b"".join(parts), 0
        return self._waiting[self._at : self._at + size] if there >= size else None

    def take(self, size: int) -> bytes | None:
        data = self.need(size)
        if data is not None:
            self._at += size
            if self._left is not None:
                self._left -= size
        return data

    def rest(self) -> bytes:
        """What is left, when it is less than MAX_PIECE_BYTES: trailers of some pcap variants."""
        rest = self._waiting[self._at :]
        while len(rest) <= MAX_PIECE_BYTES and (more := next(self._source, None)) is not None:
            rest += more
        return rest if self._left is None else rest[: self._left]


def pieces(name: str, end: int | None = None, on_bytes: Callable[[int], None] | None = None) -> Iterator[Piece] | None:
    """The pieces of a capture up to `end` (bytes, decompressed; None: all of it); None when it is neither pcap nor
    pcapng."""
    source = _Bytes(name, end, on_bytes)
    head = source.need(12) or b""
    if pcapng.recognises(head):
        return _blocks(source)
    return _records(source) if pcap.recognises(head) else None


def _records(source: _Bytes) -> Iterator[Piece]:
    magic = source.need(4) or b""
    order = "<" if struct.unpack("<I", magic)[0] in pcap.VARIANTS else ">"
    variant = pcap.VARIANTS[struct.unpack(order + "I", magic)[0]]
    head = source.take(variant.file_header)
    if head is None:
        return
    yield Piece(head, 0, order, 0, 0, 0, 0, NO_LINK, 0)
    captured_at, link, fcs, digits = pcap.layout(head, order)
    scale = 10 ** (9 - (digits or variant.digits))
    unpack = struct.Struct(order + "I").unpack_from
    for number in range(1, 1 << 62):
        record = source.need(variant.record_header)
        if record is None:
            break
        lengths = [unpack(record, at)[0] for at in (8, 12)]
        size = min(unpack(record, at)[0] for at in captured_at)
        data = source.take(variant.record_header + size)
        if data is None:
            break
        time_ns = unpack(data, 0)[0] * SECOND + unpack(data, 4)[0] * scale
        yield Piece(data, 6, order, number, variant.record_header, size, max(*lengths, size), link, fcs, time_ns)
    if rest := source.rest() if variant.file_header > 24 else b"":
        yield Piece(rest, 0, order, 0, 0, 0, 0, NO_LINK, 0)


def _blocks(source: _Bytes) -> Iterator[Piece]:
    order, number = "<", 1
    interfaces: list[Interface] = []
    snap = 0
    while (head := source.need(12)) is not None:
        if head[:4] == pcapng.SECTION_MAGIC:
            order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack_from(order + "II", head)
        data = source.take(length + 3 & -4) if length >= 12 else None
        if data is None:
            return
        if kind == _INTERFACE and len(data) >= 20:
            own, described = parse_interface(bytearray(data), order)
            snap = snap if interfaces else own
            interfaces.append(described)
        layout = pcapng.PACKET_BLOCKS.get(kind)
        if layout is None or len(data) < layout.overhead:
            yield Piece(data, kind, order, 0, 0, 0, 0, NO_LINK, 0)
            number += kind in pcapng.NUMBERED_BLOCKS
            continue
        interface, size, wire = _packet(kind, data, order, layout.data, snap)
        link, clock, fcs, _ = interfaces[interface] if interface < len(interfaces) else _NOBODY
        time_ns = _time(data, order, clock) if layout.has_time else 0
        yield Piece(data, kind, order, number, layout.data, size, max(wire, size), link, fcs, time_ns)
        number += 1


def _time(data: bytes, order: str, clock: Clock) -> int:
    high, low = struct.unpack_from(order + "II", data, 12)
    per_second: int = clock.base**clock.exponent
    return int(((high << 32) + low) * SECOND // per_second + clock.offset * SECOND)


def _packet(kind: int, data: bytes, order: str, start: int, snap: int) -> tuple[int, int, int]:
    """Interface, captured length and wire length of a packet block."""
    if not pcapng.PACKET_BLOCKS[kind].has_time:
        wire = struct.unpack_from(order + "I", data, 8)[0]
        size = min(wire, len(data) - start - 4, *([snap] if snap else []))
        return 0, size, wire
    interface = struct.unpack_from(order + ("H" if kind == pcapng.OBSOLETE_PACKET else "I"), data, 8)[0]
    size, wire = struct.unpack_from(order + "II", data, 20)
    return interface, min(size, len(data) - start - 4), wire
