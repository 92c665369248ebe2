"""A second process that stands by: it loads what it needs for its work while this one finds out what work there is.

In: at first, the words of the command line, and how to get ready; later an order, which is bytes. Out: what the process
makes of its order, through a pipe. State: the one that was started early and that nobody has taken yet.

One that gets no order ends when it is dismissed, and when this process ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Callable, Sequence
from itertools import pairwise

#: Below this many bytes of captures a second process costs more than it saves.
WORTH_BYTES = 8 << 20
SCANS = ("analyse", "analyze")
ALONE = (("-j", "1"), ("--jobs", "1"))

#: Where results go, what the order was.
Work = Callable[[int, bytes], None]

_early: Standby | None = None


class Standby:
    """Another process; `results` is the end of a pipe to read from."""

    def __init__(self, prepare: Callable[[], Work]) -> None:
        """`prepare` runs there, and gives what is done with an order."""
        orders, self._orders = os.pipe()
        self.results, results = os.pipe()
        self.process = os.fork()
        if not self.process:
            os.close(self._orders)
            os.close(self.results)
            _stand_by(orders, results, prepare)
        os.close(orders)
        os.close(results)

    def order(self, what: bytes) -> None:
        with os.fdopen(self._orders, "wb") as orders:
            orders.write(what)

    def dismiss(self) -> None:
        """Instead of an order."""
        os.close(self._orders)
        os.close(self.results)
        os.kill(self.process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process, 0)


def start(words: Sequence[str], prepare: Callable[[], Work]) -> None:
    """Start one if this looks like a scan that two processes are faster at; nothing depends on whether it is."""
    global _early
    if hasattr(os, "fork") and (os.cpu_count() or 1) > 1 and _is_large(words):
        _early = Standby(prepare)


def take() -> Standby | None:
    """The one that was started, if it was; once."""
    global _early
    early, _early = _early, None
    return early


def dismiss() -> None:
    """The one that was started, if nobody has taken it."""
    if early := take():
        early.dismiss()


def _is_large(words: Sequence[str]) -> bool:
    """Whether it is a scan of a large file by more than one process."""
    if not words or words[0] not in SCANS or any(pair in ALONE for pair in pairwise(words)):
        return False
    for word in words[1:]:
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(word)  # noqa: PTH116  (pathlib takes longer to load than all of this)
            if stat.S_ISREG(status.st_mode) and status.st_size >= WORTH_BYTES:
                return True
    return False


def _stand_by(orders: int, results: int, prepare: Callable[[], Work]) -> None:
    """The whole life of that process. Nothing that its parent would do at its end is done here."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # reaches it with its parent, which decides
        work = prepare()
        with os.fdopen(orders, "rb") as told:
            order = told.read()
        if order:
            work(results, order)
        code = 0
    except BrokenPipeError:  # the parent is gone
        pass
    finally:
        os._exit(code)
