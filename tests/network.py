"""Networks made for a test: namespaces of its own, links between them, programs in them. All of it is gone at the end.

It takes the superuser and iproute2; without them a test is skipped, and the reason says so. Nothing here touches the
network of the machine.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "leakscan"]
SECONDS = 60  # for whatever is waited for: the machine may be busy
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_NUMBERS = itertools.count()


class Network:
    """A context. Interfaces are called `eth0`, `eth1` in each namespace."""

    def __init__(self) -> None:
        self._spaces: list[str] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(SECONDS)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        for space in self._spaces:
            subprocess.run(["ip", "netns", "delete", space], check=True, timeout=SECONDS)

    def space(self, name: str = "space") -> str:
        """A new namespace with a loopback."""
        space = f"leakscan-{os.getpid()}-{next(_NUMBERS)}-{name}"
        ip("netns", "add", space)
        self._spaces.append(space)
        self.run(space, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
        ip("-n", space, "link", "set", "lo", "up")
        return space

    def link(
        self, one: str, other: str, addresses: Sequence[str] = (), names: Sequence[str] = ("eth0", "eth0")
    ) -> None:
        """A cable between two namespaces; `addresses` with their prefix length."""
        ends = list(zip((one, other), names, strict=True))
        (space, name), (peer_space, peer) = ends
        ip("link", "add", name, "netns", space, "type", "veth", "peer", "name", peer, "netns", peer_space)
        for (space, name), address in itertools.zip_longest(ends, addresses):
            if address is not None:
                ip("-n", space, "address", "add", address, "dev", name)
        for space, name in ends:
            ip("-n", space, "link", "set", name, "up")

    def start(self, space: str, *command: str, **more: object) -> subprocess.Popen[bytes]:
        """A program that runs in the namespace until it ends or the test does."""
        more = {"env": {**os.environ, "PATH": PATH}, **more}
        process = subprocess.Popen(["ip", "netns", "exec", space, *command], cwd=ROOT, **more)  # type: ignore[call-overload]
        self._processes.append(process)
        return process

    def run(self, space: str, *command: str, **more: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["ip", "netns", "exec", space, *command], check=True, capture_output=True, cwd=ROOT, timeout=SECONDS, **more
        )

    def send(self, space: str, capture: bytes, interface: str = "eth0", *options: str) -> None:
        """Put the frames of a pcap file onto a link, as they are."""
        self.run(space, sys.executable, "-m", "tests.send", interface, *options, input=capture)


class Live:
    """`leakscan live` in a namespace; what it prints goes to files and can be waited for."""

    def __init__(self, network: Network, space: str, folder: Path, *arguments: str, ready: bool = True, **more: object):
        number = next(_NUMBERS)
        self.out, self.err = folder / f"out{number}", folder / f"err{number}"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            command = [*COMMAND, "live", *arguments]
            self.process = network.start(space, *command, stdout=out, stderr=err, **more)
        if ready:
            self.says("capturing on")

    def says(self, text: str, where: str = "err", seconds: float = SECONDS) -> float:
        """Wait until it says so, on `err` or `out`; gives how long that took."""
        path = getattr(self, where)
        begun = time.monotonic()

        def said() -> bool:
            ended = self.process.poll() is not None
            return text in path.read_text(encoding="utf-8", errors="replace") or (ended and self._ended())

        until(said, f"{text!r} on {where}", seconds, self)
        return time.monotonic() - begun

    def _ended(self) -> bool:
        raise AssertionError(f"it has ended\n{self!r}")

    def prints(self, count: int, seconds: float = SECONDS) -> list[str]:
        """Wait until so many lines are on stdout."""
        until(lambda: len(self.lines()) >= count, f"{count} lines", seconds, self)
        return self.lines()

    def lines(self) -> list[str]:
        return self.out.read_text(encoding="utf-8").splitlines()

    def ends(self, number: signal.Signals | None = None) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def __repr__(self) -> str:
        return f"out: {self.out.read_text()[-2000:]}\nerr: {self.err.read_text()[-2000:]}"


def until(there: Callable[[], bool], what: str, seconds: float = SECONDS, tell: object = "") -> None:
    end = time.monotonic() + seconds
    while not there():
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {seconds} s\n{tell!r}")
        time.sleep(0.01)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=SECONDS)


def needs(*programs: str) -> None:
    """Skip the test where a program is missing."""
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"needs {program}, which is not installed")


@pytest.fixture
def network() -> Iterator[Network]:
    """Skips the test where namespaces cannot be made."""
    if os.geteuid():
        pytest.skip("needs the superuser: it makes network namespaces")
    needs("ip")
    with Network() as made:
        try:
            made.space("probe")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"needs network namespaces, which the system refuses: {error.stderr.decode().strip()}")
        yield made
