"""leakscan live under load: generated traffic from one namespace to another, at given rates.

    python -m tests.benchmarks.live                     a minute: 5 s at each rate
    python -m tests.benchmarks.live --seconds 30 --write
                                                        the real figures, into docs/performance.md

In: seconds and rates. Out: two tables. One tells, for each rate, how many packets were dropped, how many of the planted
leaks were found, and what it cost; every leak that is missing must be explained by a dropped packet, else the benchmark
stops. The other tells what reading a packet costs in each way that there is to do it. It takes the superuser, iproute2
and tcpreplay, and touches nothing but the two namespaces that it makes. State: the capture that is replayed, in a
temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.run import PAGE, megabytes, table, tell
from tests.network import ROOT, SECONDS, Live, Network, until

BEGIN, END = "<!-- tests/benchmarks/live.py writes from here -->", "<!-- to here: live -->"
FRAME_BYTES = 925  # of mixed traffic, on average
RATES = (60_000, 200_000)
WAYS = ("next_batch", "dispatch", "next", "scapy")
_SENT = re.compile(r"Actual: (\d+) packets .* sent in ([\d.]+) seconds")


class Traffic(NamedTuple):
    path: str
    frames: int
    planted: int


class Load(NamedTuple):
    """What came of one rate."""

    sent: int
    seconds: float
    received: int
    dropped: int
    found: int
    cpu: float  # seconds, of leakscan
    peak: int  # bytes


class Unexplained(Exception):
    """Leaks are missing, or were invented, and no dropped packet explains it."""


def traffic(folder: str, seconds: int, rate: int) -> Traffic:
    """Enough mixed traffic for so long, each stream once."""
    path, report = f"{folder}/traffic.pcap", f"{folder}/traffic.json"
    size = str(seconds * rate * FRAME_BYTES)
    command = [sys.executable, "-m", "tests.benchmarks.traffic", "mixed", size, path, "--report", report]
    subprocess.run(command, check=True, cwd=ROOT)
    made = json.loads(Path(report).read_text())
    return Traffic(path, made["frames"], len(made["whole"]))


def replay(network: Network, space: str, made: Traffic, rate: int) -> tuple[int, float]:
    """Send all of it; gives how many packets, and in which time."""
    done = subprocess.run(
        ["ip", "netns", "exec", space, "tcpreplay", "-q", "-K", "--pps", str(rate), "-i", "eth0", made.path],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=600,
    )  # fmt: skip
    found = _SENT.search(done.stdout)
    if found is None:
        raise RuntimeError(done.stdout + done.stderr)
    return int(found[1]), float(found[2])


def load(folder: str, made: Traffic, rate: int) -> Load:
    """leakscan at the other end of a link on which the traffic comes at this rate. Raises Unexplained."""
    with Network() as network:
        near, far = network.space("near"), network.space("far")
        network.link(near, far)
        run = Live(network, far, Path(folder), "-i", "eth0", "-f", "jsonl", "--exit-zero")
        sent, seconds = replay(network, near, made, rate)
        time.sleep(1)
        usage = process_usage(run.process.pid)
        run.ends(signal.SIGTERM)
        lines = [json.loads(line) for line in run.lines()]
    summary = lines[-1]
    losses = summary["coverage"]["losses"]["other"]
    dropped = losses.get("capture.dropped", 0) + losses.get("capture.interface-dropped", 0)
    found = sum(line["type"] == "leak" for line in lines)
    missing = made.planted - found
    if not 0 <= missing <= dropped or sent != summary["coverage"]["frames"] + dropped:
        raise Unexplained(
            f"{missing} leaks are missing, {dropped} packets were dropped, "
            f"{sent - summary['coverage']['frames'] - dropped} are not accounted for"
        )
    return Load(sent, seconds, summary["coverage"]["frames"], dropped, found, *usage)


def process_usage(pid: int) -> tuple[float, int]:
    """CPU seconds and peak resident bytes of a process so far, proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK"), int(peak[1]) * 1024 if peak else 0


