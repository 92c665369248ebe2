"""What keeps a public server alive: bounds on connections, on bytes held for them, and on requests by address.

Comes in: connections as they open, grow and close, and the addresses of requests. Goes out: connections to be dropped,
and how long an address has to wait. State: one row a connection, at most MAX_CONNECTIONS; one a recent address, at most
MAX_ADDRESSES.

A table that is full drops the connection that has been open longest, of the same address if that has too many: whoever
opens connections and says nothing is the one to go, and a visitor, whose request takes a moment, is not.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Protocol

MAX_HEAD_BYTES = 32 << 10
MAX_HEADER_LINES = 500
#: From the first byte (or the TLS handshake) to the end of the head.
HEAD_SECONDS = 10.0
#: From the end of the head to the last byte of the answer taken.
ANSWER_SECONDS = 30.0
#: Of whatever a client goes on sending behind its head.
MAX_IGNORED_BYTES = 1 << 20

MAX_CONNECTIONS = 1024
MAX_PER_ADDRESS = 64
#: Heads and answers of all connections.
MAX_HELD_BYTES = 64 << 20
MAX_ADDRESSES = 16_384
#: What an address that was quiet may ask at once, in seconds of its rate.
BURST_SECONDS = 15.0
#: An IPv6 subscriber has at least that much.
IPV6_PREFIX = 64


def address_key(address: str) -> str:
    """What stands for one subscriber's line: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


class Droppable(Protocol):
    """A connection, as seen from here."""

    answered: bool  # what is left to do is to send the answer

    def drop(self) -> None:
        """Close at once; calls `Connections.leave`."""


class Connections:
    """All that are open, the longest first."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._open: dict[Droppable, tuple[str | None, int]] = {}  # address, or None if it has no bound; bytes held
        self._by_address: dict[str, dict[Droppable, None]] = {}
        self._held = 0

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Droppable, address: str | None) -> None:
        """One more; an address of None (a trusted proxy) may have as many as there is room for."""
        self._open[connection] = address, 0
        if address is not None:
            same = self._by_address.setdefault(address, {})
            same[connection] = None
            if len(same) > MAX_PER_ADDRESS:
                next(iter(same)).drop()
        if len(self._open) > self._most:
            next(iter(self._open)).drop()

    def hold(self, connection: Droppable, count: int) -> None:
        """It holds `count` bytes now. May drop others; and itself, if nobody holds longer."""
        if connection not in self._open:
            return
        address, before = self._open[connection]
        self._open[connection] = address, count
        self._held += count - before
        while self._held > MAX_HELD_BYTES:
            next(held for held, (_, size) in self._open.items() if size).drop()

    def leave(self, connection: Droppable) -> None:
        """It is closed. May be said again."""
        if connection not in self._open:
            return
        address, held = self._open.pop(connection)
        self._held -= held
        if address is not None:
            same = self._by_address[address]
            del same[connection]
            if not same:
                del self._by_address[address]

    def drop_all(self, answered: bool = True) -> None:
        """All, or only those that have not been answered."""
        for connection in list(self._open):
            if answered or not connection.answered:
                connection.drop()


class Rate:
    """A bucket an address, which `per_minute` fills. The addresses that were quiet longest are forgotten first."""

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._burst = max(1.0, self._per_second * BURST_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, when

    def wait(self, address: str, now: float) -> float:
        """Take one request; 0.0, or the seconds after which there would be one. `now`: of a monotonic clock."""
        left, when = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - when) * self._per_second)
        if len(self._buckets) >= MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        self._buckets[address] = (left - 1 if left >= 1 else left), now
        return 0.0 if left >= 1 else (1 - left) / self._per_second
