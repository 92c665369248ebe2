"""Months of live capture in little time: new streams, hosts and subscribers all the time, and the memory they take.

    python -m tests.soak PACKETS FOLDER [--small]

In: how many packets; `--small` makes every table small, so that few packets fill them all. Out: on stdout one JSON
object: `samples` of resident memory in bytes, evenly over the packets, `streams`, and the `days` of packet time that
passed. It is the whole of `leakscan live`, with results and packets kept in FOLDER, but that the interface is a tap
that makes packets as fast as they are read. State: counters.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from unittest import mock

import numpy as np

from leakscan import cli
from leakscan.sources.tap import Drops, Piece, Wish

PIECE_PACKETS = 1000
PIECE_NS = 4 * 3600 * 10**9  # packet time that passes with every piece: 180 make a month
POPULAR = 5  # hosts that many subscribers visit
PAGE = os.sysconf("SC_PAGE_SIZE")

_ETHERNET = bytes.fromhex("0200000000020200000000010800")
_IP = struct.Struct("!BBHHHBBHII")
_TCP = struct.Struct("!HHIIBBHHH")
SERVER = 0xCB007150  # 203.0.113.80
SYN, ACK = 2, 16
_HELLO = b"\x16\x03\x01\x00\x40\x01" + bytes(64)


class Churn:
    """A tap: every piece is full of things that were never there before."""

    counts_drops = True
    digits = 6
    link = 1

    def __init__(self, name: str, wish: Wish) -> None:
        self.name = name
        self._zero = os.open("/dev/zero", os.O_RDONLY)  # readable all the time
        self._pieces = 0
        self.streams = 0
        self.samples: list[int] = []

    def fileno(self) -> int:
        return self._zero

    def drops(self) -> Drops:
        return Drops()

    def close(self) -> None:
        os.close(self._zero)

    def read(self, most: int) -> Piece:
        self.samples.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE)
        frames: list[bytes] = []
        while len(frames) < PIECE_PACKETS:
            frames += self._round()
        frames = frames[:most]
        self._pieces += 1
        time_ns = 1_700_000_000 * 10**9 + self._pieces * PIECE_NS
        captured = np.array([len(frame) for frame in frames], np.int64)
        times = np.full(len(frames), time_ns)
        return Piece(b"".join(frames), np.cumsum(captured) - captured, captured, captured, times)

    @property
    def days(self) -> float:
        return self._pieces * PIECE_NS / 86400e9

    def _round(self) -> list[bytes]:
        number = self.streams
        imsi = f"00101{number % 10**10:010d}"
        leaks = f"Host: {{}}\r\nX-IMSI: {imsi}\r\n\r\n"
        start = "GET /{} HTTP/1.1\r\n".format("x" * (number % 50))
        lost = (start + "A: " + "x" * 300 + "\r\n" + leaks.format("lost.example")).encode()
        return [
            *self._stream((start + leaks.format(f"n{number}.example")).encode()),  # a new host, a new subscriber
            *self._stream((start + leaks.format(f"popular{number % POPULAR}.example")).encode()),
            *self._stream(f"{start}Host: clean{number}.example\r\n\r\n".encode()),
            *self._stream(f"{start}Host: unfinished{number}.example\r\n".encode()),
            *self._stream(_HELLO),
            *self._stream(b""),
            *self._stream(lost[:100], lost[200:]),
            self._fragment(),
        ]

    def _stream(self, *parts: bytes) -> list[bytes]:
        """A SYN, and segments with a hole between them."""
        self.streams += 1
        client, port = 0x0A000000 + self.streams % (1 << 24), 1024 + self.streams % 60000
        frames = [self._frame(client, _TCP.pack(port, 80, 999, 0, 0x50, SYN, 65535, 0, 0))]
        seq = 1000
        for part in filter(None, parts):
            frames.append(self._frame(client, _TCP.pack(port, 80, seq, 1, 0x50, ACK, 65535, 0, 0) + part))
            seq += len(part) + 100
        return frames

    def _fragment(self) -> bytes:
        """The first half of a packet of which the second never comes."""
        return self._frame(0x0A000000 + self.streams % (1 << 24), _HELLO, 0x2000, self.streams & 0xFFFF)

    def _frame(self, client: int, payload: bytes, flags: int = 0x4000, ident: int = 0) -> bytes:
        return _ETHERNET + _IP.pack(0x45, 0, 20 + len(payload), ident, flags, 64, 6, 0, client, SERVER) + payload


#: Tables, and how large `--small` makes them.
SMALL = {
    "leakscan.reassembly.MAX_STREAMS": 2048,
    "leakscan.reassembly.MAX_HELD_ALL": 1 << 20,
    "leakscan.reassembly.MAX_RECENT_STREAMS": 256,
    "leakscan.protocols.http1.MAX_UNFINISHED_BYTES": 1 << 20,
    "leakscan.decode.fragments.MAX_PACKETS": 128,
    "leakscan.summary.MAX_BEHAVIOURS": 256,
    "leakscan.summary.MAX_HOSTS": 1000,
    "leakscan.summary.MAX_LEAKING_HOSTS": 256,
    "leakscan.summary.EXACT_IN_WHOLE": 1024,
    "leakscan.joins.MAX_WAITING": 256,
    "leakscan.joins.MAX_WAITING_REQUESTS": 256,
    "leakscan.joins.MAX_CONFIRMED": 1024,
    "leakscan.joins.MAX_CLIENTS": 1024,
    "leakscan.neighbours.MAX_NEIGHBOURS": 1024,
    "leakscan.neighbours.REMEMBERED": 256,
    "leakscan.joins.MAX_GATEWAYS": 64,
    "leakscan.detectors.MAX_ANSWERS": 256,
    "leakscan.tally.EXACT_IN_WHOLE": 1024,
    "leakscan.conceal.REMEMBERED": 1024,
    "leakscan.glance.MAX_LINES": 1024,
    "leakscan.recorder.streams.MAX_RECENT_BYTES": 1 << 20,
    "leakscan.recorder.streams.MAX_FOLLOWED": 256,
    "leakscan.sources.live.MAX_BATCH_BYTES": 1 << 18,
}

#: Answers that are remembered, and how many `--small` leaves them.
CACHES = (
    "leakscan.around._hash",
    "leakscan.around.client_hash",
    "leakscan.carriers.calling_code",
    "leakscan.carriers.range_holder",
    "leakscan.conceal._redacted",
    "leakscan.fingerprint._fingerprint",
    "leakscan.fingerprint._registrable_domain",
    "leakscan.around._hash",
    "leakscan.around.client_hash",
    "leakscan.spine.client_hash",
    "leakscan.spine.endpoints",
    "leakscan.protocols.heads._host_of",
    "leakscan.protocols.heads.endpoints",
)
SMALL_CACHE = 256


def soak(packets: int, folder: str, small: bool) -> Churn:
    """Run it; gives the tap, with what it has counted."""
    taps: list[Churn] = []

    def open_tap(name: str, wish: Wish) -> Churn:
        taps.append(Churn(name, wish))
        return taps[0]

    results = [f"{folder}/leaks.jsonl", f"{folder}/result.md"]
    outputs = [word for path in results for word in ("-o", path)]
    kept = [
        "--write",
        f"{folder}/kept.pcapng",
        "--write-leaks-only",
        "--write-rotate-size",
        "1MB",
        "--write-max",
        "5MB",
    ]
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("leakscan.live.best_tap", return_value=("libpcap", open_tap)))
        for name, size in SMALL.items() if small else ():
            stack.enter_context(mock.patch(name, size))
        for name in CACHES if small else ():
            answers = resolve_name(name).__wrapped__
            stack.enter_context(mock.patch(name, lru_cache(SMALL_CACHE)(answers)))
        code = cli.run(["live", "-q", "-i", "churn", "--packets", str(packets), *outputs, *kept])
    if code not in (1, 3):
        raise SystemExit(code)
    return taps[0]


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        churn = soak(int(sys.argv[1]), sys.argv[2], "--small" in sys.argv)
    json.dump({"samples": churn.samples, "streams": churn.streams, "days": round(churn.days, 1)}, sys.stdout)
