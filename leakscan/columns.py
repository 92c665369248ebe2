"""Headers of a whole batch at once: from frames to IP packets to TCP, as numpy columns over the batch's buffer.

Vectorised twins of decode's plain cases: Ethernet with VLAN tags, Linux cooked (1 and 2), raw IP, BSD loopback; IPv4
without fragments, IPv6 without extension headers; the same once more inside GTP-U. A frame that is anything else is
marked in `odd` and left to decode; one that surely holds no TCP is counted here. No state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leakscan.decode.links import ETHERTYPES, MIN_ETHERTYPE
from leakscan.decode.tunnels import IP_TUNNELS, UDP_TUNNELS
from leakscan.losses import Losses
from leakscan.model import FrameBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bits = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]

MAX_VLAN_TAGS = 4
_IPV4, _IPV6 = 0x0800, 0x86DD


def lookup(members: Iterable[int], size: int) -> Bits:
    """A set of small numbers as a table that can be indexed by a column."""
    table = np.zeros(size, np.bool_)
    table[list(members)] = True
    return table


_TAG = lookup((0x8100, 0x88A8, 0x9100, 0x9200, 0x9300), 1 << 16)
_LAYERED = lookup([*range(MIN_ETHERTYPE), *ETHERTYPES], 1 << 16)  # decode knows more about these
_TUNNEL_PORT = lookup(UDP_TUNNELS, 1 << 16)
_ODD_PROTOCOL = lookup([*IP_TUNNELS, 51], 256)
_ODD_NEXT_HEADER = lookup([*IP_TUNNELS, 0, 43, 44, 51, 60, 135, 139, 140], 256)
_WIRELESS = lookup((801, 802, 803), 1 << 16)
_INET6 = lookup((10, 23, 24, 28, 30), 256)
_TCP, _UDP, _ESP = 6, 17, 50
_GTP_U = 2152


NO_TUNNEL = -1


class Packets(NamedTuple):
    """IP packets of one version: columns."""

    frame: Ints  # index of the frame in the batch
    offset: Ints  # of the IP header in the buffer
    end: Ints  # of the frame's captured bytes in the buffer
    cut: Bits  # the capture holds only the frame's first bytes
    teid: Ints  # of the GTP-U tunnel around it, NO_TUNNEL without

    def take(self, which: Bits) -> Packets:
        return Packets._make(column[which] for column in self)


class Carried(NamedTuple):
    """What IP packets carry: columns."""

    packets: Packets
    at: Ints  # offset of the transport header
    ip_end: Ints  # where the IP packet ends; behind packets.end when the snap length took its tail


def u16(buf: Bytes, at: Ints) -> Ints:
    return buf[at].astype(np.int64) << 8 | buf[at + 1]


def u32(buf: Bytes, at: Ints) -> Ints:
    return u16(buf, at) << 16 | u16(buf, at + 2)


def add(losses: Losses, name: str, count: int | np.intp) -> None:
    if count:
        losses[name] += int(count)


Located = tuple[Packets, Packets]  # IPv4, IPv6


class Batch:
    """One batch while it is read: the columns that everything starts from."""

    def __init__(self, batch: FrameBatch, losses: Losses) -> None:
        self.buf: Bytes = np.frombuffer(batch.buffer, np.uint8)
        self.frame: Ints = np.arange(len(batch.start))
        self.start = batch.start
        self.end = batch.start + batch.captured
        self.cut: Bits = batch.captured < batch.wire
        self.odd: Bits = np.zeros(len(batch.start), np.bool_)
        self.losses = losses
        self.inner: list[Packets] = []  # found in GTP-U on the way

    def packets(self, which: Bits, offset: Ints) -> Packets:
        teid = np.full(np.count_nonzero(which), NO_TUNNEL)
        return Packets(self.frame[which], offset[which], self.end[which], self.cut[which], teid)

    def long_enough(self, size: int) -> Bits:
        """Frames with at least `size` bytes; the others are odd."""
        good: Bits = self.end - self.start >= size
        self.odd |= ~good
        return good

    def by_ethertype(self, good: Bits, kind: Ints, offset: Ints) -> Located:
        """Part frames by the EtherType before `offset`."""
        self.odd |= good & _LAYERED[kind] & (kind != _IPV4) & (kind != _IPV6)
        add(self.losses, "frame.not-ip", np.count_nonzero(good & ~_LAYERED[kind]))
        return self.packets(good & (kind == _IPV4), offset), self.packets(good & (kind == _IPV6), offset)


def ethernet(batch: Batch) -> Located:
    good = batch.long_enough(14)
    buf, last = batch.buf, len(batch.buf) - 2
    offset = batch.start + 14
    kind = u16(buf, np.minimum(offset - 2, last))
    for _ in range(MAX_VLAN_TAGS):
        tagged = _TAG[kind] & good & (offset + 4 <= batch.end)
        if not tagged.any():
            break
        offset = np.where(tagged, offset + 4, offset)
        kind = u16(buf, np.minimum(offset - 2, last))
    return batch.by_ethertype(good, kind, offset)


def sll(batch: Batch) -> Located:
    return _cooked(batch, 16, hardware=2, protocol=14)


def sll2(batch: Batch) -> Located:
    return _cooked(batch, 20, hardware=8, protocol=0)


def _cooked(batch: Batch, size: int, hardware: int, protocol: int) -> Located:
    good = batch.long_enough(size)
    last = len(batch.buf) - 2
    wireless = good & _WIRELESS[u16(batch.buf, np.minimum(batch.start + hardware, last))]
    batch.odd |= wireless
    return batch.by_ethertype(
        good & ~wireless, u16(batch.buf, np.minimum(batch.start + protocol, last)), batch.start + size
    )


def null(batch: Batch) -> Located:
    """BSD loopback; an address family that is not plain IPv4 or IPv6 is odd."""
    good = batch.long_enough(4)
    at = np.minimum(batch.start, len(batch.buf) - 4)
    first, last = u16(batch.buf, at), u16(batch.buf, at + 2)
    family = np.where(first == 0, last, np.where(last == 0, first >> 8 | (first & 0xFF) << 8, 0xFFFF))
    is4 = good & (family == 2)
    is6 = good & (family < 256) & _INET6[family & 0xFF]
    batch.odd |= good & ~is4 & ~is6
    return batch.packets(is4, batch.start + 4), batch.packets(is6, batch.start + 4)


def raw(batch: Batch) -> Located:
    good = batch.long_enough(1)
    version = batch.buf[np.minimum(batch.start, len(batch.buf) - 1)] >> 4
    batch.odd |= good & (version != 4) & (version != 6)
    return batch.packets(good & (version == 4), batch.start), batch.packets(good & (version == 6), batch.start)


def ipv4(batch: Batch, packets: Packets) -> Carried:
    """TCP in IPv4; the rest is counted or marked odd."""
    buf = batch.buf
    good = packets.offset + 20 <= packets.end
    batch.odd[packets.frame[~good]] = True
    packets = packets.take(good)
    offset = packets.offset
    first = buf[offset]
    size = (first & 15).astype(np.int64) * 4
    total = u16(buf, offset + 2)
    plain = (first >> 4 == 4) & (size >= 20) & (total >= size) & (u16(buf, offset + 6) & 0x3FFF == 0)
    return _carried(batch, packets, plain, buf[offset + 9], _ODD_PROTOCOL, offset + size, offset + total)


def ipv6(batch: Batch, packets: Packets) -> Carried:
    """TCP in IPv6 without extension headers."""
    buf = batch.buf
    good = packets.offset + 40 <= packets.end
    batch.odd[packets.frame[~good]] = True
    packets = packets.take(good)
    offset = packets.offset
    length = u16(buf, offset + 4)
    plain = (buf[offset] >> 4 == 6) & (length > 0)
    return _carried(batch, packets, plain, buf[offset + 6], _ODD_NEXT_HEADER, offset + 40, offset + 40 + length)


def _carried(
    batch: Batch, packets: Packets, plain: Bits, protocol: Bytes, odd_protocol: Bits, at: Ints, ip_end: Ints
) -> Carried:
    """Part packets by what they carry. `plain`: nothing about the IP header itself is odd."""
    plain &= (ip_end <= packets.end) | packets.cut
    udp = plain & (protocol == _UDP)
    if udp.any():
        readable = udp & (at + 8 <= np.minimum(packets.end, ip_end))
        where = np.minimum(at, len(batch.buf) - 4)
        tunnel = _TUNNEL_PORT[u16(batch.buf, where)] | _TUNNEL_PORT[u16(batch.buf, where + 2)]
        inside = _gtp_u(batch, packets.take(udp & tunnel), at[udp & tunnel], ip_end[udp & tunnel])
        entered = np.isin(packets.frame, inside.frame)
        plain &= ~udp | (readable & ~tunnel) | entered
        add(batch.losses, "udp", np.count_nonzero(udp & plain & ~entered))
    plain &= ~odd_protocol[protocol]
    batch.odd[packets.frame[~plain]] = True
    other = plain & (protocol != _TCP) & (protocol != _UDP)
    if other.any():
        encrypted = np.count_nonzero(other & (protocol == _ESP))
        add(batch.losses, "ip.encrypted", encrypted)
        add(batch.losses, "ip.not-tcp", np.count_nonzero(other) - encrypted)
    tcp = plain & (protocol == _TCP)
    return Carried(packets.take(tcp), at[tcp], ip_end[tcp])


def _gtp_u(batch: Batch, packets: Packets, at: Ints, ip_end: Ints) -> Packets:
    """The packets inside G-PDUs without extension headers or with one, TS 29.281 clause 5; noted in `batch.inner`."""
    buf, last = batch.buf, len(batch.buf) - 4
    there = (packets.teid == NO_TUNNEL) & (at + 8 + 12 <= np.minimum(packets.end, ip_end))
    at = np.minimum(at, last - 16)
    whole = at + u16(buf, at + 4) == ip_end
    flags, kind = buf[at + 8], buf[at + 9]
    there &= (u16(buf, at + 2) == _GTP_U) & whole & (flags & 0xF0 == 0x30) & (kind == 255)
    offset = at + 16 + 4 * (flags & 7 > 0)
    extended = (flags & 4 > 0) & (buf[at + 19] > 0)
    size = np.where(extended, buf[np.minimum(offset, last)].astype(np.int64) * 4, 0)
    offset += size
    there &= ~extended | ((size > 0) & (offset <= packets.end) & (buf[np.minimum(offset, last) - 1] == 0))
    end = np.minimum(packets.end, ip_end)
    there &= offset < end
    inside = Packets(packets.frame, offset, end, packets.cut, u32(buf, at + 12)).take(there)
    if len(inside.frame):
        batch.inner.append(inside)
    return inside


def by_version(batch: Batch, packets: Packets) -> Located:
    """Part packets by the version nibble of their header."""
    version = batch.buf[packets.offset] >> 4
    batch.odd[packets.frame[(version != 4) & (version != 6)]] = True
    return packets.take(version == 4), packets.take(version == 6)


#: LINKTYPE_ -> how to find the IP packets of a batch
LOCATE: dict[int, Callable[[Batch], Located]] = {0: null, 1: ethernet, 101: raw, 108: null, 113: sll, 276: sll2}
