"""Times: as text and back, and what an operator may write."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.times import ALWAYS, NEVER, days_ns, moment_ns, rfc3339, rfc3339_ns

DAY = 86_400 * 10**9
START = int(datetime(2012, 1, 10, tzinfo=UTC).timestamp()) * 10**9

#: text, nanoseconds after 10 January 2012, the same as an end
MOMENTS = [
    ("2012-01-10", 0, DAY),
    ("2012-01-10T00:00Z", 0, 0),
    ("2012-01-10T00:00", 0, 0),
    ("2012-01-10 00:00", 0, 0),
    ("2012-01-10T01:00+01:00", 0, 0),
    ("2012-01-10T00:00:00.5Z", 5 * 10**8, 5 * 10**8),
    ("2012-01-09T23:59:59Z", -(10**9), -(10**9)),
]


@pytest.mark.parametrize(("text", "begin", "end"), MOMENTS)
def test_moments(text: str, begin: int, end: int) -> None:
    assert moment_ns(text) == START + begin
    assert moment_ns(text, end=True) == START + end


@pytest.mark.parametrize(
    "text", ["", "now", "2012", "2012-13-01", "2012-01-32", "10.1.2012", "2012-01-10T25:00Z", "1e9"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):
        moment_ns(text)


def test_days() -> None:
    assert days_ns(date(2012, 1, 10), date(2012, 1, 10)) == (START, START + DAY)
    assert days_ns(None, None) == (ALWAYS, NEVER)


@given(st.integers(0, 2**63 - 1), st.integers(0, 9))
def test_there_and_back(time_ns: int, digits: int) -> None:
    unit = 10 ** (9 - digits)
    assert rfc3339_ns(rfc3339(time_ns, digits)) == (time_ns // unit * unit, digits)


@pytest.mark.parametrize(
    "text", ["2012-01-10", "2012-01-10T00:00:00", "2012-01-10T00:00:00+00:00", "2012-02-30T00:00:00Z"]
)
def test_what_no_result_has(text: str) -> None:
    with pytest.raises(ValueError):
        rfc3339_ns(text)
