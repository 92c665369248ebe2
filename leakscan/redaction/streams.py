"""Needles that segments, or fragments, have cut in two; copies of pieces of them that are sent again; and parts of
needles of which the rest was not captured.

In: the payload of every TCP segment, of every direction, in capture order, with what the needles found in it. Out:
edits of frames. A needle that is whole in one frame is the caller's to find, there and in every copy; here are those
that begin in one segment and end in another, whatever came between them. Where copies of the same bytes differ, needles
are sought in what the first ones say and in what the last ones say, and replaced byte by byte where they stand.

State: of each direction the last segments (MAX_PIECES, MAX_PIECE_BYTES), the last needles (MAX_HITS) and what was
captured (MAX_RANGES), of at most MAX_STREAMS directions and MAX_BYTES in all; the direction that was quiet longest is
given up first. So a copy of half a needle is known as long as the direction is; one that comes later is searched, and
the copy is checked at the end. A hole is one when half as many segments came behind it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from leakscan.redaction.edits import Edit
from leakscan.redaction.fragmented import Packet
from leakscan.redaction.needles import Hit, Needles
from leakscan.redaction.parts import Parts

MAX_STREAMS = 1 << 16
MAX_PIECES = 64
MAX_PIECE_BYTES = 256 << 10
MAX_HITS = 256
MAX_RANGES = 64
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
    mixed: bool = False  # of copies that differ: it is where its bytes are, one by one


class _Stream:
    __slots__ = ("base", "captured", "held", "hits", "last", "looked", "order", "overlaps", "pieces")

    def __init__(self, seq: int) -> None:
        self.base = seq
        self.last = 0
        self.pieces: list[Piece] = []  # by start
        self.order: list[Piece] = []  # by arrival: the first that has a byte is believed
        self.held = 0
        self.hits: list[_Known] = []
        self.captured: list[tuple[int, int]] = []  # disjoint, sorted
        self.overlaps = False  # some bytes were sent twice
        self.looked = 0  # of the pieces in `order`, how many were looked at for parts

    def cover(self, start: int, end: int) -> None:
        """These bytes were captured."""
        ranges = self.captured
        if ranges and start == ranges[-1][1]:
            ranges[-1] = ranges[-1][0], end
            return
        touched = [one for one in ranges if one[0] <= end and start <= one[1]]
        self.overlaps = self.overlaps or any(low < end and start < high for low, high in touched)
        joined = min([start, *(low for low, _ in touched)]), max([end, *(high for _, high in touched)])
        self.captured = sorted([joined, *(one for one in ranges if one not in touched)])[-MAX_RANGES:]

    def has(self, position: int) -> bool:
        return any(low <= position < high for low, high in self.captured)


class Streams:
    """The directions of one capture. Without `parts` only whole needles are sought."""

    def __init__(self, needles: Needles, parts: Parts | None = None) -> None:
        self._needles = needles
        self._parts = parts
        self._streams: OrderedDict[bytes, _Stream] = OrderedDict()
        self._held = 0
        self.conflicts = 0  # segments that say something else than others in the same place

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
        stream.cover(piece.start, piece.end)
        for known in stream.hits:
            if known.start < piece.end and piece.start < known.start + len(known.old):
                yield from self._apply(piece, known)
        for hit in hits:
            known = _Known(piece.start + hit.start, data[hit.start : hit.end], hit.new)
            self._know(stream, known)
            for other in _over(stream, known.start, known.start + len(known.old)):
                yield from self._apply(other, known)
        insort(stream.pieces, piece, key=_start)
        stream.order.append(piece)
        for known in self._views(stream, piece) if stream.overlaps else self._seams(stream, piece):
            self._know(stream, known)
            for other in _over(stream, known.start, known.start + len(known.old)):
                yield from self._apply(other, known)
        yield from self._hold(stream, piece)

    def end(self) -> Iterator[Edit]:
        """Nothing more comes."""
        while self._streams:
            yield from self._forget(next(iter(self._streams)))

    def _forget(self, key: bytes) -> Iterator[Edit]:
        stream = self._streams.pop(key)
        self._held -= stream.held
        for piece in stream.order[stream.looked :]:
            yield from self._edges(stream, piece)
        for piece in stream.order:
            yield from _finished(piece)

    def _hold(self, stream: _Stream, piece: Piece) -> Iterator[Edit]:
        stream.held += len(piece.data)
        self._held += len(piece.data)
        while len(stream.order) - stream.looked > MAX_PIECES // 2:
            yield from self._look(stream)
        while len(stream.order) > MAX_PIECES or stream.held > MAX_PIECE_BYTES:
            if not stream.looked:
                yield from self._look(stream)
            stream.looked -= 1
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

    def _look(self, stream: _Stream) -> Iterator[Edit]:
        """At the next piece, for parts."""
        stream.looked += 1
        yield from self._edges(stream, stream.order[stream.looked - 1])

    def _edges(self, stream: _Stream, piece: Piece) -> Iterator[Edit]:
        """Parts of needles where what was captured begins, or ends."""
        parts = self._parts
        if parts is None or not parts.reach:
            return
        found: list[_Known] = []
        if not stream.has(piece.end):
            data = self._beside(stream, piece.end, -parts.reach)
            if part := parts.at_end(data):
                found.append(_Known(piece.end - len(data) + part.start, part.old, part.new))
        if not stream.has(piece.start - 1):
            part = parts.at_start(self._beside(stream, piece.start, parts.reach))
            found += [_Known(piece.start, part.old, part.new)] if part else []
        for known in found:
            if known.old != known.new:
                self._know(stream, known)
                for other in _over(stream, known.start, known.start + len(known.old)):
                    yield from self._apply(other, known)

    @staticmethod
    def _know(stream: _Stream, known: _Known) -> None:
        stream.hits.append(known)
        if len(stream.hits) > MAX_HITS:
            del stream.hits[0]

    def _seams(self, stream: _Stream, piece: Piece) -> Iterator[_Known]:
        """Needles that begin or end in the piece and are not whole in it."""
        reach = self._needles.longest - 1
        if reach <= 0 or len(stream.pieces) < 2:
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

    def _views(self, stream: _Stream, piece: Piece) -> Iterator[_Known]:
        """The same where bytes were sent twice: in what the first copies say, and in what the last do."""
        reach = self._needles.longest - 1
        if reach <= 0:
            return
        low, high = piece.start - reach, piece.end + reach
        pieces = list(_over(stream, low, high))
        known = set(stream.hits)
        views = [list(_laid(order, low, high)) for order in (pieces, pieces[::-1])]
        self.conflicts += views[0] != views[1]
        for view in views if views[0] != views[1] else views[:1]:
            for start, data in view:
                for hit in self._needles.search(data):
                    found = _Known(start + hit.start, data[hit.start : hit.end], hit.new, True)
                    if found not in known and found._replace(mixed=False) not in known and not _is_whole(piece, found):
                        known.add(found)
                        yield found

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
        here, there = piece.data[low - piece.start : high - piece.start], known.old[low - known.start :]
        for start, end in _alike(here, there) if known.mixed else [(0, len(here))] if there.startswith(here) else []:
            at, size = low + start - piece.start, end - start
            place = low + start - known.start
            new = None if known.new is None else known.new[place : place + size]
            if isinstance(piece.source, int):
                yield Edit(piece.source, piece.offset + at, new, size, len(known.old))
            else:
                piece.source.edit(at, new, size, len(known.old))


def _finished(piece: Piece) -> Iterator[Edit]:
    if not isinstance(piece.source, int):
        yield from piece.source.finish()


def _alike(one: bytes, other: bytes) -> list[tuple[int, int]]:
    """Where two texts that begin together are the same: beginnings and ends, as far as `one` goes."""
    same = bytes(here == there for here, there in zip(one, other, strict=False))
    return [run.span() for run in re.finditer(rb"\x01+", same)]


def _laid(pieces: list[Piece], low: int, high: int) -> Iterator[tuple[int, bytes]]:
    """What stands in [low, high) without holes, where the first of the pieces that has a byte is believed."""
    data, filled = bytearray(high - low), bytearray(high - low)
    for piece in reversed(pieces):
        start, end = max(low, piece.start), min(high, piece.end)
        data[start - low : end - low] = piece.data[start - piece.start : end - piece.start]
        filled[start - low : end - low] = b"\1" * (end - start)
    for run in re.finditer(rb"\x01+", filled):
        yield low + run.start(), bytes(data[run.start() : run.end()])


def _is_whole(piece: Piece, known: _Known) -> bool:
    """Whether the piece alone holds it."""
    at = known.start - piece.start
    return at >= 0 and piece.data[at : at + len(known.old)] == known.old


def _over(stream: _Stream, low: int, high: int) -> Iterator[Piece]:
    """The pieces that have bytes of [low, high), in the order in which they came."""
    behind = bisect_right(stream.pieces, high - 1, key=_start)
    found = {id(piece) for piece in stream.pieces[:behind] if piece.end > low}
    return (piece for piece in stream.order if id(piece) in found)


def _start(piece: Piece) -> int:
    return piece.start
