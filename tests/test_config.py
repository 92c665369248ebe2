"""Configuration: flags win over the environment, the environment over the file; every mistake is named."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from leakscan import cli
from leakscan.cli import leaf_commands
from leakscan.cli.options import CommandLineOnly, configurable, option_key
from leakscan.config import variable
from tests.builders import pcap
from tests.leaks import leak
from tests.nobody import as_nobody
from tests.streams import frames, request

LEAK = request("/", "x-up-calling-line-id: 447700900123", host="www.news.example")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pcap").write_bytes(pcap(frames(LEAK)))
    for key in configurable():
        monkeypatch.delenv(variable(key), raising=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


#: file, environment, flags, exit code of a scan that finds something critical
PRECEDENCE = [
    ("", {}, [], 1),
    ('fail-on = "none"', {}, [], 0),
    ('fail-on = "none"', {"LEAKSCAN_FAIL_ON": "low"}, [], 1),
    ('fail-on = "low"', {"LEAKSCAN_FAIL_ON": "none"}, [], 0),
    ('fail-on = "low"', {"LEAKSCAN_FAIL_ON": "low"}, ["--fail-on", "none"], 0),
    ('fail-on = "none"', {"LEAKSCAN_FAIL_ON": "none"}, ["--fail-on", "low"], 1),
    ("exit-zero = true", {}, [], 0),
    ("exit-zero = false", {"LEAKSCAN_EXIT_ZERO": "1"}, [], 0),
    ("exit-zero = true", {"LEAKSCAN_EXIT_ZERO": "no"}, [], 1),
    ('fail-on = "none"', {}, ["--config", ""], 1),
    ('fail-on = "none"', {"LEAKSCAN_CONFIG": ""}, [], 1),
    ("jobs = 1\nmax-drops = 1\nquiet = true", {"LEAKSCAN_JOBS": "2", "LEAKSCAN_MAX_DROPS": "0.5"}, [], 1),
    ("", {"LEAKSCAN_UNKNOWN_THING": "1"}, [], 1),
]


@pytest.mark.parametrize(("text", "environment", "flags", "code"), PRECEDENCE)
def test_precedence(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    environment: dict[str, str],
    flags: list[str],
    code: int,
) -> None:
    (here / "leakscan.toml").write_text(text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run(capsys, "analyse", *flags, "a.pcap")[0] == code


def test_which_file(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One counts: the one that is named, else leakscan.toml, else pyproject.toml when it has the table."""
    project, other = here / "pyproject.toml", here / "other.toml"
    project.write_text('[project]\nname = "x"\n')
    assert run(capsys, "analyse", "a.pcap")[0] == 1
    project.write_text('[tool.leakscan]\nfail-on = "none"\n')
    assert run(capsys, "analyse", "a.pcap")[0] == 0
    (here / "leakscan.toml").write_text('format = "csv"\n')
    assert run(capsys, "analyse", "a.pcap")[0] == 1
    other.write_text("exit-zero = true\n")
    monkeypatch.setenv("LEAKSCAN_CONFIG", "other.toml")
    assert run(capsys, "analyse", "a.pcap")[0] == 0
    code, out, _ = run(capsys, "analyse", "-c", "pyproject.toml", "a.pcap")
    assert (code, out.startswith("LEAK")) == (0, True)


