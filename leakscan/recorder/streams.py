"""Which frames belong to one connection: what recording only the streams that leaked needs to know.

In: batches, as they are captured, and later the frame in which a leak was found. Out: the frames of that connection,
both directions, from its SYN on. State: the last batches, MAX_RECENT_BYTES of them, with a mark for every frame; and at
most MAX_FOLLOWED connections of which all further frames are wanted, until FOLLOW_NS pass without one or a SYN opens
another connection on the same ports.

A mark is a 64-bit hash of both endpoints, the same for either direction, with random multipliers; 0 for what is not
TCP. Plain frames get theirs by the batch (columns.py), others one by one (decode). Of a fragmented packet only the
fragment that completes it has one.
"""

from __future__ import annotations

import secrets
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leakscan.columns import LOCATE, SYN, Batch, Located, by_version, ipv4, ipv6
from leakscan.decode import Decoder
from leakscan.filenames import shown_name
from leakscan.losses import Losses
from leakscan.model import FrameBatch, Segment
from leakscan.neighbours import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leakscan.columns import Bits, Ints

    Marks = NDArray[np.uint64]

MAX_RECENT_BYTES = 64 << 20
MAX_FOLLOWED = 4096
FOLLOW_NS = 300 * 10**9
MIN_BUFFER_BYTES = 64  # as in the sieve
_ACK = 16
_ADDRESS_WORDS = 4


class Kept(NamedTuple):
    """A batch with its marks."""

    batch: FrameBatch
    marks: Marks
    opens: Bits  # a SYN without ACK

    @property
    def size(self) -> int:
        return len(self.batch.buffer) + 64 * len(self.marks)


class Found(NamedTuple):
    """Frames to be written: indexes into a batch."""

    batch: FrameBatch
    which: Sequence[int]


