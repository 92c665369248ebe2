"""Standard input as something live: another program captures, and this one may end before it does.

In: a capture on descriptor 0, as for any other source. Out: its batches, until `ask` says that it is enough, which it
is asked between two batches and while nothing comes. State: how many packets are still wanted. What another program
dropped is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import open_capture
from leakscan.sources.stream import STDIN
from leakscan.sources.tap import Drops


class _Enough(Exception):
    """Ends the reading from within."""


class Pipe:
    """Used like live.Interfaces."""

    counts_drops = False

    def __init__(self, losses: Losses, ask: Callable[[], bool], packets: int | None = None) -> None:
        self._losses = losses
        self._ask = ask
        self._left = packets
        self.links: dict[str, int] = {}

    def drops(self) -> dict[str, Drops]:
        return {}

    def close(self) -> None:
        """Standard input is not ours to close."""

    def batches(self) -> Iterator[FrameBatch]:
        try:
            for batch in open_capture(STDIN, self._losses, waiting=self._waiting):
                self.links[STDIN] = batch.origin.link
                yield batch if self._left is None else _first(batch, self._left)
                if self._left is not None:
                    self._left -= min(self._left, len(batch.start))
                self._waiting()
        except _Enough:
            return

    def _waiting(self) -> None:
        if self._ask() or self._left == 0:
            raise _Enough


def _first(batch: FrameBatch, count: int) -> FrameBatch:
    columns = {name: getattr(batch, name)[:count] for name in ("start", "captured", "wire", "time_ns")}
    return batch._replace(**columns)
