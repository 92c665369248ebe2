"""A scheduler and workers of dask, started here; `leakscan analyse` beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fleet.captures import ROOT

KEY = b"Kept-0ut-of-every-log"
SECONDS = 60


class Dask:
    """A scheduler and its workers, as processes; their logs are kept."""

    def __init__(self, folder: Path, protocol: str = "tcp", python_path: str = "", **environment: str) -> None:
        """`python_path`: where the scheduler finds more than what is installed. `environment`: of all of them."""
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self._environment = {**os.environ, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "debug", **environment}
        arguments = ("--port", "0", "--dashboard-address", "127.0.0.1:0", "--no-show", "--protocol", protocol)
        self.scheduler = self._start("scheduler", "dask_scheduler", *arguments, python_path=python_path)
        self.address = self._found("scheduler", rf"Scheduler at:\s+({protocol}://\S+)")
        self.dashboard = self._found("scheduler", r"dashboard at:\s+(http://[0-9.:]+)")

    def worker(self, python_path: str = "", nanny: bool = False) -> subprocess.Popen[bytes]:
        """One with a `nanny` is started again when it dies."""
        name = f"worker-{len(self.processes)}"
        arguments = ["--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder)]
        if not nanny:
            arguments.append("--no-nanny")
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
        environment = {**self._environment, "PYTHONPATH": python_path}
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


class Run:
    """`leakscan analyse` in a process of its own, which never waits for whoever reads what it writes."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        command = [sys.executable, "-m", "leakscan", "analyse", *arguments]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **environment}
            )

    def result(self) -> tuple[int, str, str]:
        code = self.process.wait(2 * SECONDS)
        return code, self._out.read_text(), self._err.read_text()


def wait_for(folder: Path, count: int) -> None:
    """Until so many results are there."""
    limit = time.monotonic() + SECONDS
    while len(list(folder.glob("*.unit"))) < count and time.monotonic() < limit:
        time.sleep(0.01)
