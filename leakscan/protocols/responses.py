"""HTTP/1 responses (RFC 9112), as far as a page may list the request it answers: bodies of text, each with its request.

In: the segments on their way to reassembly, which they pass unchanged, and the request heads that come of them. Out:
`Answer`s. Requests are paired with responses by connection and order; whether a pair is one is for the reader to see,
because a page that lists its request says so itself.

Apart from reassembly, because nearly nothing is wanted here: what is torn, odd or too long is given up and counted.
State: connections with a request, at most MAX_CONNECTIONS, each with at most MAX_PENDING requests, a response's head
(MAX_HEAD_BYTES) and body so far (MAX_RAW_BYTES), and segments behind a hole (MAX_HELD_BYTES); all of it together at
most MAX_BYTES. Bodies are inflated to at most MAX_BODY_BYTES and MAX_RATIO times their size.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator

from leakscan.losses import Losses
from leakscan.model import Answer, Head, Openings, Segment, reverse_key

MAX_CONNECTIONS = 4096
MAX_PENDING = 64
MAX_HEAD_BYTES = 64 << 10
MAX_RAW_BYTES = 256 << 10
MAX_HELD_BYTES = 64 << 10
MAX_HELD_SEGMENTS = 64
MAX_BYTES = 32 << 20
MAX_BODY_BYTES = 1 << 20
MAX_RATIO = 100
MAX_CHUNK_LINE = 1024
_SYN = 2
_WRAP = 1 << 32
_LOSS = "http.response-skipped"

_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9][ \t]+([0-9]{3})[^\r\n]*\r*\n")
_HEAD_END = re.compile(rb"\n\r*\n")
_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r*\Z")
#: Content types of pages that people and programs read.
_TEXT = re.compile(r"text/(?:html|plain|json|xml)|message/http|application/(?:json|xhtml\+xml|xml)", re.IGNORECASE)

# What a direction expects next.
_HEAD, _LENGTH, _CHUNK_LINE, _CHUNK, _TRAILERS, _CLOSE = range(6)


class _Stream:
    """The responses of one connection."""

    __slots__ = (
        *("body", "buffer", "bytes", "coding", "cut", "expected", "frame", "held", "held_bytes", "kind", "last"),
        *("mode", "remaining", "request", "requests"),
    )

    def __init__(self) -> None:
        self.requests: deque[Head] = deque()  # those that wait for their answer, the oldest first
        self.expected: int | None = None  # sequence number of the next byte, once there was one
        self.held: dict[int, Segment] = {}  # behind a hole, by sequence number
        self.held_bytes = 0
        self.buffer = b""  # of a head, or of a line of a chunked body
        self.frame = 0  # the head's first byte
        self.last: Segment | None = None
        self.bytes = 0  # of all that is kept here
        self.begin()

    def begin(self) -> None:
        """The next response."""
        self.mode = _HEAD
        self.remaining = 0
        self.request: Head | None = None
        self.body = bytearray()  # kept only with a request
        self.kind = self.coding = ""
        self.cut = False


class Responses:
    """Reads the responses of one series of captures."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._streams: dict[bytes, _Stream] = {}  # by their direction, the oldest first
        self._bytes = 0
        self._ready: list[Answer] = []

    def watch(self, segments: Iterable[Segment | Openings]) -> Iterator[Segment | Openings]:
        """The same segments; reads the responses among them."""
        for segment in segments:
            if isinstance(segment, Openings):
                for key, *_ in segment.syns:
                    self._close(key)
            else:
                self._feed(segment)
            yield segment
        for key in list(self._streams):
            self._close(key)

    def asked(self, head: Head) -> None:
        """A request, when its head is complete."""
        key = reverse_key(head.key)
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= MAX_CONNECTIONS:
                self._forget(next(iter(self._streams)))
            stream = self._streams[key] = _Stream()
        stream.requests.append(head)
        self._grow(stream, len(head.raw))
        if len(stream.requests) > MAX_PENDING:
            self._forget(key)

    def answers(self) -> list[Answer]:
        """What has become complete since."""
        ready, self._ready = self._ready, []
        return ready

    # -- segments --------------------------------------------------------------------------------------------------

    def _feed(self, segment: Segment) -> None:
        key, payload = segment.key, segment.payload
        if segment.flags & _SYN:
            self._close(key)
        stream = self._streams.get(key)
        if stream is None:
            return
        if stream.expected is None:
            if not payload.startswith(b"HTTP/1."):
                return
            stream.expected = segment.seq
        self._take(key, stream, segment)
        while stream.held and self._streams.get(key) is stream:
            seq = min(stream.held, key=lambda seq: (seq - (stream.expected or 0) + _WRAP // 2) % _WRAP)
            if (stream.expected - seq) % _WRAP >= _WRAP // 2:
                break
            again = stream.held.pop(seq)
            stream.held_bytes -= len(again.payload)
            self._grow(stream, -len(again.payload))
            self._take(key, stream, again)

    def _take(self, key: bytes, stream: _Stream, segment: Segment) -> None:
        """The next bytes of a direction; what comes too early waits, what comes too late is known."""
        payload, seq = segment.payload, segment.seq
        late = ((stream.expected or 0) - seq) % _WRAP
        if late >= _WRAP // 2:
            if seq not in stream.held:
                stream.held[seq] = segment
                stream.held_bytes += len(payload)
                self._grow(stream, len(payload))
            if stream.held_bytes > MAX_HELD_BYTES or len(stream.held) > MAX_HELD_SEGMENTS:
                self._forget(key)
        elif late < len(payload) + segment.missing:
            stream.expected = (seq + len(payload) + segment.missing) % _WRAP
            stream.last = segment
            self._parse(key, stream, payload[late:])
            if segment.missing:
                self._forget(key)

    def _grow(self, stream: _Stream, more: int) -> None:
        """Account for bytes that are kept from now on, or (below zero) no longer."""
        stream.bytes += more
        self._bytes += more
        while self._bytes > MAX_BYTES:
            self._forget(next(key for key, other in self._streams.items() if other.bytes))

    def _forget(self, key: bytes) -> None:
        """Nothing on this connection can be trusted to be an answer to what we think."""
        stream = self._streams.pop(key, None)
        if stream is not None:
            self._bytes -= stream.bytes
            stream.bytes = 0
            self._losses[_LOSS] += 1

    def _close(self, key: bytes) -> None:
        """The direction ends: a body without a length is complete."""
        stream = self._streams.pop(key, None)
        if stream is not None:
            if stream.mode == _CLOSE:
                self._finish(stream)
            self._bytes -= stream.bytes

    # -- responses -------------------------------------------------------------------------------------------------

    def _parse(self, key: bytes, stream: _Stream, data: bytes) -> None:
        while data and self._streams.get(key) is stream:
            if stream.mode == _HEAD:
                data = self._head(key, stream, data)
            elif stream.mode in (_LENGTH, _CHUNK, _CLOSE):
                taken = data if stream.mode == _CLOSE else data[: stream.remaining]
                data = data[len(taken) :]
                self._keep(stream, taken)
                stream.remaining -= len(taken)
                if stream.mode == _LENGTH and not stream.remaining:
                    self._finish(stream)
                elif stream.mode == _CHUNK and not stream.remaining:
                    stream.mode = _CHUNK_LINE
            else:
                data = self._line(key, stream, data)

    def _keep(self, stream: _Stream, data: bytes) -> None:
        if stream.request is None:
            return
        room = MAX_RAW_BYTES - len(stream.body)
        stream.cut = stream.cut or len(data) > room
        stream.body += data[:room]
        self._grow(stream, min(room, len(data)))

    def _head(self, key: bytes, stream: _Stream, data: bytes) -> bytes:
        """Bytes of a head; gives those behind it."""
        if not stream.buffer:
            data = data.lstrip(b"\r\n")
            stream.frame = stream.last.frame if stream.last else 0
        buffer = stream.buffer + data
        found = _HEAD_END.search(buffer)
        status = _STATUS_LINE.match(buffer)
        if found is None:
            stream.buffer = buffer
            if len(buffer) > MAX_HEAD_BYTES or (b"\n" in buffer and status is None):
                self._forget(key)
            return b""
        if status is None:
            self._forget(key)
            return b""
        stream.buffer = b""
        self._begin(key, stream, int(status[1]), buffer[status.end() : found.start()].decode("latin-1"))
        return buffer[found.end() :]

    def _begin(self, key: bytes, stream: _Stream, status: int, lines: str) -> None:
        """What a head says of its body, RFC 9112 section 6.3."""
        if status // 100 == 1 and status != 101:
            return
        request = stream.requests.popleft() if stream.requests else None
        if request is not None:
            self._grow(stream, -len(request.raw))
        fields: dict[str, str] = {}
        for line in lines.split("\n"):
            name, _, value = line.partition(":")
            fields.setdefault(name.strip().lower(), value.strip(" \t\r"))
        method = request.lines[0].partition(b" ")[0] if request is not None else b""
        if status == 101 or method == b"CONNECT":
            self._forget(key)
        elif method == b"HEAD" or status in (204, 304):
            stream.begin()
        else:
            wanted = request is not None and not request.partial and _TEXT.match(fields.get("content-type", ""))
            stream.request = request if wanted else None
            stream.kind, stream.coding = fields.get("content-type", ""), fields.get("content-encoding", "").lower()
            length = fields.get("content-length", "")
            if "chunked" in fields.get("transfer-encoding", "").lower():
                stream.mode = _CHUNK_LINE
            elif not (length.isascii() and length.isdigit()):
                stream.mode = _CLOSE
            else:
                stream.mode, stream.remaining = _LENGTH, int(length[:18])
                if not stream.remaining:
                    stream.begin()

    def _line(self, key: bytes, stream: _Stream, data: bytes) -> bytes:
        """A line of a chunked body, RFC 9112 section 7.1; gives the bytes behind it."""
        end = data.find(b"\n")
        if end < 0:
            stream.buffer += data
            if len(stream.buffer) > MAX_CHUNK_LINE:
                self._forget(key)
            return b""
        line, stream.buffer = stream.buffer + data[:end], b""
        if stream.mode == _TRAILERS:
            if not line.strip(b"\r"):
                self._finish(stream)
        elif line.strip(b"\r"):  # (an empty one stands behind every chunk)
            size = _SIZE.match(line)
            if size is None:
                self._forget(key)
                return b""
            stream.remaining = int(size[1], 16)
            stream.mode = _CHUNK if stream.remaining else _TRAILERS
        return data[end + 1 :]

    def _finish(self, stream: _Stream) -> None:
        """A body is complete."""
        self._grow(stream, -len(stream.body))
        if stream.request is not None and stream.last is not None and stream.body:
            body, cut = _inflated(bytes(stream.body), stream.coding)
            if cut or stream.cut:
                self._losses[_LOSS] += 1
            if body:
                last = stream.last
                self._ready.append(
                    Answer(stream.request, stream.kind, body, last.origin, last.time_ns, stream.frame, last.frame)
                )
        stream.begin()


def _inflated(data: bytes, coding: str) -> tuple[bytes, bool]:
    """The body without its content coding, and whether a part of it is missing."""
    if coding in ("", "identity"):
        return data, False
    if coding not in ("gzip", "x-gzip", "deflate"):
        return b"", True
    limit = min(MAX_BODY_BYTES, MAX_RATIO * len(data))
    for window in (47, -15) if coding == "deflate" else (31,):  # with any header; deflate often without
        inflater = zlib.decompressobj(window)
        try:
            body = inflater.decompress(data, limit)
        except zlib.error:
            continue
        return body, not inflater.eof
    return b"", True
