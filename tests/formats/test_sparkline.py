"""Leaks over time on one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.formats.sparkline import Sparkline, sparkline
from leakscan.timeline import Timeline

HOUR_NS = 3600 * 10**9
MONDAY_NS = 1_326_067_200 * 10**9  # 2012-01-09


def line(requests: list[int], leaks: list[int], width: int = 60, ascii_only: bool = False) -> Sparkline | None:
    """Of hours since a Monday."""
    made = Timeline()
    for hour in requests:
        made.add_request(MONDAY_NS + hour * HOUR_NS)
    for hour in leaks:
        made.add_leak(MONDAY_NS + hour * HOUR_NS)
    return sparkline(made.to_dict(), width, ascii_only)


def test_bars_dots_and_blanks() -> None:
    made = line([0, 1, 2, 4, 5], [1] * 8 + [2] + [4] * 4)
    assert made == Sparkline("·█▁ ▄·", " ^  ^", "hour", "2012-01-09 00:00", "2012-01-09 05:00", 8)


def test_ascii() -> None:
    made = line([0, 1, 2, 4, 5], [1] * 8 + [2] + [4] * 4, ascii_only=True)
    assert made is not None
    assert made.line == ".81 4."


@pytest.mark.parametrize(
    ("hours", "width", "step", "cells"),
    [
        (60, 60, "hour", 60),
        (61, 60, "day", 3),
        (24 * 60, 60, "day", 60),
        (24 * 61, 60, "week", 9),
        (24 * 700, 60, "4 weeks", 26),
    ],
)
def test_it_fits(hours: int, width: int, step: str, cells: int) -> None:
    made = line(list(range(hours)), [0], width)
    assert made is not None
    assert (made.step, len(made.line)) == (step, cells)


@pytest.mark.parametrize(("requests", "leaks"), [([], []), ([1], [1]), ([1, 2], [])])
def test_nothing_to_see(requests: list[int], leaks: list[int]) -> None:
    assert line(requests, leaks) is None


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20), st.integers(0, 200))
def test_all_of_time_fits(times: list[int], width: int) -> None:
    made = Timeline()
    for time in times:
        made.add_leak(time)
    drawn = sparkline(made.to_dict(), width)
    assert drawn is None or len(drawn.line) <= max(width, 10)
