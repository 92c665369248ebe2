"""Captures that follow each other are one series: a stream goes on across the cut of a rotated file.

In: the names of captures. Out: for each series the batches of its captures, one after the other. A capture follows
another when its frames have the same link types and its first one comes at most MAX_PAUSE_NS after the last frame of
the other, and not before it. Of several that would fit, one with the same name but for digits is taken, then the
earliest. State: how each regular file begins (a pipe begins a series of its own).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import Beginning, beginning, open_capture

MAX_PAUSE_NS = 60 * 10**9
_DIGITS = re.compile("[0-9]+")


class Series:
    """All captures of one call, parted into series while they are read."""

    def __init__(self, names: Sequence[str], losses: Losses, on_bytes: Callable[[int], None] | None = None) -> None:
        known = [(name, beginning(name) if len(names) > 1 else None) for name in names]
        # The order of time, so that a series is met at its first capture; what has no time keeps its place behind.
        self._waiting = sorted(known, key=lambda entry: (entry[1] is None, entry[1].time_ns if entry[1] else 0))
        self._losses = losses
        self._on_bytes = on_bytes

    def __iter__(self) -> Iterator[Iterator[FrameBatch]]:
        """One iterator of batches a series; each must be read to its end before the next is asked for."""
        while self._waiting:
            yield self._batches(*self._waiting.pop(0))

    def _batches(self, name: str, begins: Beginning | None) -> Iterator[FrameBatch]:
        while True:
            last_ns = 0
            for batch in open_capture(name, self._losses, self._on_bytes):
                last_ns = max(last_ns, int(batch.time_ns.max()))
                yield batch
            following = self._following(name, begins, last_ns)
            if following is None:
                return
            name, begins = self._waiting.pop(following)

    def _following(self, name: str, begins: Beginning | None, last_ns: int) -> int | None:
        """Which of the waiting captures goes on where this one ended."""
        if begins is None:
            return None
        fitting = [
            (_DIGITS.sub("", other) != _DIGITS.sub("", name), index)
            for index, (other, start) in enumerate(self._waiting)
            if start and start.links == begins.links and last_ns <= start.time_ns <= last_ns + MAX_PAUSE_NS
        ]
        return min(fitting)[1] if fitting else None
