"""Many captures over the cores. The unit of work is a series, and the result is that of one core, byte for byte.

In: captures and settings, as for spine.Scan. Out: the same leaks in the same order, the same summary. First every
capture is read for its last time (which captures are one series depends on it), then every series is scanned by a
worker, small ones together; what the workers found is put together in the order of the series. State: results that wait
for their turn; the leaks in them lie on the disk, masked like any result, in a folder that goes with the scan.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from leakscan.conceal import Concealer
from leakscan.errors import LeakscanError
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses
from leakscan.model import Leak
from leakscan.reading import Reading
from leakscan.series import bundles, joined, last_time, plan
from leakscan.sources.stream import STDIN
from leakscan.spine import Scan, Settings
from leakscan.summary import Summary

#: Below this many bytes in all the workers' start costs more than they save; a number of jobs that is given is obeyed.
MIN_BYTES = 64 << 20
#: Small series go to a worker together until they are worth a message: so many bytes, or less where all would not
#: have enough to do.
BUNDLE_BYTES = 16 << 20
BUNDLES_PER_JOB = 8
GRACE_SECONDS = 10


class _Work(NamedTuple):
    series: list[list[str]]  # one, or small ones together
    settings: Settings
    concealer: Concealer
    sieve: bool
    spool: str  # file for the leaks

    @property
    def names(self) -> list[str]:
        return [name for names in self.series for name in names]


def jobs_for(names: Sequence[str], wanted: int | None) -> int:
    """How many workers: as wanted, at most one a capture; 1 where more would not pay, and where a pipe is read."""
    paths = [Path(name) for name in names]
    if STDIN in names or not all(path.is_file() for path in paths):
        return 1
    if wanted is None:
        wanted = os.cpu_count() or 1 if sum(path.stat().st_size for path in paths) >= MIN_BYTES else 1
    return max(1, min(wanted, len(names)))


class Fleet:
    """A scan by several workers: used like spine.Scan."""

    def __init__(
        self,
        names: Sequence[str],
        losses: Losses,
        settings: Settings,
        jobs: int,
        gate: Gate,
        on_bytes: Callable[[int], None] | None = None,
        sieve: bool = True,
    ) -> None:
        self._names = names
        self._settings = settings
        self._jobs = jobs
        self._gate = gate
        self._on_bytes = on_bytes
        self._sieve = sieve
        self._whole = Scan(Reading((), losses), names, settings)
        self._results: list[tuple[_Work, Future[Summary]]] = []
        self._exit = contextlib.ExitStack()
        self.summary = self._whole.summary

    def run(self) -> dict[str, Any]:
        return self._whole.run()

    def leaks(self, live: bool = False) -> Iterator[Leak]:
        """Leaks in the order of series, captures and frames."""
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self._jobs, context, initializer=_become_worker)
        self._exit.callback(pool.shutdown, cancel_futures=True)
        folder = self._exit.enter_context(tempfile.TemporaryDirectory(prefix="leakscan-"))
        times = dict(zip(self._names, pool.map(last_time, self._names), strict=True))
        sizes = {name: Path(name).stat().st_size for name in self._names}
        least = min(BUNDLE_BYTES, sum(sizes.values()) // (BUNDLES_PER_JOB * self._jobs))
        for number, bundle in enumerate(bundles(plan(self._names, times), sizes, least)):
            spool = str(Path(folder) / str(number))
            work = _Work(bundle, self._settings, self._whole.concealer, self._sieve, spool)
            self._results.append((work, pool.submit(_scan, work)))
        yield from self._collected(None)

    def rest(self) -> Iterator[Leak]:
        """After an interruption: what the workers have found so far."""
        with self._exit:
            if self._results:
                for _, result in self._results:
                    result.cancel()
                for child in multiprocessing.active_children():
                    child.terminate()
                yield from self._collected(GRACE_SECONDS)

    def _collected(self, seconds: float | None) -> Iterator[Leak]:
        """The leaks of each result in its turn, waiting so long for each (None: until it is there)."""
        while self._results:
            work, result = self._results[0]
            if not result.cancelled():
                yield from self._taken(work, result, seconds)
            else:
                self._results.pop(0)
            if self._on_bytes is not None:
                self._on_bytes(sum(Path(name).stat().st_size for name in work.names))

    def _taken(self, work: _Work, result: Future[Summary], seconds: float | None) -> Iterator[Leak]:
        try:
            result.exception(seconds)  # wait for it where a signal may come
            summary = result.result()
        except (BrokenProcessPool, TimeoutError):
            if seconds is None:
                raise LeakscanError("a worker process ended before its work was done; try -j 1") from None
            self._results.pop(0)  # interrupted, this one before it could begin, or it does not answer
            return
        with self._gate.closed():
            self.summary.merge(summary)
            self._results.pop(0)
            yield from _spooled(work.spool)


def _become_worker() -> None:
    """Ctrl-C reaches the whole group: the first process decides, and tells the workers with SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # between two pieces of work


def _scan(work: _Work) -> Summary:
    """One series: leaks into the spool, the rest as the result; interrupted, what there is."""
    losses = Losses()
    batches = [joined(names, losses) for names in work.series]
    reading = Reading(batches, losses, work.sieve, work.settings.responses, work.settings.bodies)
    scan = Scan(reading, work.names, work.settings, work.concealer)
    gate = Gate()
    descriptor = os.open(work.spool, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as spool:
        pickler = pickle.Pickler(spool)
        with contextlib.suppress(Interrupted), gate.interruptible():
            for leak in scan.leaks():
                with gate.closed():
                    pickler.dump(leak)
                    pickler.clear_memo()
        for leak in scan.rest():
            pickler.dump(leak)
            pickler.clear_memo()
    return scan.summary


def _spooled(path: str) -> Iterator[Leak]:
    with Path(path).open("rb") as spool, contextlib.suppress(EOFError):
        while True:
            yield pickle.load(spool)  # an Unpickler would take references for those to earlier leaks
    Path(path).unlink()
