"""A packet that came in IP fragments: changed in every frame that has a part of it, its checksum in the first.

In: changes of its payload, and of the addresses in it. Out: `Edit`s of the frames, when nothing more can come. State:
the packet, as it was and as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from leakscan.decode.walk import IPV4, IPV6
from leakscan.redaction.addresses import Addresses
from leakscan.redaction.checksums import Region, address_change, move, repair
from leakscan.redaction.edits import Edit
from leakscan.redaction.located import Located
from leakscan.redaction.tracing import Layer

#: Of the edits that a packet makes of itself: they are final.
RANK = 1 << 40
_TCP, _TCP_SUM = 6, 16


class Packet:
    """One payload with the layers around it, from the one that was put together on inwards."""

    def __init__(self, payload: Located, layers: list[Layer]) -> None:
        self.payload = payload
        whole = next(
            (at for at, layer in enumerate(layers) if len(layer.data.runs) > 1 and not layer.first_fragment), -1
        )
        self._layers = layers[whole:] if whole >= 0 else []
        self._outer = self._layers[0].data if self._layers else payload
        self._edits: list[tuple[Located, Edit]] = []
        self._moved = 0  # by how much the addresses around it change its checksum

    def edit(self, start: int, new: bytes | None, size: int, rank: int) -> None:
        """Bytes of the payload."""
        self._edits.append((self.payload, Edit(0, start, new, size, rank)))

    def replace(self, addresses: Addresses) -> None:
        """Addresses in the headers that came in pieces."""
        for layer in self._layers:
            if layer.kind in (IPV4, IPV6):
                for start, old, new in addresses.swaps(bytes(layer.data)):
                    self._edits.append((layer.data, Edit(0, start, new, len(old), RANK)))
        outer = self._layers[0] if self._layers else None
        if outer is not None and outer.kind == _TCP and outer.address is not None and self._is_headless():
            self._moved = address_change(outer.address, addresses.swaps(bytes(outer.address)))

    def _is_headless(self) -> bool:
        """Whether TCP's checksum is not in the first fragment, where it is repaired with the addresses around it."""
        runs = self._outer.runs
        return len(runs) > 1 and runs[1].at < _TCP_SUM + 2 <= len(self._outer)

    def finish(self) -> Iterator[Edit]:
        """The edits of the frames; then it starts anew."""
        edits, self._edits = sorted(self._edits, key=lambda row: (-row[1].rank, row[1].offset)), []
        moved, self._moved = self._moved, 0
        if not edits and not moved:
            return
        if any(edit.new is None for _, edit in edits):
            for _, _, piece, offset in self._outer.places(0, len(self._outer)):
                if piece is not None:
                    yield Edit(piece, offset, None, 0, RANK)
            return
        old = bytes(self._outer)
        new, done = bytearray(old), bytearray(len(old))
        for data, edit in edits:
            for low, high, piece, offset in data.places(edit.offset, edit.offset + edit.size):
                at = self._position(piece, offset)
                part = (edit.new or b"")[low - edit.offset : high - edit.offset]
                for place, byte in enumerate(part, at) if at >= 0 else ():
                    if not done[place]:
                        new[place], done[place] = byte, 1
        repair(self._regions(), old, new)
        if moved:
            move(new, _TCP_SUM, moved)
        for low, high, piece, offset in self._outer.places(0, len(old)):
            if piece is not None and old[low:high] != new[low:high]:
                yield Edit(piece, offset, bytes(new[low:high]), high - low, RANK)

    def _position(self, piece: object, offset: int) -> int:
        """Where a byte of a frame stands in the outermost layer; -1 when it does not."""
        for low, high, frame, start in self._outer.places(0, len(self._outer)):
            if frame == piece and start <= offset < start + high - low:
                return low + offset - start
        return -1

    def _regions(self) -> list[Region]:
        found = []
        for layer in self._layers:
            start = self._start(layer.data)
            if start >= 0:
                address = -1 if layer.address is None else self._start(layer.address)
                found.append(Region(layer.kind, start, start + len(layer.data), address if address >= 0 else None))
        return found

    def _start(self, data: Located) -> int:
        first = data.runs[0]
        return self._position(first.frame, first.offset) if len(data) else -1
