"""Many captures over many cores or machines. The unit of work is a series, and the result is that of one core, byte for
byte.

    names --> `measure` each (crew) --> series.plan --> units --> `scan_unit` each (crew) --> a file for each result
                                                                                                    |
                                     leaks in the order of the series, one summary  <-- `stored` <--+

In: captures and settings, as for spine.Scan. Out: the same leaks in the same order, the same summary. `crew` is who
does it: processes here, or a `cluster`. Results lie on the disk, masked like any result, until their turn comes: in a
folder that goes with the scan, or in that of a `state`, which the next run begins with.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from leakscan.errors import LeakscanError
from leakscan.fleet.crew import Crew, Lost, Processes, Queue
from leakscan.fleet.state import State, capture_id, settings_id
from leakscan.fleet.stored import Damaged, Stored
from leakscan.fleet.unit import Done, Failed, Setup, Unit, measure, once, put, scan_unit, versions
from leakscan.interrupt import Gate
from leakscan.losses import Losses
from leakscan.model import Leak
from leakscan.reading import Reading
from leakscan.series import Extent, bundles, plan
from leakscan.sources import Stamp, stamp
from leakscan.spine import Scan, Settings

__all__ = ["Crew", "Fleet", "Processes", "State", "jobs_for"]

#: Below this many bytes in all the workers' start costs more than they save; a number of jobs that is given is obeyed.
MIN_BYTES = 64 << 20
#: Small series go to a worker together until they are worth a message: so many bytes, or less where all would not
#: have enough to do. With a state each is a unit of its own, whatever others there are.
BUNDLE_BYTES = 16 << 20
BUNDLES_PER_JOB = 8
LOST = "run.not-scanned"


def jobs_for(names: Sequence[str], wanted: int | None) -> int:
    """How many workers: as wanted, at most one a capture; 1 where more would not pay, and where a pipe is read."""
    stamps = [stamp(name) for name in names]
    if None in stamps:
        return 1
    if wanted is None:
        wanted = os.cpu_count() or 1 if sum(found.size for found in stamps if found) >= MIN_BYTES else 1
    return max(1, min(wanted, len(names)))


class Fleet:
    """A scan by several workers: used like spine.Scan."""

    remark = ""

    def __init__(
        self,
        names: Sequence[str],
        losses: Losses,
        settings: Settings,
        crew: Callable[[], Crew],
        gate: Gate,
        on_bytes: Callable[[int], None] | None = None,
        sieve: bool = True,
        state: State | None = None,
    ) -> None:
        """`crew` is called when the work begins. With a `state`, results of earlier runs are used and kept."""
        self._names = names
        self._losses = losses
        self._settings = settings
        self._crew = crew
        self._gate = gate
        self._on_bytes = on_bytes
        self._state = state
        self._whole = Scan(Reading((), losses), names, settings)
        self._setup = Setup(settings, self._whole.concealer, sieve)
        self._seal = self._whole.concealer.seal_key()
        self._stamps: dict[str, Stamp | None] = {}
        self._units: list[list[list[str]]] = []
        self._paths: list[Path] = []
        self._ready: dict[int, Path] = {}  # units that are finished -> where their results are
        self._lost: set[int] = set()
        self._next = 0  # the unit whose turn it is
        self._queue: Queue | None = None
        self._numbers: list[int] = []  # of the units that are in the queue
        self._exit = contextlib.ExitStack()
        self.summary = self._whole.summary
        self.found = 0  # units that an earlier run had finished

    def run(self) -> dict[str, Any]:
        return self._whole.run()

    def leaks(self, live: bool = False) -> Iterator[Leak]:
        """Leaks in the order of series, captures and frames."""
        self._stamps = {name: stamp(name) for name in self._names}
        crew = _Late(self._crew, self._exit)
        self._units = self._bundled(plan(self._extents(crew)), crew)
        folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="leakscan-")))
        self._paths = self._results_at(folder)
        self._find()
        self._numbers = [number for number in range(len(self._units)) if number not in self._ready]
        yield from self._in_turn()
        if self._numbers:
            self._queue = Queue(crew())
            tasks = [(self._unit(number, crew().shares_disk),) for number in self._numbers]
            for index, outcome in self._queue.results(scan_unit, tasks):
                self._keep(self._numbers[index], outcome)
                yield from self._in_turn()

    def rest(self) -> Iterator[Leak]:
        """After an interruption: what the workers have found so far."""
        with self._exit:
            if self._queue is not None:
                for index, outcome in self._queue.rest():
                    if self._numbers:  # else it was measuring
                        self._keep(self._numbers[index], outcome)
            self._lost.update(number for number in range(len(self._units)) if number not in self._ready)
            yield from self._in_turn()

    def _extents(self, crew: _Late) -> dict[str, Extent]:
        """How every capture begins and ends: known, or read now. Of a single one nobody needs to know."""
        if len(self._names) == 1:
            return {self._names[0]: Extent(None, 0)}
        known = {} if self._state is None else self._state.extents()
        ids = {name: capture_id(name, found) for name, found in self._stamps.items() if found is not None}
        extents = {name: known[ids[name]] for name in self._names if ids.get(name) in known}
        missing = [name for name in self._names if name not in extents]
        if missing:
            queue = self._queue = Queue(crew())
            for index, outcome in queue.results(measure, [(name, versions()) for name in missing]):
                name = missing[index]
                if isinstance(outcome, Extent):
                    extents[name] = outcome
                    if self._state is not None and name in ids and stamp(name, again=True) == self._stamps[name]:
                        self._state.remember(ids[name], outcome)
                else:  # what is wrong with it is said when it is scanned
                    _refuse_versions(outcome)
                    extents[name] = Extent(None, 0)
            self._queue = None
        return {name: extents[name] for name in self._names}

    def _results_at(self, folder: Path) -> list[Path]:
        """Where the result of each series belongs."""
        if self._state is None:
            return [folder / str(number) for number in range(len(self._units))]
        settings = settings_id(self._settings, self._whole.concealer.key_id)
        found = map(_names, self._units)
        return [self._state.path(names, [self._stamps[name] for name in names], settings) for names in found]

    def _bundled(self, found: list[list[str]], crew: _Late) -> list[list[list[str]]]:
        if self._state is not None:
            return [[names] for names in found]
        sizes = {name: there.size if there else 0 for name, there in self._stamps.items()}
        least = min(BUNDLE_BYTES, sum(sizes.values()) // (BUNDLES_PER_JOB * crew().workers))
        return list(bundles(found, sizes, least))

    def _find(self) -> None:
        """Results of earlier runs."""
        for number, path in enumerate(self._paths):
            with contextlib.suppress(OSError, Damaged):
                Stored(path, self._seal)
                self._ready[number] = path
                self._tell(number)
        self.found = len(self._ready)

    def _unit(self, number: int, shares_disk: bool) -> Unit:
        stamps = [self._stamps[name] for name in _names(self._units[number])]
        kept = self._state is not None and None not in stamps
        return Unit(
            self._units[number], self._setup, str(self._paths[number]) if shares_disk else "", stamps if kept else ()
        )

    def _keep(self, number: int, outcome: Done | Failed | Lost) -> None:
        """A unit is finished, in one way or another."""
        with self._gate.closed():
            if isinstance(outcome, Done):
                path = str(self._paths[number])
                if outcome.packed:
                    put(path, outcome.packed, outcome.lasting)
                self._ready[number] = Path(path if outcome.lasting else once(path))
            else:
                _refuse_versions(outcome)
                reason = outcome.reason if isinstance(outcome, Lost) else outcome.said or f"error: {outcome.kind}"
                for name in _names(self._units[number]):
                    self._losses.problem(LOST, name, None, reason)
                self._lost.add(number)
            self._tell(number)

    def _tell(self, number: int) -> None:
        if self._on_bytes is not None:
            self._on_bytes(sum(found.size for name in _names(self._units[number]) if (found := self._stamps[name])))

    def _in_turn(self) -> Iterator[Leak]:
        """The leaks of all units up to the first that is not finished."""
        while self._next in self._ready or self._next in self._lost:
            path = self._ready.get(self._next)
            with self._gate.closed():
                self._next += 1
                if path is not None:
                    result = Stored(path, self._seal)
                    self.summary.merge(result.summary())
                    yield from result.leaks()
                    if self._state is None or path.suffix == ".once":
                        path.unlink()


class _Late:
    """A crew that is called together when it is needed."""

    def __init__(self, make: Callable[[], Crew], stack: contextlib.ExitStack) -> None:
        self._make = make
        self._stack = stack
        self._crew: Crew | None = None

    def __call__(self) -> Crew:
        if self._crew is None:
            self._crew = self._make()
            self._stack.callback(self._crew.close)
        return self._crew


def _names(unit: list[list[str]]) -> list[str]:
    return [name for names in unit for name in names]


def _refuse_versions(outcome: Failed | Lost) -> None:
    if isinstance(outcome, Failed) and outcome.kind == "versions":
        raise LeakscanError("a worker has another version of leakscan, its catalogue or Python than this process")
