"""Link layers: from a frame of any link type to its IP packet. One function each, one row in `LINKS` at the end.

Numbers are LINKTYPE_ values. Trailers (padding, FCS) need no care: the IP header says where the packet ends.
"""

from __future__ import annotations

import struct

from leakscan.decode.internet import ip, ipv4, ipv6
from leakscan.decode.walk import Layer, Step, Walk
from leakscan.neighbours import ARP

_U16 = struct.Struct("!H").unpack_from
_U32 = struct.Struct("!I").unpack_from
_U16_LITTLE = struct.Struct("<H").unpack_from
_U32_LITTLE = struct.Struct("<I").unpack_from
MIN_ETHERTYPE = 0x0600  # below it the field is a length, IEEE 802.3 clause 3.2.6


def ethernet(data: bytes, walk: Walk) -> Step:
    kind = _U16(data, 12)[0]
    return ethertype(kind, data[14:], walk)


def ethertype(kind: int, data: bytes, walk: Walk) -> Step:
    """What follows an EtherType field; a value below MIN_ETHERTYPE is a length, and LLC follows."""
    if kind < MIN_ETHERTYPE:
        return llc(data, walk)
    layer = ETHERTYPES.get(kind)
    if layer is None:
        if kind == ARP and not walk.tunnel:
            _arp(data, walk)
        walk.lose("frame.not-ip")
        return None
    return layer, data


def _arp(data: bytes, walk: Walk) -> None:
    """RFC 826 for Ethernet and IPv4: who asks or answers, and for whom."""
    if len(data) >= 28 and data[:6] == b"\0\1\x08\0\6\4":
        walk.neighbours.saw(walk.origin.capture, data[14:18])
        walk.neighbours.saw(walk.origin.capture, data[24:28])


def vlan(data: bytes, walk: Walk) -> Step:
    """IEEE 802.1Q and its relatives: two octets of tag, then an EtherType."""
    return ethertype(_U16(data, 2)[0], data[4:], walk)


def _tag6(data: bytes, walk: Walk) -> Step:
    """802.1BR E-tag and Cisco metadata: six octets, then an EtherType."""
    return ethertype(_U16(data, 6)[0], data[8:], walk)


def _vn_tag(data: bytes, walk: Walk) -> Step:
    return ethertype(_U16(data, 4)[0], data[6:], walk)


def _backbone(data: bytes, walk: Walk) -> Step:
    """IEEE 802.1ah I-tag: four octets, then the customer's whole frame."""
    return ethernet, data[4:]


def llc(data: bytes, walk: Walk) -> Step:
    """IEEE 802.2; SNAP with an EtherType, a bridged frame, or IP by its own SAP."""
    if data[:2] == b"\xaa\xaa":
        organisation, kind = data[3:6], _U16(data, 6)[0]
        if organisation in (b"\0\0\0", b"\0\0\xf8"):
            return ethertype(kind, data[8:], walk) if kind >= MIN_ETHERTYPE else _no_ip(walk)
        if organisation == b"\0\x80\xc2" and kind in (1, 7):  # RFC 2684: bridged Ethernet with or without FCS
            return ethernet, data[8:]
    elif data[:2] == b"\x06\x06":
        return ip, data[3:]
    return _no_ip(walk)


def _no_ip(walk: Walk) -> Step:
    walk.lose("frame.not-ip")
    return None


def sll(data: bytes, walk: Walk) -> Step:
    """Linux cooked capture."""
    import dpkt

    header = dpkt.sll.SLL(data[:16])
    return _cooked(header.hrd, header.ethtype, data[16:], walk)


def sll2(data: bytes, walk: Walk) -> Step:
    """Linux cooked capture, version 2."""
    kind, _, _, hardware = struct.unpack_from("!HHIH", data)
    return _cooked(hardware, kind, data[20:], walk)


def _cooked(hardware: int, kind: int, data: bytes, walk: Walk) -> Step:
    if hardware in (801, 802, 803):  # ARPHRD_IEEE80211, _PRISM, _RADIOTAP
        return {801: ieee80211, 802: prism, 803: radiotap}[hardware], data
    if kind == 4:
        return llc(data, walk)
    return ethertype(kind, data, walk) if kind >= MIN_ETHERTYPE else _no_ip(walk)


def null(data: bytes, walk: Walk) -> Step:
    """BSD loopback: an address family in the byte order of whoever captured."""
    if data[:2] == b"\xff\x03":
        return ppp, data
    family = min(_U32(data)[0], _U32_LITTLE(data)[0])
    if family == 2:
        return ipv4, data[4:]
    if family in (10, 23, 24, 28, 30):  # AF_INET6 of Linux, Windows, NetBSD, FreeBSD, macOS
        return ipv6, data[4:]
    return ethertype(family, data[4:], walk) if MIN_ETHERTYPE <= family <= 0xFFFF else _no_ip(walk)


