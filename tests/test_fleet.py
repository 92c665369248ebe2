"""Many cores, one result."""

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

from leakscan import fleet
from leakscan.cli import run
from leakscan.series import bundles
from tests.builders import START_NS, pcap
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
HOUR = 3600 * 10**9


def captures(folder: Path, count: int) -> None:
    """So many captures an hour apart, the third in two parts that are one series; one is cut."""
    for number in range(count):
        lines = [request(f"/{i}", f"x-up-calling-line-id: 4477009{number:02d}{i:03d}") for i in range(20)]
        timed = [
            (START_NS + number * HOUR + i * 10**6, f)
            for i, f in enumerate(frames(b"".join(lines), range(0, 9999, 700)))
        ]
        parts = [timed[:3], timed[3:]] if number == 2 else [timed]
        for part, piece in enumerate(parts):
            data = pcap(piece)
            (folder / f"{number}-{part}.pcap").write_bytes(data[:-5] if number == 1 else data)


def result(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["analyse", *arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("format_name", ["jsonl", "table", "markdown"])
def test_any_number_of_jobs_gives_the_same(tmp_path, format_name):
    captures(tmp_path, 6)
    key = tmp_path.parent / "key"
    key.write_bytes(b"k" * 16)
    arguments = ("-f", format_name, "--pseudonym-key", str(key), str(tmp_path))
    one = result("-j", "1", *arguments)
    assert result("-j", "3", *arguments) == one
    assert one[0] == 1
    assert "file.cut" in one[2]


def test_small_series_go_together(tmp_path):
    sizes = {"a": 10, "b": 1, "c": 1, "d": 1, "e": 30, "f": 1}
    found = [["a"], ["b", "c"], ["d"], ["e"], ["f"]]
    assert list(bundles(found, sizes, 0)) == [[names] for names in found]
    assert list(bundles(found, sizes, 3)) == [[["a"]], [["b", "c"], ["d"]], [["e"]], [["f"]]]
    assert list(bundles(found, sizes, 99)) == [found]
    assert list(bundles([], sizes, 3)) == []


@pytest.mark.parametrize("jobs", ["1", "2", "3"])
def test_a_bad_capture_is_told_and_stops_no_other(tmp_path, jobs):
    captures(tmp_path, 4)
    whole = (tmp_path / "0-0.pcap").read_bytes()
    bad = {
        "0a.pcap": (b"no capture at all", "file.not-a-capture"),
        "0b.pcap": (b"", "file.empty"),
        "0c.pcap.gz": (gzip.compress(whole)[:-90], "file.cut"),
        "0d.pcap": (whole + b"\xff" * 40, "file.damaged"),
        "0e.pcap.gz": (b"\x1f\x8b\x08" + bytes(40), "file.damaged"),
    }
    for name, (data, _) in bad.items():
        (tmp_path / name).write_bytes(data)
    code, out, err = result("-j", jobs, "-f", "jsonl", str(tmp_path))
    *leaks, summary = [json.loads(line) for line in out.splitlines()][1:]
    assert code == 1
    assert {Path(leak["capture"]).name for leak in leaks} >= {
        "0-0.pcap",
        "1-0.pcap",
        "2-0.pcap",
        "2-1.pcap",
        "3-0.pcap",
    }
    told = {(Path(problem["capture"]).name, problem["loss"]) for problem in summary["coverage"]["problems"]}
    assert told >= {(name, loss) for name, (_, loss) in bad.items()}
    assert all(f"{name}: " in err or f"{name} at offset" in err for name in bad)


@pytest.mark.corpora
def test_real_captures_give_the_same(corpora, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    arguments = ("-f", "jsonl", "--pseudonym-key", str(key), "--min-confidence", "hint", str(corpora / "files"))
    assert result("-j", "2", *arguments) == result("-j", "1", *arguments)


def test_how_many(tmp_path, monkeypatch):
    captures(tmp_path, 3)
    names = [str(path) for path in tmp_path.iterdir()]
    assert fleet.jobs_for(names, None) == 1
    assert fleet.jobs_for(names, 99) == len(names)
    assert fleet.jobs_for([*names, "-"], 4) == 1
    monkeypatch.setattr(fleet, "MIN_BYTES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert fleet.jobs_for(names, None) == 2


def test_an_interruption_keeps_what_was_found(tmp_path):
    captures(tmp_path, 90)
    command = [sys.executable, "-m", "leakscan", "analyse", "-j", "2", "-f", "jsonl", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        lines += [json.loads(line) for line in process.stdout]
        assert process.wait(60) == 143
    assert [line["type"] for line in lines] == ["run", *["leak"] * (len(lines) - 2), "summary"]
    assert lines[-1]["total"]["leaks"] == len(lines) - 2
    assert lines[-1]["coverage"]["losses"]["unread"]["run.interrupted"] == 1
