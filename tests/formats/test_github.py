"""GitHub's annotations: at most ten, the worst first, the last says how many more; and the job's summary."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from leakscan import cli
from leakscan.baseline import Baseline, Entry
from leakscan.formats import Look
from leakscan.formats.github import GitHub
from leakscan.gate import Rules, judge
from leakscan.losses import Losses
from leakscan.model import Leak
from leakscan.summary import Summary
from tests.leaks import add, leak, run

ROOT = Path(__file__).parents[2]


def annotations(*leaks: Leak, lost: str = "", rules: Rules | None = None) -> tuple[list[str], str]:
    losses = Losses()
    if lost:
        losses[lost] += 1
    summary, stream, aside = Summary(losses), io.StringIO(), io.StringIO()
    writer = GitHub(stream, Look(aside=aside))
    writer.begin(run())
    for one in leaks:
        add(summary, one)
        writer.leak(one)
    writer.end(judge(summary.to_dict(), rules or Rules()))
    return stream.getvalue().splitlines(), aside.getvalue()


def some(count: int, severity: str = "critical") -> list[Leak]:
    return [leak(host=f"h{number}.example", severity=severity) for number in range(count)]


def test_one() -> None:
    lines, page = annotations(leak(capture="a,b:c%.pcap"))
    assert lines == [
        "::error file=a%252Cb%253Ac%2525.pcap,title=leakscan%3A x-up-calling-line-id (critical)::MSISDN of at least 1 "
        "subscriber went in plain HTTP, in header x-up-calling-line-id, to www.news.example at 2012-01-10 00:00 UTC: "
        "1 leak. nothing covers it"
    ]
    assert "1 behaviour counted." in page


@pytest.mark.parametrize(
    ("count", "last"),
    [(0, None), (1, None), (10, None), (11, "and 2 more findings"), (400, "and 391 more findings")],
)
def test_at_most_ten(count: int, last: str | None) -> None:
    lines, page = annotations(*some(count), *([] if count else [leak(severity="low")]))
    assert len(lines) == min(count, 10)
    assert (last is not None) == any(" more finding" in line for line in lines)
    if last:
        assert last in lines[-1]
        assert f"and {count - 10} more behaviour" in page
    assert len(page.encode()) < 1 << 20


def test_the_worst_first_and_what_does_not_count_not_at_all() -> None:
    lines, _ = annotations(*some(2, "low"), *some(3, "medium"), leak(severity="high"))
    assert [re.match("::([a-z]+) ", line)[1] for line in lines] == ["error", "warning", "warning", "warning"]
    lines, page = annotations(*some(2), rules=Rules(fail_on="none"))
    assert lines == []
    assert r"2 below \--fail-on none" in page


def test_what_was_not_read_and_what_is_no_longer_seen() -> None:
    entry = Entry("r", "header", "x-old", "old.example", "v1:aaaaaaaaaaaaaaaa")
    rules = Rules(baseline=Baseline({entry.fingerprint: entry}), baseline_name="b.json")
    lines, page = annotations(lost="file.cut", rules=rules)
    assert [re.match("::([a-z]+) ", line)[1] for line in lines] == ["warning", "warning", "notice"]
    assert "file.cut" in lines[0]
    assert "no readable request" in lines[1]
    assert "no longer seen" in lines[2]
    assert "no longer seen" in page


def test_the_summary_is_added_to_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.chdir(ROOT)
    assert cli.run(["analyse", "-f", "github", "fixtures/gtp-u.pcap"]) == 1
    assert "file=fixtures/gtp-u.pcap," in capsys.readouterr().out
    assert page.read_text().startswith("before\n## leakscan: leak\n")
    assert cli.run(["analyse", "-q", "fixtures/gtp-u.pcap"]) == 1
    assert page.read_text().count("## leakscan") == 1
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder"))
    assert cli.run(["analyse", "-f", "github", "fixtures/gtp-u.pcap"]) == 2
