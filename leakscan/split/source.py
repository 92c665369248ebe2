"""A plain capture in stretches: read and sifted by workers, taken in order, each checked against the one before.

In: the name of a capture. Out: its batches, as sources.open_capture gives them, but sifted. A stretch counts only when
it begins exactly where the one before it ended, and was read with the same interfaces; any other is read again here, in
order, by the reader that reads whole captures. So a wrong guess costs time and nothing else. Where the workers cannot
help (a pipe, a compressed capture, a small one) it is open_capture.

State: the reader, and the stretches that are being read ahead.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import open_capture, pcap, pcapng, plain
from leakscan.sources.stream import Fault, RawFile, Window, read_up_to
from leakscan.split.work import SLICE_BYTES, Read, Work

HEAD_BYTES = 32
#: Stretches that are read ahead, for each worker.
AHEAD = 2


class Readers(Protocol):
    """Who reads stretches: pool.Pool, or the process itself."""

    jobs: int

    def read(self, work: Work) -> int:
        """Have a stretch read; gives a number to ask for it by."""
        ...

    def result(self, number: int) -> Read | None:
        """What was read, once it was."""
        ...

    def batches(self, number: int, read: Read, first: int) -> Iterator[FrameBatch]:
        """The batches of it, frames counted from `first`."""
        ...

    def release(self, number: int) -> None:
        """It is needed no longer, read or not."""
        ...


def places(size: int) -> Sequence[int]:
    """Near where to cut a capture of so many bytes: at the first record behind each place, if there is one before the
    next. Multiples of four, as all places of blocks in pcapng are.
    """
    return range(SLICE_BYTES, size, SLICE_BYTES)


class _Reader(Protocol):
    """Reads frames in order, from window to window."""

    @property
    def number(self) -> int:
        """Of the next frame."""
        ...

    def batches(self, window: Window, limit: int | None) -> Iterator[FrameBatch]: ...

    def header(self) -> pcap.FileHeader | pcapng.Description:
        """What a stretch has to know beforehand."""
        ...

    def pass_over(self, read: Read) -> None:
        """Somebody else has read these frames."""
        ...


class _Pcap:
    def __init__(self) -> None:
        self.number = 1
        self._header: pcap.FileHeader | None = None

    def batches(self, window: Window, limit: int | None) -> Iterator[FrameBatch]:
        if self._header is None:
            self._header = pcap.file_header(window)
        for batch in pcap.records(window, self._header, self.number, limit):
            self.number += len(batch.start)
            yield batch

    def header(self) -> pcap.FileHeader:
        assert self._header is not None
        return self._header

    def pass_over(self, read: Read) -> None:
        self.number += read.frames


class _Pcapng:
    def __init__(self) -> None:
        self._reader: pcapng.Reader | None = None

    @property
    def number(self) -> int:
        return 1 if self._reader is None else self._reader.number

    def batches(self, window: Window, limit: int | None) -> Iterator[FrameBatch]:
        if self._reader is None:
            self._reader = pcapng.Reader(window)
        self._reader.window = window
        return self._reader.batches(limit)

    def header(self) -> pcapng.Description:
        assert self._reader is not None
        return self._reader.description()

    def pass_over(self, read: Read) -> None:
        assert self._reader is not None
        self._reader.number += read.frames
        if read.last_ns is not None:
            self._reader.time_ns = read.last_ns


_READERS: dict[str, Callable[[], _Reader]] = {"pcap": _Pcap, "pcapng": _Pcapng}


class Divided:
    """Gives the batches of captures. `again`: how many stretches were read again, of how many."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self.again = self.stretches = 0

    def open(self, name: str, losses: Losses, on_bytes: Callable[[int], None] | None = None) -> Iterator[FrameBatch]:
        """As sources.open_capture."""
        make = _READERS.get(plain(name))
        raw = None
        if make is not None:
            with contextlib.suppress(OSError):
                raw = RawFile(name)
        cuts = [] if raw is None else list(places(raw.size))
        if make is None or raw is None or not cuts:
            if raw is not None:
                raw.close()
            yield from open_capture(name, losses, on_bytes)
            return
        try:
            yield from _Capture(self, self._readers, raw, name, losses, on_bytes).batches(make(), cuts)
        finally:
            raw.close()


class _Capture:
    """One capture, while it is read."""

    def __init__(
        self,
        counts: Divided,
        readers: Readers,
        raw: RawFile,
        name: str,
        losses: Losses,
        on_bytes: Callable[[int], None] | None,
    ) -> None:
        self._counts = counts
        self._readers = readers
        self._raw = raw
        self._name = name
        self._losses = losses
        self._on_bytes = on_bytes or (lambda count: None)
        self._position = 0
        self._asked: deque[tuple[int, int | None, object]] = deque()  # number, limit, what it was told

    def batches(self, reader: _Reader, cuts: list[int]) -> Iterator[FrameBatch]:
        try:
            yield from self._in_order(reader, cuts[0])
            yield from self._stretches(reader, deque(zip(cuts, [*cuts[1:], None], strict=True)))
        except Fault as fault:
            self._losses.problem(fault.loss, self._name, self._position, fault.reason)
        finally:
            for number, *_ in self._asked:
                self._readers.release(number)

    def _stretches(self, reader: _Reader, rest: deque[tuple[int, int | None]]) -> Iterator[FrameBatch]:
        while rest or self._asked:
            while rest and len(self._asked) < AHEAD * self._readers.jobs:
                start, limit = rest.popleft()
                if limit is None or limit > self._position:  # else a long record goes past all of it
                    self._ask(reader, start, limit)
            if self._asked:
                yield from self._next(reader)

    def _ask(self, reader: _Reader, start: int, limit: int | None) -> None:
        header = reader.header()
        number = self._readers.read(Work(self._name, self._raw.identity, start, limit, header))
        self._asked.append((number, limit, header))

    def _next(self, reader: _Reader) -> Iterator[FrameBatch]:
        """The stretch that comes next."""
        number, limit, header = self._asked[0]
        read = self._readers.result(number)
        before = self._position
        if limit is not None and limit <= before:
            self._done()
            return
        self._counts.stretches += 1
        if read is not None and read.begin == before and header == reader.header():
            first = reader.number
            reader.pass_over(read)
            for name, count in read.losses.items():
                self._losses[name] += count
            yield from self._readers.batches(number, read, first)
            self._position = read.end
            self._done()
            self._on_bytes(self._position - before)
        else:
            self._done()
            self._counts.again += 1
            yield from self._in_order(reader, limit)

    def _done(self) -> None:
        number, *_ = self._asked.popleft()
        self._readers.release(number)

    def _in_order(self, reader: _Reader, limit: int | None) -> Iterator[FrameBatch]:
        """Read here, from where we are. Raises Fault."""
        before = self._position
        self._raw.seek(before)
        head = b"" if before else read_up_to(self._raw, HEAD_BYTES)
        window = Window(self._raw, head, self._name, self._losses, base=before)
        try:
            yield from reader.batches(window, limit)
        finally:
            self._position = window.offset
            self._on_bytes(self._position - before)
