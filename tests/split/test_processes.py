"""The same with processes: the result of one, whatever befalls them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import lzma
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan import split
from leakscan.cli import run
from leakscan.split import source, worker
from tests.builders import pcap, pcapng
from tests.split.test_cuts import CAPTURES, LEAK
from tests.streams import START_NS, frames, request

ROOT = Path(__file__).parent.parent.parent
PATCHED = (
    "from leakscan import split, cli; from leakscan.split import source; import os, sys; "
    "split.MIN_BYTES = split.BIG_BYTES = 1; split.MIN_WORKERS = 2; os.cpu_count = lambda: 2; "
    "source.places = lambda size: range(20_000, size, 20_000); sys.exit(cli.run(sys.argv[1:]))"
)


@pytest.fixture
def always(monkeypatch, tmp_path):
    """Every capture is worth it; gives arguments that all runs share."""
    monkeypatch.setattr(split, "MIN_BYTES", 1)
    monkeypatch.setattr(split, "MIN_WORKERS", 2)
    monkeypatch.setattr(split, "BIG_BYTES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(source, "places", lambda size: range(2000, size, 2000))
    (tmp_path / "key").write_bytes(b"k" * 16)
    return "--pseudonym-key", str(tmp_path / "key")


def many(count: int) -> list[bytes]:
    lines = [request(f"/{i}", LEAK.format(i % 1000), f"X-Any: {i}") for i in range(count)]
    return frames(b"".join(lines), range(0, 999_999, 700))


def result(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["analyse", *arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_compressed_capture_has_one_reader_and_all_detectors(always, tmp_path, suffix):
    path = tmp_path / f"some.pcap{suffix}"
    pack = {".gz": gzip.compress, ".xz": lzma.compress}[suffix]
    path.write_bytes(pack(pcap(many(400))))
    arguments = ("-f", "jsonl", *always, str(path))
    one, three = result("-j", "1", *arguments), result("-v", "-j", "3", *arguments)
    assert three[:2] == one[:2]
    assert "0 stretches read by 3 workers" in three[2]


@pytest.mark.parametrize("format_name", ["jsonl", "json", "table"])
@pytest.mark.parametrize("name", ["mixed", "interfaces", "cut", "damaged"])
def test_the_same_as_in_one_process(always, name, format_name, tmp_path):
    path = tmp_path / "some.pcap"
    path.write_bytes(CAPTURES[name])
    arguments = ("-f", format_name, *always, str(path))
    one = result("-j", "1", *arguments)
    assert result("-j", "2", *arguments) == one
    assert result("-j", "3", *arguments) == one


def test_bodies_and_known_values(always, tmp_path):
    (tmp_path / "known.toml").write_text('[[known]]\nkind = "imsi"\nvalue = "001010123456789"\n')
    bodies = [f"msisdn=4477009{number:05d}&x=001010123456789&y={'z' * 900}".encode() for number in range(300)]
    path = tmp_path / "some.pcap"
    sent = b"".join(request("/", method="POST", body=body) for body in bodies)
    path.write_bytes(pcap(frames(sent, range(0, 900_000, 700))))
    arguments = ("-f", "jsonl", "--bodies", "--known", str(tmp_path / "known.toml"), *always, str(path))
    there = result("-j", "2", *arguments)
    assert there == result("-j", "1", *arguments)
    assert there[1].count('"place":"body","name":"x","rule":"known-value"') >= 300


def test_captures_that_are_one_series_and_one_that_is_none(always, tmp_path):
    timed = [(START_NS + i * 10**6, frame) for i, frame in enumerate(many(300))]
    (tmp_path / "x.pcap1").write_bytes(pcap(timed[:20]))
    (tmp_path / "x.pcap2").write_bytes(pcap(timed[20:33]))
    (tmp_path / "x.pcap3").write_bytes(pcap(timed[33:])[:-9])
    (tmp_path / "y.pcap").write_bytes(b"no capture at all " * 3000)
    (tmp_path / "z.pcapng").write_bytes(pcapng(frames=[(START_NS + 10**15 + t, frame) for t, frame in timed]))
    arguments = ("-f", "jsonl", *always, str(tmp_path))
    one = result("-j", "1", *arguments)
    assert result("-j", "2", *arguments) == one
    losses = json.loads(one[1].splitlines()[-1])["coverage"]["losses"]["unread"]
    assert (losses["file.not-a-capture"], losses["file.cut"]) == (1, 1)
    assert one[1].count('"type":"leak"') >= 590


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_found(tmp_path, number):
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(many(9000)))
    command = [sys.executable, "-c", PATCHED, "analyse", "-f", "jsonl", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True
    ) as process:
        lines = [json.loads(process.stdout.readline())]
        os.killpg(process.pid, number)
        lines += [json.loads(line) for line in process.stdout]
        err, code = process.stderr.read(), process.wait(60)
    assert "Traceback" not in err
    assert lines[-1]["type"] == "summary", err
    assert lines[-1]["total"]["leaks"] == len(lines) - 2
    interrupted = lines[-1]["coverage"]["losses"]["unread"].get("run.interrupted", 0)
    assert (code, interrupted) in ((128 + number, 1), (1, 0))  # or it was done before


@pytest.mark.parametrize("what", ["read", "look", "summary"])
def test_an_error_over_there_is_told_here(always, tmp_path, monkeypatch, what):
    def broken(*given):
        raise ZeroDivisionError("447700900123")

    monkeypatch.setattr(worker.Worker, what, broken)
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(many(300)))
    code, _, err = result("-v", "-j", "2", *always, str(path))
    assert code == 70
    assert "ZeroDivisionError" in err
    assert "test_processes.py" in err
    assert "447700900123" not in err


@pytest.mark.parametrize("what", ["read", "look", "summary"])
def test_a_worker_that_is_gone(always, tmp_path, monkeypatch, what):
    monkeypatch.setattr(worker.Worker, what, lambda *given: os.kill(os.getpid(), signal.SIGKILL))
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(many(300)))
    code, _, err = result("-j", "2", *always, str(path))
    assert (code, "try -j 1" in err) == (70, True)


def test_who_asks_is_told_how_the_work_was_shared(always, tmp_path):
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(many(300)))
    cuts = len(source.places(path.stat().st_size))
    err = result("-v", "-j", "2", *always, str(path))[2]
    assert f"{cuts} stretches read by 2 workers, 0 of them again, in order" in err
    assert "stretches" not in result("-j", "2", *always, str(path))[2]


def test_nobody_is_left_behind(always, tmp_path, monkeypatch):
    born, fork = [], os.fork
    monkeypatch.setattr(os, "fork", lambda: born.append(fork()) or born[-1])
    path = tmp_path / "some.pcap"
    path.write_bytes(pcap(many(300)))
    assert result("-j", "2", *always, str(path))[0] == 1
    assert len(born) == 2
    for process in born:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_when_it_pays(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    small, big, packed = (str(tmp_path / name) for name in ("small", "big", "packed"))
    rotated = [str(tmp_path / f"x.pcap{i}") for i in range(9)]
    apart = [str(tmp_path / f"{chr(97 + i)}.pcap") for i in range(9)]
    Path(small).write_bytes(pcap(many(3)))
    Path(packed).write_bytes(b"\x1f\x8b\x08")
    Path(big).write_bytes(pcap(many(3)))
    for name in (big, packed, *rotated, *apart):
        Path(name).touch()
        os.truncate(name, split.MIN_BYTES)
    assert split.pays([big], None)
    assert split.pays([big], 3)
    assert not split.pays([big], 2)  # the relay is faster
    assert split.pays([big, small], 2)
    assert split.pays([big, packed], 2)
    assert split.pays(rotated, 8)  # one series, as it seems
    assert not split.pays(apart, 8)  # series of their own are the better unit
    assert not split.pays([big], 1)
    assert not split.pays([small], 2)
    assert split.pays([packed], 3)
    assert not split.pays([packed], 2)
    assert not split.pays([big, "-"], 2)
    assert not split.pays([], 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert not split.pays([big], 2)
