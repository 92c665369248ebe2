"""A worker: reads stretches of captures, and looks for identifiers in groups of heads, as it is asked.

In: records over a socket: a stretch to read into a shared memory, a group of heads, or that all is done. Out, in the
same order: what was read, the leaks of a group, at last the summary of all that this worker has seen. State: that of
the stages it runs: the last file, a scan of its own.

It lets signals pass, which reach it with its parent, and ends when its parent is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
from collections.abc import Sequence
from mmap import mmap
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from leakscan.conceal import Concealer
from leakscan.errors import places
from leakscan.grouped import heads
from leakscan.interrupt import SIGNALS
from leakscan.losses import Losses
from leakscan.reading import Reading
from leakscan.spine import Scan, Settings
from leakscan.split.messages import packed_leaks

if TYPE_CHECKING:
    from leakscan.split.stretch import Stretches
    from leakscan.split.work import Read, Work
    from leakscan.summary import Summary

SIZE_BYTES = 4
#: What a record is about.
READ, HEADS, END, FAILED = range(4)


class Setup(NamedTuple):
    """What a worker has from the beginning."""

    names: Sequence[str]
    settings: Settings
    concealer: Concealer
    multipliers: list[int]  # of verdicts.Verdicts


class Worker:
    """Does what it is asked, in a process of its own or (tests) in the one that asks."""

    def __init__(self, setup: Setup, memories: Sequence[mmap]) -> None:
        self._setup = setup
        self._memories = memories
        self._scan: Scan | None = None
        self._stretches: Stretches | None = None

    def read(self, work: Work, memory: int) -> Read | None:
        """Read a stretch into a shared memory."""
        if self._stretches is None:
            from leakscan.split.stretch import Stretches  # late: numpy, which the first process loads meanwhile

            self._stretches = Stretches(self._setup.multipliers)
        return self._stretches.read(work, self._memories[memory])

    def look(self, group: bytes) -> bytes:
        """The leaks in a group of heads, with the captures they are in."""
        return packed_leaks(self._looking().found(heads(group)))

    def summary(self) -> Summary:
        """Of all heads so far."""
        return self._looking().summary

    def _looking(self) -> Scan:
        if self._scan is None:
            nothing = Reading((), Losses())
            self._scan = Scan(nothing, self._setup.names, self._setup.settings, self._setup.concealer)
        return self._scan


def become(end: socket.socket, setup: Setup, memories: Sequence[mmap]) -> None:
    """A child's whole life. Nothing that its parent would do at its end is done here."""
    code = 1
    try:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with end.makefile("rb") as asked:
            _serve(asked, end, Worker(setup, memories))
        code = 0
    except OSError:  # the parent is gone
        pass
    finally:
        os._exit(code)


def _serve(asked: BinaryIO, end: socket.socket, worker: Worker) -> None:
    while size := asked.read(SIZE_BYTES):
        kind, *what = pickle.loads(asked.read(int.from_bytes(size)))
        answer: Any
        try:
            if kind == READ:
                answer = worker.read(*what)
            elif kind == HEADS:
                answer = worker.look(*what)
            else:
                answer = worker.summary()
            packed = pickle.dumps((kind, answer), pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # noqa: BLE001  (the parent says it, in its own way)
            packed = pickle.dumps((FAILED, (type(error).__name__, places(error))))
        end.sendall(len(packed).to_bytes(SIZE_BYTES) + packed)
