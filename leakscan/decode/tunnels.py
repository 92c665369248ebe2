"""Tunnels: packets inside packets. One function each, one row in `TUNNELS` at the end.

Each takes the bytes behind the carrying protocol's header and names its kind on the walk (the outermost counts).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from leakscan.decode.gb import gprs_ns
from leakscan.decode.internet import ip, ipv4, ipv6
from leakscan.decode.links import ETHERTYPES, ethernet, ethertype, ieee80211, mpls, ppp
from leakscan.decode.walk import Layer, Step, Walk
from leakscan.model import TUNNEL_KINDS

_U16 = struct.Struct("!H").unpack_from
_U32 = struct.Struct("!I").unpack_from
MAX_EXTENSION_HEADERS = 16  # of one GTP-U packet


class Tunnel(NamedTuple):
    kind: str  # one of TUNNEL_KINDS
    carrier: str  # "ip" (numbers are IP protocols) or "udp" (numbers are ports)
    numbers: tuple[int, ...]
    layer: Layer


def gtp_u(data: bytes, walk: Walk) -> Step:
    """TS 29.281 clause 5: version 1, message type 255 (G-PDU), chain of extension headers."""
    flags, kind, _, teid = struct.unpack_from("!BBHI", data)
    if flags & 0xF0 != 0x30 or kind != 255:
        return None
    offset = 8
    if flags & 7:
        offset, extension = 12, data[11] if flags & 4 else 0
        for _ in range(MAX_EXTENSION_HEADERS):
            if not extension:
                break
            size = data[offset] * 4
            if not size:
                return None
            offset += size
            extension = data[offset - 1]
        else:
            return None
    if walk.teid is None:
        walk.teid = teid
    return ip, data[offset:]


def gtp_v0(data: bytes, walk: Walk) -> Step:
    """GSM 09.60: T-PDU behind 20 octets. Its TID holds the IMSI; that is signalling, not a leak to a website."""
    if data[0] & 0xF0 not in (0x10, 0x00) or data[1] != 255:
        return None
    return ip, data[20:]


def gre(data: bytes, walk: Walk) -> Step:
    """RFC 2784, RFC 2890, and RFC 2637's version 1 (PPTP)."""
    flags, protocol = struct.unpack_from("!HH", data)
    if flags & 7 == 1:
        return ppp, data[8 + (4 if flags & 0x1000 else 0) + (4 if flags & 0x0080 else 0) :]
    offset = 4
    if flags & 0xC000:  # checksum or routing: RFC 1701
        offset += 4
    offset += 4 * bool(flags & 0x2000) + 4 * bool(flags & 0x1000)
    if flags & 0x4000:
        while data[offset + 3]:
            offset += 4 + data[offset + 3]
        offset += 4
    if protocol == 0x88BE:  # ERSPAN type I has no header of its own, type II eight octets and a sequence number
        return ethernet, data[offset + (8 if flags & 0x1000 else 0) :]
    if protocol == 0x22EB:  # ERSPAN type III: twelve octets, eight more when the O bit is set
        return ethernet, data[offset + (20 if data[offset + 11] & 1 else 12) :]
    return ethertype(protocol, data[offset:], walk) if protocol in ETHERTYPES else _not_ip(walk)


def _not_ip(walk: Walk) -> Step:
    walk.lose("frame.not-ip")
    return None


def ip_in_ip(data: bytes, walk: Walk) -> Step:
    """RFC 2003, RFC 4213. A step of its own, so that the walk's bound on depth holds."""
    return ip, data


def ether_ip(data: bytes, walk: Walk) -> Step:
    """RFC 3378."""
    return ethernet, data[2:]


def vxlan(data: bytes, walk: Walk) -> Step:
    """RFC 7348: the I flag must be set."""
    return (ethernet, data[8:]) if data[0] & 8 else None


def vxlan_gpe(data: bytes, walk: Walk) -> Step:
    """VXLAN with a next-protocol octet."""
    layer = {0: ethernet, 1: ipv4, 2: ipv6, 3: ethernet, 5: mpls}.get(data[3])
    return None if layer is None else (layer, data[8:])


def geneve(data: bytes, walk: Walk) -> Step:
    """RFC 8926 section 3.4."""
    if data[0] >> 6:
        return None
    layer = ETHERTYPES.get(_U16(data, 2)[0])
    return None if layer is None else (layer, data[8 + 4 * (data[0] & 0x3F) :])


