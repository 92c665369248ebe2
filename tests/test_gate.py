"""The one verdict: what counts, what covers it, the exit code; and the gate as a team meets it."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import leakscan
from leakscan import cli
from leakscan import summary as summary_module
from leakscan.baseline import Baseline
from leakscan.errors import UsageError
from leakscan.explain import Explanation
from leakscan.formats import FORMATS
from leakscan.gate import Rules, judge, notes
from leakscan.ignores import Ignore, Ignores
from leakscan.losses import Losses
from leakscan.model import SEVERITIES, Leak, Recipient
from leakscan.summary import Summary
from tests.builders import enhanced, interface, pcap, pcapng, section, statistics
from tests.leaks import START_NS, add, leak
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
TODAY = date(2012, 3, 1)
ALLOWED, NOT_ALLOWED = Recipient("allowed", "Age Check Ltd", "age-verification"), Recipient("not-allowed")
IN_CLEAR = Recipient("allowed-but-clear", "Age Check Ltd", "age-verification")
EXPIRED = Recipient("expired", "Age Check Ltd", "age-verification")


def summary(*leaks: Leak, lost: str = "") -> dict[str, Any]:
    losses = Losses()
    if lost:
        losses[lost] += 1
    made = Summary(losses)
    for one in leaks:
        add(made, one)
    return made.to_dict()


def judged(*leaks: Leak, lost: str = "", **rules: Any) -> dict[str, Any]:
    return judge(summary(*leaks, lost=lost), Rules(**{"today": TODAY, **rules}))


def known(*leaks: Leak) -> Baseline:
    return Baseline.of(summary(*leaks)["behaviours"])


def ignored(**keys: Any) -> Ignores:
    return Ignores((Ignore(1, "ticket 1", **keys),))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("fail_on", ["none", *SEVERITIES])
def test_severity(severity: str, fail_on: str) -> None:
    expected = fail_on != "none" and SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)
    found = judged(leak(severity=severity), fail_on=fail_on)
    assert (found["behaviours"][0]["counts"], found["gate"]["exit_code"]) == (expected, int(expected))
    assert f"below --fail-on {fail_on}" in found["behaviours"][0]["why"] or expected


RULE = "x-up-calling-line-id"
#: recipients of the leaks, rules, what covers, words of why
COVERED: list[tuple[list[Recipient], dict[str, Any], str | None, str]] = [
    ([Recipient()], {}, None, "nothing covers it"),
    ([ALLOWED], {}, "policy", "allowed for Age Check Ltd"),
    ([ALLOWED, NOT_ALLOWED], {}, None, "policy (Age Check Ltd): not-allowed 1 of 2 leaks"),
    ([ALLOWED, ALLOWED, IN_CLEAR], {}, None, "allowed-but-clear 1 of 3 leaks"),
    ([EXPIRED], {}, None, "policy (Age Check Ltd): expired"),
    ([NOT_ALLOWED], {}, None, "policy: not-allowed"),
    ([Recipient()], {"baseline": known(leak())}, "baseline", "baseline: known"),
    ([Recipient()], {"baseline": known(leak(host="other.example"))}, None, "not in the baseline"),
    ([Recipient()], {"baseline": known(leak()), "baseline_mode": "all"}, None, "--baseline-mode is all"),
    ([NOT_ALLOWED], {"baseline": known(leak())}, "baseline", "baseline: known"),
    ([Recipient()], {"ignores": ignored(rule=RULE)}, "ignore", "ignore: ticket 1"),
    ([Recipient()], {"ignores": ignored(rule=RULE, expires=TODAY)}, "ignore", "until 2012-03-01"),
    ([Recipient()], {"ignores": ignored(rule=RULE, expires=date(2012, 2, 29))}, None, "entry 1 expired on 2012-02-29"),
    ([Recipient()], {"ignores": ignored(rule="x-acr")}, None, "nothing covers it"),
    (
        [NOT_ALLOWED],
        {"ignores": ignored(rule=RULE, expires=date(2012, 1, 1)), "baseline": known()},
        None,
        "policy: not-allowed; ignore entry 1 expired on 2012-01-01; not in the baseline",
    ),
]


@pytest.mark.parametrize(("recipients", "rules", "kind", "words"), COVERED)
def test_what_covers(recipients: list[Recipient], rules: dict[str, Any], kind: str | None, words: str) -> None:
    found = judged(*(leak(recipient=recipient) for recipient in recipients), **rules)
    (row,) = found["behaviours"]
    assert (row["covered_by"] or {}).get("kind") == kind
    assert words in row["why"]
    assert row["counts"] == (kind is None)
    assert found["gate"]["exit_code"] == int(kind is None)
    assert found["gate"]["counting"] == int(kind is None)
    assert sum(found["gate"]["covered"].values()) == int(kind is not None)
    line, *verdicts = Explanation().lines(found)
    assert line.startswith("counts: " if kind is None else "does not count: ")
    assert words in line
    assert len(verdicts) == len({recipient.verdict for recipient in recipients})


def test_several_expired_and_one_that_holds() -> None:
    entries = (Ignore(1, "old", rule=RULE, expires=date(2012, 1, 1)), Ignore(2, "new", name=RULE))
    found = judged(leak(), ignores=Ignores(entries))
    assert found["behaviours"][0]["covered_by"] == {"kind": "ignore", "entry": 2, "reason": "new"}
    assert found["gate"]["ignores"]["unused_count"] == 0
    assert list(notes(found)) == [": entry 1 expired on 2012-01-01 (rule x-up-calling-line-id)"]


def test_behaviours_past_the_bound_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which have a row depends on hashes: the verdict must not."""
    monkeypatch.setattr(summary_module, "MAX_BEHAVIOURS", 1)
    for worst in range(4):
        leaks = [leak(name=f"n{n}", severity="critical" if n == worst else "low") for n in range(4)]
        assert judged(*leaks, fail_on="critical")["gate"]["counting"] == 1
    covered = judged(*leaks, baseline=known(*leaks), fail_on="low")
    assert covered["folded"]["counts"]  # nobody knows what is in it
    assert covered["gate"]["exit_code"] == 1


