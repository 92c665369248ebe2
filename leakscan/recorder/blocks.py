"""The blocks of a pcapng file that is written. draft-ietf-opsawg-pcapng.

In: origins, frames of a batch, counts. Out: the bytes of blocks, little endian. No state.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from leakscan import __version__
from leakscan.model import FrameBatch, Origin
from leakscan.sources.tap import Drops

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_MAGIC = 0x1A2B3C4D
_END, _NAME, _RESOLUTION, _APPLICATION, _RECEIVED, _DROPPED, _DROPPED_BY_SYSTEM = 0, 2, 9, 4, 4, 5, 7
_HEAD = struct.Struct("<IIIIIII")  # type, length, interface, time (high, low), captured, wire
_LENGTH = struct.Struct("<I")
PACKET_OVERHEAD = _HEAD.size + _LENGTH.size


def section() -> bytes:
    program = _option(_APPLICATION, f"leakscan {__version__}".encode())
    return _block(_SECTION, struct.pack("<IHHq", _MAGIC, 1, 0, -1) + program + _option(_END, b""))


def interface(origin: Origin) -> bytes:
    """Its link type, name, and the resolution of its clock; no snap length, frames may have any."""
    options = _option(_RESOLUTION, bytes((origin.digits,)))
    if origin.interface:
        options = _option(_NAME, origin.interface.encode("utf-8", "replace")) + options
    return _block(_INTERFACE, struct.pack("<HHI", origin.link, 0, 0) + options + _option(_END, b""))


def packets(batch: FrameBatch, number: int, which: Sequence[int]) -> Iterator[bytes]:
    """A block for each frame of the batch with an index in `which`; `number`: of the interface in the section."""
    chosen = slice(None) if len(which) == len(batch.start) else which
    scale = 10 ** (9 - batch.origin.digits)
    columns = (batch.start, batch.captured, batch.wire, batch.time_ns)
    view = memoryview(batch.buffer)
    for at, size, wire, time_ns in zip(*(column[chosen].tolist() for column in columns), strict=True):
        tick = time_ns // scale
        padding = -size % 4
        length = PACKET_OVERHEAD + size + padding
        head = _HEAD.pack(_PACKET, length, number, tick >> 32 & 0xFFFFFFFF, tick & 0xFFFFFFFF, size, wire)
        yield b"".join((head, view[at : at + size], bytes(padding), _LENGTH.pack(length)))


def statistics(number: int, time_ns: int, digits: int, drops: Drops) -> bytes:
    """What was received and dropped on an interface until `time_ns`."""
    tick = time_ns // 10 ** (9 - digits)
    counts = ((_RECEIVED, drops.received), (_DROPPED, drops.interface), (_DROPPED_BY_SYSTEM, drops.kernel))
    options = b"".join(_option(code, struct.pack("<Q", count)) for code, count in counts) + _option(_END, b"")
    return _block(_STATISTICS, struct.pack("<III", number, tick >> 32, tick & 0xFFFFFFFF) + options)


def _block(kind: int, body: bytes) -> bytes:
    length = _LENGTH.pack(len(body) + 12)
    return _LENGTH.pack(kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