def test_files_are_meant_from_the_folder_of_the_configuration(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ci = here / "ci"
    ci.mkdir()
    (ci / "known.json").write_text('{"schema": 1, "behaviours": []}')
    (ci / "leakscan.toml").write_text('baseline = "known.json"\noutput = ["leaks.jsonl", "json=a=b"]\n')
    code, _, err = run(capsys, "analyse", "-c", "ci/leakscan.toml", "a.pcap")
    assert (code, "1 of 1 behaviours count" in err) == (1, True)
    assert {path.name for path in ci.iterdir()} == {"known.json", "leakscan.toml", "leaks.jsonl", "a=b"}
    assert run(capsys, "analyse", "-c", "ci/leakscan.toml", "--baseline", "ci/known.json", "a.pcap")[0] == 1


def test_a_repeated_flag_in_the_environment(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKSCAN_OUTPUT", "one.json\ntwo three.csv")
    assert run(capsys, "analyse", "a.pcap")[0] == 1
    assert (here / "one.json").exists()
    assert (here / "two three.csv").exists()


MISTAKES = [
    ('fail_on = "low"', ["leakscan.toml", "fail_on: unknown key; did you mean fail-on?"]),
    ('polcy = "x"', ["polcy: unknown key; did you mean policy?"]),
    ('captures = ["a.pcap"]', ["captures: unknown key"]),
    ("show-values = true", ["show-values: unknown key"]),
    ('today = "2012-01-01"', ["today: unknown key"]),
    ('config = "x"', ["config: unknown key"]),
    ("sieve = false", ["sieve: unknown key"]),
    ('fail-on = "worst"', ["fail-on:", "'worst' is not one of", "medium"]),
    ("fail-on = 1", ["fail-on: must be a string"]),
    ('fail-on = ["low"]', ["fail-on: must be one value, not a list"]),
    ("strict = 1", ["strict: must be true or false"]),
    ('strict = "true"', ["strict: must be true or false"]),
    ("jobs = 0", ["jobs: 0 is not in the range"]),
    ('jobs = "2"', ["jobs: must be a number"]),
    ("jobs = true", ["jobs: must be a number"]),
    ("max-drops = 101", ["max-drops: 101.0 is not in the range"]),
    ("output = [1]", ["output: must be a string"]),
    ('output = ["../a.json"]', ["output: ../a.json: must lie in the folder"]),
    ('output = ["json=/etc/x"]', ["output: /etc/x: must lie in the folder"]),
    ("[analyse]\nstrict = true", ["analyse: unknown key"]),
    ("fail-on", ["is not TOML"]),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_in_the_file(here: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str]) -> None:
    (here / "leakscan.toml").write_text(text)
    for command in (("analyse", "a.pcap"), ("config", "show")):
        code, out, err = run(capsys, *command)
        assert (code, out) == (2, "")
        assert all(word in err for word in ["leakscan.toml", *words]), err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LEAKSCAN_FAIL_ON", "worst", "'worst' is not one of"),
        ("LEAKSCAN_STRICT", "perhaps", "'perhaps' is not a valid boolean"),
        ("LEAKSCAN_JOBS", "many", "'many' is not a valid integer"),
        ("LEAKSCAN_CONFIG", "none.toml", "cannot be read"),
    ],
)
def test_a_mistake_in_the_environment(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    code, out, err = run(capsys, "analyse", "a.pcap")
    assert (code, out) == (2, "")
    assert words in err
    assert name in err or name == "LEAKSCAN_CONFIG"


def test_nothing_in_the_environment_unmasks(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKSCAN_SHOW_VALUES", "1")
    _, out, _ = run(capsys, "analyse", "-f", "jsonl", "a.pcap")
    assert leak().value in out
    assert "447700900123" not in out


def test_show(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "leakscan.toml").write_text('policy = "ci/p.toml"\nfail-on = "low"\noutput = ["a.json"]\nstrict = true\n')
    monkeypatch.setenv("LEAKSCAN_FAIL_ON", "high")
    code, out, _ = run(capsys, "config", "show")
    lines = out.splitlines()
    assert code == 0
    assert 'policy = "ci/p.toml"  # leakscan.toml' in lines
    assert 'fail-on = "high"  # LEAKSCAN_FAIL_ON' in lines
    assert 'output = ["a.json"]  # leakscan.toml' in lines
    assert "strict = true  # leakscan.toml" in lines
    assert 'format = "table"  # default' in lines
    assert "# networks is not set" in lines
    (here / "again.toml").write_text(out)  # it is a configuration itself
    assert run(capsys, "config", "show", "-c", "again.toml")[0] == 0


def test_other_commands_take_what_they_have(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "leakscan.toml").write_text('fail-on = "none"\nquiet = true\noutput = ["a.jsonl"]\n')
    assert run(capsys, "requests", "a.pcap")[0] == 0
    assert run(capsys, "analyse", "a.pcap") == (0, "", "")
    assert run(capsys, "report", "-o", "b.json", "a.jsonl") == (0, "", "")
    assert run(capsys, "baseline", "write", "a.pcap") == (0, "", "")
    assert (here / "leakscan.baseline.json").exists()


def test_every_flag_of_a_scan_can_be_set() -> None:
    keys = set(configurable())
    assert {"policy", "baseline", "networks", "pseudonym-key", "since", "jobs", "color", "output"} <= keys
    assert {"record", "tls-cert", "addresses", "drop-unredactable"} <= keys
    assert keys.isdisjoint({"show-values", "config", "help", "sieve", "today", "value", "host", "port", "tls-port"})


#: Commands without flags that a file could set.
NOTHING_TO_SET = {"doctor", "policy check", "baseline show", "config show", "rules test"}


@pytest.mark.parametrize(("words", "command"), leaf_commands(), ids=[words for words, _ in leaf_commands()])
def test_every_command_takes_the_configuration(words: str, command: click.Command) -> None:
    """And what it takes means the same wherever it is taken."""
    takes = {option_key(parameter): parameter for parameter in command.params if isinstance(parameter, click.Option)}
    assert ("config" in takes) == (words not in NOTHING_TO_SET) or words == "config show"
    for key, known in configurable().items():
        option = takes.get(key)
        if option is not None and not isinstance(option, CommandLineOnly):
            assert (option.multiple, option.is_flag, type(option.type)) == (
                known.multiple,
                known.is_flag,
                type(known.type),
            )
            assert getattr(option.type, "choices", None) == getattr(known.type, "choices", None), key


def test_compare_redact_rules_serve_and_evidence_take_it(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is missing proves that it was asked for."""
    (here / "leakscan.toml").write_text('rules = "none.toml"\n')
    (here / "pack").mkdir()
    for arguments in (
        ("analyse", "a.pcap"),
        ("compare", "a.pcap", "a.pcap"),
        ("redact", "a.pcap", "b.pcap"),
        ("rules", "list"),
        ("rules", "show", "x-acr"),
        ("serve", "--port", "0"),
        ("evidence", "verify", "pack", "a.pcap"),
    ):
        code, _, err = run(capsys, *arguments)
        assert (code, "none.toml: " in err) == (2, True), arguments
    (here / "leakscan.toml").write_text("")
    monkeypatch.setenv("LEAKSCAN_NETWORKS", "none.toml")
    for arguments in (("compare", "a.pcap", "a.pcap"), ("serve", "--port", "0")):
        code, _, err = run(capsys, *arguments)
        assert (code, "none.toml: cannot be read" in err) == (2, True), arguments


def test_a_threshold_for_the_gate_leaves_nothing_in_what_is_shared(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number in the query alone is a hint: `redact` replaces hints."""
    hint = request("/p?uid=447700900123", host="ads.example")
    (here / "a.pcap").write_bytes(pcap(frames(hint)))
    (here / "leakscan.toml").write_text('min-confidence = "confirmed"\n')
    monkeypatch.setenv("LEAKSCAN_MIN_CONFIDENCE", "confirmed")
    monkeypatch.setenv("LEAKSCAN_PORT", "tcp://192.0.2.1:80")  # as Kubernetes sets it for a service of that name
    assert run(capsys, "redact", "-q", "a.pcap", "b.pcap")[0] == 0
    assert b"447700900123" not in (here / "b.pcap").read_bytes()


def test_a_folder_that_may_not_be_looked_into(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing there then: no file, no repository."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    data = (here / "a.pcap").read_bytes()
    here.chmod(0o700)

    def ask() -> bool:
        read, write = os.pipe()
        os.write(write, data)
        os.close(write)
        os.dup2(read, 0)
        return cli.run(["analyse", "-q", "-"]) == 1

    assert run(capsys, "analyse", "-q", "a.pcap")[0] == 1  # what it imports is imported now
    assert as_nobody(ask)
