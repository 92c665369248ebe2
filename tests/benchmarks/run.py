"""leakscan beside its peers, on generated traffic: wall time, peak memory, and whether every planted leak was found.

    python -m tests.benchmarks.run                      some minutes, 100 MB
    python -m tests.benchmarks.run --size 1GB --growth --write
                                                        the real figures, into docs/performance.md

In: a size, that of the mixed traffic; the others follow from it. Out: tables. State: captures in a temporary folder,
gone at the end.

The programs of a table run in turn, round after round, each a new process, start-up included, the capture in the page
cache; the median counts. Only ratios within one table mean anything on another machine. A peer that is not installed is
named with its Debian package and left out; nothing is installed. Peak memory is that of all processes of a program
together, what they share counted twice; the kernel charges a child with what its parent had at the time, so less than
this runner's own memory cannot be told.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.traffic import parse_size

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- tests/benchmarks/run.py writes from here -->", "<!-- to here -->"
RULE = "x-up-calling-line-id"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


class Program(NamedTuple):
    """A program of a table. `package` is the Debian package that it comes in."""

    name: str
    line: str  # as in a shell; `python` is this one
    package: str = ""

    def command(self, capture: str) -> list[str]:
        words = {"python": sys.executable, "CAPTURE": capture}
        return [words.get(word, word) for word in shlex.split(self.line)]


class Capture(NamedTuple):
    """A generated capture, and the frames in which its planted requests begin."""

    path: str
    size: int
    frames: int
    streams: int
    whole: frozenset[int]
    torn: frozenset[int]


class Run(NamedTuple):
    seconds: float
    peak: int  # bytes


class Row(NamedTuple):
    """One line of a table: what was run on what."""

    name: str
    program: Program
    capture: Capture


class Missed(Exception):
    """leakscan did not find what was planted, or found what was not."""


def measure(command: list[str], folder: str, output: str = os.devnull) -> Run:
    """Run one process to its end. Raises CalledProcessError."""
    # As when it is installed: modules are compiled once, not at every start.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(Path(folder, "compiled"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with Path(output).open("wb") as out:
        before = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd=folder, env=environment)
        family = Family(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(seconds, max(usage.ru_maxrss * RSS_UNIT, family.peak()))


class Family(threading.Thread):
    """Watches the memory of a process and of those that it forks: the kernel's peak is that of one. Linux only."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.02):
            self._peak = max(self._peak, self._resident(self._pid))

    def peak(self) -> int:
        self._over.set()
        self.join()
        return self._peak

    def _resident(self, pid: int) -> int:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (OSError, IndexError):
            return 0
        return pages * resource.getpagesize() + sum(self._resident(int(child)) for child in children)


def check(output: str, capture: Capture) -> None:
    """Hold leakscan's JSON Lines against what was planted. Raises Missed."""
    found: set[int] = set()
    with Path(output).open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line["type"] == "leak":
                found.add(line["frame"] if line["rule"] == RULE else 0)
    missed, invented = capture.whole - found, found - capture.whole - capture.torn
    if missed or invented:
        raise Missed(f"{len(missed)} of {len(capture.whole)} planted leaks missed, {len(invented)} invented")


class Bench:
    """Makes captures and runs the rows of a table over them."""

    def __init__(self, folder: str, runs: int) -> None:
        self.folder = folder
        self.runs = runs

    def capture(self, kind: str, size: int, form: str = "pcap") -> Capture:
        """`form`: pcap, pcapng, gtp-u, zstd. In a process of its own: a child is charged with its parent's memory."""
        path = str(Path(self.folder, f"{kind}-{size}.{form}"))
        report = path + ".json"
        generator = [sys.executable, "-m", "tests.benchmarks.traffic", kind, str(size), "--report", report]
        if form == "zstd":
            with subprocess.Popen([*generator, "-"], stdout=subprocess.PIPE, cwd=ROOT) as made:
                subprocess.run(["zstd", "-q", "-f", "-o", path], stdin=made.stdout, check=True)
        else:
            options = {"gtp-u": ["--gtp-u"], "pcapng": ["--format", "pcapng"]}.get(form, [])
            subprocess.run([*generator, path, *options], check=True, cwd=ROOT)
        made = json.loads(Path(report).read_text())
        whole, torn = frozenset(made["whole"]), frozenset(made["torn"])
        return Capture(path, made["size"], made["frames"], made["streams"], whole, torn)

    def measure(self, rows: list[Row]) -> list[Run]:
        """The median time and the highest memory of each row, all of them run in turn."""
        runs: list[list[Run]] = [[] for _ in rows]
        for capture in {row.capture for row in rows}:
            warm(capture.path)
        for program in {row.program.line: row.program for row in rows if row.program is LEAKSCAN}.values():
            measure(program.command(str(ROOT / "fixtures" / "o2-2012.pcap")), self.folder)  # compiles its modules
        for turn in range(self.runs):
            for index, row in enumerate(rows):
                tell(f"{row.name}, {turn + 1} of {self.runs}")
                planted = row.program is LEAKSCAN
                output = str(Path(self.folder, "output")) if planted else os.devnull
                runs[index].append(measure(row.program.command(row.capture.path), self.folder, output))
                if planted:
                    check(output, row.capture)
        return [Run(median(run.seconds for run in many), max(run.peak for run in many)) for many in runs]

    def forget(self, captures: Iterable[Capture]) -> None:
        for capture in captures:
            Path(capture.path).unlink(missing_ok=True)