LEAK, LOW = leak(), leak(severity="low")
UNUSED = {"ignores": ignored(rule="x-acr"), "fail_on_unused_ignores": True}
#: leaks, loss, rules, exit code
EXITS: list[tuple[list[Leak], str, dict[str, Any], int]] = [
    ([LEAK], "", {}, 1),
    ([LEAK], "", {"exit_zero": True}, 0),
    ([LEAK], "file.cut", {}, 1),
    ([LEAK], "file.cut", {"strict": True}, 3),
    ([LEAK], "file.cut", {"strict": True, "exit_zero": True}, 0),
    ([LEAK], "tls", {"strict": True}, 1),
    ([LOW], "", {}, 0),
    ([LOW], "file.cut", {}, 3),
    ([], "", {}, 3),
    ([], "", {"allow_inconclusive": True}, 0),
    ([], "file.cut", {"allow_inconclusive": True}, 3),
    ([LEAK], "", {"baseline": known(LEAK)}, 0),
    ([LEAK], "file.cut", {"baseline": known(LEAK)}, 3),
    ([LOW], "", UNUSED, 2),
    ([LEAK], "", UNUSED, 1),
    ([LOW], "file.cut", UNUSED, 3),
    ([LOW], "", {**UNUSED, "exit_zero": True}, 0),
    ([LOW], "", {**UNUSED, "ignores": ignored(rule=RULE)}, 0),
]


@pytest.mark.parametrize(("leaks", "lost", "rules", "code"), EXITS)
def test_exit_codes(leaks: list[Leak], lost: str, rules: dict[str, Any], code: int) -> None:
    assert judged(*leaks, lost=lost, **rules)["gate"]["exit_code"] == code


