"""The records that travel from stage to stage. Stages know these and nothing of each other.

One NamedTuple per frame batch, segment and chunk (cheap to make); frozen dataclasses from Message up. Units: times in
nanoseconds since 1970 UTC, lengths in bytes, frame numbers 1-based within their capture, text as Latin-1 (one character
per byte on the wire).
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Column = NDArray[np.int64]
    Buffer = bytearray | bytes | memoryview

_PORTS = struct.Struct("!HH")

#: Confidences, weakest first; `--min-confidence` compares positions.
CONFIDENCES = ("hint", "probable", "confirmed")
#: Severities, weakest first; `--fail-on` compares positions.
SEVERITIES = ("low", "medium", "high", "critical")


class Origin(NamedTuple):
    """Where frames come from: one per run of frames that share it."""

    capture: str  # as the user gave it
    link: int  # LINKTYPE_ number
    digits: int  # decimals of a second that the capture's clock has: 0 .. 9
    interface: str  # pcapng if_name, else ""


class FrameBatch(NamedTuple):
    """Many frames at once, as columns over one buffer. The buffer is reused: valid until the next is asked for."""

    origin: Origin
    buffer: Buffer
    start: Column  # offset of each frame's first byte in buffer
    captured: Column  # bytes of it that are there
    wire: Column  # bytes it had on the wire
    time_ns: Column
    first_frame: int  # number of the first frame
    base: int = 0  # where the buffer's first byte stands in the capture, decompressed
    sifted: object = None  # sieve.Sifted, if another process has made that of it


#: Outermost tunnel a packet came through; the position in this table is the first byte of a direction's key, so that
#: the same connection seen inside and outside of a tunnel stays two streams (a header added between them is the find).
TUNNEL_KINDS = (
    "",
    "gtp-u",
    "gre",
    "ip-in-ip",
    "vxlan",
    "geneve",
    "l2tp",
    "teredo",
    "ayiya",
    "capwap",
    "gprs-ns",
    "other",
)


class Segment(NamedTuple):
    """One TCP segment of one direction."""

    key: bytes  # direction: tunnel kind (1), source, destination (4 or 16 each), source port (2), destination port (2)
    seq: int  # sequence number of the first payload byte (or of the SYN), 0 .. 2**32 - 1
    flags: int  # TCP flags, RFC 9293 section 3.1
    payload: bytes
    missing: int  # payload bytes that were on the wire behind `payload` but not captured (snap length)
    tcp: bytes  # TCP header and payload, for the checksum; b"" when it cannot be checked
    frame: int
    time_ns: int
    teid: int | None  # GTP-U tunnel endpoint, outermost
    origin: Origin
    token: int = 0  # verdicts.Verdicts.token of the key, when it is known


class Openings(NamedTuple):
    """SYNs without payload that follow each other: (key, sequence number, flags, time in ns) as in Segment. Most SYNs
    open a direction that nobody has seen before, and need no Segment for that.
    """

    syns: list[tuple[bytes, int, int, int]]


class Chunk(NamedTuple):
    """Bytes of one HTTP request direction in order. The gap is a field: `skipped` bytes are missing before `data`."""

    key: bytes
    data: bytes  # b"" only with `end`
    skipped: int
    end: bool  # promised once: nothing follows
    frame: int
    time_ns: int
    teid: int | None
    origin: Origin


@dataclass(slots=True)
class Coverage:
    """How much there was, and how much of it was examined. What was not stands in Losses."""

    frames: int = 0
    bytes: int = 0  # of all frames, on the wire
    streams: int = 0  # SYNs plus streams joined in the middle
    requests: int = 0
    tls_streams: int = 0  # ClientHellos
    tcp_payload_bytes: int = 0
    examined_bytes: int = 0  # payload of readable HTTP, both directions

    def merge(self, other: Coverage) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def reverse_key(key: bytes) -> bytes:
    """The key of the other direction of the same connection."""
    half = (len(key) - 5) // 2
    return key[:1] + key[1 + half : 1 + 2 * half] + key[1 : 1 + half] + key[-2:] + key[-4:-2]


@lru_cache(maxsize=4096)
def endpoints(key: bytes) -> tuple[str, int, str, int]:
    """Source address and port, destination address and port of a direction, addresses as text."""
    half = (len(key) - 5) // 2
    family = socket.AF_INET if half == 4 else socket.AF_INET6
    source = socket.inet_ntop(family, key[1 : 1 + half])
    destination = socket.inet_ntop(family, key[1 + half : 1 + 2 * half])
    source_port, destination_port = _PORTS.unpack(key[-4:])
    return source, source_port, destination, destination_port


class Head(NamedTuple):
    """One HTTP request head as it stood on the wire; protocols.heads.message_of takes it apart."""

    key: bytes  # direction, as in Segment
    raw: bytes  # from the request line on; to the empty line, unless it was cut
    lines: list[bytes]  # raw, split at b"\n"
    origin: Origin  # of the frame that completes the head
    time_ns: int  # of the frame that completes the head
    frame: int  # holds the head's first byte
    frame_end: int  # completes the head
    begins_in: str  # capture that holds `frame`: differs from origin.capture when a series cuts the head
    teid: int | None
    partial: bool  # the head was cut
    body: bytes = b""  # what was kept of it, without chunk framing, if bodies are asked for
    glanced: bool = False  # somebody did, and it is worth more than a glance


class Seen(NamedTuple):
    """A request that a glance (glance.py) found nothing in: what there is to count of it. Names as in Head."""

    key: bytes
    host: str  # as the glance gave it
    origin: Origin
    time_ns: int
    teid: int | None


class Answer(NamedTuple):
    """The body of a response, and the request that it answers, by connection and order."""

    request: Head
    kind: str  # content type, as on the wire
    body: bytes  # without content coding; perhaps only its beginning
    origin: Origin  # of the frame that completes it
    time_ns: int  # of the frame that completes it
    frame: int  # holds the first byte of the response
    frame_end: int  # completes it


Pair = tuple[str, str | None]  # header line: name as on the wire, value; (line, None) without a colon


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request as read from the wire."""

    origin: Origin  # of the frame that completes the head
    time_ns: int  # of the frame that completes the head
    frame: int  # holds the message's first byte
    frame_end: int  # completes the head
    begins_in: str  # capture that holds `frame`: differs from origin.capture when a series cuts the head
    client: str
    client_port: int
    server: str
    server_port: int
    teid: int | None
    tunnel: str  # "" or the outermost kind of tunnel: "gtp-u", "gre", ...
    protocol: str  # "http/1.1", "http/1.0"
    method: str
    target: str  # as on the wire
    host: str  # lower case, no port; the server's address when the request names none
    headers: tuple[Pair, ...]
    partial: bool  # the head was cut
    body: bytes = b""  # as in Head