def warm(path: str) -> None:
    """Read a file once, so that it is in the page cache."""
    with Path(path).open("rb") as file:
        while file.read(1 << 20):
            pass


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- the tables --------------------------------------------------------------------------------------------------------


def peers_table(bench: Bench, kind: str, size: int, programs: list[Program]) -> str:
    """leakscan and its peers over one kind of traffic."""
    capture = bench.capture(kind, size)
    results = bench.measure([Row(f"{kind}: {program.name}", program, capture) for program in programs])
    bench.forget([capture])
    own = results[0].seconds
    lines = [
        [
            program.name,
            f"{run.seconds:.2f} s",
            "1" if program is LEAKSCAN else f"{run.seconds / own:.2f}",
            a_frame(run, capture),
            memory(run),
        ]
        for program, run in zip(programs, results, strict=True)
    ]
    planted = f"{len(capture.whole):,} planted leaks, all found"
    title = f"### {kind}: {megabytes(capture.size)}, {capture.frames:,} frames, {planted}"
    return table(title, ["program", "time", "times leakscan's", "a frame", "peak memory"], lines)


def forms_table(bench: Bench, size: int) -> str:
    """leakscan over the same mixed traffic in other forms."""
    forms = ["pcap", "pcapng", "gtp-u", *(["zstd"] if shutil.which("zstd") else [])]
    captures = [bench.capture("mixed", size, form) for form in forms]
    results = bench.measure([Row(form, LEAKSCAN, capture) for form, capture in zip(forms, captures, strict=True)])
    bench.forget(captures)
    lines = [
        [form, f"{run.seconds:.2f} s", f"{run.seconds / results[0].seconds:.2f}", memory(run)]
        for form, run in zip(forms, results, strict=True)
    ]
    title = f"### The same packets in other forms: mixed, {megabytes(size)}"
    return table(title, ["form", "time", "times pcap's", "peak memory"], lines)


def growth_table(bench: Bench, size: int, factors: list[float]) -> str:
    """leakscan over more and more of the same, in bytes and in streams: time grows with it, memory does not."""
    lines = []
    for kind, whole in (("mixed", size), ("tiny", size // 10)):
        captures = [bench.capture(kind, int(whole * factor)) for factor in factors]
        results = bench.measure([Row(f"{kind}, {megabytes(c.size)}", LEAKSCAN, c) for c in captures])
        bench.forget(captures)
        lines += [
            [
                kind,
                megabytes(capture.size),
                f"{capture.streams:,}",
                f"{run.seconds:.2f} s",
                a_frame(run, capture),
                memory(run),
            ]
            for capture, run in zip(captures, results, strict=True)
        ]
    return table("### Growth", ["traffic", "capture", "streams", "time", "a frame", "peak memory"], lines)


def cores_table(bench: Bench, size: int) -> str:
    """One capture on one core and on all."""
    lines = []
    for kind, wanted in (("mixed", size), ("http", size // 2)):
        capture = bench.capture(kind, wanted)
        one, all_of_them = bench.measure([Row(f"{kind}, -j 1", ALONE, capture), Row(f"{kind}, -j", LEAKSCAN, capture)])
        bench.forget([capture])
        ratio = f"{one.seconds / all_of_them.seconds:.2f}"
        lines.append([kind, megabytes(capture.size), f"{one.seconds:.2f} s", f"{all_of_them.seconds:.2f} s", ratio])
    return table("### Cores", ["traffic", "capture", "-j 1", f"-j {os.cpu_count()}", "times as fast"], lines)


def stages_table(bench: Bench, size: int) -> str:
    """Where the time goes, stage by stage: breakdown.py, once a kind."""
    kinds = {"mixed": size, "http": size // 2}
    taken = []
    for kind, wanted in kinds.items():
        capture = bench.capture(kind, wanted)
        warm(capture.path)
        command = [sys.executable, "-m", "tests.benchmarks.breakdown", capture.path]
        runs = [json.loads(subprocess.check_output(command, cwd=ROOT)) for _ in range(bench.runs)]
        taken.append({stage: (median(run[stage][0] for run in runs), *runs[0][stage][1:]) for stage in runs[0]})
        bench.forget([capture])
    lines = []
    for stage in taken[0]:
        line = [stage]
        for one in taken:
            seconds, unit, count = one[stage]
            line += [f"{seconds:.2f} s", f"{seconds / count * 1e6:.2f} us a {unit}" if count > 1 else ""]
        lines.append(line)
    head = [text for kind, wanted in kinds.items() for text in (f"{kind}, {megabytes(wanted)}", "each")]
    return table("### Stages", ["stage", *head], lines)


def start_table(bench: Bench) -> str:
    """What starting costs, before the first packet."""
    capture = Capture(str(ROOT / "fixtures" / "clean.pcap"), 0, 1, 1, frozenset(), frozenset())
    results = bench.measure([Row(program.name, program, capture) for program in STARTS])
    lines = [
        [
            program.name,
            f"{run.seconds * 1000:.0f} ms",
            f"{run.seconds / results[0].seconds:.1f}",
            megabytes(run.peak),
        ]
        for program, run in zip(STARTS, results, strict=True)
    ]
    return table("### Start", ["command", "time", "times the first", "peak memory"], lines)


def a_frame(run: Run, capture: Capture) -> str:
    return f"{run.seconds / capture.frames * 1e6:.2f} us"


def memory(run: Run) -> str:
    """Peak memory, or that it is no more than what every child of this process is charged with."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    return megabytes(run.peak) if run.peak > own else f"up to {megabytes(own)}"


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def table(title: str, head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join([title, "", *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def installed(programs: Iterable[Program]) -> tuple[list[Program], list[str]]:
    """The programs that are there, and a line for each that is not."""
    programs = list(programs)
    there = [program for program in programs if shutil.which(program.command("")[0])]
    missing = [f"{p.name} is not installed (Debian package {p.package})" for p in programs if p not in there]
    return there, missing


def written(page: str, tables: str) -> str:
    """The page with `tables` between its markers. Raises ValueError when it has none."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run leakscan beside its peers.")
    parser.add_argument("--size", type=parse_size, default=parse_size("100MB"), help="of mixed traffic: 1GB, 250MB")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default=",".join(TABLES), help=f"tables, by comma: {', '.join(TABLES)}")
    parser.add_argument("--growth", action="store_true", help="also four times the size")
    parser.add_argument("--folder", help="for the captures; default: a temporary one")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(TABLES):
        parser.error(f"no table {', '.join(sorted(unknown))}")
    if options.write and wanted != list(TABLES):
        parser.error("--write needs all tables")
    programs, missing = installed(PROGRAMS)
    if not shutil.which("zstd"):
        missing.append("zstd is not installed (Debian package zstd)")
    for line in missing:
        tell(line)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="leakscan-") as folder:
        bench = Bench(folder, options.runs)
        tables = [TABLES[name](bench, options.size, programs, options.growth) for name in wanted]
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    runs = f"Median of {options.runs} runs in turn; {machine}. Memory: the highest of them."
    tables = [runs + "\n", *(line + "\n" for line in missing), *tables]
    print("\n".join(tables))
    if options.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), "\n".join(tables)), encoding="utf-8")


