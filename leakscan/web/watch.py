"""What the operator gets to know: requests counted, findings summed up by the same schema, samples of them recorded.

Comes in: heads. Goes out: their leaks, masked; the summary; and the record's lines. State: the summary, bounded as that
of any scan (tally.py), for a day when it is recorded; how many leaks of each behaviour the record holds, at most
MAX_SAMPLED behaviours. One lock, because a website has threads.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from leakscan.conceal import Concealer
from leakscan.errors import UsageError, places
from leakscan.formats.rows import Json
from leakscan.model import Head, Leak
from leakscan.spine import Scan, Settings
from leakscan.web.arrival import Arrivals
from leakscan.web.record import Record, today

MAX_SAMPLED = 4096
#: What is found is written at once, but not more often than that; and so seldom that writing takes little of the time.
FLUSH_SECONDS = 5.0
FLUSH_SHARE = 0.02


def fault(error: BaseException) -> str:
    """A fault of ours: its kind and place, and no word of its message, which may hold what a visitor sent."""
    kind, found = type(error).__name__, places(error)
    return f"{kind} at {found[-1][0]}:{found[-1][1]}" if found else kind


class Watch:
    """Counts and records what requests give away.

    `name` stands for the capture, in a record with the moment at which its file was begun, because results are told
    apart by their captures. `record`: where to; None keeps the summary alone, in memory. `sample`: leak lines of one
    behaviour in one file of the record; None for all. All are counted. `warn` is told, once for each file, when a line
    could not be recorded.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        record: Record | None = None,
        sample: int | None = None,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._name = self._capture = name
        self._settings = settings
        self._record = record
        self._sample = sample
        self._warn = warn
        self._concealer = Concealer(settings.pseudonym_key)
        self._lock = threading.Lock()
        self._day: date | None = None  # of the file that is open
        self._fresh()
        os.register_at_fork(after_in_child=self._forked)

    def begin(self) -> None:
        """Open the record now and not at the first request: a mistake in its name (UsageError) is the operator's."""
        with self._lock:
            self._open(time.time_ns())

    def seen(self, head: Head) -> list[Leak]:
        """The leaks of one request."""
        with self._lock:
            self._roll(head.time_ns)
            origin = head.origin._replace(capture=self._capture)
            self._arrivals.put(head._replace(origin=origin, begins_in=self._capture))
            leaks = list(self._scan.leaks(live=True))
            for leak in leaks:
                self._keep(leak)
            self._flush()
            return leaks

    def failed(self) -> None:
        """A request could not be examined, through a fault of ours."""
        with self._lock:
            self._arrivals.losses["request.failed"] += 1

    def tick(self) -> None:
        """To be called every FLUSH_SECONDS: writes what waits and closes a day that is over, also when nobody comes."""
        with self._lock:
            self._roll(time.time_ns())
            self._flush()

    def summary(self) -> Json:
        """The summary object of schema 1, so far (with a record: of today)."""
        with self._lock:
            return self._scan.summary.to_dict()

    def end(self) -> None:
        """Write the record's summary. May be called again."""
        with self._lock:
            if self._record is not None and self._day is not None:
                self._record.end(self._scan.summary.to_dict())
                self._day = None

    def _forked(self) -> None:
        """A child counts from zero, and records in a file of its own."""
        self._lock = threading.Lock()
        self._day = None
        if self._record is not None:
            self._record.close()
        self._fresh()

    def _fresh(self) -> None:
        self._arrivals = Arrivals()
        self._sampled: dict[str, int] = {}
        self._warned = False
        self._written = 0  # requests that the record's summary knows
        self._next_flush = 0.0
        self._scan = Scan(self._arrivals, (), self._settings, self._concealer)

    def _roll(self, time_ns: int) -> None:
        """Another day, another file. One that cannot be opened is tried again, and what it would have held counted."""
        day = today(time_ns)
        if self._record is None or day == self._day:
            return
        if self._day is not None:
            self._record.end(self._scan.summary.to_dict())
            self._day = None
            self._fresh()
        with contextlib.suppress(UsageError):
            self._open(time_ns)

    def _open(self, time_ns: int) -> None:
        if self._record is None:
            return
        moment = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y%m%d-%H%M%S")
        self._capture = f"{self._name}-{moment}-{time_ns // 1000 % 10**6:06d}"
        day = today(time_ns)
        run = self._scan.run()
        settings = {**run["settings"], "sample": self._sample}
        run = {**run, "captures": [{"name": self._capture, "size": None}], "settings": settings}
        self._record.begin(run, self._scan.summary.to_dict(), day)
        self._day = day
        self._next_flush = time.monotonic() + FLUSH_SECONDS

    def _flush(self) -> None:
        """Write what has come since, if it is time."""
        summary, began = self._scan.summary, time.monotonic()
        if self._record is None or summary.requests == self._written:
            return
        if began < self._next_flush and not self._record.is_full:
            return
        lost = self._record.flush(summary.to_dict())
        if lost:
            self._lose(lost)
        self._written = summary.requests
        now = time.monotonic()
        self._next_flush = now + max(FLUSH_SECONDS, (now - began) / FLUSH_SHARE)

    def _lose(self, count: int) -> None:
        self._arrivals.losses["record.not-kept"] += count
        if not self._warned:
            self._warned = True
            self._warn("warning: the record is full, or cannot be written to: leaks are counted only")

    def _keep(self, leak: Leak) -> None:
        if self._record is None:
            return
        kept = self._sampled.get(leak.fingerprint, 0)
        wanted = kept < self._sample if self._sample is not None else True
        wanted = wanted and (kept > 0 or len(self._sampled) < MAX_SAMPLED)
        if wanted and self._record.leak(leak):
            self._sampled[leak.fingerprint] = kept + 1
            return
        if wanted:
            self._lose(1)
        else:
            self._arrivals.losses["record.not-kept"] += 1
