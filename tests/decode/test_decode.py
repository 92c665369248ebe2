"""Every link type and every tunnel: one packet inside, the same packet out."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.wire import ethernet, gtp_u, ip, udp
from leakscan.checksum import is_right
from leakscan.decode import LINKS, Decoder, fragments
from leakscan.decode.tunnels import TUNNELS
from leakscan.decode.walk import MAX_DEPTH
from leakscan.losses import Losses
from leakscan.model import TUNNEL_KINDS, Origin, Segment
from tests.streams import request, tcp

GET = request("/a")
V4 = tcp(1000, GET)
V6 = tcp(1000, GET, client="2001:db8::1", server="2001:db8::80")
FRAME = ethernet(V4, True)
SNAP = b"\xaa\xaa\x03\0\0\0\x08\x00"
WIRELESS = bytes(24)  # the rest of an 802.11 header behind frame control
MAC = bytes(12)
OUTER = ("198.51.100.1", "198.51.100.2")


def ether(kind: int, payload: bytes) -> bytes:
    return MAC + struct.pack("!H", kind) + payload


def radiotap(flags: int, frame: bytes) -> bytes:
    return struct.pack("<BBHIB", 0, 0, 9, 2, flags) + frame


def tagged(*tags: int) -> bytes:
    return MAC + b"".join(struct.pack("!HH", tag, 5) for tag in tags) + b"\x08\x00" + V4


#: LINKTYPE_, what it is, frame
FRAMES = [
    (0, "BSD loopback, little-endian", b"\x02\0\0\0" + V4),
    (0, "BSD loopback, big-endian, IPv6", b"\0\0\0\x1e" + V6),
    (1, "Ethernet", FRAME),
    (1, "Ethernet, IPv6", ethernet(V6, True)),
    (1, "Ethernet, one VLAN tag", tagged(0x8100)),
    (1, "Ethernet, six tags", tagged(0x88A8, 0x8100, 0x9100, 0x8100, 0x9200, 0x8100)),
    (1, "Ethernet, LLC/SNAP", MAC + struct.pack("!H", len(SNAP + V4)) + SNAP + V4),
    (1, "Ethernet, LLC with IP's own SAP", MAC + struct.pack("!H", 3 + len(V4)) + b"\x06\x06\x03" + V4),
    (1, "MPLS, two labels", ether(0x8847, b"\0\x01\0\x40\0\x02\x01\x40" + V4)),
    (1, "MPLS pseudowire with control word", ether(0x8847, b"\0\x01\x01\x40\0\0\0\0" + FRAME)),
    (1, "MPLS pseudowire without", ether(0x8848, b"\0\x01\x01\x40" + b"\x02" + FRAME[1:])),
    (1, "PPPoE", ether(0x8864, struct.pack("!BBHHH", 0x11, 0, 7, len(V4) + 2, 0x21) + V4)),
    (1, "PPP in Ethernet", ether(0x880B, b"\0\x21" + V4)),
    (1, "transparent bridging", ether(0x6558, FRAME)),
    (1, "802.1ah", ether(0x88E7, bytes(4) + FRAME)),
    (1, "802.1BR", ether(0x893F, bytes(6) + b"\x08\0" + V4)),
    (1, "Cisco metadata", ether(0x8909, bytes(6) + b"\x08\0" + V4)),
    (1, "VN tag", ether(0x8926, bytes(4) + b"\x08\0" + V4)),
    (1, "Intel's 802.11 in Ethernet", ether(0x2452, b"\x08\x41" + bytes(22) + bytes(4) + SNAP + V4)),
    (1, "Intel's 802.11 in Ethernet, unprotected", ether(0x2452, b"\x08\x01" + bytes(22) + SNAP + V4)),
    (6, "Token Ring", bytes(14) + SNAP + V4),
    (6, "Token Ring, source routed", bytes(8) + b"\x80" + bytes(5) + b"\x04\0\0\0" + SNAP + V4),
    (7, "ARCNET", b"\x01\x02\xd4\0\0\x01" + V4),
    (7, "ARCNET, exception packet", b"\x01\x02\xd4\xff\xff\xff\xff\0\0\x01" + V4),
    (7, "ARCNET, RFC 1051", b"\x01\x02\xf0" + V4),
    (9, "PPP", b"\0\x21" + V4),
    (9, "PPP, address and control, short protocol, IPv6", b"\xff\x03\x57" + V6),
    (9, "PPP bridging", b"\0\x31\0\x01" + FRAME),
    (10, "FDDI", bytes(13) + SNAP + V4),
    (50, "PPP in HDLC", b"\xff\x03\0\x21" + V4),
    (50, "Cisco HDLC under PPP's number", b"\x0f\0\x08\0" + V4),
    (51, "PPPoE alone", struct.pack("!BBHHH", 0x11, 0, 7, len(V4) + 2, 0x21) + V4),
    (100, "ATM, LLC", SNAP + V4),
    (101, "raw IPv4", V4),
    (101, "raw IPv6", V6),
    (104, "Cisco HDLC", b"\x0f\0\x86\xdd" + V6),
    (105, "802.11", b"\x08\x01" + WIRELESS[2:] + SNAP + V4),
    (105, "802.11, QoS", b"\x88\x01" + WIRELESS[2:] + b"\0\0" + SNAP + V4),
    (105, "802.11, four addresses", b"\x08\x03" + WIRELESS[2:] + bytes(6) + SNAP + V4),
    (106, "ATM CLIP", SNAP + V4),
    (107, "Frame Relay", b"\x18\x41\x03\xcc" + V4),
    (107, "Frame Relay, padded, SNAP", b"\x18\x41\x03\0\x80\0\0\0\x08\0" + V4),
    (107, "Frame Relay, Cisco", b"\x18\x41\x08\0" + V4),
    (108, "OpenBSD loopback", b"\0\0\0\x02" + V4),
    (113, "Linux cooked", struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x0800) + V4),
    (113, "Linux cooked, LLC", struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 4) + SNAP + V4),
    (119, "Prism", b"\0\0\0\x44" + struct.pack("<I", 144) + bytes(136) + b"\x08\x01" + WIRELESS[2:] + SNAP + V4),
    (127, "radiotap", radiotap(0, b"\x08\x01" + WIRELESS[2:] + SNAP + V4)),
    (127, "radiotap, padded header", radiotap(0x20, b"\x88\x01" + WIRELESS[2:] + b"\0\0\0\0" + SNAP + V4)),
    (129, "ARCNET of Linux", b"\x01\x02\0\0\xd4\0\0\x01" + V4),
    (163, "AVS", struct.pack("!II", 0x80211001, 64) + bytes(56) + b"\x08\x01" + WIRELESS[2:] + SNAP + V4),
    (166, "PPP of pppd", b"\x01\xff\x03\0\x21" + V4),
    (192, "PPI", struct.pack("<BBHI", 0, 0, 8, 105) + b"\x08\x01" + WIRELESS[2:] + SNAP + V4),
    (197, "ERF, Ethernet", bytes(8) + struct.pack("!BBHHH", 2, 4, 0, 0, 0) + bytes(2) + FRAME),
    (
        197,
        "ERF, extension header, HDLC",
        bytes(8) + struct.pack("!BBHHH", 0x81, 4, 0, 0, 0) + bytes(8) + b"\xff\x03\0\x21" + V4,
    ),
    (197, "ERF, IPv4", bytes(8) + struct.pack("!BBHHH", 22, 4, 0, 0, 0) + V4),
    (204, "PPP with direction", b"\0\xff\x03\0\x21" + V4),
    (205, "Cisco HDLC with direction", b"\x01\x0f\0\x08\0" + V4),
    (206, "Frame Relay with direction", b"\x01\x18\x41\x03\xcc" + V4),
    (219, "MPLS alone", b"\0\x01\x01\x40" + V4),
    (228, "IPv4 alone", V4),
    (229, "IPv6 alone", V6),
    (239, "NFLOG", b"\x02\0\0\0" + struct.pack("<HHI", 8, 5, 1) + struct.pack("<HH", len(V4) + 4, 9) + V4),
    (276, "Linux cooked 2", struct.pack("!HHIHBB8s", 0x86DD, 0, 2, 1, 0, 6, bytes(8)) + V6),
]


def over_udp(port: int, payload: bytes) -> bytes:
    return ethernet(udp(OUTER[0], 5000, OUTER[1], port, payload), True)


def over_ip(protocol: int, payload: bytes) -> bytes:
    return ethernet(ip(*OUTER, protocol, payload), True)


def gb(kind: int, elements: bytes) -> bytes:
    """NS, BSSGP, LLC and SNDCP around an IP packet."""
    pdu = b"\x0b\xc0\x21\x65\0\0\x08" + V4 + bytes(3)
    return b"\0\0\x05\x35" + bytes((kind,)) + bytes(7) + elements + b"\x0e" + struct.pack("!H", len(pdu)) + pdu


GTP = bytes((0x30, 255)) + struct.pack("!HI", len(V4), 0x1234)
L2TP = struct.pack("!HHH", 2, 1, 1)
AYIYA = bytes((0x40, 0x50, 0x11, 41)) + bytes(4) + bytes(16) + bytes(20)
#: (carrier, number), what it is, frame
TUNNELLED = [
    (("udp", 2152), "GTP-U", over_udp(2152, GTP + V4)),
    (("udp", 2152), "GTP-U, IPv6", over_udp(2152, GTP + V6)),
    (("udp", 2152), "GTP-U, sequence number", over_udp(2152, b"\x32" + GTP[1:] + bytes(4) + V4)),
    (("udp", 2152), "GTP-U, two extension headers", over_udp(2152, b"\x34" + GTP[1:] + b"\0\0\0\x85\x01\0\0\xc0\x01\0\0\0" + V4)),
    (("udp", 2152), "GTP-U, as the fixtures build it", ethernet(gtp_u(*OUTER, 1, 2, extended=True)(V4, True), True)),
    (("udp", 3386), "GTP version 0", over_udp(3386, b"\x1e\xff" + bytes(18) + V4)),
    (("udp", 23000), "GPRS Gb, uplink", over_udp(23000, gb(1, b"\x08\x88" + bytes(8) + b"\0\x80"))),
    (("udp", 23000), "GPRS Gb, downlink", over_udp(23000, gb(0, b"\x16\x82\0\0"))),
    (("udp", 4789), "VXLAN", over_udp(4789, b"\x08\0\0\0\0\0\x01\0" + FRAME)),
    (("udp", 8472), "VXLAN, Linux's port", over_udp(8472, b"\x08\0\0\0\0\0\x01\0" + FRAME)),
    (("udp", 4790), "VXLAN-GPE", over_udp(4790, b"\x0c\0\0\x01\0\0\x01\0" + V4)),
    (("udp", 6081), "Geneve", over_udp(6081, struct.pack("!BBHI", 1, 0, 0x6558, 1) + bytes(4) + FRAME)),
    (("udp", 1701), "L2TP", over_udp(1701, L2TP + b"\xff\x03\0\x21" + V4)),
    (("udp", 1701), "L2TP, length, sequence, offset", over_udp(1701, struct.pack("!HHHHHHH", 0x4A02, 99, 1, 1, 1, 1, 2) + bytes(2) + b"\0\x21" + V4)),
    (("udp", 3544), "Teredo", over_udp(3544, V6)),
    (("udp", 3544), "Teredo, authentication and origin", over_udp(3544, b"\0\x01\0\0" + bytes(9) + b"\0\0" + bytes(6) + V6)),
    (("udp", 5072), "AYIYA", over_udp(5072, AYIYA + V6)),
    (("udp", 5247), "CAPWAP, 802.3", over_udp(5247, b"\0\x10\x40\0\0\0\0\0" + FRAME)),
    (("udp", 5247), "CAPWAP, 802.11", over_udp(5247, b"\0\x10\x41\0\0\0\0\0" + b"\x08\x01" + WIRELESS[2:] + SNAP + V4)),
    (("udp", 6635), "MPLS in UDP", over_udp(6635, b"\0\x01\x01\x40" + V4)),
    (("udp", 4754), "GRE in UDP", over_udp(4754, b"\0\0\x08\0" + V4)),
    (("ip", 4), "IP in IP", over_ip(4, V4)),
    (("ip", 94), "IP in IP, protocol 94", over_ip(94, V4)),
    (("ip", 41), "6in4", over_ip(41, V6)),
    (("ip", 47), "GRE", over_ip(47, b"\0\0\x08\0" + V4)),
    (("ip", 47), "GRE, checksum, key, sequence", over_ip(47, b"\xb0\0\x08\0" + bytes(12) + V4)),
    (("ip", 47), "GRE, Ethernet", over_ip(47, b"\0\0\x65\x58" + FRAME)),
    (("ip", 47), "PPTP", over_ip(47, b"\x30\x01\x88\x0b" + bytes(8) + b"\0\x21" + V4)),
    (("ip", 47), "ERSPAN I", over_ip(47, b"\0\0\x88\xbe" + FRAME)),
    (("ip", 47), "ERSPAN II", over_ip(47, b"\x10\0\x88\xbe" + bytes(4) + bytes(8) + FRAME)),
    (("ip", 47), "ERSPAN III", over_ip(47, b"\x10\0\x22\xeb" + bytes(4) + bytes(12) + FRAME)),
    (("ip", 97), "EtherIP", over_ip(97, b"\x30\0" + FRAME)),
    (("ip", 115), "L2TPv3", over_ip(115, b"\0\0\0\x01" + FRAME)),
    (("ip", 137), "MPLS in IP", over_ip(137, b"\0\x01\x01\x40" + V4)),
]  # fmt: skip


def sound(segment: Segment) -> bool:
    return is_right(segment.key[1:-4], segment.tcp)


def decode(frame: bytes, link: int = 1, wire: int = 0, losses: Losses | None = None):
    origin = Origin("test.pcap", link, 6, "")
    return Decoder(Losses() if losses is None else losses).decode(frame, wire or len(frame), 1, 0, origin)


@pytest.mark.parametrize(("link", "frame"), [pytest.param(n, f, id=i) for n, i, f in FRAMES])
def test_links(link, frame):
    losses = Losses()
    (segment,) = decode(frame, link, losses=losses)
    assert (segment.payload, sound(segment), segment.key[0], losses) == (GET, True, 0, {})


@pytest.mark.parametrize(("row", "frame"), [pytest.param(n, f, id=i) for n, i, f in TUNNELLED])
def test_tunnels(row, frame):
    losses = Losses()
    (segment,) = decode(frame, losses=losses)
    kind = next(t.kind for t in TUNNELS if t.carrier == row[0] and row[1] in t.numbers)
    assert (segment.payload, sound(segment), TUNNEL_KINDS[segment.key[0]], losses) == (GET, True, kind, {})


def test_every_row_has_its_example():
    assert {link for link, _, _ in FRAMES} == set(LINKS)
    assert {row for row, _, _ in TUNNELLED} == {(t.carrier, n) for t in TUNNELS for n in t.numbers}


def test_the_outermost_teid_is_kept():
    inner = udp(*OUTER[:1], 2152, OUTER[1], 2152, GTP + V4)
    (segment,) = decode(over_udp(2152, GTP[:4] + b"\0\0\0\x07" + inner))
    assert segment.teid == 7


def test_aggregated_80211_frames_are_split():
    subframes = [MAC + struct.pack("!H", len(SNAP + V4)) + SNAP + V4] * 2
    subframes[0] += bytes(-len(subframes[0]) % 4)
    frame = b"\x88\x01" + WIRELESS[2:] + b"\x80\0" + b"".join(subframes)
    assert [s.payload for s in decode(frame, 105)] == [GET, GET]


#: What holds no TCP is counted under its name.
@pytest.mark.parametrize(
    ("link", "frame", "name"),
    [
        (147, b"anything", "link.unknown"),
        (1, ether(0x0806, bytes(28)), "frame.not-ip"),
        (1, MAC + b"\0\x08\x42\x42\x03" + bytes(35), "frame.not-ip"),
        (1, FRAME[:20], "frame.malformed"),
        (1, b"", "frame.malformed"),
        (105, b"\x08\x41" + bytes(60), "frame.protected"),
        (105, b"\x80\x00" + bytes(60), "frame.not-ip"),
        (1, over_ip(50, bytes(20)), "ip.encrypted"),
        (1, over_ip(1, bytes(20)), "ip.not-tcp"),
        (1, over_udp(53, bytes(20)), "udp"),
        (1, over_udp(2152, b"not a tunnel"), "udp"),
        (101, b"\x50" + bytes(30), "frame.not-ip"),
    ],
)
def test_losses(link, frame, name):
    losses = Losses()
    assert decode(frame, link, losses=losses) == []
    assert losses == {name: 1}


def test_depth_is_bounded():
    packet, losses = V4, Losses()
    for _ in range(MAX_DEPTH + 5):
        packet = ip(*OUTER, 4, packet)
    assert decode(packet, 101, losses=losses) == []
    assert losses == {"tunnel.too-deep": 1}


def test_snap_length():
    losses = Losses()
    (segment,) = decode(FRAME[:80], wire=len(FRAME), losses=losses)
    assert (segment.payload, segment.missing) == (GET[:26], len(GET) - 26)
    assert losses == {"tcp.cut": 1}


def test_a_wrong_checksum_is_told_and_read():
    (segment,) = decode(FRAME[:50] + b"\xbe\xef" + FRAME[52:])
    assert (segment.payload, sound(segment)) == (GET, False)


def fragmented(packet: bytes, sizes: list[int]) -> list[bytes]:
    """An IPv4 packet in fragments of so many 8-octet units."""
    head, payload, out, at = packet[:20], packet[20:], [], 0
    for size in [*sizes, len(payload)]:
        piece = payload[at : at + 8 * size]
        more = 0x2000 if at + len(piece) < len(payload) else 0
        fields = struct.pack("!HHH", 20 + len(piece), 7, more | at // 8)
        out.append(head[:2] + fields + head[8:] + piece)
        at += len(piece)
        if not more:
            break
    return out


@given(st.lists(st.integers(1, 4), max_size=10), st.randoms(use_true_random=False), st.booleans())
def test_fragments_in_any_order(sizes, random, twice):
    pieces = fragmented(V4, sizes)
    pieces += pieces[:1] if twice and len(pieces) > 1 else []
    random.shuffle(pieces)
    decoder, found, origin = Decoder(Losses()), [], Origin("test.pcap", 101, 6, "")
    for number, piece in enumerate(pieces, 1):
        found += decoder.decode(piece, len(piece), number, number, origin)
    assert found[0].payload == GET
    assert len(found) == 1


def test_ipv6_fragments():
    payload = V6[40:]
    head = V6[:4] + b"%s" + b"\x2c" + V6[7:40]
    pieces = []
    for at, more in ((0, 1), (24, 0)):
        piece = payload[at : at + 24] if more else payload[at:]
        fragment = struct.pack("!BBHI", 6, 0, at | more, 99) + piece
        pieces.append(head % struct.pack("!H", len(fragment)) + fragment)
    decoder, origin = Decoder(Losses()), Origin("test.pcap", 101, 6, "")
    assert decoder.decode(pieces[0], len(pieces[0]), 1, 1, origin) == []
    assert [s.payload for s in decoder.decode(pieces[1], len(pieces[1]), 2, 2, origin)] == [GET]


def test_lost_fragments_are_counted_and_bounded():
    losses = Losses()
    decoder, origin = Decoder(losses), Origin("test.pcap", 101, 6, "")
    for number in range(fragments.MAX_PACKETS + 10):
        first = fragmented(V4, [2])[0]
        first = first[:4] + struct.pack("!H", number) + first[6:]
        decoder.decode(first, len(first), number, number, origin)
    decoder.end()
    assert losses == {"ip.fragment-evicted": 10, "ip.fragment-lost": fragments.MAX_PACKETS}


@given(st.sampled_from([0, 1, 7, 9, 101, 105, 107, 113, 127, 192, 197, 239, 276]), st.binary(max_size=200))
def test_noise_never_raises(link, frame):
    decode(frame, link)


@given(
    st.sampled_from([(link, frame) for link, _, frame in FRAMES] + [(1, frame) for _, _, frame in TUNNELLED]), st.data()
)
def test_damage_never_raises(what, data):
    link, frame = what
    at = data.draw(st.integers(0, len(frame) - 1))
    broken = bytearray(frame)
    broken[at] ^= data.draw(st.integers(1, 255))
    decode(bytes(broken[: data.draw(st.integers(1, len(frame)))]), link)
