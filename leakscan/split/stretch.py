"""A worker reads a stretch of a plain capture and sifts it.

In: from where to where, and what the blocks before it would have told. Out: where its first record begins, where the
first record behind it begins, and what is between, in shared memory. None when it cannot be told by a stretch alone:
then somebody reads it who knows what came before. State: the open file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from mmap import mmap
from typing import TYPE_CHECKING, cast

import numpy as np

from leakscan.columns import LOCATE
from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.neighbours import Neighbours
from leakscan.sieve import Sifted, may_begin, sift
from leakscan.sources import pcap, pcapng
from leakscan.sources.boundaries import first_block, first_record
from leakscan.sources.stream import Window
from leakscan.split.shared import Full, Room
from leakscan.split.work import COLUMNS_BYTES, Identity, Read, Work

if TYPE_CHECKING:
    from leakscan.columns import Tokens

#: Read at first behind the end of a stretch, for the record that goes on there, and to see whether a guess holds.
BEHIND_BYTES = 64 << 10


class Stretch(Window):
    """A window that holds all of a stretch and never moves."""

    def __init__(self, file: int, memory: memoryview, capture: str, losses: Losses, base: int) -> None:
        self.data = cast(bytearray, memory)  # readers index and slice it, no more
        self.size = len(memory)
        self.start = self.end = 0
        self.capture = capture
        self.losses = losses
        self._ahead = None
        self._base = base
        self._file = file

    def _read(self) -> int:
        return self.fill(min(self.size, self.end + BEHIND_BYTES))

    def fill(self, end: int) -> int:
        """Read on, up to `end` bytes in all; gives how many came."""
        before = self.end
        if end <= before:
            raise Full
        while self.end < end:
            count = os.preadv(self._file, [self.data[self.end : end]], self._base + self.end)
            if not count:
                break
            self.end += count
        return self.end - before


class Stretches:
    """Reads stretches, one after the other; keeps the last file open."""

    def __init__(self, multipliers: list[int]) -> None:
        self._multipliers: Tokens = np.array(multipliers, np.uint64)
        self._open: tuple[str, Identity, int] | None = None

    def read(self, work: Work, memory: mmap) -> Read | None:
        """None, too, when anything goes wrong: whoever reads it again meets the same, unless the guess was to blame."""
        try:
            return self._read(work, memory)
        except Exception:  # noqa: BLE001  (as said)
            return None

    def _read(self, work: Work, memory: mmap) -> Read | None:
        losses = Losses()
        data = memoryview(memory)[: len(memory) - COLUMNS_BYTES]
        stretch = Stretch(self._file(work), data, work.capture, losses, work.start)
        length = len(data) if work.limit is None else work.limit - work.start
        stretch.fill(min(len(data), length + BEHIND_BYTES))
        begin = _begin(stretch, length, work.header)
        if begin is None:
            return None
        stretch.start = begin
        room, stored, frames, last_ns = Room(memory, len(data)), [], 0, None
        batches, reader = _batches(stretch, work)  # (what makes the reader count past packets, counts too)
        for batch in batches:
            stored.append(room.store(batch, self._sifted(batch, losses)))
            frames, last_ns = batch.first_frame + len(batch.start) - 1, int(batch.time_ns[-1])
        if losses.problems:
            return None
        if reader is not None:
            frames = reader.number - 1
        return Read(work.start + begin, stretch.offset, frames, last_ns, stored, dict(losses))

    def _sifted(self, batch: FrameBatch, losses: Losses) -> Sifted:
        if batch.origin.link not in LOCATE:
            return Sifted(None, np.arange(len(batch.start)), 0)
        neighbours = Neighbours()
        sifted = sift(batch, self._multipliers, losses, neighbours)
        sifted = sifted._replace(neighbours=list(neighbours.kept()))
        if sifted.segments is None:
            return sifted
        buf = np.frombuffer(batch.buffer, np.uint8)
        return sifted._replace(begins=may_begin(buf, sifted.segments.payload, sifted.segments.end))

    def _file(self, work: Work) -> int:
        """Raises OSError."""
        identity = work.identity
        if self._open is not None and self._open[:2] == (work.capture, identity):
            return self._open[2]
        if self._open is not None:
            os.close(self._open[2])
            self._open = None
        file = os.open(work.capture, os.O_RDONLY)
        if identity_of(file) != identity:
            os.close(file)
            raise OSError
        self._open = work.capture, identity, file
        return file


def identity_of(file: int) -> Identity:
    status = os.fstat(file)
    return status.st_dev, status.st_ino, status.st_size


def _begin(stretch: Stretch, most: int, header: pcap.FileHeader | pcapng.Description) -> int | None:
    data = memoryview(stretch.data)[: stretch.end]
    if isinstance(header, pcap.FileHeader):
        return first_record(data, most, header)
    return first_block(data, most, header.order)


def _batches(stretch: Stretch, work: Work) -> tuple[Iterator[FrameBatch], pcapng.Reader | None]:
    if isinstance(work.header, pcap.FileHeader):
        return pcap.records(stretch, work.header, 1, work.limit), None
    reader = pcapng.Reader(stretch, alone=True)
    reader.take(work.header)
    return reader.batches(work.limit), reader
