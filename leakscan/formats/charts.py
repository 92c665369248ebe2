"""Charts as numbers: where the bars of the HTML report stand. The template draws them as inline SVG.

Comes in: the summary object. Goes out: positions across in per cent, down in pixels (text keeps its size whatever the
width), and the same in words and as a table, for whoever does not see the drawing. State: none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from leakscan.formats.rows import Json
from leakscan.formats.sparkline import Cell, fitted, step_name
from leakscan.formats.words import counted, judged, label, minute, number, percent, plural
from leakscan.timeline import ANCHOR_TIME, HOUR

MAX_BARS = 96
GAP_SHARE = 0.16  # of a bar's place, left empty
LEAKS_TOP, LEAKS_BASE = 34, 154  # pixels down: the panel of leaks ...
REQUESTS_TOP, REQUESTS_BASE = 182, 222  # ... and below it that of requests
HEIGHT = 244
MIN_PIXELS = 2  # what there is one of is seen
BEARERS = ("cellular", "wifi", "unknown")


class Rect(NamedTuple):
    kind: str  # class of the template's style
    x: str  # per cent
    width: str
    y: float
    height: float


class Bar(NamedTuple):
    says: str
    parts: Sequence[Rect]


class Mark(NamedTuple):
    x: str
    anchor: str  # start or end: to which side of the line the text goes
    y: int
    text: str


class Timeline(NamedTuple):
    step: str  # "day"
    bars: Sequence[Bar]
    marks: Sequence[Mark]
    ticks: Sequence[Mark]
    most_leaks: str
    most_requests: str
    split: bool  # partners of a policy are drawn apart
    desc: str
    rows: Sequence[tuple[str, ...]]  # time, requests, leaks, and when split of them outside the policy


class Share(NamedTuple):
    """One bar of parts that are a whole."""

    title: str
    parts: Sequence[Rect]
    desc: str


def timeline(summary: Json) -> Timeline | None:
    """Leaks and requests over time with the first and last leak marked; None when there is nothing to draw."""
    step, first, cells = fitted(summary["timeline"], MAX_BARS)
    if len(cells) < 2 or not summary["total"]["leaks"]:
        return None
    split = judged(summary)
    names = [_time(first + index, step) for index in range(len(cells))]
    most_leaks, most_requests = max(cell.leaks for cell in cells), max(cell.requests for cell in cells)
    row = counted(summary)
    outside = row is not summary["total"]
    marked = [index for index, cell in enumerate(cells) if (cell.outside if outside else cell.leaks)]
    where = [(index + 0.5) / len(cells) for index in (marked[0], marked[-1])]
    apart = " outside the policy" if outside else ""
    marks = (
        _mark(where[0], 12, f"first {minute(row['first_seen'])}"),
        _mark(where[1], 26, f"last {minute(row['last_seen'])}"),
    )
    leaky = sum(1 for cell in cells if cell.leaks)
    unit = step_name(step)
    return Timeline(
        unit,
        [
            _bar(name, cell, index / len(cells), 1 / len(cells), most_leaks, most_requests, split)
            for index, (name, cell) in enumerate(zip(names, cells, strict=True))
            if cell.requests or cell.leaks
        ],
        marks,
        (
            Mark("0%", "start", HEIGHT - 6, names[0]),
            Mark("50%", "middle", HEIGHT - 6, names[len(names) // 2]),
            Mark("100%", "end", HEIGHT - 6, names[-1]),
        ),
        f"at most {number(most_leaks)} in a bar",
        f"at most {number(most_requests)} in a bar",
        split,
        f"{names[0]} to {names[-1]}, one bar per {unit}. First leak{apart} {minute(row['first_seen'])}, last "
        f"{minute(row['last_seen'])} UTC. There were leaks in {number(leaky)} of {number(len(cells))} bars, at most "
        f"{number(most_leaks)} in one. All figures stand in the table below.",
        [
            (name, number(cell.requests), number(cell.leaks), *([number(cell.outside)] if split else []))
            for name, cell in zip(names, cells, strict=True)
            if cell.requests or cell.leaks
        ],
    )


def _bar(name: str, cell: Cell, at: float, share: float, most_leaks: int, most_requests: int, split: bool) -> Bar:
    x, width = _percent(at + share * GAP_SHARE / 2), _percent(share * (1 - GAP_SHARE))
    parts = []
    base: float = LEAKS_BASE
    outside = cell.outside if split else cell.leaks
    for kind, count in (("outside", outside), ("partner", cell.leaks - outside)):
        if count:
            high = _pixels(count, most_leaks, LEAKS_BASE - LEAKS_TOP)
            base -= high
            parts.append(Rect(kind, x, width, round(base, 1), high))
    if cell.requests:
        high = _pixels(cell.requests, most_requests, REQUESTS_BASE - REQUESTS_TOP)
        parts.append(Rect("requests", x, width, round(REQUESTS_BASE - high, 1), high))
    apart = f", {number(cell.outside)} of them outside the policy" if split and cell.leaks else ""
    return Bar(f"{name}: {plural(cell.leaks, 'leak')}{apart}, {plural(cell.requests, 'request')}", parts)


def _mark(x: float, y: int, text: str) -> Mark:
    return Mark(_percent(x), "start" if x < 0.5 else "end", y, text)


def _time(index: int, step: int) -> str:
    return (ANCHOR_TIME + timedelta(seconds=index * step)).strftime("%Y-%m-%d %H:%M" if step == HOUR else "%Y-%m-%d")


def _pixels(count: int, most: int, height: int) -> float:
    return round(max(count / most * height, MIN_PIXELS), 1)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def bearers(summary: Json) -> tuple[list[Share], list[tuple[str, str, str, str, str]]]:
    """Requests and leaks by bearer: a bar of each, and rows (class, bearer, requests, leaks, leaks per request)."""
    requests: dict[str, int] = {}
    for row in summary["carriers"]:
        for bearer, count in row["bearer_requests"].items():
            requests[bearer] = requests.get(bearer, 0) + count
    leaks: Mapping[str, int] = summary["total"]["bearers"]
    names = [*BEARERS, *sorted((requests.keys() | leaks.keys()) - set(BEARERS))]
    names = [name for name in names if requests.get(name) or leaks.get(name)]
    bars = [_share("Requests", requests, names), _share("Leaks", leaks, names)]
    rows = [
        (
            kind(name),
            label(name) if name != "unknown" else "unknown",
            number(requests.get(name, 0)),
            number(leaks.get(name, 0)),
            f"{leaks.get(name, 0) / requests[name]:.2f}" if requests.get(name) else "?",
        )
        for name in names
    ]
    return [bar for bar in bars if bar.parts], rows


def kind(bearer: str) -> str:
    """The class that a bearer is drawn in."""
    return bearer if bearer in BEARERS else "unknown"


def _share(title: str, counts: Mapping[str, int], names: Sequence[str]) -> Share:
    whole = sum(counts.values())
    parts, at = [], 0.0
    for name in names:
        if share := counts.get(name, 0) / whole if whole else 0:
            parts.append(Rect(kind(name), _percent(at), _percent(share), 0, 0))
            at += share
    words = [f"{label(name)} {percent(counts.get(name, 0), whole)}" for name in names if whole]
    return Share(title, parts, f"{title}: {', '.join(words)}")


def widths(counts: Sequence[int]) -> list[str]:
    """Bars beside numbers: each number as a share of the greatest, in per cent."""
    most = max(counts, default=0)
    return [_percent(count / most) if most else "0%" for count in counts]
