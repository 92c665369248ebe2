"""The first half of the spine in a process of its own: two cores for one capture.

In: names of captures. Out: a Reading: its exchanges (but for what was glanced at already), losses and coverage are,
byte for byte, those that it would have here. A child (standby.py) reads and parses (numpy is loaded there alone);
groups of heads come back through a pipe, in order, so detection goes on meanwhile. What the child counts comes with the
last record. While the parent is behind, the child glances at the heads itself (glance.py), and most go as no more than
what is to be counted: so both are busy, whatever the traffic. State: a group (grouped.py) of at most GROUP_HEADS heads
on each side, what the pipe holds, and the child's own Glance.

The child lets SIGINT pass, which reaches it with its parent; SIGTERM, however often, ends its reading, not its report.
When the parent is gone the next write ends it.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import signal
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from leakscan import standby
from leakscan.errors import LeakscanError, places
from leakscan.grouped import GROUP_BYTES, Group, heads
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses, Problem
from leakscan.model import Coverage, Head, Seen
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import sizes
from leakscan.standby import WORTH_BYTES, Standby, Work

if TYPE_CHECKING:
    from leakscan.glance import Glance

MIN_BYTES = WORTH_BYTES
GROUP_HEADS = 256
#: What the pipe may hold, where that can be said, and how full it is when the parent is behind.
PIPE_BYTES = 1 << 20
BEHIND = 0.5
_HEADS, _PROBLEM, _BYTES, _FAILED, _END = range(5)


def pays(names: Sequence[str], jobs: int | None) -> bool:
    """Whether a second process is wanted, possible, and worth its start."""
    if jobs == 1 or (os.cpu_count() or 1) < 2 or not hasattr(os, "fork"):
        return False
    found = sizes(names)
    return found is not None and sum(found) >= MIN_BYTES


class Failed(Exception):
    """The child met an error of its own; `places`: errors.places."""

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
        glances: bool = False,
    ) -> None:
        """`glances`: nothing is looked for but what the built-in catalogue knows."""
        super().__init__((), losses, sieve, bodies=bodies)
        self._gate = gate
        self._on_bytes = on_bytes
        child = standby.take() or Standby(lambda: _work)
        self._child = child.process
        self._pipe: BinaryIO = os.fdopen(child.results, "rb")
        child.order(marshal.dumps((list(names), sieve, bodies, glances)))

    def exchanges(self) -> Iterator[Head | Seen]:
        for kind, what in self._records():
            if kind == _HEADS:
                yield from heads(what)
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
        if kind == _BYTES and self._on_bytes is not None:
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


def ready() -> Work:
    """What a child does, when all that it needs is loaded."""
    from leakscan import decode, reassembly, sieve  # noqa: F401  (numpy, which the parent can do without)

    return _work


def _work(pipe: int, order: bytes) -> None:
    """The child's work."""
    names, sieve, bodies, glances = marshal.loads(order)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))  # before and after the reading
    _widen(pipe)
    with os.fdopen(pipe, "wb", buffering=GROUP_BYTES) as out:
        _read(out, names, sieve, bodies, _Help(pipe) if glances else None, ended)


class _Help:
    """The child's share of the parent's work, while the parent is behind."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._glance: Glance | None = None
        self._behind = False

    def measure(self) -> None:
        """How much waits for the parent."""
        self._behind = _waits_in(self._pipe) >= BEHIND * _holds(self._pipe)

    def seen(self, head: Head) -> Head | Seen:
        """The head, or what is left of it when it was glanced at, if there is time for that."""
        if not self._behind:
            return head
        if self._glance is None:
            from leakscan.glance import Glance  # late: the detectors, which the parent loads meanwhile

            self._glance = Glance()
        host = self._glance.plain_host(head)
        if host is None:
            return head._replace(glanced=True)
        if self._glance.unknown:
            return head
        return Seen(head.key, host, head.origin, head.time_ns, head.teid)


def _widen(pipe: int) -> None:
    with contextlib.suppress(ImportError, AttributeError, OSError):  # not everywhere, and an operator may forbid it
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _holds(pipe: int) -> int:
    """Bytes that it takes before it blocks."""
    import fcntl

    try:
        return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    except (AttributeError, OSError):
        return 1 << 16


def _waits_in(pipe: int) -> int:
    """Bytes that nobody has read yet; 0 where the system does not say."""
    import fcntl
    import termios

    waiting = array("i", [0])
    with contextlib.suppress(OSError):
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0]


def _read(
    out: BinaryIO, names: Sequence[str], sieve: bool, bodies: bool, share: _Help | None, ended: list[int]
) -> None:
    gate = Gate((signal.SIGTERM,))

    def send(kind: int, what: Any) -> None:
        with gate.closed():
            record = marshal.dumps((kind, what))
            out.write(len(record).to_bytes(4) + record)
            out.flush()

    losses = Losses(lambda problem: send(_PROBLEM, tuple(problem)))
    reading = Reading(series(names, losses, lambda count: send(_BYTES, count)), losses, sieve, bodies=bodies)
    group = Group(GROUP_HEADS)
    try:
        with contextlib.suppress(Interrupted), gate.interruptible():
            for head in () if ended else reading.heads():
                with gate.closed():  # else a group could get lost between the two
                    if packed := group.add(head if share is None else share.seen(head)):
                        send(_HEADS, packed)
                        if share is not None:
                            share.measure()
        if packed := group.taken():
            send(_HEADS, packed)
        named, neighbours = list(map(tuple, losses.by_name)), list(reading.neighbours.kept())
        send(_END, (dict(losses), named, astuple(reading.coverage), neighbours))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  (the parent says it, in its own way)
        send(_FAILED, (type(error).__name__, places(error)))