class Field(NamedTuple):
    """One place of a message that may hold an identifier."""

    place: str  # header, cookie, query, path, host, referer, user-agent, body, response-header, response-body
    name: str  # as on the wire
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """One identifier found in one field. Holds the raw value: never leaves the process as it is."""

    field: Field
    rule: str  # stable id of the signature or detector: "x-up-calling-line-id"
    identifier: str  # msisdn, imsi, imei, iccid, meid_esn, subscriber_token, private_ip, cell_location, ...
    value: str  # innermost decoded value (contract.md)
    normal: str  # normal form: what the pseudonym is made of
    encoding: tuple[str, ...]  # outermost first, () when plain
    confidence: str  # one of CONFIDENCES
    severity: str  # one of SEVERITIES
    rotating: bool  # a token that changes: not counted as a subscriber
    origin: str  # injected, consistent-with-injection, client-sent, unknown
    evidence: tuple[str, ...]  # short words
    carriers: tuple[str, ...] = ()  # PLMNs ("234-10") of which the name or value alone is evidence for the network
    home: tuple[str, ...] = ()  # PLMNs of which the value is evidence for the home operator
    spans: tuple[str, ...] = ()  # captured strings, besides the value, that must not be shown (the undecoded value)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A network or operator, and why we think so."""

    name: str
    country: str | None  # ISO 3166 alpha-2
    mcc: str | None
    mnc: str | None
    evidence: tuple[str, ...]


#: Verdicts of a recipient that the policy names as a partner for this identifier; any other is outside the policy.
PARTNER_VERDICTS = frozenset({"allowed", "allowed-but-clear"})


@dataclass(frozen=True, slots=True)
class Recipient:
    verdict: str = "no-policy"
    partner: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Leak:
    """One leak line of the result, schema 1 (docs/formats.md). Safe to print: values are masked unless shown."""

    time: str  # RFC 3339, UTC
    capture: str
    frame: int
    frame_end: int
    client: str
    client_port: int
    server: str
    server_port: int
    teid: int | None
    host: str
    method: str
    target: str
    place: str
    name: str
    rule: str
    identifier: str
    value: str
    pseudonym: str
    encoding: tuple[str, ...]
    confidence: str
    severity: str
    origin: str
    bearer: str  # cellular, wifi, unknown
    network: Carrier | None
    home_operator: Carrier | None
    recipient: Recipient
    fingerprint: str
    evidence: tuple[str, ...]
    partial: bool
    rotating: bool = False  # a token that changes: does not tell one subscriber from another
