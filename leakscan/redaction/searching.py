"""Where in a capture the needles stand: in frames, over frames, in comments and names, in compressed bodies.

In: the pieces of the file. Out: edits; and what cannot be edited, by frame. State: a group of pieces, and that of
streams.py, fragments and bodies.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from leakscan.redaction.addresses import Addresses
from leakscan.redaction.bodies import Bodies, Source
from leakscan.redaction.edits import Edit
from leakscan.redaction.fragmented import Packet
from leakscan.redaction.located import Located, Run
from leakscan.redaction.needles import Hit, Needles
from leakscan.redaction.parts import Parts
from leakscan.redaction.records import Piece
from leakscan.redaction.streams import Streams
from leakscan.redaction.tracing import Layer, Tracer

GROUP_BYTES = 1 << 20  # pieces searched at once
MAX_CONFLICTS = 20
_SYN, _MORE_OR_OFFSET = 2, 0x3FFF
_TCP_HEADER = struct.Struct("!4sI4xBB")


class Plain(NamedTuple):
    """A TCP segment in the usual frame: Ethernet, IP without fragments and extension headers."""

    key: bytes
    seq: int
    flags: int
    start: int  # of the payload in the frame
    end: int


class Search:
    """One pass over a capture."""

    def __init__(self, needles: Needles, parts: Parts | None = None, addresses: Addresses | None = None) -> None:
        """Without `parts` only whole needles are sought. `addresses`: of packets that came in fragments; of all others
        they are replaced when the file is written."""
        self._addresses = addresses
        self._needles = needles
        self._parts = parts
        self._streams = Streams(needles, parts)
        self._tracer = Tracer()
        self.bodies = Bodies(needles)
        self.conflicts: list[int] = []  # the first frames that say something else than others in the same place

    def edits(self, pieces: Iterable[Piece]) -> Iterator[Edit]:
        """Every edit that the capture needs; the pieces are numbered as they come."""
        group: list[Piece] = []
        size = first = 0
        for piece in pieces:
            group.append(piece)
            size += len(piece.data)
            if size >= GROUP_BYTES:
                yield from self._group(first, group)
                first, size, group = first + len(group), 0, []
        yield from self._group(first, group)
        yield from self._lost(self._tracer.end())
        yield from self._streams.end()
        yield from self.bodies.end()

    def _group(self, first: int, group: list[Piece]) -> Iterator[Edit]:
        hits = iter(self._needles.search(b"".join(piece.data for piece in group)))
        hit = next(hits, None)
        start = 0
        for number, piece in enumerate(group, first):
            own: list[Hit] = []
            end = start + len(piece.data)
            while hit is not None and hit.start < end:
                if hit.end <= end:
                    own.append(hit._replace(start=hit.start - start))
                hit = next(hits, None)
            start = end
            own = [one for one in own if _may_change(piece, one)]
            for one in own:
                yield Edit(number, one.start, one.new, one.size, len(one.needle.old))
            if piece.frame:
                before = self._streams.conflicts
                yield from self._frame(number, piece, own)
                if self._streams.conflicts > before and len(self.conflicts) < MAX_CONFLICTS:
                    self.conflicts.append(piece.frame)

    def _frame(self, number: int, piece: Piece, hits: list[Hit]) -> Iterator[Edit]:
        """The segments in a frame go on into their streams."""
        size = without_fcs(piece)
        plain = usual(piece.data, piece.start, size, piece.wire - piece.fcs) if piece.link == 1 else None
        if plain is not None:
            if plain.flags & _SYN:
                yield from self._streams.open(plain.key, (plain.seq + 1) % (1 << 32))
            if plain.end > plain.start:
                seq = plain.seq + bool(plain.flags & _SYN)
                yield from self._segment(plain.key, seq, number, piece, plain.start, plain.end, hits)
            return
        frame = piece.data[piece.start : piece.start + size]
        traced = self._tracer.trace(frame, piece.wire - piece.fcs, piece.link, number, piece.start, piece.time_ns)
        if not any(segment.payload for segment in traced.segments):
            yield from self._datagram(traced.layers)
        if not traced.segments and size < piece.wire - piece.fcs:
            yield from self._snapped(Located.of(frame, (Run(0, number, piece.start),)))
        yield from self._lost(traced.lost)
        for segment in traced.segments:
            key, seq, flags, payload = bytes(segment.key), segment.seq, segment.flags, segment.payload
            if flags & _SYN:
                seq += 1
                yield from self._streams.open(key, seq % (1 << 32))
            if not payload:
                continue
            runs = payload.runs  # type: ignore[attr-defined]
            if len(runs) == 1 and runs[0].frame == number and _put_together(traced.layers) is None:
                start = runs[0].offset
                yield from self._segment(key, seq, number, piece, start, start + len(payload), hits)
            else:
                packet = Packet(payload, traced.layers)  # type: ignore[arg-type]
                if self._addresses is not None:
                    packet.replace(self._addresses)
                found = self._needles.search(bytes(payload))
                for hit in found:
                    packet.edit(hit.start, hit.new, hit.size, len(hit.needle.old))
                yield from self._streams.feed(key, seq % (1 << 32), bytes(payload), packet, 0, found)
                numbers = tuple(dict.fromkeys(run.frame for run in runs if run.frame is not None))
                yield from self.bodies.feed(key, seq % (1 << 32), bytes(payload), Source(numbers, piece.frame))

    def _datagram(self, layers: list[Layer]) -> Iterator[Edit]:
        """What came in fragments and is no TCP, or has no payload: the outermost layer that was put together."""
        whole = _put_together(layers)
        if whole is not None:
            packet = Packet(whole, layers)
            if self._addresses is not None:
                packet.replace(self._addresses)
            for hit in self._needles.search(bytes(whole)):
                packet.edit(hit.start, hit.new, hit.size, len(hit.needle.old))
            yield from packet.finish()

    def _lost(self, runs: Iterable[Located]) -> Iterator[Edit]:
        """Fragments whose others did not come."""
        for run in runs:
            for hit in self._needles.search(bytes(run)) if len(run.runs) > 1 else ():
                yield from _placed(run, hit.start, hit.new, hit.size)
            yield from self._snapped(run)
            part = self._parts.at_start(bytes(run[: self._parts.reach])) if self._parts is not None else None
            if part is not None and part.old != part.new:
                yield from _placed(run, 0, part.new, len(part.old))

    def _snapped(self, run: Located) -> Iterator[Edit]:
        """Bytes of which the rest was not captured."""
        if self._parts is None:
            return
        first = max(0, len(run) - self._parts.reach)
        part = self._parts.at_end(bytes(run[first:]))
        if part is not None and part.old != part.new:
            yield from _placed(run, first + part.start, part.new, len(part.old))

    def _segment(
        self, key: bytes, seq: int, number: int, piece: Piece, start: int, end: int, hits: list[Hit]
    ) -> Iterator[Edit]:
        """`start` and `end`: of its payload in the piece."""
        data = piece.data[start:end]
        whole = [hit._replace(start=hit.start - start) for hit in hits if start <= hit.start and hit.end <= end]
        yield from self._streams.feed(key, seq % (1 << 32), data, number, start, whole)
        yield from self.bodies.feed(key, seq % (1 << 32), data, Source((number,), piece.frame))


def _put_together(layers: list[Layer]) -> Located | None:
    """The outermost layer that came in pieces: a checksum in it may stand in another frame than what it covers."""
    return next((one.data for one in layers if len(one.data.runs) > 1 and not one.first_fragment), None)


def _placed(data: Located, start: int, new: bytes | None, size: int) -> Iterator[Edit]:
    """Bytes of `data` that become others, in the frames in which they stand."""
    for low, high, piece, offset in data.places(start, start + size):
        if piece is not None:
            yield Edit(piece, offset, None if new is None else new[low - start : high - start], high - low, size)


def _may_change(piece: Piece, hit: Hit) -> bool:
    """Frames, options and other blocks' contents; not what holds a file together, the lengths and types."""
    end = piece.start + piece.size
    if piece.frame and piece.start <= hit.start and hit.end <= end:
        return True
    return end <= hit.start >= 8 and hit.end <= len(piece.data) - 4


