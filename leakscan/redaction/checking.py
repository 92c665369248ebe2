"""What is left in a copy, before anybody gets it: its bytes, its streams, its addresses and its requests are searched.

In: the copy, the plan it was made by, and what a scan of it finds. Out: words, each with a place; none when the copy
may be given away. State: none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import tee
from pathlib import Path

from leakscan.errors import LeakscanError
from leakscan.redaction.addresses import Addresses
from leakscan.redaction.edits import Edits
from leakscan.redaction.finding import Findings
from leakscan.redaction.plan import Plan
from leakscan.redaction.records import pieces
from leakscan.redaction.searching import Search
from leakscan.redaction.writing import Writing
from leakscan.sources import content

EXIT_REFUSED = 1
MAX_NAMED = 5
MAX_FOUND = 1000  # then it is enough


class Left(LeakscanError):
    """The copy did not pass its check: a mistake of redact's."""


class Contradiction(Left):
    """It did not, and the capture contradicts itself: not everybody puts the same together from it."""

    exit_code = EXIT_REFUSED


def refusal(name: str, left: Sequence[str], conflicts: Sequence[int]) -> Left:
    """`conflicts`: frames of the capture that say something else than others in the same place of a stream."""
    words = "; ".join(left[:MAX_NAMED]) + (f"; and {len(left) - MAX_NAMED:,} more" if len(left) > MAX_NAMED else "")
    if conflicts:
        frames = ", ".join(f"frame {number}" for number in conflicts)
        return Contradiction(
            f"{name}: cannot be replaced: {frames}: says something else than others of the same stream, and an "
            f"identifier can be put together from them all the same ({words}); nothing was written"
        )
    return Left(f"{name}: the copy did not pass its check ({words}), so nothing was written; please report this")


class Leftovers:
    """What is left in one copy."""

    def __init__(self, path: Path, planned: Plan, addresses: Addresses | None) -> None:
        self._path = path
        self._planned = planned
        self._addresses = addresses

    def found(self, again: Findings, on_bytes: Callable[[int], None] | None = None) -> list[str]:
        """No original in any spelling in any byte of it, in no stream, and a scan (`again`) finds none; with addresses
        to be replaced none in a header and none that sent a request."""
        left = self._in_bytes() or self._in_streams(on_bytes)
        left += [
            f"frame {frame} of the copy: a scan finds an identifier"
            for identity, frame in again.first.items()
            if identity in self._planned.originals
        ]
        if self._addresses is not None:
            left += self._in_headers()
            count = len(self._addresses.texts.keys() & again.clients.keys())
            left += [f"{count:,} of the addresses that sent requests"] if count else []
        return left

    def _in_bytes(self) -> list[str]:
        """In the file as it lies there, whatever it is."""
        found, rest, behind = [], b"", 0
        needles = self._planned.needles
        for data in content(str(self._path)):
            joined = rest + data
            found += [f"byte {behind - len(rest) + hit.start:,} of the copy" for hit in needles.search(joined)]
            behind += len(data)
            rest = joined[-max(needles.longest - 1, 1) :]
            if len(found) > MAX_FOUND:
                break
        return found

    def _in_streams(self, on_bytes: Callable[[int], None] | None) -> list[str]:
        row = pieces(str(self._path), None, on_bytes)
        numbers = {edit.piece for edit in Search(self._planned.needles).edits(row or ())}
        rows = enumerate((pieces(str(self._path)) if numbers else None) or ())
        return [f"frame {piece.frame} of the copy" for at, piece in rows if at in numbers]

    def _in_headers(self) -> list[str]:
        """Replaced once more: nothing changes."""
        row, frames = tee(pieces(str(self._path)) or ())
        again = Writing(Edits(), self._addresses).copy(row)
        return [
            f"an address in frame {piece.frame} of the copy"
            for piece, new in zip(frames, again, strict=True)
            if new != piece.data
        ]
