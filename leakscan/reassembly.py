"""Puts TCP segments in order, per direction, and hands on the directions that carry HTTP requests.

In: segments in capture order. Out: chunks in stream order, of client directions that speak HTTP/1 (verdicts.classify).
A hole is waited for until it is filled, or until MAX_HELD_SEGMENTS, MAX_HELD_BYTES or GAP_WAIT_NS say that it will not
be; then it is a field of the next chunk. These decisions depend on the stream alone. Sequence numbers wrap (RFC 9293
section 3.4); first bytes win where segments overlap, and other content there is counted.

State: a table of at most MAX_STREAMS directions in two generations (the older half is given up when the younger is
full); bytes that wait, behind a hole or for a decision, at most MAX_HELD_ALL over all streams; and the last segments of
MAX_RECENT_STREAMS directions, to compare retransmissions with. FIN and RST end nothing: a retransmission may still
follow, and what they would free is bounded anyhow.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator

from leakscan.checksum import is_right
from leakscan.directions import Direction, Meta, State, Table, after_syn, code_of, ignored, syn_seen
from leakscan.losses import Losses
from leakscan.model import Chunk, Coverage, Openings, Origin, Segment, reverse_key
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
    beginning,
    begins_anew,
    classify,
    is_request_so_far,
    usual_line,
)

MAX_STREAMS = 1 << 16  # directions in the table
MAX_HELD_SEGMENTS = 256  # of one direction, behind a hole
MAX_HELD_BYTES = 1 << 20  # of one direction
MAX_HELD_ALL = 32 << 20
PIECE_BYTES = 256  # what a piece that waits costs besides its bytes: they may come one by one
GAP_WAIT_NS = 60 * 10**9  # packet time that a hole is waited for
SWEEP_NS = 10 * 10**9
MAX_RECENT = 8  # delivered segments of a direction kept to compare retransmissions with
MAX_RECENT_STREAMS = 2048
MAX_RECENT_BYTES = 4096  # of one of them: offloading makes segments of 64 kB
MAX_BEHIND = 1 << 26  # a segment further behind, or further ahead, than this belongs to another connection
MAX_AHEAD = 1 << 30  # the largest window, RFC 7323 section 2.3
_SYN, _ACK = 2, 16
_WRAP = 1 << 32

_NOWHERE = Origin("", 0, 0, "")


class Reassembler:
    """Reassembles the directions of one series of captures."""

    def __init__(self, verdicts: Verdicts, coverage: Coverage, losses: Losses) -> None:
        self._verdicts = verdicts
        self._coverage = coverage
        self._losses = losses
        self._table = Table(MAX_STREAMS)
        self._holding: dict[bytes, Direction] = {}  # with bytes that wait, the oldest first
        self._held_bytes = 0
        self._recent: dict[bytes, list[tuple[int, bytes]]] = {}
        self._swept = 0
        self._last = False  # whether nothing waits behind the chunk that was handed on

    def reassemble(self, segments: Iterable[Segment | Openings]) -> Iterator[Chunk]:
        """Chunks of all request directions; the end of `segments` ends every stream."""
        for segment in segments:
            out = self.feed(segment) if isinstance(segment, Segment) else self.open(segment)
            for chunk in out:
                self._last = chunk is out[-1]
                yield chunk
        self._last = False
        yield from self.end()

    def feed(self, segment: Segment) -> list[Chunk]:
        """The chunks that become available with this segment."""
        out: list[Chunk] = []
        key, payload = segment.key, segment.payload
        if not (payload or segment.missing or segment.flags & _SYN):
            return out
        state = self._table.find(key)
        if isinstance(state, Direction) and state.skipped_size and state.has_no_use_for(segment):
            self._coverage.examined_bytes += len(payload)
            return out
        # Not at what the sieve drops: with it and without it the same must come out, in the same order.
        if segment.flags & _SYN or isinstance(state, Direction):
            self._sweep(segment.time_ns, out)
        if state is not None and not code_of(state) and not self._table.is_fresh(key):
            self._keep(key, state, out)
        if segment.flags & _SYN:
            state = self._open(key, segment.seq, segment.flags, state, out)
        elif isinstance(state, Direction) and state.expects(segment):
            out.append(self._next(state, segment))
            return out
        if not payload and not segment.missing:
            return out
        if not isinstance(state, Direction):
            state = self._wake(segment, state, out)
        if state is not None:
            self._take(state, segment, out)
        return out

    def open(self, openings: Openings) -> list[Chunk]:
        """The same for SYNs without payload."""
        out: list[Chunk] = []
        for key, seq, flags, time_ns in openings.syns:
            if not 0 <= time_ns - self._swept <= SWEEP_NS:
                self._sweep(time_ns, out)
            state = self._table.find(key)
            if state is None and not flags & _ACK:  # the usual case, made short
                self._coverage.streams += 1
                self._keep(key, syn_seen((seq + 1) % _WRAP, True), out)
                continue
            if state is not None and not code_of(state) and not self._table.is_fresh(key):
                self._keep(key, state, out)
            self._open(key, seq, flags, state, out)
        return out

    def skip(self, key: bytes, count: int) -> bool:
        """The next `count` bytes of a direction, of which a chunk was just handed on, are a body that nobody wants: it
        goes on behind them. False where that cannot be, because more of it waits.
        """
        direction = self._table.find(key)
        if not self._last or not isinstance(direction, Direction) or direction.gone:
            return False
        if direction.held or direction.skipped or not direction.http:
            return False
        seq = (direction.isn + direction.position) % _WRAP
        direction.skipped_from, direction.skipped_size = seq, count
        direction.position += count
        self._verdicts.note_body(self._verdicts.token(key), seq, count)
        return True

    def end(self) -> list[Chunk]:
        """No more segments: every stream ends here."""
        out: list[Chunk] = []
        for direction in self._table.directions():
            self._finish(direction, out)
        self._table = Table(MAX_STREAMS)
        return out

    def _keep(self, key: bytes, state: State, out: list[Chunk]) -> None:
        given_up = self._table.keep(key, state)
        if given_up is None:
            return
        for other in given_up:
            if isinstance(other, Direction):
                if other.held_bytes:
                    self._losses["tcp.stream-evicted"] += 1
                self._finish(other, out)
            elif other > 0:
                self._verdicts.forget(other >> 2)

    def _open(self, key: bytes, seq: int, flags: int, state: State | None, out: list[Chunk]) -> State:
        """A SYN: a new direction, unless it is a retransmission of the one we know."""
        client = not flags & _ACK
        first = (seq + 1) % _WRAP
        fresh = syn_seen(first, client)
        if isinstance(state, Direction):
            if first == state.isn:
                return state
            self._finish(state, out)
        elif state == fresh:
            return state
        elif state is not None and state > 0:
            self._verdicts.note(state >> 2, FREE)
        if client or self._table.find(reverse_key(key)) is None:
            self._coverage.streams += 1
        self._keep(key, fresh, out)
        return fresh

    def _wake(self, segment: Segment, state: int | None, out: list[Chunk]) -> Direction | None:
        """Payload on a direction that is only a number so far, or new: a direction to look at, or None to ignore it."""
        key, payload = segment.key, segment.payload
        if state is None and self._table.find(reverse_key(key)) is None:
            self._coverage.streams += 1
            self._losses["tcp.midstream"] += 1
        if state is not None and state < 0:
            first, client = after_syn(state)
            if segment.seq == first and not segment.missing:  # the usual case, and cheaper without a Direction
                if usual_line(payload):
                    self._begin(segment, True, client, out)
                    return None
                what, _ = beginning(payload)
                if what not in (REQUEST, MORE):
                    self._ignore(key, RESPONSES if what == RESPONSE else DEAD, payload, True, out, segment.token)
                    return None
            direction = Direction(key, first, True, client, segment.time_ns)
        elif state is None or code_of(state) == WATCHED:
            what = classify(payload)
            if what not in (REQUEST, MORE) or self._is_server(key):
                self._ignore(
                    key, RESPONSES if what == RESPONSE else WATCHED, payload, state is None, out, segment.token
                )
                return None
            direction = Direction(key, segment.seq, False, False, segment.time_ns)
            if state is not None:
                direction.counted = True
                self._verdicts.note(state >> 2, FREE)
        else:
            self._ignore(key, code_of(state), payload, False, out, segment.token)
            return None
        self._keep(key, direction, out)
        return direction

    def _begin(self, segment: Segment, synced: bool, client: bool, out: list[Chunk]) -> None:
        """The usual case, made short: a direction whose first segment holds a whole request line."""
        direction = Direction(segment.key, segment.seq, synced, client, segment.time_ns)
        direction.http = True
        self._keep(segment.key, direction, out)
        out.append(self._next(direction, segment))

    def _is_server(self, key: bytes) -> bool:
        other = self._table.find(reverse_key(key))
        if isinstance(other, Direction):
            return other.http or other.client
        return other is not None and other < 0 and after_syn(other)[1]

    def _ignore(self, key: bytes, code: int, data: bytes, first: bool, out: list[Chunk], token: int = 0) -> None:
        """From here on the sieve may drop this direction. `first`: count what it is. `token`: as in Segment."""
        if code == RESPONSES:
            self._coverage.examined_bytes += len(data)
        elif first and data[:1] == b"\x16" and data[1:2] == b"\x03" and data[5:6] == b"\x01":
            self._losses["tls"] += 1
            self._coverage.tls_streams += 1
        elif first and code_of(self._table.find(reverse_key(key))) not in (WATCHED, DEAD):
            self._losses["tcp.other"] += 1
        token = token or self._verdicts.token(key)
        state = ignored(code, token)
        if self._table.find(key) != state:  # what the sieve drops keeps nothing alive: so nothing that it hands on does
            self._keep(key, state, out)
        self._verdicts.note(token, code)

    # -- one direction ---------------------------------------------------------------------------------------------

    def _take(self, direction: Direction, segment: Segment, out: list[Chunk]) -> None:
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
            if segment.tcp and not is_right(direction.key[1:-4], segment.tcp):
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
            self._relieve(out)

    def _restart(self, direction: Direction, segment: Segment, out: list[Chunk]) -> None:
        """Another connection with the same addresses and ports, of which the SYN was not captured."""
        self._finish(direction, out)
        watched = ignored(WATCHED, segment.token or self._verdicts.token(direction.key))
        self._keep(direction.key, watched, out)
        fresh = self._wake(segment, watched, out)
        if fresh is not None:
            self._take(fresh, segment, out)

    def _next(self, direction: Direction, segment: Segment) -> Chunk:
        """The usual case, made short: the next bytes of a request direction."""
        key, _, _, data, _, tcp, frame, time_ns, teid, origin, _ = segment
        self._remember(key, direction.position, data)
        direction.position += len(data)
        direction.time_ns = time_ns
        self._coverage.examined_bytes += len(data)
        if tcp and not is_right(key[1:-4], tcp):
            self._losses["tcp.checksum"] += 1
        return Chunk(key, data, 0, False, frame, time_ns, teid, origin)

    def _overlap(
        self, direction: Direction, start: int, payload: bytes, missing: int, meta: Meta, out: list[Chunk]
    ) -> None:
        """A segment that begins at or before the next byte: a duplicate, or the filling of a hole."""
        position = direction.position
        end = start + len(payload)
        if start < position and not (len(payload) == 1 and end == position):  # (a keep-alive probe has no content)
            covered = payload[: position - start]
            if fit(self._recent.get(direction.key, ()), start, covered)[1]:
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

    def _hold(self, direction: Direction, start: int, data: bytes, missing: int, meta: Meta) -> None:
        if not direction.held:
            direction.since = meta[1]
        fresh, conflict = fit(((piece[0], piece[1]) for piece in direction.held), start, data)
        if conflict:
            self._losses["tcp.overlap-conflict"] += 1
        last = len(fresh) - 1
        for index, (position, piece) in enumerate(fresh):
            insort(direction.held, (position, piece, missing if index == last else 0, meta), key=lambda held: held[0])
            self._holds(direction, len(piece) + PIECE_BYTES)

    def _drain(self, direction: Direction, out: list[Chunk]) -> None:
        """Deliver held pieces that have come into order."""
        held = direction.held
        while held and held[0][0] <= direction.position:
            position, data, missing, meta = held.pop(0)
            self._holds(direction, -len(data) - PIECE_BYTES)
            overlap = direction.position - position
            if overlap < len(data) + missing:
                self._deliver(direction, data[overlap:], max(0, missing - max(0, overlap - len(data))), meta, out)
            if direction.gone:
                return
        if held:
            direction.since = held[0][3][1]

    def _holds(self, direction: Direction, more: int) -> None:
        """Account for bytes that wait from now on, or (below zero) no longer."""
        direction.held_bytes += more
        self._held_bytes += more
        if direction.held_bytes:
            self._holding[direction.key] = direction
        else:
            self._holding.pop(direction.key, None)

    def _relieve(self, out: list[Chunk]) -> None:
        """Too much waits in all: give up what has waited longest."""
        while self._held_bytes > MAX_HELD_ALL:
            self._losses["tcp.held-evicted"] += 1
            direction = next(iter(self._holding.values()))
            if direction.held:
                self._close_hole(direction, out)
            else:
                self._reject(direction, WATCHED, out)

    def _close_hole(self, direction: Direction, out: list[Chunk]) -> None:
        """The hole will not be filled: go on behind it."""
        self._lose(direction, direction.held[0][0] - direction.position)
        self._drain(direction, out)

    def _remember(self, key: bytes, position: int, data: bytes) -> None:
        """Keep the bytes for a while: they may come again, and differ."""
        recent = self._recent.pop(key, None)
        if recent is None:
            recent = []
            if len(self._recent) >= MAX_RECENT_STREAMS:
                del self._recent[next(iter(self._recent))]
        elif len(recent) >= MAX_RECENT:
            del recent[0]
        recent.append((position, data if len(data) <= MAX_RECENT_BYTES else data[:MAX_RECENT_BYTES]))
        self._recent[key] = recent

    def _lose(self, direction: Direction, count: int) -> None:
        direction.skipped += count
        direction.position += count
        if direction.http and count:
            self._losses["tcp.gap"] += 1
            self._losses["tcp.gap-bytes"] += count

    def _deliver(self, direction: Direction, data: bytes, missing: int, meta: Meta, out: list[Chunk]) -> None:
        """The next bytes of the stream."""
        position = direction.position
        direction.position += len(data)
        self._remember(direction.key, position, data)
        if direction.http:
            frame, time_ns, teid, origin = meta
            if data:
                out.append(Chunk(direction.key, data, direction.skipped, False, frame, time_ns, teid, origin))
                direction.skipped = 0
        else:
            self._decide(direction, data, meta, out)
        if missing:
            self._lose(direction, missing)

    def _decide(self, direction: Direction, data: bytes, meta: Meta, out: list[Chunk]) -> None:
        """More first bytes of a direction: is it HTTP?"""
        prefix = direction.prefix
        before = b"".join(piece for piece, _ in prefix)
        if direction.skipped:  # its beginning is lost: what stands behind the hole is joined in the middle
            before, direction.skipped, direction.synced = b"", 0, False
        elif before and not direction.synced and begins_anew(before, data):
            before = b""
        if prefix and not before:
            self._holds(direction, -sum(len(piece) + PIECE_BYTES for piece, _ in prefix))
            prefix.clear()
        prefix.append((data, meta))
        self._holds(direction, len(data) + PIECE_BYTES)
        joined = before + data
        what, size = beginning(joined)
        if what == REQUEST:
            self._accept(direction, size, out)
        elif what != MORE:
            self._reject(direction, RESPONSES if what == RESPONSE else DEAD if direction.synced else WATCHED, out)
        else:
            self._relieve(out)

    def _accept(self, direction: Direction, size: int, out: list[Chunk]) -> None:
        """It is HTTP: hand on what was kept of it, without a preamble of `size` bytes."""
        prefix, direction.prefix, direction.http = direction.prefix, [], True
        self._holds(direction, -sum(len(data) + PIECE_BYTES for data, _ in prefix))
        for data, (frame, time_ns, teid, origin) in prefix:
            self._coverage.examined_bytes += len(data)
            if size < len(data):
                out.append(Chunk(direction.key, data[size:], 0, False, frame, time_ns, teid, origin))
            size = max(0, size - len(data))

    # -- giving up -------------------------------------------------------------------------------------------------

    def _sweep(self, now: int, out: list[Chunk]) -> None:
        """Close holes that have waited too long, now and then. The stream's own next segment would find the same."""
        if 0 <= now - self._swept <= SWEEP_NS:
            return
        self._swept = now
        for direction in [d for d in self._holding.values() if d.held and now - d.since > GAP_WAIT_NS]:
            while direction.held and now - direction.since > GAP_WAIT_NS:
                self._close_hole(direction, out)

    def _reject(self, direction: Direction, code: int, out: list[Chunk]) -> None:
        """It is not a request direction: forget its bytes and ignore it from now on."""
        joined = b"".join(data for data, _ in direction.prefix)
        self._forget(direction)
        self._ignore(direction.key, code, joined, not direction.counted, out)

    def _forget(self, direction: Direction) -> None:
        direction.gone = True
        if direction.skipped_size:
            self._verdicts.forget(self._verdicts.token(direction.key))
        direction.held, direction.prefix = [], []
        self._holds(direction, -direction.held_bytes)
        self._recent.pop(direction.key, None)

    def _finish(self, direction: Direction, out: list[Chunk]) -> None:
        """The stream ends: hand on what is behind holes, then say so once."""
        while direction.held:
            self._close_hole(direction, out)
        if direction.gone:
            return
        if direction.prefix and is_request_so_far(b"".join(data for data, _ in direction.prefix)):
            self._accept(direction, 0, out)
        if direction.http:
            out.append(Chunk(direction.key, b"", direction.skipped, True, 0, direction.time_ns, None, _NOWHERE))
        self._forget(direction)