def without_fcs(piece: Piece) -> int:
    """Bytes of the frame without its check sequence, as far as they were captured (sources/links.py)."""
    return min(piece.size, max(piece.wire - piece.fcs, 0)) if piece.fcs else piece.size


def usual(data: bytes, start: int, size: int, wire: int) -> Plain | None:
    """What decode would say of a frame that it can be said of at a glance; None of any other, and of a cut one."""
    if size < 54 or size < wire:
        return None
    at, end = start + 14, start + size
    kind, first = data[start + 12 : at], data[at]
    if kind == b"\x08\x00" and first >> 4 == 4:
        tcp = at + (first & 15) * 4
        total, where = int.from_bytes(data[at + 2 : at + 4]), int.from_bytes(data[at + 6 : at + 8])
        if (first & 15) < 5 or data[at + 9] != 6 or where & _MORE_OR_OFFSET or not total:
            return None
        key, behind = b"\0" + data[at + 12 : at + 20], at + total
    elif kind == b"\x86\xdd" and first >> 4 == 6 and data[at + 6] == 6:
        tcp, length = at + 40, int.from_bytes(data[at + 4 : at + 6])
        if not length:
            return None
        key, behind = b"\0" + data[at + 8 : at + 40], at + 40 + length
    else:
        return None
    if tcp + 20 > behind or behind > end:
        return None
    ports, seq, offset, flags = _TCP_HEADER.unpack_from(data, tcp)
    payload = tcp + (offset >> 4) * 4
    if not tcp + 20 <= payload <= behind:
        return None
    return Plain(key + ports, seq, flags, payload, behind)
