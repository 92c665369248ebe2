"""Reading ahead: a thread inflates the next buffer of a compressed capture while the frames in this one are looked at.

In: a ByteSource. Out: whole buffers, in order. State: two buffers, of which one is being filled or waits, and the other
is in use. Reading and decompressing let other threads run, so they cost no time where a second core is idle. What goes
wrong comes out where the bytes would have.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue

from leakscan.sources.stream import BUFFER_BYTES, ByteSource, Fault

#: In front of each buffer, for the incomplete record at the end of the one before. The longest record must fit.
ROOM_BYTES = 3 << 19
CLOSING_SECONDS = 5


class ReadAhead:
    """Give back a buffer for the next one. For use by one thread."""

    def __init__(self, source: ByteSource, size: int = BUFFER_BYTES, room: int = ROOM_BYTES) -> None:
        self.room = room
        self._source = source
        self._free: SimpleQueue[bytearray | None] = SimpleQueue()
        self._filled: SimpleQueue[tuple[bytearray, int, BaseException | None]] = SimpleQueue()
        self._ended = False
        self.first = bytearray(room + size)
        self._free.put(bytearray(room + size))
        self._thread = threading.Thread(target=self._fill, name="leakscan-read-ahead", daemon=True)
        self._thread.start()

    def next(self, used: bytearray, rest: memoryview) -> tuple[bytearray, int, int]:
        """The next buffer, in which `rest` stands before what is new: its bytes are those from start to end. `used` is
        given back. At the end of the source it stays, with nothing new. Raises Fault.
        """
        size = len(rest)
        if size > self.room:
            raise Fault("file.damaged", f"a record of more than {self.room} bytes")
        if self._ended:
            return used, self.room, self.room
        buffer, count, error = self._filled.get()
        if error is not None:
            self._ended = True
            raise error
        self._ended = not count
        if self._ended:
            return used, self.room, self.room
        buffer[self.room - size : self.room] = rest
        rest.release()
        self._free.put(used)
        return buffer, self.room - size, self.room + count

    def close(self) -> None:
        """Wait for the thread to end, but not for a source that does not answer."""
        self._free.put(None)
        self._thread.join(CLOSING_SECONDS)

    def _fill(self) -> None:
        while (buffer := self._free.get()) is not None:
            view = memoryview(buffer)[self.room :]
            filled, error = 0, None
            try:
                while filled < len(view) and (count := self._source.readinto(view[filled:])):
                    filled += count
            except BaseException as raised:  # noqa: BLE001  (raised again where the bytes are asked for)
                error = raised
            if filled:
                self._filled.put((buffer, filled, None))
            if filled < len(view):
                self._filled.put((buffer, 0, error))
                return
