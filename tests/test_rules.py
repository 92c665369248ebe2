"""The operator's rules: what they add and replace, how mistakes are told; the commands that list, show and test them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

import leakscan
from leakscan.cli import run
from leakscan.detectors import builtin
from leakscan.errors import FileMistake

NUMBER = "447700900123"
RULES = """
[acme-line]
names = ["x-acme-line"]
identifier = "msisdn"
formats = ["msisdn"]
explain = "The number of the line."
source = "a test"
leaks = ["447700900123"]
clean = ["unknown"]

[x-msisdn]
identifier = "msisdn"
formats = ["msisdn"]
confidence = "hint"
explain = "Our own test header."
source = "a test"
leaks = ["447700900123"]
clean = ["unknown"]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def call(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    return code, out.getvalue(), err.getvalue()


def test_a_rule_is_added_and_one_replaced(rules: Path) -> None:
    pairs = [("X-Acme-Line", NUMBER), ("X-Msisdn", NUMBER), ("X-Nokia-Msisdn", NUMBER)]
    assert [finding.rule for finding in leakscan.scan_headers(pairs, rules=rules)] == ["acme-line", "x-nokia-msisdn"]
    assert [finding.rule for finding in leakscan.scan_headers(pairs)] == ["x-msisdn", "x-nokia-msisdn"]


def test_the_library_scans_captures_with_rules(rules: Path) -> None:
    rules.write_text(RULES.replace("x-acme-line", "x-up-calling-line-id"))
    *leaks, _ = leakscan.scan(["fixtures/gtp-u.pcap"], rules=rules)
    assert {leak.rule for leak in leaks} == {"acme-line"}


def test_a_hint_is_shown_when_asked_for(rules: Path) -> None:
    pairs = [("X-Msisdn", NUMBER), ("X-Anything", NUMBER)]
    found = leakscan.scan_headers(pairs, rules=rules, min_confidence="hint")
    assert [(finding.rule, finding.confidence) for finding in found] == [("x-msisdn", "hint"), ("value-msisdn", "hint")]


def test_the_run_line_tells_that_rules_were_added(rules: Path) -> None:
    arguments = ["analyse", "-q", "--exit-zero", "-f", "jsonl", "fixtures/clean.pcap"]
    plain = json.loads(call(*arguments)[1].splitlines()[0])
    line = json.loads(call(*arguments, "--rules", str(rules))[1].splitlines()[0])
    assert (plain["catalogue"], plain["settings"]["rules"]) == (builtin().version, None)
    assert line["catalogue"].startswith(builtin().version + " with rules ")
    assert line["settings"]["rules"] == str(rules)
    rules.write_text(RULES + "\n")
    assert json.loads(call(*arguments, "--rules", str(rules))[1].splitlines()[0])["catalogue"] != line["catalogue"]


def test_rules_reach_every_worker(rules: Path) -> None:
    rules.write_text(RULES.replace("x-acme-line", "x-up-calling-line-id"))
    arguments = ["analyse", "-q", "-f", "jsonl", "--pseudonym-key", "fixtures/golden.key", "--rules", str(rules)]
    captures = ["fixtures/gtp-u.pcap", "fixtures/ipv6.pcap"]
    one, two = call(*arguments, "-j", "1", *captures), call(*arguments, "-j", "2", *captures)
    assert one == two
    assert '"rule":"acme-line"' in one[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[x", "rules.toml: "),
        ("[x]\nnames = 1", "rules.toml: x.names: a list of strings"),
        (RULES.replace("explain", "#"), "rules.toml: acme-line.explain: missing"),
        (RULES.replace('["msisdn"]', '["number"]', 1), "rules.toml: acme-line.formats: 'number' is none of"),
        (RULES.replace("acme-line]", '"acme.line"]'), "rules.toml: acme.line: the name of an entry"),
        ("date = 1\n" + RULES, "rules.toml: date: a table"),
        (RULES.replace("names =", "alone = 'card'\n#"), "rules.toml: acme-line.alone: 'card' is none of"),
    ],
)
def test_a_mistake_is_exit_2_and_names_file_entry_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    for arguments in (["analyse", "--rules", str(path), "fixtures/clean.pcap"], ["rules", "test", str(path)]):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert complaint in err
    with pytest.raises(FileMistake):
        leakscan.scan_headers([], rules=path)


def test_a_file_that_is_not_there_is_exit_2(tmp_path: Path) -> None:
    assert call("analyse", "--rules", str(tmp_path / "none.toml"), "fixtures/clean.pcap")[0] == 2
    assert call("rules", "list", "--rules", str(tmp_path / "none.toml"))[0] == 2


def test_list(rules: Path) -> None:
    code, table, _ = call("rules", "list", "--rules", str(rules))
    assert code == 0
    assert [line.split()[0] for line in table.splitlines()[1:-2]] == [
        "acme-line",
        "x-msisdn",
        *(rule for rule in builtin().signatures if rule != "x-msisdn"),
    ]
    listed = json.loads(call("rules", "list", "-f", "json")[1])
    assert listed["catalogue"] == builtin().version
    assert [rule["id"] for rule in listed["rules"]] == list(builtin().signatures)


@pytest.mark.parametrize(
    "rule", ["x-up-calling-line-id", "x-network-info", "ua-docomo-ser", "name-says-imei", "value-iccid"]
)
def test_show(rule: str) -> None:
    code, text, _ = call("rules", "show", rule)
    shown = json.loads(call("rules", "show", rule, "-f", "json")[1])
    signature = builtin().signatures[rule]
    assert code == 0
    for value in (
        signature.explain,
        shown["why"],
        *signature.words,
        *signature.leaks,
        *signature.clean,
        signature.source,
    ):
        assert value in text
    assert shown["why"].endswith(".")
    assert all(shown["formats"].values())


def test_show_of_no_rule_helps() -> None:
    code, out, err = call("rules", "show", "x-msisdm")
    assert (code, out) == (2, "")
    assert "did you mean x-msisdn" in err


def test_examples_are_run(rules: Path) -> None:
    assert call("rules", "test", str(rules)) == (0, "2 rules, 4 examples, all as they say\n", "")
    assert call("rules", "test")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'leaks = ["447700900123"]',
            'leaks = ["447700900123", "internet"]',
            "acme-line: misses its example 'internet'",
        ),
        ('clean = ["unknown"]', 'clean = ["4477******23"]', "acme-line: takes its example '4477******23'"),
    ],
)
def test_an_example_that_is_not_as_it_says_is_exit_1(rules: Path, old: str, new: str, fault: str) -> None:
    rules.write_text(RULES.replace(old, new, 1))
    code, out, _ = call("rules", "test", str(rules))
    assert code == 1
    assert f"{rules}: {fault}" in out
    assert out.splitlines()[-1].endswith(" examples, 3 failed")  # as header, cookie and parameter


def test_nothing_of_a_file_reaches_the_terminal_raw(rules: Path) -> None:
    rules.write_text(RULES.replace("The number", "\\u001b[31mThe number"))
    for arguments in (["show", "acme-line", "--rules", str(rules)], ["list", "--rules", str(rules)]):
        assert "\x1b" not in call("rules", *arguments)[1]
