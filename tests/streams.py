"""TCP made for tests: requests as bytes, segments as frames or as the records that travel, and the way through."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from fixtures.wire import ACK, PSH, SYN, TCP, ethernet, ip, over_ip
from leakscan.bodies import Bodies
from leakscan.losses import Losses
from leakscan.model import Chunk, Coverage, Head, Message, Origin, Segment
from leakscan.protocols import Http1
from leakscan.reassembly import Reassembler
from leakscan.verdicts import Verdicts

CLIENT, SERVER = "192.0.2.1", "203.0.113.80"
CLIENT_PORT, SERVER_PORT = 40000, 80
ORIGIN = Origin("test.pcap", 1, 6, "")
KEY = bytes((0, 192, 0, 2, 1, 203, 0, 113, 80)) + struct.pack("!HH", CLIENT_PORT, SERVER_PORT)
START_NS = 1_326_153_600 * 10**9


def request(path: str = "/", *lines: str, host: str = "www.example", method: str = "GET", body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def segment(seq: int, data: bytes = b"", flags: int = ACK, key: bytes = KEY, frame: int = 1, **more: Any) -> Segment:
    known = {"missing": 0, "tcp": b"", "time_ns": START_NS + frame * 10**6, "teid": None, "origin": ORIGIN}
    return Segment(key, seq % 2**32, flags, data, frame=frame, **{**known, **more})


def chunk(data: bytes, skipped: int = 0, frame: int = 1, end: bool = False) -> Chunk:
    return Chunk(KEY, data, skipped, end, frame, START_NS + frame * 10**6, None, ORIGIN)


def cut(data: bytes, places: Iterable[int]) -> list[tuple[int, bytes]]:
    """`data` cut at the places that lie within it: (offset, piece)."""
    edges = sorted({0, *(place for place in places if 0 < place < len(data)), len(data)})
    return [(low, data[low:high]) for low, high in pairwise(edges)]


def messages(chunks: Iterable[Chunk], losses: Losses | None = None) -> list[Message]:
    return list(Http1(Coverage(), Losses() if losses is None else losses).messages(chunks))


def through(
    segments: Sequence[Segment], losses: Losses | None = None, coverage: Coverage | None = None
) -> list[Message]:
    """Segments through reassembly and parser."""
    losses = Losses() if losses is None else losses
    coverage = Coverage() if coverage is None else coverage
    chunks = Reassembler(Verdicts(), coverage, losses).reassemble(segments)
    return list(Http1(coverage, losses).messages(chunks))


def through_bodies(segments: Sequence[Segment], losses: Losses) -> list[Head]:
    """The same, with the bodies."""
    chunks = Reassembler(Verdicts(), Coverage(), losses).reassemble(segments)
    return list(Http1(Coverage(), losses, bodies=Bodies(losses)).heads(chunks))


def brief(message: Message) -> tuple[str, str, tuple[Any, ...], bool]:
    """What must not depend on how the stream was cut."""
    return message.method, message.target, message.headers, message.partial


def tcp(
    seq: int,
    data: bytes = b"",
    flags: int = ACK | PSH,
    client: str = CLIENT,
    server: str = SERVER,
    port: int = CLIENT_PORT,
) -> bytes:
    """One IP packet from client to server."""
    head = struct.pack("!HHIIBBHHH", port, SERVER_PORT, seq % 2**32, 1, 0x50, flags, 65535, 0, 0)
    return ip(client, server, TCP, over_ip(client, server, TCP, head + data, 16))


def frames(data: bytes, places: Iterable[int] = (), **more: Any) -> list[bytes]:
    """One connection's client side as Ethernet frames: SYN, then the data cut at `places`."""
    packets = [tcp(999, flags=SYN, **more), *(tcp(1000 + at, piece, **more) for at, piece in cut(data, places))]
    return [ethernet(packet, True) for packet in packets]
