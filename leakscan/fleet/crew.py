"""Who scans the units: processes here, or a cluster. Both are a concurrent.futures.Executor with a few words around it.

In: a function and tasks. Out: what the function gave for each, in any order, or Lost. State: what is running, at most
`most` tasks; a task whose worker died is tried `attempts` times.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from leakscan.interrupt import Gate

POLL_SECONDS = 1.0
GRACE_SECONDS = 10.0

T = TypeVar("T")
R = TypeVar("R")


class Lost(NamedTuple):
    """A task that nobody finished; `all_are`: nor will anybody finish another one."""

    reason: str
    all_are: bool = False


class WorkerLost(Exception):
    """The worker of a task ended."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Crew(ABC):
    """An executor, and what to do when it fails."""

    shares_disk: bool  # results may be written where they are wanted
    workers: int
    most: int  # tasks that are with the executor at a time
    attempts = 3  # so often a task whose worker died is tried

    @abstractmethod
    def submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]: ...

    @abstractmethod
    def outcome(self, future: Future[R]) -> R:
        """What a finished task gave. Raises WorkerLost."""

    def gone(self) -> str:
        """Why no task can be finished any more; "" while it can."""
        return ""

    @abstractmethod
    def interrupt(self) -> None:
        """Have what runs end early with what it has, where that can be."""

    @abstractmethod
    def close(self) -> None: ...


class Processes(Crew):
    """Workers of this machine."""

    shares_disk = True

    def __init__(self, jobs: int) -> None:
        self.workers = jobs
        self.most = 2 * jobs
        self._pool = self._made()

    def submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]:
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._made()
            return self._pool.submit(function, *arguments)

    def outcome(self, future: Future[R]) -> R:
        try:
            return future.result(0)
        except (BrokenProcessPool, CancelledError):
            raise WorkerLost("its worker process was killed") from None

    def interrupt(self) -> None:
        for child in multiprocessing.active_children():
            child.terminate()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _made(self) -> Executor:
        return ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), initializer=_become_worker)


class Queue:
    """Tasks on their way through a crew. A signal is let through only while nothing is done but waiting: elsewhere it
    could be raised in the midst of the executor's own work, or where Python lets go of what comes up.
    """

    def __init__(self, crew: Crew, gate: Gate) -> None:
        self._crew = crew
        self._gate = gate
        self._running: dict[Future[Any], int] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()  # waited for: a signal in `wait` would leave locks behind
        self._finished: deque[tuple[int, Any]] = deque()
        self._suspects: deque[int] = deque()
        self._attempts: Counter[int] = Counter()

    def results(self, function: Callable[..., R], tasks: Sequence[Sequence[Any]]) -> Iterator[tuple[int, R | Lost]]:
        """Number and outcome of every task, as they are finished. What an interruption leaves, `rest` gives.

        A task that lost its worker is tried again alone: of several that a dead worker takes along, one is to blame.
        """
        waiting = deque(range(len(tasks)))
        while waiting or self._suspects or self._running:
            with self._gate.closed():
                if self._suspects and not self._running:
                    self._start(function, tasks, self._suspects)
                while waiting and not self._suspects and len(self._running) < self._crew.most:
                    self._start(function, tasks, waiting)
            with contextlib.suppress(Empty):
                self._done.put(self._done.get(timeout=POLL_SECONDS))
            with self._gate.closed():
                while not self._done.empty():
                    self._finish(self._done.get())
            while self._finished:
                yield self._finished.popleft()
            with self._gate.closed():
                reason = self._crew.gone()
                left = [*self._running.values(), *self._suspects, *waiting] if reason else []
                if reason:
                    self._running = {}
            yield from ((number, Lost(reason, True)) for number in left)
            if reason:
                return

    def _finish(self, future: Future[Any]) -> None:
        number = self._running.pop(future)
        try:
            self._finished.append((number, self._crew.outcome(future)))
        except WorkerLost as lost:
            self._attempts[number] += 1
            if self._attempts[number] >= self._crew.attempts:
                self._finished.append((number, Lost(lost.reason)))
            else:
                self._suspects.append(number)

    def rest(self) -> Iterator[tuple[int, Any]]:
        """After an interruption: what comes within GRACE_SECONDS of the tasks that were running."""
        yield from self._finished
        for future in self._running:
            future.cancel()
        self._crew.interrupt()
        done, _ = wait(self._running, GRACE_SECONDS)
        for future in done:
            with contextlib.suppress(WorkerLost):
                yield self._running[future], self._crew.outcome(future)
        self._running = {}

    def _start(self, function: Callable[..., R], tasks: Sequence[Sequence[Any]], numbers: deque[int]) -> None:
        number = numbers.popleft()
        future = self._crew.submit(function, *tasks[number])
        self._running[future] = number
        future.add_done_callback(self._done.put)


def _become_worker() -> None:
    """Ctrl-C reaches the whole group: the first process decides, and tells the workers with SIGTERM. A worker whose
    first process is no more ends at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # between two pieces of work
    threading.Thread(target=_end_with_parent, name="leakscan-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
