"""The formats for programs and for tickets: what stands in them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields

import pytest

from leakscan.formats import FORMATS, Look
from leakscan.formats import markdown as markdown_module
from leakscan.formats.rows import COLUMNS, Worst, leak_object
from leakscan.gate import Rules, judge
from leakscan.model import Leak
from leakscan.summary import Summary
from tests.leaks import add, leak, run

LEAKS = [leak("447700900001"), leak("447700900002", network=None, teid=7, partial=True, encoding=("base64", "hex"))]


def view(name: str, leaks: list[Leak], look: Look = Look()) -> str:  # noqa: B008
    stream = io.StringIO()
    writer = FORMATS[name](stream, look)
    summary = Summary()
    writer.begin(run())
    for one in leaks:
        add(summary, one)
        writer.leak(one)
    writer.end(judge(summary.to_dict(), Rules()))
    return stream.getvalue()


def test_jsonl_is_run_leaks_summary() -> None:
    lines = [json.loads(line) for line in view("jsonl", LEAKS).splitlines()]
    assert [line["type"] for line in lines] == ["run", "leak", "leak", "summary"]
    assert lines[0] == run()
    assert lines[1] == json.loads(json.dumps(leak_object(LEAKS[0])))
    assert lines[1]["network"] == {
        "name": "Testnet",
        "country": "GB",
        "mcc": "001",
        "mnc": "01",
        "evidence": ["networks file"],
    }
    assert lines[1]["recipient"] == {"verdict": "no-policy", "partner": None, "purpose": None}
    assert lines[2]["network"] is None
    assert lines[2]["encoding"] == ["base64", "hex"]


def test_the_keys_of_a_leak_are_the_contract() -> None:
    assert list(leak_object(LEAKS[0])) == [
        *("type", "time", "capture", "frame", "frame_end", "client", "client_port", "server", "server_port", "teid"),
        *("host", "method", "target", "place", "name", "rule", "identifier", "value", "pseudonym", "encoding"),
        *("confidence", "severity", "origin", "bearer", "network", "home_operator", "recipient", "fingerprint"),
        *("evidence", "partial", "rotating"),
    ]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_json_is_one_object(count: int) -> None:
    lines = [json.loads(line) for line in view("jsonl", LEAKS[:count]).splitlines()]
    assert json.loads(view("json", LEAKS[:count])) == {"run": lines[0], "leaks": lines[1:-1], "summary": lines[-1]}


def test_csv_has_a_row_for_each_leak() -> None:
    rows = list(csv.DictReader(io.StringIO(view("csv", LEAKS))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2
    assert rows[0]["network_name"] == "Testnet"
    assert rows[0]["teid"] == rows[1]["network_name"] == rows[1]["network_evidence"] == ""
    assert (rows[1]["teid"], rows[1]["partial"], rows[1]["encoding"]) == ("7", "true", "base64; hex")


def test_columns_hold_every_field() -> None:
    for field in fields(Leak):
        assert any(column == field.name or column.startswith(field.name + "_") for column in COLUMNS)


def test_markdown_has_tables_and_leaks() -> None:
    text = view("markdown", LEAKS)
    assert text.startswith("# leakscan: leak\n\nLEAK: MSISDN of at least 2 subscribers")
    assert "| header x-up-calling-line-id | MSISDN | 44\\*\\*\\*\\*\\*\\*\\*\\*01 | critical |" in text
    assert "These are the worst" not in text
    assert "| MSISDN (base64 \\> hex) |" in view("markdown", [leak(encoding=("base64", "hex"))])
    assert "## Leaks, the worst first" not in view("markdown", [])


def test_markdown_holds_the_worst_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown_module, "MAX_WORST", 3)
    text = view("markdown", [leak(severity="low", name=f"low-{n}") for n in range(5)] + [leak(name="bad")])
    assert "These are the worst 3 of 6 leaks; jsonl, json and csv hold all." in text
    leaks = text.partition("## Leaks, the worst first")[2]
    assert [name in leaks for name in ("bad", "low-0", "low-1", "low-2", "low-3")] == [True, True, True, False, False]


def test_worst_first_and_the_earlier_first() -> None:
    worst = Worst(4)
    leaks = [leak(severity=s, confidence=c, frame=n) for n, (s, c) in enumerate(WORST)]
    for one in leaks:
        worst.add(one)
    assert [one.frame for one in worst.leaks()] == [3, 1, 2, 4]
    assert worst.seen == len(leaks)


WORST = [
    ("low", "confirmed"),
    ("critical", "probable"),
    ("critical", "probable"),
    ("critical", "confirmed"),
    ("high", "confirmed"),
    ("medium", "confirmed"),
]


def test_live_writes_each_leak_at_once() -> None:
    class Stream(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    for name in ("table", "jsonl", "csv"):
        stream = Stream()
        writer = FORMATS[name](stream, Look(live=True))
        writer.begin(run())
        before = stream.flushes
        writer.leak(leak())
        assert stream.flushes > before, name
