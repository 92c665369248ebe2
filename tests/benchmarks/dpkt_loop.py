"""What one writes first: every packet through dpkt, and a look for HTTP in the payload. A peer of the benchmark.

python tests/benchmarks/dpkt_loop.py CAPTURE
"""

from __future__ import annotations

import sys
from pathlib import Path

import dpkt


def main() -> None:
    found = 0
    with Path(sys.argv[1]).open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            packet = dpkt.ethernet.Ethernet(frame).data
            if isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) and isinstance(packet.data, dpkt.tcp.TCP):
                found += b"HTTP/1." in packet.data.data
    print(f"{found} segments with HTTP/1 in them")


if __name__ == "__main__":
    main()
