"""Checksums after bytes have changed: right stays right, wrong stays as wrong. scapy computes what is right."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.wire import TCP, UDP, ethernet, gtp_u, ip, over_ip
from leakscan.redaction.addresses import Addresses
from leakscan.redaction.checksums import Region, repair
from leakscan.redaction.edits import Edit, Edits
from leakscan.redaction.records import Piece, pieces
from leakscan.redaction.tracing import Tracer
from leakscan.redaction.writing import Writing
from tests.builders import pcap, pcapng

CLIENTS = [("192.0.2.1", "203.0.113.80"), ("2001:db8::1", "2001:db8::80")]
WORD = b"447700900123"
OTHER = b"447700900777"


def tcp(payload: bytes, client: str = "192.0.2.1", server: str = "203.0.113.80") -> bytes:
    head = struct.pack("!HHIIBBHHH", 40000, 80, 1000, 1, 0x50, 24, 65535, 0, 0)
    return ip(client, server, TCP, over_ip(client, server, TCP, head + payload, 16))


def udp(payload: bytes, client: str = "192.0.2.1", server: str = "203.0.113.80", port: int = 5000) -> bytes:
    head = struct.pack("!HHHH", port, port, 8 + len(payload), 0)
    return ip(client, server, UDP, over_ip(client, server, UDP, head + payload, 6))


def rewritten(tmp_path, frame: bytes, link: int = 1, addresses: Addresses | None = None, old: bytes = WORD) -> bytes:
    """The frame with its word replaced, as `redact` writes it."""
    (tmp_path / "a").write_bytes(pcap([frame], link=link))
    edits, at = Edits(), frame.find(old)
    if at >= 0:
        edits.add(Edit(1, 16 + at, OTHER[: len(old)], len(old), 1))
    made = b"".join(Writing(edits, addresses).copy(pieces(str(tmp_path / "a"))))
    return made[40:]


def as_scapy_would(frame: bytes, link: int = 1) -> bytes:
    """The frame with all checksums computed by scapy."""
    from scapy.all import IP, Ether  # half a second

    packet = Ether(frame) if link == 1 else IP(frame)
    layer = packet
    while layer:
        for name in ("chksum", "cksum"):
            if name in layer.fields:
                delattr(layer, name)
        layer = layer.payload
    return bytes(packet)


@pytest.mark.parametrize("ends", CLIENTS, ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("make", [tcp, udp])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("behind", [0, 1, 7])
def test_what_was_right_is_right(tmp_path, ends, make, before, behind):
    frame = ethernet(make(b"x" * before + WORD + b"y" * behind, *ends), True)
    expected = as_scapy_would(frame.replace(WORD, OTHER))
    assert rewritten(tmp_path, frame) == expected
    assert as_scapy_would(frame) == frame


def test_every_layer_of_a_tunnel(tmp_path):
    """Inner TCP and the outer UDP that carries it, both with checksums."""
    frame = ethernet(gtp_u("198.51.100.1", "198.51.100.2", 1, 2)(tcp(b"GET /" + WORD), True), True)
    made = rewritten(tmp_path, frame)
    inner, outer = tcp(b"GET /" + OTHER), frame.replace(WORD, OTHER)
    at = outer.index(inner[:20])
    wanted = outer[:at] + inner + outer[at + len(inner) :]
    datagram = wanted[34:]
    wanted = wanted[:34] + over_ip("198.51.100.1", "198.51.100.2", UDP, datagram[:6] + b"\0\0" + datagram[8:], 6)
    assert made == wanted


def test_icmp_and_what_it_quotes(tmp_path):
    """The quoted segment's checksum, and ICMP's own over all of it."""
    quoted = tcp(b"GET /" + WORD + b"\r\n")
    for size in (len(quoted), 70):
        body = struct.pack("!BBHI", 3, 1, 0, 0) + quoted[:size]
        packet = ip("203.0.113.1", "192.0.2.1", 1, body[:2] + struct.pack("!H", _sum(body)) + body[4:])
        made = rewritten(tmp_path, ethernet(packet, True))
        changed = bytearray(body)
        new = tcp(b"GET /" + OTHER + b"\r\n")[:size]
        changed[8:] = new
        assert made[34 + 8 : 34 + 8 + size] == new
        assert made[36:38] == struct.pack("!H", _sum(bytes(changed)))


def _sum(data: bytes) -> int:
    from fixtures.wire import checksum

    return checksum(data)


def test_no_checksum_stays_none(tmp_path):
    frame = bytearray(ethernet(udp(WORD), True))
    frame[40:42] = b"\0\0"
    assert rewritten(tmp_path, bytes(frame))[40:42] == b"\0\0"


def test_one_left_to_the_network_card_stays_left_to_it(tmp_path):
    """The field holds the sum over addresses, protocol and length alone: tshark knows it, and still does."""
    frame = bytearray(ethernet(tcp(b"GET /" + WORD), True))
    pseudo = bytes(frame[26:34]) + struct.pack("!II", len(frame) - 34, 6)
    frame[50:52] = struct.pack("!H", 0xFFFF ^ _sum(pseudo))
    made = rewritten(tmp_path, bytes(frame))
    assert made == bytes(frame).replace(WORD, OTHER)


def test_one_that_looks_left_to_the_card_and_is_right(tmp_path):
    """Of 65,536 payloads one has the checksum that the card would be left."""
    pseudo = 0xFFFF ^ _sum(bytes([192, 0, 2, 1, 203, 0, 113, 80]) + struct.pack("!II", 20 + 14 + 12, 6))
    packet = next(
        packet
        for n in range(1 << 16)
        if (packet := tcp(struct.pack("!H", n) + WORD * 2))[36:38] == struct.pack("!H", pseudo)
    )
    made = rewritten(tmp_path, ethernet(packet, True))
    assert made == ethernet(tcp(packet[40:42] + OTHER + WORD), True)


@settings(max_examples=60)
@given(st.integers(0, 0xFFFF), st.booleans())
def test_an_error_stays_the_same_error(wrong, sixth):
    """Whatever stands in the field: what it is off by is what it was off by."""
    client, server = CLIENTS[sixth]
    packet = bytearray(tcp(b"GET /" + WORD, client, server))
    at = (40 if sixth else 20) + 16
    right = int.from_bytes(packet[at : at + 2])
    packet[at : at + 2] = wrong.to_bytes(2)
    frame = ethernet(bytes(packet), True)
    layers = Tracer().trace(frame, len(frame), 1, 0).layers
    new = bytearray(frame.replace(WORD, OTHER))
    address = layers[0].data.runs[0].offset
    repair(
        [Region(x.kind, x.data.runs[0].offset, x.data.runs[0].offset + len(x.data), address) for x in layers],
        frame,
        new,
    )
    goal = int.from_bytes(tcp(b"GET /" + OTHER, client, server)[at : at + 2])
    made = int.from_bytes(new[14 + at : 16 + at])
    if made != wrong:  # else it was the sum over the addresses alone
        assert (made - goal) % 0xFFFF == (wrong - right) % 0xFFFF


def test_addresses_are_in_the_sums(tmp_path):
    key = b"k" * 16
    for client, server in CLIENTS:
        addresses = Addresses(key, [client])
        frame = ethernet(tcp(b"GET /" + WORD, client, server), True)
        made = rewritten(tmp_path, frame, addresses=addresses)
        assert made == ethernet(tcp(b"GET /" + OTHER, addresses.texts[client], server), True)
        back = rewritten(tmp_path, ethernet(udp(b"clean", server, client), False), addresses=addresses)
        assert back == ethernet(udp(b"clean", server, addresses.texts[client]), False)


@pytest.mark.parametrize(("link", "head"), [(1, b""), (127, b"\0\0\x08\0\0\0\0\0")])
def test_a_frame_check_sequence(tmp_path, link, head):
    """Behind Ethernet, and behind the 802.11 frame that follows radiotap: made anew if it was right."""
    body = ethernet(tcp(b"GET /" + WORD), True)
    if link == 127:
        body = b"\x08\x01" + bytes(22) + b"\xaa\xaa\x03\0\0\0\x08\0" + tcp(b"GET /" + WORD)
    for right in (True, False):
        fcs = (zlib.crc32(body) ^ (not right)).to_bytes(4, "little")
        made = rewritten(tmp_path, head + body + fcs, link)
        assert (zlib.crc32(made[len(head) : -4]).to_bytes(4, "little") == made[-4:]) == right
        assert OTHER in made


def test_sctp(tmp_path):
    """CRC-32c (RFC 9260), and Adler-32 as it was before; a wrong one is left alone."""
    from leakscan.redaction.checksums import _crc32c

    chunk = struct.pack("!HHII", 2905, 2905, 1, 0) + b"\0\x03\0\x20" + bytes(12) + WORD + bytes(4)
    for sum_of in (lambda data: _crc32c(bytearray(data)), lambda data: zlib.adler32(data).to_bytes(4)):
        made = rewritten(
            tmp_path, ethernet(ip("192.0.2.1", "203.0.113.1", 132, chunk[:8] + sum_of(chunk) + chunk[12:]), True)
        )
        packet = made[34:]
        assert packet[8:12] == sum_of(packet[:8] + bytes(4) + packet[12:])
    wrong = ethernet(ip("192.0.2.1", "203.0.113.1", 132, chunk[:8] + b"abcd" + chunk[12:]), True)
    assert rewritten(tmp_path, wrong)[42:46] == b"abcd"


def test_crc_32c_is_that_of_the_standard():
    """RFC 3720 appendix B.4."""
    from leakscan.redaction.checksums import _crc32c

    assert _crc32c(bytearray(32)) == bytes.fromhex("aa36918a")
    assert _crc32c(bytearray(range(32))) == bytes.fromhex("4e79dd46")


def test_hashes_of_packets_in_pcapng(tmp_path):
    """epb_hash: MD5 is made anew, one that cannot be is blanked: it would tell whether a guess is right."""
    import hashlib

    from tests.builders import enhanced, interface, option, section

    frame = ethernet(tcp(b"GET /" + WORD), True)
    for kind, digest in ((3, hashlib.md5(frame).digest()), (5, b"toep")):
        options = option(1, b"x") + option(3, bytes([kind]) + digest) + option(0, b"")
        (tmp_path / "a").write_bytes(pcapng(section(), interface(), enhanced(frame, options=options)))
        edits = Edits()
        piece = [*pieces(str(tmp_path / "a"))][2]
        assert isinstance(piece, Piece)
        edits.add(Edit(2, piece.data.index(WORD), OTHER, 12, 1))
        made = b"".join(Writing(edits).copy(pieces(str(tmp_path / "a"))))
        new = made[made.index(OTHER) - 59 : made.index(OTHER) + 12]
        assert digest not in made
        if kind == 3:
            assert hashlib.md5(new).digest() in made
