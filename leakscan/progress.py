"""What the operator sees on stderr while a capture is read: a bar by bytes, warnings above it. Never captured data.

State: the bar of rich, when stderr is a terminal; otherwise none.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from leakscan.show import show
from leakscan.sources import stamp

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Progress:
    """A context; `wanted` false or no terminal: no bar, and `say` still speaks."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._bar: Bar | None = None

    def start(self, names: Sequence[str]) -> None:
        """Show the bar, for the bytes of these captures as they lie on the disk."""
        if not self._wanted or "-" in names:
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        sizes = (found.size for found in map(stamp, names) if found is not None)
        self._task = self._bar.add_task("", total=sum(sizes) or None)
        self._bar.start()

    def advance(self, count: int) -> None:
        """`count` more bytes were read."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def say(self, text: object) -> None:
        """One line on stderr, harmless to a terminal."""
        line = f"leakscan: {show(str(text))}"
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line.encode("ascii", "backslashreplace").decode(), file=sys.stderr, flush=True)  # noqa: T201

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
