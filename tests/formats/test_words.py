"""The sentence and its pieces."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leakscan.formats.words import carrier, listed, minute, percent, sentence, verdicts
from leakscan.losses import Losses
from leakscan.model import Coverage, Recipient
from leakscan.summary import Summary
from tests.leaks import HERE, HOME, MINUTE_NS, START_NS, add, leak


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
    ],
)
def test_listed(words: list[str], text: str) -> None:
    assert listed(words) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 9, "0 %"), (9, 9, "100 %"), (1, 1000, "under 1 %"), (999, 1000, "over 99 %"), (1, 3, "33 %"), (1, 2, "50 %")],
)
def test_percent(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_minute() -> None:
    assert minute("2012-01-10T00:04:05.123456Z") == "2012-01-10 00:04"


@pytest.mark.parametrize(
    ("country", "mcc", "mnc", "text"),
    [
        ("GB", "999", "99", "N (GB 999-99)"),
        (None, "999", "99", "N (999-99)"),
        ("GB", None, None, "N (GB)"),
        (None, None, None, "N"),
    ],
)
def test_carrier(country: str | None, mcc: str | None, mnc: str | None, text: str) -> None:
    assert carrier({"name": "N", "country": country, "mcc": mcc, "mnc": mnc}) == text


def said(summary: Summary) -> str:
    return sentence(summary.to_dict())


def test_leak() -> None:
    made = Summary(coverage=Coverage(tcp_payload_bytes=100, examined_bytes=100))
    add(made, leak())
    assert said(made) == (
        "LEAK: MSISDN of at least 1 subscriber went in plain HTTP to 1 host at 2012-01-10 00:00 UTC, "
        "from Testnet (GB 001-01), also subscribers of Virtual Mobile (GB 999-99), on cellular: "
        "1 leak in 1 of 1 readable request. Readable HTTP was 100 % of the TCP payload."
    )


def test_with_a_policy_what_went_outside_counts() -> None:
    made = Summary()
    partner = Recipient("allowed-but-clear", "Age Check", "age-verification")
    later = START_NS + 60 * MINUTE_NS
    add(made, leak(recipient=partner, host="agecheck.example", network=HOME))
    assert "went in plain HTTP to 1 host of partners only at 2012-01-10 00:00 UTC" in said(made)
    other = leak("447700900124", recipient=Recipient("not-allowed"), home_operator=None, time="2012-01-10T01:00:00Z")
    add(made, other, later)
    add(made, replace(other, identifier="imsi", recipient=partner, host="agecheck.example"), later)
    assert said(made).startswith(
        "LEAK: MSISDN of at least 1 subscriber went in plain HTTP to 1 host outside the policy at 2012-01-10 01:00 UTC, "
        "from Testnet (GB 001-01), on cellular: 1 leak outside the policy, 3 in all, in 3 of 3 readable requests."
    )


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"no-policy": 3}, "no policy given"),
        ({"allowed": 2}, "partner"),
        ({"allowed": 2, "expired": 1_000}, "partner, expired: 1,000; partner: 2"),
        ({"a new one": 1, "not-allowed": 1}, "not allowed: 1; a new one: 1"),
    ],
)
def test_verdicts(counts: dict[str, int], text: str) -> None:
    assert verdicts({"verdicts": counts}) == text


def test_leak_of_nobody_in_particular() -> None:
    made = Summary()
    add(made, leak(identifier="private_ip", network=None, home_operator=None, bearer="unknown"))
    assert said(made) == (
        "LEAK: private address went in plain HTTP to 1 host at 2012-01-10 00:00 UTC, from no known network, "
        "on unknown bearer: 1 leak in 1 of 1 readable request. There was no TCP payload."
    )


def test_several_networks_and_bearers() -> None:
    made = Summary()
    for network, bearer in (
        (HERE, "cellular"),
        (HERE, "cellular"),
        (None, "wifi"),
        (replace(HOME, name="B"), "cellular"),
    ):
        add(made, leak(network=network, bearer=bearer, home_operator=None))
    assert "from Testnet (GB 001-01), B (GB 999-99) and unknown networks, on cellular (3) and Wi-Fi (1): " in said(made)


def test_not_found_is_never_said_of_what_could_not_be_read() -> None:
    losses = Losses()
    losses["tls"] += 5
    made = Summary(losses, Coverage(tls_streams=5, tcp_payload_bytes=1000))
    assert said(made) == (
        "INCONCLUSIVE: there was no readable request, so nothing can be said. "
        "Readable HTTP was 0 % of the TCP payload; 5 TLS connections could not be read."
    )
    losses["http.head-cut"] += 1
    made.add_request(host="a.example", network=None, bearer="unknown", time_ns=START_NS)
    assert said(made).startswith(
        "INCONCLUSIVE: no leak in 1 readable request, but not all that should have been read was."
    )


def test_none_found_in_so_many() -> None:
    made = Summary(coverage=Coverage(tcp_payload_bytes=1000, examined_bytes=500))
    for _ in range(1234):
        made.add_request(host="a.example", network=None, bearer="unknown", time_ns=START_NS)
    assert said(made) == "NONE FOUND: no leak in 1,234 readable requests. Readable HTTP was 50 % of the TCP payload."
    add(made, leak(confidence="hint"))
    assert said(made).startswith("NONE FOUND: no leak in 1,235 readable requests (1 hint). ")
