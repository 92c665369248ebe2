"""The facts of a breach notification: filled in where the captures tell, marked where they cannot."""

from __future__ import annotations

import io
from typing import Any

import pytest
from markdown_it import MarkdownIt

from leakscan.formats.incident import BLANK, MAX_ROWS, Incident
from leakscan.losses import Losses
from leakscan.model import Coverage, Recipient
from leakscan.summary import Summary
from tests.leaks import DAY_NS, HERE, HOME, START_NS, add, leak, run

HOUR_NS = DAY_NS // 24
PARTNER = Recipient("allowed", "Age Check", "age-verification")


def incident(summary: Summary, **changes: Any) -> str:
    stream = io.StringIO()
    writer = Incident(stream)
    writer.begin(run(**changes))
    writer.end(summary.to_dict())
    return stream.getvalue()


def facts(page: str) -> dict[str, str]:
    """What is asked for -> the answer, of all tables of two columns, as a reader of Markdown shows them."""
    found: dict[str, str] = {}
    row: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        if token.type == "tr_open":
            row = []
        elif token.type == "inline":
            row.append("".join(child.content for child in token.children or []))
        elif token.type == "tr_close" and len(row) == 2:
            found[row[0]] = row[1]
    return found


def o2() -> Summary:
    """A day before, three days of it, a day after; a partner gets its share all the time."""
    made = Summary(coverage=Coverage(tcp_payload_bytes=1000, examined_bytes=800, tls_streams=3))
    for hour in range(5 * 24):
        time_ns = START_NS + (hour - 24) * HOUR_NS
        made.add_request(host="home.example", network=None, bearer="wifi", time_ns=time_ns)
        if hour % 6 == 0:
            add(made, leak("447700900001", host="agecheck.example", recipient=PARTNER), time_ns)
        if 24 <= hour < 96:
            number = f"4477009000{hour % 20:02d}"
            home = HOME if hour % 2 else HERE
            host = f"site{hour % 3}.example"
            add(made, leak(number, host=host, recipient=Recipient("not-allowed"), home_operator=home), time_ns)
    return made


def test_what_the_captures_tell() -> None:
    page = incident(o2())
    told = facts(page)
    assert told["Began"] == (
        "no later than first seen; in the hours before, 28 readable requests since 2012-01-09T00:00:00Z of all networks "
        f"and bearers had none outside the policy; time of the incident, if known: {BLANK}"
    )
    assert told["Whether it has ceased"] == (
        "not seen again: in the hours after, 28 readable requests up to 2012-01-14T00:00:00Z of all networks and bearers "
        f"had none outside the policy; that it has ceased for good: {BLANK}"
    )
    assert told["Where they stood"] == "header x-up-calling-line-id (phone or network: not known)"
    assert told["An example, masked"] == "x-up-calling-line-id: 44********01"
    assert told["Networks that carried them"] == "Testnet (GB 001-01)"
    assert told["Bearers"] == "cellular: 72 leaks"
    assert told["Security of the transmission"] == (
        "none: plain HTTP. Readable HTTP was 80 % of the TCP payload in the captures; 3 connections with TLS could not "
        "be read. Values plainly readable: MSISDN."
    )
    assert "| MSISDN (the subscriber's phone number) | 20 | 72 | critical |" in page
    assert told["Number of persons concerned"] == f"at least 20 subscribers; in all: {BLANK}"
    assert told["Number of records concerned"] == "72 leaks outside the policy, 92 in all"
    assert told["Whose subscribers they are"] == (
        "Virtual Mobile (GB 999-99): at least 10 and Testnet (GB 001-01): at least 10"
    )
    assert told["Persons in other states"] == f"countries of the operators seen: GB; {BLANK}"
    hosts = page.partition("## 6. Recipients")[2].partition("##")[0]
    assert "| site0.example | 20 | 24 | 24 | not allowed |" in hosts
    assert "agecheck.example" not in hosts, "a partner that may have it"


@pytest.mark.parametrize(
    "blank",
    [
        "Name of the provider or controller",
        "Data protection officer or other contact",
        "Time of its detection",
        "Its cause",
        "Likely consequences for the persons concerned",
        "Measures taken or proposed to end it and to mitigate its effects",
        "Notice to the persons concerned: content, means, number",
    ],
)
def test_what_they_cannot_tell_is_marked(blank: str) -> None:
    assert facts(incident(o2()))[blank] == BLANK


def test_to_the_very_end_and_from_the_very_beginning() -> None:
    made = Summary()
    add(made, leak())
    told = facts(incident(made))
    assert told["Began"].startswith("not known: the captures begin with it (2012-01-10T00:00:00Z at the earliest)")
    assert told["Whether it has ceased"] == (
        f"not known: it went on to the end of the captures (2012-01-10T01:00:00Z at the latest); {BLANK}"
    )
    assert told["Number of records concerned"] == "1 leak in 1 of 1 readable request"


def test_hashed_values_are_a_question() -> None:
    made = Summary()
    add(made, leak(severity="high", identifier="subscriber_token"))
    assert facts(incident(made))["Security of the transmission"].endswith(
        f"Whether others were hashed or encrypted, and who has the key (subscriber token): {BLANK}"
    )


@pytest.mark.parametrize("requests", [0, 1])
def test_nothing_found(requests: int) -> None:
    losses = Losses()
    losses["tls"] += 2
    made = Summary(losses)
    for _ in range(requests):
        made.add_request(host="a.example", network=None, bearer="unknown", time_ns=START_NS)
    page = incident(made)
    assert "no reason for a notification; section 8" in page
    assert facts(page)["Nature of the breach"].startswith("none was found in the captures")
    assert page.count("None was found in the captures.") == 2
    assert "TLS connections (ClientHellos)" in page


def test_how_it_was_found() -> None:
    told = facts(incident(o2(), captures=[{"name": "a.pcap", "size": 1000}, {"name": "-", "size": None}]))
    assert told["Captures"] == "a.pcap (1,000 bytes) and - (size not known)"
    assert told["Program"] == "leakscan 0.1.0"
    assert told["Values"].startswith("masked; key of the pseudonyms key:")


def test_many_recipients_are_counted() -> None:
    made = Summary()
    for number in range(MAX_ROWS + 7):
        add(made, leak(host=f"h{number}.example"))
    assert "And 7 more hosts." in incident(made)
