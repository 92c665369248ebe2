"""Addresses in the chatter of a local network: ARP's senders and targets, senders of multicast DNS, LLMNR and SSDP.

Comes in: addresses as on the wire, and the capture they stand in: the same private address in another capture is
somebody else. Goes out: their hashes. State: hashes of at most `MAX_NEIGHBOURS` addresses, those
that are smallest, and the last `REMEMBERED` addresses, so that who chatters much costs little.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache

from leakscan.distinct import Distinct, stable_hash

MAX_NEIGHBOURS = 65_536
REMEMBERED = 4096

ARP = 0x0806
#: UDP ports to which hosts of one link talk by multicast: SSDP, multicast DNS (RFC 6762), LLMNR (RFC 4795).
PORTS = frozenset({1900, 5353, 5355})


@lru_cache(maxsize=16_384)
def client_hash(capture: str, address: str) -> int:
    """The hash of an address, as text, in a capture."""
    return stable_hash(f"{address} {capture}")


class Neighbours(Distinct):
    """Hashes of the addresses seen."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        super().__init__(MAX_NEIGHBOURS)
        self._known: set[tuple[str, bytes]] = set()

    def saw(self, capture: str, address: bytes) -> None:
        """An address of 4 or 16 bytes."""
        known = (capture, address)
        if known in self._known:
            return
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known.add(known)
        if any(address):
            family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
            self.add(client_hash(capture, socket.inet_ntop(family, address)))

    def take(self, hashes: Iterable[int]) -> None:
        """The hashes that another process has seen."""
        for item in hashes:
            self.add(item)


def is_multicast(address: bytes) -> bool:
    """RFC 1112 section 4, RFC 4291 section 2.7."""
    return address[0] >> 4 == 14 if len(address) == 4 else address[0] == 255
