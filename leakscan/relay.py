"""The first half of the spine in a process of its own: two cores for one capture.

In: names of captures. Out: a Reading: its heads, losses and coverage are, byte for byte, those that it would have here.
A forked child reads and parses (numpy is loaded there alone); groups of heads come back through a pipe, in order, so
detection goes on meanwhile. What the child counts comes with the last record. State: a group of at most GROUP_HEADS
heads and GROUP_BYTES on each side, and what the pipe holds.

The child lets SIGINT pass, which reaches it with its parent; SIGTERM, however often, ends its reading, not its report.
When the parent is gone the next write ends it.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from leakscan.errors import LeakscanError
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses, Problem
from leakscan.model import Coverage, Head, Origin
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources.stream import STDIN

#: Below this many bytes a second process costs more than it saves.
MIN_BYTES = 8 << 20
GROUP_HEADS = 256
GROUP_BYTES = 256 << 10
MAX_ORIGINS = 4096  # captures and interfaces that go by a number
_HEADS, _ORIGIN, _PROBLEM, _BYTES, _FAILED, _END = range(6)
_Send = Callable[[int, Any], None]


def pays(names: Sequence[str], jobs: int | None) -> bool:
    """Whether a second process is wanted, possible, and worth its start."""
    if STDIN in names or jobs == 1 or (os.cpu_count() or 1) < 2 or not hasattr(os, "fork"):
        return False
    paths = [Path(name) for name in names]
    return all(path.is_file() for path in paths) and sum(path.stat().st_size for path in paths) >= MIN_BYTES


class Failed(Exception):
    """The child met an error of its own; `places` says where, as traceback.extract_tb does."""

    def __init__(self, kind: str, places: list[tuple[str, int, str]]) -> None:
        super().__init__(kind)
        self.kind = kind
        self.places = places


class Relay(Reading):
    """Used like Reading, and as a context: leaving it ends the child."""

    def __init__(
        self,
        names: Sequence[str],
        losses: Losses,
        gate: Gate,
        on_bytes: Callable[[int], None] | None = None,
        sieve: bool = True,
        bodies: bool = False,
    ) -> None:
        super().__init__((), losses, sieve, bodies=bodies)
        self._gate = gate
        self._on_bytes = on_bytes
        self._origins: dict[int, Origin] = {}
        reading, writing = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(reading)
            _become(writing, names, sieve, bodies)
        os.close(writing)
        self._pipe: BinaryIO = os.fdopen(reading, "rb")

    def heads(self) -> Iterator[Head]:
        for kind, what in self._records():
            if kind == _HEADS:
                for key, raw, origin, time_ns, frame, frame_end, begins_in, teid, partial, body in what:
                    lines = raw.split(b"\n")
                    at = self._origins[origin]
                    yield Head(key, raw, lines, at, time_ns, frame, frame_end, begins_in, teid, partial, body)
            else:
                self._take(kind, what)

    def stop(self) -> None:
        """Have the child stop reading, and take over what it has counted. Heads that still come are let go."""
        if self._child:
            os.kill(self._child, signal.SIGTERM)
            for kind, what in self._records():
                if kind != _HEADS:
                    self._take(kind, what)

    def _records(self) -> Iterator[tuple[int, Any]]:
        """Up to the last. A signal may come between two records, and while we wait for one."""
        while self._child:
            if not self._pipe.peek(1):  # type: ignore[attr-defined]
                self._wait()
                raise LeakscanError("the process that reads the captures ended before its work was done; try -j 1")
            with self._gate.closed():
                size = int.from_bytes(self._pipe.read(4))
                record: tuple[int, Any] = marshal.loads(self._pipe.read(size))
            if record[0] in (_END, _FAILED):
                self._wait()
            yield record

    def _take(self, kind: int, what: Any) -> None:
        if kind == _ORIGIN:
            number, *origin = what
            self._origins[number] = Origin._make(origin)
        elif kind == _BYTES and self._on_bytes is not None:
            self._on_bytes(what)
        elif kind == _PROBLEM:
            self.losses.say(Problem._make(what))  # counted and kept with the others, at the end
        elif kind == _FAILED:
            raise Failed(*what)
        elif kind == _END:
            losses, problems, coverage, neighbours = what
            counted = Losses()
            counted.update(losses)
            counted.by_name += map(Problem._make, problems)
            self.losses.merge(counted)
            self.coverage.merge(Coverage(*coverage))
            self.neighbours.take(neighbours)

    def _wait(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._child, 0)
        self._child = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            self._wait()


def _become(pipe: int, names: Sequence[str], sieve: bool, bodies: bool) -> None:
    """The child's whole life. Nothing that its parent would do at its end is done here."""
    code = 1
    ended: list[int] = []
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))  # before and after the reading
        with os.fdopen(pipe, "wb", buffering=GROUP_BYTES) as out:
            _read(out, names, sieve, bodies, ended)
        code = 0
    except BrokenPipeError:
        pass
    finally:
        os._exit(code)


def _read(out: BinaryIO, names: Sequence[str], sieve: bool, bodies: bool, ended: list[int]) -> None:
    gate = Gate((signal.SIGTERM,))

    def send(kind: int, what: Any) -> None:
        with gate.closed():
            record = marshal.dumps((kind, what))
            out.write(len(record).to_bytes(4) + record)
            out.flush()

    losses = Losses(lambda problem: send(_PROBLEM, tuple(problem)))
    reading = Reading(series(names, losses, lambda count: send(_BYTES, count)), losses, sieve, bodies=bodies)
    group = _Group(send)
    try:
        with contextlib.suppress(Interrupted), gate.interruptible():
            for head in () if ended else reading.heads():
                group.add(head)
        group.flush()
        named, neighbours = list(map(tuple, losses.by_name)), list(reading.neighbours.kept())
        send(_END, (dict(losses), named, astuple(reading.coverage), neighbours))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  (the parent says it, in its own way)
        places = [
            (frame.filename, frame.lineno or 0, frame.name) for frame in traceback.extract_tb(error.__traceback__)
        ]
        send(_FAILED, (type(error).__name__, places))


class _Group:
    """Heads that wait to be sent together."""

    def __init__(self, send: _Send) -> None:
        self._send = send
        self._heads: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._origins: dict[Origin, int] = {}

    def add(self, head: Head) -> None:
        key, raw, _, origin, time_ns, frame, frame_end, begins_in, teid, partial, body = head
        number = self._origins.get(origin)
        if number is None:
            if len(self._origins) >= MAX_ORIGINS:
                self.flush()
                self._origins.clear()
            number = self._origins[origin] = len(self._origins)
            self._send(_ORIGIN, (number, *origin))
        self._heads.append((key, raw, number, time_ns, frame, frame_end, begins_in, teid, partial, body))
        self._bytes += len(raw) + len(body)
        if len(self._heads) >= GROUP_HEADS or self._bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        heads, self._heads, self._bytes = self._heads, [], 0
        if heads:
            self._send(_HEADS, heads)
