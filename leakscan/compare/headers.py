"""Two heads of one request, as they passed two points: what was added, changed, removed, re-ordered, re-cased between.

In: the header lines of both. Out: `Change`s, those of the server's side in its order, then what it lacks. State: none.
Lines of one name are matched by equal value first, then in their order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

from leakscan.model import Pair

ADDED, CHANGED, REMOVED, REORDERED, RECASED = "added", "changed", "removed", "re-ordered", "re-cased"
#: In the order in which they are shown.
KINDS = (ADDED, CHANGED, REMOVED, REORDERED, RECASED)


class Change(NamedTuple):
    kind: str  # one of KINDS
    name: str  # as the server's side has it; of a removed line, as the client's
    client: str | None  # values; None where the side has no such line
    server: str | None


def diff(client: Sequence[Pair], server: Sequence[Pair]) -> list[Change]:
    """What befell the header lines on their way. A line without a colon is a name without a value."""
    partner = _matched(client, server)
    moved = _moved(partner)
    changes: list[Change] = []
    for index, (name, value) in enumerate(server):
        if index not in partner:
            changes.append(Change(ADDED, name, None, value or ""))
            continue
        before, old = client[partner[index]]
        if old != value:
            changes.append(Change(CHANGED, name, old or "", value or ""))
        if index in moved:
            changes.append(Change(REORDERED, name, old or "", value or ""))
        if before != name:
            changes.append(Change(RECASED, name, old or "", value or ""))
    left = set(range(len(client))) - set(partner.values())
    changes += [Change(REMOVED, client[index][0], client[index][1] or "", None) for index in sorted(left)]
    return changes


def _matched(client: Sequence[Pair], server: Sequence[Pair]) -> dict[int, int]:
    """Index of a server's line -> index of the client's that it was."""
    by_line: dict[Pair, deque[int]] = defaultdict(deque)
    by_name: dict[str, deque[int]] = defaultdict(deque)
    for index, (name, value) in enumerate(client):
        by_line[name.lower(), value].append(index)
    partner: dict[int, int] = {}
    for index, (name, value) in enumerate(server):
        if same := by_line[name.lower(), value]:
            partner[index] = same.popleft()
    taken = set(partner.values())
    for index, (name, _) in enumerate(client):
        if index not in taken:
            by_name[name.lower()].append(index)
    for index, (name, _) in enumerate(server):
        if index not in partner and (same := by_name[name.lower()]):
            partner[index] = same.popleft()
    return partner


def _moved(partner: dict[int, int]) -> set[int]:
    """The server's lines that stand elsewhere: all but a longest run that kept its order."""
    order = sorted(partner)
    ends: list[int] = []  # the least end of a run of each length, and which line it is
    which: list[int] = []
    before: dict[int, int | None] = {}
    for index in order:
        where = bisect_left(ends, partner[index])
        before[index] = which[where - 1] if where else None
        ends[where : where + 1] = [partner[index]]
        which[where : where + 1] = [index]
    kept: set[int] = set()
    last = which[-1] if which else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return set(order) - kept
