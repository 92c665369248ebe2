"""A cluster of dask.distributed as a crew. Imported when `--cluster` is given.

In: the address of a scheduler, or `local` for one of our own. Out: a Crew. State: the connection. Dask itself gives a
task whose worker died to another worker, and gives up after some (`distributed.scheduler.allowed-failures`).

The names of tasks are random; their arguments travel pickled and show nothing (unit.Setup). They are encrypted on the
way when the address begins with `tls://`.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from importlib import import_module
from typing import Any, TypeVar

from leakscan.errors import MissingExtra, UsageError
from leakscan.fleet.crew import Crew, WorkerLost
from leakscan.fleet.unit import Versions, versions

LOCAL = "local"
CONNECT_SECONDS = 20
#: So long a scheduler may be silent before it counts as lost.
LOST_SECONDS = 10
#: Results of tasks that are finished wait in memory for their turn to be written, so they are not too many.
MOST = 256
DASK = "distributed"
#: So long the run waits for workers when there are none; whether there are is asked now and then.
ALONE_SECONDS = 300
ASK_SECONDS = 10
NO_LEAKSCAN = "--cluster: a worker has no leakscan, or one that knows no clusters"

R = TypeVar("R")


class Cluster(Crew):
    """Workers of a scheduler. Raises UsageError, MissingExtra."""

    shares_disk = False
    most = MOST
    #: Dask has given up a task that killed some workers; others that waited there are given up with it.
    attempts = 2

    def __init__(self, address: str, jobs: int) -> None:
        """`jobs`: how many workers a cluster of our own has."""
        try:
            dask: Any = import_module(DASK)
        except ImportError:
            raise MissingExtra("--cluster", "cluster") from None
        _silence()
        self._own: Any = None
        if address == LOCAL:
            self._own = dask.LocalCluster(
                n_workers=jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
            )
        try:
            self._client: Any = dask.Client(self._own or address, timeout=CONNECT_SECONDS, set_as_default=False)
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            self._end()
            raise UsageError(f"--cluster {address}: {_why(error)}") from None
        try:
            self._compare()
            self._executor: Any = self._client.get_executor(pure=False)
        except BaseException:
            self._end()
            raise
        self.workers = max(1, sum(self._client.nthreads().values()))
        self._silent_since: float | None = None
        self._alone_since: float | None = None
        self._ask_at = 0.0

    def submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]:
        future: Future[R] = self._executor.submit(function, *arguments)
        return future

    def outcome(self, future: Future[R]) -> R:
        from distributed import KilledWorker  # loaded by now

        try:
            return future.result(0)
        except KilledWorker:
            raise WorkerLost("the workers that scanned it died") from None
        except CancelledError:
            raise WorkerLost("the cluster gave it up") from None
        except (ImportError, AttributeError):  # a unit raises nothing: it could not even be unpacked
            raise UsageError(NO_LEAKSCAN) from None

    def gone(self) -> str:
        now = time.monotonic()
        if self._client.status != "running":
            self._silent_since = self._silent_since or now
            return "the scheduler was lost" if now - self._silent_since >= LOST_SECONDS else ""
        self._silent_since = None
        if now >= self._ask_at:
            self._ask_at = now + ASK_SECONDS
            self._alone_since = None if self._has_workers() else self._alone_since or now
        alone = self._alone_since is not None and now - self._alone_since >= ALONE_SECONDS
        return "no worker was left" if alone else ""

    def _has_workers(self) -> bool:
        """Where nobody answers, that is another matter."""
        try:
            return bool(self._client.sync(self._client.scheduler.ncores, callback_timeout=LOST_SECONDS))
        except (OSError, TimeoutError):
            return True

    def interrupt(self) -> None:
        """What was not finished is given up."""

    def close(self) -> None:
        with contextlib.suppress(Exception):
            if self._client.status == "running":
                self._executor.shutdown(wait=False)
        self._end()

    def _end(self) -> None:
        for part in (getattr(self, "_client", None), self._own):
            if part is not None:
                with contextlib.suppress(Exception):
                    part.close(timeout=CONNECT_SECONDS)

    def _compare(self) -> None:
        """Every worker must have what we have, or results would depend on who made them. Raises UsageError."""
        try:
            found: dict[str, Versions] = self._client.run(versions)
        except (ImportError, AttributeError):
            raise UsageError(NO_LEAKSCAN) from None
        except OSError as error:
            raise UsageError(f"--cluster: the workers do not answer: {_why(error)}") from None
        mine = versions()
        for worker, theirs in sorted(found.items()):
            for what, here, there in zip(("leakscan", "Python", "code and catalogue"), mine, theirs, strict=True):
                if here != there:
                    raise UsageError(f"--cluster: {what} is {there} on worker {worker}, and {here} here")


def _silence() -> None:
    """What dask says of lost connections is said by us; its loggers have a level each."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == DASK:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _why(error: Exception) -> str:
    return "no worker came" if isinstance(error, TimeoutError) and "worker" in str(error) else "no scheduler answers"
