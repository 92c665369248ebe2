"""Memory that processes share: the bytes of a stretch, and the columns that a worker made of it.

In: batches that were sifted, into a `Room`, which says where they lie. Out: the same batches, over the same memory, in
another process. State: nothing but that memory, and how much of a room is taken.
"""

from __future__ import annotations

from mmap import mmap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from leakscan.columns import Segments
from leakscan.model import FrameBatch, Origin
from leakscan.sieve import Sifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

Where = tuple[int, int]  # offset in the memory, number of items


class Full(Exception):
    """There is no room for more."""


class Stored(NamedTuple):
    """A batch, and where its columns lie."""

    origin: Origin
    number: int  # of the first frame
    base: int
    frames: Where  # rows: start, captured, wire, time
    segments: Where | None  # rows: those of Segments
    begins: Where
    odd: Where
    payload_bytes: int
    neighbours: list[int]


class Room:
    """The part of a memory behind the first `used` bytes."""

    def __init__(self, memory: mmap, used: int) -> None:
        self._memory = memory
        self._used = used + 7 & -8

    def store(self, batch: FrameBatch, sifted: Sifted) -> Stored:
        """Raises Full."""
        columns = sifted.segments
        begins = np.zeros(0, np.bool_) if sifted.begins is None else sifted.begins
        return Stored(
            batch.origin,
            batch.first_frame,
            batch.base,
            self._put([batch.start, batch.captured, batch.wire, batch.time_ns]),
            None if columns is None else self._put([column.view(np.int64) for column in columns]),
            self._put([begins.astype(np.int64)]),
            self._put([sifted.odd]),
            sifted.payload_bytes,
            list(sifted.neighbours),
        )

    def _put(self, rows: list[NDArray[Any]]) -> Where:
        at, count = self._used, len(rows[0])
        self._used += 8 * count * len(rows)
        if self._used > len(self._memory):
            raise Full
        table = np.frombuffer(self._memory, np.int64, count * len(rows), at).reshape(len(rows), count)
        for row, column in zip(table, rows, strict=True):
            row[:] = column
        return at, count


def batch_of(memory: mmap, stored: Stored, number: int) -> FrameBatch:
    """The batch again, its first frame counted from `number`."""
    start, captured, wire, time_ns = _rows(memory, stored.frames, 4)
    segments = None
    if stored.segments is not None:
        segments = Segments._make(_rows(memory, stored.segments, len(Segments._fields)))
        segments = segments._replace(token=segments.token.view(np.uint64))
    begins, odd = _rows(memory, stored.begins, 1)[0], _rows(memory, stored.odd, 1)[0]
    sifted = Sifted(segments, odd, stored.payload_bytes, begins.astype(np.bool_), stored.neighbours)
    first = number + stored.number - 1
    return FrameBatch(stored.origin, memoryview(memory), start, captured, wire, time_ns, first, stored.base, sifted)


def _rows(memory: mmap, where: Where, rows: int) -> NDArray[np.int64]:
    at, count = where
    return np.frombuffer(memory, np.int64, rows * count, at).reshape(rows, count)
