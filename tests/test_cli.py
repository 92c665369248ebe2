"""The command line: each exit code, what goes where, and what a hurried or hostile world does to it."""

from __future__ import annotations

import heapq
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import leakscan
from leakscan import cli
from leakscan.spine import Scan
from leakscan.summary import Summary
from tests.builders import pcap
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
NUMBER = "447700900123"
LEAK = request("/a", f"x-up-calling-line-id: {NUMBER}")
CLEAN = request("/a", "Accept: */*")
TLS = b"\x16\x03\x01\x00\x40\x01" + bytes(64)


@pytest.fixture
def capture(tmp_path):
    def make(data: bytes = LEAK, name: str = "test.pcap", cut: int = 0) -> str:
        path = tmp_path / name
        whole = pcap(frames(data))
        path.write_bytes(whole[: len(whole) - cut])
        return str(path)

    return make


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_exit_0_nothing_that_counts(capsys, capture):
    code, out, err = run(capsys, "analyse", capture(CLEAN))
    assert (code, err) == (0, "leakscan: none-found in 1 readable request\n")
    assert "NONE FOUND" in out.upper()


def test_exit_1_a_leak(capsys, capture):
    code, out, err = run(capsys, "analyse", capture())
    assert (code, err) == (1, "leakscan: leak in 1 readable request\n")
    assert NUMBER not in out
    assert "44********23" in out


def test_a_header_without_a_name_is_no_obstacle(capsys, capture):
    assert run(capsys, "analyse", capture(request("/a", ": x", f"x-up-calling-line-id: {NUMBER}")))[0] == 1


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--fail-on", "critical"], 1),
        (["--fail-on", "none"], 0),
        (["--exit-zero"], 0),
        (["--strict"], 1),
    ],
)
def test_thresholds(capsys, capture, flags, code):
    assert run(capsys, "analyse", *flags, capture())[0] == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyse"], "CAPTURE"),
        (["analyse", "no-such-file.pcap"], "no-such-file.pcap"),
        (["analyse", "no-such-*.pcap"], "no-such-*.pcap"),
        (["analyse", "-f", "xml", "fixtures/clean.pcap"], "xml"),
        (["analyse", "-o", "result.doc", "fixtures/clean.pcap"], "result.doc"),
        (["analyse", "-o", "no/such/folder/a.json", "fixtures/clean.pcap"], "no/such/folder"),
        (["analyse", "--pseudonym-key", "no-such.key", "fixtures/clean.pcap"], "no-such.key"),
        (["analyse", "--networks", "fixtures/make.py", "fixtures/clean.pcap"], "fixtures/make.py"),
        (["nonsense"], "nonsense"),
        (["analyse", "--nonsense"], "--nonsense"),
    ],
)
def test_exit_2_usage(capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(ROOT)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    ("data", "cut", "flags", "code"),
    [
        (CLEAN, 5, [], 3),
        (LEAK + CLEAN, 0, [], 1),
        (TLS, 0, [], 3),
        (TLS, 0, ["--allow-inconclusive"], 0),
        (TLS, 0, ["--exit-zero"], 0),
        (CLEAN + CLEAN[:20], 0, [], 3),
        (CLEAN + CLEAN[:20], 0, ["--allow-inconclusive"], 3),
        (LEAK + CLEAN[:20], 0, [], 1),
        (LEAK + CLEAN[:20], 0, ["--strict"], 3),
    ],
)
def test_exit_3_not_read(capsys, capture, data, cut, flags, code):
    assert run(capsys, "analyse", *flags, capture(data, cut=cut))[0] == code


def test_a_problem_names_file_offset_and_reason(capsys, capture):
    path = capture(CLEAN, cut=5)
    code, _, err = run(capsys, "analyse", path)
    assert code == 3
    assert f"{path} at offset" in err
    assert "file.cut 1" in err


def test_nothing_found_is_lost_when_a_capture_is_damaged(capsys, capture):
    good, bad = capture(), capture(CLEAN, "bad.pcap", cut=9)
    code, out, _ = run(capsys, "analyse", "-f", "jsonl", good, bad)
    assert code == 1
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["run", "leak", "summary"]


def test_exit_70_internal_error_tells_the_place_and_no_value(capsys, capture, monkeypatch):
    def broken(*_):
        raise ValueError(f"cannot parse {NUMBER}")

    monkeypatch.setattr("leakscan.spine.Scan.leaks", broken)
    code, out, err = run(capsys, "analyse", "-v", capture())
    assert (code, NUMBER in out + err) == (70, False)
    assert "internal error: ValueError" in err
    assert "test_cli.py" in err
    assert "test_cli.py" not in run(capsys, "analyse", capture())[2]