def loads_table(folder: str, made: Traffic, rates: list[int]) -> str:
    rows = []
    for rate in rates:
        tell(f"{rate:,} packets a second")
        got = load(folder, made, rate)
        rows.append(
            [
                f"{got.sent / got.seconds:,.0f}",
                f"{got.sent:,}",
                f"{got.dropped:,}",
                f"{got.found:,} of {made.planted:,}",
                f"{100 * got.cpu / got.seconds:.0f} %",
                megabytes(got.peak),
            ]
        )
    head = ["packets/s", "packets", "dropped", "planted leaks found", "of one core", "peak memory"]
    return table("### Under load", head, rows)


# -- ways to read ------------------------------------------------------------------------------------------------------


def ways_table(folder: str, made: Traffic, rate: int, count: int) -> str:
    """What a packet costs when nothing is done with it, in each way to get at it."""
    rows, first = [], 0.0
    for way in WAYS:
        tell(f"reading: {way}")
        with Network() as network:
            near, far = network.space("near"), network.space("far")
            network.link(near, far)
            ready, result = Path(folder, f"{way}.ready"), Path(folder, f"{way}.json")
            command = [sys.executable, "-m", "tests.benchmarks.live", "--read", way, str(ready), str(result)]
            network.start(far, *command)
            until(ready.exists, "reader", SECONDS)
            subprocess.run(
                ["ip", "netns", "exec", near, "tcpreplay", "-q", "-K", "-i", "eth0", "--pps", str(rate),
                 "--limit", str(count), made.path],
                capture_output=True, check=True, timeout=600,
            )  # fmt: skip
            until(result.exists, "result", SECONDS)
        got = json.loads(result.read_text())
        each = got["cpu"] / got["frames"] * 1e6
        first = first or each
        share = 100 * got["frames"] / count
        rows.append([way, f"{each:.2f} us", f"{each / first:.1f}", f"{share:.0f} %"])
    title = f"### Ways to read a packet, {rate:,} a second"
    return table(title, ["way", "CPU a packet", "times the first", "read"], rows)


def read(way: str, ready: str, result: str) -> None:
    """The reader, in a process of its own: reads what comes until nothing has come for a second."""
    import select

    from leakscan.sources.libpcap import LibpcapTap
    from leakscan.sources.sniffer import SnifferTap
    from leakscan.sources.tap import Wish

    tap = SnifferTap("eth0", Wish()) if way == "scapy" else LibpcapTap("eth0", Wish())
    frames = 0

    def take(header: object, frame: bytes) -> None:
        nonlocal frames
        header.getts(), header.getlen()  # type: ignore[attr-defined]
        frames += 1

    def once() -> int:
        before = frames
        if way == "dispatch":
            tap._handle.dispatch(1024, take)  # type: ignore[union-attr]
            return frames - before
        if way == "next":
            header, frame = tap._handle.next()  # type: ignore[union-attr]
            if header is not None:
                take(header, frame)
            return frames - before
        piece = tap.read(1024)
        return 0 if piece is None else len(piece.start)

    Path(ready).touch()
    begun = None
    total, last = 0, time.monotonic()
    while begun is None or time.monotonic() - last < 1:
        select.select([tap.fileno()], [], [], 0.1)
        while count := once():
            begun = time.process_time() if begun is None else begun
            total, last = total + count, time.monotonic()
    cpu = time.process_time() - begun
    written = Path(result + ".tmp")
    written.write_text(json.dumps({"frames": total, "cpu": cpu}))
    written.rename(result)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run leakscan live under load.")
    parser.add_argument("--seconds", type=int, default=5, help="at the first rate; the others send as many packets")
    parser.add_argument("--rates", default=",".join(map(str, RATES)), help="packets a second, by comma")
    parser.add_argument("--folder", help="for the traffic; default: a temporary one")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--read", nargs=3, metavar=("WAY", "READY", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(*options.read)
        return
    rates = [int(rate) for rate in options.rates.split(",")]
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="leakscan-") as folder:
        tell("traffic")
        made = traffic(folder, options.seconds, rates[0])
        text = loads_table(folder, made, rates) + "\n" + ways_table(folder, made, 60_000, 180_000)
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    text = f"One run; {machine}.\n\n{text}"
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
