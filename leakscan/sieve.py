"""The hot path: decodes plain TCP by the batch and drops what nobody will read.

In: frame batches. Out: TCP segments in capture order. What columns.py does not decode at a glance goes to `decode`,
frame by frame; that is the reference, and the sieve may only be faster.

Of TCP it hands on every SYN and every payload, but not the payload of directions that reassembly ignores
(verdicts.Verdicts): what is dropped could not have changed anything. State: none but that table; the answer does not
depend on where a batch ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leakscan.columns import LOCATE, NO_TUNNEL, SYN, Batch, Located, Segments, by_version, ipv4, ipv6, lookup
from leakscan.decode import Decoder
from leakscan.losses import Losses
from leakscan.model import TUNNEL_KINDS, Coverage, FrameBatch, Openings, Segment
from leakscan.verdicts import BODY, DEAD, FREE, RESPONSES, WATCHED, Verdicts

if TYPE_CHECKING:
    from leakscan.columns import Bits, Bytes, Ints, Tokens
    from leakscan.neighbours import Neighbours

MIN_BUFFER_BYTES = 64  # columns may look this far behind a short frame
_PLAIN, _IN_GTP_U = (TUNNEL_KINDS.index(kind) for kind in ("", "gtp-u"))  # first byte of a key
_WIDTHS = (8, 32)  # bytes of both addresses, IPv4 and IPv6
_TOKEN = lookup(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 256)
_SPACE = lookup(b" \t\r\n", 256)


class Sifted(NamedTuple):
    """What of a batch does not depend on anything before it."""

    segments: Segments | None
    odd: Ints  # frames for decode
    payload_bytes: int  # of TCP, on the wire
    begins: Bits | None = None  # `may_begin` of all segments, if that was asked beforehand
    neighbours: Sequence[int] = ()  # hashes of neighbours.Neighbours, if they were seen elsewhere


def sift(frames: FrameBatch, multipliers: Tokens, losses: Losses, neighbours: Neighbours) -> Sifted:
    """The segments of a batch, of a link type in LOCATE. `multipliers`: those of verdicts.Verdicts."""

    def tokens(words: Ints, teid: Ints) -> Tokens:
        """Verdicts.token for many directions at once."""
        total = (teid != NO_TUNNEL).astype(np.uint64) * multipliers[10]
        for row, multiplier in zip(words.view(np.uint64), multipliers[: len(words)], strict=True):
            total += row * multiplier
        total = (total ^ (total >> np.uint64(32))) * multipliers[9]
        tokens: Tokens = np.maximum(total, np.uint64(1))
        return tokens

    def plain(located: Located) -> list[Segments]:
        """The segments in IPv4 packets and those in IPv6 packets, whatever there is of them."""
        ways = zip(located, (ipv4, ipv6), strict=True)
        return [way(batch, packets, tokens) for packets, way in ways if len(packets.frame)]

    batch = Batch(frames, losses, neighbours)
    parts = plain(LOCATE[frames.origin.link](batch))
    for packets in batch.inner:
        parts += plain(by_version(batch, packets))
    segments = parts[0] if parts else None
    if len(parts) > 1:
        segments = Segments._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
        segments = segments.take(np.argsort(segments.frame, kind="stable"))
    return Sifted(segments, np.flatnonzero(batch.odd), batch.payload_bytes)


class Sieve:
    """Turns the batches of one series of captures into segments."""

    def __init__(
        self, decoder: Decoder, verdicts: Verdicts, coverage: Coverage, losses: Losses, enabled: bool = True
    ) -> None:
        self._decoder = decoder
        self._verdicts = verdicts
        self._coverage = coverage
        self._losses = losses
        self._enabled = enabled
        self._multipliers = np.array(verdicts.multipliers, np.uint64)

    def segments(self, batches: Iterable[FrameBatch]) -> Iterator[Segment | Openings]:
        """Segments in capture order. Batches may have been sifted by somebody else, with the same multipliers."""
        for batch in batches:
            self._coverage.frames += len(batch.start)
            self._coverage.bytes += int(batch.wire.sum())
            self._verdicts.fresh.clear()
            before = self._decoder.payload_bytes
            enabled = self._enabled and len(batch.buffer) >= MIN_BUFFER_BYTES
            if isinstance(batch.sifted, Sifted):
                yield from self._pick(batch, batch.sifted)
            elif not enabled or batch.origin.link not in LOCATE:
                for index in range(len(batch.start)):
                    yield from self._decode(batch, index)
            else:
                yield from self._pick(batch, sift(batch, self._multipliers, self._losses, self._decoder.neighbours))
            self._coverage.tcp_payload_bytes += self._decoder.payload_bytes - before

    def _decode(self, batch: FrameBatch, index: int) -> list[Segment]:
        start, captured, wire = int(batch.start[index]), int(batch.captured[index]), int(batch.wire[index])
        frame = bytes(memoryview(batch.buffer)[start : start + captured])
        return self._decoder.decode(frame, wire, batch.first_frame + index, int(batch.time_ns[index]), batch.origin)

    def _pick(self, frames: FrameBatch, sifted: Sifted) -> Iterator[Segment | Openings]:
        """What somebody will read of a batch."""
        segments = sifted.segments
        self._coverage.tcp_payload_bytes += sifted.payload_bytes
        self._decoder.neighbours.take(sifted.neighbours)
        odd = [segment for index in sifted.odd.tolist() for segment in self._decode(frames, index)]
        reopened = [self._verdicts.token(segment.key) for segment in odd if segment.flags & SYN]
        if segments is None:
            yield from odd
            return
        buf = np.frombuffer(frames.buffer, np.uint8)
        kept = segments.take(np.flatnonzero(~self._ignored(buf, segments, reopened, sifted.begins)))
        yield from self._build(frames, kept, iter(odd))

    def _ignored(self, buf: Bytes, segments: Segments, reopened: list[int], begins: Bits | None = None) -> Bits:
        """Payload that reassembly would ignore. Of directions that this batch opens again (a SYN, also in an odd frame:
        `reopened`; a segment that may begin a request, when they are watched) nothing is.
        """
        slot = (segments.token & np.uint64(len(self._verdicts.tags) - 1)).astype(np.int64)
        codes = np.where(self._verdicts.tags[slot] == segments.token, self._verdicts.codes[slot], 0)
        bodies = np.flatnonzero(codes == BODY)
        if len(bodies):
            codes[bodies] = np.where(self._in_body(segments, bodies, slot[bodies]), BODY, FREE)
        again = (segments.flags & SYN != 0) & (codes > 0)
        watched = np.flatnonzero(codes == WATCHED)
        if len(watched):
            if begins is None:
                again[watched] |= may_begin(buf, segments.payload[watched], segments.end[watched])
            else:
                again[watched] |= begins[watched]
        if reopened or again.any():
            tokens = np.concatenate((segments.token[again], np.array(reopened, np.uint64)))
            codes[np.isin(segments.token, tokens)] = 0
        readable = (codes == RESPONSES) | (codes == BODY)
        self._coverage.examined_bytes += int((segments.end - segments.payload)[readable].sum())
        return codes > 0

    def _in_body(self, segments: Segments, which: Ints, slot: Ints) -> Bits:
        """Direction.has_no_use_for, for many segments."""
        offset = (segments.seq[which] - self._verdicts.body_from[slot]) & 0xFFFFFFFF
        length = segments.end[which] - segments.payload[which] + segments.missing[which]
        inside: Bits = (offset + length <= self._verdicts.body_size[slot]) & (segments.flags[which] & SYN == 0)
        return inside

    def _build(self, frames: FrameBatch, segments: Segments, odd: Iterator[Segment]) -> Iterator[Segment | Openings]:
        """Python objects, at last, for what is left, and odd segments in their places. Asks again what reassembly has
        decided meanwhile: so nothing may be looked at before its turn.
        """
        view, fresh, origin, first = memoryview(frames.buffer), self._verdicts.fresh, frames.origin, frames.first_frame
        columns = (segments.frame, segments.tcp, *segments[4:], frames.time_ns[segments.frame])
        keys = _keys(np.frombuffer(frames.buffer, np.uint8), segments)
        rows = zip(keys, *(column.tolist() for column in columns), strict=True)
        waiting = next(odd, None)
        syns: list[tuple[bytes, int, int, int]] = []
        for key, frame, tcp, payload, end, missing, flags, seq, teid, token, time_ns in rows:
            if waiting is not None and waiting.frame < first + frame:
                if syns:
                    yield Openings(syns)
                    syns = []
                while waiting is not None and waiting.frame < first + frame:
                    yield waiting
                    waiting = next(odd, None)
            if flags & SYN:
                if payload == end and not missing:
                    syns.append((key, seq, flags, time_ns))
                    continue
            elif token in fresh:
                if syns:  # one of them may open it again
                    yield Openings(syns)
                    syns = []
                code = fresh[token]
                if code == RESPONSES:
                    self._coverage.examined_bytes += end - payload
                if code in (RESPONSES, DEAD):
                    continue
            if syns:
                yield Openings(syns)
                syns = []
            piece = bytes(view[tcp:end])
            data, whole = piece[payload - tcp :], b"" if missing else piece
            tunnel = None if teid == NO_TUNNEL else teid
            yield Segment(key, seq, flags, data, missing, whole, first + frame, time_ns, tunnel, origin, token)
        if syns:
            yield Openings(syns)
        if waiting is not None:
            yield waiting
            yield from odd


def _keys(buf: Bytes, segments: Segments) -> list[bytes]:
    """model.Segment.key of each: the kind of tunnel, both addresses, both ports."""
    keys = [b""] * len(segments.frame)
    for width in _WIDTHS:
        which = np.flatnonzero(segments.width == width)
        if len(which):
            at = np.empty((len(which), 1 + width + 4), np.int64)
            at[:, 1:-4] = segments.address[which][:, None] + np.arange(width)
            at[:, -4:] = segments.tcp[which][:, None] + np.arange(4)
            at[:, 0] = 0
            rows = buf[at]
            rows[:, 0] = np.where(segments.teid[which] == NO_TUNNEL, _PLAIN, _IN_GTP_U)
            made = rows.view(f"V{rows.shape[1]}").ravel().tolist()
            if len(made) == len(keys):
                return made
            for place, key in zip(which.tolist(), made, strict=True):
                keys[place] = key
    return keys


def may_begin(buf: Bytes, at: Ints, end: Ints) -> Bits:
    """Whether a request or status line may begin at `at`: false only where verdicts.classify says OTHER."""
    last = len(buf) - 1
    first, second, third = (buf[np.minimum(at + i, last)] for i in range(3))
    word = _SPACE[second] | (_TOKEN[second] & ((end - at < 3) | _TOKEN[third] | _SPACE[third]))
    may: Bits = (end == at) | _SPACE[first] | (_TOKEN[first] & ((end - at < 2) | word))
    return may
