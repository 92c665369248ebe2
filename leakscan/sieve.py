"""The hot path: decodes plain TCP by the batch and drops what nobody will read.

In: frame batches. Out: TCP segments in capture order. What columns.py does not decode at a glance goes to `decode`,
frame by frame; that is the reference, and the sieve may only be faster.

Of TCP it hands on every SYN and every payload, but not the payload of directions that reassembly ignores
(verdicts.Verdicts): what is dropped could not have changed anything. State: none but that table; the answer does not
depend on where a batch ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leakscan.columns import LOCATE, NO_TUNNEL, Batch, Carried, Located, add, by_version, ipv4, ipv6, lookup, u32
from leakscan.decode import Decoder
from leakscan.decode.internet import checksum_right
from leakscan.losses import Losses
from leakscan.model import TUNNEL_KINDS, Coverage, FrameBatch, Segment
from leakscan.verdicts import DEAD, RESPONSES, SLOTS, WATCHED, Verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leakscan.columns import Bits, Bytes, Ints

    Tokens = NDArray[np.uint64]

MIN_BUFFER_BYTES = 64  # columns may look this far behind a short frame
_SYN = 2
_PLAIN, _IN_GTP_U = (bytes((TUNNEL_KINDS.index(kind),)) for kind in ("", "gtp-u"))  # first byte of a key
_TOKEN = lookup(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 256)
_SPACE = lookup(b" \t\r\n", 256)


class _Segments(NamedTuple):
    """TCP segments with a SYN or payload: columns."""

    frame: Ints
    address: Ints  # offset of the source address in the buffer
    width: Ints  # bytes of both addresses: 8 or 32
    tcp: Ints  # offset of the TCP header
    payload: Ints  # offset of the payload
    end: Ints  # of the captured payload
    missing: Ints
    flags: Ints
    teid: Ints  # columns.NO_TUNNEL outside of GTP-U
    token: Tokens

    def take(self, which: Bits | Ints) -> _Segments:
        return _Segments._make(column[which] for column in self)


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

    def segments(self, batches: Iterable[FrameBatch]) -> Iterator[Segment]:
        """Segments in capture order."""
        for batch in batches:
            self._coverage.frames += len(batch.start)
            self._coverage.bytes += int(batch.wire.sum())
            self._verdicts.fresh.clear()
            before = self._decoder.payload_bytes
            enabled = self._enabled and len(batch.buffer) >= MIN_BUFFER_BYTES
            locate = LOCATE.get(batch.origin.link) if enabled else None
            if locate is None:
                for index in range(len(batch.start)):
                    yield from self._decode(batch, index)
            else:
                yield from self._sift(batch, locate)
            self._coverage.tcp_payload_bytes += self._decoder.payload_bytes - before

    def _decode(self, batch: FrameBatch, index: int) -> list[Segment]:
        start, captured, wire = int(batch.start[index]), int(batch.captured[index]), int(batch.wire[index])
        frame = bytes(memoryview(batch.buffer)[start : start + captured])
        return self._decoder.decode(frame, wire, batch.first_frame + index, int(batch.time_ns[index]), batch.origin)

    def _sift(self, frames: FrameBatch, locate: Callable[[Batch], Located]) -> Iterator[Segment]:
        batch = Batch(frames, self._losses)
        parts = self._plain(batch, locate(batch))
        for packets in batch.inner:
            parts += self._plain(batch, by_version(batch, packets))
        segments = parts[0]
        if len(parts) > 1:
            segments = _Segments._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
            segments = segments.take(np.argsort(segments.frame, kind="stable"))
        odd = [segment for index in np.flatnonzero(batch.odd).tolist() for segment in self._decode(frames, index)]
        reopened = [self._verdicts.token(segment.key) for segment in odd if segment.flags & _SYN]
        kept = segments.take(~self._ignored(batch.buf, segments, reopened))
        yield from self._build(batch, frames, kept, iter(odd))

    def _plain(self, batch: Batch, located: Located) -> list[_Segments]:
        """The segments in IPv4 packets and, if there are any, those in IPv6 packets."""
        packets4, packets6 = located
        parts = [self._tcp(batch, ipv4(batch, packets4), 4)]
        if len(packets6.frame):
            parts.append(self._tcp(batch, ipv6(batch, packets6), 6))
        return parts

    def _tcp(self, batch: Batch, carried: Carried, version: int) -> _Segments:
        """Read TCP headers; keep what has a SYN or payload."""
        buf = batch.buf
        packets, at, ip_end = carried
        end = np.minimum(packets.end, ip_end)
        payload = at + (buf[np.minimum(at + 12, len(buf) - 1)] >> 4).astype(np.int64) * 4
        good = (at + 20 <= payload) & (payload <= end)
        batch.odd[packets.frame[~good]] = True
        self._coverage.tcp_payload_bytes += int((ip_end - payload)[good].sum())
        add(self._losses, "tcp.cut", np.count_nonzero((ip_end > end) & good))
        flags = buf[np.minimum(at + 13, len(buf) - 1)].astype(np.int64)
        good &= (flags & _SYN != 0) | (ip_end > payload)
        width = 8 if version == 4 else 32
        found = _Segments(
            frame=packets.frame,
            address=packets.offset + (12 if version == 4 else 8),
            width=np.full(len(at), width),
            tcp=at,
            payload=payload,
            end=end,
            missing=ip_end - end,
            flags=flags,
            teid=packets.teid,
            token=at.view(np.uint64),  # a placeholder of the right size
        ).take(good)
        return found._replace(token=self._tokens(buf, found, width // 4))

    def _tokens(self, buf: Bytes, segments: _Segments, words: int) -> Tokens:
        """Verdicts.token for many directions at once. `words`: 32-bit words of both addresses."""
        total = u32(buf, segments.tcp).astype(np.uint64) * self._multipliers[words]
        total += (segments.teid != NO_TUNNEL).astype(np.uint64) * self._multipliers[10]
        for index in range(words):
            total += u32(buf, segments.address + 4 * index).astype(np.uint64) * self._multipliers[index]
        total = (total ^ (total >> np.uint64(32))) * self._multipliers[9]
        tokens: Tokens = np.maximum(total, np.uint64(1))
        return tokens

    def _ignored(self, buf: Bytes, segments: _Segments, reopened: list[int]) -> Bits:
        """Payload that reassembly would ignore. Of directions that this batch opens again (a SYN, also in an odd frame:
        `reopened`; a segment that may begin a request, when they are watched) nothing is.
        """
        slot = (segments.token & np.uint64(SLOTS - 1)).astype(np.int64)
        codes = np.where(self._verdicts.tags[slot] == segments.token, self._verdicts.codes[slot], 0)
        again = (segments.flags & _SYN != 0) & (codes > 0)
        watched = np.flatnonzero(codes == WATCHED)
        if len(watched):
            again[watched] |= _may_begin(buf, segments.payload[watched], segments.end[watched])
        if reopened or again.any():
            tokens = np.concatenate((segments.token[again], np.array(reopened, np.uint64)))
            codes[np.isin(segments.token, tokens)] = 0
        responses = codes == RESPONSES
        self._coverage.examined_bytes += int((segments.end - segments.payload)[responses].sum())
        return codes > 0

    def _build(
        self, batch: Batch, frames: FrameBatch, segments: _Segments, odd: Iterator[Segment]
    ) -> Iterator[Segment]:
        """Python objects, at last, for what is left, and odd segments in their places. Asks again what reassembly has
        decided meanwhile: so nothing may be looked at before its turn.
        """
        seqs = u32(batch.buf, segments.tcp + 4).tolist()
        times = frames.time_ns[segments.frame].tolist()
        view, fresh, origin, first = memoryview(frames.buffer), self._verdicts.fresh, frames.origin, frames.first_frame
        rows = zip(*(column.tolist() for column in segments), seqs, times, strict=True)
        waiting = next(odd, None)
        for frame, address, width, tcp, payload, end, missing, flags, teid, token, seq, time_ns in rows:
            while waiting is not None and waiting.frame < first + frame:
                yield waiting
                waiting = next(odd, None)
            if token in fresh and not flags & _SYN:
                code = fresh[token]
                if code == RESPONSES:
                    self._coverage.examined_bytes += end - payload
                if code in (RESPONSES, DEAD):
                    continue
            addresses = bytes(view[address : address + width])
            segment = bytes(view[tcp:end])
            sound = missing > 0 or payload == end or checksum_right(addresses, segment)
            kind, tunnel = (_PLAIN, None) if teid == NO_TUNNEL else (_IN_GTP_U, teid)
            key, data = kind + addresses + segment[:4], segment[payload - tcp :]
            yield Segment(key, seq, flags, data, missing, sound, first + frame, time_ns, tunnel, origin)
        if waiting is not None:
            yield waiting
            yield from odd


def _may_begin(buf: Bytes, at: Ints, end: Ints) -> Bits:
    """Whether a request or status line may begin at `at`: false only where verdicts.classify says OTHER."""
    last = len(buf) - 1
    first, second, third = (buf[np.minimum(at + i, last)] for i in range(3))
    word = _SPACE[second] | (_TOKEN[second] & ((end - at < 3) | _TOKEN[third] | _SPACE[third]))
    may: Bits = (end == at) | _SPACE[first] | (_TOKEN[first] & ((end - at < 2) | word))
    return may
