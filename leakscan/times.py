"""Times as text: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(time_ns: int, digits: int) -> str:
    """`2012-01-10T09:30:00.123456Z`: nanoseconds since 1970, with `digits` decimals of a second (0 to 9)."""
    seconds, rest = divmod(time_ns, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}"[: 20 + digits] + "Z" if digits else text + "Z"
