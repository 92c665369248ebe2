"""Frames from interfaces, as they come: the same batches as from a file.

In: names of interfaces. Out: `FrameBatch`es of one interface each, closed after MAX_BATCH_FRAMES, MAX_BATCH_BYTES or
BATCH_MS, and numbered by interface. State: for each interface its tap and the batch that is being filled; waiting is
done on all of them at once. `ask` is called between two batches, at least every TICK_MS: it tells when to end. Then all
is still read that had come before.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leakscan.errors import LeakscanError, MissingExtra
from leakscan.losses import Losses
from leakscan.model import FrameBatch, Origin
from leakscan.sources import libpcap, sniffer
from leakscan.sources.stream import BUFFER_BYTES
from leakscan.sources.tap import BLOCK_MS, Drops, Gone, Piece, Tap, Wish

if TYPE_CHECKING:
    from leakscan.model import Column

MAX_BATCH_FRAMES = 1 << 16
MAX_BATCH_BYTES = BUFFER_BYTES  # and one piece more
BATCH_MS = 200
TICK_MS = 200
#: Frames read at a time: so many of the longest still fit the memory, and no more can wait than the ring holds.
PIECE_FRAMES = 1024
#: How long the kernel may hold a block back that is not full, and a little.
LINGER_MS = BLOCK_MS + 50
REOPEN_MS = 1000

Ask = Callable[[], bool]
Open = Callable[[str, Wish], Tap]


def best_tap() -> tuple[str, Open]:
    """The way to capture that there is here, and its name. Raises MissingExtra."""
    if libpcap.available():
        return "libpcap", libpcap.LibpcapTap
    if sniffer.available():
        return "scapy", sniffer.SnifferTap
    raise MissingExtra("capturing from an interface", "live")


class Interfaces:
    """Several interfaces, captured at once. Opening raises what the tap raises; `close` must be called."""

    def __init__(
        self,
        names: Sequence[str],
        wish: Wish,
        losses: Losses,
        ask: Ask,
        *,
        open_tap: Open,
        packets: int | None = None,
        reopen: bool = False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._losses = losses
        self._ask = ask
        self._left = packets
        self._ring = wish.ring
        self._reopen = reopen
        self._say = say
        self._gone = False
        self._lines: list[_Line] = []
        try:
            for name in dict.fromkeys(names):
                self._lines.append(_Line(name, wish, open_tap))
        except LeakscanError:
            self.close()
            raise

    @property
    def links(self) -> dict[str, int]:
        """Interface -> LINKTYPE_ number."""
        return {line.name: line.origin.link for line in self._lines}

    @property
    def counts_drops(self) -> bool:
        return all(line.counts_drops for line in self._lines)

    def drops(self) -> dict[str, Drops]:
        """Interface -> packets since the beginning."""
        return {line.name: line.drops() for line in self._lines}

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def batches(self) -> Iterator[FrameBatch]:
        """Until `ask` says so, the packets are used up, or an interface goes away that is not to be awaited."""
        while not self._ask() and self._left != 0 and not self._gone:
            for line in self._ready():
                yield from self._read(line)
            for line in self._lines:
                if line.tap is None and self._reopen:
                    self._try_again(line)
                elif line.due():
                    yield line.batch()
        stop_ns = time.time_ns()
        for line in self._lines:
            yield from self._rest(line, stop_ns)

    def _ready(self) -> list[_Line]:
        """The interfaces that frames wait at; waits for them, not beyond the next thing to do."""
        open_lines = {line.tap.fileno(): line for line in self._lines if line.tap is not None}
        poll = select.poll()
        for descriptor in open_lines:
            poll.register(descriptor, select.POLLIN)
        wait = min((line.wait_ms() for line in self._lines), default=TICK_MS)
        return [open_lines[descriptor] for descriptor, _ in poll.poll(wait)]

    def _read(self, line: _Line) -> Iterator[FrameBatch]:
        """Read what waits, as far as it fits a batch."""
        if self._left == 0:  # another interface had the last one
            return
        try:
            piece = line.read(self._most())
        except Gone as gone:
            yield from self._lose(line, str(gone))
            return
        if piece is None:
            return
        self._used(piece)
        if line.is_full():
            yield line.batch()

    def _rest(self, line: _Line, stop_ns: int) -> Iterator[FrameBatch]:
        """What had come when the end was called; a block of frames may still be in the kernel's hands.

        It ends at the first later frame, or when so much was read as the ring holds: clocks may differ.
        """
        deadline, size = time.monotonic() + LINGER_MS / 1000, 0
        while line.tap is not None and self._left != 0 and size <= self._ring:
            try:
                piece = line.read(self._most(), before=stop_ns)
            except Gone:
                break
            if piece is None:
                if time.monotonic() > deadline:
                    break
                time.sleep(LINGER_MS / 10_000)
                continue
            self._used(piece)
            size += len(piece.data)
            if line.is_full():
                yield line.batch()
            if int(piece.time_ns[-1]) > stop_ns:
                break
        if line.pieces:
            yield line.batch()

    def _most(self) -> int:
        return PIECE_FRAMES if self._left is None else min(PIECE_FRAMES, self._left)

    def _used(self, piece: Piece) -> None:
        if self._left is not None:
            self._left -= len(piece.start)

    def _lose(self, line: _Line, reason: str) -> Iterator[FrameBatch]:
        """Read what the kernel still holds of an interface that went away, then let go of it."""
        deadline = time.monotonic() + LINGER_MS / 1000
        while time.monotonic() < deadline and self._left != 0:
            try:
                piece = line.read(self._most())
            except Gone:
                piece = None
            if piece is None:
                time.sleep(LINGER_MS / 10_000)
                continue
            self._used(piece)
            if line.is_full():
                yield line.batch()
        if line.pieces:
            yield line.batch()
        line.lose()
        if self._reopen:
            self._say(f"{line.name}: {reason}; waiting for it")
        else:
            self._gone = True
            self._losses.problem("capture.interface-gone", line.name, None, reason)

    def _try_again(self, line: _Line) -> None:
        if line.open_again():
            self._losses["capture.reopened"] += 1
            self._say(f"{line.name}: captured again")


class _Line:
    """One interface: its tap, unless it is away, and the batch that is being filled."""

    def __init__(self, name: str, wish: Wish, open_tap: Open) -> None:
        self.name = name
        self._wish = wish
        self._open = open_tap
        self.tap: Tap | None = None
        self.pieces: list[Piece] = []
        self._frames = self._bytes = 0
        self._since = 0.0  # when the batch was begun, or the interface was last tried
        self._number = 1
        self._before = Drops()  # of taps that are gone
        self._now = Drops()
        self._attach(open_tap(name, wish))

    def _attach(self, tap: Tap) -> None:
        self.tap = tap
        self.counts_drops = tap.counts_drops
        self.origin = Origin(self.name, tap.link, tap.digits, self.name)

    def read(self, most: int, before: int | None = None) -> Piece | None:
        """Take a piece into the batch, of frames of up to the time `before`; gives it whole. Raises Gone."""
        assert self.tap is not None
        piece = self.tap.read(most)
        if piece is None:
            return None
        if not self.pieces:
            self._since = time.monotonic()
        kept = piece if before is None else _until(piece, before)
        if len(kept.start):
            self.pieces.append(kept)
            self._frames += len(kept.start)
            self._bytes += len(kept.data)
        return piece

    def is_full(self) -> bool:
        return self._frames >= MAX_BATCH_FRAMES or self._bytes >= MAX_BATCH_BYTES

    def due(self) -> bool:
        return bool(self.pieces) and time.monotonic() - self._since >= BATCH_MS / 1000

    def wait_ms(self) -> float:
        """How long nothing needs to be done here."""
        if not self.pieces:
            return TICK_MS
        return max(0.0, BATCH_MS - (time.monotonic() - self._since) * 1000)

    def batch(self) -> FrameBatch:
        """Close the batch."""
        pieces, first = self.pieces, self._number
        self._number += self._frames
        self.pieces, self._frames, self._bytes = [], 0, 0
        data = b"".join(piece.data for piece in pieces) if len(pieces) > 1 else pieces[0].data
        ends = np.cumsum([len(piece.data) for piece in pieces])
        start = [piece.start + (end - len(piece.data)) for piece, end in zip(pieces, ends, strict=True)]
        captured, wire, time_ns = (
            _joined([getattr(piece, name) for piece in pieces]) for name in ("captured", "wire", "time_ns")
        )
        return FrameBatch(self.origin, data, _joined(start), captured, wire, time_ns, first)

    def drops(self) -> Drops:
        if self.tap is not None:
            self._now = self.tap.drops()
        return Drops(*(before + now for before, now in zip(self._before, self._now, strict=True)))

    def lose(self) -> None:
        """The interface is gone: keep its numbers."""
        self.close()
        self._before, self._now = self.drops(), Drops()
        self._since = time.monotonic()

    def open_again(self) -> bool:
        if time.monotonic() - self._since < REOPEN_MS / 1000:
            return False
        self._since = time.monotonic()
        try:
            self._attach(self._open(self.name, self._wish))
        except LeakscanError:  # still away
            return False
        return True

    def close(self) -> None:
        if self.tap is not None:
            self._now = self.tap.drops()
            self.tap.close()
            self.tap = None


def _joined(columns: list[Column]) -> Column:
    return np.concatenate(columns) if len(columns) > 1 else columns[0]


def _until(piece: Piece, time_ns: int) -> Piece:
    """The frames up to the first that is later."""
    late = piece.time_ns > time_ns
    if not late.any():
        return piece
    count = int(np.argmax(late))
    return Piece(piece.data, *(column[:count] for column in piece[1:]))
