"""Results that are sent, as a cluster's are; and how far a run is, by bytes."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from concurrent.futures import Future

import pytest

from leakscan import fleet, ways
from leakscan.fleet import unit
from leakscan.fleet.crew import Crew
from leakscan.fleet.unit import Done
from leakscan.interrupt import Gate
from leakscan.losses import Losses
from leakscan.spine import Settings
from tests.fleet.captures import ROOT, result, write


class Elsewhere(Crew):
    """Workers that share no disk: this process, as if it were another one."""

    shares_disk = False
    workers = 2
    most = 4

    def __init__(self) -> None:
        self.longest = 0

    def submit(self, function, *arguments):
        future: Future = Future()
        future.set_result(function(*arguments))
        return future

    def outcome(self, future):
        outcome = future.result(0)
        if isinstance(outcome, Done):
            self.longest = max(self.longest, len(outcome.packed))
        return outcome

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def elsewhere(monkeypatch):
    crew = Elsewhere()
    monkeypatch.setattr(ways, "_crew", lambda options, names: crew)
    return crew


def test_a_result_that_is_too_long_to_be_sent(tmp_path, monkeypatch, elsewhere):
    """It is named as not examined, with the reason, and costs the others nothing."""
    write(tmp_path / "in", 3, 40)
    long = write(tmp_path / "long", 1, 2000)[0].rename(tmp_path / "in" / "9.pcap")
    arguments = ("--state", str(tmp_path / "state"), "--fail-on", "none", "-f", "jsonl", str(tmp_path / "in"))
    monkeypatch.setattr(unit, "MAX_SENT_BYTES", 64 << 10)
    code, out, err = result(*arguments)
    assert code == 3
    assert f"{long}: its result is too long to be sent: more than 64 KiB packed" in err
    assert out.count('"type":"leak"') == 120
    assert 0 < elsewhere.longest <= 64 << 10
    monkeypatch.undo()
    assert result("-j", "1", *arguments)[1].count('"type":"leak"') == 2120  # here there is no such limit


@pytest.mark.parametrize("state", [False, True])
def test_every_byte_of_every_capture_is_told_once(tmp_path, elsewhere, state):
    """Also of those that an earlier run has finished."""
    paths = write(tmp_path / "in", 5, 10)
    names = [str(path) for path in paths]
    settings = Settings(pseudonym_key=b"k" * 16)
    kept = fleet.State(str(tmp_path / "state")) if state else None
    for _ in range(2):
        told: list[int] = []
        scan = fleet.Fleet(names, Losses(), settings, lambda: elsewhere, Gate(), told.append, state=kept)
        assert len([*scan.leaks(), *scan.rest()]) == 50
        assert sum(told) == sum(path.stat().st_size for path in paths)
        assert all(count > 0 for count in told)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_bar_goes_over_the_bytes_of_all(tmp_path, jobs):
    """On a terminal; `--progress never` has none."""
    paths = write(tmp_path / "in", 30, 60)
    total = sum(path.stat().st_size for path in paths)
    shown = stderr_of("-j", jobs, str(tmp_path / "in"))
    seen = [float(count) for count in re.findall(r"([0-9.]+)/[0-9.]+ [kM]B", shown)]
    assert f"/{total / 10**3:.1f} kB" in shown
    assert seen == sorted(seen)
    assert seen[-1] == float(f"{total / 10**3:.1f}")
    assert " kB" not in stderr_of("-j", jobs, "--progress", "never", str(tmp_path / "in"))


def stderr_of(*arguments: str) -> str:
    """What a terminal is sent."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "leakscan", "analyse", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower, cwd=ROOT) as process:
        os.close(follower)
        sent = bytearray()
        try:
            while data := os.read(leader, 1 << 16):
                sent += data
        except OSError:  # the other end is closed
            pass
        process.wait(60)
    os.close(leader)
    return sent.decode()
