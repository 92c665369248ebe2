"""Captures that follow each other are one series: a stream goes on across the cut of a rotated file.

In: the names of captures. Out: for each series the batches of its captures, one after the other. A capture follows
another when its frames have the same link types and its first one comes at most MAX_PAUSE_NS after the last frame of
the other (the latest of all; of long plain captures, of their last part), and not before it. Of several that would
fit, one with the same name but for digits is taken, then the earliest. State: how each regular file begins (a pipe
begins a series of its own).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import Beginning, beginning, ending, open_capture

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
        if waiting and begins is not None and (told := ending(name)) is not None:
            last_ns = told
        following = _following(name, begins, last_ns, waiting)
        if following is None:
            return
        name, begins = waiting.pop(following)


def joined(names: Sequence[str], losses: Losses, on_bytes: OnBytes = None) -> Iterator[FrameBatch]:
    """The batches of captures that are known to be one series."""
    for name in names:
        yield from open_capture(name, losses, on_bytes)


class Extent(NamedTuple):
    """How a capture begins and ends, for whoever plans the reading of many."""

    begins: Beginning | None
    last_ns: int  # the time of the last frame; 0 where none can be read


def extent(name: str) -> Extent:
    """Reads the beginning and the end of a long plain capture, and all of any other."""
    begins, last_ns = beginning(name), ending(name)
    if last_ns is None:
        last_ns = max((int(batch.time_ns.max()) for batch in open_capture(name, Losses())), default=0)
    return Extent(begins, last_ns)


def plan(extents: Mapping[str, Extent]) -> list[list[str]]:
    """The series that `series` would find among captures, from what `extent` says of each."""
    waiting = _sorted([(name, found.begins) for name, found in extents.items()])
    found: list[list[str]] = []
    while waiting:
        name, begins = waiting.pop(0)
        chain = [name]
        while (following := _following(name, begins, extents[name].last_ns, waiting)) is not None:
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
    return _sorted([(name, beginning(name) if len(names) > 1 else None) for name in names])


def _sorted(known: _Waiting) -> _Waiting:
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
