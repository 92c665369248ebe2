"""The way of one odd frame through its headers, and what the layers need to know of it.

A layer is a function: it takes the bytes that begin with its header and the walk, and returns the next layer with its
bytes, or None where the walk ends (it has counted why, or handed on a TCP segment). Layers may push further packets
(an A-MSDU holds several). Bounded by MAX_DEPTH headers a packet and MAX_PACKETS packets a frame.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from leakscan.losses import Losses
from leakscan.model import Origin, Segment
from leakscan.neighbours import Neighbours

if TYPE_CHECKING:
    from leakscan.decode.fragments import Fragments

#: Layers without a number of their own, for `Walk.passed`; all others go by their IP protocol number.
IPV4, IPV6, GPRS_LLC = -4, -6, -1
MAX_DEPTH = 32
MAX_PACKETS = 64

Step = tuple["Layer", bytes] | None
Layer = Callable[[bytes, "Walk"], Step]


def bad_bytes() -> tuple[type[Exception], ...]:
    """What a layer raises when its bytes end too early or contradict themselves: dpkt's own, and what escapes it."""
    import dpkt  # late, here and in the layers: 30 ms, and most captures have no odd frame

    return struct.error, IndexError, ValueError, dpkt.Error


class Walk:
    """One frame on its way: what the layers passed so far have learnt."""

    __slots__ = (
        "cut",
        "destination",
        "fragments",
        "frame",
        "ip_tunnels",
        "losses",
        "missing",
        "neighbours",
        "origin",
        "payload_bytes",
        "segments",
        "source",
        "stack",
        "teid",
        "time_ns",
        "tunnel",
        "udp_tunnels",
    )

    def __init__(
        self,
        losses: Losses,
        neighbours: Neighbours,
        fragments: Fragments,
        ip_tunnels: Mapping[int, Layer],
        udp_tunnels: Mapping[int, Layer],
    ) -> None:
        self.losses = losses
        self.neighbours = neighbours
        self.fragments = fragments
        self.ip_tunnels = ip_tunnels
        self.udp_tunnels = udp_tunnels
        self.payload_bytes = 0  # TCP payload on the wire, summed over all frames

    def run(
        self, layer: Layer | None, data: bytes, cut: bool, frame: int, time_ns: int, origin: Origin
    ) -> list[Segment]:
        """Decode one frame; gives the TCP segments in it. `cut`: the capture holds only its first bytes."""
        self.cut, self.frame, self.time_ns, self.origin = cut, frame, time_ns, origin
        self.segments: list[Segment] = []
        if layer is None:
            self.losses["link.unknown"] += 1
            return self.segments
        self.stack: list[tuple[Layer, bytes]] = [(layer, data)]
        packets = 0
        while self.stack and packets < MAX_PACKETS:
            packets += 1
            self._packet(*self.stack.pop(0))
        return self.segments

    def _packet(self, layer: Layer, data: bytes) -> None:
        self.tunnel, self.teid, self.missing = 0, None, 0
        self.source = self.destination = b""
        step: Step = (layer, data)
        depth = 0
        try:
            while step is not None and depth < MAX_DEPTH:
                depth += 1
                layer, data = step
                step = layer(data, self)
        except bad_bytes():
            self.losses["frame.cut" if self.cut else "frame.malformed"] += 1
            return
        if step is not None:
            self.losses["tunnel.too-deep"] += 1

    def lose(self, name: str) -> None:
        """End of the walk: count why."""
        self.losses[name] += 1

    def passed(self, kind: int, data: bytes, first_fragment: bool = False) -> None:
        """A layer with a checksum begins here. Nothing to whoever reads; for whoever writes frames again."""

    def enter(self, kind: int) -> None:
        """A tunnel begins: the outermost names the kind."""
        if not self.tunnel:
            self.tunnel = kind