LEAKSCAN = Program("leakscan", "python -m leakscan analyse -q -f jsonl --exit-zero CAPTURE")
ALONE = Program("leakscan -j 1", LEAKSCAN.line.replace("CAPTURE", "-j 1 CAPTURE"))
#: leakscan first: the others are compared with it.
PROGRAMS = (
    LEAKSCAN,
    Program("tcpdump, reading only", "tcpdump -r CAPTURE -w /dev/null", "tcpdump"),
    Program("httpry", "httpry -q -r CAPTURE", "httpry"),
    Program("ngrep", "ngrep -q -I CAPTURE HTTP/1. tcp", "ngrep"),
    Program("tcpflow, console", "tcpflow -c -r CAPTURE", "tcpflow"),
    Program("dpkt, plain loop", "python -m tests.benchmarks.dpkt_loop CAPTURE"),
    Program("tshark", "tshark -r CAPTURE -Y http.request -T fields -e http.host -e http.request.line", "tshark"),
)
STARTS = (
    Program("python -c pass", "python -c pass"),
    Program("python, click", "python -c 'import click'"),
    Program("python, numpy", "python -c 'import numpy'"),
    Program("leakscan --version", "python -m leakscan --version"),
    Program("leakscan --help", "python -m leakscan --help"),
    Program("leakscan analyse of a few frames", LEAKSCAN.line),
)

Table = Callable[[Bench, int, list[Program], bool], str]
#: Name -> the table. Sizes as parts of the mixed traffic's.
TABLES: dict[str, Table] = {
    "mixed": lambda bench, size, programs, growth: peers_table(bench, "mixed", size, programs),
    "http": lambda bench, size, programs, growth: peers_table(bench, "http", size // 2, programs),
    "quiet": lambda bench, size, programs, growth: peers_table(bench, "quiet", size // 2, programs),
    "tiny": lambda bench, size, programs, growth: peers_table(bench, "tiny", size // 10, programs),
    "lossy": lambda bench, size, programs, growth: peers_table(bench, "lossy", size // 2, programs),
    "forms": lambda bench, size, programs, growth: forms_table(bench, size),
    "growth": lambda bench, size, programs, growth: growth_table(bench, size, [0.1, 1, 4, 10] if growth else [0.1, 1]),
    "cores": lambda bench, size, programs, growth: cores_table(bench, size * (8 if growth else 1)),
    "stages": lambda bench, size, programs, growth: stages_table(bench, size),
    "start": lambda bench, size, programs, growth: start_table(bench),
}

if __name__ == "__main__":
    main()
