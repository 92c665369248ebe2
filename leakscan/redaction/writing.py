"""The file again, piece by piece, with its edits made and its checksums repaired.

In: the pieces and their edits, in order. Out: the bytes of the copy. Lengths and times are as they were; a piece that
cannot stay is left out. State: one piece.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from leakscan.redaction.addresses import Addresses
from leakscan.redaction.checksums import Region, ethernet_fcs, repair
from leakscan.redaction.edits import Edits, applied
from leakscan.redaction.records import DECRYPTION_SECRETS, NAME_RESOLUTION, Piece
from leakscan.redaction.searching import without_fcs
from leakscan.redaction.tracing import Layer, Tracer

_EPB_HASH = 3
_RADIOTAP = 127
_WITH_FCS = frozenset({1, 105, _RADIOTAP})


@dataclass(slots=True)
class Written:
    """What was done."""

    changed: int = 0  # pieces
    dropped: int = 0


class Writing:
    """Writes one copy."""

    def __init__(self, edits: Edits, addresses: Addresses | None = None) -> None:
        self._edits = edits
        self._addresses = addresses
        self.written = Written()

    def copy(self, pieces: Iterable[Piece]) -> Iterator[bytes]:
        edits = self._edits.by_piece()
        number, due = next(edits, (-1, []))
        for at, piece in enumerate(pieces):
            own = due if at == number else []
            if own:
                number, due = next(edits, (-1, []))
            new = self._made(piece, applied(piece.data, own) if own else bytearray(piece.data), bool(own))
            if new is None or piece.kind == DECRYPTION_SECRETS:
                self.written.dropped += 1
                continue
            self.written.changed += new != piece.data
            yield bytes(new)

    def _made(self, piece: Piece, new: bytearray | None, edited: bool) -> bytearray | None:
        """The piece with addresses replaced and checksums repaired; `new` has its edits."""
        if new is None or not (edited or self._addresses is not None):
            return new
        if not piece.frame:
            if piece.kind == NAME_RESOLUTION and self._addresses is not None:
                self._addresses.resolution(new, piece.order)
            return new
        size = without_fcs(piece)
        frame = piece.data[piece.start : piece.start + size]
        layers = Tracer().trace(frame, piece.wire - piece.fcs, piece.link, 0, piece.start).layers
        if self._addresses is not None:
            self._addresses.replace(new, layers, piece.start, size, piece.link)
        if new == piece.data:
            return new
        repair(_regions(layers), piece.data, new)
        _repair_fcs(piece, new)
        if piece.start + piece.size < len(piece.data) - 4:
            _repair_hash(piece, new)
        return new


def _regions(layers: Iterable[Layer]) -> Iterator[Region]:
    """Layers that lie in the frame as they are; there are no others in one frame alone but A-MSDU's and their like."""
    for layer in layers:
        if len(layer.data.runs) == 1 and layer.data.runs[0].frame is not None:
            start = layer.data.runs[0].offset
            address = (
                layer.address.runs[0].offset if layer.address is not None and len(layer.address.runs) == 1 else None
            )
            yield Region(layer.kind, start, start + len(layer.data), address, layer.first_fragment)


def _repair_fcs(piece: Piece, new: bytearray) -> None:
    """The link layer's check sequence, where the frame has one, declared or not."""
    if piece.link not in _WITH_FCS or piece.size < piece.wire:
        return
    frame = slice(piece.start, piece.start + piece.size)
    start = (
        struct.unpack_from("<H", piece.data, piece.start + 2)[0] if piece.link == _RADIOTAP and piece.size > 4 else 0
    )
    changed = bytearray(new[frame])
    ethernet_fcs(start, piece.data[frame], changed)
    new[frame] = changed


def _repair_hash(piece: Piece, new: bytearray) -> None:
    """epb_hash options, draft-ietf-opsawg-pcapng section 4.3: of the frame as it is now, or blank. A hash of what was
    there would tell whether one has guessed it."""
    unpack = struct.Struct(piece.order + "HH").unpack_from
    at = piece.start + piece.size + -piece.size % 4
    frame = bytes(new[piece.start : piece.start + piece.size])
    while at + 4 <= len(new) - 4:
        code, length = unpack(new, at)
        if not code:
            return
        if code == _EPB_HASH and length > 1 and at + 4 + length <= len(new) - 4:
            digest = _HASHES.get(new[at + 4], lambda data: b"")(frame)
            new[at + 5 : at + 4 + length] = digest if len(digest) == length - 1 else bytes(length - 1)
        at += 4 + length + -length % 4


_HASHES = {
    2: lambda data: zlib.crc32(data).to_bytes(4, "little"),
    3: lambda data: hashlib.md5(data).digest(),
    4: lambda data: hashlib.sha1(data).digest(),
}