class Streams:
    """The recent frames, and the connections that are followed."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._marker = Marker()
        self._recent: deque[Kept] = deque()
        self._bytes = 0
        self._followed: dict[int, int] = {}  # mark -> time of its last frame; the one followed longest first
        self._wanted: Marks = np.zeros(0, np.uint64)  # the same as a column, made anew for the next batch ...
        self._changed = False  # ... when they have changed

    def add(self, batch: FrameBatch) -> list[int]:
        """Remember a batch; gives the frames in it that belong to followed connections."""
        kept = self._marker.kept(batch)
        self._recent.append(kept)
        self._bytes += kept.size
        while self._bytes > MAX_RECENT_BYTES and len(self._recent) > 1:
            self._bytes -= self._recent.popleft().size
        return self._of_followed(kept)

    def leaked(self, capture: str, frame: int) -> list[Found]:
        """A leak was found in a frame: the frames of its connection so far; it is followed from now on."""
        at = self._place(capture, frame)
        if at is None:
            self._losses["write.stream-forgotten"] += 1
            return []
        where, index = at
        mark = int(self._recent[where].marks[index])
        if not mark:
            self._losses["write.stream-forgotten"] += 1
            return []
        if mark in self._followed:
            return []
        found = self._history(mark, where, index)
        self._follow(mark, int(self._recent[where].batch.time_ns[index]))
        return found

    def _place(self, capture: str, frame: int) -> tuple[int, int] | None:
        for where in range(len(self._recent) - 1, -1, -1):
            batch = self._recent[where].batch
            index = frame - batch.first_frame
            if 0 <= index < len(batch.start) and capture in (batch.origin.capture, shown_name(batch.origin.capture)):
                return where, index
        return None

    def _history(self, mark: int, where: int, index: int) -> list[Found]:
        """All frames with the mark, from the last SYN before the leak to the first one behind it."""
        found: list[Found] = []
        begun = False
        for number, kept in enumerate(self._recent):
            here = np.flatnonzero(kept.marks == np.uint64(mark))
            for at in here[kept.opens[here]].tolist():
                if (number, at) <= (where, index):
                    found, here, begun = [], here[here >= at], True
                else:
                    here = here[here < at]
                    found.append(Found(kept.batch, here.tolist()))
                    return found
            if len(here):
                found.append(Found(kept.batch, here.tolist()))
        if not begun:
            self._losses["write.stream-cut"] += 1
        return found

    def _follow(self, mark: int, time_ns: int) -> None:
        if len(self._followed) >= MAX_FOLLOWED:
            del self._followed[next(iter(self._followed))]
            self._losses["write.stream-dropped"] += 1
        self._followed[mark] = time_ns
        self._changed = True

    def _of_followed(self, kept: Kept) -> list[int]:
        if not self._followed:
            return []
        if self._changed:
            self._wanted, self._changed = np.array(list(self._followed), np.uint64), False
        which = np.flatnonzero(np.isin(kept.marks, self._wanted))
        wanted: list[int] = []
        for index in which.tolist():
            mark = int(kept.marks[index])
            time_ns = int(kept.batch.time_ns[index])
            last_ns = self._followed.get(mark)
            if last_ns is None:
                continue
            if kept.opens[index] or time_ns - last_ns > FOLLOW_NS:
                del self._followed[mark]
                self._changed = True
                continue
            self._followed[mark] = time_ns
            wanted.append(index)
        return wanted


class Marker:
    """Marks the frames of batches. Keeps fragments, like any decoder."""

    def __init__(self) -> None:
        self._decoder = Decoder(Losses())
        self._words = [secrets.randbits(64) | 1 for _ in range(_ADDRESS_WORDS)]
        self._port, self._end, self._last = (secrets.randbits(64) | 1 for _ in range(3))
        self._numpy = np.array(self._words, np.uint64)

    def kept(self, batch: FrameBatch) -> Kept:
        """The batch, its bytes its own, with marks."""
        batch = _owned(batch)
        count = len(batch.start)
        kept = Kept(batch, np.zeros(count, np.uint64), np.zeros(count, np.bool_))
        locate = LOCATE.get(batch.origin.link) if len(batch.buffer) >= MIN_BUFFER_BYTES else None
        odd: Sequence[int] = range(count) if locate is None else self._plain(kept, locate)
        for index in odd:
            start, captured = int(batch.start[index]), int(batch.captured[index])
            frame = bytes(memoryview(batch.buffer)[start : start + captured])
            origin, time_ns = batch.origin, int(batch.time_ns[index])
            for segment in self._decoder.decode(frame, int(batch.wire[index]), 1, time_ns, origin):
                kept.marks[index] = self.mark(segment)
                kept.opens[index] = segment.flags & (SYN | _ACK) == SYN
        return kept

    def mark(self, segment: Segment) -> int:
        """Of one segment, in Python."""
        half = (len(segment.key) - 5) // 2
        ports = struct.unpack("!HH", segment.key[-4:])
        addresses = segment.key[1 : 1 + half], segment.key[1 + half : 1 + 2 * half]
        total = sum(self._endpoint(address, port) for address, port in zip(addresses, ports, strict=True)) % (1 << 64)
        return (total ^ total >> 32) * self._last % (1 << 64) or 1

    def _endpoint(self, address: bytes, port: int) -> int:
        words = struct.unpack(f"!{len(address) // 4}I", address)
        total: int = sum(word * factor for word, factor in zip(words, self._words, strict=False)) + port * self._port
        total %= 1 << 64
        return (total ^ total >> 29) * self._end % (1 << 64)

    def _plain(self, kept: Kept, locate: Callable[[Batch], Located]) -> list[int]:
        """Mark plain frames; gives the others."""
        batch = Batch(kept.batch, Losses(), Neighbours(), bare=True)
        self._both(kept, batch, locate(batch))
        for packets in batch.inner:
            self._both(kept, batch, by_version(batch, packets))
        return [int(index) for index in np.flatnonzero(batch.odd)]

    def _both(self, kept: Kept, batch: Batch, located: Located) -> None:
        for packets, way in zip(located, (ipv4, ipv6), strict=True):
            if len(packets.frame):
                found = way(batch, packets, self._marks)
                kept.marks[found.frame] = found.token
                kept.opens[found.frame] = found.flags & (SYN | _ACK) == SYN

    def _marks(self, words: Ints, teid: Ints) -> Marks:
        """`mark` for many segments: rows of the words of both addresses and both ports."""
        half = len(words) // 2
        ports = words[-1]
        total = self._endpoints(words[:half], ports >> 16) + self._endpoints(words[half:-1], ports & 0xFFFF)
        total = (total ^ (total >> np.uint64(32))) * np.uint64(self._last)
        marks: Marks = np.maximum(total, np.uint64(1))
        return marks

    def _endpoints(self, words: Ints, port: Ints) -> Marks:
        total = port.astype(np.uint64) * np.uint64(self._port)
        for row, factor in zip(words.astype(np.uint64), self._numpy, strict=False):
            total += row * factor
        return (total ^ (total >> np.uint64(29))) * np.uint64(self._end)


def _owned(batch: FrameBatch) -> FrameBatch:
    """The batch over bytes that nobody will fill again: those of an interface are."""
    if isinstance(batch.buffer, bytes):
        return batch
    low = int(batch.start.min())
    high = int((batch.start + batch.captured).max())
    return batch._replace(buffer=bytes(memoryview(batch.buffer)[low:high]), start=batch.start - low)
