"""What a capture holds in compressed HTTP bodies, and in bodies sent in chunks: looked into, because it cannot be
edited.

In: the payload of every TCP segment, in capture order. Out: for a body in which a needle stands, edits that drop all
of its frames, and its place among `found`; a compressed body of another length would be another capture. So is a
needle that says how long a body or a chunk is. Bodies that cannot be looked into are counted. State: for each direction
that speaks HTTP/1 where it is in its messages, for at most MAX_STREAMS directions; segments that come too early
(MAX_HELD); a head of MAX_HEAD_BYTES; of one body MAX_BODY_BYTES inflated, at most MAX_RATIO times what was sent, and
the numbers of at most MAX_FRAMES frames; the last MAX_COPIES segments that were sent again, and the last MAX_TAINTED
places of bodies with needles, for what is sent again after them.
"""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple, Protocol

from leakscan.redaction.edits import Edit
from leakscan.redaction.needles import Needles
from leakscan.verdicts import REQUEST, classify

MAX_STREAMS = 4096
MAX_HELD = 64  # segments of one direction behind a hole
MAX_HEAD_BYTES = 64 << 10
MAX_BODY_BYTES = 16 << 20
MAX_RATIO = 100
FREE_BYTES = 1 << 20  # the ratio is not looked at before so much came out
MAX_FRAMES = 100_000
MAX_FOUND = 100
MAX_COPIES = 256
MAX_TAINTED = 64
_RANK = 1 << 41
_WRAP = 1 << 32

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEADER = re.compile(rb"(?im)^(content-encoding|transfer-encoding|content-length)[ \t]*:[ \t]*([^\r\n]*)")
_NO_BODY = re.compile(rb"HTTP/1\.[0-9][ \t]+(?:1[0-9][0-9]|204|304)")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[^\n]{0,4000}\n")

# Where a direction is.
NOWHERE, HEAD, BODY, CHUNK_LINE, CHUNK, CHUNK_END = range(6)


class Source(NamedTuple):
    """Where a segment came from."""

    pieces: tuple[int, ...]  # of the file: more than one if it was fragmented
    frame: int  # the last one


class Found(NamedTuple):
    """A body in which a needle stands."""

    first: int  # frames
    last: int
    what: str


class Inflater(Protocol):
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Stream:
    __slots__ = (
        "after",
        "begun",
        "copies",
        "frames",
        "head",
        "held",
        "inflated",
        "inflater",
        "left",
        "mode",
        "next",
        "sent",
        "tail",
        "tainted",
        "tainted_places",
        "what",
    )

    def __init__(self, seq: int) -> None:
        self.next = seq
        self.held: dict[int, tuple[bytes, Source]] = {}
        self.copies: list[tuple[int, int, Source]] = []  # beginning and end of segments that were sent again
        self.tainted_places: list[tuple[int, int]] = []  # beginnings and ends of bodies with needles
        self.begin()

    def begin(self) -> None:
        """The next message."""
        self.mode = NOWHERE
        self.head = b""
        self.left = 0  # bytes of the body, or of the chunk
        self.after = False  # the body ends with the connection
        self.inflater: Any = None
        self.what = ""
        self.tail = b""  # the last decoded bytes, in which a needle may begin
        self.sent = self.inflated = 0
        self.begun = 0  # where the body does
        self.frames: list[Source] = []
        self.tainted = False


