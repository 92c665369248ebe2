"""Leaks and results made in memory, for tests of what comes after detection. Reserved values only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from leakscan.conceal import Concealer
from leakscan.fingerprint import fingerprint
from leakscan.model import Carrier, Leak, Recipient
from leakscan.summary import Summary
from leakscan.times import rfc3339

KEY = b"a key for tests, no other use"
#: The first day of the O2 case.
START_NS = int(datetime(2012, 1, 10, tzinfo=UTC).timestamp()) * 10**9
MINUTE_NS = 60 * 10**9
DAY_NS = 24 * 60 * MINUTE_NS

HERE = Carrier("Testnet", "GB", "001", "01", ("networks file",))
HOME = Carrier("Virtual Mobile", "GB", "999", "99", ("IMSI",))


def leak(number: str = "447700900123", *, time_ns: int = START_NS, show: bool = False, **changes: Any) -> Leak:
    """The leak of one MSISDN as the spine would make it; `changes` replaces fields of it afterwards."""
    concealer = Concealer(KEY, show)
    made = Leak(
        time=rfc3339(time_ns, 6),
        capture="a.pcap",
        frame=4,
        frame_end=5,
        client=concealer.client("10.0.0.1"),
        client_port=40000,
        server="203.0.113.7",
        server_port=80,
        teid=None,
        host="www.news.example",
        method="GET",
        target="/",
        place="header",
        name="x-up-calling-line-id",
        rule="x-up-calling-line-id",
        identifier="msisdn",
        value=concealer.value("msisdn", number),
        pseudonym=concealer.pseudonym("msisdn", number),
        encoding=(),
        confidence="confirmed",
        severity="critical",
        origin="unknown",
        bearer="cellular",
        network=HERE,
        home_operator=HOME,
        recipient=Recipient(),
        fingerprint="",
        evidence=("country code 44",),
        partial=False,
    )
    made = replace(made, **changes)
    return replace(made, fingerprint=fingerprint(made.rule, made.place, made.name, made.host))


def add(summary: Summary, made: Leak, time_ns: int = START_NS, rotating: bool = False) -> None:
    """A request with this leak and no other."""
    summary.add_request(host=made.host, network=made.network, bearer=made.bearer, time_ns=time_ns)
    summary.add(made, time_ns=time_ns, rotating=rotating)


def run(**changes: Any) -> dict[str, Any]:
    return {
        "type": "run",
        "schema": 1,
        "version": "0.1.0",
        "catalogue": "2026-01-01",
        "captures": [{"name": "a.pcap", "size": 1000}],
        "key_id": Concealer(KEY).key_id,
        "values": "masked",
        "settings": {},
        **changes,
    }
