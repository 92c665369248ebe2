"""Parts of needles at the edges of what was captured: the rest was snapped off, lost, or never came.

In: bytes that end, or begin, where the capture knows no more. Out: `Part`s. A part is replaced with the same part of
the needle's fake; of several needles that begin, or end, so the first in order is taken. State: the needles, twice
sorted, once there is an edge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from leakscan.fields import MAX_VALUE_CHARS
from leakscan.redaction.needles import Needles

MIN_PART = 5  # letters and digits: fewer tell nobody, and stand anywhere by chance
MAX_REACH = MAX_VALUE_CHARS + 256  # bytes from an edge


class Part(NamedTuple):
    start: int  # in the bytes that were given
    old: bytes
    new: bytes | None


class Parts:
    """The beginnings and the ends of needles. `torn`: values of which the capture holds only the beginning, with what
    stands before them; they are sought at ends alone."""

    def __init__(self, needles: Needles, torn: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._needles = needles
        self._torn = tuple(torn)
        self._made = False
        self._rows: dict[bool, list[tuple[bytes, bytes | None]]] = {}
        self._keys: dict[bool, set[bytes]] = {}
        self.reach = min(MAX_REACH, max([needles.longest, *(len(old) for old, _ in self._torn)]))

    def at_end(self, data: bytes) -> Part | None:
        """The longest beginning of a needle that ends where the bytes do."""
        return self._longest(data, False)

    def at_start(self, data: bytes) -> Part | None:
        """The longest end of a needle that begins where the bytes do."""
        part = self._longest(data[: self.reach][::-1], True)
        return part and Part(0, part.old[::-1], None if part.new is None else part.new[::-1])

    def _longest(self, data: bytes, turned: bool) -> Part | None:
        if not self._made:
            self._make()
        keys = self._keys[turned]
        for at in range(max(0, len(data) - self.reach), len(data) - MIN_PART + 1):
            if data[at : at + MIN_PART] in keys and (part := self._part(at, data[at:], turned)):
                return part
        return None

    def _part(self, at: int, old: bytes, turned: bool) -> Part | None:
        rows = self._rows[turned]
        place = bisect_left(rows, old, key=_old)
        if place == len(rows) or not rows[place][0].startswith(old) or sum(map(_telling, old)) < MIN_PART:
            return None
        new = rows[place][1]
        return Part(at, old, None if new is None else new[: len(old)])

    def _make(self) -> None:
        pairs = [(needle.old, needle.new) for needle in self._needles if not needle.whole]
        turned = [(old[::-1], None if new is None else new[::-1]) for old, new in pairs]
        for way, rows in ((False, [*pairs, *self._torn]), (True, turned)):
            self._rows[way] = sorted(rows, key=_old)
            self._keys[way] = {old[:MIN_PART] for old, _ in rows}
        self._made = True


def _old(row: tuple[bytes, bytes | None]) -> bytes:
    return row[0]


def _telling(byte: int) -> bool:
    return byte > 127 or chr(byte).isalnum()