def ppp(data: bytes, walk: Walk) -> Step:
    """RFC 1661, with or without HDLC's address and control, protocol field compressed or not."""
    if data[:2] == b"\xff\x03":
        data = data[2:]
    if data[0] & 1:
        protocol, data = data[0], data[1:]
    else:
        protocol, data = _U16(data)[0], data[2:]
    if protocol == 0x31:  # bridging, RFC 3518: flags and MAC type, then the frame
        return (ethernet, data[2:]) if data[1] == 1 else _no_ip(walk)
    layer = PPP_PROTOCOLS.get(protocol)
    return _no_ip(walk) if layer is None else (layer, data)


def ppp_serial(data: bytes, walk: Walk) -> Step:
    """LINKTYPE_PPP_HDLC: PPP in HDLC-like framing, or Cisco HDLC when it says so."""
    return (cisco_hdlc if data[0] in (0x0F, 0x8F) else ppp), data


def _direction(layer: Layer) -> Layer:
    """The same link layer behind one octet that tells who sent the frame."""
    return lambda data, walk: (layer, data[1:])


def pppoe(data: bytes, walk: Walk) -> Step:
    """RFC 2516 section 4; code 0 is the session stage."""
    if data[0] != 0x11 or data[1] != 0:
        return _no_ip(walk)
    return ppp, data[6 : 6 + _U16(data, 4)[0]]


def cisco_hdlc(data: bytes, walk: Walk) -> Step:
    return ethertype(_U16(data, 2)[0], data[4:], walk)


def frame_relay(data: bytes, walk: Walk) -> Step:
    """Q.922 address, then RFC 2427's NLPID, or Cisco's EtherType."""
    size = 2
    while not data[size - 1] & 1:
        size += 1
        if size > 4:
            return _no_ip(walk)
    if data[size] != 3:
        return ethertype(_U16(data, size)[0], data[size + 2 :], walk)
    size += 2 if data[size + 1] == 0 else 1
    protocol, data = data[size], data[size + 1 :]
    if protocol == 0x80:  # SNAP without its LLC header
        return llc(b"\xaa\xaa\x03" + data, walk)
    layer = {0xCC: ipv4, 0x8E: ipv6, 0xCF: ppp}.get(protocol)
    return _no_ip(walk) if layer is None else (layer, data)


def mpls(data: bytes, walk: Walk) -> Step:
    """RFC 3032. Behind the bottom of the stack only the first nibble tells what follows."""
    offset = 4
    while not data[offset - 2] & 1:
        offset += 4
    data = data[offset:]
    nibble = data[0] >> 4
    if nibble in (4, 6):
        return ip, data
    if nibble == 0 and _looks_like_frame(data[4:]):  # RFC 4448: control word of an Ethernet pseudowire
        return ethernet, data[4:]
    return (ethernet, data) if _looks_like_frame(data) else _no_ip(walk)


def _looks_like_frame(data: bytes) -> bool:
    return len(data) >= 14 and _U16(data, 12)[0] in ETHERTYPES


def ieee80211(data: bytes, walk: Walk) -> Step:
    """IEEE 802.11 clause 9.3.2: unprotected data frames, A-MSDUs split."""
    return _wireless(data, walk, padded=False)


def _wireless(data: bytes, walk: Walk, padded: bool) -> Step:
    control, flags = data[0], data[1]
    if control & 0x0C != 0x08 or control & 0x40:  # not data, or without a body
        return _no_ip(walk)
    size = 30 if flags & 3 == 3 else 24
    aggregate = False
    if control & 0x80:  # QoS
        aggregate = bool(data[size] & 0x80)
        size += 6 if flags & 0x80 else 2
    if padded:
        size += -size % 4
    if flags & 0x40:
        walk.lose("frame.protected")
        return None
    body = data[size:]
    if not aggregate:
        return llc(body, walk)
    while len(body) > 14:  # clause 9.3.2.2: destination, source, length, MSDU, padding to 4
        length = _U16(body, 12)[0]
        walk.stack.append((llc, body[14 : 14 + length]))
        body = body[14 + length + (-(14 + length) % 4) :]
    return None


def radiotap(data: bytes, walk: Walk) -> Step:
    """Radiotap: the flags say whether the 802.11 header is padded to a multiple of 4."""
    length, present = _U16_LITTLE(data, 2)[0], _U32_LITTLE(data, 4)[0]
    offset, more = 8, present
    while more & 0x80000000:
        more = _U32_LITTLE(data, offset)[0]
        offset += 4
    if present & 1:  # TSFT, aligned to 8
        offset += -offset % 8 + 8
    padded = bool(present & 2 and data[offset] & 0x20)
    return _wireless(data[length:], walk, padded)


