"""Unknown trackers: what the whole says of a header that no catalogue knows.

A value that is the same for one client at unrelated hosts and with several programs, and another for every client,
names the client to everybody: somebody on the way adds it, or something on the phone that all programs pass through.
One request shows nothing of this. So every name is watched with where and with what its values were seen, and leaks are
kept as far as MAX_ROWS goes; whether it is one is asked when the summary is read.

Comes in: sightings of a name. Goes out: their rows, and the confidence. State: at most MAX_ROWS rows, those of the
smallest hash; more are counted. It merges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from leakscan.distinct import Bounded
from leakscan.origin import Manner, Spread
from leakscan.tally import Sighting

MAX_ROWS = 256
RULE = "unknown-token"
MEANING = "A token that nobody knows, the same for one client at unrelated hosts and with several programs."

Order = tuple[int, str, int, int, int]  # time, capture, frames, port: which of several is the first


class Row:
    """Sightings that differ in nothing that is counted."""

    __slots__ = ("_first", "_last", "_order", "alone", "count")

    def __init__(self) -> None:
        self.count = 0
        self.alone = 0  # in requests without another leak
        self._first: Sighting | None = None
        self._order: Order | None = None
        self._last: tuple[int, str] | None = None

    def add(self, order: Order, time: str, alone: bool, make: Callable[[], Sighting]) -> None:
        self.count += 1
        self.alone += alone
        if self._order is None or order < self._order:
            self._first, self._order = make(), order
        self._last = max(self._last or (order[0], time), (order[0], time))

    def merge(self, other: Row) -> None:
        self.count += other.count
        self.alone += other.alone
        if other._order is not None and (self._order is None or other._order < self._order):
            self._first, self._order = other._first, other._order
        if other._last is not None:
            self._last = max(self._last or other._last, other._last)

    def sighting(self) -> Sighting:
        """All of them as one."""
        if self._first is None:
            raise ValueError("nothing was seen")
        return self._first._replace(leaks=self.count, last=self._last)


class Tracker:
    """One name."""

    __slots__ = ("rows", "spread")

    def __init__(self) -> None:
        self.spread = Spread()
        self.rows: Bounded[tuple[object, ...], Row] = Bounded(MAX_ROWS, Row)

    def add(
        self, value: int, manner: Manner, key: tuple[object, ...], order: Order, time: str, alone: bool,
        make: Callable[[], Sighting],
    ) -> None:  # fmt: skip
        """One sighting. `key`: all of it that is counted; `make` is called only when there is room for it."""
        self.spread.add(value, manner)
        row = self.rows.at((value, *key))
        if row is self.rows.rest:
            row.count += 1
        else:
            row.add(order, time, alone, make)

    def merge(self, other: Tracker) -> None:
        self.spread.merge(other.spread)
        self.rows.merge(other.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.rows.values())
