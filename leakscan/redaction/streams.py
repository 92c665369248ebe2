"""Needles that segments, or fragments, have cut in two; and copies of pieces of them that are sent again.

In: the payload of every TCP segment, of every direction, in capture order, with what the needles found in it. Out:
edits of frames. A needle that is whole in one frame is the caller's to find, there and in every copy; here are those
that begin in one segment and end in another, whatever came between them.

State: of each direction the last segments (MAX_PIECES, MAX_PIECE_BYTES) and the last needles (MAX_HITS), of at most
MAX_STREAMS directions and MAX_BYTES in all; the direction that was quiet longest is given up first. So a copy of half a
needle is known as long as the direction is; one that comes later is searched, and the copy is checked at the end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from leakscan.redaction.edits import Edit
from leakscan.redaction.fragmented import Packet
from leakscan.redaction.needles import Hit, Needles

MAX_STREAMS = 1 << 16
MAX_PIECES = 64
MAX_PIECE_BYTES = 256 << 10
MAX_HITS = 256
MAX_BYTES = 64 << 20
MAX_APART = 1 << 26  # a segment further from the last one belongs to another connection
_WRAP = 1 << 32


class Piece(NamedTuple):
    """Payload that is in order within itself."""

    start: int
    data: bytes
    source: Packet | int  # what was put together of fragments, or the piece of the file that it stands in ...
    offset: int  # ... and where

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class _Known(NamedTuple):
    """A needle at a place of the stream."""

    start: int
    old: bytes
    new: bytes | None


class _Stream:
    __slots__ = ("base", "held", "hits", "last", "order", "pieces")

    def __init__(self, seq: int) -> None:
        self.base = seq
        self.last = 0
        self.pieces: list[Piece] = []  # by start
        self.order: list[Piece] = []  # by arrival: the first that has a byte is believed
        self.held = 0
        self.hits: list[_Known] = []


class Streams:
    """The directions of one capture."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._streams: OrderedDict[bytes, _Stream] = OrderedDict()
        self._held = 0

    def open(self, key: bytes, seq: int) -> Iterator[Edit]:
        """A SYN: the first byte behind it is `seq`. Another connection, unless it is sent again or comes late."""
        stream = self._streams.get(key)
        if stream is None or stream.base == seq:
            return
        late = stream.pieces and 0 <= (stream.base + stream.pieces[0].start - seq) % _WRAP <= MAX_PIECE_BYTES
        if not late:
            yield from self._forget(key)

    def feed(
        self, key: bytes, seq: int, data: bytes, source: Packet | int, offset: int, hits: list[Hit]
    ) -> Iterator[Edit]:
        """One segment with payload; `hits` are the needles that are whole in it, and edited by the caller."""
        stream = self._streams.get(key)
        if stream is not None:
            apart = (seq - stream.base - stream.last + _WRAP // 2) % _WRAP - _WRAP // 2
            if abs(apart) > MAX_APART:
                yield from self._forget(key)
                stream = None
        if stream is None:
            stream = self._streams[key] = _Stream(seq)
        self._streams.move_to_end(key)
        stream.last += (seq - stream.base - stream.last + _WRAP // 2) % _WRAP - _WRAP // 2
        piece = Piece(stream.last, data, source, offset)
        for known in stream.hits:
            if known.start < piece.end and piece.start < known.start + len(known.old):
                yield from self._apply(piece, known)
        for hit in hits:
            known = _Known(piece.start + hit.start, data[hit.start : hit.end], hit.new)
            self._know(stream, known)
            for other in _over(stream, known.start, known.start + len(known.old)):
                yield from self._apply(other, known)
        for known in self._seams(stream, piece):
            self._know(stream, known)
            for other in [*_over(stream, known.start, known.start + len(known.old)), piece]:
                if known.start < other.end and other.start < known.start + len(known.old):
                    yield from self._apply(other, known)
        yield from self._hold(stream, piece)

    def end(self) -> Iterator[Edit]:
        """Nothing more comes."""
        while self._streams:
            yield from self._forget(next(iter(self._streams)))

    def _forget(self, key: bytes) -> Iterator[Edit]:
        stream = self._streams.pop(key)
        self._held -= stream.held
        for piece in stream.order:
            yield from _finished(piece)

    def _hold(self, stream: _Stream, piece: Piece) -> Iterator[Edit]:
        insort(stream.pieces, piece, key=_start)
        stream.order.append(piece)
        stream.held += len(piece.data)
        self._held += len(piece.data)
        while len(stream.order) > MAX_PIECES or stream.held > MAX_PIECE_BYTES:
            oldest = stream.order.pop(0)
            at = bisect_left(stream.pieces, oldest.start, key=_start)
            while stream.pieces[at] is not oldest:
                at += 1
            del stream.pieces[at]
            stream.held -= len(oldest.data)
            self._held -= len(oldest.data)
            yield from _finished(oldest)
        while self._held > MAX_BYTES or len(self._streams) > MAX_STREAMS:
            yield from self._forget(next(iter(self._streams)))

    @staticmethod
    def _know(stream: _Stream, known: _Known) -> None:
        stream.hits.append(known)
        if len(stream.hits) > MAX_HITS:
            del stream.hits[0]

    def _seams(self, stream: _Stream, piece: Piece) -> Iterator[_Known]:
        """Needles that begin or end in the piece and are not whole in it."""
        reach = self._needles.longest - 1
        if reach <= 0 or not stream.pieces:
            return
        before, after = self._beside(stream, piece.start, -reach), self._beside(stream, piece.end, reach)
        if len(piece.data) <= 2 * reach:
            seams = [(piece.start - len(before), before + piece.data + after)] if before or after else []
        else:
            seams = [(piece.start - len(before), before + piece.data[:reach])] if before else []
            seams += [(piece.end - reach, piece.data[-reach:] + after)] if after else []
        for first, data in seams:
            for hit in self._needles.search(data):
                start = first + hit.start
                if start < piece.start < start + hit.size or start < piece.end < start + hit.size:
                    yield _Known(start, data[hit.start : hit.end], hit.new)

    def _beside(self, stream: _Stream, position: int, reach: int) -> bytes:
        """Up to `reach` bytes that stand before the position (below zero), or from there on, without a hole."""
        if reach > 0:
            out = bytearray()
            while len(out) < reach and (more := self._from(stream, position + len(out))):
                out += more[: reach - len(out)]
            return bytes(out)
        out = bytearray()
        while len(out) < -reach and (more := self._until(stream, position - len(out))):
            out[:0] = more[max(0, len(more) + len(out) + reach) :]
        return bytes(out)

    @staticmethod
    def _from(stream: _Stream, position: int) -> bytes:
        """What the first piece that has it holds from the position on."""
        for piece in _over(stream, position, position + 1):
            return piece.data[position - piece.start :]
        return b""

    @staticmethod
    def _until(stream: _Stream, position: int) -> bytes:
        for piece in _over(stream, position - 1, position):
            return piece.data[: position - piece.start]
        return b""

    def _apply(self, piece: Piece, known: _Known) -> Iterator[Edit]:
        """The part of a needle that stands in the piece, if it is the same there."""
        low, high = max(known.start, piece.start), min(known.start + len(known.old), piece.end)
        here, there = slice(low - piece.start, high - piece.start), slice(low - known.start, high - known.start)
        if piece.data[here] != known.old[there]:
            return
        new = None if known.new is None else known.new[there]
        if isinstance(piece.source, int):
            yield Edit(piece.source, piece.offset + here.start, new, high - low, len(known.old))
        else:
            piece.source.edit(here.start, new, high - low, len(known.old))


def _finished(piece: Piece) -> Iterator[Edit]:
    if not isinstance(piece.source, int):
        yield from piece.source.finish()


def _over(stream: _Stream, low: int, high: int) -> Iterator[Piece]:
    """The pieces that have bytes of [low, high), in the order in which they came."""
    behind = bisect_right(stream.pieces, high - 1, key=_start)
    found = {id(piece) for piece in stream.pieces[:behind] if piece.end > low}
    return (piece for piece in stream.order if id(piece) in found)


def _start(piece: Piece) -> int:
    return piece.start
