"""HTTP/1 requests (RFC 9112) from the chunks of client directions.

In: chunks. Out: one Head a request, whole or cut. Tolerant where real traffic is: bare LF, folded lines, spaces
and bytes that don't belong, odd methods, absolute and CONNECT targets, Expect, Upgrade. Header lines stay raw: order,
case, duplicates. Inside a body of known length a request line is body; after a hole, behind a tunnel (CONNECT, Upgrade)
and after anything that is no request the next request line at the beginning of a segment counts.

State: one parser a direction, from its first chunk to its last and only while it is inside of something, so that
reassembly's bound on directions holds here too. Of an unfinished head at most MAX_HEAD_BYTES are kept, of all of them
MAX_UNFINISHED_BYTES; of a body only how much is still to come (bodies.py keeps it, if asked).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from leakscan.bodies import Bodies
from leakscan.losses import Losses
from leakscan.model import Chunk, Coverage, Head, Message, Origin
from leakscan.protocols.heads import CUT_LINE, MAX_HEADER_LINES, SPACE, message_of, parts
from leakscan.verdicts import MORE, REQUEST, REQUEST_LINE, classify, usual_line

MAX_HEAD_BYTES = 256 << 10
MAX_UNFINISHED_BYTES = 32 << 20
MARK_BYTES = 256  # what a chunk of an unfinished head costs besides its bytes: they may come one by one
MAX_CHUNK_LINE = 4096  # size line of a chunked body, with extensions
MAX_LENGTH_DIGITS = 19
MIN_SKIPPED = 512  # of a body: less is delivered and dropped here
MAX_SKIPPED = 16 << 20  # at a time: reassembly takes what lies further behind for another connection's

_HEAD_END = re.compile(rb"\n\r*\n")
#: A line that may bear on what follows the head: a field of RFC 9112 section 6 or 9, a folded line, CONNECT.
_FRAMING = re.compile(rb"\n(?:[ \t]|(?:content-length|transfer-encoding|expect|upgrade)[ \t]*:)", re.IGNORECASE)
_DIGITS = re.compile(rf"[0-9]{{1,{MAX_LENGTH_DIGITS}}}\Z")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r*\Z")

# What the parser expects next.
HEAD, BODY, CHUNK_LINE, CHUNK_DATA, CHUNK_END, TRAILERS, LOST = range(7)


class _Mark(NamedTuple):
    """Whence a part of an unfinished head."""

    frame: int
    time_ns: int
    teid: int | None
    origin: Origin


class _Parser:
    """One direction."""

    __slots__ = ("buffer", "expects", "key", "marks", "mode", "remaining", "tunnel")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.mode = HEAD
        self.buffer = b""  # unfinished head, or line of a chunked body
        self.marks: list[_Mark] = []  # the chunks that the unfinished head came in
        self.remaining = 0  # bytes of the body, or of its chunk, still to come
        self.expects = False  # 100-continue: the body may never come
        self.tunnel = False

    def size(self) -> int:
        """What is kept of an unfinished head, in bytes of memory."""
        return len(self.buffer) + MARK_BYTES * len(self.marks)

    def is_at_rest(self) -> bool:
        """Whether a new parser would do as well."""
        return self.mode == HEAD and not self.buffer and not self.tunnel and not self.expects


class Http1:
    """Parses all directions of one series of captures."""

    def __init__(
        self,
        coverage: Coverage,
        losses: Losses,
        skip: Callable[[bytes, int], bool] = lambda key, count: False,
        bodies: Bodies | None = None,
    ) -> None:
        """`skip` (reassembly.Reassembler.skip) is asked not to deliver so many bytes of a direction's body. `bodies`
        keeps them, and a head comes when its body is over.
        """
        self._coverage = coverage
        self._losses = losses
        self._skip_body = skip
        self._bodies = bodies
        self._parsers: dict[bytes, _Parser] = {}
        self._unfinished: dict[bytes, _Parser] = {}  # with a part of a head, the oldest first
        self._unfinished_bytes = 0

    def messages(self, chunks: Iterable[Chunk]) -> Iterator[Message]:
        """Requests in the order in which their heads become complete."""
        return map(message_of, self.heads(chunks))

    def heads(self, chunks: Iterable[Chunk]) -> Iterator[Head]:
        """The same, not taken apart."""
        for chunk in chunks:
            parser = self._parsers.get(chunk.key)
            if parser is None:
                head = self._only(chunk)
                if head is not None:
                    yield head
                    continue
                parser = self._parsers[chunk.key] = _Parser(chunk.key)
            before = parser.size()
            if chunk.skipped:
                yield from self._skip(parser, chunk.skipped)
            if chunk.data:
                yield from self._feed(parser, chunk)
            if chunk.end:
                yield from self._cut(parser, "http.head-cut")
            if before or parser.buffer:
                self._account(parser, before)
            if self._bodies is not None:
                if chunk.end or parser.mode in (HEAD, LOST):
                    yield from self._bodies.close(chunk.key, parser.mode in (HEAD, TRAILERS))
                yield from self._bodies.evicted()
            if chunk.end or parser.is_at_rest():
                del self._parsers[chunk.key]
            while self._unfinished_bytes > MAX_UNFINISHED_BYTES:
                yield from self._give_up(next(iter(self._unfinished.values())))
        if self._bodies is not None:
            yield from self._bodies.rest()

    def _account(self, parser: _Parser, before: int) -> None:
        """An unfinished head has grown or shrunk, from a size of `before`."""
        self._unfinished_bytes += parser.size() - before
        if parser.buffer:
            self._unfinished[parser.key] = parser
        else:
            self._unfinished.pop(parser.key, None)

    def _give_up(self, parser: _Parser) -> Iterator[Head]:
        """Too much is unfinished in all: this head has waited longest."""
        before = parser.size()
        yield from self._cut(parser, "http.head-evicted")
        self._lose(parser)
        self._account(parser, before)

    def _skip(self, parser: _Parser, count: int) -> Iterator[Head]:
        """A hole of `count` bytes. Within a body it is body; anywhere else it took a head, or part of one, with it."""
        if parser.mode in (BODY, CHUNK_DATA) and count <= parser.remaining:
            parser.remaining -= count
            if self._bodies is not None:
                self._bodies.hole(parser.key)
            self._leave_body(parser)
            return
        if not parser.buffer and parser.mode != LOST:
            self._losses["http.head-torn"] += 1
        yield from self._cut(parser, "http.head-torn")
        self._lose(parser)

    def _feed(self, parser: _Parser, chunk: Chunk) -> Iterator[Head]:
        data = chunk.data
        if parser.mode == LOST:
            if classify(data) not in (REQUEST, MORE):
                return
            parser.mode = HEAD
        elif parser.mode == BODY and parser.expects and classify(data) == REQUEST:
            parser.mode = HEAD  # the server refused before the body was sent
        parser.expects = False
        while data:
            if parser.mode == HEAD:
                if self._bodies is not None:
                    yield from self._bodies.close(chunk.key, complete=True)
                if not parser.buffer:
                    data = data.lstrip(b"\r\n")
                    if not data:
                        return
                head, data = self._head(parser, chunk, data)
                if head is not None and self._bodies is not None and parser.mode in (BODY, CHUNK_LINE):
                    self._bodies.open(head)
                elif head is not None:
                    yield head
            elif parser.mode in (BODY, CHUNK_DATA):
                count = min(parser.remaining, len(data))
                if self._bodies is not None:
                    self._bodies.add(chunk.key, data[:count])
                parser.remaining -= count
                data = data[count:]
                if parser.remaining >= MIN_SKIPPED and not parser.expects:
                    count = min(parser.remaining, MAX_SKIPPED)
                    parser.remaining -= count if self._skip_body(chunk.key, count) else 0
                self._leave_body(parser)
            elif parser.mode == LOST:
                return
            else:
                data = self._chunk_line(parser, data)

    # -- heads -----------------------------------------------------------------------------------------------------

    def _head(self, parser: _Parser, chunk: Chunk, data: bytes) -> tuple[Head | None, bytes]:
        """Take bytes of a head; gives the message when it is complete, and the bytes behind it."""
        before = len(parser.buffer)
        mark = _Mark(chunk.frame, chunk.time_ns, chunk.teid, chunk.origin)
        buffer = parser.buffer + data if before else data
        found = _HEAD_END.search(buffer, max(0, before - 3))
        if found is None:
            what = classify(buffer) if before < MAX_CHUNK_LINE else REQUEST
            if what not in (REQUEST, MORE):
                self._lose(parser)
                return None, b""
            parser.buffer = buffer
            parser.marks.append(mark)
            if len(buffer) > MAX_HEAD_BYTES or len(parser.marks) > MAX_HEAD_BYTES // 16:
                line = REQUEST_LINE.match(buffer) or CUT_LINE.match(buffer)
                head = None if line is None else self._made(parser, buffer, partial=True)
                self._losses["http.head-too-long"] += 1
                self._lose(parser)
                return head, b""
            return None, b""
        raw, rest = buffer[: found.end()], buffer[found.end() :]
        parser.marks.append(mark)
        if not REQUEST_LINE.match(raw):
            self._lose(parser)
            return None, b""
        head = self._made(parser, raw, partial=False)
        self._begin_body(parser, head)
        return head, rest

    def _only(self, chunk: Chunk) -> Head | None:
        """The usual case, made short: a chunk that is exactly one head, which no body follows."""
        raw = chunk.data
        found = _HEAD_END.search(raw)
        if chunk.skipped or found is None or found.end() != len(raw) or not usual_line(raw):
            return None
        lines = raw.split(b"\n")
        if len(lines) > MAX_HEADER_LINES or _framed(raw):
            return None
        self._coverage.requests += 1
        key, _, _, _, frame, time_ns, teid, origin = chunk
        return Head(key, raw, lines, origin, time_ns, frame, frame, origin.capture, teid, False)

    def _cut(self, parser: _Parser, loss: str) -> Iterator[Head]:
        """The head ends here, unfinished: what there is of it is still searched."""
        if parser.mode == HEAD and parser.buffer:
            line = REQUEST_LINE.match(parser.buffer) or CUT_LINE.match(parser.buffer)
            if line is not None:
                self._losses[loss] += 1
                yield self._made(parser, parser.buffer, partial=True)
        parser.buffer = b""
        parser.marks.clear()

    def _made(self, parser: _Parser, raw: bytes, partial: bool) -> Head:
        if raw.count(b"\n") > MAX_HEADER_LINES and len(parts(raw)[3]) > MAX_HEADER_LINES:
            self._losses["http.head-too-long"] += 1
            partial = True
        first, last = parser.marks[0], _latest(parser.marks)
        parser.buffer = b""
        parser.marks.clear()
        self._coverage.requests += 1
        return Head(
            key=parser.key,
            raw=raw,
            lines=raw.split(b"\n"),
            origin=last.origin,
            time_ns=last.time_ns,
            frame=first.frame,
            frame_end=last.frame,
            begins_in=first.origin.capture,
            teid=last.teid,
            partial=partial,
        )

    # -- bodies ----------------------------------------------------------------------------------------------------

    def _begin_body(self, parser: _Parser, head: Head) -> None:
        """RFC 9112 section 6.3, for requests."""
        if not _framed(head.raw):
            parser.mode, parser.remaining = HEAD, 0
            return
        method, _, _, headers = parts(head.raw)
        length, chunked, upgrade = 0, False, method == "CONNECT"
        for name, value in headers[:MAX_HEADER_LINES]:
            if value is None or name[:1] not in "cCtTuUeE":
                continue
            lower = name.rstrip(" \t").lower()
            if lower == "content-length":
                digits = value.partition(",")[0].strip(SPACE).lstrip("0")
                length = int(digits) if _DIGITS.match(digits) else 0
            elif lower == "transfer-encoding":
                chunked = chunked or "chunked" in value.lower()
            elif lower == "expect":
                parser.expects = "100-continue" in value.lower()
            elif lower == "upgrade":
                upgrade = True
        if upgrade and not parser.tunnel:
            parser.tunnel = True
            self._losses["http.tunnel"] += 1
        if (chunked or length) and self._bodies is None:
            self._losses["http.body-skipped"] += 1
        parser.mode = CHUNK_LINE if chunked else BODY if length else HEAD
        parser.remaining = 0 if chunked else length

    def _leave_body(self, parser: _Parser) -> None:
        if not parser.remaining:
            parser.mode = HEAD if parser.mode == BODY else CHUNK_END

    def _chunk_line(self, parser: _Parser, data: bytes) -> bytes:
        """RFC 9112 section 7.1: size line, the line end behind chunk data, trailer lines. Gives the bytes behind it."""
        end = data.find(b"\n")
        if end < 0:
            parser.buffer += data
            if len(parser.buffer) > MAX_CHUNK_LINE:
                self._lose(parser)
            return b""
        line, rest = parser.buffer + data[:end], data[end + 1 :]
        parser.buffer = b""
        if parser.mode == CHUNK_LINE:
            size = _CHUNK_SIZE.match(line)
            if size is None:
                self._lose(parser)
                return b""
            parser.remaining = int(size.group(1), 16)
            parser.mode = CHUNK_DATA if parser.remaining else TRAILERS
        elif parser.mode == CHUNK_END:
            if line.strip(b"\r"):
                self._lose(parser)
                return b""
            parser.mode = CHUNK_LINE
        elif not line.strip(b"\r"):
            parser.mode = HEAD
        return rest

    def _lose(self, parser: _Parser) -> None:
        """Look for the next request line at the beginning of a segment."""
        parser.mode = LOST
        parser.buffer = b""
        parser.marks.clear()
        parser.remaining = 0
        if self._bodies is not None:
            self._bodies.tear(parser.key)
        if not parser.tunnel:
            self._losses["http.resynchronised"] += 1


def _framed(raw: bytes) -> bool:
    """Whether a head may say what follows it; some that do not are among them."""
    return _FRAMING.search(raw) is not None or raw[:7].upper() == b"CONNECT"


def _latest(marks: list[_Mark]) -> _Mark:
    """The chunk whose frame came last: it completed what they hold. Not the last one, if order was restored."""
    if marks[0].origin.capture == marks[-1].origin.capture:
        return max(marks, key=lambda mark: mark.frame)
    return max(marks, key=lambda mark: mark.time_ns)