def ppi(data: bytes, walk: Walk) -> Step:
    """Per-Packet Information: its own length and the link type behind it."""
    layer = LINKS.get(_U32_LITTLE(data, 4)[0])
    if layer is None:
        walk.lose("link.unknown")
        return None
    return layer, data[_U16_LITTLE(data, 2)[0] :]


def avs(data: bytes, walk: Walk) -> Step:
    return ieee80211, data[_U32(data, 4)[0] :]


def prism(data: bytes, walk: Walk) -> Step:
    """The Prism header has no fixed byte order; drivers also wrote AVS headers under this link type."""
    if data[:3] == b"\x80\x21\x10":
        return avs(data, walk)
    return ieee80211, data[min(_U32(data, 4)[0], _U32_LITTLE(data, 4)[0]) :]


def nflog(data: bytes, walk: Walk) -> Step:
    """Linux netfilter log: attributes of type and length (host order of little-endian machines); 9 is the packet."""
    offset = 4
    while offset + 4 <= len(data):
        size, kind = struct.unpack_from("<HH", data, offset)
        if kind & 0x7FFF == 9:
            return ip, data[offset + 4 : offset + size]
        if size < 4:
            raise ValueError
        offset += size + (-size % 4)
    return _no_ip(walk)


def arcnet(data: bytes, walk: Walk) -> Step:
    """ANSI 878.1 with RFC 1201 encapsulation: source, destination, protocol, then a split flag and a number."""
    return _arcnet(data[2], data[3:], walk)


def arcnet_linux(data: bytes, walk: Walk) -> Step:
    """The same with the two octets of offset that Linux shows."""
    return _arcnet(data[4], data[5:], walk)


def _arcnet(protocol: int, data: bytes, walk: Walk) -> Step:
    if protocol in (0xF0, 0xF1):  # RFC 1051: no fragmentation header
        return ip, data
    if protocol not in (0xD4, 0xC4):
        return _no_ip(walk)
    return ip, data[7:] if data[0] == 0xFF else data[3:]


def erf(data: bytes, walk: Walk) -> Step:
    """Endace records: 16 octets, extension headers of 8, then a frame of the record's type."""
    kind, offset = data[8], 16
    more = kind & 0x80
    while more:
        more = data[offset] & 0x80
        offset += 8
    kind &= 0x7F
    if kind in (2, 11, 16, 20):  # Ethernet, plain or coloured: two octets of offset and padding
        return ethernet, data[offset + 2 :]
    if kind in (1, 10, 15, 17):  # HDLC over SONET
        return ppp_serial, data[offset:]
    return (ip, data[offset:]) if kind in (22, 23) else _no_ip(walk)


def token_ring(data: bytes, walk: Walk) -> Step:
    """IEEE 802.5; a source address with its first bit set has routing information behind it."""
    return llc, data[14 + (data[14] & 0x1F if data[8] & 0x80 else 0) :]


def fddi(data: bytes, walk: Walk) -> Step:
    return llc, data[13:]


def _centrino(data: bytes, walk: Walk) -> Step:
    """802.11 frames that some Intel drivers wrapped in Ethernet, decrypted; header and vector are left."""
    if not data[1] & 0x40:
        return ieee80211, data
    size = 30 if data[1] & 3 == 3 else 24
    return llc, data[size + (8 if data[size + 3] & 0x20 else 4) :]


#: EtherType -> layer
ETHERTYPES: dict[int, Layer] = {
    0x0800: ipv4,
    0x86DD: ipv6,
    0x8100: vlan,
    0x88A8: vlan,
    0x9100: vlan,
    0x9200: vlan,
    0x9300: vlan,
    0x8847: mpls,
    0x8848: mpls,
    0x8864: pppoe,
    0x880B: ppp,
    0x6558: ethernet,
    0x88E7: _backbone,
    0x893F: _tag6,
    0x8909: _tag6,
    0x8926: _vn_tag,
    0x2452: _centrino,
}

#: PPP protocol -> layer
PPP_PROTOCOLS: dict[int, Layer] = {0x0021: ipv4, 0x0057: ipv6, 0x0281: mpls, 0x0283: mpls}

#: LINKTYPE_ -> layer
LINKS: dict[int, Layer] = {
    0: null,
    1: ethernet,
    6: token_ring,
    7: arcnet,
    9: ppp,
    10: fddi,
    50: ppp_serial,
    51: pppoe,
    100: llc,
    101: ip,
    104: cisco_hdlc,
    105: ieee80211,
    106: llc,
    107: frame_relay,
    108: null,
    113: sll,
    119: prism,
    127: radiotap,
    129: arcnet_linux,
    163: avs,
    166: _direction(ppp),
    192: ppi,
    197: erf,
    204: _direction(ppp),
    205: _direction(cisco_hdlc),
    206: _direction(frame_relay),
    219: mpls,
    228: ipv4,
    229: ipv6,
    239: nflog,
    276: sll2,
}
