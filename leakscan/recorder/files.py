"""The files that a capture is kept in: never more disk than allowed, for the operator's eyes only.

In: blocks. Out: one pcapng file, or with a `Rotation` several, numbered and with the time of their first packet. They
grow in place, mode 0600 (output.OutputFile). When all of them together would pass `most` bytes, the oldest of several
goes; a single one ends there. Files of earlier runs are not touched, but for one whose very name is taken. State: the
open file, at most MAX_INTERFACES descriptions, and names and sizes of at most MAX_FILES others.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from leakscan.errors import UsageError
from leakscan.model import Origin
from leakscan.output import OutputFile
from leakscan.recorder.blocks import interface, section
from leakscan.times import rfc3339

MAX_FILES = 10_000
MAX_INTERFACES = 1000
#: Of several files there are at least so many, so that most is still there when the oldest goes.
MIN_FILES = 4


class Rotation(NamedTuple):
    """When the next file is begun, whatever comes first."""

    size: int | None = None  # bytes
    seconds: float | None = None  # of packet time

    @property
    def wanted(self) -> bool:
        return self != Rotation()


class Files:
    """Where blocks go. Raises UsageError where no file can be written; later trouble ends the writing and is kept."""

    def __init__(self, path: str, rotation: Rotation, most: int) -> None:
        self._path = Path(path)
        self._rotation = rotation
        self._most = most
        share = most // MIN_FILES if rotation.wanted else most
        self._limit = share if rotation.size is None else min(rotation.size, share)
        self._file: OutputFile | None = None
        self._size = 0
        self._begun_ns = 0
        self._opened = 0
        self._interfaces: dict[Origin, int] = {}  # the same in every file
        self._older: deque[tuple[Path, int]] = deque()
        self._older_bytes = 0
        self.trouble = ""  # why nothing more is written
        if not rotation.wanted:
            self._begin(0)
        elif not (self._path.parent.is_dir() and os.access(self._path.parent, os.W_OK)):
            raise UsageError(f"cannot write {path}: no such folder, or none that may be written to")

    def _begin(self, time_ns: int) -> None:
        """Open the next file. Raises UsageError."""
        self._begun_ns = time_ns
        self._opened += 1
        path = self._next_path(time_ns) if self._rotation.wanted else self._path
        self._file = OutputFile(str(path), grow=True)
        self._size = 0
        for block in (section(), *map(interface, self._interfaces)):
            self._append(self._file, block)

    def number(self, origin: Origin) -> int:
        """The number of this interface in the files; -1 when there are too many of them."""
        known = self._interfaces.get(origin)
        if known is None and len(self._interfaces) < MAX_INTERFACES:
            known = self._interfaces[origin] = len(self._interfaces)
            if self._file is not None:
                self.write([interface(origin)], self._begun_ns)
        return -1 if known is None else known

    def write(self, blocks: Iterable[bytes], time_ns: int) -> int:
        """Keep blocks of packets captured at about `time_ns`; gives how many were not kept."""
        lost = sum(not self._kept(block, time_ns) for block in blocks)
        try:
            if self._file is not None:
                self._file.stream.flush()
        except UsageError as error:
            self._fail(error)
            lost += 1  # of those that waited in the buffer, nobody knows how many
        return lost

    def close(self) -> None:
        """No more blocks."""
        try:
            if self._file is not None:
                self._file.commit()
        except UsageError as error:
            self._fail(error)
        self._file = None

    def _kept(self, block: bytes, time_ns: int) -> bool:
        if self.trouble:
            return False
        try:
            file = self._with_room(len(block), time_ns)
            if file is not None:
                self._append(file, block)
        except UsageError as error:
            self._fail(error)
            return False
        return file is not None

    def _fail(self, error: UsageError) -> None:
        self.trouble = str(error)
        self._end()

    def _append(self, file: OutputFile, block: bytes) -> None:
        file.stream.buffer.write(block)
        self._size += len(block)

    def _with_room(self, size: int, time_ns: int) -> OutputFile | None:
        """The file that takes `size` more bytes: the open one, the next one, or none. Raises UsageError."""
        if self._file is None:
            self._begin(time_ns)
        elif self._rotation.wanted and self._is_over(size, time_ns):
            self._next(self._file, time_ns)
        while self._older_bytes + self._size + size > self._most:
            if not self._older:
                self.trouble = f"{self._path}: --write-max is reached, nothing more is kept"
                self._end()
                return None
            self._forget_oldest()
        return self._file

    def _is_over(self, size: int, time_ns: int) -> bool:
        seconds = self._rotation.seconds
        late = seconds is not None and time_ns - self._begun_ns >= seconds * 1e9
        return late or self._size + size > self._limit

    def _next(self, file: OutputFile, time_ns: int) -> None:
        self._older.append((Path(file.path), self._size))
        self._older_bytes += self._size
        file.commit()
        if len(self._older) > MAX_FILES:
            self._forget_oldest()
        self._begin(time_ns)

    def _forget_oldest(self) -> None:
        path, size = self._older.popleft()
        self._older_bytes -= size
        with contextlib.suppress(OSError):
            path.unlink()

    def _next_path(self, time_ns: int) -> Path:
        when = rfc3339(time_ns, 0).replace("-", "").replace(":", "")
        return self._path.with_name(f"{self._path.stem}-{self._opened:05d}-{when}{self._path.suffix}")

    def _end(self) -> None:
        if self._file is not None:
            self._file.discard()  # closes it; what it holds is in place
            self._file = None
