"""SARIF: valid by the OASIS schema, under GitHub's limits, and the same alert from run to run."""

from __future__ import annotations

import gzip
import io
import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from leakscan import summary as summary_module
from leakscan.baseline import Baseline
from leakscan.formats import Look, places, sarif
from leakscan.formats.places import uri
from leakscan.formats.sarif import Sarif
from leakscan.gate import Rules, judge
from leakscan.losses import Losses
from leakscan.model import Leak
from leakscan.summary import Summary
from tests.conftest import CORPORA
from tests.leaks import add, leak, run

SCHEMA = Path(CORPORA or "").parent / "schemas" / "sarif-schema-2.1.0.json"


def text(*leaks: Leak, look: Look = Look(), lost: tuple[str, ...] = (), rules: Rules | None = None) -> str:  # noqa: B008
    losses = Losses()
    for name in lost:
        losses.problem(name, "a.pcap", 7, "because")
    summary = Summary(losses)
    stream = io.StringIO()
    writer = Sarif(stream, look)
    writer.begin(run())
    for one in leaks:
        add(summary, one)
        writer.leak(one)
    writer.end(judge(summary.to_dict(), rules or Rules()))
    return stream.getvalue()


def only_run(written: str) -> dict[str, Any]:
    document = json.loads(written)
    assert document["version"] == "2.1.0"
    (one,) = document["runs"]
    return one


def within_limits(written: str) -> None:
    """What GitHub documents: runs, results, rules, tags, locations, size; a location with a URI for each result."""
    document = json.loads(written)
    assert len(document["runs"]) <= 20
    assert len(gzip.compress(written.encode())) <= 10_000_000
    for one in document["runs"]:
        rules = one["tool"]["driver"]["rules"]
        assert len(one["results"]) <= 5000
        assert len(rules) <= 25_000
        assert len({rule["id"] for rule in rules}) == len(rules)
        for rule in rules:
            assert len(rule["properties"]["tags"]) <= 10
            assert 0 < float(rule["properties"]["security-severity"]) <= 10
            assert rule["help"]["text"]
            assert len(rule["shortDescription"]["text"]) <= 1024
        for result in one["results"]:
            assert 1 <= len(result["locations"]) <= 100
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            for place in result["locations"]:
                assert place["physicalLocation"]["artifactLocation"]["uri"]
            assert result["partialFingerprints"]["primaryLocationLineHash"]


def many(count: int) -> list[Leak]:
    """Leaks of as many behaviours, with all that a hostile capture can put into each."""
    base = leak(name="x" * 300, target="/" * 3000)
    hosts = (f"{number}.{'h' * 200}{number}.example" for number in range(count))
    return [
        replace(base, host=host, fingerprint=f"v1:{number:016d}".replace("0", "a").replace("1", "b"), capture="c" * 200)
        for number, host in enumerate(hosts)
    ]


@cache
def thirty_thousand() -> str:
    return text(*many(30_000))


def test_a_result() -> None:
    one = only_run(text(leak(), leak("447700900456", host="m.news.example", capture="b.pcap")))
    (result,) = one["results"]
    assert result["ruleId"] == "x-up-calling-line-id"
    assert (result["level"], result["occurrenceCount"], result["suppressions"]) == ("error", 2, [])
    assert "MSISDN of at least 2 subscribers" in result["message"]["text"]
    assert "first in frame 5 of a.pcap. nothing covers it." in result["message"]["text"]
    uris = [place["physicalLocation"]["artifactLocation"]["uri"] for place in result["locations"]]
    assert uris == ["a.pcap", "b.pcap"]
    assert result["partialFingerprints"] == {
        "primaryLocationLineHash": f"{leak().fingerprint[3:]}:1",
        "leakscan/v1": leak().fingerprint,
    }
    rule = one["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["properties"]["security-severity"] == "9.5"
    assert {"privacy", "external/cwe/cwe-359", "msisdn"} <= set(rule["properties"]["tags"])
    assert one["invocations"][0] == {"executionSuccessful": True, "exitCode": 1, "toolExecutionNotifications": []}


def test_what_is_covered_is_there_and_suppressed() -> None:
    summary = Summary()
    add(summary, leak())
    entry = Baseline.of(summary.to_dict()["behaviours"]).entries[leak().fingerprint]._replace(reason="ticket 7")
    rules = Rules(baseline=Baseline({entry.fingerprint: entry}))
    (result,) = only_run(text(leak(), rules=rules))["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": "baseline: ticket 7"}]


