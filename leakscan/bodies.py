"""Request bodies, when they are asked for: kept as they come, then decompressed.

Comes in: a head that a body follows, its bytes without chunk framing, the holes in them. Goes out: the head with its
body, as soon as the body is over; and of a body its content. State: what is held of unfinished bodies, with their
heads, at most MAX_BODY_BYTES a body and MAX_HELD_BYTES of all. What is not there, or past a limit, is counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from leakscan.losses import Losses
from leakscan.model import Head

MAX_BODY_BYTES = 256 << 10
MAX_HELD_BYTES = 32 << 20
MAX_INFLATED_BYTES = 1 << 20
MAX_RATIO = 100
#: Stands for a hole, so that what was apart does not become one.
HOLE = b"\0"

_GZIP_MAGIC = b"\x1f\x8b"
#: zlib's window bits: of gzip (RFC 1952), zlib (RFC 1950), and of raw deflate (RFC 1951), which some programs send
#: as "deflate".
_GZIP, _ZLIB, _RAW = 31, 15, -15
_WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}


class _Held:
    """One unfinished body."""

    __slots__ = ("head", "kept", "pieces", "torn")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.pieces: list[bytes] = []
        self.kept = 0
        self.torn = False


class Bodies:
    """The unfinished bodies of all directions, by the direction's key; one a direction."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._held: dict[bytes, _Held] = {}  # the oldest first
        self._bytes = 0

    def open(self, head: Head) -> None:
        """A body follows this head."""
        self._held[head.key] = _Held(head)
        self._bytes += len(head.raw)

    def add(self, key: bytes, data: bytes) -> None:
        """More of the body; what is past the limit is let go."""
        held = self._held.get(key)
        if held is None:
            return
        room = MAX_BODY_BYTES - held.kept
        if len(data) > room:
            if room >= 0:
                self._losses["http.body-too-long"] += 1
            data = data[: max(room, 0)]
            held.kept = MAX_BODY_BYTES + 1  # told once
        else:
            held.kept += len(data)
        if data:
            held.pieces.append(data)
            self._bytes += len(data)

    def hole(self, key: bytes) -> None:
        """Bytes of the body are missing here."""
        self.tear(key)
        self.add(key, HOLE)

    def tear(self, key: bytes) -> None:
        """The body is not whole."""
        held = self._held.get(key)
        if held is not None:
            held.torn = True

    def close(self, key: bytes, complete: bool) -> Iterator[Head]:
        """The body is over: its head, if there is one."""
        held = self._held.pop(key, None)
        if held is not None:
            self._bytes -= len(held.head.raw) + sum(map(len, held.pieces))
            if held.torn or not complete:
                self._losses["http.body-cut"] += 1
            yield held.head._replace(body=b"".join(held.pieces))

    def evicted(self) -> Iterator[Head]:
        """What is too much in all, the oldest first."""
        while self._bytes > MAX_HELD_BYTES:
            self._losses["http.body-evicted"] += 1
            yield from self.close(next(iter(self._held)), complete=True)

    def rest(self) -> Iterator[Head]:
        """Nothing more will come."""
        for key in list(self._held):
            yield from self.close(key, complete=False)


def content(body: bytes, coding: str, losses: Losses) -> bytes:
    """A body without its content coding (RFC 9110 section 8.4.1), `coding` as the header says. One coding is undone, up
    to MAX_INFLATED_BYTES and MAX_RATIO; of another kind, or broken, it is b"" or what came before.
    """
    codings = [word for word in coding.lower().replace(" ", "").split(",") if word not in ("", "identity")]
    if not codings and body.startswith(_GZIP_MAGIC):
        codings = ["gzip"]
    if not codings:
        return body
    windows = _WINDOWS.get(codings[0], ()) if len(codings) == 1 else ()
    for window in windows:
        inflater = zlib.decompressobj(window)
        limit = min(MAX_INFLATED_BYTES, MAX_RATIO * len(body))
        try:
            text = inflater.decompress(body, limit)
        except zlib.error:
            text = _before_the_damage(body, window, limit)
        if text or inflater.eof:
            if not inflater.eof:
                over = len(text) >= limit
                losses["http.body-too-long" if over else "http.body-undecodable"] += 1
            return text
    losses["http.body-undecodable"] += 1
    return b""


def _before_the_damage(body: bytes, window: int, limit: int) -> bytes:
    """What can be inflated of a body with a hole or a mistake in it, a few bytes at a time."""
    inflater, pieces, size = zlib.decompressobj(window), [], 0
    try:
        for at in range(0, len(body), 64):
            pieces.append(inflater.decompress(body[at : at + 64], limit - size or 1))
            size += len(pieces[-1])
            if size >= limit:
                break
    except zlib.error:
        pass
    return b"".join(pieces)
