"""Who is on the local network: ARP and multicast, in bulk and one by one; and what that says of a bearer."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from fixtures.wire import ethernet, gtp_u, linux_sll, udp
from leakscan.cli import run
from leakscan.losses import Losses
from leakscan.neighbours import MAX_NEIGHBOURS, Neighbours, client_hash
from leakscan.reading import Reading
from leakscan.series import series
from tests.builders import pcap
from tests.streams import CLIENT, SERVER, frames, request

LOCAL, OTHER = "192.0.2.1", "192.0.2.99"
MDNS, MDNS6, SSDP = "224.0.0.251", "ff02::fb", "239.255.255.250"


def arp(sender: str, target: str, head: bytes = b"\0\1\x08\0\6\4") -> bytes:
    """RFC 826: who has `target`? Tell `sender`."""
    return head + b"\0\1" + bytes(6) + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)


def frame(kind: int, payload: bytes, vlan: bool = False) -> bytes:
    tag = struct.pack("!HH", 0x8100, 7) if vlan else b""
    return bytes(12) + tag + struct.pack("!H", kind) + payload


def seen(path: Path, sieve: bool) -> set[int]:
    losses = Losses()
    reading = Reading(series([str(path)], losses), losses, sieve)
    assert list(reading.heads()) == []
    return set(reading.neighbours.kept())


CASES: list[tuple[str, int, bytes, set[str]]] = [
    ("arp", 1, frame(0x0806, arp(LOCAL, OTHER)), {LOCAL, OTHER}),
    ("arp in a vlan", 1, frame(0x0806, arp(LOCAL, OTHER), vlan=True), {LOCAL, OTHER}),
    ("arp probe", 1, frame(0x0806, arp("0.0.0.0", OTHER)), {OTHER}),
    ("arp cut short", 1, frame(0x0806, arp(LOCAL, OTHER)[:-1]), set()),
    ("arp of something else", 1, frame(0x0806, arp(LOCAL, OTHER, b"\0\6\x08\0\6\4")), set()),
    ("arp, cooked", 113, bytes(14) + b"\x08\x06" + arp(LOCAL, OTHER), {LOCAL, OTHER}),
    ("mdns", 1, ethernet(udp(LOCAL, 5353, MDNS, 5353, b"q"), True), {LOCAL}),
    ("mdns over IPv6", 1, ethernet(udp("2001:db8::1", 5353, MDNS6, 5353, b"q"), True), {"2001:db8::1"}),
    ("ssdp, cooked", 113, linux_sll(udp(LOCAL, 40000, SSDP, 1900, b"M-SEARCH"), True), {LOCAL}),
    ("ssdp from far away", 1, ethernet(udp(OTHER, 1900, LOCAL, 1900, b"NOTIFY"), True), set()),
    ("an answer", 1, ethernet(udp(OTHER, 5353, MDNS, 40000, b"a"), True), set()),
    ("dns", 1, ethernet(udp(LOCAL, 40000, SERVER, 53, b"q"), True), set()),
    ("in a tunnel", 1, ethernet(gtp_u("198.51.100.1", "198.51.100.2", 1, 2)(udp(LOCAL, 5353, MDNS, 5353, b"q"), True), True), set()),
]  # fmt: skip


@pytest.mark.parametrize("sieve", [True, False], ids=["sieve", "decode"])
@pytest.mark.parametrize(("link", "packet", "addresses"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_who_is_seen(tmp_path: Path, link: int, packet: bytes, addresses: set[str], sieve: bool) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([packet] * 3, link))
    assert seen(path, sieve) == {client_hash(str(path), address) for address in addresses}


def test_memory_is_bounded() -> None:
    made = Neighbours()
    for number in range(MAX_NEIGHBOURS + 1000):
        made.saw("a.pcap", number.to_bytes(4))
    assert len(made) == MAX_NEIGHBOURS


LEAK = request("/", "x-up-calling-line-id: 447700900123")
TALK = [frame(0x0806, arp(CLIENT, OTHER)), ethernet(udp(CLIENT, 5353, MDNS, 5353, b"q"), True)]


def analyse(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    run(["analyse", "-q", "-f", "json", *arguments])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("place", [0, 2, 9])
@pytest.mark.parametrize("sieve", ["--sieve", "--no-sieve"])
@pytest.mark.parametrize("talk", TALK, ids=["arp", "mdns"])
def test_any_order_gives_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, place: int, sieve: str, talk: bytes
) -> None:
    packets = frames(LEAK + request("/clean"))
    packets.insert(place, talk)
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(packets))
    result = analyse(capsys, sieve, str(path))
    assert result["leaks"][0]["bearer"] == "unknown"  # not known yet, or not for sure
    summary = result["summary"]
    assert summary["total"]["bearers"] == {"wifi": 1}
    assert summary["total"]["local_requests"] == 2
    assert summary["carriers"][0]["bearer_requests"] == {"wifi": 2}


def test_what_a_gateway_says_contradicts_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A WAP gateway and the capture point are on one Ethernet: its requests are no Wi-Fi."""
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([*frames(request("/", "x-up-bearer-type: GPRS") + LEAK), TALK[0]]))
    summary = analyse(capsys, str(path))["summary"]
    assert summary["carriers"][0]["bearer_requests"] == {"cellular": 1, "unknown": 1}
    assert summary["total"]["bearers"] == {"unknown": 1}


def test_without_stations_there_are_no_neighbours(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """On a raw IP link a phone's multicast goes nowhere, and tells nothing."""
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([frame[14:] for frame in [*frames(LEAK), TALK[1]]], link=101))
    assert analyse(capsys, str(path))["summary"]["total"]["bearers"] == {"unknown": 1}


def test_the_same_address_in_another_capture_is_somebody_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.pcap").write_bytes(pcap(frames(LEAK)))
    (tmp_path / "b.pcap").write_bytes(pcap(TALK))
    summary = analyse(capsys, str(tmp_path))["summary"]
    assert summary["total"]["bearers"] == {"unknown": 1}
    assert summary["total"]["local_requests"] == 0
