"""A second process for one capture: the same result, whatever befalls it."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan import reading, relay
from leakscan.cli import run
from tests.builders import pcap
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
PATCHED = "from leakscan import relay, cli; relay.MIN_BYTES = 1; import sys; sys.exit(cli.run(sys.argv[1:]))"


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(relay, "MIN_BYTES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def capture(tmp_path):
    lines = [request(f"/{i}", f"x-up-calling-line-id: 4477009{i % 1000:05d}", f"X-Any: {i}") for i in range(3000)]
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(frames(b"".join(lines), range(0, 400_000, 700)))[:-5])
    return str(path)


def result(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["analyse", *arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("format_name", ["jsonl", "table"])
def test_the_same_as_in_one_process(always, capture, tmp_path, format_name):
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    arguments = ("-f", format_name, "--pseudonym-key", str(key), capture)
    here, there = result("-j", "1", *arguments), result(*arguments)
    assert there == here
    assert (here[0], "file.cut" in here[2]) == (1, True)


@pytest.mark.parametrize("packed", ["plain", "gzip"])
def test_one_reader_of_a_pipe_and_of_a_compressed_file(always, capture, tmp_path, packed):
    """Whatever the number of workers."""
    data = Path(capture).read_bytes()
    path = tmp_path / "a.pcap"
    path.write_bytes(gzip.compress(data, 1) if packed == "gzip" else data)
    (tmp_path / "key").write_bytes(b"k" * 16)
    common = ["-f", "jsonl", "--pseudonym-key", str(tmp_path / "key")]
    for name in (str(path), "-"):
        found = {jobs: piped(path, "-j", jobs, *common, name) for jobs in ("1", "2", "3")}
        assert found["1"][0] == 1
        assert found["1"][1].count(b'"type":"leak"') >= 2900
        assert found["2"] == found["1"]
        assert found["3"] == found["1"]


def piped(path: Path, *arguments: str) -> tuple[int, bytes, bytes]:
    script = PATCHED.replace("import sys", "import os, sys; os.cpu_count = lambda: 4")
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", script, "analyse", *arguments], stdin=file, capture_output=True, cwd=ROOT, timeout=60
        )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_leak_in_a_pipe_is_told_before_the_pipe_ends(jobs):
    """While nothing comes, the reader hands over what it has."""
    sent = frames(b"".join(request(f"/{i}", "x-up-calling-line-id: 447700900123") for i in range(3)))
    script = PATCHED.replace("import sys", "import os, sys; os.cpu_count = lambda: 4")
    command = [sys.executable, "-c", script, "analyse", "-j", jobs, "-f", "jsonl", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        process.stdin.write(pcap(sent))
        process.stdin.flush()
        kinds = [json.loads(process.stdout.readline())["type"] for _ in range(4)]
        assert kinds == ["run", "leak", "leak", "leak"]
        assert process.poll() is None
        process.stdin.close()
        assert json.loads(process.stdout.readline())["type"] == "summary"
        assert process.wait(60) == 1


@pytest.mark.parametrize("behind", [0.0, 2.0], ids=["the child glances at all", "at none"])
def test_the_same_whoever_glances(always, monkeypatch, tmp_path, behind):
    """Plain requests, leaks, tokens that nobody knows, a head that is cut, and times that are not wanted."""
    monkeypatch.setattr(relay, "BEHIND", behind)
    monkeypatch.setattr(relay, "GROUP_HEADS", 16)
    lines = [
        request(
            f"/{i % 7}?a={i}",
            f"Host: www{i % 5}.example",
            *(["x-up-calling-line-id: 447700900123"] if i % 5 == 0 else []),
            *([f"X-Any: {'0f3a9c7e5b1d8246' * 2}{i % 3:08x}"] if i % 3 == 0 else []),
        )
        for i in range(400)
    ]
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(frames(b"".join(lines), range(0, 90_000, 700)))[:-5])
    (tmp_path / "key").write_bytes(b"k" * 16)
    arguments = ("-f", "json", "--pseudonym-key", str(tmp_path / "key"), "--min-confidence", "hint", str(path))
    here, there = result("-j", "1", *arguments), result(*arguments)
    assert there == here
    assert json.loads(there[1])["summary"]["coverage"]["requests"] > 390  # the last frame is cut
    late = ("--until", "2000-01-01", *arguments)
    assert result(*late) == result("-j", "1", *late)


@pytest.mark.parametrize("behind", [0.0, 2.0])
def test_known_values_are_not_overlooked(always, monkeypatch, tmp_path, behind):
    """What is plain for the built-in catalogue may hold a value that the operator knows, or a name."""
    monkeypatch.setattr(relay, "BEHIND", behind)
    monkeypatch.setattr(relay, "GROUP_HEADS", 16)
    (tmp_path / "known.toml").write_text('[[known]]\nkind = "msisdn"\nvalue = "+447700900123"\n')
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(frames(b"".join(request(f"/{i}", "X-Any: dGVsOjQ0NzcwMDkwMDEyMw") for i in range(100)))))
    arguments = ("-f", "json", "--known", str(tmp_path / "known.toml"), str(path))
    assert len(json.loads(result(*arguments)[1])["leaks"]) == 100


def test_bodies_come_over_too(always, tmp_path):
    (tmp_path / "key").write_bytes(b"k" * 16)
    (tmp_path / "known.toml").write_text('[[known]]\nkind = "imsi"\nvalue = "001010123456789"\n')
    bodies = [f"msisdn=4477009{number:05d}&x=001010123456789&y={'z' * 900}".encode() for number in range(500)]
    path = tmp_path / "some.pcap"
    path.write_bytes(
        pcap(frames(b"".join(request("/", method="POST", body=body) for body in bodies), range(0, 900_000, 700)))
    )
    more = ("--bodies", "--known", str(tmp_path / "known.toml"), "--pseudonym-key", str(tmp_path / "key"))
    arguments = ("-f", "jsonl", *more, str(path))
    there = result(*arguments)
    assert there == result("-j", "1", *arguments)
    assert there[1].count('"place":"body","name":"x","rule":"known-value"') >= 500


def test_neighbours_come_over_too(always, tmp_path):
    arp = bytes(12) + b"\x08\x06\0\1\x08\0\6\4\0\1" + bytes(6) + bytes((192, 0, 2, 1)) + bytes(10)
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap([*frames(request("/", "x-up-calling-line-id: 447700900123")), arp]))
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    arguments = ("-f", "json", "--pseudonym-key", str(key), str(path))
    here, there = result("-j", "1", *arguments), result(*arguments)
    assert there == here
    assert '"local_requests":1' in there[1]


def test_when_it_pays(always, capture, monkeypatch):
    assert relay.pays([capture], None)
    assert not relay.pays([capture], 1)
    assert not relay.pays([capture, "-"], None)
    assert relay.pays(["-"], 2)
    assert not relay.pays(["-"], None)
    assert not relay.pays(["-"], 1)
    monkeypatch.setattr(relay, "MIN_BYTES", 1 << 40)
    assert not relay.pays([capture], 2)


def test_many_origins(always, monkeypatch, tmp_path):
    """More captures than a group holds heads."""
    monkeypatch.setattr(relay, "GROUP_HEADS", 2)
    monkeypatch.setattr("leakscan.fleet.jobs_for", lambda names, jobs: 1)
    for number in range(7):
        (tmp_path / f"{number}.pcap").write_bytes(pcap(frames(request("/", f"x-msisdn: 44770090000{number}"))))
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    arguments = ("-f", "jsonl", "--pseudonym-key", str(key), str(tmp_path))
    assert result(*arguments) == result("-j", "1", *arguments)
    assert result(*arguments)[1].count('"leak"') >= 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_found(capture, number):
    command = [sys.executable, "-c", PATCHED, "analyse", "-f", "jsonl", capture]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True
    ) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(1)]
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        lines += [json.loads(line) for line in process.stdout]
        err, code = process.stderr.read(), process.wait(60)
    assert "Traceback" not in err
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["total"]["leaks"] == len(lines) - 2
    interrupted = lines[-1]["coverage"]["losses"]["unread"].get("run.interrupted", 0)
    assert (code, interrupted) in ((128 + number, 1), (1, 0))  # or it was done before


def test_an_error_over_there_is_told_here(always, capture, monkeypatch):
    def broken(self):
        raise ZeroDivisionError("447700900123")
        yield

    monkeypatch.setattr(reading.Reading, "heads", broken)
    code, _, err = result("-v", capture)
    assert code == 70
    assert "ZeroDivisionError" in err
    assert "test_relay.py" in err
    assert "447700900123" not in err


def test_a_child_that_is_gone(always, capture, monkeypatch):
    monkeypatch.setattr(reading.Reading, "heads", lambda self: os.kill(os.getpid(), signal.SIGKILL))
    code, _, err = result(capture)
    assert (code, "try -j 1" in err) == (70, True)
