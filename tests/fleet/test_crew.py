"""Tasks on their way through workers that die."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from leakscan.fleet.crew import Lost, Processes, Queue
from leakscan.fleet.unit import Setup, Unit
from leakscan.interrupt import Gate
from leakscan.spine import Concealer, Settings
from tests.fleet.captures import result, write


def dies(number: int, victim: int, note: str) -> int:
    if number == victim:
        with Path(note).open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 10


def test_a_task_that_kills_its_worker_takes_no_other_along(tmp_path):
    crew = Processes(2)
    try:
        note = str(tmp_path / "note")
        found = dict(Queue(crew, Gate()).results(dies, [(number, 3, note) for number in range(8)]))
    finally:
        crew.close()
    assert isinstance(found.pop(3), Lost)
    assert found == {number: number * 10 for number in range(8) if number != 3}
    assert len(Path(note).read_text()) == Processes.attempts == 3


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path):
    """The second time the capture is scanned by a worker that lives."""
    crew = Processes(1)
    try:
        note = str(tmp_path / "note")
        found = dict(Queue(crew, Gate()).results(dies_once, [(number, note) for number in range(4)]))
    finally:
        crew.close()
    assert found == {number: number for number in range(4)}


def dies_once(number: int, note: str) -> int:
    if number == 2 and not Path(note).exists():
        Path(note).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.fixture(params=[8, 1], ids=["apart", "bundled"])
def four(request, tmp_path, monkeypatch):
    """Captures, each a unit of its own or two together."""
    from leakscan import fleet

    monkeypatch.setattr(fleet, "BUNDLES_PER_JOB", request.param)
    write(tmp_path / "in", 4)


def test_a_capture_that_nobody_can_scan_is_named_and_the_others_are_scanned(tmp_path, monkeypatch, four):
    from leakscan import fleet

    monkeypatch.setattr(fleet, "scan_unit", scan_but_one)
    code, out, err = result("-j", "2", "--fail-on", "none", "-f", "jsonl", str(tmp_path / "in"))
    assert code == 3
    assert "002.pcap: its worker process was killed" in err
    assert "run.not-scanned 1" in err
    assert out.count('"type":"leak"') == 60


def scan_but_one(unit: Unit):
    from leakscan.fleet.unit import scan_unit

    if any(name.endswith("002.pcap") for name in unit.names):
        os.kill(os.getpid(), signal.SIGKILL)
    return scan_unit(unit)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ZeroDivisionError("447700900123"), 70, "002.pcap: internal error: ZeroDivisionError"),
        (OSError(28, "447700900123"), 3, "002.pcap: its result cannot be written: No space left on device"),
        (MemoryError("447700900123"), 3, "002.pcap: not enough memory"),
    ],
)
def test_what_a_unit_meets(tmp_path, monkeypatch, four, error, code, said):
    """The others are scanned and their leaks written; an error of ours is none of the capture's."""
    from leakscan import fleet

    monkeypatch.setattr(fleet, "scan_unit", partial(scan_unless, error))
    output = tmp_path / "out.jsonl"
    found = result("-v", "-q", "-j", "2", "--fail-on", "none", "-o", str(output), str(tmp_path / "in"))
    assert (found[0], said in found[2], "447700900" in found[2]) == (code, True, False), found
    assert ("this is a bug in leakscan" in found[2]) == (code == 70)
    assert ("test_crew.py:" in found[2]) == (code == 70)
    assert output.read_text().count('"type":"leak"') == 60
    assert '"run.not-scanned":1' in output.read_text()


def scan_unless(error: Exception, unit: Unit):
    from leakscan.fleet import unit as module

    if not any(name.endswith("002.pcap") for name in unit.names):
        return module.scan_unit(unit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_scan", partial(raises, error))
        return module.scan_unit(unit)


def raises(error: Exception, *given):
    raise error


def test_what_travels_shows_nothing(tmp_path):
    key = b"a key of twenty bytes"
    settings = Settings(pseudonym_key=key)
    setup = Setup(settings, Concealer(key), True)
    unit = Unit([["sim-447700900123.pcap"]], setup, "0")
    assert repr(key)[2:-1] not in f"{unit!r} {setup!r} {[unit]} {unit.setup}"
    assert "447700900123" not in repr(unit)


def test_workers_do_not_outlive_the_first_process(tmp_path):
    import subprocess
    import sys

    from tests.fleet.captures import ROOT

    write(tmp_path / "in", 40, 60)
    command = [
        sys.executable,
        "-m",
        "leakscan",
        "analyse",
        "-j",
        "2",
        "-q",
        "--state",
        str(tmp_path / "s"),
        str(tmp_path / "in"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        limit = time.monotonic() + 60
        while len(list((tmp_path / "s").glob("*.unit"))) < 2 and time.monotonic() < limit:
            time.sleep(0.01)
        children = _children(process.pid)
        process.kill()
    assert children
    limit = time.monotonic() + 20
    while any(_lives(child) for child in children) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not [child for child in children if _lives(child)]


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
