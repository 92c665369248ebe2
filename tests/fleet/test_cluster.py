"""The same units on a dask cluster: a real scheduler and real workers, on the loopback."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.captures import ROOT, result, write

pytest.importorskip("distributed", reason="needs the extra cluster")
pytestmark = pytest.mark.xdist_group("cluster")

KEY = b"Kept-0ut-of-every-log"
SECONDS = 60


class Dask:
    """A scheduler and its workers, as processes; their logs are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "dask_scheduler", "--port", "0", "--no-dashboard", "--no-show")
        self.address = self._found("scheduler", r"Scheduler at:\s+(tcp://\S+)")

    def worker(self, python_path: str = "") -> subprocess.Popen[bytes]:
        name = f"worker-{len(self.processes)}"
        arguments = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder))
        process = self._start(name, "dask_worker", self.address, *arguments, python_path=python_path)
        self._found(name, r"(Registered to:)")
        return process

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, name: str, module: str, *arguments: str, python_path: str = "") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--host", "127.0.0.1", *arguments]
        environment = {**os.environ, "PYTHONPATH": python_path, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "debug"}
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=self.folder)
        self.processes.append(process)
        return process

    def _found(self, name: str, pattern: str) -> str:
        limit = time.monotonic() + SECONDS
        while time.monotonic() < limit:
            if found := re.search(pattern, (self.folder / f"{name}.log").read_text()):
                return found[1]
            time.sleep(0.05)
        raise AssertionError((self.folder / f"{name}.log").read_text())


@pytest.fixture
def dask(tmp_path):
    folder = tmp_path / "dask"
    folder.mkdir()
    made = Dask(folder)
    yield made
    made.close()


@pytest.fixture
def common(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(KEY)
    return "-f", "jsonl", "--pseudonym-key", str(key), str(tmp_path / "in")


class Run:
    """`leakscan analyse` in a process of its own, which never waits for whoever reads what it writes."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "leakscan", "analyse", *arguments]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT)

    def result(self) -> tuple[int, str, str]:
        code = self.process.wait(2 * SECONDS)
        return code, self._out.read_text(), self._err.read_text()


def wait_for(folder: Path, count: int) -> None:
    """Until so many results are there."""
    limit = time.monotonic() + SECONDS
    while len(list(folder.glob("*.unit"))) < count and time.monotonic() < limit:
        time.sleep(0.01)


def test_200_captures_and_a_worker_that_is_killed(tmp_path, dask, common):
    write(tmp_path / "in", 200, 10)
    victim, _ = dask.worker(), dask.worker()
    plain = result("-j", "1", *common)
    run = Run(tmp_path, "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    wait_for(tmp_path / "state", 40)
    assert run.process.poll() is None
    victim.kill()
    assert run.result() == plain
    assert "Removing worker" in dask.logs() or "Remove worker" in dask.logs()
    logs = dask.logs()
    assert KEY.decode() not in logs
    assert "4477009" not in logs


def test_a_lost_scheduler_ends_with_what_was_found(tmp_path, dask, common, monkeypatch):
    write(tmp_path / "in", 120, 10)
    dask.worker()
    arguments = ("--fail-on", "none", "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    run = Run(tmp_path, *arguments)
    wait_for(tmp_path / "state", 10)
    dask.scheduler.kill()
    code, out, err = run.result()
    assert code == 3
    assert "the scheduler was lost" in err
    assert re.search(r"run\.not-scanned \d+", err)
    assert out.count('"type":"leak"') >= 100
    assert result("-j", "2", "--state", str(tmp_path / "state"), *common)[:2] == result("-j", "1", *common)[:2]


def test_another_version_is_refused(tmp_path, dask, common):
    write(tmp_path / "in", 2)
    shutil.copytree(ROOT / "leakscan", tmp_path / "other" / "leakscan")
    changed = tmp_path / "other" / "leakscan" / "detectors" / "signatures.toml"
    changed.write_text(changed.read_text() + "\n# another one\n")
    dask.worker(python_path=str(tmp_path / "other"))
    code, _, err = result("--cluster", dask.address, *common)
    assert code == 2
    assert "--cluster: code and catalogue is" in err


def test_a_cluster_of_its_own(tmp_path, common):
    write(tmp_path / "in", 6)
    assert Run(tmp_path, "--cluster", "local", "-j", "2", *common).result() == result("-j", "1", *common)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--show-values", "--cluster", "tcp://127.0.0.1:9"), "--cluster: results are masked there"),
        (("--cluster", "tcp://127.0.0.1:9"), "--cluster tcp://127.0.0.1:9: no scheduler answers"),
        (("--cluster", "nonsense"), "--cluster nonsense"),
    ],
)
def test_what_cannot_be(tmp_path, common, monkeypatch, arguments, reason):
    with contextlib.suppress(ImportError):
        from leakscan.fleet import cluster

        monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    write(tmp_path / "in", 2)
    code, _, err = result(*arguments, *common)
    assert (code, reason in err) == (2, True), err


def test_workers_have_another_folder(tmp_path, monkeypatch):
    write(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)
    code, _, err = result("--cluster", "tcp://127.0.0.1:9", "in")
    assert (code, "give the whole path of in/000.pcap, or a URL" in err) == (2, True)


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch, common):
    write(tmp_path / "in", 2)
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = result("--cluster", "local", *common)
    assert code == 2
    assert "pip install 'leakscan[cluster]'" in err
