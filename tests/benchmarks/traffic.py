"""Large traffic with a known number of leaks in it, the same bytes every time.

    python -m tests.benchmarks.traffic mixed 1GB mixed.pcap
    python -m tests.benchmarks.traffic lossy 100MB - | zstd > lossy.pcap.zst

In: a kind of traffic and a size, that of the plain pcap file; with `--gtp-u` or `--format pcapng` the packets are the
same. Out: the capture, written as it is made, and on stderr (or in `--report FILE`) what is in it as one JSON object.
State: the open streams, at most MAX_OPEN, and the frame numbers of the planted requests.

A planted request carries `x-up-calling-line-id` with a number that is reserved for fiction. `whole` are those of which
the capture holds every segment of the head: they must be found. `torn` lack one, which was lost or lies behind the end
of the capture: they may be found. Both are numbers of the frames in which requests begin. Nothing else in it is a leak.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO

from tests.benchmarks.packets import ACK, MSS, PSH, SYN, Capture, Connection, Head, Packet

MAX_OPEN = 1000  # streams that are open at a time ...
BYTES_PER_OPEN = 1 << 18  # ... but only one for so many bytes of the capture: a small one has to hold whole streams
MAX_BURST = 8  # frames of one stream in a row
HTTP_SHARE = 0.1  # of the streams of mixed traffic
LEAKING_SHARE = 0.2  # of the HTTP streams: all their requests are planted ...
QUIET_SHARE = 0.01  # ... and of those of quiet traffic
POST_SHARE, UPLOAD_SHARE = 0.1, 0.005  # of the requests
LONG_COOKIE_SHARE = 0.1  # of the requests: the head takes two segments or three
LOST_SHARE, REORDERED_SHARE = 0.01, 0.02  # of the frames of lossy traffic
SYN_SHARE, ANSWERED_SHARE = 0.7, 0.1  # of the streams of tiny traffic; the others have one packet with payload
MAX_RESPONSE = 1 << 20
RECORD_BYTES = 1 << 14

_HOSTS = [f"www{number}.shop.example" for number in range(500)]
_SERVERS = [0xC0000200, 0xC6336400, 0xCB007100]  # 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24
_VICTIM = 0xCB007150
_CLIENTS = 0x0A000000  # 10/8
_PROGRAMS = [
    "Mozilla/5.0 (Linux; Android 4.0.3; GT-I9100) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 5_0_1 like Mac OS X) AppleWebKit/534.46 (KHTML, like Gecko) Mobile/9A405",
    "Mozilla/5.0 (BlackBerry; U; BlackBerry 9900; en) AppleWebKit/534.11+ (KHTML, like Gecko) Version/7.1.0.346",
    "okhttp/2.4.0",
]
_WORDS = [
    "news",
    "price",
    "weather",
    "match",
    "ticket",
    "train",
    "cinema",
    "recipe",
    "garden",
    "offer",
    "review",
    "photo",
]


@dataclass
class Traffic:
    """What a generated capture holds."""

    kind: str
    size: int  # bytes of the plain pcap file
    frames: int
    streams: int
    requests: int
    whole: list[int]
    torn: list[int]


class Source:
    """Where streams come from; counts what it makes."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.streams = 0
        self.requests = 0
        self.planted: list[Head] = []
        words = self.rng.choices(_WORDS, k=RECORD_BYTES)
        self.page = "".join(f"<p>{word}</p>\n" for word in words).encode()

    def connection(self, host: int, tls: bool) -> Connection:
        rng = self.rng
        self.streams += 1
        server = _SERVERS[host % 3] + 1 + host // 3
        port = 443 if tls else 80 if host % 10 else 8080
        return Connection(_CLIENTS | rng.getrandbits(24), 1024 + rng.getrandbits(15), server, port, rng.getrandbits(32))

    def response_size(self) -> int:
        """Heavy tail, a mean of some 30 kB."""
        return min(int(9000 * self.rng.paretovariate(1.2)), MAX_RESPONSE)

    # -- streams ---------------------------------------------------------------------------------------------------

    def mixed(self) -> Iterator[Packet]:
        return self.http() if self.rng.random() < HTTP_SHARE else self.tls()

    def lossy(self) -> Iterator[Packet]:
        """Mixed, of which frames are lost or come behind the next one of their stream."""
        rng = self.rng
        late: Packet | None = None
        for packet in self.mixed():
            fate = rng.random()
            if fate < LOST_SHARE:
                continue
            if late is None and fate < LOST_SHARE + REORDERED_SHARE:
                late = packet
                continue
            yield packet
            if late is not None:
                yield late
                late = None
        if late is not None:
            yield late

    def tiny(self) -> Iterator[Packet]:
        """A flood of SYNs, some of them answered, and streams of one packet."""
        rng = self.rng
        roll = rng.random()
        if roll < SYN_SHARE + ANSWERED_SHARE:
            self.streams += 1
            flood = Connection(_CLIENTS | rng.getrandbits(24), rng.getrandbits(16), _VICTIM, 80, rng.getrandbits(32))
            yield flood.segment(True, SYN)
            if roll > SYN_SHARE:
                yield flood.segment(False, SYN | ACK)
            return
        host = rng.randrange(len(_HOSTS))
        tls = rng.random() > HTTP_SHARE
        connection = self.connection(host, tls)
        if tls:
            yield connection.segment(True, PSH | ACK, _record(0x17, rng.randbytes(64)))
            return
        leaking = rng.random() < LEAKING_SHARE
        request = self._head("GET", host, leaking).encode()
        yield connection.segment(True, PSH | ACK, request, self._planted(1) if leaking else None)

    def tls(self) -> Iterator[Packet]:
        """A TLS 1.3 connection as far as a capture shows it: hellos, then records of random bytes."""
        rng = self.rng
        host = rng.randrange(len(_HOSTS))
        connection = self.connection(host, tls=True)
        yield from connection.open()
        yield from connection.send(True, _client_hello(rng, _HOSTS[host]))
        yield from connection.send(False, _server_hello(rng) + _record(0x17, rng.randbytes(3600)))
        yield from connection.send(True, _record(0x14, b"\1") + _record(0x17, rng.randbytes(53)))
        for _ in range(rng.randint(1, 4)):
            yield from connection.send(True, _record(0x17, rng.randbytes(rng.randint(200, 900))))
            left = self.response_size()
            while left > 0:
                yield from connection.send(False, _record(0x17, rng.randbytes(min(left, RECORD_BYTES))))
                left -= RECORD_BYTES
        yield from connection.close()

    def quiet(self) -> Iterator[Packet]:
        """HTTP in which little leaks."""
        return self.http(QUIET_SHARE)

    def http(self, share: float | None = None) -> Iterator[Packet]:
        """A connection with some requests, one after the other."""
        rng = self.rng
        host = rng.randrange(len(_HOSTS))
        connection = self.connection(host, tls=False)
        leaking = rng.random() < (LEAKING_SHARE if share is None else share)
        yield from connection.open()
        for _ in range(rng.randint(1, 4)):
            yield from self._ask(connection, host, leaking)
            yield from self._answer(connection)
        yield from connection.close()

    # -- requests and responses --------------------------------------------------------------------------------------

    def _ask(self, connection: Connection, host: int, leaking: bool) -> Iterator[Packet]:
        rng = self.rng
        roll = rng.random()
        body = b""
        if roll < UPLOAD_SHARE:
            body = b"\xff\xd8\xff\xe0" + rng.randbytes(rng.randint(50_000, 400_000))
        elif roll < POST_SHARE:
            text = "+".join(rng.choices(_WORDS, k=rng.randint(10, 500)))
            body = f"title={rng.choice(_WORDS)}&text={text}".encode()
        request = self._head("POST" if body else "GET", host, leaking, len(body)).encode()
        yield from connection.send(True, request + body, self._planted(-(-len(request) // MSS)) if leaking else None)

    def _head(self, method: str, host: int, leaking: bool, length: int = 0) -> str:
        """A request head of some 600 bytes, now and then of some thousands."""
        rng = self.rng
        self.requests += 1
        section, page = rng.choice(_WORDS), f"{rng.choice(_WORDS)}-{rng.randrange(1000)}.html?page={rng.randrange(50)}"
        lines = [
            f"{method} /{section}/{page}&sort=date HTTP/1.1",
            f"Host: {_HOSTS[host]}",
            f"User-Agent: {rng.choice(_PROGRAMS)}",
            "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language: en-GB,en;q=0.5",
            "Accept-Encoding: gzip, deflate",
            f"Referer: http://{_HOSTS[host]}/{section}/index.html",
            f"Cookie: theme=light; basket={rng.randrange(100)}; seen={'-'.join(rng.choices(_WORDS, k=8))}",
            "Connection: keep-alive",
        ]
        if rng.random() < LONG_COOKIE_SHARE:
            lines[7] += f"; history={'-'.join(rng.choices(_WORDS, k=rng.randint(100, 400)))}"
        if length:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {length}"]
        if leaking:
            lines.append(f"x-up-calling-line-id: 447700900{rng.randrange(1000):03}")
        return "\r\n".join(lines) + "\r\n\r\n"

    def _planted(self, segments: int) -> Head:
        head = Head(segments)
        self.planted.append(head)
        return head

    def _answer(self, connection: Connection) -> Iterator[Packet]:
        """Markup for one half of the responses, random bytes for the other."""
        rng = self.rng
        size = left = self.response_size()
        markup = rng.random() < 0.5
        kind = "text/html; charset=utf-8" if markup else "application/octet-stream"
        piece = (
            f"HTTP/1.1 200 OK\r\nServer: Apache\r\nContent-Type: {kind}\r\nCache-Control: max-age=600\r\n"
            f"Content-Length: {size}\r\nConnection: keep-alive\r\n\r\n"
        ).encode()
        while left > 0:
            count = min(left, RECORD_BYTES)
            piece += self.page[:count] if markup else rng.randbytes(count)
            yield from connection.send(False, piece)
            piece = b""
            left -= count


#: Kind of traffic -> what makes one stream of it.
KINDS: dict[str, Callable[[Source], Iterator[Packet]]] = {
    "mixed": Source.mixed,
    "http": Source.http,
    "quiet": Source.quiet,
    "tiny": Source.tiny,
    "lossy": Source.lossy,
}


def generate(
    kind: str, size: int, stream: BinaryIO, pcapng: bool = False, gtp_u: bool = False, seed: int = 2012
) -> Traffic:
    """Write a capture of `size` bytes (as plain pcap; a frame more at most) to `stream`. It ends in mid-traffic."""
    source, capture = Source(seed), Capture(stream, pcapng, gtp_u)
    make, rng = KINDS[kind], source.rng
    streams = [make(source) for _ in range(max(4, min(MAX_OPEN, size // BYTES_PER_OPEN)))]
    while capture.size < size:
        index = int(rng.random() * len(streams))
        for _ in range(1 + int(rng.random() * MAX_BURST)):
            packet = next(streams[index], None)
            if packet is None:
                streams[index] = make(source)
            elif capture.size < size:
                capture.add(packet)
    capture.flush()
    begun = [head.frames for head in source.planted if any(head.frames)]
    return Traffic(
        kind=kind,
        size=capture.size,
        frames=capture.frames,
        streams=source.streams,
        requests=source.requests,
        whole=[frames[0] for frames in begun if all(frames)],
        torn=[next(filter(None, frames)) for frames in begun if not all(frames)],
    )


# -- TLS 1.3, RFC 8446 -----------------------------------------------------------------------------------------------


def _vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(data)) + data


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!HH", kind, len(data)) + data


def _client_hello(rng: Random, host: str) -> bytes:
    """Section 4.1.2, padded to the 512 bytes that browsers send (RFC 7685)."""
    extensions = _extension(0, _vector(b"\0" + _vector(host.encode(), 2), 2)) + _extension(43, b"\2\3\4")
    extensions += _extension(51, _vector(b"\0\x1d" + _vector(rng.randbytes(32), 2), 2))
    body = b"\3\3" + rng.randbytes(32) + _vector(rng.randbytes(32), 1) + _vector(bytes.fromhex("130113021303"), 2)
    body += _vector(b"\0", 1)
    extensions += _extension(21, bytes(508 - len(body) - 2 - len(extensions) - 4))
    return _record(0x16, b"\1" + _vector(body + _vector(extensions, 2), 3))


def _server_hello(rng: Random) -> bytes:
    """Section 4.1.3, and the change of ciphers that middleboxes expect."""
    extensions = _extension(43, b"\3\4") + _extension(51, b"\0\x1d" + _vector(rng.randbytes(32), 2))
    body = b"\3\3" + rng.randbytes(32) + _vector(rng.randbytes(32), 1) + b"\x13\1\0" + _vector(extensions, 2)
    return _record(0x16, b"\2" + _vector(body, 3)) + _record(0x14, b"\1")


# -- the command line --------------------------------------------------------------------------------------------------

UNITS = {"GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1}


def parse_size(text: str) -> int:
    """Bytes: "1GB", "250 MB", "0.5GB", "1000000". Raises ValueError."""
    text = text.strip().upper()
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    return int(float(text.removesuffix(unit)) * UNITS.get(unit, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a capture of generated traffic.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("size", type=parse_size, help="of the plain pcap file: 1GB, 250MB, 1000000")
    parser.add_argument("output", help="a file, or - for stdout")
    parser.add_argument("--format", choices=("pcap", "pcapng"), default="pcap")
    parser.add_argument("--gtp-u", action="store_true", help="the same packets inside GTP-U")
    parser.add_argument("--seed", type=int, default=2012)
    parser.add_argument("--report", metavar="FILE", help="what is in the capture, as JSON; default: stderr")
    options = parser.parse_args()
    with sys.stdout.buffer if options.output == "-" else Path(options.output).open("wb") as stream:
        made = generate(options.kind, options.size, stream, options.format == "pcapng", options.gtp_u, options.seed)
    text = json.dumps(asdict(made)) + "\n"
    if options.report:
        Path(options.report).write_text(text)
    else:
        sys.stderr.write(text)


if __name__ == "__main__":
    main()
