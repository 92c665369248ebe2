"""A writer of small MMDB files (MaxMind DB format specification, version 2.0), for tests. IPv4 ranges only."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)


class Short(int):
    """Written in 16 bits at most."""


class Long(int):
    """Written in 64 bits at most."""


def mmdb(ranges: Mapping[str, Any], kind: str = "Test-ASN") -> bytes:
    """A database that gives each range its record."""
    nodes: list[list[Any]] = [[None, None]]
    data, places = b"", []
    for text, record in ranges.items():
        network = ip_network(text)
        node = 0
        for bit in range(network.prefixlen):
            side = int(network.network_address) >> (31 - bit) & 1
            if bit == network.prefixlen - 1:
                nodes[node][side] = ("data", len(places))
            elif isinstance(nodes[node][side], int):
                node = nodes[node][side]
            else:
                nodes.append([None, None])
                nodes[node][side] = node = len(nodes) - 1
        places.append(len(data))
        data += encoded(record)
    count = len(nodes)

    def record_of(child: Any) -> bytes:
        if isinstance(child, int):
            value = child
        else:
            value = count if child is None else count + len(SEPARATOR) + places[child[1]]
        return value.to_bytes(3, "big")

    tree = b"".join(record_of(child) for node in nodes for child in node)
    metadata = {
        "binary_format_major_version": Short(2),
        "binary_format_minor_version": Short(0),
        "build_epoch": Long(1_700_000_000),
        "database_type": kind,
        "description": {"en": "made for tests"},
        "ip_version": Short(4),
        "languages": [],
        "node_count": count,
        "record_size": Short(24),
    }
    return tree + SEPARATOR + data + MARKER + encoded(metadata)


def encoded(value: Any) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return head(2, len(raw)) + raw
    if isinstance(value, int):
        raw = struct.pack("!Q", value).lstrip(b"\0")
        if isinstance(value, Long):
            return bytes([len(raw), 9 - 7]) + raw
        return head(5 if isinstance(value, Short) else 6, len(raw)) + raw
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(encoded, value))
    return head(7, len(value)) + b"".join(encoded(key) + encoded(item) for key, item in value.items())


def head(kind: int, size: int) -> bytes:
    return bytes([kind << 5 | size]) if size < 29 else bytes([kind << 5 | 29, size - 29])
