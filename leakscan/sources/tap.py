"""What every way to capture from an interface has in common: what is asked for, what comes, what was dropped.

In: nothing. Out: records, and `link_drops`, which asks the system. No state.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from leakscan.model import Column

MAX_SNAP_BYTES = 262_144  # what libpcap calls "all of it"; the longest frame that an interface hands over is shorter
DEFAULT_RING_BYTES = 64 << 20
#: The kernel hands over a block of frames when it is full, or when its first frame has waited so long.
BLOCK_MS = 100
STATISTICS = Path("/sys/class/net")


class Wish(NamedTuple):
    """How an interface is to be captured."""

    bpf: str = ""  # pcap-filter(7); "": everything
    snap: int = MAX_SNAP_BYTES  # bytes of each frame
    promiscuous: bool = True
    ring: int = DEFAULT_RING_BYTES  # for frames that wait to be read


class Piece(NamedTuple):
    """Some frames, as columns over bytes of their own."""

    data: bytes
    start: Column
    captured: Column
    wire: Column
    time_ns: Column


class Drops(NamedTuple):
    """Packets so far: `received` are those that passed the filter, read or dropped by the kernel."""

    received: int = 0
    kernel: int = 0
    interface: int = 0


class Gone(Exception):
    """The interface went away, or down. Never leaves this package."""


class Tap(Protocol):
    """An interface that is captured. Opening raises CaptureUnavailable, NotPermitted, UsageError, MissingExtra."""

    name: str
    link: int  # LINKTYPE_ number
    digits: int  # decimals of a second of its clock
    counts_drops: bool

    def fileno(self) -> int:
        """Becomes readable when frames wait."""
        ...

    def read(self, most: int) -> Piece | None:
        """At most so many frames of those that wait, never waiting itself; None when there is none. Raises Gone."""
        ...

    def drops(self) -> Drops:
        """Since it was opened."""
        ...

    def close(self) -> None: ...


class Counter:
    """A total from a counter of 32 bits that may wrap between two looks at it, once."""

    def __init__(self) -> None:
        self.total = 0
        self._last = 0

    def at(self, value: int) -> int:
        self.total += (value - self._last) % (1 << 32)
        self._last = value
        return self.total


def link_drops(name: str) -> int | None:
    """Packets that the interface had to drop since it came up; None where the system does not tell.

    Not `rx_dropped`, and not libpcap's count, which up to version 1.9 is made of it: Linux counts there, too, what was
    captured and its own protocols did not want.
    """
    try:
        return sum(int((STATISTICS / name / "statistics" / counter).read_text()) for counter in LINK_COUNTERS)
    except (OSError, ValueError):
        return None


LINK_COUNTERS = ("rx_missed_errors", "rx_fifo_errors")
