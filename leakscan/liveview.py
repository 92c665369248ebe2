"""What stands on the terminal while an interface is captured: how much comes, what is dropped, who leaks.

In: the summary so far and a few numbers. Out: a few lines that are drawn over and over, and are gone at the end. State:
the last MAX_LEAKS leaks, as text, and what was counted when the rates were worked out last. All captured text passes
`show` and goes to rich as Text.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from leakscan.formats.rows import Json
from leakscan.formats.table import STYLES, leak_line
from leakscan.formats.words import carrier, number, people, percent
from leakscan.model import Coverage, Leak
from leakscan.progress import Progress
from leakscan.show import show
from leakscan.summary import Summary

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

MAX_LEAKS = 5
MAX_ROWS = 8
REFRESH_SECONDS = 0.25
RATE_SECONDS = 1.0


class Dropped(NamedTuple):
    """Packets dropped so far; None: not known here."""

    kernel: int | None = None
    interface: int | None = None


class LiveView:
    """A context. Not `wanted`: nothing is drawn, and `say` still speaks."""

    def __init__(self, wanted: bool, what: str) -> None:
        self.wanted = wanted
        self._what = what
        self._live: Live | None = None
        self._plain = Progress(False)
        self._leaks: deque[tuple[str, str]] = deque(maxlen=MAX_LEAKS)
        self._begun = self._drawn = self._rated = time.monotonic()
        self._counted = (0, 0)
        self._rates = (0.0, 0.0)

    def start(self) -> None:
        if not self.wanted:
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(markup=False, emoji=False, highlight=False)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def stop(self) -> None:
        """Take the drawing away; `start` brings it back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> LiveView:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def say(self, text: object) -> None:
        """One line on stderr, harmless to a terminal; above the drawing, if there is one."""
        live = self._live is not None
        self.stop()
        self._plain.say(text)
        if live:
            self.start()

    def leak(self, leak: Leak) -> None:
        self._leaks.append((leak_line(leak), leak.severity))

    def refresh(self, summary: Summary, dropped: Dropped) -> None:
        """Draw anew, now and then."""
        now = time.monotonic()
        if self._live is None or now - self._drawn < REFRESH_SECONDS:
            return
        self._drawn = now
        self._live.update(self._drawing(summary, dropped), refresh=True)

    def _drawing(self, summary: Summary, dropped: Dropped) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        now, coverage = time.monotonic(), summary.coverage
        packets, size = self._rate(now, coverage)
        kernel, interface = ("?" if count is None else number(count) for count in dropped)
        hosts, networks = summary.leading(MAX_ROWS)
        leaks = summary.leaks_so_far()
        parts: list[RenderableType] = [
            Text(f"{show(self._what)}, {_elapsed(now - self._begun)}", "bold"),
            Text(f"{packets:,.0f} packets/s, {size:,.0f} bytes/s; dropped: kernel {kernel}, interface {interface}"),
            Text(
                f"{number(coverage.frames)} packets, {number(summary.requests)} readable requests; examined: "
                f"{percent(coverage.examined_bytes, coverage.tcp_payload_bytes)} of the TCP payload"
            ),
            Text(f"{number(leaks)} leaks", "bold red" if leaks else "bold green"),
        ]
        if hosts:
            parts.append(_grid("host", [(row["host"], row) for row in hosts]))
            parts.append(_grid("network", [(_network(row), row) for row in networks]))
            parts += [Text(show(text), STYLES.get(severity, ""), no_wrap=True) for text, severity in self._leaks]
        return Group(*parts)

    def _rate(self, now: float, coverage: Coverage) -> tuple[float, float]:
        """Packets and bytes per second, over the last second or so."""
        passed = now - self._rated
        if passed >= RATE_SECONDS:
            frames, size = self._counted
            self._rates = (coverage.frames - frames) / passed, (coverage.bytes - size) / passed
            self._counted, self._rated = (coverage.frames, coverage.bytes), now
        return self._rates


def is_wanted(format_name: str, progress: str, quiet: bool) -> bool:
    """Whether people watch: the table, on a terminal."""
    return format_name == "table" and progress == "auto" and not quiet and sys.stdout.isatty()


def _grid(title: str, rows: list[tuple[str, Json]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column(Text(title), overflow="ellipsis", no_wrap=True)
    for name in ("leaks", "subscribers"):
        grid.add_column(Text(name), justify="right")
    grid.add_column(Text("last"), no_wrap=True)
    for name, row in rows:
        cells = (name, number(row["leaks"]), people(row), row["last_seen"][11:19])
        grid.add_row(*(Text(show(cell)) for cell in cells), style=STYLES.get(row["severity"], ""))
    return grid


def _network(row: Json) -> str:
    return carrier(row["network"]) if row["network"] else "unattributed"


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{f'{days} d ' if days else ''}{hours:02d}:{minutes:02d}:{rest:02d}"
