"""Puts the frames of a pcap file onto a link of this namespace: `python -m tests.send IFACE < FILE.pcap`.

    --rate N      packets per second; as fast as it goes without
    --times N     the whole file so often

In: a little-endian pcap file on stdin. Out: how many frames were sent, and in which time, as one JSON object. Frames
that the link refuses for want of room are sent again.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import time
from collections.abc import Iterator

_BYPASS = 20  # PACKET_QDISC_BYPASS, linux/if_packet.h
_SOL_PACKET = 263
BURST_SECONDS = 0.002


def frames(capture: bytes) -> Iterator[bytes]:
    at = 24
    while at < len(capture):
        (size,) = struct.unpack_from("<I", capture, at + 8)
        yield capture[at + 16 : at + 16 + size]
        at += 16 + size


def send(interface: str, wanted: list[bytes], rate: float | None, times: int) -> tuple[int, float]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
        link.bind((interface, 0))
        link.setsockopt(_SOL_PACKET, _BYPASS, 1)
        burst = len(wanted) or 1 if rate is None else max(1, int(rate * BURST_SECONDS))
        put, begun, sent = link.send, time.perf_counter(), 0
        for _ in range(times):
            for at in range(0, len(wanted), burst):
                for frame in wanted[at : at + burst]:
                    while True:
                        try:
                            put(frame)
                            break
                        except OSError as error:
                            if error.errno not in (socket.errno.ENOBUFS, socket.errno.EAGAIN):  # type: ignore[attr-defined]
                                raise
                sent += len(wanted[at : at + burst])
                if rate is not None:
                    ahead = sent / rate - (time.perf_counter() - begun)
                    if ahead > 0:
                        time.sleep(ahead)
        return sent, time.perf_counter() - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("interface")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--times", type=int, default=1)
    options = parser.parse_args()
    count, seconds = send(options.interface, list(frames(sys.stdin.buffer.read())), options.rate, options.times)
    json.dump({"sent": count, "seconds": round(seconds, 3)}, sys.stdout)
