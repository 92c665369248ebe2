"""Requests as two capture points see them: messages for the pairing, captures for the command."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from leakscan.model import Message, Origin

MS, SECOND = 10**6, 10**9
CLIENT, SERVER = Origin("client.pcap", 1, 6, ""), Origin("server.pcap", 1, 6, "")


def message(number: int, at: int, target: str = "/", agent: str = "phone", client: str = "192.0.2.1") -> Message:
    """A request at the client's point; `number` is its frame and tells it from all others in a test."""
    headers = (("Host", "www.example"), ("User-Agent", agent), ("Accept", "*/*"), ("Accept-Language", "en-GB"))
    return Message(
        CLIENT, at, number, number, "client.pcap", client, 40_000 + number, "203.0.113.80", 80, None, "",
        "http/1.1", "GET", target, "www.example", headers, False,
    )  # fmt: skip


def arrived(sent: Message, at: int, *more: tuple[str, str], translated: bool = True) -> Message:
    """The same request at the server's point."""
    changes = {"client": "198.51.100.9", "client_port": 50_000 + sent.frame % 999} if translated else {}
    return replace(sent, origin=SERVER, begins_in="server.pcap", time_ns=at, headers=(*sent.headers, *more), **changes)


def passed(sent: list[Message], dice: Random, offset: int, jitter: int, lost: float) -> list[Message]:
    """What of them reaches the server's point, in the order of its clock: late ones overtake nobody."""
    out = [arrived(one, one.time_ns + offset + dice.randrange(jitter + 1)) for one in sent if dice.random() >= lost]
    return sorted(out, key=lambda one: one.time_ns)
