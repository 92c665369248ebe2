"""What is asked of a worker that reads, and what it answers: records only.

No numpy, which workers load for themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from leakscan.sources.pcap import FileHeader
from leakscan.sources.pcapng import MAX_PACKET_BLOCK, Description

if TYPE_CHECKING:
    from leakscan.split.shared import Stored

#: Of the capture, for one worker at a time: as much as a reader has in its buffer.
SLICE_BYTES = 4 << 20
#: A record may begin at the end of a stretch and be the longest.
LONGEST_BYTES = MAX_PACKET_BLOCK + 64
#: Columns of the smallest frames that fit a stretch. Memory that nobody writes to costs nothing.
COLUMNS_BYTES = 10 << 20
SHARED_BYTES = SLICE_BYTES + LONGEST_BYTES + COLUMNS_BYTES

Identity = tuple[int, int, int]  # device, inode, size: another file may have the name by now


class Work(NamedTuple):
    """A stretch to read."""

    capture: str
    identity: Identity
    start: int  # no record that begins before it is meant
    limit: int | None  # nor one that begins here or later
    header: FileHeader | Description


class Read(NamedTuple):
    """What was read."""

    begin: int  # where the first record begins
    end: int  # where the first one behind begins
    frames: int
    last_ns: int | None  # time of the last frame
    stored: list[Stored]
    losses: dict[str, int]
