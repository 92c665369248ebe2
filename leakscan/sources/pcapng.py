"""pcapng files: sections of blocks. draft-ietf-opsawg-pcapng.

In: a `Window`. Out: `FrameBatch`es: a run of packet blocks of one type, cut where the interface's description changes.
State: the interfaces of the current section (at most `MAX_INTERFACES`), the number of the next frame, the last time.
With that, reading may begin and end at any block, for who reads a capture in stretches.

As in pcap.py, the walk over a run of packet blocks only collects offsets, and numpy gathers the columns. All other
blocks are looked at one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from leakscan.model import FrameBatch, Origin
from leakscan.sources.interface import Interface, parse_drops, parse_interface
from leakscan.sources.links import without_fcs
from leakscan.sources.stream import MAX_RECORD_BYTES, Fault, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leakscan.model import Column

#: Interfaces of one section; each costs some hundred bytes.
MAX_INTERFACES = 10_000
#: A packet block holds the packet and its options. Must fit the buffer.
MAX_PACKET_BLOCK = MAX_RECORD_BYTES + (256 << 10)
#: An interface description is read whole. Must fit the buffer.
MAX_DESCRIPTION = 256 << 10


class PacketBlock(NamedTuple):
    """Where a block type keeps things, in bytes from its start."""

    gather: int  # bytes to gather for the columns
    data: int  # offset of the packet
    has_time: bool

    @property
    def overhead(self) -> int:
        return self.data + 4  # the length stands once more at the end


class Description(NamedTuple):
    """The section that is read, and its interfaces."""

    order: str
    snap: int
    kinds: list[Interface]
    profile_of: bytes  # of 64-bit integers: index into `kinds`, by interface


def recognises(head: bytes) -> bool:
    return head[:4] == SECTION_MAGIC and (len(head) < 12 or _order(head[8:12]) is not None)


def read(window: Window) -> Iterator[FrameBatch]:
    """The frames of one pcapng file. Raises Fault where the file is cut or damaged."""
    if window.end < SECTION_FIXED:
        raise Fault("file.empty", "the capture ends inside its section header")
    yield from Reader(window).batches()


def _order(magic: bytes | bytearray) -> str | None:
    return {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(bytes(magic))


def _damage(reason: str) -> Fault:
    return Fault("file.damaged", reason)


class Reader:
    """Reads from a window, and goes on in another one."""

    def __init__(self, window: Window, alone: bool = False) -> None:
        """`alone`: what bears on others, or on which others bear, is a Fault, but for `take`."""
        self.window = window
        self._alone = alone
        self.number = 1  # of the next frame
        self.time_ns = 0  # of the last frame that had one
        self._timed = False
        self._new_section("<")

    def description(self) -> Description:
        """What packet blocks need to know of the blocks before them."""
        return Description(self._order, self._snap, list(self._kinds), self._profile_of.tobytes())

    def take(self, described: Description) -> None:
        """Go on as if those blocks had been read."""
        import numpy as np

        self._new_section(described.order)
        self._snap = described.snap
        self._kinds += described.kinds
        self._profile_of = np.frombuffer(described.profile_of, np.int64)
        self._profiles.update((kind, index) for index, kind in enumerate(described.kinds))
        self._described = len(self._profile_of)

    def batches(self, limit: int | None = None) -> Iterator[FrameBatch]:
        """The frames from here on, up to the first block at or behind the offset `limit` of the capture. Raises
        Fault.
        """
        import numpy as np

        window = self.window
        while window.need(BLOCK_FIXED):
            if limit is not None and window.offset >= limit:
                return
            kind, length = self._unpack(window.data, window.start)
            layout = PACKET_BLOCKS.get(kind)
            if layout is None:
                self._other_block(kind)
                continue
            starts, end = self._walk(kind, layout, limit)
            if starts:
                yield from self._run(kind, layout, np.array(starts, np.int64))
                window.start = end
                continue
            if not layout.overhead <= length <= min(MAX_PACKET_BLOCK, window.size):
                raise _damage(f"a packet block of {length} bytes")
            if not window.more():
                return

    def _new_section(self, order: str) -> None:
        import numpy as np

        self._order = order
        self._unpack = struct.Struct(order + "II").unpack_from
        self._snap = 0  # of the first interface: Simple Packet Blocks need it
        self._described = 0
        self._dropped: dict[int, int] = {}  # by interface, as last said
        # Interfaces with equal descriptions share a profile, so that a merged capture is not cut at every packet.
        self._profiles: dict[Interface, int] = {}
        self._kinds: list[Interface] = []
        self._profile_of = np.zeros(0, np.int64)

    def _walk(self, kind: int, layout: PacketBlock, limit: int | None) -> tuple[list[int], int]:
        """Offsets of the complete blocks of type `kind` that stand in a row before `limit`, and the end of the last."""
        data, position, end, unpack = self.window.data, self.window.start, self.window.end, self._unpack
        least = layout.overhead
        starts: list[int] = []
        append = starts.append
        last = end - least if limit is None else min(end - least, limit - self.window.base - 1)
        while position <= last:
            this, length = unpack(data, position)
            if this != kind or length < least:
                break
            append(position)
            position += length + 3 & -4
        if position > end:
            position = starts.pop()  # not complete yet
        return starts, position

    def _run(self, kind: int, layout: PacketBlock, starts: Column) -> Iterator[FrameBatch]:
        """Batches of a run of packet blocks. Raises Fault behind the last good one."""

        import numpy as np

        data = self.window.data
        items = np.ndarray((len(data) - layout.gather + 1,), f"V{layout.gather}", data, strides=(1,))
        fields = items[starts].view(self._order + "u4").reshape(len(starts), -1).astype(np.int64)
        length, wire = fields[:, 1] + 3 & -4, fields[:, -1]
        room = length - layout.overhead
        if layout.has_time:
            captured = fields[:, 5]
            ticks = fields[:, 3].astype(np.uint64) << np.uint64(32) | fields[:, 4].astype(np.uint64)
            interface = fields[:, 2]
            if kind == OBSOLETE_PACKET:
                interface = interface >> 16 if self._order == ">" else interface & 0xFFFF  # the other half: drops
        else:
            captured = np.minimum(wire, room)
            if self._snap:
                captured = np.minimum(captured, self._snap)
            ticks, interface = np.zeros(len(starts), np.uint64), np.zeros(len(starts), np.int64)
        ends = np.ndarray((len(data) - 3,), self._order + "u4", data, strides=(1,))
        bad = (captured > room) | (captured > MAX_RECORD_BYTES) | (length > MAX_PACKET_BLOCK)
        bad |= (ends[starts + length - 4].astype(np.int64) + 3 & -4) != length
        good = int(np.argmax(bad)) if bad.any() else len(starts)
        profile = self._profile(interface)
        edges = [0, *(np.flatnonzero(np.diff(profile[:good])) + 1).tolist(), good] if good else []
        for first, behind in pairwise(edges):
            part = slice(first, behind)
            number, self.number = self.number, self.number + behind - first
            if profile[first] < 0:
                self._missing(int(interface[first]), int(starts[first]), behind - first)
                continue
            described = self._kinds[profile[first]]
            times = self._times(described, ticks[part], layout)
            lengths = without_fcs(captured[part], wire[part], described.fcs)
            first_bytes = starts[part] + layout.data
            yield FrameBatch(self._origin(described), data, first_bytes, *lengths, times, number, self.window.base)
        if good < len(starts):
            self.window.start = int(starts[good])
            raise _damage("a packet block whose lengths contradict each other")

    def _profile(self, interface: Column) -> Column:
        """Index into the profiles for each frame, -1 where the interface was never described."""

        import numpy as np

        if not self._described:
            return np.full(len(interface), -1)
        known = self._profile_of[np.minimum(interface, self._described - 1)]
        return np.where(interface < self._described, known, -1)

    def _times(self, described: Interface, ticks: NDArray[np.uint64], layout: PacketBlock) -> Column:
        import numpy as np

        if not layout.has_time:
            if self._alone and not self._timed:
                raise _damage("a packet that has its time from the one before")
            return np.full(len(ticks), self.time_ns)
        times, clamped = described.clock.nanoseconds(ticks)
        if clamped:
            self.window.losses["time.out-of-range"] += clamped
        self.time_ns, self._timed = int(times[-1]), True
        return times

    def _origin(self, described: Interface) -> Origin:
        return Origin(self.window.capture, described.link, described.clock.digits, described.name)

    def _missing(self, interface: int, start: int, count: int) -> None:
        window, loss = self.window, "block.interface-missing"
        reason = f"packets of interface {interface}, which was never described"
        window.losses.problem(loss, window.capture, window.offset - window.start + start, reason)
        window.losses[loss] += count - 1

    def _other_block(self, kind: int) -> None:
        """Read a block that holds no packet and go past it. Raises Fault."""
        window = self.window
        if self._alone and kind in STATE_BLOCKS:
            raise _damage("a block that bears on others")
        if kind == SECTION_TYPE:
            window.need(SECTION_FIXED)
            self._section()
        length = self._unpack(window.data, window.start)[1] + 3 & -4
        if length < BLOCK_FIXED:
            raise _damage(f"a block of {length} bytes")
        if kind == INTERFACE_TYPE:
            if not INTERFACE_FIXED <= length <= min(MAX_DESCRIPTION, window.size):
                raise _damage(f"an interface description of {length} bytes")
            window.need(length)
            self._describe(window.data[window.start : window.start + length])
        elif kind == STATISTICS_TYPE and STATISTICS_FIXED <= length <= min(MAX_DESCRIPTION, window.size):
            if window.need(length):
                self._statistics(window.data[window.start : window.start + length])
        elif kind not in OTHER_BLOCKS:
            window.losses["block.unknown"] += 1
            self.number += kind in NUMBERED_BLOCKS
        window.skip(length - 4)
        if not window.need(4):
            raise Fault("file.cut", "the capture ends inside a block")
        (again,) = struct.unpack_from(self._order + "I", window.data, window.start)
        if again + 3 & -4 != length:
            raise _damage(f"a block that is {length} bytes long at its beginning and {again} at its end")
        window.start += 4

    def _section(self) -> None:
        window = self.window
        order = _order(window.data[window.start + 8 : window.start + 12])
        if order is None:
            raise _damage("a section header without its byte-order magic")
        major, minor = struct.unpack_from(order + "HH", window.data, window.start + 12)
        # Some programs write 1.2 where they mean 1.0.
        if (major, minor) not in ((1, 0), (1, 2)):
            raise _damage(f"pcapng of version {major}.{minor}, which leakscan does not read")
        self._new_section(order)

    def _describe(self, block: bytearray) -> None:
        import numpy as np

        if self._described >= MAX_INTERFACES:
            raise _damage(f"more than {MAX_INTERFACES} interfaces")
        snap, described = parse_interface(block, self._order)
        if not self._described:
            self._snap = snap
        profile = self._profiles.setdefault(described, len(self._kinds))
        if profile == len(self._kinds):
            self._kinds.append(described)
        self._profile_of = np.append(self._profile_of, profile)
        self._described += 1

    def _statistics(self, block: bytearray) -> None:
        """Counters since the capture began: what is new since the last block counts."""
        interface, dropped = parse_drops(block, self._order)
        before = self._dropped.get(interface, 0)
        if dropped > before and interface < max(self._described, 1):
            self.window.losses["capture.dropped"] += dropped - before
            self._dropped[interface] = dropped


SECTION_MAGIC = b"\n\r\r\n"
SECTION_TYPE = 0x0A0D0D0A  # the same in both byte orders
INTERFACE_TYPE = 1
STATISTICS_TYPE = 5
OBSOLETE_PACKET = 2
BLOCK_FIXED = 12  # type, length, and the length again
SECTION_FIXED = 28
INTERFACE_FIXED = 20
STATISTICS_FIXED = 24

STATE_BLOCKS = frozenset({SECTION_TYPE, INTERFACE_TYPE, STATISTICS_TYPE})

#: Blocks that hold a packet.
PACKET_BLOCKS = {
    6: PacketBlock(28, 28, True),  # Enhanced Packet Block
    3: PacketBlock(12, 12, False),  # Simple Packet Block
    OBSOLETE_PACKET: PacketBlock(28, 28, True),  # Packet Block
}

#: Blocks that hold no packet and say nothing about packets; all others are counted as unknown.
OTHER_BLOCKS = {
    SECTION_TYPE: "section header",
    4: "name resolution",
    STATISTICS_TYPE: "interface statistics",
    10: "decryption secrets",
}

#: Of the unknown ones, those that Wireshark gives a frame number: so do we, for the numbers to agree.
NUMBERED_BLOCKS = {
    9,  # systemd journal entry
    0x0000_0BAD,  # custom
    0x4000_0BAD,  # custom, not to be copied
    0x204,  # sysdig events, from here on
    0x208,
    0x216,
    0x217,
    0x221,
}
