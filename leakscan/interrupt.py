"""SIGINT and SIGTERM end the reading, not the program: what was found is still written, and no line in part.

`Gate` raises where a signal comes, for readers of files; `Knock` only notes it, for whoever asks now and then. State:
the handlers that stood before, put back when the first signal has come or the context is left; a second signal
therefore ends the program at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM)
T = TypeVar("T")


class Interrupted(BaseException):  # not an Exception: nothing on the way may take it for its own
    """A signal came; `exit_code` is 128 and its number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Gate:
    """Lets signals through as Interrupted where that does no harm."""

    def __init__(self, signals: Sequence[signal.Signals] = SIGNALS) -> None:
        self._signals = signals
        self._closed = 0
        self._waiting: int | None = None

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within, the signals raise Interrupted, also where they were ignored at the start."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int) -> None:
            if self._closed:
                self._waiting = number
            else:
                raise Interrupted(number)

        with _handled(self._signals, handle):
            yield

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Within, a signal waits; it is raised at the end."""
        self._closed += 1
        try:
            yield
        finally:
            self._closed -= 1
        self._let_through()

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """The items; a signal comes while one is waited for, and waits while one is worked on."""
        for item in items:
            self._closed += 1
            try:
                yield item
            finally:
                self._closed -= 1
            if self._waiting is not None:
                self._let_through()

    def _let_through(self) -> None:
        if self._waiting is not None and not self._closed:
            number, self._waiting = self._waiting, None
            raise Interrupted(number)


class Knock:
    """Notes the signals that come."""

    def __init__(self) -> None:
        self.exit_code = 0  # 128 and the number of the signal that is to end the run; 0: none has come
        self._asked = False

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Within, SIGINT and SIGTERM are noted, also where they were ignored at the start, and SIGUSR1."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def end(number: int) -> None:
            self.exit_code = 128 + number

        def ask(number: int, frame: FrameType | None) -> None:
            self._asked = True

        before = signal.getsignal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, ask)
        try:
            with _handled(SIGNALS, end):
                yield
        finally:
            signal.signal(signal.SIGUSR1, before)

    def asked(self) -> bool:
        """Whether SIGUSR1 has come since this was called last."""
        asked, self._asked = self._asked, False
        return asked


@contextlib.contextmanager
def _handled(signals: Sequence[signal.Signals], handle: Callable[[int], None]) -> Iterator[None]:
    """Within, the first of the signals goes to `handle`; the handlers that stood before take the next one."""
    before = {number: signal.getsignal(number) for number in signals}

    def restore() -> None:
        for number, handler in before.items():
            ignored = handler in (None, signal.SIG_IGN)
            signal.signal(number, signal.SIG_DFL if ignored else handler)

    def first(number: int, frame: FrameType | None) -> None:
        restore()
        handle(number)

    for number in signals:
        signal.signal(number, first)
    try:
        yield
    finally:
        restore()
