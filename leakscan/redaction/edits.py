"""What is to become of which piece of the file: collected in any order, handed out in the file's.

In: `Edit`s. Out: for each piece its edits. State: a private temporary database (SQLite, on the disk when it grows,
gone with the process) of positions and new bytes: no original is in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple


class Edit(NamedTuple):
    """Bytes of one piece of the file that become others."""

    piece: int  # its number, from 0
    offset: int
    new: bytes | None  # None: the piece cannot stay
    size: int
    rank: int  # of two that overlap the higher one counts


class Edits:
    """All edits of one capture."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE edit (piece INTEGER, offset INTEGER, new BLOB, size INTEGER, rank INTEGER); BEGIN"
        )
        self.count = 0

    def add(self, edit: Edit) -> None:
        self._base.execute("INSERT INTO edit VALUES (?, ?, ?, ?, ?)", edit)
        self.count += 1

    def by_piece(self) -> Iterator[tuple[int, list[Edit]]]:
        """The edits of each piece that has any, by number."""
        rows = self._base.execute("SELECT * FROM edit ORDER BY piece, rank DESC, offset, rowid")
        for piece, edits in groupby(map(Edit._make, rows), key=itemgetter(0)):
            yield piece, list(edits)

    def close(self) -> None:
        self._base.close()


def applied(data: bytes, edits: Sequence[Edit]) -> bytearray | None:
    """The piece with its edits, the highest rank first; None when it cannot stay."""
    new = bytearray(data)
    done = bytearray(len(data))
    for edit in edits:
        if edit.new is None:
            return None
        for at, byte in enumerate(edit.new, edit.offset):
            if not done[at]:
                new[at] = byte
                done[at] = 1
    return new
