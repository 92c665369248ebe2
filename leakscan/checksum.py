"""The Internet checksum (RFC 1071) of TCP segments. Counted only: capture hosts offload it."""

from __future__ import annotations

_TCP = 6


def is_right(addresses: bytes, segment: bytes) -> bool:
    """Of a whole TCP segment with its header, over the pseudo-header of RFC 9293 section 3.1. `addresses`: both."""
    padded = segment + b"\0" if len(segment) & 1 else segment
    words = int.from_bytes(addresses) + int.from_bytes(padded) + _TCP + len(segment)
    return words % 0xFFFF == 0
