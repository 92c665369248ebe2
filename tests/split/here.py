"""Workers without processes: the same work, done at once, so that thousands of cuts can be tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from mmap import mmap
from typing import Any

from leakscan.interrupt import Gate
from leakscan.losses import Losses
from leakscan.model import FrameBatch, Leak
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.spine import Scan, Settings
from leakscan.split import source
from leakscan.split.messages import leaks
from leakscan.split.scan import SplitScan
from leakscan.split.shared import batch_of
from leakscan.split.source import AHEAD
from leakscan.split.work import COLUMNS_BYTES, LONGEST_BYTES, Read, Work
from leakscan.split.worker import Setup, Worker
from leakscan.summary import Summary

KEY = b"k" * 16
_MEMORIES = [mmap(-1, (1 << 20) + LONGEST_BYTES + COLUMNS_BYTES) for _ in range(2 * AHEAD + 1)]


class Here:
    """Two workers that take turns."""

    jobs = 2

    def __init__(self, setup: Setup) -> None:
        self._workers = [Worker(setup, _MEMORIES) for _ in range(2)]
        self._numbers = count()
        self._free = list(range(len(_MEMORIES)))
        self._memory_of: dict[int, int] = {}
        self._done: dict[int, Any] = {}

    def read(self, work: Work) -> int:
        number = next(self._numbers)
        memory = self._memory_of[number] = self._free.pop()
        self._done[number] = self._workers[number % 2].read(work, memory)
        return number

    def result(self, number: int) -> Read | None:
        return self._done[number]

    def batches(self, number: int, read: Read, first: int) -> Iterator[FrameBatch]:
        for stored in read.stored:
            yield batch_of(_MEMORIES[self._memory_of[number]], stored, first)

    def release(self, number: int) -> None:
        del self._done[number]
        self._free.append(self._memory_of.pop(number))

    def look(self, group: bytes) -> int:
        number = next(self._numbers)
        self._done[number] = self._workers[number % 2].look(group)
        return number

    def is_done(self, number: int) -> bool:
        return number in self._done

    def leaks(self, number: int) -> Iterator[tuple[str, Leak]]:
        return leaks(self._done.pop(number))

    def wait(self, seconds: float | None = None) -> None:
        """Everything is done already."""

    def stop_reading(self) -> None:
        """Everything is read already."""

    def summaries(self) -> Iterator[Summary]:
        assert not self._done  # nothing may be left over
        for worker in self._workers:
            yield worker.summary()


def outcome(scan: Scan) -> tuple[list[Leak], dict[str, Any]]:
    """All of a result."""
    found = [*scan.leaks(), *scan.rest()]
    return found, scan.summary.to_dict()


def whole(names: Sequence[str], **settings: Any) -> tuple[list[Leak], dict[str, Any]]:
    """As `-j 1` does it."""
    made, losses = Settings(pseudonym_key=KEY, **settings), Losses()
    return outcome(Scan(Reading(series(names, losses), losses, bodies=made.bodies), names, made))


def in_parts(
    monkeypatch, names: Sequence[str], places: Callable[[int], Sequence[int]], **settings: Any
) -> tuple[tuple[list[Leak], dict[str, Any]], SplitScan]:
    """The same, cut at these places."""
    monkeypatch.setattr(source, "places", places)
    scan = SplitScan(names, Losses(), Settings(pseudonym_key=KEY, **settings), Here, Gate())
    return outcome(scan), scan
