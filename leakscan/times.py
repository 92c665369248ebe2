"""Times as text, RFC 3339 in UTC; days and moments that the operator names, as nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from leakscan.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
#: Before and after every packet time.
ALWAYS, NEVER = -(1 << 63), 1 << 63
_DATE_ONLY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RFC3339 = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")


def rfc3339(time_ns: int, digits: int) -> str:
    """`2012-01-10T09:30:00.123456Z`: nanoseconds since 1970, with `digits` decimals of a second (0 to 9)."""
    seconds, rest = divmod(time_ns, 10**9)
    text = _to_the_second(seconds)
    return f"{text}.{rest:09d}"[: 20 + digits] + "Z" if digits else text + "Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def days_ns(first: date | None, last: date | None) -> tuple[int, int]:
    """From the beginning of the first day (UTC) to the end of the last, exclusive; None: without end."""
    return ALWAYS if first is None else _day_ns(first), NEVER if last is None else _day_ns(last) + _nanoseconds(_DAY)


def moment_ns(text: str, end: bool = False) -> int:
    """`2012-01-10`, `2012-01-10T03:00Z`, `2012-01-10T04:00:30.5+01:00`; without a zone it is UTC.

    `end`: of a date alone the end of that day is meant. Anything else raises ValueError.
    """
    if _DATE_ONLY.fullmatch(text):
        return _day_ns(date.fromisoformat(text)) + (_nanoseconds(_DAY) if end else 0)
    moment = datetime.fromisoformat(text)
    return _nanoseconds((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH)


def between(since: str | None, until: str | None) -> tuple[int, int]:
    """From `since` on and before `until`, both as the operator wrote them. Raises UsageError."""
    span = [ALWAYS, NEVER]
    for index, (flag, text) in enumerate((("since", since), ("until", until))):
        if text is not None:
            try:
                span[index] = moment_ns(text, end=flag == "until")
            except ValueError:
                raise UsageError(f"--{flag}: {text!r} is no time such as 2012-01-25T14:00Z or 2012-01-25") from None
    if span[1] <= span[0]:
        raise UsageError("--until: lies before --since")
    return span[0], span[1]


def rfc3339_ns(text: str) -> tuple[int, int]:
    """What `rfc3339` made `text` of: nanoseconds and digits. Anything else raises ValueError."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError("no RFC 3339 time in UTC")
    seconds = datetime.fromisoformat(f"{found[1]}+00:00") - _EPOCH
    return _nanoseconds(seconds) + int((found[2] or "").ljust(9, "0")), len(found[2] or "")


def _day_ns(day: date) -> int:
    return _nanoseconds(datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH)


def _nanoseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
