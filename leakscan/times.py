"""Times as text: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(time_ns: int, digits: int) -> str:
    """`2012-01-10T09:30:00.123456Z`: nanoseconds since 1970, with `digits` decimals of a second (0 to 9)."""
    seconds, rest = divmod(time_ns, 10**9)
    text = _to_the_second(seconds)
    return f"{text}.{rest:09d}"[: 20 + digits] + "Z" if digits else text + "Z"


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
