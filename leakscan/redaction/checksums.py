"""Checksums after bytes have changed: as right as before, and as wrong as before.

In: what a frame was and what it is now, and the layers in it. Out: the same bytes with their checksums moved by as
much as what they cover has changed (RFC 1624), so that an error stays the same error. What is no sum but a polynomial
is made anew if it was right, and left alone if it was not. State: none but tables.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import NamedTuple

from leakscan.decode.walk import GPRS_LLC, IPV4

_TCP, _UDP, _ICMP6 = 6, 17, 58


class Region(NamedTuple):
    """A layer as it lies in the bytes."""

    kind: int  # IP protocol number, or one of decode.walk
    start: int
    end: int
    address: int | None  # where the header of the IP packet around it begins, if that is in the same bytes
    first_fragment: bool = False


def repair(regions: Iterable[Region], old: bytes, new: bytearray) -> None:
    """Set every checksum in `new`; `regions` from the outside to the inside."""
    for region in reversed(list(regions)):
        if region.kind == IPV4:
            size = (old[region.start] & 15) * 4
            move(new, region.start + 10, _change(old, new, region.start, min(region.start + size, region.end)))
        elif region.kind in SUMS:
            _sum(region, old, new)
        elif region.kind in POLYNOMIALS:
            POLYNOMIALS[region.kind](region, old, new)


def _sum(region: Region, old: bytes, new: bytearray) -> None:
    """The Internet checksum, RFC 1071, which for some protocols covers the addresses, too."""
    at, with_addresses = SUMS[region.kind]
    field = region.start + at
    if field + 2 > region.end or not _is_used(region, old):
        return
    addresses = 0
    if with_addresses and region.address is not None:
        low, high = _addresses(old, region.address)
        addresses = _change(old, new, low, high)
    content = 0
    if not region.first_fragment and not _is_offloaded(region, old, field):
        content = _change(old, new, region.start, region.end)
    if addresses or content:
        move(new, field, addresses + content, never_zero=region.kind == _UDP)


def _is_used(region: Region, old: bytes) -> bool:
    """UDP and GRE may go without."""
    if region.kind == _UDP:
        return old[region.start + 6 : region.start + 8] != b"\0\0"
    return region.kind != _GRE or bool(old[region.start] & 0x80)


def _is_offloaded(region: Region, old: bytes, field: int) -> bool:
    """Whether the field holds the sum over the addresses alone: the rest was left to the network card. It may happen to
    be the sum over everything, too.
    """
    if region.kind not in (_TCP, _UDP) or region.address is None:
        return False
    low, high = _addresses(old, region.address)
    pseudo = _words(old, low, high) + region.kind + region.end - region.start
    if int.from_bytes(old[field : field + 2]) != (pseudo % 0xFFFF or 0xFFFF):
        return False
    return (pseudo + _words(old, region.start, region.end)) % 0xFFFF != 0


def _addresses(data: bytes, start: int) -> tuple[int, int]:
    return (start + 12, start + 20) if data[start] >> 4 == 4 else (start + 8, start + 40)


def _words(data: bytes | bytearray, start: int, end: int) -> int:
    """16-bit words added up, as if one began at `start`; modulo 0xFFFF it does not matter where the carries go."""
    size = end - start
    return int.from_bytes(data[start:end]) * (256 if size % 2 else 1) % 0xFFFF


def _change(old: bytes, new: bytearray, start: int, end: int) -> int:
    if old[start:end] == new[start:end]:
        return 0
    return (_words(new, start, end) - _words(old, start, end)) % 0xFFFF


def address_change(header: bytes, swaps: Iterable[tuple[int, bytes, bytes]]) -> int:
    """By how much other addresses in an IP header change the checksums that cover them: where, the old one, the new."""
    new = bytearray(header)
    for at, _, other in swaps:
        new[at : at + len(other)] = other
    low, high = _addresses(header, 0)
    return _change(bytes(header), new, low, high)


def move(new: bytearray, field: int, change: int, never_zero: bool = False) -> None:
    """RFC 1624 equation 3: HC' = ~(~HC + ~m + m')."""
    if not change % 0xFFFF:
        return
    total = (0xFFFF - int.from_bytes(new[field : field + 2]) + change) % 0xFFFF or 0xFFFF
    made = 0xFFFF - total
    new[field : field + 2] = (made or (0xFFFF if never_zero else 0)).to_bytes(2)


def ethernet_fcs(start: int, old: bytes, new: bytearray) -> None:
    """The frame check sequence of Ethernet and 802.11 behind a frame, if the last four octets are one."""
    if len(old) < start + 8 or len(old) != len(new):
        return
    if zlib.crc32(old[start:-4]) == int.from_bytes(old[-4:], "little"):
        new[-4:] = zlib.crc32(new[start:-4]).to_bytes(4, "little")


def _sctp(region: Region, old: bytes, new: bytearray) -> None:
    """Over the packet with a checksum of zero: CRC-32c, RFC 9260 section 6.8, or Adler-32 as RFC 2960 had it."""
    field = slice(region.start + 8, region.start + 12)
    if region.end < region.start + 12:
        return

    def blank(data: bytes | bytearray) -> bytearray:
        packet = bytearray(data[region.start : region.end])
        packet[8:12] = bytes(4)
        return packet

    for sum_of in (_crc32c, lambda packet: zlib.adler32(packet).to_bytes(4)):
        if sum_of(blank(old)) == old[field]:
            new[field] = sum_of(blank(new))
            return


def _crc32c(packet: bytearray) -> bytes:
    return (~_reflected(packet, _crc32c_table(), 0xFFFFFFFF) & 0xFFFFFFFF).to_bytes(4, "little")


def _gprs_llc(region: Region, old: bytes, new: bytearray) -> None:
    """The FCS of LLC, TS 44.064 clause 5.5. Of unprotected frames it covers the header and a few octets only."""
    low, high = region.start, region.end - 3
    if high <= low:
        return
    protected = bool(old[low + 2] & 1)
    covered = high if protected else min(high, low + 3 + 4)

    def crc(data: bytes | bytearray) -> int:
        return ~_reflected(data[low:covered], _crc24_table(), 0xFFFFFF) & 0xFFFFFF

    if crc(old) == int.from_bytes(old[high : high + 3], "little"):
        new[high : high + 3] = crc(new).to_bytes(3, "little")


def _reflected(data: bytes | bytearray, table: tuple[int, ...], value: int) -> int:
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value


def _table(polynomial: int) -> tuple[int, ...]:
    rows = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


@cache
def _crc32c_table() -> tuple[int, ...]:
    return _table(0x82F63B78)


@cache
def _crc24_table() -> tuple[int, ...]:
    """x24 + x23 + x21 + x20 + x19 + x17 + x16 + x15 + x13 + x8 + x7 + x5 + x4 + x2 + 1, its bits turned round."""
    powers = (23, 21, 20, 19, 17, 16, 15, 13, 8, 7, 5, 4, 2, 0)
    return _table(sum(1 << 23 - power for power in powers))


_GRE = 47
#: Protocol -> where its Internet checksum stands, and whether that covers the addresses.
SUMS: Mapping[int, tuple[int, bool]] = {
    1: (2, False),  # ICMP
    2: (2, False),  # IGMP
    _TCP: (16, True),
    _UDP: (6, True),
    _GRE: (4, False),
    _ICMP6: (2, True),
}
POLYNOMIALS: Mapping[int, Callable[[Region, bytes, bytearray], None]] = {132: _sctp, GPRS_LLC: _gprs_llc}