class Bodies:
    """All directions of one capture."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._streams: OrderedDict[bytes, _Stream] = OrderedDict()
        self.found: list[Found] = []
        self.count = 0  # of bodies in which a needle stands; the first MAX_FOUND are named
        self.closed = 0  # of bodies that could not be looked into, or not to their ends

    def feed(self, key: bytes, seq: int, data: bytes, source: Source) -> Iterator[Edit]:
        """One segment, with the pieces of the file that hold it."""
        stream = self._streams.get(key)
        if stream is None:
            if data[:7] != b"HTTP/1." and classify(data) != REQUEST:
                return
            stream = self._streams[key] = _Stream(seq)
            if len(self._streams) > MAX_STREAMS:
                self._streams.popitem(last=False)
        self._streams.move_to_end(key)
        end = (seq + len(data)) % _WRAP
        if any(_overlap(seq, end, *place) for place in stream.tainted_places):
            yield from _dropped(source)
        behind = _distance(stream.next, seq)
        if behind < 0 or seq in stream.held:
            stream.copies = [*stream.copies[1 - MAX_COPIES :], (seq, end, source)]
        if behind > 0:
            stream.held.setdefault(seq, (data, source))
            if len(stream.held) > MAX_HELD:
                yield from self._skip(stream)
            return
        yield from self._take(stream, data[-behind:], source)
        yield from self._held(stream)

    def end(self) -> Iterator[Edit]:
        """Nothing more comes: what waits behind holes is all there is."""
        for stream in self._streams.values():
            while stream.held:
                yield from self._skip(stream)

    def _held(self, stream: _Stream) -> Iterator[Edit]:
        """Segments that waited for this."""
        while stream.held:
            due = [seq for seq in stream.held if (seq - stream.next) % _WRAP >= _WRAP // 2 or seq == stream.next]
            if not due:
                return
            seq = due[0]
            data, source = stream.held.pop(seq)
            yield from self._take(stream, data[(stream.next - seq) % _WRAP :], source)

    def _skip(self, stream: _Stream) -> Iterator[Edit]:
        """The hole will not be filled: a body with a hole cannot be inflated any further."""
        if stream.inflater is not None:
            self.closed += 1
        stream.begin()
        stream.next = min(stream.held, key=lambda seq: (seq - stream.next) % _WRAP)
        yield from self._held(stream)

    def _take(self, stream: _Stream, data: bytes, source: Source) -> Iterator[Edit]:
        stream.next = (stream.next + len(data)) % _WRAP
        first = True
        while data:
            if stream.mode == NOWHERE:
                if not first and not data.lstrip(b"\r\n"):
                    return
                if data[:7] != b"HTTP/1." and classify(data) != REQUEST:
                    return
                stream.mode = HEAD
            first = False
            if stream.mode == HEAD:
                if len(stream.frames) < MAX_FRAMES:
                    stream.frames.append(source)
                data = yield from self._head(stream, data)
                continue
            if not stream.frames or stream.frames[-1] != source:
                if stream.tainted:
                    yield from _dropped(source)
                    stream.tainted_places[-1] = stream.begun, stream.next
                if len(stream.frames) < MAX_FRAMES:
                    stream.frames.append(source)
            data = yield from self._body(stream, data)

    def _head(self, stream: _Stream, data: bytes) -> Generator[Edit, None, bytes]:
        """The head as far as it is there; gives what is behind it."""
        before = len(stream.head)
        joined = stream.head + data
        end = _HEAD_END.search(joined, max(0, before - 3))
        if end is None:
            stream.head = joined
            if len(joined) > MAX_HEAD_BYTES:
                stream.begin()
            return b""
        fields = {name.lower(): value.strip().lower() for name, value in _HEADER.findall(joined[: end.end()])}
        is_answer, no_body = joined[:5] == b"HTTP/", _NO_BODY.match(joined)
        frames = stream.frames
        stream.begin()
        length = fields.get(b"content-length", b"")
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            stream.mode = CHUNK_LINE
        elif length.isdigit() and len(length) < 19:
            stream.left, stream.mode = int(length), BODY if int(length) else NOWHERE
        elif is_answer and not no_body:
            stream.after, stream.mode = True, BODY
        coding = fields.get(b"content-encoding", b"").decode("latin-1")
        if stream.mode != NOWHERE and coding not in ("", "identity"):
            stream.what = coding
            stream.inflater = _inflater(coding)
            self.closed += stream.inflater is None
        if no_body:
            stream.begin()
        rest = joined[end.end() :]
        stream.begun = (stream.next - len(rest)) % _WRAP
        if self._needles.search(length):
            stream.begun = (stream.begun - end.end()) % _WRAP
            stream.frames = list(dict.fromkeys(frames))
            yield from self._taint(stream, "the length of a body, which would become another")
        return rest

    def _body(self, stream: _Stream, data: bytes) -> Generator[Edit, None, bytes]:
        """Bytes of a body, or of the lines between its chunks; gives what is behind them."""
        if stream.mode in (BODY, CHUNK):
            if stream.after:
                if data[:7] == b"HTTP/1.":  # an answer to HEAD had no body
                    stream.begin()
                    return data
                part, rest = data, b""
            else:
                part, rest = data[: stream.left], data[stream.left :]
                stream.left -= len(part)
            yield from self._decoded(stream, part)
            if not stream.after and not stream.left:
                if stream.mode == BODY:
                    stream.begin()
                else:
                    stream.mode = CHUNK_END
            return rest
        if stream.mode == CHUNK_END:
            rest = data.lstrip(b"\r\n") if len(data) < 3 else data[2:] if data[:2] == b"\r\n" else data[1:]
            stream.mode = CHUNK_LINE
            return rest
        line = _CHUNK.match(stream.head + data)
        if line is None:
            stream.head += data
            if b"\n" in stream.head or len(stream.head) > 4096:
                stream.begin()
            return b""
        if self._needles.search(line[1]):
            yield from self._taint(stream, "the length of a chunk, which would become another")
        rest = (stream.head + data)[line.end() :]
        stream.head, stream.left, stream.mode = b"", int(line[1], 16), CHUNK
        if not stream.left:
            stream.begin()
        return rest

    def _decoded(self, stream: _Stream, part: bytes) -> Iterator[Edit]:
        """Look into the next bytes of a body."""
        stream.sent += len(part)
        reach = max(0, self._needles.longest - 1)
        if stream.inflater is None:
            if stream.what or stream.mode != CHUNK:  # cannot be looked into; or it can be edited where it stands
                return
            seam = stream.tail + part[:reach]
            crossing = any(hit.start < len(stream.tail) < hit.end for hit in self._needles.search(seam))
            if crossing:
                yield from self._taint(stream, "an identifier that is cut in two by the chunks of a body")
            stream.tail = (stream.tail + part)[-reach:] if reach else b""
            return
        data = part
        while data:
            try:
                plain, data = _inflate(stream.inflater, data)
            except (zlib.error, ValueError, EOFError):
                self._close(stream)
                return
            stream.inflated += len(plain)
            if self._needles.search(stream.tail + plain):
                yield from self._taint(stream, f"a body compressed with {stream.what}")
            stream.tail = (stream.tail + plain)[-reach:] if reach else b""
            over = stream.inflated > FREE_BYTES and stream.inflated > MAX_RATIO * stream.sent
            if over or stream.inflated > MAX_BODY_BYTES:
                self._close(stream)
                return
            if not plain and not data:
                return

    def _close(self, stream: _Stream) -> None:
        self.closed += 1
        stream.inflater = None

    def _taint(self, stream: _Stream, what: str) -> Iterator[Edit]:
        if stream.tainted:
            return
        stream.tainted = True
        self.count += 1
        if len(self.found) < MAX_FOUND:
            self.found.append(Found(stream.frames[0].frame, stream.frames[-1].frame, what))
        place = stream.begun, stream.next
        stream.tainted_places = [*stream.tainted_places[1 - MAX_TAINTED :], place]
        again = [source for start, end, source in stream.copies if _overlap(start, end, *place)]
        for source in (*stream.frames, *again):
            yield from _dropped(source)


def _dropped(source: Source) -> Iterator[Edit]:
    return (Edit(piece, 0, None, 0, _RANK) for piece in source.pieces)


def _distance(start: int, end: int) -> int:
    """From one sequence number to another; below zero when that is before it."""
    return (end - start + _WRAP // 2) % _WRAP - _WRAP // 2


def _overlap(start: int, end: int, other: int, other_end: int) -> bool:
    return _distance(start, other_end) > 0 and _distance(other, end) > 0


INFLATE_BYTES = 256 << 10


def _inflate(inflater: Any, data: bytes) -> tuple[bytes, bytes]:
    """The next bytes that come out, at most INFLATE_BYTES, and what is left of what goes in."""
    plain = inflater.decompress(data, INFLATE_BYTES)
    rest = getattr(inflater, "unconsumed_tail", b"")
    return plain, rest if plain or rest != data else b""


class _Zlib:
    """gzip, zlib, and the bare deflate data that some servers send under its name."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=47)
        self._begun = False
        self.unconsumed_tail = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            plain = self._zlib.decompress(data, max_length)
        except zlib.error:
            if self._begun:
                raise
            self._zlib = zlib.decompressobj(wbits=-15)
            plain = self._zlib.decompress(data, max_length)
        self._begun = True
        self.unconsumed_tail = self._zlib.unconsumed_tail
        return plain


def _inflater(coding: str) -> Any:
    """None for a coding that cannot be undone here."""
    return _Zlib() if coding in ("gzip", "x-gzip", "deflate") else None
