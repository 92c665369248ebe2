"""Decodes one frame at a time: any link type, any tunnel. The reference; the sieve only goes faster and must agree.

In: the bytes of a frame with its link type. Out: the TCP segments in it (an A-MSDU may hold several). State: IP
fragments that wait for the rest (bounds in fragments.py). What cannot be decoded is counted under a name.

links.py holds the link layers and `LINKS`, internet.py IP, UDP and TCP, tunnels.py packets in packets and `TUNNELS`.
"""

from __future__ import annotations

from leakscan.decode.fragments import Fragments
from leakscan.decode.links import LINKS
from leakscan.decode.tunnels import IP_TUNNELS, UDP_TUNNELS
from leakscan.decode.walk import Walk
from leakscan.losses import Losses
from leakscan.model import Origin, Segment
from leakscan.neighbours import Neighbours

__all__ = ["LINKS", "Decoder"]

_TCP_PROTOCOL = 6


class Decoder:
    """Decodes frames of one series of captures."""

    def __init__(self, losses: Losses, neighbours: Neighbours | None = None) -> None:
        self.neighbours = Neighbours() if neighbours is None else neighbours
        self._fragments = Fragments(losses, frozenset({_TCP_PROTOCOL, *IP_TUNNELS}))
        self._walk = Walk(losses, self.neighbours, self._fragments, IP_TUNNELS, UDP_TUNNELS)

    @property
    def payload_bytes(self) -> int:
        """TCP payload on the wire so far, in bytes."""
        return self._walk.payload_bytes

    def decode(self, frame: bytes, wire: int, number: int, time_ns: int, origin: Origin) -> list[Segment]:
        """The TCP segments in one frame that had `wire` bytes on the wire."""
        layer = LINKS.get(origin.link)
        return self._walk.run(layer, frame, len(frame) < wire, number, time_ns, origin)

    def end(self) -> None:
        """No more frames: fragments that still wait are lost."""
        self._fragments.end()
