"""What the first process and its workers send each other: heads there, leaks back.

In: heads, one by one, and the leaks of a group. Out: both as bytes, and again as they were. State: a group of at most
GROUP_HEADS heads and GROUP_BYTES. Records go as plain tuples, which is three times as fast as records.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from functools import lru_cache
from operator import attrgetter

from leakscan.model import Carrier, Head, Leak, Origin, Recipient

#: Small, so that a worker is soon free to read again: some milliseconds, if all of them leak.
GROUP_HEADS = 64
GROUP_BYTES = 256 << 10


class Group:
    """Heads that wait to be sent together."""

    def __init__(self) -> None:
        self._heads: list[tuple[object, ...]] = []
        self._origins: dict[Origin, int] = {}
        self._bytes = 0

    def add(self, head: Head) -> bytes | None:
        """Gives the group when it is full."""
        key, raw, _, origin, *rest, body = head
        number = self._origins.setdefault(origin, len(self._origins))
        self._heads.append((key, raw, number, *rest, body))
        self._bytes += len(raw) + len(body)
        full = len(self._heads) >= GROUP_HEADS or self._bytes >= GROUP_BYTES
        return self.taken() if full else None

    def taken(self) -> bytes | None:
        """The group as it is, and a new one; None of an empty one."""
        if not self._heads:
            return None
        packed = marshal.dumps((list(map(tuple, self._origins)), self._heads))
        self._heads, self._origins, self._bytes = [], {}, 0
        return packed


def packed_leaks(found: Iterable[tuple[str, Leak]]) -> bytes:
    """Leaks with the captures that they are in."""
    return marshal.dumps([(capture, *map(_flat, _parts(leak))) for capture, leak in found])


def leaks(packed: bytes) -> Iterator[tuple[str, Leak]]:
    """The same again."""
    for capture, *parts in marshal.loads(packed):
        values = dict(zip(_NAMES, parts, strict=True))
        for name in ("network", "home_operator"):
            values[name] = None if values[name] is None else _carrier(*values[name])
        values["recipient"] = _recipient(*values["recipient"])
        yield capture, Leak(**values)


def _flat(part: object) -> object:
    return astuple(part) if isinstance(part, Carrier | Recipient) else part


_NAMES = tuple(field.name for field in fields(Leak))
_parts = attrgetter(*_NAMES)
_carrier = lru_cache(maxsize=1024)(Carrier)
_recipient = lru_cache(maxsize=1024)(Recipient)


def heads(packed: bytes) -> Iterator[Head]:
    """The heads of a group."""
    origins, rows = marshal.loads(packed)
    known = [Origin._make(origin) for origin in origins]
    for key, raw, origin, *rest in rows:
        yield Head(key, raw, raw.split(b"\n"), known[origin], *rest)
