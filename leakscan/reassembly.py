"""Puts TCP segments in order, per direction, and hands on the directions that carry HTTP requests.

In: segments in capture order. Out: chunks in stream order, of client directions that speak HTTP/1 (verdicts.classify).
A hole is waited for until it is filled, or until MAX_HELD_SEGMENTS, MAX_HELD_BYTES or GAP_WAIT_NS say that it will not
be; then it is a field of the next chunk. These decisions depend on the stream alone. Sequence numbers wrap (RFC 9293
section 3.4); first bytes win where segments overlap, and other content there is counted.

State: a table of at most MAX_STREAMS directions in two generations (the older half is given up when the younger is
full), and held segments, at most MAX_HELD_ALL bytes over all streams. FIN and RST end nothing: a retransmission may
still follow, and what they would free is bounded anyhow.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator

from leakscan.losses import Losses
from leakscan.model import Chunk, Coverage, Origin, Segment, reverse_key
from leakscan.pieces import fit
from leakscan.verdicts import (
    DEAD,
    FREE,
    MORE,
    REQUEST,
    RESPONSE,
    RESPONSES,
    WATCHED,
    Verdicts,
    begins_anew,
    classify,
    is_request_so_far,
    preamble,
)

MAX_STREAMS = 1 << 17  # directions in the table
MAX_HELD_SEGMENTS = 256  # of one direction, behind a hole
MAX_HELD_BYTES = 1 << 20  # of one direction
MAX_HELD_ALL = 64 << 20
GAP_WAIT_NS = 60 * 10**9  # packet time that a hole is waited for
SWEEP_NS = 10 * 10**9
IDLE_NS = 600 * 10**9  # a stream silent for so long is given up without a word
MAX_RECENT = 8  # delivered segments kept to compare retransmissions with
MAX_BEHIND = 1 << 26  # a segment further behind, or further ahead, than this belongs to another connection
MAX_AHEAD = 1 << 30  # the largest window, RFC 7323 section 2.3
_SYN, _ACK = 2, 16
_WRAP = 1 << 32

_Meta = tuple[int, int, int | None, Origin]  # frame, time, TEID, origin
_NOWHERE = Origin("", 0, 0, "")
_Held = tuple[int, bytes, int, _Meta]  # position, data, bytes missing behind it, whence


class _Direction:
    """One direction that is HTTP, or may be. Positions count from the first byte and never wrap."""

    __slots__ = (
        "client",
        "counted",
        "gone",
        "held",
        "held_bytes",
        "http",
        "isn",
        "key",
        "position",
        "prefix",
        "recent",
        "since",
        "skipped",
        "synced",
        "time_ns",
    )

    def __init__(self, key: bytes, seq: int, synced: bool, client: bool, time_ns: int) -> None:
        self.key = key
        self.isn = seq  # sequence number of position 0
        self.synced = synced  # position 0 is where the stream began
        self.client = client  # it sent the SYN
        self.counted = False  # under what it is, when it was not HTTP before
        self.gone = False  # ignored since
        self.time_ns = time_ns
        self.position = 0
        self.http = False
        self.prefix: list[tuple[bytes, _Meta]] = []  # in order, while it is not decided
        self.held: list[_Held] = []
        self.held_bytes = 0
        self.since = 0  # packet time of the last progress before the hole
        self.skipped = 0  # bytes missing before the next delivery
        self.recent: list[tuple[int, bytes]] = []


class Reassembler:
    """Reassembles the directions of one series of captures."""

    def __init__(self, verdicts: Verdicts, coverage: Coverage, losses: Losses) -> None:
        self._verdicts = verdicts
        self._coverage = coverage
        self._losses = losses
        # A direction is a _Direction, a code of verdicts (ignored), or below zero: a SYN, nothing since.
        self._young: dict[bytes, _Direction | int] = {}
        self._old: dict[bytes, _Direction | int] = {}
        self._holed: dict[bytes, _Direction] = {}
        self._held_bytes = 0
        self._swept = 0

    def reassemble(self, segments: Iterable[Segment]) -> Iterator[Chunk]:
        """Chunks of all request directions; the end of `segments` ends every stream."""
        for segment in segments:
            yield from self.feed(segment)
        yield from self.end()

    def feed(self, segment: Segment) -> list[Chunk]:
        """The chunks that become available with this segment."""
        out: list[Chunk] = []
        if segment.time_ns - self._swept > SWEEP_NS or segment.time_ns < self._swept:
            self._sweep(segment.time_ns, out)
        key = segment.key
        state = self._young.get(key)
        if state is None:
            state = self._old.pop(key, None)
            if state is not None:
                self._keep(key, state, out)
        if segment.flags & _SYN:
            state = self._open(segment, state, out)
        if not segment.payload and not segment.missing:
            return out
        if not isinstance(state, _Direction):
            state = self._wake(segment, state, out)
        if state is not None:
            self._take(state, segment, out)
        return out

    def end(self) -> list[Chunk]:
        """No more segments: every stream ends here."""
        out: list[Chunk] = []
        for state in [*self._old.values(), *self._young.values()]:
            if isinstance(state, _Direction):
                self._finish(state, out)
        self._old, self._young = {}, {}
        return out

    # -- the table -------------------------------------------------------------------------------------------------

    def _keep(self, key: bytes, state: _Direction | int, out: list[Chunk]) -> None:
        self._young[key] = state
        if len(self._young) <= MAX_STREAMS // 2:
            return
        given_up, self._old, self._young = self._old, self._young, {}
        for other in given_up.values():
            if isinstance(other, _Direction):
                if self._swept - other.time_ns < IDLE_NS:
                    self._losses["tcp.stream-evicted"] += 1
                self._finish(other, out)

    def _lookup(self, key: bytes) -> _Direction | int | None:
        state = self._young.get(key)
        return self._old.get(key) if state is None else state

    def _open(self, segment: Segment, state: _Direction | int | None, out: list[Chunk]) -> _Direction | int:
        """A SYN: a new direction, unless it is a retransmission of the one we know."""
        client = not segment.flags & _ACK
        first = (segment.seq + 1) % _WRAP
        fresh = -1 - (first * 2 + client)
        if isinstance(state, _Direction):
            if first == state.isn:
                return state
            self._finish(state, out)
        elif state == fresh:
            return state
        elif state is not None and state > FREE:
            self._verdicts.note(self._verdicts.token(segment.key), FREE)
        if client or self._lookup(reverse_key(segment.key)) is None:
            self._coverage.streams += 1
        self._keep(segment.key, fresh, out)
        return fresh

    def _wake(self, segment: Segment, state: int | None, out: list[Chunk]) -> _Direction | None:
        """Payload on a direction that is only a number so far, or new: a direction to look at, or None to ignore it."""
        key, payload = segment.key, segment.payload
        if state is None and self._lookup(reverse_key(key)) is None:
            self._coverage.streams += 1
            self._losses["tcp.midstream"] += 1
        if state is not None and state < FREE:
            first, client = divmod(-1 - state, 2)
            direction = _Direction(key, first, True, bool(client), segment.time_ns)
        elif state is None or state == WATCHED:
            what = classify(payload)
            if what not in (REQUEST, MORE) or self._is_server(key):
                self._ignore(key, RESPONSES if what == RESPONSE else WATCHED, payload, state is None, out)
                return None
            direction = _Direction(key, segment.seq, False, False, segment.time_ns)
            if state == WATCHED:
                direction.counted = True
                self._verdicts.note(self._verdicts.token(key), FREE)
        else:
            self._ignore(key, state, payload, False, out)
            return None
        self._keep(key, direction, out)
        return direction

    def _is_server(self, key: bytes) -> bool:
        other = self._lookup(reverse_key(key))
        if isinstance(other, _Direction):
            return other.http or other.client
        return other is not None and other < FREE and bool((-1 - other) & 1)

    def _ignore(self, key: bytes, code: int, data: bytes, first: bool, out: list[Chunk]) -> None:
        """From here on the sieve may drop this direction. `first`: count what it is."""
        if code == RESPONSES:
            self._coverage.examined_bytes += len(data)
        elif first and data[:1] == b"\x16" and data[1:2] == b"\x03" and data[5:6] == b"\x01":
            self._losses["tls"] += 1
            self._coverage.tls_streams += 1
        elif first and self._lookup(reverse_key(key)) not in (WATCHED, DEAD):
            self._losses["tcp.other"] += 1
        self._keep(key, code, out)
        self._verdicts.note(self._verdicts.token(key), code)

    # -- one direction ---------------------------------------------------------------------------------------------

    def _take(self, direction: _Direction, segment: Segment, out: list[Chunk]) -> None:
        """Put the segment where it belongs, deliver what is in order now."""
        while direction.held and segment.time_ns - direction.since > GAP_WAIT_NS:
            self._close_hole(direction, out)
        if direction.gone:
            return
        payload, missing, position = segment.payload, segment.missing, direction.position
        seq = segment.seq + 1 if segment.flags & _SYN else segment.seq
        delta = (seq - direction.isn - position) % _WRAP
        if delta >= _WRAP // 2:
            delta -= _WRAP
        if not -MAX_BEHIND < delta < MAX_AHEAD or (delta + position < 0 and classify(payload) == REQUEST):
            self._restart(direction, segment, out)
            return
        direction.time_ns = segment.time_ns
        if direction.http:
            self._coverage.examined_bytes += len(payload)
            if not segment.sound:
                self._losses["tcp.checksum"] += 1
        meta = (segment.frame, segment.time_ns, segment.teid, segment.origin)
        if delta == 0 and not direction.held:
            self._deliver(direction, payload, missing, meta, out)
        elif delta <= 0:
            self._overlap(direction, position + delta, payload, missing, meta, out)
        else:
            self._hold(direction, position + delta, payload, missing, meta)
            if len(direction.held) > MAX_HELD_SEGMENTS or direction.held_bytes > MAX_HELD_BYTES:
                self._close_hole(direction, out)
            while self._held_bytes > MAX_HELD_ALL:
                self._losses["tcp.held-evicted"] += 1
                self._close_hole(next(iter(self._holed.values())), out)

    def _restart(self, direction: _Direction, segment: Segment, out: list[Chunk]) -> None:
        """Another connection with the same addresses and ports, of which the SYN was not captured."""
        self._finish(direction, out)
        self._young[direction.key] = WATCHED
        fresh = self._wake(segment, WATCHED, out)
        if fresh is not None:
            self._take(fresh, segment, out)

    def _overlap(
        self, direction: _Direction, start: int, payload: bytes, missing: int, meta: _Meta, out: list[Chunk]
    ) -> None:
        """A segment that begins at or before the next byte: a duplicate, or the filling of a hole."""
        position = direction.position
        end = start + len(payload)
        if start < position and not (len(payload) == 1 and end == position):  # (a keep-alive probe has no content)
            covered = payload[: position - start]
            if fit(direction.recent, start, covered)[1]:
                self._losses["tcp.overlap-conflict"] += 1
        if end + missing <= position:
            return
        data = payload[position - start :] if start < position else payload
        if direction.held:
            self._hold(direction, position, data, missing, meta)
            self._drain(direction, out)
            direction.since = meta[1]
        else:
            self._deliver(direction, data, missing, meta, out)

    def _hold(self, direction: _Direction, start: int, data: bytes, missing: int, meta: _Meta) -> None:
        if not direction.held:
            direction.since = meta[1]
            self._holed[direction.key] = direction
        fresh, conflict = fit(((piece[0], piece[1]) for piece in direction.held), start, data)
        if conflict:
            self._losses["tcp.overlap-conflict"] += 1
        last = len(fresh) - 1
        for index, (position, piece) in enumerate(fresh):
            insort(direction.held, (position, piece, missing if index == last else 0, meta), key=lambda held: held[0])
            direction.held_bytes += len(piece)
            self._held_bytes += len(piece)

    def _drain(self, direction: _Direction, out: list[Chunk]) -> None:
        """Deliver held pieces that have come into order."""
        held = direction.held
        while held and held[0][0] <= direction.position:
            position, data, missing, meta = held.pop(0)
            direction.held_bytes -= len(data)
            self._held_bytes -= len(data)
            overlap = direction.position - position
            if overlap < len(data) + missing:
                self._deliver(direction, data[overlap:], max(0, missing - max(0, overlap - len(data))), meta, out)
            if direction.gone:
                return
        if held:
            direction.since = held[0][3][1]
        else:
            self._holed.pop(direction.key, None)

    def _close_hole(self, direction: _Direction, out: list[Chunk]) -> None:
        """The hole will not be filled: go on behind it."""
        self._lose(direction, direction.held[0][0] - direction.position)
        self._drain(direction, out)

    def _lose(self, direction: _Direction, count: int) -> None:
        direction.skipped += count
        direction.position += count
        if direction.http and count:
            self._losses["tcp.gap"] += 1
            self._losses["tcp.gap-bytes"] += count

    def _deliver(self, direction: _Direction, data: bytes, missing: int, meta: _Meta, out: list[Chunk]) -> None:
        """The next bytes of the stream."""
        position = direction.position
        direction.position += len(data)
        if len(direction.recent) >= MAX_RECENT:
            del direction.recent[0]
        direction.recent.append((position, data))
        if direction.http:
            frame, time_ns, teid, origin = meta
            if data:
                out.append(Chunk(direction.key, data, direction.skipped, False, frame, time_ns, teid, origin))
                direction.skipped = 0
        else:
            self._decide(direction, data, meta, out)
        if missing:
            self._lose(direction, missing)

    def _decide(self, direction: _Direction, data: bytes, meta: _Meta, out: list[Chunk]) -> None:
        """More first bytes of a direction: is it HTTP?"""
        prefix = direction.prefix
        if direction.skipped:  # its beginning is lost: what stands behind the hole is joined in the middle
            prefix.clear()
            direction.skipped = 0
            direction.synced = False
        elif prefix and not direction.synced and begins_anew(b"".join(piece for piece, _ in prefix), data):
            prefix.clear()
        prefix.append((data, meta))
        joined = b"".join(piece for piece, _ in prefix) if len(prefix) > 1 else data
        size = preamble(joined)
        what = MORE if size < 0 else classify(joined[size:])
        if what == REQUEST:
            self._accept(direction, size, out)
        elif what != MORE:
            self._drop(direction)
            code = RESPONSES if what == RESPONSE else DEAD if direction.synced else WATCHED
            self._ignore(direction.key, code, joined, not direction.counted, out)

    def _accept(self, direction: _Direction, size: int, out: list[Chunk]) -> None:
        """It is HTTP: hand on what was kept of it, without a preamble of `size` bytes."""
        prefix, direction.prefix, direction.http = direction.prefix, [], True
        for data, (frame, time_ns, teid, origin) in prefix:
            self._coverage.examined_bytes += len(data)
            if size < len(data):
                out.append(Chunk(direction.key, data[size:], 0, False, frame, time_ns, teid, origin))
            size = max(0, size - len(data))

    # -- giving up -------------------------------------------------------------------------------------------------

    def _sweep(self, now: int, out: list[Chunk]) -> None:
        """Close holes that have waited too long. The stream's own next segment would find the same."""
        self._swept = now
        for direction in [d for d in self._holed.values() if now - d.since > GAP_WAIT_NS]:
            while direction.held and now - direction.since > GAP_WAIT_NS:
                self._close_hole(direction, out)

    def _drop(self, direction: _Direction) -> None:
        direction.gone = True
        self._held_bytes -= direction.held_bytes
        direction.held, direction.held_bytes = [], 0
        self._holed.pop(direction.key, None)

    def _finish(self, direction: _Direction, out: list[Chunk]) -> None:
        """The stream ends: hand on what is behind holes, then say so once."""
        while direction.held:
            self._close_hole(direction, out)
        if direction.gone:
            return
        if direction.prefix and is_request_so_far(b"".join(data for data, _ in direction.prefix)):
            self._accept(direction, 0, out)
        if direction.http:
            out.append(Chunk(direction.key, b"", direction.skipped, True, 0, direction.time_ns, None, _NOWHERE))
