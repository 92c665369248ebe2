"""SIGINT and SIGTERM end the reading, not the program: what was found is still written, and no line in part.

State: the handlers that stood before, put back when the first signal has come or the context is left; a second signal
therefore ends the program at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        before = {number: signal.getsignal(number) for number in self._signals}

        def restore() -> None:
            for number, handler in before.items():
                ignored = handler in (None, signal.SIG_IGN)
                signal.signal(number, signal.SIG_DFL if ignored else handler)

        def handle(number: int, frame: FrameType | None) -> None:
            restore()
            if self._closed:
                self._waiting = number
            else:
                raise Interrupted(number)

        for number in self._signals:
            signal.signal(number, handle)
        try:
            yield
        finally:
            restore()

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Within, a signal waits; it is raised at the end."""
        self._closed += 1
        try:
            yield
        finally:
            self._closed -= 1
        if self._waiting is not None and not self._closed:
            number, self._waiting = self._waiting, None
            raise Interrupted(number)