def test_entries_that_no_longer_occur_are_named() -> None:
    gone = leak(host="shop.example")
    found = judged(leak(), baseline=known(leak(), gone), baseline_name="b.json", ignores=ignored(name="x-gone"))
    assert [entry["domain"] for entry in found["gate"]["baseline"]["gone"]] == ["shop.example"]
    assert list(notes(found)) == [
        f"b.json: no longer seen: {gone.fingerprint} (header x-up-calling-line-id to shop.example)",
        ": entry 1 fits nothing (name x-gone)",
    ]


def test_many_entries_are_counted_and_not_all_named() -> None:
    found = judged(leak(), baseline=known(*(leak(host=f"h{n}.example") for n in range(150))), baseline_name="b.json")
    assert (found["gate"]["baseline"]["gone_count"], len(found["gate"]["baseline"]["gone"])) == (150, 100)
    assert list(notes(found))[-1] == "b.json: and 50 more"


# -- on the command line ---------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


NETWORKS = ("--networks", "fixtures/o2-2012.networks.toml")
POLICY = ("--policy", "fixtures/o2-2012.policy.toml")
TRUSTED = {"agecheck.example", "billing.example", "selfcare.operator-a.example"}
BEFORE, AFTER = "2012-01-10T03:00Z", "2012-01-25T14:00Z"


@pytest.mark.parametrize(
    ("span", "code"),
    [
        (("--until", BEFORE), 0),
        (("--since", BEFORE, "--until", AFTER), 1),
        (("--since", AFTER), 0),
        ((), 1),
    ],
)
def test_the_o2_case(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, span: tuple[str, ...], code: int
) -> None:
    """Before the fault, during it, after it; and the whole."""
    monkeypatch.chdir(ROOT)
    arguments = ("analyse", "-f", "jsonl", *NETWORKS, *POLICY, *span, "fixtures/o2-2012.pcap")
    found, out, err = run(capsys, *arguments)
    result = json.loads(out.splitlines()[-1])
    counting = {host for row in result["behaviours"] if row["counts"] for host in row["hosts"]}
    covered = {host for row in result["behaviours"] if row["covered_by"] for host in row["hosts"]}
    assert found == code
    assert covered <= TRUSTED
    assert covered  # the partners do receive it
    assert bool(counting) == bool(code)
    assert counting.isdisjoint(TRUSTED)
    assert len(counting) == (7 if code else 0)
    assert f"{len(counting)} of {len(result['behaviours'])} behaviours count" in err
    assert result["total"]["requests"] > 100
    loss = result["coverage"]["losses"]["other"].get("message.out-of-time", 0)
    assert result["total"]["requests"] + loss == 951


def test_since_takes_its_moment_and_until_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.pcap"
    second = 10**9
    timed = [(START_NS + n * second, f) for n in range(3) for f in frames(OLD, port=20000 + n)]
    path.write_bytes(pcap(timed))
    for flags, expected in (
        (("--since", "2012-01-10T00:00:01Z"), [1, 2]),
        (("--since", "2012-01-10T00:00:01.000001Z"), [2]),
        (("--until", "2012-01-10T00:00:01Z"), [0]),
        (("--until", "2012-01-10T00:00:01.000001Z"), [0, 1]),
        (("--since", "2012-01-10", "--until", "2012-01-10"), [0, 1, 2]),
    ):
        _, out, _ = run(capsys, "analyse", "-q", "-f", "jsonl", *flags, str(path))
        leaks = [row for row in map(json.loads, out.splitlines()) if row["type"] == "leak"]
        assert [row["client_port"] - 20000 for row in leaks] == expected, flags


