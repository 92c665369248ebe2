"""IPv4, IPv6, TCP and UDP of the odd frames. dpkt reads the fixed headers; lengths, fragments and extension headers are
ours: dpkt takes a first fragment for complete TCP, ignores UDP's length and unpacks IP in IP without a bound.
"""

from __future__ import annotations

import struct

from leakscan.decode.walk import IPV4, IPV6, Step, Walk
from leakscan.model import Segment
from leakscan.neighbours import PORTS, is_multicast

_TCP = 6
_UDP = 17
_FRAGMENT = 44
_OPTIONS = frozenset({0, 43, 60, 135, 139, 140})  # extension headers with a length in 8-octet units, RFC 6564
_AUTHENTICATION = 51
_NO_NEXT = 59
MAX_EXTENSIONS = 16


def ip(data: bytes, walk: Walk) -> Step:
    """IPv4 or IPv6, by the version nibble."""
    version = data[0] >> 4
    if version == 4:
        return ipv4(data, walk)
    if version == 6:
        return ipv6(data, walk)
    walk.lose("frame.not-ip")
    return None


def ipv4(data: bytes, walk: Walk) -> Step:
    """RFC 791. A total length of zero is what segmentation offload leaves: the rest of the frame counts."""
    size = (data[0] & 15) * 4
    if data[0] >> 4 != 4 or size < 20:
        raise ValueError
    import dpkt

    header = dpkt.ip.IP(data[:20])
    total = header.len if header.len >= size else len(data)
    walk.source, walk.destination = header.src, header.dst
    walk.passed(IPV4, data)
    payload = _payload(data, size, total, walk)
    where = struct.unpack_from("!H", data, 6)[0]
    if where & 0x3FFF:
        key = (walk.tunnel, header.src, header.dst, header.id, header.p)
        whole = _reassemble(key, (where & 0x1FFF) * 8, bool(where & 0x2000), payload, walk)
        return None if whole is None else _next(header.p, whole, walk)
    return _next(header.p, payload, walk)


def ipv6(data: bytes, walk: Walk) -> Step:
    """RFC 8200 with its extension headers."""
    _, length, protocol, _, source, destination = struct.unpack_from("!IHBB16s16s", data)
    if data[0] >> 4 != 6:
        raise ValueError
    walk.source, walk.destination = source, destination
    walk.passed(IPV6, data)
    payload = _payload(data, 40, 40 + length if length else len(data), walk)
    for _ in range(MAX_EXTENSIONS):
        if protocol in _OPTIONS:
            protocol, payload = payload[0], payload[8 * (payload[1] + 1) :]
        elif protocol == _FRAGMENT:
            protocol, _, where, identification = struct.unpack_from("!BBHI", payload)
            payload = payload[8:]
            if where & 0xFFF9:  # an atomic fragment (RFC 6946) is a packet like any other
                key = (walk.tunnel, source, destination, identification, protocol)
                whole = _reassemble(key, where & 0xFFF8, bool(where & 1), payload, walk)
                if whole is None:
                    return None
                payload = whole
        else:
            return _next(protocol, payload, walk)
    walk.lose("tunnel.too-deep")
    return None


def _payload(data: bytes, size: int, total: int, walk: Walk) -> bytes:
    """What stands behind an IP header; notes how much of it the snap length took."""
    if walk.cut and total > len(data):
        walk.missing = total - len(data)
    return data[size:total]


def _reassemble(
    key: tuple[int, bytes, bytes, int, int], offset: int, more: bool, payload: bytes, walk: Walk
) -> bytes | None:
    if walk.missing:
        walk.lose("frame.cut")
        return None
    if not offset:
        walk.passed(key[4], payload, first_fragment=True)
    return walk.fragments.add(key, offset, more, payload, walk.time_ns)


def _next(protocol: int, payload: bytes, walk: Walk) -> Step:
    if protocol == _AUTHENTICATION:  # RFC 4302: length in 4-octet units, minus 2
        protocol, payload = payload[0], payload[4 * (payload[1] + 2) :]
    walk.passed(protocol, payload)
    if protocol == _TCP:
        return tcp(payload, walk)
    if protocol == _UDP:
        return udp(payload, walk)
    tunnel = walk.ip_tunnels.get(protocol)
    if tunnel is not None:
        return tunnel(payload, walk)
    walk.lose("ip.encrypted" if protocol == 50 else "ip.not-tcp")
    return None


def udp(data: bytes, walk: Walk) -> Step:
    """RFC 768. A datagram to the port of a tunnel that does not hold one is just a datagram."""
    import dpkt

    header = dpkt.udp.UDP(data[:8])
    payload = data[8 : header.ulen] if header.ulen >= 8 else data[8:]
    tunnel = walk.udp_tunnels.get(header.dport) or walk.udp_tunnels.get(header.sport)
    if tunnel is not None:
        kind, teid = walk.tunnel, walk.teid
        try:
            step = tunnel(payload, walk)
        except (struct.error, IndexError, ValueError):
            step = None
        if step is not None:
            return step
        walk.tunnel, walk.teid = kind, teid
    if header.dport in PORTS and not walk.tunnel and is_multicast(walk.destination):
        walk.neighbours.saw(walk.origin.capture, walk.source)
    walk.lose("udp")
    return None


def tcp(data: bytes, walk: Walk) -> Step:
    """RFC 9293 section 3.1: the end of every walk that finds what it came for."""
    import dpkt

    header = dpkt.tcp.TCP(data[:20])
    size = header.off * 4
    if size < 20:
        raise ValueError
    payload = data[size:]
    if walk.missing and size > len(data):
        walk.lose("frame.cut")
        return None
    if walk.missing:
        walk.lose("tcp.cut")
    walk.payload_bytes += len(payload) + walk.missing
    key = bytes((walk.tunnel,)) + walk.source + walk.destination + data[:4]
    walk.segments.append(
        Segment(
            key,
            header.seq,
            header.flags,
            payload,
            walk.missing,
            b"" if walk.missing else data,
            walk.frame,
            walk.time_ns,
            walk.teid,
            walk.origin,
        )
    )
    return None
