"""Requests and leaks over time: cells that widen rather than multiply."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan import timeline as module
from leakscan.timeline import HOUR, MAX_CELLS, STEPS, Timeline

NS = 10**9
times = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**17), max_size=20)


def timeline(requests: list[int], leaks: list[int], inside: list[int] | None = None) -> Timeline:
    made = Timeline()
    for time in requests:
        made.add_request(time)
    for time in leaks:
        made.add_leak(time)
    for time in inside or []:
        made.add_leak(time, outside=False)
    return made


def test_hours() -> None:
    made = timeline([0, 1, 3600 * NS, 3 * 3600 * NS], [3600 * NS + 5], [3600 * NS + 6])
    assert made.to_dict() == {
        "step_seconds": HOUR,
        "cells": [
            {"time": "1970-01-01T00:00:00Z", "requests": 2, "leaks": 0, "outside": 0},
            {"time": "1970-01-01T01:00:00Z", "requests": 1, "leaks": 2, "outside": 1},
            {"time": "1970-01-01T03:00:00Z", "requests": 1, "leaks": 0, "outside": 0},
        ],
    }


@pytest.mark.parametrize(("hours", "step"), [(MAX_CELLS, 0), (MAX_CELLS + 1, 1), (24 * MAX_CELLS + 24, 2)])
def test_hours_become_days_and_days_become_weeks(hours: int, step: int) -> None:
    made = timeline([hour * 3600 * NS for hour in range(hours)], [0]).to_dict()
    assert made["step_seconds"] == STEPS[step]
    assert sum(cell["requests"] for cell in made["cells"]) == hours


def test_weeks_begin_on_monday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CELLS", 1)
    monday = 1_326_067_200  # 2012-01-09
    made = timeline([monday * NS, (monday + 6 * 86400) * NS], []).to_dict()
    assert [cell["time"] for cell in made["cells"]] == ["2012-01-09T00:00:00Z"]


def test_steps_nest_and_hold_all_of_time() -> None:
    assert all(wide % narrow == 0 for narrow, wide in pairwise(STEPS))
    assert 2**64 // NS // STEPS[-1] + 2 <= MAX_CELLS


@given(times, times, times, times)
def test_merges_in_any_order(a: list[int], b: list[int], c: list[int], d: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_CELLS", 5)
        patch.setattr(module, "STEPS", (*STEPS, *(STEPS[-1] * 4**power for power in range(1, 8))))
        whole, forth, back = timeline(a + c, b + d, a + d), timeline(a, b, a), timeline(c, d, d)
        forth.merge(timeline(c, d, d))
        back.merge(timeline(a, b, a))
        assert forth.to_dict() == back.to_dict() == whole.to_dict()