def l2tp(data: bytes, walk: Walk) -> Step:
    """RFC 2661 section 3.1 data messages; version 3 over UDP (RFC 3931) guesses its cookie from what follows."""
    flags = _U16(data)[0]
    if flags & 0x8000:
        return None
    if flags & 15 == 3:
        return _l2tp_session(data[8:])
    offset = 6
    offset += 2 * bool(flags & 0x4000) + 4 * bool(flags & 0x0800)
    if flags & 0x0200:
        offset += 2 + _U16(data, offset)[0]
    return ppp, data[offset:]


def l2tp_ip(data: bytes, walk: Walk) -> Step:
    """RFC 3931 section 4.1.1: session zero is control."""
    return _l2tp_session(data[4:]) if _U32(data)[0] else None


def _l2tp_session(data: bytes) -> Step:
    """An Ethernet frame or PPP behind a cookie of 0, 4 or 8 octets, with or without the 4-octet sublayer."""
    for cookie in (0, 4, 8, 12):
        inner = data[cookie:]
        if inner[:2] == b"\xff\x03":
            return ppp, inner
        if len(inner) >= 14 and _U16(inner, 12)[0] in ETHERTYPES:
            return ethernet, inner
    return None


def teredo(data: bytes, walk: Walk) -> Step:
    """RFC 4380 section 5.1.1: optional authentication and origin indications, then IPv6."""
    if data[:2] == b"\0\x01":
        data = data[13 + data[2] + data[3] :]
    if data[:2] == b"\0\0":
        data = data[8:]
    return (ipv6, data) if data[0] >> 4 == 6 and len(data) >= 40 else None


def ayiya(data: bytes, walk: Walk) -> Step:
    """Anything In Anything: lengths of identity and signature in the first two octets."""
    identity, signature = 1 << (data[0] >> 4), (data[1] >> 4) * 4
    inner = data[8 + identity + signature :]
    return (ipv6, inner) if data[3] == 41 and inner[0] >> 4 == 6 else None


def capwap(data: bytes, walk: Walk) -> Step:
    """RFC 5415 section 4.3, data channel without DTLS: native 802.11 or 802.3 frames. Cisco swaps frame control."""
    if data[0]:
        return None
    size, native = (data[1] >> 3) * 4, data[2] & 1
    if data[3] & 0x80:  # a fragment
        return None
    inner = data[size:]
    if not native:
        return ethernet, inner
    if inner[0] & 0x0F not in (0, 8) or (inner[1] & 0x0F == 8 and inner[0] & 0x0F != 8):
        inner = inner[1:2] + inner[:1] + inner[2:]
    return ieee80211, inner


def _kind(tunnel: Tunnel) -> Layer:
    """The tunnel's layer; it names the kind on the walk first, and takes it back when there was no tunnel."""
    number = TUNNEL_KINDS.index(tunnel.kind)

    def layer(data: bytes, walk: Walk) -> Step:
        before = walk.tunnel
        walk.enter(number)
        step = tunnel.layer(data, walk)
        if step is None:
            walk.tunnel = before
        return step

    return layer


TUNNELS = (
    Tunnel("gtp-u", "udp", (2152,), gtp_u),
    Tunnel("gtp-u", "udp", (3386,), gtp_v0),
    Tunnel("gprs-ns", "udp", (23000,), gprs_ns),
    Tunnel("vxlan", "udp", (4789, 8472), vxlan),
    Tunnel("vxlan", "udp", (4790,), vxlan_gpe),
    Tunnel("geneve", "udp", (6081,), geneve),
    Tunnel("l2tp", "udp", (1701,), l2tp),
    Tunnel("teredo", "udp", (3544,), teredo),
    Tunnel("ayiya", "udp", (5072,), ayiya),
    Tunnel("capwap", "udp", (5247,), capwap),
    Tunnel("other", "udp", (6635,), mpls),
    Tunnel("gre", "udp", (4754,), gre),
    Tunnel("ip-in-ip", "ip", (4, 41, 94), ip_in_ip),
    Tunnel("gre", "ip", (47,), gre),
    Tunnel("other", "ip", (97,), ether_ip),
    Tunnel("l2tp", "ip", (115,), l2tp_ip),
    Tunnel("other", "ip", (137,), mpls),
)

IP_TUNNELS: dict[int, Layer] = {n: _kind(t) for t in TUNNELS if t.carrier == "ip" for n in t.numbers}
UDP_TUNNELS: dict[int, Layer] = {n: _kind(t) for t in TUNNELS if t.carrier == "udp" for n in t.numbers}
