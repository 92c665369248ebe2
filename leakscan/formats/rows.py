"""A leak as a row: the one place where its columns are named. Formats share these and repeat none.

Comes in: `Leak`. Goes out: a JSON object, the cells of a flat row, the worst leaks. State: `Worst` holds at most its
limit.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from leakscan.model import CONFIDENCES, SEVERITIES, Carrier, Leak, Recipient

Json = dict[str, Any]

#: What a view that cannot show all leaks holds.
MAX_WORST = 10_000

_LEAK_KEYS = tuple(field.name for field in fields(Leak))
_CARRIER_KEYS = tuple(field.name for field in fields(Carrier))
_RECIPIENT_KEYS = tuple(field.name for field in fields(Recipient))
#: Keys that hold an object -> its keys: in a flat row each becomes a column of its own, `network_name`.
_NESTED = {"network": _CARRIER_KEYS, "home_operator": _CARRIER_KEYS, "recipient": _RECIPIENT_KEYS}

#: The columns of a flat row.
COLUMNS = tuple(
    column
    for key in _LEAK_KEYS
    for column in ([f"{key}_{inner}" for inner in _NESTED[key]] if key in _NESTED else [key])
)


def leak_object(leak: Leak) -> Json:
    """The leak line of schema 1, as JSON types."""
    row: Json = {"type": "leak"}
    for key in _LEAK_KEYS:
        value = getattr(leak, key)
        if key in _NESTED and value is not None:
            value = {inner: getattr(value, inner) for inner in _NESTED[key]}
        row[key] = value
    return row


def leak_row(leak: Leak) -> Iterator[tuple[str, Any]]:
    """The leak under `COLUMNS`, each with its value."""
    for key in _LEAK_KEYS:
        value = getattr(leak, key)
        if key in _NESTED:
            yield from ((f"{key}_{inner}", getattr(value, inner, None)) for inner in _NESTED[key])
        else:
            yield key, value


def leak_cells(leak: Leak) -> list[str]:
    """The same as text: null is empty, true and false are words, lists are joined by "; "."""
    return [_cell(value) for _, value in leak_row(leak)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "; ".join(value) if isinstance(value, tuple) else str(value)


_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def json_text(value: object) -> str:
    """JSON in printable ASCII: what a terminal might obey is `\\uNNNN`, DEL too, which the standard library leaves."""
    return _encode(value).replace("\x7f", "\\u007f")


class Worst:
    """The worst leaks by severity and confidence, the earlier first among equals; how many there were in all."""

    def __init__(self, limit: int = MAX_WORST) -> None:
        self._limit = limit
        self._heap: list[tuple[int, int, int, Leak]] = []
        self.seen = 0

    def add(self, leak: Leak) -> None:
        self.seen += 1
        rank = (SEVERITIES.index(leak.severity), CONFIDENCES.index(leak.confidence), -self.seen, leak)
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, rank)
        else:
            heapq.heappushpop(self._heap, rank)

    def leaks(self) -> list[Leak]:
        return [leak for *_, leak in sorted(self._heap, key=lambda rank: rank[:3], reverse=True)]
