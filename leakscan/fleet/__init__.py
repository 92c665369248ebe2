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
from typing import Any, NamedTuple

from leakscan.errors import UsageError
from leakscan.fleet.crew import Crew, Lost, Processes, Queue
from leakscan.fleet.state import State, capture_id, settings_id
from leakscan.fleet.stored import Damaged, Stored
from leakscan.fleet.unit import VERSIONS, Done, Failed, Setup, Unit, measure, once, put, scan_unit, versions
from leakscan.interrupt import Gate
from leakscan.losses import Losses
from leakscan.model import Leak
from leakscan.reading import Reading
from leakscan.relay import Failed as Bug
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
        self._parts: dict[int, int] = {}  # units that are scanned in parts, and how many
        self._done: dict[int, dict[int, Path | None]] = {}  # unit -> part -> where its result is, None if there is none
        self._over = False  # nothing more will be done
        self._next = 0  # the unit whose turn it is
        self._queue: Queue | None = None
        self._queued: list[_Part] = []
        self._apart: list[_Part] = []  # series whose bundle failed: each is tried by itself
        self._exit = contextlib.ExitStack()
        self.summary = self._whole.summary
        self.bug: Bug | None = None  # the first error of ours that a unit met; the others were scanned
        self.found = 0  # units that an earlier run had finished

    def run(self) -> dict[str, Any]:
        return self._whole.run()

    def leaks(self, live: bool = False) -> Iterator[Leak]:
        """Leaks in the order of series, captures and frames."""
        try:
            yield from self._leaks()
        except Exception:  # of an interruption `rest` is asked
            self._exit.close()
            raise

    def _leaks(self) -> Iterator[Leak]:
        self._stamps = {name: stamp(name) for name in self._names}
        crew = _Late(self._crew, self._exit)
        self._units = self._bundled(plan(self._extents(crew)), crew)
        folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="leakscan-")))
        self._paths = self._results_at(folder)
        self._find()
        yield from self._in_turn()
        left = [number for number in range(len(self._units)) if number not in self._done]
        yield from self._scan([_Part(number, 0, self._units[number], self._paths[number]) for number in left], crew)
        yield from self._scan(self._apart, crew)

    def rest(self) -> Iterator[Leak]:
        """After an interruption: what the workers have found so far."""
        self._over = True
        with self._exit:
            if self._queue is not None:
                for index, outcome in self._queue.rest():
                    if self._queued:  # else it was measuring
                        self._keep(self._queued[index], outcome)
            yield from self._in_turn()

    def _scan(self, parts: list[_Part], crew: _Late) -> Iterator[Leak]:
        self._queued = parts
        if parts:
            self._queue = Queue(crew(), self._gate)
            tasks = [(self._unit(part, crew().shares_disk),) for part in parts]
            for index, outcome in self._queue.results(scan_unit, tasks):
                self._keep(parts[index], outcome)
                yield from self._in_turn()

    def _extents(self, crew: _Late) -> dict[str, Extent]:
        """How every capture begins and ends: known, or read now. Of a single one nobody needs to know."""
        if len(self._names) == 1:
            return {self._names[0]: Extent(None, 0)}
        ids = {name: capture_id(name, found) for name, found in self._stamps.items() if found is not None}
        known = {} if self._state is None else self._state.extents(self._seal, set(ids.values()))
        extents = {name: known[ids[name]] for name in self._names if ids.get(name) in known}
        missing = [name for name in self._names if name not in extents]
        if missing:
            queue = self._queue = Queue(crew(), self._gate)
            for index, outcome in queue.results(measure, [(name, versions()) for name in missing]):
                name = missing[index]
                if isinstance(outcome, Extent):
                    extents[name] = outcome
                    if self._state is not None and name in ids and stamp(name, again=True) == self._stamps[name]:
                        self._state.remember(self._seal, ids[name], outcome)
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
                Stored(path, self._seal, path.name)
                self._done[number] = {0: path}
                self._tell(_names(self._units[number]))
        self.found = len(self._done)

    def _unit(self, part: _Part, shares_disk: bool) -> Unit:
        stamps = [self._stamps[name] for name in _names(part.series)]
        kept = self._state is not None and None not in stamps
        folder = str(part.path.parent) if shares_disk else ""
        return Unit(part.series, self._setup, part.path.name, folder, stamps if kept else ())

    def _keep(self, part: _Part, outcome: Done | Failed | Lost) -> None:
        """A unit, or a part of one, is finished in one way or another. Where a bundle fails, one series is to blame."""
        with self._gate.closed():
            done = self._done.setdefault(part.unit, {})
            if isinstance(outcome, Done):
                path = str(part.path)
                if outcome.packed:
                    put(path, outcome.packed, outcome.lasting)
                done[part.number] = Path(path if outcome.lasting else once(path))
            elif len(part.series) > 1 and not self._over and not (isinstance(outcome, Lost) and outcome.all_are):
                _refuse_versions(outcome)
                self._parts[part.unit] = len(part.series)
                for number, names in enumerate(part.series):
                    self._apart.append(_Part(part.unit, number, [names], Path(f"{part.path}.{number}")))
                return
            else:
                self._fail(part, outcome)
                done[part.number] = None
            self._tell(_names(part.series))

    def _fail(self, part: _Part, outcome: Failed | Lost) -> None:
        _refuse_versions(outcome)
        reason = outcome.reason if isinstance(outcome, Lost) else outcome.said
        if isinstance(outcome, Failed) and not reason:
            self.bug = self.bug or Bug(outcome.kind, list(outcome.places))
            reason = f"internal error: {outcome.kind}"
        for name in _names(part.series):
            self._losses.problem(LOST, name, None, reason)

    def _tell(self, names: list[str]) -> None:
        if self._on_bytes is not None:
            self._on_bytes(sum(found.size for name in names if (found := self._stamps[name])))

    def _in_turn(self) -> Iterator[Leak]:
        """The leaks of all units up to the first that is not finished."""
        while self._next < len(self._units):
            done = self._done.get(self._next, {})
            if len(done) < self._parts.get(self._next, 1) and not self._over:
                return
            with self._gate.closed():
                self._next += 1
                for _, path in sorted(done.items()):
                    if path is not None:
                        yield from self._given(path, self._units[self._next - 1])

    def _given(self, path: Path, unit: list[list[str]]) -> Iterator[Leak]:
        try:
            result = Stored(path, self._seal, path.name.removesuffix(once("")))
        except (OSError, Damaged):  # it was there when the run began
            for name in _names(unit):
                self._losses.problem(LOST, name, None, "its result was removed or changed meanwhile")
            return
        self.summary.merge(result.summary())
        yield from result.leaks()
        if self._state is None or path.suffix == once(""):
            path.unlink()


class _Part(NamedTuple):
    """What is scanned together: a unit, or one series of a bundle that failed."""

    unit: int
    number: int  # within the unit
    series: list[list[str]]
    path: Path


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
    if isinstance(outcome, Failed) and outcome.kind == VERSIONS:
        raise UsageError(f"--cluster: another version of leakscan, its catalogue or Python is on {outcome.said}")
