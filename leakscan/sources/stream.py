"""Bytes of one capture, in order, through one reused buffer.

In: a file, FIFO, device or file descriptor 0, read without seeking and without read-ahead. Out: `Window`, the part of
the capture that is in memory. State: one buffer of `BUFFER_BYTES`; the incomplete tail moves to its front before each
read.

What goes wrong while reading is a `Fault`: it ends the reading of this capture, behind the last complete frame.
"""

from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from leakscan.losses import Losses

if TYPE_CHECKING:
    from leakscan.sources.ahead import ReadAhead

#: Fits the second-level cache of the usual machine and holds some thousand frames: measured best against 1 and 16 MiB.
BUFFER_BYTES = 4 << 20
#: A longer packet record is taken as damage. Must fit the buffer. (A jumbo frame has 9 kB, an offloaded segment 64 kB.)
MAX_RECORD_BYTES = 1 << 20
STDIN = "-"
WAITING_MS = 200


class Fault(Exception):
    """Reading cannot go on. `loss` is the name to count it under. Never leaves this package."""

    def __init__(self, loss: str, reason: str) -> None:
        super().__init__(reason)
        self.loss = loss
        self.reason = reason


class ByteSource(Protocol):
    """Where bytes come from: a raw file, or a decompressor over one."""

    def readinto(self, view: memoryview) -> int:
        """Fill the front of `view` with what is there now, at least one byte; 0 at the end. Raises Fault."""
        ...


class RawFile:
    """An unbuffered file, FIFO, device, or standard input (`-`), read in pieces of `most` bytes.

    `waiting` is called now and then while nothing comes; it may raise to end the reading. Raises OSError when it
    cannot be opened.
    """

    def __init__(
        self,
        name: str,
        on_bytes: Callable[[int], None] | None = None,
        most: int = BUFFER_BYTES,
        waiting: Callable[[], None] | None = None,
    ) -> None:
        self._file = io.FileIO(0, closefd=False) if name == STDIN else io.FileIO(name)
        self._on_bytes = on_bytes
        self._most = most
        self._waiting = waiting
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        status = os.fstat(self._file.fileno())
        self._is_pipe = stat.S_ISFIFO(status.st_mode)
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        self.identity = (status.st_dev, status.st_ino, self.size)
        self._reading = False

    def readinto(self, view: memoryview) -> int:
        view = view[: self._most]
        while self._waiting is not None and not self._poll.poll(WAITING_MS):
            self._waiting()
        count = self._read(view)
        # A pipe hands on 64 KiB at a time: take what waits, so that batches are worth their cost.
        while self._is_pipe and 0 < count < len(view) and self._poll.poll(0):
            more = self._read(view[count:])
            if not more:
                break
            count += more
        if self._on_bytes is not None and count:
            self._on_bytes(count)
        return count

    def seek(self, position: int) -> None:
        """Go on from there, in a regular file."""
        self._file.seek(position)

    def _read(self, view: memoryview) -> int:
        self._reading = True
        try:
            while (count := self._file.readinto(view)) is None:  # standard input may be in non-blocking mode
                self._poll.poll()
        except OSError as error:
            raise Fault("file.unreadable", os.strerror(error.errno or 0)) from error
        finally:
            self._reading = False
        return count

    def close(self) -> None:
        if not self._reading:  # a thread that cannot be stopped keeps the descriptor: it must not become another file's
            self._file.close()


def read_up_to(source: ByteSource, size: int) -> bytes:
    """The next `size` bytes, fewer only at the end. Raises Fault."""
    head = memoryview(bytearray(size))
    filled = 0
    while filled < size and (count := source.readinto(head[filled:])):
        filled += count
    return bytes(head[:filled])


class Window:
    """The bytes `data[start:end]` of a capture; `data[start]` is at `offset` of the (decompressed) capture.

    Readers move `start` behind what they have consumed and call `more` for what follows; what they have of `data` is
    true until then. No record can be longer than `size`. With `ahead`, another thread reads the source.
    """

    def __init__(
        self,
        source: ByteSource,
        head: bytes,
        capture: str,
        losses: Losses,
        size: int = BUFFER_BYTES,
        ahead: ReadAhead | None = None,
        base: int = 0,
    ) -> None:
        """`base`: where the source begins in the capture."""
        self.data = bytearray(size) if ahead is None else ahead.first
        self.data[: len(head)] = head
        self.size = len(self.data)
        self.start = 0
        self.end = len(head)
        self.capture = capture
        self.losses = losses
        self._source = source
        self._ahead = ahead
        self._base = base

    @property
    def base(self) -> int:
        """Where `data[0]` stands in the capture."""
        return self._base

    @property
    def offset(self) -> int:
        return self._base + self.start

    def more(self) -> bool:
        """Read once, behind what is there. False at the end. Raises Fault, also when the capture ends in a rest."""
        count = self._next() if self._ahead else self._read()
        if not count and self.end > self.start:
            raise Fault("file.cut", "the capture ends inside a record")
        return count > 0

    def _next(self) -> int:
        assert self._ahead is not None
        rest = self.end - self.start
        data, start, end = self._ahead.next(self.data, memoryview(self.data)[self.start : self.end])
        if start == end:
            return 0
        self._base += self.start - start
        self.data, self.start, self.end = data, start, end
        return end - start - rest

    def _read(self) -> int:
        if self.start:
            rest = self.end - self.start
            self.data[:rest] = self.data[self.start : self.end]
            self._base += self.start
            self.start, self.end = 0, rest
        count = self._source.readinto(memoryview(self.data)[self.end :])
        self.end += count
        return count

    def need(self, size: int) -> bool:
        """Read until `size` bytes are there, which must fit the buffer. False at the end. Raises Fault."""
        while self.end - self.start < size:
            if not self.more():
                return False
        return True

    def skip(self, size: int) -> None:
        """Go past `size` bytes, however many. Raises Fault, also when the capture ends before."""
        while (there := self.end - self.start) < size:
            size -= there
            self.start = self.end
            if not self.more():
                raise Fault("file.cut", "the capture ends inside a block")
        self.start += size
