"""A pcapng interface: what its description block says that bears on its packets, its clock, and what it dropped.

In: the bytes of one Interface Description Block (draft-ietf-opsawg-pcapng section 4.2) or Interface Statistics Block.
Out: `Interface`, or a number. No state; at most `MAX_OPTIONS` options are looked at.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from leakscan.sources.links import linktype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leakscan.model import Column

MAX_OPTIONS = 1000
MAX_NAME = 256
#: More frames than any capture holds.
MAX_DROPS = 1 << 48

LATEST_NS = 2**63 - 1  # 2262-04-11
SECOND = 10**9


class Clock(NamedTuple):
    base: int = 10  # ticks are base ** -exponent seconds long
    exponent: int = 6
    offset: int = 0  # seconds to add

    @property
    def digits(self) -> int:
        """Decimals of a second that are worth showing, at most 9."""
        return min(9, math.ceil(self.exponent * math.log10(self.base)))

    def nanoseconds(self, ticks: NDArray[np.uint64]) -> tuple[Column, int]:
        """Times in ns since 1970, and how many had to be moved to the nearest time that 64 bits can tell."""

        import numpy as np

        offset = self.offset * SECOND
        if self.base != 10 or self.exponent > 9 or not 0 <= offset < LATEST_NS:
            return self._exactly(ticks)
        scale = 10 ** (9 - self.exponent)
        latest = np.uint64((LATEST_NS - offset) // scale)
        late = ticks > latest
        times = np.minimum(ticks, latest).astype(np.int64) * scale + offset
        clamped = int(np.count_nonzero(late))
        if clamped:
            times[late] = LATEST_NS
        return times, clamped

    def _exactly(self, ticks: NDArray[np.uint64]) -> tuple[Column, int]:
        """The same for rare clocks, in Python's unbounded integers."""

        import numpy as np

        per_second = self.base**self.exponent
        exact = [tick * SECOND // per_second + self.offset * SECOND for tick in ticks.tolist()]
        clamped = [max(-LATEST_NS, min(LATEST_NS, time)) for time in exact]
        return np.array(clamped, np.int64), sum(a != b for a, b in zip(exact, clamped, strict=True))


class Interface(NamedTuple):
    link: int  # LINKTYPE_ number
    clock: Clock
    fcs: int  # bytes of frame check sequence at the end of each frame
    name: str


def parse_interface(block: bytearray, order: str) -> tuple[int, Interface]:
    """Snap length (0: none) and interface of a whole Interface Description Block. Options cut short are left out."""
    link, snap = struct.unpack_from(order + "H2xI", block, 8)
    base, exponent, offset, fcs, name = 10, 6, 0, 0, ""
    for code, value in _options(block, order):
        if code == IF_NAME:
            name = value[:MAX_NAME].decode("utf-8", "replace")
        elif code == IF_TSRESOL and len(value) == 1:
            base, exponent = 2 if value[0] & 0x80 else 10, value[0] & 0x7F
        elif code == IF_TSOFFSET and len(value) == 8:
            (offset,) = struct.unpack(order + "q", value)
        elif code == IF_FCSLEN and len(value) == 1:
            # Bits by the letter of the draft; but its example, and what programs write, is 4 for four bytes.
            fcs = value[0] if value[0] < 8 else value[0] // 8
    return snap, Interface(linktype(link), Clock(base, exponent, offset), fcs, name)


def parse_drops(block: bytearray, order: str) -> tuple[int, int]:
    """Number of the interface and the frames dropped there so far, by it and by the system, of a whole Interface
    Statistics Block (draft-ietf-opsawg-pcapng section 4.6)."""
    (interface,) = struct.unpack_from(order + "I", block, 8)
    drops = [
        struct.unpack(order + "Q", value)[0]
        for code, value in _options(block, order, 20)
        if code in (ISB_IFDROP, ISB_OSDROP) and len(value) == 8
    ]
    return interface, min(sum(drops), MAX_DROPS)


def _options(block: bytearray, order: str, position: int = 16) -> Iterator[tuple[int, bytes]]:
    end = len(block) - 4
    for _ in range(MAX_OPTIONS):
        if position + 4 > end:
            return
        code, length = struct.unpack_from(order + "HH", block, position)
        position += 4
        if code == END_OF_OPTIONS or position + length > end:
            return
        yield code, bytes(block[position : position + length])
        position += length + -length % 4


END_OF_OPTIONS = 0
IF_NAME = 2
IF_TSRESOL = 9
IF_FCSLEN = 13
IF_TSOFFSET = 14
ISB_IFDROP = 5
ISB_OSDROP = 7