def test_many_cores_make_no_difference(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    captures = ("fixtures/o2-2012.pcap", "fixtures/gtp-u.pcap", "fixtures/cut.pcap")
    flags = ("--pseudonym-key", "fixtures/golden.key", *POLICY, "--since", BEFORE)
    for name in ("jsonl", "sarif", "junit"):
        one, two = (run(capsys, "analyse", "-j", jobs, "-f", name, *flags, *captures) for jobs in "12")
        assert one == two


def test_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    more = {"policy": "fixtures/o2-2012.policy.toml", "since": AFTER}
    *leaks, whole = leakscan.scan(["fixtures/o2-2012.pcap"], **more)
    assert {one.recipient.verdict for one in leaks} == {"allowed"}
    assert judge(whole.to_dict(), Rules())["gate"]["exit_code"] == 0
    with pytest.raises(UsageError, match="since: 'now' is no time"):
        next(leakscan.scan(["fixtures/o2-2012.pcap"], since="now"))


def test_the_o2_case_in_every_format(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in FORMATS:
        _, out, _ = run(capsys, "analyse", "-q", "-f", name, *POLICY, "fixtures/o2-2012.pcap")
        assert re.search("not[- ]allowed", out), name
        assert "Age Check Ltd" in out or name in ("github", "incident"), name  # what counts, and nothing else


def test_explain(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, _, err = run(capsys, "analyse", "-q", "--explain", *POLICY, "fixtures/o2-2012.pcap")
    lines = err.splitlines()
    assert sum(line.startswith("leakscan: counts: ") for line in lines) == 7
    assert sum(line.startswith("leakscan: does not count: critical") for line in lines) == 3
    (number,) = [number for number, line in enumerate(lines) if "agecheck.example [v1:" in line]
    assert lines[number].endswith("policy: allowed for Age Check Ltd")
    assert lines[number + 1].startswith("leakscan:   24 leaks allowed (Age Check Ltd), first in frame ")
    assert any("leaks below --min-confidence" in line for line in lines)


def test_explain_names_the_leak_that_makes_it_count(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One subdomain is no partner's, among many that are: which capture, which frame; in a scan and in a report."""
    monkeypatch.chdir(tmp_path)
    hosts = [*("a.shop.example" for _ in range(5)), "b.shop.example", *("a.shop.example" for _ in range(3))]
    messages = [request("/", "x-up-calling-line-id: 447700900123", host=host) for host in hosts]
    captured = [frame for n, data in enumerate(messages) for frame in frames(data, port=20000 + n)]
    (tmp_path / "app.pcap").write_bytes(pcap(captured))
    partner = '[[partner]]\nname = "A"\nhosts = ["a.shop.example"]\npurpose = "x"\nidentifiers = ["msisdn"]\n'
    (tmp_path / "p.toml").write_text(f"{partner}cleartext = true\n")
    flags = ("-q", "--explain", "--policy", "p.toml", "-o", "r.jsonl")
    for arguments in (("analyse", *flags, "app.pcap"), ("report", *flags[:-1], "again.jsonl", "r.jsonl")):
        code, _, err = run(capsys, *arguments)
        assert code == 1
        counts, allowed, bad = (line.removeprefix("leakscan: ") for line in err.splitlines() if "warning" not in line)
        assert counts.startswith("counts: critical confirmed header x-up-calling-line-id to a.shop.example, b.shop.")
        assert counts.endswith("policy (A): not-allowed 1 of 9 leaks")
        assert allowed.startswith(
            "  8 leaks allowed (A), first in frame 2 of app.pcap, to a.shop.example at 2012-01-10"
        )
        assert bad.startswith("  1 leak not-allowed, first in frame 12 of app.pcap, to b.shop.example at 2012-01-10")


def record(folder: Path, name: str, *messages: bytes) -> str:
    path = folder / "recordings" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pcap(frames(b"".join(messages))))
    return str(path)


OLD = request("/", "x-up-calling-line-id: 447700900123", host="www.news.example")
NEW = request("/", "X-Acr: 5e0c2bbe8f1f4b2d9c3a7d6e5f4a3b2c", "x-msisdn: 447700900456", host="shop.example")
TLS = b"\x16\x03\x01\x00\x40\x01" + bytes(64)


def test_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A team sets up the gate and lives with it."""
    monkeypatch.chdir(tmp_path)
    scan = ("analyse", "--today", "2012-03-01", "recordings")

    record(tmp_path, "app.pcap", OLD)
    assert run(capsys, *scan)[0] == 1
    assert run(capsys, "baseline", "write", "recordings")[0] == 0
    assert (tmp_path / "leakscan.baseline.json").stat().st_mode & 0o777 == 0o600
    code, _, err = run(capsys, *scan)
    assert (code, "0 of 1 behaviours count" in err) == (0, True)

    record(tmp_path, "app.pcap", OLD, NEW)  # a new leak turns it red
    code, out, _ = run(capsys, *scan, "-f", "github")
    assert code == 1
    assert "shop.example" in out
    assert "news.example" not in out
    assert run(capsys, "analyse", "--baseline-mode", "all", "--fail-on", "critical", "recordings")[0] == 1

    ignores = tmp_path / ".leakscanignore.toml"
    ignores.write_text('[[ignore]]\nhost = "shop.example"\nreason = "ticket 1"\nexpires = 2012-03-31\n')
    assert run(capsys, *scan)[0] == 0
    assert run(capsys, "analyse", "--today", "2012-03-31", "recordings")[0] == 0
    code, _, err = run(capsys, "analyse", "--today", "2012-04-01", "recordings")  # the day after
    assert (code, "entry 1 expired on 2012-03-31" in err) == (1, True)
    assert run(capsys, *scan, "--ignore-file", "")[0] == 1
    assert run(capsys, *scan, "--baseline", "")[0] == 1

    record(tmp_path, "app.pcap", OLD)  # repaired: the entry is no longer of use
    code, _, err = run(capsys, *scan)
    assert (code, "entry 1 fits nothing" in err) == (0, True)
    assert run(capsys, *scan, "--fail-on-unused-ignores")[0] == 2
    ignores.unlink()

    path = Path(record(tmp_path, "app.pcap", OLD))
    path.write_bytes(path.read_bytes()[:-7])  # the disk was full
    assert run(capsys, *scan)[0] == 3
    record(tmp_path, "app.pcap", TLS)  # all is encrypted now
    code, _, err = run(capsys, *scan)
    assert (code, "no longer seen: v1:" in err) == (3, True)
    assert run(capsys, *scan, "--allow-inconclusive")[0] == 0


def test_an_expired_ignore_depends_on_the_day_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path, "app.pcap", OLD)
    for day, code in (("2012-01-01", 1), ("9999-12-31", 0)):
        entry = f'[[ignore]]\nhost = "www.news.example"\nreason = "ticket 1"\nexpires = {day}\n'
        (tmp_path / ".leakscanignore.toml").write_text(entry)
        assert run(capsys, "analyse", "recordings")[0] == code


@pytest.mark.parametrize(
    ("name", "text", "flags", "words"),
    [
        ("p.toml", "[[partner]]\n", ("--policy", "p.toml"), "p.toml: partner 1: name: missing"),
        ("b.json", "{}", ("--baseline", "b.json"), "b.json: is no baseline"),
        ("leakscan.baseline.json", "{}", (), "leakscan.baseline.json: is no baseline"),
        ("i.toml", "[[ignore]]\n", ("--ignore-file", "i.toml"), "i.toml: ignore 1: fingerprint: missing"),
        (".leakscanignore.toml", "x", (), ".leakscanignore.toml: is not TOML"),
        ("n.toml", "[[network]]\n", ("--networks", "n.toml"), "n.toml: network 1: name: missing"),
        ("leakscan.toml", "fail_on = 1", (), "leakscan.toml: fail_on: unknown key; did you mean fail-on?"),
        ("x", "", ("--since", "yesterday"), "since: 'yesterday' is no time"),
        ("x", "", ("--since", "2012-01-02", "--until", "2012-01-01"), "--until: lies before --since"),
        ("x", "", ("--today", "2012-13-01"), "--today: '2012-13-01' is no date"),
        ("x", "", ("--policy", "none.toml"), "none.toml: cannot be read"),
        ("x", "", ("--baseline", "none.json"), "none.json: cannot be read"),
        ("x", "", ("--show-values", "-f", "sarif"), "--show-values: sarif"),
        ("x", "", ("--show-values", "-o", "a.xml"), "--show-values: junit"),
        ("x", "", ("--show-values", "-o", "github=a"), "--show-values: github"),
    ],
)
def test_a_mistake_is_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    flags: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    code, out, err = run(capsys, "analyse", *flags, record(tmp_path, "app.pcap", OLD))
    assert (code, out) == (2, "")
    assert words in err


def test_policy_check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    file = "fixtures/o2-2012.policy.toml"
    assert run(capsys, "policy", "check", file)[:2][0] == 0
    asked = ("--host", "AGECHECK.example", "--identifier", "msisdn", "--at", "2012-01-10")
    assert ": msisdn: allowed (" in run(capsys, "policy", "check", file, *asked)[1]
    assert ": imsi: not-allowed (" in run(capsys, "policy", "check", file, *asked[:3], "imsi", *asked[4:])[1]
    assert ": msisdn: expired (" in run(capsys, "policy", "check", file, *asked[:-1], "2013-01-01")[1]
    assert "not-allowed (addresses" in run(capsys, "policy", "check", file, *asked, "--address", "192.0.2.1")[1]
    assert "no entry names it: not-allowed" in run(capsys, "policy", "check", file, "--host", "x.example")[1]
    for wrong in (("--identifier", "msisdm"), ("--at", "now"), ("--address", "here")):
        assert run(capsys, "policy", "check", file, *wrong)[0] == 2


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--max-drops", "40"), 0), (("--max-drops", "20"), 3)])
def test_drops(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], code: int) -> None:
    """One of three frames was dropped; the counters go on, so the second block says nothing new."""
    clean = frames(request("/", host="www.news.example"))
    path = tmp_path / "a.pcapng"
    packets = [enhanced(frame) for frame in clean]
    path.write_bytes(pcapng(section(), interface(), *packets, statistics(1), statistics(1)))
    assert len(clean) == 2
    found, out, _ = run(capsys, "analyse", "-q", "-f", "jsonl", *flags, str(path))
    result = json.loads(out.splitlines()[-1])
    assert found == code
    assert result["coverage"]["losses"]["other"]["capture.dropped"] == 1
    assert result["coverage"]["losses"]["unread"] == ({"capture.drops-over": 1} if code else {})
    assert result["outcome"] == ("inconclusive" if code else "none-found")


@pytest.mark.parametrize(
    ("message", "words", "why"),
    [
        (request("/", "x-nokia-ipaddress: 10.20.30.40"), "to 1 host at", "low is below"),
        (
            request(
                "/servlets/mms",
                "x-nokia-msisdn: 447700900123",
                "Content-Type: application/vnd.wap.mms-message",
                host="mmsc.operator.example",
                method="POST",
            ),
            "to 1 host of the operator's own only at",
            "allowed: MMS to the operator's own centre",
        ),
    ],
)
def test_a_leak_that_does_not_count_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], message: bytes, words: str, why: str
) -> None:
    """Exit 0 under a first line that begins with LEAK is a riddle without it."""
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(frames(message)))
    code, out, err = run(capsys, "analyse", str(path))
    assert (code, words in " ".join(out.split())) == (0, True)
    assert "What counts, and why" in out
    assert "0 of 1 behaviours count" in err
    summary = json.loads(run(capsys, "analyse", "-q", "-f", "json", str(path))[1])["summary"]
    assert why in summary["behaviours"][0]["why"]
