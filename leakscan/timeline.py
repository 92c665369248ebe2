"""Requests and leaks over time, so that "since 10 January" is seen.

Comes in: the time of each request and leak, in nanoseconds since 1970 UTC. Goes out: cells of one width. State: at most
`MAX_CELLS` cells that hold something; more than that and hours become days, days weeks, and so on. The width is the
smallest of `STEPS` that fits the whole set, whatever its order, so `merge` is commutative and associative.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

MAX_CELLS = 1000
HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY
#: Widths in seconds, each a multiple of the one before; the last holds every time of 64 bits in fewer than MAX_CELLS.
STEPS = (HOUR, DAY, WEEK, 4 * WEEK, 16 * WEEK, 64 * WEEK)
#: 1970-01-01 was a Thursday: cells are counted from the Monday before, so that weeks begin on Mondays.
_ANCHOR = -3 * DAY
ANCHOR_TIME = datetime(1969, 12, 29, tzinfo=UTC)
_NS = 1_000_000_000


class Timeline:
    """Cells of requests and leaks, `STEPS[level]` seconds wide."""

    __slots__ = ("_leaks", "_level", "_outside", "_requests", "_width")

    def __init__(self) -> None:
        self._requests: dict[int, int] = {}
        self._leaks: dict[int, int] = {}
        self._outside: dict[int, int] = {}  # of the leaks, those to whoever is no partner of the policy
        self._level = 0
        self._width = STEPS[0] * _NS

    def add_request(self, time_ns: int) -> None:
        cell = (time_ns - _ANCHOR * _NS) // self._width
        if cell in self._requests:
            self._requests[cell] += 1
        else:
            self._requests[cell] = 1
            self._fit()

    def add_leak(self, time_ns: int, outside: bool = True, count: int = 1) -> None:
        """`count` leaks within the same `hour_of`."""
        cell = (time_ns - _ANCHOR * _NS) // self._width
        self._leaks[cell] = self._leaks.get(cell, 0) + count
        if outside:
            self._outside[cell] = self._outside.get(cell, 0) + count
        self._fit()

    @classmethod
    def of_requests(cls, step: int, cells: Mapping[int, int]) -> Timeline:
        """Requests counted elsewhere: by the second (since 1970) at which each cell of `step` seconds, one of STEPS,
        begins.
        """
        made = cls()
        made._widen(STEPS.index(step))
        for second, count in cells.items():
            cell = (second - _ANCHOR) // step
            made._requests[cell] = made._requests.get(cell, 0) + count
        made._fit()
        return made

    def merge(self, other: Timeline) -> None:
        self._widen(other._level)
        factor = self._width // (STEPS[other._level] * _NS)
        for mine, others in (
            (self._requests, other._requests),
            (self._leaks, other._leaks),
            (self._outside, other._outside),
        ):
            for cell, count in others.items():
                mine[cell // factor] = mine.get(cell // factor, 0) + count
        self._fit()

    def to_dict(self) -> dict[str, object]:
        """`step_seconds` and `cells`, in order of time: those without a request and a leak are left out."""
        step = STEPS[self._level]
        return {
            "step_seconds": step,
            "cells": [
                {
                    "time": (ANCHOR_TIME + timedelta(seconds=cell * step)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "requests": self._requests.get(cell, 0),
                    "leaks": self._leaks.get(cell, 0),
                    "outside": self._outside.get(cell, 0),
                }
                for cell in sorted(self._requests.keys() | self._leaks.keys())
            ],
        }

    def _fit(self) -> None:
        while len(self._requests) > MAX_CELLS or len(self._leaks) > MAX_CELLS:
            self._widen(self._level + 1)

    def _widen(self, level: int) -> None:
        if level <= self._level:
            return
        factor = STEPS[level] // STEPS[self._level]
        self._requests = _joined(self._requests, factor)
        self._leaks = _joined(self._leaks, factor)
        self._outside = _joined(self._outside, factor)
        self._level = level
        self._width = STEPS[level] * _NS


def hour_of(time_ns: int) -> int:
    """The cell of the narrowest width."""
    return (time_ns - _ANCHOR * _NS) // (HOUR * _NS)


def _joined(cells: dict[int, int], factor: int) -> dict[int, int]:
    out: dict[int, int] = {}
    for cell, count in cells.items():
        out[cell // factor] = out.get(cell // factor, 0) + count
    return out
