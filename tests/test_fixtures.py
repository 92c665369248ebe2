"""The captures of fixtures/ are what their script makes, hold reserved values only, and tell the story they should."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from leakscan.losses import UNREAD, Losses
from leakscan.model import Message
from leakscan.networks import Networks
from leakscan.reading import Reading
from leakscan.series import series

FIXTURES = Path(__file__).parent.parent / "fixtures"
CAPTURES = sorted(FIXTURES.glob("*.pcap"))
RESERVED = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
FAULT = datetime(2012, 1, 10, 3, tzinfo=UTC), datetime(2012, 1, 25, 14, tzinfo=UTC)
TRUSTED = {"agecheck.example", "billing.example", "selfcare.operator-a.example"}


def read(name: str) -> tuple[list[Message], Losses]:
    losses = Losses()
    return list(Reading(series([str(FIXTURES / name)], losses), losses).messages()), losses


def header(message: Message, name: str) -> str | None:
    return next((value for key, value in message.headers if key.lower() == name), None)


def test_the_script_makes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FIXTURES / "make.py"), str(tmp_path)], check=True)
    assert sorted(made.name for made in tmp_path.iterdir()) == [capture.name for capture in CAPTURES]
    for capture in CAPTURES:
        assert (tmp_path / capture.name).read_bytes() == capture.read_bytes(), capture.name


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_values_are_reserved_ones(capture: Path) -> None:
    assert capture.stat().st_size < 2_000_000
    for message in read(capture.name)[0]:
        assert message.host.endswith(".example")
        for end in (message.client, message.server):
            assert any(ip_address(end) in net for net in RESERVED)
        text = "\n".join([message.target, *(f"{name}: {value}" for name, value in message.headers)])
        for number in re.findall(r"(?:msisdn|line-id)(?:=|: )\+?([0-9]{7,})\b", text, re.IGNORECASE):
            assert re.fullmatch("447700900[0-9]{3}", number) or re.fullmatch("447700900[0-9]{3}", number[::-1])


def test_o2_everybody_got_the_number_for_a_fortnight_and_partners_always() -> None:
    messages, losses = read("o2-2012.pcap")
    networks = Networks.load(str(FIXTURES / "o2-2012.networks.toml"))
    assert not losses.of_kind(UNREAD)
    assert {"tls", "udp"} <= set(losses.of_kind("other"))
    assert len(messages) > 900
    seen = set()
    for message in messages:
        entry = networks.lookup(message.client, message.time_ns)
        assert entry is not None
        enriched = entry.network.name == "O2"
        time = datetime.fromtimestamp(message.time_ns / 10**9, UTC)
        faulty = FAULT[0] <= time < FAULT[1]
        expected = enriched and (faulty or message.host in TRUSTED)
        assert (header(message, "x-up-calling-line-id") is not None) == expected
        if expected and message.host not in TRUSTED:
            seen.add((entry.home.name if entry.home else "", header(message, "via") is not None, message.host))
    assert {home for home, *_ in seen} == {"O2", "giffgaff", "Tesco Mobile"}
    assert {wap for _, wap, _ in seen} == {True, False}
    assert len({host for *_, host in seen}) == 7  # every site that has no contract


def test_o2_the_same_people_on_wifi() -> None:
    """A visitor's cookie goes along with the number over the air, and without it at home."""
    messages, _ = read("o2-2012.pcap")
    over_air = {header(m, "cookie") for m in messages if header(m, "x-up-calling-line-id")}
    at_home = {header(m, "cookie") for m in messages if ip_address(m.client) in ip_network("198.51.100.0/25")}
    assert len(over_air & at_home) >= 10


@pytest.mark.parametrize(
    ("name", "requests", "unread"),
    [
        ("clean", 7, set()),
        ("tls-only", 0, set()),
        ("tokens-cookies-query", 9, set()),
        ("gtp-u", 2, set()),
        ("ipv6", 2, set()),
        ("cut", 2, {"file.cut", "http.head-cut"}),
        ("lossy", 5, {"http.head-torn"}),
    ],
)
def test_small_ones(name: str, requests: int, unread: set[str]) -> None:
    messages, losses = read(f"{name}.pcap")
    assert (len(messages), set(losses.of_kind(UNREAD))) == (requests, unread)
