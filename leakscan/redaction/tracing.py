"""Where in a frame the TCP segments stand, and which checksums cover them.

In: frames. Out: `Traced`: the segments, whose payload is Located, and the layers with a checksum that were passed, from
the outside to the inside. It is decode's walk, with the same layers, tables and bounds; only its bytes remember where
they came from. State: fragments that wait, as in decode/fragments.py.
"""

from __future__ import annotations

from typing import NamedTuple

from leakscan.decode.fragments import Fragments, Key
from leakscan.decode.internet import ip
from leakscan.decode.links import LINKS
from leakscan.decode.tunnels import IP_TUNNELS, UDP_TUNNELS
from leakscan.decode.walk import IPV4, IPV6, Walk
from leakscan.losses import Losses
from leakscan.model import Origin, Segment
from leakscan.neighbours import Neighbours
from leakscan.redaction.located import Located, Run, joined

_TCP, _ICMP, _ICMP6 = 6, 1, 58
#: ICMP errors quote the packet they are about, RFC 792 and RFC 4443 section 3.
_QUOTING = {_ICMP: (3, 4, 5, 11, 12), _ICMP6: (1, 2, 3, 4)}
_NOWHERE = Origin("", 0, 0, "")


class Layer(NamedTuple):
    """A header with what it covers."""

    kind: int  # IP protocol number, or IPV4, IPV6, GPRS_LLC of decode.walk
    data: Located
    address: Located | None  # header of the IP packet that it is in: some checksums cover the addresses
    first_fragment: bool


class Traced(NamedTuple):
    segments: list[Segment]  # payload: Located
    layers: list[Layer]
    lost: list[Located]  # what was captured in a row of packets whose other fragments did not come


class _Fragments(Fragments):
    def __init__(self, losses: Losses, readable: frozenset[int]) -> None:
        super().__init__(losses, readable)
        self.lost: list[Located] = []

    def _give_up(self, key: Key, name: str) -> None:
        row: list[bytes] = []
        behind = 0
        for start, data in self._waiting[key].pieces:
            if row and start != behind:
                self.lost.append(joined(row))
                row = []
            row.append(data)
            behind = start + len(data)
        if row:
            self.lost.append(joined(row))
        super()._give_up(key, name)

    @staticmethod
    def _joined(pieces: list[bytes]) -> bytes:
        return joined(pieces)


class _Walk(Walk):
    __slots__ = ("address", "layers")
    layers: list[Layer]
    address: Located | None

    def passed(self, kind: int, data: bytes, first_fragment: bool = False) -> None:
        located = data if isinstance(data, Located) else joined([data])
        if kind in (IPV4, IPV6):
            self.address = located
        self.layers.append(Layer(kind, located, self.address, first_fragment))
        if len(data) > 8 and data[0] in _QUOTING.get(kind, ()):
            self.stack.append((ip, located[8:]))


class Tracer:
    """Traces the frames of one capture."""

    def __init__(self) -> None:
        self._losses = Losses()
        self._fragments = _Fragments(self._losses, frozenset({_TCP, *IP_TUNNELS}))
        self._walk = _Walk(self._losses, Neighbours(), self._fragments, IP_TUNNELS, UDP_TUNNELS)

    def trace(self, data: bytes, wire: int, link: int, number: int, base: int = 0, time_ns: int = 0) -> Traced:
        """One frame without its check sequence. In all runs `number` stands for it, and offsets count from `base`.
        The time tells which fragments wait no longer."""
        layer = LINKS.get(link)
        if layer is None:
            return Traced([], [], [])
        self._walk.layers = []
        self._walk.address = None
        located = Located.of(data, (Run(0, number, base),))
        segments = self._walk.run(layer, located, len(data) < wire, number, time_ns, _NOWHERE)
        return Traced(segments, self._walk.layers, self._given_up())

    def end(self) -> list[Located]:
        """Nothing more comes: the fragments that still wait."""
        self._fragments.end()
        return self._given_up()

    def _given_up(self) -> list[Located]:
        lost, self._fragments.lost = self._fragments.lost, []
        return lost
