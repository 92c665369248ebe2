"""A scan whose captures many read and whose requests many look at: used like spine.Scan, with its result.

In: captures and settings. Out: the same leaks in the same order, the same summary. What has to remember runs here:
sieve's choice, reassembly, protocols; and the order of leaks. State: groups of heads on their way, at most GROUPS for
each worker, and their leaks.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Protocol

from leakscan.conceal import Concealer
from leakscan.fingerprint import registrable_domain
from leakscan.grouped import Group
from leakscan.interrupt import Gate
from leakscan.losses import Losses
from leakscan.model import Leak
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.spine import MAX_WAITING, Scan, Settings
from leakscan.split.source import Divided, Readers
from leakscan.split.worker import Setup
from leakscan.summary import Summary
from leakscan.verdicts import random_multipliers

GROUPS = 8
#: Small, so that a worker is soon free to read again: some milliseconds, if all of them leak.
GROUP_HEADS = 64
GRACE_SECONDS = 10


class Helpers(Readers, Protocol):
    """Those who read, and look at heads: pool.Pool."""

    def look(self, group: bytes) -> int:
        """Have a group of heads looked at; gives a number to ask for its leaks by."""
        ...

    def is_done(self, number: int) -> bool: ...

    def leaks(self, number: int) -> Iterator[tuple[str, Leak]]:
        """What was found in a group that is done."""
        ...

    def wait(self, seconds: float | None = None) -> None:
        """Until something may be done."""
        ...

    def stop_reading(self) -> None:
        """Nobody wants the stretches that nobody reads yet."""
        ...

    def summaries(self) -> Iterator[Summary]:
        """At the end, when all groups are done: what each worker has counted."""
        ...


class SplitScan(Scan):
    def __init__(
        self,
        names: Sequence[str],
        losses: Losses,
        settings: Settings,
        start: Callable[[Setup], Helpers],
        gate: Gate,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """`start` gives the workers, to be ended by somebody else."""
        _ = settings.catalogue, registrable_domain("www.example")  # tables that all workers need, read once
        concealer = Concealer(settings.pseudonym_key, settings.show_values)
        multipliers = random_multipliers()
        self._pool = start(Setup(list(names), settings, concealer, multipliers))
        self.divided = Divided(self._pool)
        found = series(names, losses, on_bytes, self.divided.open)
        reading = Reading(found, losses, bodies=settings.bodies, multipliers=multipliers)
        super().__init__(reading, names, settings, concealer)
        self._gate: Gate = gate
        self._heads = reading.heads
        self._group = Group(GROUP_HEADS)
        self._asked: deque[int] = deque()
        self._ready: deque[Leak] = deque()
        self._merged = False

    def leaks(self, live: bool = False) -> Iterator[Leak]:
        """As Scan.leaks."""
        for head in self._heads():
            with self._gate.closed():
                group = self._group.add(head)
                if group is None:
                    continue
                self._asked.append(self._pool.look(group))
            while len(self._asked) > GROUPS * self._pool.jobs:
                self._pool.wait()
                self._take_over()
            self._take_over()
            yield from self._given()
        self._look_at_rest()
        while self._asked:
            self._pool.wait()
            self._take_over()
            yield from self._given()
        self._merge()

    def rest(self) -> Iterator[Leak]:
        """As Scan.rest; after an interruption with what is on its way to the workers."""
        if not self._merged:
            self._pool.stop_reading()
            self._look_at_rest()
            ends = monotonic() + GRACE_SECONDS
            while self._asked and monotonic() < ends:
                self._pool.wait(1)
                self._take_over()
            self._merge()
        yield from self._given()
        yield from super().rest()

    @property
    def remark(self) -> str:
        """As Scan.remark."""
        read = self.divided
        return f"{read.stretches:,} stretches read by {self._pool.jobs} workers, {read.again:,} of them again, in order"

    def _look_at_rest(self) -> None:
        with self._gate.closed():
            group = self._group.taken()
            if group is not None:
                self._asked.append(self._pool.look(group))

    def _take_over(self) -> None:
        """The leaks of the groups that are done, in the order in which they were asked for."""
        with self._gate.closed():
            while self._asked and self._pool.is_done(self._asked[0]):
                for capture, leak in self._pool.leaks(self._asked.popleft()):
                    place = self._captures.setdefault(capture, len(self._captures))
                    heapq.heappush(self._waiting, (place, leak.frame_end, next(self._number), leak))
                    if len(self._waiting) > MAX_WAITING:
                        self._ready.append(heapq.heappop(self._waiting)[-1])

    def _given(self) -> Iterator[Leak]:
        while self._ready:
            with self._gate.closed():
                yield self._ready.popleft()

    def _merge(self) -> None:
        with self._gate.closed():
            for summary in self._pool.summaries():
                self.summary.merge(summary)
            self._merged = True