def test_results_go_where_they_are_asked_to(capsys, capture, tmp_path):
    lines, table = tmp_path / "leaks.jsonl", tmp_path / "table.txt"
    code, out, _ = run(capsys, "analyse", "-o", str(lines), "-o", f"table={table}", "-f", "csv", capture())
    assert code == 1
    assert out.startswith("time,")
    assert [json.loads(line)["type"] for line in lines.read_text().splitlines()] == ["run", "leak", "summary"]
    assert table.read_text().startswith("LEAK")
    assert {path.stat().st_mode & 0o777 for path in (lines, table)} == {0o600}
    assert run(capsys, "analyse", "-q", "-o", str(lines), capture())[1:] == ("", "")


def test_show_values_warns(capsys, capture):
    _, out, err = run(capsys, "analyse", "-f", "jsonl", "--show-values", capture())
    assert NUMBER in out
    assert "warning" in err
    assert NUMBER not in err


def test_same_key_same_bytes(capsys, capture, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    path = capture()
    arguments = ("analyse", "-f", "jsonl", "--pseudonym-key", str(key), path)
    assert run(capsys, *arguments)[1] == run(capsys, *arguments)[1]


def test_analyze_is_analyse(capsys, capture):
    assert run(capsys, "analyze", capture())[0] == 1


def test_requests(capsys, capture):
    code, out, err = run(capsys, "requests", capture(LEAK + CLEAN))
    first, second = map(json.loads, out.splitlines())
    assert (code, "values are shown" in err) == (0, True)
    assert (first["headers"][1], first["target"], first["host"]) == (
        ["x-up-calling-line-id", NUMBER],
        "/a",
        "www.example",
    )
    assert (second["method"], second["protocol"], second["frame"], second["partial"]) == ("GET", "http/1.1", 2, False)
    assert run(capsys, "requests", capture(TLS))[0] == 3


def test_a_request_cut_by_a_rotation_is_whole(capsys, tmp_path):
    parts = frames(LEAK, [20, 60, 90])
    start = 1_326_153_600 * 10**9
    for name, part, at in (("x.pcap10", parts[3:], 3), ("x.pcap2", parts[:3], 0)):
        (tmp_path / name).write_bytes(pcap([(start + (at + i) * 10**9, frame) for i, frame in enumerate(part)]))
    code, out, _ = run(capsys, "analyse", "-f", "jsonl", str(tmp_path))
    leak = json.loads(out.splitlines()[1])
    assert (code, leak["partial"], Path(leak["capture"]).name) == (1, False, "x.pcap10")


def test_the_library(capture):
    *leaks, summary = leakscan.scan([capture()])
    assert [leak.value for leak in leaks] == ["44********23"]
    assert summary.outcome() == "leak"
    assert repr(summary) == "Summary('leak', requests=1, leaks=1)"
    assert [item for item in leakscan.scan(capture()) if isinstance(item, leakscan.Leak)]  # one, not in a list
    (finding,) = leakscan.scan_headers([("X-MSISDN", NUMBER)], show_values=True)
    assert (finding.identifier, finding.value) == ("msisdn", NUMBER)
    with pytest.raises(leakscan.errors.UsageError, match="nonsense"):
        leakscan.scan_headers([], nonsense=1)


# -- as a process of its own -----------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "leakscan"]


def start(*arguments: str, **more) -> subprocess.Popen:
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, **more)


def pieces(data: bytes) -> list[bytes]:
    """A pcap file's header and records."""
    out, at = [data[:24]], 24
    while at < len(data):
        size = 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        out.append(data[at : at + size])
        at += size
    return out


def test_leaks_are_printed_as_they_come():
    with start("analyse", "-f", "jsonl", "-") as process:
        for piece in pieces(pcap(frames(LEAK))):
            process.stdin.write(piece)
            process.stdin.flush()
        assert json.loads(process.stdout.readline())["type"] == "run"
        assert json.loads(process.stdout.readline())["type"] == "leak"  # while stdin is still open
        process.stdin.close()
        assert json.loads(process.stdout.readline())["type"] == "summary"
        assert process.wait(20) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_reading_and_the_summary_is_written(number, code, tmp_path):
    result = tmp_path / "result.json"
    with start("analyse", "-f", "jsonl", "-o", str(result), "-") as process:
        process.stdin.write(pcap(frames(LEAK)))
        process.stdin.flush()
        assert [json.loads(process.stdout.readline())["type"] for _ in range(2)] == ["run", "leak"]
        process.send_signal(number)
        summary = json.loads(process.stdout.readline())
        assert (summary["coverage"]["losses"]["unread"], process.wait(20)) == ({"run.interrupted": 1}, code)
    assert json.loads(result.read_text())["leaks"][0]["identifier"] == "msisdn"


