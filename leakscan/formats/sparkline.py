"""Leaks over time on one line, so that "since 10 January" is seen.

Comes in: the summary's timeline. Goes out: at most `width` characters, one per hour, day, week ...: a blank where
nothing was captured, a dot where requests had no leak, a bar where they had; and the marks of the first and last
leak. State: none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from leakscan.formats.rows import Json
from leakscan.timeline import ANCHOR_TIME, DAY, HOUR, STEPS, WEEK

BARS = "▁▂▃▄▅▆▇█"
QUIET = "·"
ASCII_BARS = "12345678"
ASCII_QUIET = "."
#: Widths of a cell; the last makes ten cells or fewer of all times that 64 bits can say.
LADDER = (*STEPS, 4 * STEPS[-1], 16 * STEPS[-1], 64 * STEPS[-1])


class Sparkline(NamedTuple):
    line: str
    marks: str  # `^` under the first and the last cell with a leak
    step: str  # "day"
    start: str  # of the first cell
    end: str  # of the last cell
    most: int  # leaks in the highest


def sparkline(timeline: Json, width: int, ascii_only: bool = False) -> Sparkline | None:
    """The line, or None when all of it would be one cell."""
    step, first, cells = fitted(timeline, width)
    if len(cells) < 2 or not any(cell.leaks for cell in cells):
        return None
    bars, quiet = (ASCII_BARS, ASCII_QUIET) if ascii_only else (BARS, QUIET)
    most = max(cell.leaks for cell in cells)
    line = "".join(
        bars[(leaks * len(bars) - 1) // most] if leaks else quiet if requests else " " for requests, leaks, _ in cells
    )
    leaky = [index for index, cell in enumerate(cells) if cell.leaks]
    marks = "".join("^" if index in (leaky[0], leaky[-1]) else " " for index in range(leaky[-1] + 1))
    form = "%Y-%m-%d %H:%M" if step == HOUR else "%Y-%m-%d"
    start, end = (
        (ANCHOR_TIME + timedelta(seconds=index * step)).strftime(form) for index in (first, first + len(cells) - 1)
    )
    return Sparkline(line, marks, step_name(step), start, end, most)


class Cell(NamedTuple):
    requests: int = 0
    leaks: int = 0
    outside: int = 0  # of the leaks, those to whoever is no partner of the policy


def fitted(timeline: Json, width: int) -> tuple[int, int, list[Cell]]:
    """Width of a cell in seconds, number of the first cell from ANCHOR_TIME on, and every cell up to the last, at most
    `width` of them (but 9 are always allowed).
    """
    starts = [
        (int((datetime.fromisoformat(cell["time"]).astimezone(UTC) - ANCHOR_TIME).total_seconds()), cell)
        for cell in timeline["cells"]
    ]
    if not starts:
        return HOUR, 0, []
    step = next(
        step
        for step in LADDER
        if step >= timeline["step_seconds"] and starts[-1][0] // step - starts[0][0] // step < max(width, 10)
    )
    first, last = starts[0][0] // step, starts[-1][0] // step
    cells = [Cell()] * (last - first + 1)
    for start, cell in starts:
        before = cells[start // step - first]
        cells[start // step - first] = Cell(*(old + cell[key] for old, key in zip(before, Cell._fields, strict=True)))
    return step, first, cells


def step_name(step: int) -> str:
    names = {HOUR: "hour", DAY: "day", WEEK: "week"}
    return names.get(step) or f"{step // WEEK} weeks"
