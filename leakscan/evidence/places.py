"""Where frames stand in a capture file, and what they and the file hash to.

In: captures and the numbers of frames. Out: `Place`s. State: a private temporary database (SQLite, on the disk when it
grows, gone with the process): a row a frame, numbers and hashes only.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from leakscan.evidence.folder import Sum, file_sum, refused
from leakscan.losses import Losses
from leakscan.sources import open_capture

GROUP = 500  # frames asked for at once


class Place(NamedTuple):
    """One frame in a capture."""

    frame: int
    offset: int  # of its first byte in the capture, decompressed
    length: int  # bytes of it that were captured
    sha256: str


class Places:
    """The frames that are wanted, by capture (a number of the caller's)."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE place (capture INTEGER, frame INTEGER, offset INTEGER, length INTEGER, sha256 TEXT,"
            " PRIMARY KEY (capture, frame)) WITHOUT ROWID; BEGIN"
        )

    def want(self, capture: int, frame: int) -> None:
        self._base.execute("INSERT OR IGNORE INTO place VALUES (?, ?, NULL, NULL, NULL)", (capture, frame))

    def find(self, capture: int, path: str, on_bytes: Callable[[int], None] | None = None) -> None:
        """Read the capture and note where its wanted frames are."""
        wanted = self._wanted(capture)
        frame = next(wanted, 0)
        for batch in open_capture(path, Losses(), on_bytes):
            behind = batch.first_frame + len(batch.start)
            while frame and frame < behind:
                index = frame - batch.first_frame
                if index >= 0:
                    start, length = int(batch.start[index]), int(batch.captured[index])
                    digest = hashlib.sha256(memoryview(batch.buffer)[start : start + length]).hexdigest()
                    self._base.execute(
                        "UPDATE place SET offset=?, length=?, sha256=? WHERE capture=? AND frame=?",
                        (batch.base + start, length, digest, capture, frame),
                    )
                frame = next(wanted, 0)

    def at(self, capture: int, frame: int) -> Place | None:
        """None for a frame that was not found."""
        query = "SELECT frame, offset, length, sha256 FROM place WHERE capture=? AND frame=? AND offset NOTNULL"
        row = self._base.execute(query, (capture, frame)).fetchone()
        return None if row is None else Place._make(row)

    def _wanted(self, capture: int) -> Iterator[int]:
        """Frame numbers in order; asked for in groups, so that rows may be written meanwhile."""
        last = 0
        query = "SELECT frame FROM place WHERE capture=? AND frame>? ORDER BY frame LIMIT ?"
        while rows := self._base.execute(query, (capture, last, GROUP)).fetchall():
            for (last,) in rows:
                yield last

    def close(self) -> None:
        self._base.close()


def capture_sum(path: str) -> Sum:
    """Size and SHA-256 of a capture as it lies on the disk."""
    with refused(f"cannot read {path}"), Path(path).open("rb") as file:
        return file_sum(file)
