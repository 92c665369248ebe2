"""JUnit: read back by a reader of its own, a case for each capture and rule, and nothing passes that was not examined."""

from __future__ import annotations

import io
from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from leakscan.baseline import Baseline
from leakscan.formats import junit
from leakscan.formats.junit import EXAMINED, Junit
from leakscan.gate import Rules, judge
from leakscan.losses import Losses
from leakscan.model import Leak, Recipient
from leakscan.rulebook import every_rule
from leakscan.summary import Summary
from tests.leaks import START_NS, add, leak, run

RULE = "x-up-calling-line-id"
Cases = dict[tuple[str, str], Any]


def cases(
    *leaks: Leak, captures: tuple[str, ...] = ("a.pcap",), lost: dict[str, str] | None = None, **rules: Any
) -> Cases:
    """(suite, case) -> what junitparser reads of it; `lost`: loss -> capture, "" where it is not known."""
    losses = Losses()
    for name, capture in (lost or {}).items():
        if capture:
            losses.problem(name, capture, 7, "because")
        else:
            losses[name] += 1
    summary = Summary(losses)
    if "requests" not in rules or rules.pop("requests"):
        summary.add_request(host="a.example", network=None, bearer="unknown", time_ns=START_NS)
    stream = io.StringIO()
    writer = Junit(stream)
    writer.begin(run(captures=[{"name": name, "size": 1} for name in captures]))
    for one in leaks:
        add(summary, one)
        writer.leak(one)
    writer.end(judge(summary.to_dict(), Rules(**rules)))
    read = JUnitXml.fromstring(stream.getvalue().encode())
    found = {(suite.name, case.name): case for suite in read for case in suite}
    assert read.tests == len(found) == sum(suite.tests for suite in read)
    results = [case.result[0] for case in found.values() if case.result]
    assert read.failures == sum(isinstance(result, Failure) for result in results)
    assert read.errors == sum(isinstance(result, Error) for result in results)
    assert read.skipped == sum(isinstance(result, Skipped) for result in results)
    return found


def result(found: Cases, suite: str, case: str) -> tuple[type | None, str]:
    results = found[suite, case].result
    return (type(results[0]), results[0].message or "") if results else (None, "")


def test_a_case_for_each_capture_and_rule() -> None:
    found = cases(captures=("a.pcap", "b.pcap"))
    names = [EXAMINED, *(rule.id for rule in every_rule())]
    assert len(names) > 200
    assert list(found) == [
        *(("a.pcap", name) for name in names),
        *(("b.pcap", name) for name in names),
        ("leakscan", "readable requests"),
        ("leakscan", "everything read"),
    ]
    assert not any(case.result for case in found.values())


def test_failed_where_it_was_found() -> None:
    found = cases(leak(), leak(rule="x-of-our-own", capture="b.pcap"), captures=("a.pcap", "b.pcap"))
    kind, message = result(found, "a.pcap", RULE)
    assert kind is Failure
    assert message.startswith("MSISDN of at least 1 subscriber went in plain HTTP, in header x-up-calling-line-id")
    assert leak().fingerprint in found["a.pcap", RULE].result[0].text
    assert result(found, "b.pcap", RULE) == (None, "")
    assert result(found, "b.pcap", "x-of-our-own")[0] is Failure
    assert result(found, "a.pcap", "x-of-our-own") == (None, "")


def test_skipped_when_it_is_covered() -> None:
    allowed = leak(recipient=Recipient("allowed", "Age Check Ltd", "age-verification"))
    assert result(cases(allowed), "a.pcap", RULE) == (Skipped, "policy: allowed for Age Check Ltd")
    summary = Summary()
    add(summary, leak())
    known = Baseline.of(summary.to_dict()["behaviours"])
    assert result(cases(leak(), baseline=known), "a.pcap", RULE) == (Skipped, "baseline: known")
    both = cases(leak(), leak(host="shop.example"), baseline=known)
    assert result(both, "a.pcap", RULE)[0] is Failure


def test_passed_below_the_threshold() -> None:
    found = cases(leak(severity="low"))
    assert result(found, "a.pcap", RULE) == (None, "")
    assert "low is below --fail-on medium" in found["a.pcap", RULE].system_out


def test_error_when_it_was_not_examined() -> None:
    found = cases(leak(), captures=("a.pcap", "b.pcap"), lost={"file.cut": "b.pcap"})
    assert result(found, "b.pcap", EXAMINED) == (Error, "file.cut: because")
    assert result(found, "b.pcap", "x-acr") == (Skipped, "not wholly examined")
    assert result(found, "a.pcap", EXAMINED) == (None, "")
    assert result(found, "a.pcap", RULE)[0] is Failure
    assert result(found, "leakscan", "everything read")[0] is Error


def test_what_is_not_known_of_each_capture_belongs_to_the_only_one() -> None:
    found = cases(lost={"http.head-cut": ""})
    assert result(found, "a.pcap", EXAMINED)[0] is Error
    assert result(found, "a.pcap", RULE)[0] is Skipped
    found = cases(captures=("a.pcap", "b.pcap"), lost={"http.head-cut": ""})
    assert result(found, "a.pcap", EXAMINED) == (None, "")
    assert result(found, "leakscan", "everything read")[0] is Error


@pytest.mark.parametrize(("allowed", "kind"), [(False, Error), (True, Skipped)])
def test_no_readable_request(allowed: bool, kind: type) -> None:
    found = cases(requests=False, allow_inconclusive=allowed)
    assert result(found, "leakscan", "readable requests")[0] is kind


def test_other_losses_are_no_error() -> None:
    assert not any(case.result for case in cases(lost={"tls": "", "file.skipped": "a.pcap"}).values())


def test_behaviours_past_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leakscan.summary.MAX_BEHAVIOURS", 1)
    found = cases(leak(rule="r1"), leak(rule="r2"), leak(rule="r3"))
    assert all(result(found, "a.pcap", rule)[0] is Failure for rule in ("r1", "r2", "r3"))


def test_many_captures_have_cases_for_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "MAX_CASES", 1000)
    found = cases(leak(), captures=tuple(f"{number}.pcap" for number in range(10)))
    assert len(found) == 11 * 2 + 2
    assert result(found, "a.pcap", RULE)[0] is Failure
