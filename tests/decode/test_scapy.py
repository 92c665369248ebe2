"""Frames that another implementation of the standards built: scapy as an oracle for link layers and tunnels."""

from __future__ import annotations

import warnings

import pytest

from tests.decode.test_decode import GET, decode, sound

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy's own, of what it imports
    from scapy.all import (
        GRE,
        IP,
        LLC,
        PPP,
        SNAP,
        TCP,
        UDP,
        VXLAN,
        CookedLinux,
        Dot1AD,
        Dot1Q,
        Dot3,
        Dot11,
        Dot11QoS,
        Ether,
        IPv6,
        IPv6ExtHdrDestOpt,
        IPv6ExtHdrFragment,
        IPv6ExtHdrHopByHop,
        Loopback,
        PPPoE,
        RadioTap,
        Raw,
        fragment,
        fragment6,
    )
    from scapy.contrib.geneve import GENEVE
    from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
    from scapy.contrib.mpls import MPLS

INNER = TCP(sport=40000, dport=80, seq=1000, flags="PA") / Raw(GET)
V4 = IP(src="192.0.2.1", dst="203.0.113.80") / INNER
V6 = IPv6(src="2001:db8::1", dst="2001:db8::80") / INNER
OUTER = Ether() / IP(src="198.51.100.1", dst="198.51.100.2")

#: LINKTYPE_, frame
BUILT = {
    "Ethernet": (1, Ether() / V4),
    "Ethernet, IPv6": (1, Ether() / V6),
    "802.1Q": (1, Ether() / Dot1Q(vlan=5) / V4),
    "802.1ad and 802.1Q": (1, Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / V6),
    "802.3, LLC, SNAP": (1, Dot3() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800) / V4),
    "MPLS": (1, Ether(type=0x8847) / MPLS(label=5, s=0) / MPLS(label=6, s=1) / V4),
    "PPPoE": (1, Ether() / PPPoE(sessionid=1) / PPP() / V4),
    "IPv6 options": (1, Ether() / IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / INNER),
    "Linux cooked": (113, CookedLinux(proto=0x800) / V4),
    "loopback": (0, Loopback(type=2) / V4),
    "radiotap, 802.11": (127, RadioTap() / Dot11(type=2, FCfield=1) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800) / V4),
    "802.11 QoS": (105, Dot11(type=2, subtype=8, FCfield=2) / Dot11QoS() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800) / V4),
    "GRE with a key": (1, OUTER / GRE(key_present=1, key=7) / V4),
    "IP in IP": (1, OUTER / V4),
    "6in4": (1, OUTER / V6),
    "VXLAN": (1, OUTER / UDP(sport=5000, dport=4789) / VXLAN(vni=5) / Ether() / V4),
    "Geneve": (1, OUTER / UDP(sport=5000, dport=6081) / GENEVE(vni=5) / Ether() / V4),
    "GTP-U": (1, OUTER / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=99) / V4),
    "GTP-U, PDU session container": (1, OUTER / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=99, E=1) / GTPPDUSessionContainer(type=1, QFI=9) / V6),
}  # fmt: skip


@pytest.mark.parametrize(("link", "frame"), BUILT.values(), ids=BUILT)
def test_scapy_builds_what_we_read(link, frame):
    (segment,) = decode(bytes(frame), link)
    assert (segment.payload, segment.seq, sound(segment)) == (GET, 1000, True)


def test_fragments():
    from leakscan.decode import Decoder
    from leakscan.losses import Losses
    from leakscan.model import Origin

    long = IP(src="192.0.2.1", dst="203.0.113.80", id=7) / TCP(sport=1, dport=80) / Raw(GET + b"x" * 3000)
    long6 = (
        IPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrFragment(id=7)
        / TCP(sport=1, dport=80)
        / Raw(GET + b"x" * 3000)
    )
    for pieces in (fragment(long, 500), fragment6(long6, 600)):
        decoder, found = Decoder(Losses()), []
        for number, piece in enumerate(pieces, 1):
            data = bytes(piece)
            found += decoder.decode(data, len(data), number, number, Origin("test.pcap", 101, 6, ""))
        assert len(pieces) > 4
        assert [segment.payload for segment in found] == [GET + b"x" * 3000]
