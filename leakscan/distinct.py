"""Counting and keeping within bounds, so that any split of the work, merged in any order, gives the same.

Comes in: hashes, keys. Goes out: `Distinct`, how many different hashes there were; `Links`, which of them are one and
the same after all; `Bounded`, a row per key. State and bounds: all keep what has the smallest hashes and let go of the
rest. Which those are depends on the whole set and not on its order, and that makes `merge` commutative and associative.
(Keeping the first or the busiest would not.)
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator
from hashlib import blake2b
from typing import Generic, Protocol, Self, TypeVar


def stable_hash(text: str) -> int:
    """64 bits of `text`: the same in every process, unlike `hash`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


_HASHES = (1 << 64) - 1
_MIX_LOW, _MIX_HIGH = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F  # odd and without pattern


class Distinct:
    """How many different hashes were added: exact up to `limit`, beyond it an estimate from the `limit` smallest.

    The estimate (k minimum values; Bar-Yossef and others, RANDOM 2002) has a relative standard error of 1/sqrt(limit
    - 2).
    """

    __slots__ = ("_least", "_limit", "estimated")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._least = array("Q")  # sorted
        self.estimated = False

    def add(self, item: int) -> None:
        least = self._least
        where = bisect_left(least, item)
        if where < len(least) and least[where] == item:
            return
        if len(least) >= self._limit:
            self.estimated = True
            if where == len(least):
                return
            least.pop()
        least.insert(where, item)

    def merge(self, other: Distinct) -> None:
        if not self._least and other._limit <= self._limit:
            self._least = array("Q", other._least)
        else:
            for item in other._least:
                self.add(item)
        self.estimated |= other.estimated

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._least)

    def __contains__(self, item: int) -> bool:
        """Whether it was added, and is one of those that are kept."""
        where = bisect_left(self._least, item)
        return where < len(self._least) and self._least[where] == item

    def kept(self) -> Iterator[int]:
        """The hashes themselves, as far as they are kept."""
        return iter(self._least)

    def count(self) -> int:
        if not self.estimated:
            return len(self._least)
        return ((self._limit - 1) << 64) // (self._least[-1] + 1)


class Links:
    """Pairs of hashes that are known to mean one thing: exact up to `limit` pairs, beyond it an estimate as above."""

    __slots__ = ("_least", "_limit", "estimated")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._least: list[tuple[int, int, int]] = []  # rank, and the pair, the smaller first; sorted
        self.estimated = False

    def add(self, one: int, other: int) -> None:
        low, high = sorted((one, other))
        if low != high:
            self._add(((low * _MIX_LOW ^ high * _MIX_HIGH) & _HASHES, low, high))

    def merge(self, other: Links) -> None:
        for item in other._least:
            self._add(item)
        self.estimated |= other.estimated

    def _add(self, item: tuple[int, int, int]) -> None:
        least = self._least
        where = bisect_left(least, item)
        if where < len(least) and least[where] == item:
            return
        least.insert(where, item)
        if len(least) > self._limit:
            least.pop()
            self.estimated = True

    def things(self, items: Distinct) -> int:
        """How many things the hashes in `items` stand for."""
        if items.estimated or self.estimated:  # nearly every link joins two things that nothing else joins
            links = ((self._limit - 1) << 64) // (self._least[-1][0] + 1) if self.estimated else len(self._least)
            return max(1, items.count() - links)
        parent: dict[int, int] = {}

        def root(item: int) -> int:
            while (above := parent.get(item, item)) != item:
                parent[item] = item = parent.get(above, above)
            return item

        for _, low, high in self._least:
            parent[root(high)] = root(low)
        return len({root(item) for item in items.kept()})


class Row(Protocol):
    """What `Bounded` keeps under a key."""

    def merge(self, other: Self) -> None: ...


def _rank(key: Hashable) -> int:
    return stable_hash(repr(key))


K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Row)


class Bounded(Generic[K, R]):
    """A row per key for at most `limit` keys, those of the smallest hash; what befell all others is in `rest`.

    A key that was let go never comes back: the largest hash that is kept only falls. So a kept row knows everything
    that was said of its key.
    """

    __slots__ = ("_largest", "_limit", "_make", "_rank", "rest", "rows")

    def __init__(self, limit: int, make: Callable[[], R], rank: Callable[[K], int] | None = None) -> None:
        """`rank` gives a key's hash, different for different keys; by default that of its text."""
        self._limit = limit
        self._make = make
        self._rank = rank or _rank
        self._largest: list[tuple[int, K]] = []  # a heap of (-hash, key), made when the bound is first reached
        self.rows: dict[K, R] = {}
        self.rest = make()

    def at(self, key: K) -> R:
        """The row of `key`, new if need be, or `rest`."""
        row = self.rows.get(key)
        return self._admit(key) if row is None else row

    def _admit(self, key: K) -> R:
        if len(self.rows) >= self._limit:
            if not self._largest:
                self._largest = [(-self._rank(held), held) for held in self.rows]
                heapq.heapify(self._largest)
            rank = -self._rank(key)
            if rank <= self._largest[0][0]:
                return self.rest
            _, evicted = heapq.heapreplace(self._largest, (rank, key))
            self.rest.merge(self.rows.pop(evicted))
        row = self.rows[key] = self._make()
        return row

    def merge(self, other: Bounded[K, R]) -> None:
        for key, row in other.rows.items():
            self.at(key).merge(row)
        self.rest.merge(other.rest)

    def __iter__(self) -> Iterator[tuple[K, R]]:
        return iter(self.rows.items())

    def __len__(self) -> int:
        return len(self.rows)
