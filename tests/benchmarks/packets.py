"""TCP connections as IP packets, and capture files, at a few microseconds a frame.

In: who says what to whom. Out: frames in a pcap or pcapng file, with right lengths and checksums. State: of a
connection its two sequence numbers, of a capture one block that is not written yet.

The internet checksum (RFC 1071) is the sum of 16-bit words modulo 65535, and because 65536 leaves 1 there, so is any
number that the words make up together: one `int % 65535` instead of a loop.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1460
SEGMENTS_PER_ACK = 3
STEP_US = 25  # from frame to frame: 40,000 frames a second
START_US = 1_326_153_600 * 10**6  # 2012-01-10T00:00:00Z
BLOCK_BYTES = 1 << 20

_HEADERS = struct.Struct("!BBHHHBBH8sIIIHHHH")  # IPv4 and TCP, both without options
_OUTER = struct.Struct("!BBHHHBBH8sHHHHBBHI")  # IPv4, UDP, GTP-U (TS 29.281 section 5.1)
_WINDOW = 64_240
_DONT_FRAGMENT = 0x4000
_UPLINK, _DOWNLINK = bytes.fromhex("0200000000020200000000010800"), bytes.fromhex("0200000000010200000000020800")
_STATION, _CORE = bytes((198, 51, 100, 1)), bytes((198, 51, 100, 2))
_GTP_U = 2152


class Head:
    """The head of a planted request: the frames that hold it, 0 for a segment that the capture does not have."""

    __slots__ = ("frames",)

    def __init__(self, segments: int) -> None:
        self.frames = [0] * segments


class Packet(NamedTuple):
    """One IP packet on its way into a capture."""

    data: bytes
    uplink: bool
    teid: int  # used only inside GTP-U
    head: Head | None = None
    part: int = 0  # which segment of the head


class Connection:
    """One TCP connection; the addresses are numbers. Every method gives the packets that it takes."""

    def __init__(self, client: int, client_port: int, server: int, server_port: int, isn: int) -> None:
        self._ends = {True: (client << 32 | server, client_port << 16 | server_port)}
        self._ends[False] = (server << 32 | client, server_port << 16 | client_port)
        self._seq = {True: isn, False: isn * 2_654_435_761 + 97 & 0xFFFFFFFF}
        self._teid = client

    def segment(self, up: bool, flags: int, payload: bytes = b"", head: Head | None = None, part: int = 0) -> Packet:
        """One segment; the direction moves on behind it."""
        addresses, ports = self._ends[up]
        seq, ack = self._seq[up], self._seq[not up] if flags & ACK else 0
        length = 20 + len(payload)
        self._seq[up] = seq + len(payload) + (flags & (SYN | FIN) != 0) & 0xFFFFFFFF
        content = int.from_bytes(payload, "big") % 65535 << 8 * (len(payload) & 1)
        total = addresses + ports + seq + ack + (0x5000 | flags) + _WINDOW + length + 6 + content
        header = 0x4500 + 20 + length + _DONT_FRAGMENT + 0x4006 + addresses
        data = _HEADERS.pack(
            0x45, 0, 20 + length, 0, _DONT_FRAGMENT, 64, 6, -header % 65535, addresses.to_bytes(8, "big"),
            ports, seq, ack, 0x5000 | flags, _WINDOW, -total % 65535, 0,
        )  # fmt: skip
        return Packet(data + payload, up, self._teid, head, part)

    def open(self) -> Iterator[Packet]:
        yield self.segment(True, SYN)
        yield self.segment(False, SYN | ACK)
        yield self.segment(True, ACK)

    def send(self, up: bool, data: bytes, head: Head | None = None) -> Iterator[Packet]:
        """`data` in full segments; and the other side's acknowledgements. `head` begins here."""
        last = len(data) - MSS
        planted = len(head.frames) if head else 0
        for part, at in enumerate(range(0, len(data), MSS)):
            end = at >= last
            yield self.segment(
                up, PSH | ACK if end else ACK, data[at : at + MSS], head if part < planted else None, part
            )
            if end or part % SEGMENTS_PER_ACK == SEGMENTS_PER_ACK - 1:
                yield self.segment(not up, ACK)

    def close(self) -> Iterator[Packet]:
        yield self.segment(True, FIN | ACK)
        yield self.segment(False, FIN | ACK)
        yield self.segment(True, ACK)


class Capture:
    """A capture file of Ethernet frames while it is written. `size` is what it would have as a plain pcap file.

    Short frames have no padding, as where they were sent: tcpflow would take it for data.
    """

    def __init__(self, stream: BinaryIO, pcapng: bool = False, gtp_u: bool = False) -> None:
        self.frames = 0
        self.size = 0
        self._stream = stream
        self._pcapng = pcapng
        self._gtp_u = gtp_u
        self._time = START_US
        self._block: list[bytes] = []
        self._room = BLOCK_BYTES
        if pcapng:
            section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
            stream.write(section + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20))
        else:
            stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))

    def add(self, packet: Packet) -> None:
        """Write one packet; notes the number of its frame in the head that it carries."""
        self.frames += 1
        self._time += STEP_US
        if packet.head is not None:
            packet.head.frames[packet.part] = self.frames
        data = packet.data
        self.size += 16 + 14 + len(data)
        if self._gtp_u:
            data = _tunnelled(packet)
        frame = (_UPLINK if packet.uplink else _DOWNLINK) + data
        length = len(frame)
        if self._pcapng:
            padding = -length % 4
            whole = length + padding + 32
            ticks = self._time
            header = struct.pack("<IIIIIII", 6, whole, 0, ticks >> 32, ticks & 0xFFFFFFFF, length, length)
            self._block += (header, frame, bytes(padding), struct.pack("<I", whole))
        else:
            seconds, micros = divmod(self._time, 1_000_000)
            self._block += (struct.pack("<IIII", seconds, micros, length, length), frame)
        self._room -= length
        if self._room < 0:
            self.flush()

    def flush(self) -> None:
        self._stream.write(b"".join(self._block))
        self._block.clear()
        self._room = BLOCK_BYTES


def _tunnelled(packet: Packet) -> bytes:
    """The packet inside GTP-U inside UDP (without a checksum, RFC 768) inside IPv4."""
    data = packet.data
    addresses = _STATION + _CORE if packet.uplink else _CORE + _STATION
    total = 36 + len(data)
    header = 0x4500 + total + _DONT_FRAGMENT + 0x4011 + int.from_bytes(addresses, "big")
    return _OUTER.pack(
        0x45, 0, total, 0, _DONT_FRAGMENT, 64, 17, -header % 65535, addresses,
        _GTP_U, _GTP_U, total - 20, 0, 0x30, 255, len(data), packet.teid,
    ) + data  # fmt: skip
