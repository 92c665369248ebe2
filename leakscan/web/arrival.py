"""A request received by ourselves as a Head, the record that captures are read into: one way for both from here on.

Comes in: the bytes of a head, who sent it and to where. Goes out: `Head`; and `Arrivals`, which hands one to the spine
in place of a capture. State: none but that one head.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from leakscan.losses import Losses
from leakscan.model import Coverage, Head, Origin
from leakscan.neighbours import Neighbours

#: LINKTYPE_RAW: says nothing of a bearer.
_LINK = 101
_DIGITS = 6


def head_of(raw: bytes, client: tuple[str, int], server: tuple[str, int], number: int, time_ns: int, name: str) -> Head:
    """`raw` runs from the request line to the empty line. `number` counts requests from 1 and stands for the frame;
    `name` stands for the capture. An address that is none (a Unix socket) becomes 0.0.0.0.
    """
    origin = Origin(name, _LINK, _DIGITS, "")
    lines = raw.split(b"\n")
    return Head(_key(client, server), raw, lines, origin, time_ns, number, number, name, None, False)


def _key(client: tuple[str, int], server: tuple[str, int]) -> bytes:
    """A direction (model.Segment.key). Both addresses are of the client's version: behind a proxy they may not be, and
    whose address is then 0.0.0.0 or :: is the server.
    """
    source, destination = _address(client[0]), _address(server[0])
    if source.version != destination.version:
        destination = ipaddress.ip_address("0.0.0.0" if source.version == 4 else "::")
    return b"\0" + source.packed + destination.packed + struct.pack("!HH", client[1] & 0xFFFF, server[1] & 0xFFFF)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)
    return getattr(address, "ipv4_mapped", None) or address


class Arrivals:
    """What has just arrived, as the spine wants it (spine.Exchanges): each head once."""

    def __init__(self) -> None:
        self.losses = Losses()
        self.coverage = Coverage()
        self.neighbours = Neighbours()
        self._waiting: list[Head] = []

    def put(self, head: Head) -> None:
        size = len(head.raw)
        coverage = self.coverage
        coverage.frames += 1
        coverage.streams += 1
        coverage.bytes += size
        coverage.tcp_payload_bytes += size
        coverage.examined_bytes += size
        self._waiting.append(head)

    def exchanges(self) -> Iterator[Head]:
        while self._waiting:
            yield self._waiting.pop(0)

    def stop(self) -> None:
        """Nothing is under way."""
