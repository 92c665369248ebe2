"""Puts fragmented IP packets together (RFC 791 section 3.2, RFC 8200 section 4.5).

In: fragments with offset and more-flag. Out: the whole payload once all of it is there. State: packets that wait for
fragments, at most MAX_PACKETS of them, MAX_BYTES in all and MAX_PIECES each, given up after WAIT_NS of packet time.
First bytes win where fragments overlap; other content there is counted.
"""

from __future__ import annotations

from leakscan.losses import Losses
from leakscan.pieces import fit

MAX_PACKETS = 1024
MAX_BYTES = 8 << 20
MAX_PIECES = 1024  # fragments of one packet
MAX_PACKET_BYTES = 65535
WAIT_NS = 60 * 10**9

Key = tuple[int, bytes, bytes, int, int]  # tunnel kind, source, destination, identification, protocol


class _Waiting:
    __slots__ = ("held", "pieces", "since", "total")

    def __init__(self, since: int) -> None:
        self.pieces: list[tuple[int, bytes]] = []  # disjoint, sorted by offset
        self.total = -1  # payload length, once the last fragment is seen
        self.held = 0
        self.since = since


class Fragments:
    """The packets that wait for fragments."""

    def __init__(self, losses: Losses, readable: frozenset[int]) -> None:
        """`readable`: IP protocols whose loss is a loss of something leakscan would have read."""
        self._losses = losses
        self._readable = readable
        self._waiting: dict[Key, _Waiting] = {}
        self._held = 0

    def add(self, key: Key, offset: int, more: bool, data: bytes, time_ns: int) -> bytes | None:
        """Take one fragment (offset in bytes); gives the whole payload when this one completes it."""
        packet = self._waiting.get(key)
        if packet is not None and abs(time_ns - packet.since) > WAIT_NS:
            self._give_up(key, "ip.fragment-lost")
            packet = None
        if packet is None:
            packet = self._waiting[key] = _Waiting(time_ns)
        if offset + len(data) > MAX_PACKET_BYTES or len(packet.pieces) >= MAX_PIECES:
            self._losses["frame.malformed"] += 1
            return None
        if not more and packet.total < 0:
            packet.total = offset + len(data)
        self._insert(packet, offset, data)
        if packet.total >= 0 and packet.held >= packet.total and self._whole(packet):
            del self._waiting[key]
            self._held -= packet.held
            return self._joined([piece for _, piece in packet.pieces])[: packet.total]
        while len(self._waiting) > MAX_PACKETS or self._held > MAX_BYTES:
            self._give_up(next(iter(self._waiting)), "ip.fragment-evicted")
        return None

    @staticmethod
    def _joined(pieces: list[bytes]) -> bytes:
        return b"".join(pieces)

    def end(self) -> None:
        """No more frames: what still waits is lost."""
        for key in list(self._waiting):
            self._give_up(key, "ip.fragment-lost")

    def _give_up(self, key: Key, name: str) -> None:
        self._held -= self._waiting.pop(key).held
        if key[4] in self._readable:
            self._losses[name] += 1

    def _insert(self, packet: _Waiting, offset: int, data: bytes) -> None:
        fresh, conflict = fit(packet.pieces, offset, data)
        if conflict:
            self._losses["ip.fragment-overlap"] += 1
        if fresh:
            packet.pieces = sorted(packet.pieces + fresh)
            added = sum(len(piece) for _, piece in fresh)
            packet.held += added
            self._held += added

    @staticmethod
    def _whole(packet: _Waiting) -> bool:
        position = 0
        for start, piece in packet.pieces:
            if start != position:
                return False
            position += len(piece)
        return position >= packet.total
