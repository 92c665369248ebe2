"""Subscribers' addresses replaced, when that is asked for: in IP headers at any depth, in ARP, in ICMP's quotes, in
name resolution blocks; and where they are written as text.

In: the addresses that sent requests, frames with their layers. Out: the same bytes with other addresses; needles.
State: the map, an address for an address. The fake is of the same kind and as long when it is written: private stays
private (in the same range), a public one becomes one for documentation, benchmarks or nobody, IPv6 2001:db8::/32.

Binary copies in other protocols (DNS answers, DHCP, GTP-C, RADIUS) are not known as addresses, and stay.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
from collections.abc import Iterable
from typing import NamedTuple

from leakscan.decode.walk import IPV4, IPV6
from leakscan.detectors.address import RANGES
from leakscan.redaction.makers import Dice, fake_address
from leakscan.redaction.needles import Needles
from leakscan.redaction.tracing import Layer

MAX_TRIES = 1000
_ARP = b"\x08\x06"
_TAGS = (b"\x81\x00", b"\x88\xa8")
#: Length of each part of a public IPv4 address -> beginnings that are nobody's: RFC 5737, RFC 2544; else class E,
#: "this" network and 10/8 by the first part alone.
_NOBODY_S = {
    (3, 1, 3): ("203.0.113",),
    (3, 2, 3): ("198.51.100",),
}
_FIRST = {1: "0", 2: "10", 3: "240"}


class Place(NamedTuple):
    start: int
    new: bytes


class Addresses:
    """Address, packed -> its fake."""

    def __init__(self, key: bytes, clients: Iterable[str], others: Iterable[str] = ()) -> None:
        self.texts: dict[str, str] = {}
        self._packed: dict[bytes, bytes] = {}
        taken = {*clients, *others}
        for text in clients:
            fake = self.texts[text] = _fake(key, text, taken)
            taken.add(fake)
            self._packed[ipaddress.ip_address(text).packed] = ipaddress.ip_address(fake).packed

    def needles(self, needles: Needles) -> None:
        """Where they are written as text."""
        for text, fake in self.texts.items():
            if len(fake) == len(text):
                needles.add(text.encode(), fake.encode(), whole=True)

    def replace(self, new: bytearray, layers: Iterable[Layer], start: int, size: int, link: int) -> None:
        """In one frame, which begins at `start` of the piece; so do the offsets of the layers count."""
        for layer in layers:
            if layer.kind in (IPV4, IPV6) and len(layer.data.runs) == 1:
                self._header(new, layer.data.runs[0].offset, bytes(layer.data))
        if link == 1:
            self._arp(new, start, size)

    def swaps(self, packet: bytes) -> list[tuple[int, bytes, bytes]]:
        """What changes in one IP packet's header: where, the old address, the new one."""
        new = bytearray(packet)
        self._header(new, 0, packet)
        width, first = (4, 12) if packet[0] >> 4 == 4 else (16, 8)
        size = (packet[0] & 15) * 4 if width == 4 else 40
        fields = range(first, max(first, min(size, len(packet)) - width + 1), width)
        return [
            (at, packet[at : at + width], bytes(new[at : at + width]))
            for at in fields
            if packet[at : at + width] != new[at : at + width]
        ]

    def _header(self, new: bytearray, at: int, data: bytes) -> None:
        width, first = (4, 12) if data[0] >> 4 == 4 else (16, 8)
        for offset in (first, first + width):
            self._swap(new, at + offset, width)
        if width == 4 and (data[0] & 15) > 5:
            self._options(new, at, data)

    def _options(self, new: bytearray, at: int, data: bytes) -> None:
        """Routes and time stamps, RFC 791 section 3.1."""
        end, offset = min((data[0] & 15) * 4, len(data)), 20
        while offset + 2 < end and data[offset]:
            if data[offset] == 1:
                offset += 1
                continue
            kind, length = data[offset], data[offset + 1]
            if length < 2:
                return
            first, step = (offset + 4, 8) if kind == 68 else (offset + 3, 4)
            if kind in (7, 131, 137) or (kind == 68 and data[offset + 3] & 15 in (1, 3)):
                for place in range(first, min(offset + length, end) - 3, step):
                    self._swap(new, at + place, 4)
            offset += length

    def _arp(self, new: bytearray, start: int, size: int) -> None:
        """RFC 826 for Ethernet and IPv4, behind any VLAN tags."""
        at = start + 12
        while bytes(new[at : at + 2]) in _TAGS:
            at += 4
        if bytes(new[at : at + 2]) == _ARP and at + 30 <= start + size and new[at + 6 : at + 8] == b"\x06\x04":
            self._swap(new, at + 16, 4)
            self._swap(new, at + 26, 4)

    def resolution(self, new: bytearray, order: str) -> None:
        """A name resolution block: records of an address and its names."""
        unpack = struct.Struct(order + "HH").unpack_from
        at = 8
        while at + 4 <= len(new) - 4:
            kind, length = unpack(new, at)
            width = {1: 4, 2: 16}.get(kind, 0)
            if not kind or at + 4 + length > len(new):
                return
            if width and length >= width:
                self._swap(new, at + 4, width)
            at += 4 + length + -length % 4

    def _swap(self, new: bytearray, at: int, width: int) -> None:
        fake = self._packed.get(bytes(new[at : at + width]))
        if fake is not None:
            new[at : at + width] = fake


def _fake(key: bytes, text: str, taken: set[str]) -> str:
    address = ipaddress.ip_address(text)
    private = any(address.version == network.version and address in network for network in RANGES)

    def digest(counter: int) -> bytes:
        return hmac.digest(key, f"address\0{text}\0{counter}".encode(), "sha256")

    fake = text
    for counter in range(MAX_TRIES):
        dice = Dice(digest, counter)
        if address.version == 6:
            fake = _fake6(text, dice, private)
        elif private:
            fake = fake_address(text, dice, 1 if text.startswith("10.") else 2)
        else:
            parts = text.split(".")
            lengths = tuple(map(len, parts[:3]))
            if lengths in _NOBODY_S and counter < MAX_TRIES // 2:
                fake = fake_address(f"{_NOBODY_S[lengths][0]}.{parts[3]}", dice, 3)
            elif len(parts[0]) == 3 and len(parts[1]) == 2 and counter < MAX_TRIES - 200:
                fake = fake_address(f"198.{18 + dice.below(2)}.{parts[2]}.{parts[3]}", dice, 2)
            else:
                fake = fake_address(".".join([_FIRST[len(parts[0])], *parts[1:]]), dice, 1)
        if fake not in taken:
            return fake
    return fake


def _fake6(text: str, dice: Dice, private: bool) -> str:
    """As long as it is written, where that goes."""
    address = ipaddress.IPv6Address(text)
    packed = bytearray(address.packed)
    if private:
        packed[8:] = bytes(dice.below(256) for _ in range(8))
        return str(ipaddress.IPv6Address(bytes(packed)))
    for _ in range(64):
        made = "2001:db8" + text[text.index(":", text.index(":") + 1) :] if text.count(":") > 2 else text
        fake = fake_address(made, dice, 2)
        try:
            shown = str(ipaddress.IPv6Address(fake))
        except ValueError:
            break
        if shown.startswith("2001:db8:"):
            return shown
    packed[:4] = b"\x20\x01\x0d\xb8"
    packed[8:] = bytes(dice.below(256) for _ in range(8))
    return str(ipaddress.IPv6Address(bytes(packed)))
