"""A process that is started before it is known what for: it helps, or it is as if it had never been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leakscan import standby
from tests.builders import pcap
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "leakscan"]


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> str:
    """A capture that two processes are faster at."""
    leak, body = "x-up-calling-line-id: 447700900123", b"z" * 60_000
    lines = [request(f"/{number}", leak, method="POST", body=body) for number in range(150)]
    path = tmp_path_factory.mktemp("large") / "some.pcap"
    path.write_bytes(pcap(frames(b"".join(lines), range(0, 150 * 60_100, 1400))))
    assert path.stat().st_size > standby.WORTH_BYTES
    return str(path)


def leakscan(*words: str) -> tuple[int, str, str, int]:
    """Exit code, stdout, stderr, and the group that the process led."""
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err, process.pid


def is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("more", [(), ("--responses",), ("-j", "3"), ("--until", "2001-01-01")])
def test_the_result_is_the_same(large, tmp_path, more):
    (tmp_path / "key").write_bytes(b"k" * 16)
    arguments = ("analyse", "-f", "json", "--pseudonym-key", str(tmp_path / "key"), *more, large)
    code, out, err, group = leakscan(*arguments)
    assert (code, out, err) == leakscan(*arguments, "-j", "1")[:3]
    assert code in (1, 3)
    assert is_empty(group)


@pytest.mark.parametrize(
    "words", [("--policy", "missing.toml"), ("--no-such-flag",), ("missing.pcap",), ("--state", "/proc/none")]
)
def test_a_mistake_leaves_nobody_behind(large, words):
    code, _, err, group = leakscan("analyse", large, *words)
    assert code == 2
    assert "Traceback" not in err
    assert is_empty(group)


def test_it_does_not_outlive_its_parent(large):
    """Killed at once, while the other process gets ready, or while it reads."""
    for wait in (0.02, 0.05, 0.1, 0.3):
        process = subprocess.Popen(
            [*COMMAND, "analyse", large], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(wait)
        process.kill()
        process.wait()
        ends = time.monotonic() + 20
        while not is_empty(process.pid) and time.monotonic() < ends:
            time.sleep(0.01)
        assert is_empty(process.pid)


def test_a_signal_while_it_gets_ready(large):
    for wait in (0.05, 0.1, 0.2):
        process = subprocess.Popen(
            [*COMMAND, "analyse", large], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(wait)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) in (130, 1, -signal.SIGINT)  # the last: Python itself was not ready
        assert is_empty(process.pid)


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        (("analyse", "LARGE"), True),
        (("analyze", "-q", "LARGE"), True),
        (("analyse", "small", "LARGE"), True),
        (("analyse", "small"), False),
        (("analyse", "-j", "1", "LARGE"), False),
        (("analyse", "--jobs", "1", "LARGE"), False),
        (("analyse", "nul\0byte"), False),
        (("analyse", "."), False),
        (("requests", "LARGE"), False),
        (("--help",), False),
        ((), False),
    ],
)
def test_when_one_is_started(large, tmp_path, monkeypatch, words, starts):
    monkeypatch.chdir(tmp_path)
    Path("small").write_bytes(b"x")
    started = []
    monkeypatch.setattr(standby, "Standby", lambda prepare: started.append(prepare))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    standby.start([large if word == "LARGE" else word for word in words], lambda: print)
    assert bool(started) == starts
    standby.take()