def test_what_was_not_examined_is_a_notification() -> None:
    (invocation,) = only_run(text(lost=("file.cut", "run.interrupted", "udp")))["invocations"]
    assert invocation["executionSuccessful"] is False
    found = {note.get("descriptor", {}).get("id", ""): note for note in invocation["toolExecutionNotifications"]}
    assert list(found) == ["file.cut", "run.interrupted", "udp", ""]
    assert [note["level"] for note in found.values()] == ["warning", "warning", "note", "warning"]
    assert found["file.cut"]["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "a.pcap"}}}]
    assert "no readable request" in found[""]["message"]["text"]


def test_a_worse_behaviour_makes_its_rule_worse() -> None:
    one = only_run(
        text(leak(rule="x-of-our-own", severity="low"), leak(rule="x-of-our-own", severity="high", name="b"))
    )
    (rule,) = [rule for rule in one["tool"]["driver"]["rules"] if rule["id"] == "x-of-our-own"]
    assert rule["properties"]["security-severity"] == "8.0"
    assert [result["level"] for result in one["results"]] == ["error", "note"]


@pytest.mark.xdist_group("sarif")
def test_thirty_thousand_behaviours_are_under_the_limits() -> None:
    written = thirty_thousand()
    within_limits(written)
    one = only_run(written)
    assert len(one["results"]) == 4096  # the bound of behaviours; what is past it is said
    notes = [note["message"]["text"] for note in one["invocations"][0]["toolExecutionNotifications"]]
    assert f"leaks of behaviours past the bound: {30_000 - 4096:,}" in notes


@pytest.mark.xdist_group("sarif")
def test_thirty_thousand_results_are_cut_where_github_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all had a row."""
    monkeypatch.setattr(summary_module, "MAX_BEHAVIOURS", 30_000)
    written = text(*many(30_000))
    within_limits(written)
    one = only_run(written)
    assert len(one["results"]) == 5000
    assert "25,000 behaviours left out, past what GitHub takes; jsonl has all" in written


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 3)
    one = only_run(text(*many(10), leak(severity="low")))
    assert [result["level"] for result in one["results"]] == ["error"] * 3  # the worst stay
    (note,) = one["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "8 behaviours left out, past what GitHub takes; jsonl has all"


def test_the_size_is_bounded_whatever_the_names_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sarif.MAX_GZIP_BYTES + 100_000 < 10_000_000  # what is said below of a smaller bound holds of this one
    monkeypatch.setattr(sarif, "MAX_GZIP_BYTES", 50_000)
    leaks = [leak(name=os.urandom(100).hex()[:199], host=f"h{number}.example") for number in range(2000)]
    written = text(*leaks)
    assert len(gzip.compress(written.encode())) < 50_000 + 80_000  # the rules, and what the packer still holds
    one = only_run(written)
    (note,) = one["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith(f"{2000 - len(one['results']):,} behaviours left out")


def test_many_captures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MAX_CAPTURES", 150)
    one = only_run(text(*(leak(capture=f"{number}.pcap") for number in range(200))))
    (result,) = one["results"]
    assert len(result["locations"]) == 100
    assert "in 150 captures, the first 100 of which are named" in result["message"]["text"]
    (note,) = one["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "50 leaks in captures past the bound of locations"


URIS = [
    # capture, root, folder, uri
    ("a.pcap", "/r", "", "a.pcap"),
    ("a.pcap", "/r", "sub/dir", "sub/dir/a.pcap"),
    ("../a.pcap", "/r", "sub/dir", "sub/a.pcap"),
    ("./x/../a.pcap", "/r", "", "a.pcap"),
    ("/r/sub/a.pcap", "/r", "", "sub/a.pcap"),
    ("/elsewhere/tmp123/a.pcap", "/r", "", "a.pcap"),
    ("../../../a.pcap", "/r", "sub", "a.pcap"),
    ("/rr/a.pcap", "/r", "", "a.pcap"),
    ("-", "/r", "", "stdin.pcap"),
    ("a b:c%.pcap", "/r", "", "a%20b%3Ac%25.pcap"),
    ("é\n.pcap", "/r", "", "%C3%A9%0A.pcap"),
    ("\udcff.pcap", "/r", "", "%ED%B3%BF.pcap"),
    ("a.pcap", "/", "sub", "sub/a.pcap"),
]


@pytest.mark.parametrize(("capture", "root", "folder", "expected"), URIS)
def test_paths_are_those_of_the_repository(capture: str, root: str, folder: str, expected: str) -> None:
    assert uri(capture, Look(root=root, folder=folder)) == expected


@pytest.mark.corpora
@pytest.mark.xdist_group("sarif")
@pytest.mark.parametrize("count", [0, 1, 30_000])
def test_valid_by_the_schema(count: int) -> None:
    from jsonschema import Draft4Validator, FormatChecker

    validator = Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")), format_checker=FormatChecker())
    document = json.loads(thirty_thousand() if count > 1 else text(*many(count), lost=("file.cut", "udp")))
    if count > 1:  # the rest is as these are; the validator takes a millisecond for each
        (one,) = document["runs"]
        one["results"] = one["results"][:: len(one["results"]) // 100]
    assert [error.message for error in validator.iter_errors(document)] == []
    document["runs"][0]["tool"]["driver"]["name"] = 7
    assert list(validator.iter_errors(document))
