"""Keeps what is captured: all of it, or only the streams that leaked.

In: batches on their way to the sieve, and the leaks that are found. Out: pcapng files. State: that of files.py and,
for streams that leaked, of streams.py. The frames of one connection are in order; those of a stream that leaked are
written when the leak is found, so they may stand behind later frames of others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from leakscan.losses import Losses
from leakscan.model import FrameBatch, Leak, Origin
from leakscan.recorder import blocks
from leakscan.recorder.files import Files, Rotation
from leakscan.recorder.streams import Found, Streams
from leakscan.sources.tap import Drops

__all__ = ["Recorder", "Rotation"]


class Recorder:
    """Keeps batches. Opening raises UsageError; what goes wrong later is said once, and counted."""

    def __init__(
        self, path: str, rotation: Rotation, most: int, leaks_only: bool, losses: Losses, say: Callable[[str], None]
    ) -> None:
        self._files = Files(path, rotation, most)
        self._streams = Streams(losses) if leaks_only else None
        self._losses = losses
        self._say = say
        self._said = False
        self._origins: dict[str, Origin] = {}

    def through(self, batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
        """The same batches, kept."""
        for batch in batches:
            all_of_it = range(len(batch.start))
            self._keep(Found(batch, all_of_it if self._streams is None else self._streams.add(batch)))
            yield batch

    def leak(self, leak: Leak) -> None:
        """A leak was found: when only those are wanted, keep its stream."""
        if self._streams is not None:
            for found in self._streams.leaked(leak.capture, leak.frame_end):
                self._keep(found)

    def close(self, drops: Mapping[str, Drops]) -> None:
        """End the file, with what was dropped on each interface."""
        now = time.time_ns()
        for name, counts in drops.items():
            if name in self._origins:
                origin = self._origins[name]
                self._files.write([blocks.statistics(self._files.number(origin), now, origin.digits, counts)], now)
        self._files.close()
        self._tell()

    def _keep(self, found: Found) -> None:
        if not found.which:
            return
        batch = found.batch
        self._origins[batch.origin.capture] = batch.origin
        number = self._files.number(batch.origin)
        time_ns = int(batch.time_ns[0])
        if number < 0:
            self._losses["write.not-kept"] += len(found.which)
            return
        lost = self._files.write(blocks.packets(batch, number, found.which), time_ns)
        if lost:
            self._losses["write.not-kept"] += lost
            self._tell()

    def _tell(self) -> None:
        if self._files.trouble and not self._said:
            self._said = True
            self._say(f"warning: {self._files.trouble}")
