"""What befell the requests between two capture points, added up.

In: pairs with their changes and injected identifiers. Out: the `comparison` object of the summary (docs/compare.md).
State: a row per change and header, at most MAX_ROWS; what is beyond is one row. Values other than masked identifiers
are not kept, only how long they are, unless values are shown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from leakscan.compare.clock import Clock
from leakscan.compare.headers import KINDS, Change
from leakscan.compare.pairing import AMBIGUOUS, HOW, Pairing
from leakscan.conceal import Concealer
from leakscan.distinct import Bounded
from leakscan.model import SEVERITIES, Leak, Message
from leakscan.tally import bump, bump_all, clip

MAX_ROWS = 1000
OTHERS = "(others)"

Json = dict[str, Any]


class RowKey(NamedTuple):
    change: str
    lower: str


class Row:
    """One change of one header, over all pairs."""

    __slots__ = ("ambiguous", "example", "first", "identifiers", "injected", "name", "pairs")

    def __init__(self) -> None:
        self.name = OTHERS
        self.pairs = 0
        self.ambiguous = 0
        self.injected = 0
        self.identifiers: dict[str, int] = {}
        self.example: str | None = None
        self.first: tuple[int, int] | None = None  # frames of the first pair, the client's and the server's

    def merge(self, other: Row) -> None:
        self.pairs += other.pairs
        self.ambiguous += other.ambiguous
        self.injected += other.injected
        bump_all(self.identifiers, other.identifiers)


class Changes:
    """The comparison so far."""

    def __init__(self, concealer: Concealer) -> None:
        self._concealer = concealer
        self._rows: Bounded[RowKey, Row] = Bounded(MAX_ROWS, Row)
        self.how = dict.fromkeys(HOW, 0)
        self.requests = [0, 0]  # the client's side, the server's
        self.unpaired = [0, 0]
        self.translated = 0
        self.injected_requests = 0
        self.injected_leaks = 0
        self.worst = -1  # of the injected: position in SEVERITIES

    def add(self, pairing: Pairing, changes: list[Change], injected: list[tuple[str, Leak]]) -> None:
        """One pairing. `injected`: the header that holds it (`where`), and the leak that says so."""
        client, server = pairing.client, pairing.server
        self.requests[0] += client is not None
        self.requests[1] += server is not None
        if client is None or server is None:
            self.unpaired[0] += client is not None
            self.unpaired[1] += server is not None
            return
        self.how[pairing.how] += 1
        self.translated += client.client != server.client
        self.injected_leaks += len(injected)
        self.injected_requests += bool(injected)
        self.worst = max([self.worst, *(SEVERITIES.index(leak.severity) for _, leak in injected)])
        found: dict[str, list[Leak]] = {}
        for where, leak in injected:
            found.setdefault(where, []).append(leak)
        seen: set[RowKey] = set()
        for change in changes:
            key = RowKey(change.kind, clip(self._concealer.redact(change.name).lower()))
            leaks = found.get(change.name.lower(), []) if change.kind in ("added", "changed") else []
            self._row(key, change, pairing, leaks, key in seen)
            seen.add(key)

    def to_dict(self, clock: Clock | None, names: tuple[list[str], list[str]]) -> Json:
        """The `comparison` object. `names`: of the captures of either side, fit to be shown."""
        rows = [self._to_dict(key, row) for key, row in self._rows]
        rows.sort(key=lambda row: (-row["injected"], KINDS.index(row["change"]), -row["pairs"], row["name"]))
        if self._rows.rest.pairs:
            rows.append(self._to_dict(RowKey("added", OTHERS), self._rows.rest))
        sides = [
            {"captures": names[side], "requests": self.requests[side], "unpaired": self.unpaired[side]}
            for side in (0, 1)
        ]
        return {
            "client": sides[0],
            "server": sides[1],
            "pairs": sum(self.how.values()),
            "how": self.how,
            "clock": None if clock is None else _clock(clock),
            "addresses_translated": self.translated,
            "injected": {
                "requests": self.injected_requests,
                "leaks": self.injected_leaks,
                "severity": None if self.worst < 0 else SEVERITIES[self.worst],
            },
            "changes": rows,
        }

    def _row(self, key: RowKey, change: Change, pairing: Pairing, leaks: list[Leak], again: bool) -> None:
        row = self._rows.at(key)
        if not again:
            row.pairs += 1
            row.ambiguous += pairing.how == AMBIGUOUS
        row.injected += len(leaks)
        for leak in leaks:
            bump(row.identifiers, leak.identifier)
        if row.first is None:
            row.name = clip(self._concealer.redact(change.name))
            row.first = (_frame(pairing.client), _frame(pairing.server))
            row.example = self._example(change)
        if leaks and len(leaks) == row.injected:  # the first that tells something
            row.example = leaks[0].value

    def _example(self, change: Change) -> str:
        value = change.client if change.server is None else change.server
        if self._concealer.show_values:
            return clip(value or "")
        return f"({len(value or '')} characters)"

    @staticmethod
    def _to_dict(key: RowKey, row: Row) -> Json:
        return {
            "change": key.change,
            "name": row.name,
            "pairs": row.pairs,
            "ambiguous": row.ambiguous,
            "injected": row.injected,
            "identifiers": dict(sorted(row.identifiers.items())),
            "example": row.example,
            "client_frame": None if row.first is None else row.first[0],
            "server_frame": None if row.first is None else row.first[1],
        }


def _frame(message: Message | None) -> int:
    return 0 if message is None else message.frame_end


def _clock(clock: Clock) -> Json:
    """Milliseconds, to the microsecond."""
    return {
        "offset_ms": round(clock.estimate / 1e6, 3),
        "offset_at_end_ms": round(clock.offset / 1e6, 3),
        "spread_ms": round(clock.spread / 1e6, 3),
        "pairs": clock.pairs,
    }
