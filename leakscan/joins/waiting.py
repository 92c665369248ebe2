"""Leaks that wait for the whole: what the rest of the captures says of them is known only at the end.

A hint is worth more when its value is confirmed elsewhere (a website passed the number on). So leaks of which that may
be said are not counted at once: they wait here, folded where they differ in nothing that is counted, and are
settled whenever the summary is read. Captures may come in any order and any split, so nothing is settled before.

Comes in: sightings. Goes out: rows of them; and those that found no place, which the caller settles with what a part
can know. State: at most `limit` rows, those of the smallest hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from leakscan.distinct import Bounded
from leakscan.model import Carrier, Recipient
from leakscan.tally import Around, Sighting, clip
from leakscan.timeline import hour_of


class Key(NamedTuple):
    """All of a sighting that is counted, but for its time within the hour."""

    fingerprint: str
    rule: str
    place: str
    name: str
    host: str
    identifier: str
    pseudonym: str
    value: str
    encoding: tuple[str, ...]
    confidence: str
    severity: str
    origin: str
    bearer: str
    network: Carrier | None
    home_operator: Carrier | None
    recipient: Recipient
    rotating: bool
    around: Around
    hour: int


class Row:
    """Sightings with the same key."""

    __slots__ = ("_first", "_last", "_order", "count")

    def __init__(self) -> None:
        self.count = 0
        self._first: Sighting | None = None
        self._order: tuple[int, str, int, int, int] | None = None  # which of them is the first
        self._last: tuple[int, str] | None = None

    def add(self, seen: Sighting) -> None:
        leak = seen.leak
        order = (seen.time_ns, leak.capture, leak.frame_end, leak.frame, leak.client_port)
        self._know(seen, order, seen.last or (seen.time_ns, leak.time), seen.leaks)

    def merge(self, other: Row) -> None:
        if other._first is not None and other._order is not None and other._last is not None:
            self._know(other._first, other._order, other._last, other.count)

    def sighting(self) -> Sighting:
        """All of them as one."""
        if self._first is None:
            raise ValueError("nothing was seen")
        return self._first._replace(leaks=self.count, last=self._last)

    def _know(self, first: Sighting, order: tuple[int, str, int, int, int], last: tuple[int, str], count: int) -> None:
        if self._order is None or order < self._order:
            self._first, self._order = first, order
        self._last = last if self._last is None else max(self._last, last)
        self.count += count


class _Spill(Row):
    """Takes the place of a table's rest, and gives away what falls into it."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def merge(self, other: Row) -> None:
        if isinstance(other, _Spill):  # never holds anything between two calls
            return
        self.rows.append(other)

    def drained(self) -> list[Row]:
        rows, self.rows = self.rows, []
        return rows


class Waiting:
    """The table."""

    def __init__(self, limit: int) -> None:
        self._table: Bounded[Key, Row] = Bounded(limit, Row)
        self._spill = self._table.rest = _Spill()

    def add(self, seen: Sighting) -> list[Row]:
        """Let it wait; gives the rows that may wait no longer."""
        row = self._table.at(_key(seen))
        if row is self._spill:
            row = Row()
            row.add(seen)
            return [row]
        row.add(seen)
        return self._spill.drained()

    def merge(self, other: Waiting) -> list[Row]:
        """Take over what waits there; gives the rows that may wait no longer."""
        self._table.merge(other._table)
        return self._spill.drained()

    def __iter__(self) -> Iterator[Row]:
        return iter(self._table.rows.values())

    def __len__(self) -> int:
        return len(self._table)


def _key(seen: Sighting) -> Key:
    leak = seen.leak
    return Key(
        fingerprint=leak.fingerprint,
        rule=leak.rule,
        place=leak.place,
        name=clip(leak.name),
        host=seen.host,
        identifier=leak.identifier,
        pseudonym=leak.pseudonym,
        value=clip(leak.value),
        encoding=leak.encoding,
        confidence=leak.confidence,
        severity=leak.severity,
        origin=leak.origin,
        bearer=leak.bearer,
        network=leak.network,
        home_operator=leak.home_operator,
        recipient=leak.recipient,
        rotating=seen.rotating,
        around=seen.around,
        hour=hour_of(seen.time_ns),
    )
