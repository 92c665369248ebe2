"""Captures that follow each other are one series: a stream goes on across the cut of a rotated file.

In: the names of captures. Out: for each series the batches of its captures, one after the other. A capture follows
another when its frames have the same link types and its first one comes at most MAX_PAUSE_NS after the last frame of
the other, and not before it. Of several that would fit, one with the same name but for digits is taken, then the
earliest. State: how each regular file begins (a pipe begins a series of its own).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import Beginning, beginning, open_capture

MAX_PAUSE_NS = 60 * 10**9
_DIGITS = re.compile("[0-9]+")

OnBytes = Callable[[int], None] | None
Opened = Callable[[str, Losses, OnBytes], Iterator[FrameBatch]]
_Waiting = list[tuple[str, Beginning | None]]


def series(
    names: Sequence[str], losses: Losses, on_bytes: OnBytes = None, opened: Opened = open_capture
) -> Iterator[Iterator[FrameBatch]]:
    """One iterator of batches a series; each must be read to its end before the next is asked for. `opened` gives the
    batches of one capture.
    """
    waiting = _in_order(names)
    while waiting:
        yield _from(*waiting.pop(0), waiting, losses, on_bytes, opened)


def _from(
    name: str, begins: Beginning | None, waiting: _Waiting, losses: Losses, on_bytes: OnBytes, opened: Opened
) -> Iterator[FrameBatch]:
    """The batches of a capture and of those that follow it, which are taken out of `waiting`."""
    while True:
        last_ns = 0
        for batch in opened(name, losses, on_bytes):
            last_ns = max(last_ns, int(batch.time_ns.max()))
            yield batch
        following = _following(name, begins, last_ns, waiting)
        if following is None:
            return
        name, begins = waiting.pop(following)


def joined(names: Sequence[str], losses: Losses, on_bytes: OnBytes = None) -> Iterator[FrameBatch]:
    """The batches of captures that are known to be one series."""
    for name in names:
        yield from open_capture(name, losses, on_bytes)


def last_time(name: str) -> int:
    """The time of the last frame of a capture, in ns; 0 where none can be read. Reads all of it."""
    return max((int(batch.time_ns.max()) for batch in open_capture(name, Losses())), default=0)


def plan(names: Sequence[str], last_times: dict[str, int]) -> list[list[str]]:
    """The series that `series` would find, from what `last_time` says of each capture."""
    waiting = _in_order(names)
    found: list[list[str]] = []
    while waiting:
        name, begins = waiting.pop(0)
        chain = [name]
        while (following := _following(name, begins, last_times[name], waiting)) is not None:
            name, begins = waiting.pop(following)
            chain.append(name)
        found.append(chain)
    return found


def bundles(found: Iterable[list[str]], sizes: Mapping[str, int], least: int) -> Iterator[list[list[str]]]:
    """Series that follow each other, together until they have so many bytes."""
    bundle: list[list[str]] = []
    for chain in found:
        bundle.append(chain)
        if sum(sizes[name] for names in bundle for name in names) >= least:
            yield bundle
            bundle = []
    if bundle:
        yield bundle


def _in_order(names: Sequence[str]) -> _Waiting:
    """In the order of time, so that a series is met at its first capture; what has no time comes last."""
    known = [(name, beginning(name) if len(names) > 1 else None) for name in names]
    return sorted(known, key=lambda entry: (entry[1] is None, entry[1].time_ns if entry[1] else 0))


def _following(name: str, begins: Beginning | None, last_ns: int, waiting: _Waiting) -> int | None:
    """Which of the waiting captures goes on where this one ended."""
    if begins is None:
        return None
    fitting = [
        (_DIGITS.sub("", other) != _DIGITS.sub("", name), index)
        for index, (other, start) in enumerate(waiting)
        if start and start.links == begins.links and last_ns <= start.time_ns <= last_ns + MAX_PAUSE_NS
    ]
    return min(fitting)[1] if fitting else None
