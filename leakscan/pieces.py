"""Holes and data as one small pure type: disjoint pieces of a byte range, sorted by position.

Used for IP fragments and for TCP segments alike. The first bytes win: what arrives later fills only the holes.
"""

from __future__ import annotations

from collections.abc import Iterable


def fit(pieces: Iterable[tuple[int, bytes]], start: int, data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The parts of `data` (at position `start`) that no piece covers yet, and whether a covered part differs."""
    fresh: list[tuple[int, bytes]] = []
    conflict = False
    position, end = start, start + len(data)
    for piece_start, piece in pieces:
        if piece_start >= end:
            break
        piece_end = piece_start + len(piece)
        if piece_end <= position:
            continue
        if piece_start > position:
            fresh.append((position, data[position - start : piece_start - start]))
        low, high = max(piece_start, position), min(piece_end, end)
        if piece[low - piece_start : high - piece_start] != data[low - start : high - start]:
            conflict = True
        position = high
    if position < end:
        fresh.append((position, data[position - start :]))
    return fresh, conflict