@pytest.mark.parametrize(("owner", "name"), [(Summary, "add"), (Scan, "_leak"), (heapq, "heappush")])
def test_a_signal_while_a_leak_is_counted_loses_nothing(monkeypatch, capture, capsys, owner, name):
    """What is counted is written, and what is written is counted."""
    real, calls = getattr(owner, name), []

    def struck(*given, **named):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*given, **named)

    monkeypatch.setattr(owner, name, struck)
    assert cli.run(["analyse", "-q", "-f", "jsonl", capture(LEAK * 20)]) == 130
    *_, summary = lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    leaks = sum(line["type"] == "leak" for line in lines)
    assert 5 <= leaks < 20
    assert [row["leaks"] for row in summary["behaviours"]] == [row["leaks"] for row in summary["hosts"]] == [leaks]
    assert summary["coverage"]["losses"]["unread"] == {"run.interrupted": 1}


def test_a_reader_that_has_seen_enough(capture):
    path = capture(LEAK * 600)
    with start("requests", path) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == cli.EXIT_PIPE
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize("words", ["analyse -q {}", "requests -q {}", "redact {0} {0}.redacted", "rules list"])
def test_a_full_disk_behind_stdout_is_no_bug(capture, words):
    command = [*COMMAND, *words.format(capture()).split()]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    assert done.stderr.endswith(b"leakscan: error: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize(("data", "code"), [(LEAK, 1), (CLEAN, 0)])
@pytest.mark.parametrize("stream", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full"])
def test_streams_that_cannot_be_written_do_not_change_what_was_found(capture, tmp_path, data, code, stream):
    result = tmp_path / "result.jsonl"
    line = f'exec "$@" {stream}'
    words = ["sh", "-c", line, "sh", *COMMAND, "analyse", "-o", str(result), capture(data)]
    done = subprocess.run(words, capture_output=True, timeout=60)
    assert done.returncode == code
    assert [json.loads(line)["type"] for line in result.read_text().splitlines()][-1] == "summary"


@pytest.mark.parametrize("command", ["", "rules", "baseline", "policy", "config", "evidence"])
def test_a_group_without_a_command_shows_its_help(command):
    done = subprocess.run([*COMMAND, *command.split()], capture_output=True, text=True, timeout=60)
    shown = subprocess.run([*COMMAND, *command.split(), "--help"], capture_output=True, text=True, timeout=60)
    assert (done.stdout + done.stderr).strip() == shown.stdout.strip()


@pytest.mark.parametrize("spec", ["csv={}", "parquet={}"])
def test_a_result_never_takes_the_place_of_what_is_read(capsys, capture, tmp_path, spec):
    path = capture()
    before = Path(path).read_bytes()
    link = tmp_path / "link.pcap"
    link.symlink_to(path)
    for given in (path, str(link)):
        code, _, err = run(capsys, "analyse", "-q", given, "-o", spec.format(path))
        assert (code, "is one of the files that are read" in err) == (2, True)
    assert Path(path).read_bytes() == before


def test_a_report_never_takes_the_place_of_a_result(capsys, capture, tmp_path):
    result = tmp_path / "all.jsonl"
    run(capsys, "analyse", "-q", capture(), "-o", str(result))
    before = result.read_bytes()
    assert run(capsys, "report", "-q", str(result), "-o", str(result))[0] == 2
    assert result.read_bytes() == before


def test_two_results_in_one_file(capsys, capture, tmp_path):
    twice = ["-o", str(tmp_path / "x.md"), "-o", f"incident={tmp_path}/./x.md"]
    code, _, err = run(capsys, "analyse", capture(), *twice)
    assert (code, "is written twice" in err) == (2, True)
    assert not (tmp_path / "x.md").exists()


def test_a_hostile_name_is_harmless_in_messages(tmp_path):
    path = tmp_path / "\x1b[31mred\u202e.pcap"
    path.write_bytes(b"not a capture at all")
    done = subprocess.run([*COMMAND, "analyse", str(path)], capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode == 3
    assert b"\x1b" not in done.stdout + done.stderr
    assert "\u202e".encode() not in done.stdout + done.stderr


def test_a_terminal_gets_a_bar_and_colour(capture):
    pty = pytest.importorskip("pty")
    path = capture()
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*COMMAND, "analyse", path], stdout=follower, stderr=follower, cwd=ROOT, env=environment
    ) as process:
        os.close(follower)
        seen, end = b"", time.monotonic() + 20
        while time.monotonic() < end:
            try:
                more = os.read(leader, 65536)
            except OSError:
                break
            seen += more
        assert process.wait(20) == 1
    os.close(leader)
    assert b"\x1b[1;31m" in seen
