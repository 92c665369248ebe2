"""Heads on their way from one process to another: together, as bytes, and again as they were.

Those that somebody glanced at go as what is left to count. State: a group, of as many heads as whoever sends it wants
and at most GROUP_BYTES, and their origins. Records go as plain tuples, which is three times as fast as records.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator

from leakscan.model import Head, Origin, Seen

GROUP_BYTES = 256 << 10


class Group:
    """Heads that wait to be sent together."""

    def __init__(self, most: int) -> None:
        """`most`: heads of a group."""
        self._most = most
        self._heads: list[tuple[object, ...]] = []
        self._origins: dict[Origin, int] = {}
        self._bytes = 0

    def add(self, head: Head | Seen) -> bytes | None:
        """Gives the group when it is full."""
        number = self._origins.setdefault(head.origin, len(self._origins))
        if isinstance(head, Seen):
            self._heads.append((head.key, head.host, number, head.time_ns, head.teid))
        else:
            key, raw, _, _, *rest = head
            self._heads.append((key, raw, number, *rest))
            self._bytes += len(raw) + len(head.body)
        full = len(self._heads) >= self._most or self._bytes >= GROUP_BYTES
        return self.taken() if full else None

    def taken(self) -> bytes | None:
        """The group as it is, and a new one; None of an empty one."""
        if not self._heads:
            return None
        packed = marshal.dumps((list(map(tuple, self._origins)), self._heads))
        self._heads, self._origins, self._bytes = [], {}, 0
        return packed


def heads(packed: bytes) -> Iterator[Head | Seen]:
    """The heads of a group."""
    origins, rows = marshal.loads(packed)
    known = [Origin._make(origin) for origin in origins]
    for key, what, origin, *rest in rows:
        if isinstance(what, str):
            yield Seen(key, what, known[origin], *rest)
        else:
            yield Head(key, what, what.split(b"\n"), known[origin], *rest)
