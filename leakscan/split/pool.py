"""The workers, as the first process sees them: work is handed to whoever is free, and results are asked for by number.

In: stretches to read, groups of heads. Out: what came of them. Sockets are read and written only where that does not
block, and with the gate closed; a signal may come while we wait. State: work that waits and work that is done, by
number; one shared memory for each stretch on its way, SHARED_BYTES each. How much waits is up to whoever asks.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
from collections import deque
from collections.abc import Iterator
from itertools import count
from mmap import mmap
from types import TracebackType
from typing import Any, NamedTuple, Self

from leakscan.errors import LeakscanError
from leakscan.interrupt import SIGNALS, Gate
from leakscan.model import FrameBatch, Leak
from leakscan.relay import Failed
from leakscan.split.messages import leaks
from leakscan.split.source import AHEAD
from leakscan.split.work import SHARED_BYTES, Read, Work
from leakscan.split.worker import END, FAILED, HEADS, READ, SIZE_BYTES, Setup, become
from leakscan.summary import Summary

#: Records that a worker is given before it has answered, so that it need not wait for the next.
DEPTH = 2
RECEIVED_BYTES = 256 << 10


class _Asked(NamedTuple):
    number: int
    record: bytes


class _Link:
    """One worker, at the other end of a socket."""

    def __init__(self, end: socket.socket, process: int) -> None:
        self.end = end
        self.process = process
        self.numbers: deque[int] = deque()  # of what it has been given, and not answered
        self.sent: deque[memoryview] = deque()  # what it is still to be sent
        self.received = bytearray()


class Pool:
    """Used as a context: leaving it ends the workers."""

    def __init__(self, jobs: int, gate: Gate, setup: Setup) -> None:
        self.jobs = jobs
        self._gate = gate
        self._memories = [mmap(-1, SHARED_BYTES) for _ in range(AHEAD * jobs + 1)]
        self._free = list(range(len(self._memories)))
        self._memory_of: dict[int, int] = {}
        self._numbers = count()
        self._reads: deque[_Asked] = deque()
        self._heads: deque[_Asked] = deque()
        self._done: dict[int, Any] = {}
        self._unwanted: set[int] = set()
        self._links: list[_Link] = []
        self._poll = select.poll()
        for _ in range(jobs):
            self._start(setup)

    def _start(self, setup: Setup) -> None:
        here, there = socket.socketpair()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has made up its mind about them
        process = os.fork()
        if process:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        else:
            for link in self._links:  # else a worker would not see that its parent is gone
                link.end.close()
            here.close()
            become(there, setup, self._memories)
        there.close()
        here.setblocking(False)
        self._links.append(_Link(here, process))

    # -- work ------------------------------------------------------------------------------------------------------

    def read(self, work: Work) -> int:
        """Have a stretch read; gives a number to ask for it by. There must not be more than AHEAD for each job."""
        while not self._free:
            self.wait()
        with self._gate.closed():
            number = next(self._numbers)
            self._memory_of[number] = self._free.pop()
            self._reads.append(_Asked(number, _record(READ, work, self._memory_of[number])))
            self._hand_out()
        return number

    def look(self, group: bytes) -> int:
        """Have a group of heads looked at."""
        with self._gate.closed():
            number = next(self._numbers)
            self._heads.append(_Asked(number, _record(HEADS, group)))
            self._hand_out()
        return number

    def result(self, number: int) -> Read | None:
        """What was read, once it was."""
        while number not in self._done:
            self.wait()
        read: Read | None = self._done[number]
        return read

    def batches(self, number: int, read: Read, first: int) -> Iterator[FrameBatch]:
        """The batches of what was read, frames counted from `first`."""
        from leakscan.split.shared import batch_of  # late: numpy

        for stored in read.stored:
            yield batch_of(self._memories[self._memory_of[number]], stored, first)

    def release(self, number: int) -> None:
        """A stretch is needed no longer, read or not."""
        if number in self._done:
            del self._done[number]
            self._free.append(self._memory_of.pop(number))
        else:
            self._unwanted.add(number)

    def is_done(self, number: int) -> bool:
        return number in self._done

    def leaks(self, number: int) -> Iterator[tuple[str, Leak]]:
        """What was found in a group that is done."""
        return leaks(self._done.pop(number))

    def stop_reading(self) -> None:
        """Nobody wants the stretches that nobody reads yet."""
        self._reads.clear()

    def summaries(self) -> Iterator[Summary]:
        """At the end, when all groups are done: what each worker has counted."""
        numbers = []
        for link in self._links:
            number = next(self._numbers)
            self._give(link, _Asked(number, _record(END)))
            numbers.append(number)
        for number in numbers:
            while number not in self._done:
                self.wait()
            yield self._done.pop(number)

    # -- sockets ---------------------------------------------------------------------------------------------------

    def wait(self, seconds: float | None = None) -> None:
        """Until a worker has something for us, or takes something. Raises LeakscanError, Failed."""
        for link in self._links:
            self._poll.register(link.end, select.POLLIN | (select.POLLOUT if link.sent else 0))
        ready = self._poll.poll(None if seconds is None else 1000 * seconds)
        if ready:
            with self._gate.closed():
                there = {descriptor for descriptor, _ in ready}
                for link in self._links:
                    if link.end.fileno() in there:
                        self._send(link)
                        self._receive(link)
                self._hand_out()

    def _hand_out(self) -> None:
        """Give work to whoever has little; reading first, because all else waits for it."""
        while self._reads or self._heads:
            link = min(self._links, key=lambda link: len(link.numbers))
            if len(link.numbers) >= DEPTH:
                return
            self._give(link, (self._reads or self._heads).popleft())

    def _give(self, link: _Link, asked: _Asked) -> None:
        link.numbers.append(asked.number)
        link.sent.append(memoryview(asked.record))
        self._send(link)

    def _send(self, link: _Link) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while link.sent:
                rest = link.sent[0][link.end.send(link.sent[0]) :]
                link.sent.popleft()
                if rest:
                    link.sent.appendleft(rest)

    def _receive(self, link: _Link) -> None:
        try:
            some = link.end.recv(RECEIVED_BYTES)
        except BlockingIOError:
            return
        except ConnectionResetError:
            some = b""
        if not some:
            raise LeakscanError("a worker process ended before its work was done; try -j 1")
        received = link.received
        received += some
        while len(received) >= SIZE_BYTES:
            end = SIZE_BYTES + int.from_bytes(received[:SIZE_BYTES])
            if len(received) < end:
                return
            kind, answer = pickle.loads(memoryview(received)[SIZE_BYTES:end])
            del received[:end]
            self._take(link.numbers.popleft(), kind, answer)

    def _take(self, number: int, kind: int, answer: Any) -> None:
        if kind == FAILED:
            raise Failed(*answer)
        self._done[number] = answer
        if number in self._unwanted:
            self._unwanted.discard(number)
            self.release(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for link in self._links:
            link.end.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(link.process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(link.process, 0)


def _record(*what: Any) -> bytes:
    packed = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    return len(packed).to_bytes(SIZE_BYTES) + packed
