"""Bytes that know where they came from: slices and joins of frames, through any number of headers and fragments.

`Located` is bytes to everybody; decode cuts it up like any other. `runs` tell which frame each part of it stands in,
and where: so whoever finds something in the payload of a reassembled packet can change it in the frames. No state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Run(NamedTuple):
    at: int  # where the run begins in the bytes; it goes to the next run's beginning, or to the end
    frame: Any  # whatever stands for the frame; None for bytes of nobody's
    offset: int  # in the frame


class Located(bytes):
    """Bytes with `runs`, sorted, the first one at 0."""

    runs: tuple[Run, ...]

    @classmethod
    def of(cls, data: bytes, runs: tuple[Run, ...]) -> Located:
        made = cls(data)
        made.runs = runs
        return made

    def __getitem__(self, item: Any) -> Any:
        found = super().__getitem__(item)
        if not isinstance(item, slice):
            return found
        start, stop, step = item.indices(len(self))
        if step != 1:
            return found
        runs = self.runs
        if len(runs) == 1:
            _, frame, offset = runs[0]
            return Located.of(found, (Run(0, frame, offset + start),))
        return Located.of(found, tuple(_cut(runs, start, max(start, stop))))

    def __add__(self, other: bytes) -> Located:  # type: ignore[override]
        return joined([self, other])

    def __radd__(self, other: bytes) -> Located:
        return joined([other, self])

    def places(self, start: int, end: int) -> Iterator[tuple[int, int, Any, int]]:
        """The parts of [start, end): beginning and end in these bytes, frame, offset in it."""
        for index, run in enumerate(self.runs):
            behind = self.runs[index + 1].at if index + 1 < len(self.runs) else len(self)
            low, high = max(start, run.at), min(end, behind)
            if low < high:
                yield low, high, run.frame, run.offset + low - run.at


def _cut(runs: tuple[Run, ...], start: int, stop: int) -> Iterator[Run]:
    for index, run in enumerate(runs):
        behind = runs[index + 1].at if index + 1 < len(runs) else stop
        if run.at < stop and (behind > start or (run.at <= start and index + 1 == len(runs))):
            low = max(run.at, start)
            yield Run(low - start, run.frame, run.offset + low - run.at)


def joined(parts: list[bytes]) -> Located:
    """One after the other; what is not Located is nobody's."""
    runs: list[Run] = []
    at = 0
    for part in parts:
        for run in part.runs if isinstance(part, Located) else (Run(0, None, 0),):
            if run.at < len(part):
                runs.append(Run(at + run.at, run.frame, run.offset))
        at += len(part)
    return Located.of(b"".join(bytes(part) for part in parts), tuple(runs) or (Run(0, None, 0),))
