"""Headers of a whole batch at once: from frames to IP packets to TCP, as numpy columns over the batch's buffer.

Vectorised twins of decode's plain cases: Ethernet with VLAN tags, Linux cooked (1 and 2), raw IP, BSD loopback; IPv4
without options and fragments, IPv6 without extension headers; the same once more inside GTP-U. IP and TCP headers are
gathered once, as rows of 32-bit words; everything else is arithmetic on those. A frame that is anything else is marked
in `odd` and left to decode; one that surely holds no TCP is counted here. No state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leakscan.decode.links import ETHERTYPES, MIN_ETHERTYPE
from leakscan.decode.tunnels import IP_TUNNELS, UDP_TUNNELS
from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.neighbours import ARP, PORTS, Neighbours, is_multicast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bits = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]
    Tokens = NDArray[np.uint64]

MAX_VLAN_TAGS = 4
_IPV4, _IPV6 = 0x0800, 0x86DD


def lookup(members: Iterable[int], size: int) -> Bits:
    """A set of small numbers as a table that can be indexed by a column."""
    table = np.zeros(size, np.bool_)
    table[list(members)] = True
    return table


_TAG = lookup((0x8100, 0x88A8, 0x9100, 0x9200, 0x9300), 1 << 16)
_LAYERED = lookup([*range(MIN_ETHERTYPE), *ETHERTYPES], 1 << 16)  # decode knows more about these
_ARP_BYTES = 28
_CHATTER = lookup(PORTS, 1 << 16)
_TUNNEL_PORT = lookup(UDP_TUNNELS, 1 << 16)
_ODD_PROTOCOL = lookup([*IP_TUNNELS, 51], 256)
_ODD_NEXT_HEADER = lookup([*IP_TUNNELS, 0, 43, 44, 51, 60, 135, 139, 140], 256)
_WIRELESS = lookup((801, 802, 803), 1 << 16)
_INET6 = lookup((10, 23, 24, 28, 30), 256)
_TCP, _UDP, _ESP = 6, 17, 50
_GTP_U = 2152
TCP_HEADER = 20
SYN = 2


NO_TUNNEL = -1


class Packets(NamedTuple):
    """IP packets of one version: columns."""

    frame: Ints  # index of the frame in the batch
    offset: Ints  # of the IP header in the buffer
    end: Ints  # of the frame's captured bytes in the buffer
    cut: Bits  # the capture holds only the frame's first bytes
    teid: Ints  # of the GTP-U tunnel around it, NO_TUNNEL without

    def take(self, which: Ints) -> Packets:
        """Those at these positions: three times as fast as by a column of bits."""
        return Packets._make([column.take(which) for column in self])


class Segments(NamedTuple):
    """TCP segments with a SYN or payload: columns."""

    frame: Ints
    address: Ints  # offset of the source address in the buffer
    width: Ints  # bytes of both addresses: 8 or 32
    tcp: Ints  # offset of the TCP header
    payload: Ints  # offset of the payload
    end: Ints  # of the captured payload
    missing: Ints
    flags: Ints
    seq: Ints
    teid: Ints  # NO_TUNNEL outside of GTP-U
    token: Tokens  # verdicts.Verdicts.token

    def take(self, which: Ints) -> Segments:
        return Segments._make([column.take(which) for column in self])


def u16(buf: Bytes, at: Ints) -> Ints:
    return buf[at].astype(np.int64) << 8 | buf[at + 1]


def add(losses: Losses, name: str, count: int | np.intp) -> None:
    if count:
        losses[name] += int(count)


Located = tuple[Packets, Packets]  # IPv4, IPv6
#: Rows of 32-bit words, addresses and ports, and the TEIDs -> Verdicts.token of each column
Hash = Callable[["Ints", "Ints"], "Tokens"]


class Batch:
    """One batch while it is read: the columns that everything starts from."""

    def __init__(self, batch: FrameBatch, losses: Losses, neighbours: Neighbours, bare: bool = False) -> None:
        """`bare`: also segments that have neither a SYN nor payload."""
        self.buf: Bytes = np.frombuffer(batch.buffer, np.uint8)
        self.frame: Ints = np.arange(len(batch.start))
        self.start = batch.start
        self.end = batch.start + batch.captured
        self.cut: Bits = batch.captured < batch.wire
        self.odd: Bits = np.zeros(len(batch.start), np.bool_)
        self.losses = losses
        self.neighbours = neighbours
        self.capture = batch.origin.capture
        self.inner: list[Packets] = []  # found in GTP-U on the way
        self.payload_bytes = 0  # of TCP, on the wire
        self.bare = bare

    def packets(self, which: Bits, offset: Ints) -> Packets:
        there = np.flatnonzero(which)
        teid = np.full(len(there), NO_TUNNEL)
        return Packets(there, offset.take(there), self.end.take(there), self.cut.take(there), teid)

    def long_enough(self, size: int) -> Bits:
        """Frames with at least `size` bytes; the others are odd."""
        good: Bits = self.end - self.start >= size
        self.odd |= ~good
        return good

    def by_ethertype(self, good: Bits, kind: Ints, offset: Ints) -> Located:
        """Part frames by the EtherType before `offset`."""
        is4, is6 = good & (kind == _IPV4), good & (kind == _IPV6)
        rest = good & ~is4 & ~is6
        if rest.any():
            layered = _LAYERED[kind]
            self.odd |= rest & layered
            add(self.losses, "frame.not-ip", np.count_nonzero(rest & ~layered))
            self._arp(np.flatnonzero(rest & (kind == ARP)), offset)
        return self.packets(is4, offset), self.packets(is6, offset)

    def _arp(self, which: Ints, offset: Ints) -> None:
        """Twin of decode's."""
        which = which[offset[which] + _ARP_BYTES <= np.minimum(self.end[which], len(self.buf))]
        if len(which):
            words = self.words(offset[which], _ARP_BYTES)
            words = words[:, (words[0] == 0x00010800) & (words[1] >> 16 == 0x0604)]
            for address in np.union1d((words[3] & 0xFFFF) << 16 | words[4] >> 16, words[6]).tolist():
                self.neighbours.saw(self.capture, address.to_bytes(4))

    def words(self, at: Ints, size: int) -> Ints:
        """The 32-bit words of the `size` bytes at each offset, a row for each word. Offsets must be in reach."""
        items = np.ndarray((len(self.buf) - size + 1,), f"V{size}", self.buf.data, strides=(1,))
        return items[at].view(">u4").reshape(len(at), size // 4).T.astype(np.int64, order="C")

    def readable(self, packets: Packets, header: int) -> Packets:
        """The packets of which the IP header, of `header` bytes, is there, and so far from the buffer's end that a TCP
        header may follow; the others are odd.
        """
        good = (packets.offset + header <= packets.end) & (packets.offset <= len(self.buf) - header - TCP_HEADER)
        if good.all():
            return packets
        self.odd[packets.frame[~good]] = True
        return packets.take(np.flatnonzero(good))


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


def ipv4(batch: Batch, packets: Packets, hashed: Hash) -> Segments:
    """TCP segments in IPv4 without options; the rest is counted or marked odd."""
    packets = batch.readable(packets, 20)
    words = batch.words(packets.offset, 20 + TCP_HEADER)
    total = words[0] & 0xFFFF
    plain = (words[0] >> 24 == 0x45) & (total >= 20) & (words[1] & 0x3FFF == 0)
    return _carried(
        batch, packets, words, plain, words[2] >> 16 & 0xFF, _ODD_PROTOCOL, 20, packets.offset + total, hashed
    )


def ipv6(batch: Batch, packets: Packets, hashed: Hash) -> Segments:
    """TCP segments in IPv6 without extension headers."""
    packets = batch.readable(packets, 40)
    words = batch.words(packets.offset, 40 + TCP_HEADER)
    length = words[1] >> 16
    plain = (words[0] >> 28 == 6) & (length > 0)
    return _carried(
        batch, packets, words, plain, words[1] >> 8 & 0xFF, _ODD_NEXT_HEADER, 40, packets.offset + 40 + length, hashed
    )


def _carried(
    batch: Batch,
    packets: Packets,
    words: Ints,
    plain: Bits,
    protocol: Ints,
    odd_protocol: Bits,
    header: int,
    ip_end: Ints,
    hashed: Hash,
) -> Segments:
    """Part packets by what they carry. `plain`: nothing about the IP header itself is odd; `header`: its length."""
    plain &= (ip_end <= packets.end) | packets.cut
    tcp = plain & (protocol == _TCP)
    if not tcp.all():
        entered = _datagrams(batch, packets, words[header // 4 :], plain & (protocol == _UDP), header, ip_end)
        plain &= ~odd_protocol[protocol]
        batch.odd[packets.frame[~plain]] = True
        other = plain & ~tcp & ~entered & (protocol != _UDP)
        encrypted = np.count_nonzero(other & (protocol == _ESP))
        add(batch.losses, "ip.encrypted", encrypted)
        add(batch.losses, "ip.not-tcp", np.count_nonzero(other) - encrypted)
        which = np.flatnonzero(tcp)
        packets, words, ip_end = packets.take(which), words.take(which, 1), ip_end.take(which)
    return _segments(batch, packets, words, header, ip_end, hashed)


def _datagrams(batch: Batch, packets: Packets, words: Ints, udp: Bits, header: int, ip_end: Ints) -> Bits:
    """UDP: counted, marked odd when it may be a tunnel, but for GTP-U, into which we look; gives those. `words` begin
    with the UDP header."""
    entered = np.zeros(len(udp), np.bool_)
    if not udp.any():
        return entered
    tunnel = udp & (_TUNNEL_PORT[words[0] >> 16] | _TUNNEL_PORT[words[0] & 0xFFFF])
    if tunnel.any():
        which = np.flatnonzero(tunnel)
        there = _gtp_u(batch, packets.take(which), words[:, which], packets.offset[which] + header, ip_end[which])
        entered[which[there]] = True
    odd = udp & ~entered & (tunnel | (packets.offset + header + 8 > np.minimum(packets.end, ip_end)))
    batch.odd[packets.frame[odd]] = True
    add(batch.losses, "udp", np.count_nonzero(udp & ~odd & ~entered))
    chatter = udp & ~odd & ~entered & _CHATTER[words[0] & 0xFFFF] & (packets.teid == NO_TUNNEL)
    size, source = (4, 12) if header == 20 else (16, 8)
    for at in (packets.offset[chatter] + source).tolist():
        if is_multicast(batch.buf[at + size : at + 2 * size].tobytes()):
            batch.neighbours.saw(batch.capture, batch.buf[at : at + size].tobytes())
    return entered


def _gtp_u(batch: Batch, packets: Packets, words: Ints, at: Ints, ip_end: Ints) -> Bits:
    """Note the packets inside G-PDUs without extension headers or with one, TS 29.281 clause 5, in `batch.inner`."""
    buf, last = batch.buf, len(batch.buf) - 4
    end = np.minimum(packets.end, ip_end)
    there: Bits = (packets.teid == NO_TUNNEL) & (at + 8 + 12 <= end)
    flags, kind = words[2] >> 24, words[2] >> 16 & 0xFF
    there &= (words[0] & 0xFFFF == _GTP_U) & (at + (words[1] >> 16) == ip_end) & (flags & 0xF0 == 0x30) & (kind == 255)
    offset = at + 16 + 4 * (flags & 7 > 0)
    extended = (flags & 4 > 0) & (words[4] & 0xFF > 0)
    if extended.any():
        size = np.where(extended, buf[np.minimum(offset, last)].astype(np.int64) * 4, 0)
        offset += size
        there &= ~extended | ((size > 0) & (offset <= packets.end) & (buf[np.minimum(offset, last) - 1] == 0))
    there &= offset < end
    inside = Packets(packets.frame, offset, end, packets.cut, words[3]).take(np.flatnonzero(there))
    if len(inside.frame):
        batch.inner.append(inside)
    return there


def _segments(batch: Batch, packets: Packets, words: Ints, header: int, ip_end: Ints, hashed: Hash) -> Segments:
    """Read TCP headers; keep what has a SYN or payload."""
    at, base = packets.offset + header, header // 4
    end = np.minimum(packets.end, ip_end)
    payload = at + (words[base + 3] >> 28) * 4
    flags = words[base + 3] >> 16 & 0xFF
    good = (at + TCP_HEADER <= payload) & (payload <= end)
    size = ip_end - payload
    cut = missing = ip_end - end
    if not good.all():
        batch.odd[packets.frame[~good]] = True
        size, cut = size[good], missing[good]
    batch.payload_bytes += int(size.sum())
    add(batch.losses, "tcp.cut", np.count_nonzero(cut))
    if not batch.bare:
        good &= (flags & SYN != 0) | (ip_end > payload)
    which, width = np.flatnonzero(good), 8 if header == 20 else 32
    words, teid, at = words.take(which, 1), packets.teid.take(which), at.take(which)
    return Segments(
        frame=packets.frame.take(which),
        address=at - width,
        width=np.full(len(teid), width),
        tcp=at,
        payload=payload.take(which),
        end=end.take(which),
        missing=missing.take(which),
        flags=flags.take(which),
        seq=words[base + 1],
        teid=teid,
        token=hashed(words[base - width // 4 : base + 1], teid),
    )


def by_version(batch: Batch, packets: Packets) -> Located:
    """Part packets by the version nibble of their header."""
    version = batch.buf[packets.offset] >> 4
    batch.odd[packets.frame[(version != 4) & (version != 6)]] = True
    return packets.take(np.flatnonzero(version == 4)), packets.take(np.flatnonzero(version == 6))


#: LINKTYPE_ -> how to find the IP packets of a batch
LOCATE: dict[int, Callable[[Batch], Located]] = {0: null, 1: ethernet, 101: raw, 108: null, 113: sll, 276: sll2}
