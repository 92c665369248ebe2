"""Captures that are on a server: as if they were files, streamed, and read on where a connection broke."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys

import pytest

from leakscan.errors import CaptureUnavailable, UsageError
from leakscan.filenames import shown_name
from leakscan.losses import Losses
from leakscan.sources import expand, open_capture, remote, stamp
from tests.builders import START_NS, pcap
from tests.fleet.captures import ROOT, capture, result
from tests.sources.servers import Files, serving

pytest.importorskip("fsspec", reason="needs the extra remote")

MIB = 1 << 20


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    monkeypatch.setattr(remote, "_stamps", {})
    monkeypatch.setattr(remote, "FIRST_WAIT_SECONDS", 0.01)


def big(size: int) -> bytes:
    """A capture of about so many bytes, of frames that are all different."""
    chance = random.Random(size)
    return pcap([(START_NS + number * 1000, chance.randbytes(1400)) for number in range(size // 1420)])


def frames_of(name: str, losses: Losses | None = None) -> list[bytes]:
    found = []
    for batch in open_capture(name, Losses() if losses is None else losses):
        found += [
            bytes(batch.buffer[start : start + size]) for start, size in zip(batch.start, batch.captured, strict=True)
        ]
    return found


def local(tmp_path, data: bytes) -> list[bytes]:
    path = tmp_path / "local.pcap"
    path.write_bytes(data)
    return frames_of(str(path))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_http_gives_the_frames_of_the_file(tmp_path, packed):
    data = big(6 * MIB)
    with serving(Files({"/x.pcap": gzip.compress(data, 1) if packed else data})) as server:
        assert frames_of(f"{server}/x.pcap") == local(tmp_path, data)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_broken_connection_is_resumed_where_it_broke(tmp_path, packed):
    data = big(12 * MIB)
    offer = Files({"/x.pcap": gzip.compress(data, 1) if packed else data}, breaks=4)
    with serving(offer) as server:
        losses = Losses()
        assert frames_of(f"{server}/x.pcap", losses) == local(tmp_path, data)
    assert not losses
    resumed = [int(line.removeprefix("bytes=").rstrip("-")) for line in offer.asked if line]
    assert len(resumed) == 4
    assert resumed == sorted(resumed)
    assert resumed[-1] > offer.piece  # not from the beginning


def test_a_server_without_ranges_is_asked_anew(tmp_path):
    data = big(4 * MIB)
    offer = Files({"/x.pcap": data}, breaks=2, ranges=False)
    with serving(offer) as server:
        assert frames_of(f"{server}/x.pcap") == local(tmp_path, data)


def test_a_connection_that_breaks_too_often_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "MAX_RETRIES", 2)
    offer = Files({"/x.pcap": big(8 * MIB)}, breaks=99, piece=0)
    with serving(offer) as server:
        losses = Losses()
        assert frames_of(f"{server}/x.pcap", losses) == []
    assert losses["file.unreadable"] == 1
    assert len(offer.asked) == 3


def test_another_version_after_a_break_is_an_error():
    offer = Files({"/x.pcap": big(4 * MIB)}, breaks=1, change_at=2)
    with serving(offer) as server:
        losses = Losses()
        frames_of(f"{server}/x.pcap", losses)
    assert losses["file.changed"] == 1


def test_what_has_no_capture_and_what_does_not_exist():
    with serving(Files({"/x.pcap": b"", "/y.pcap": b"not a capture, but long enough to be looked at"})) as server:
        for path, loss in (("/x.pcap", "file.empty"), ("/y.pcap", "file.not-a-capture")):
            losses = Losses()
            assert frames_of(server + path, losses) == []
            assert losses[loss] == 1
        with pytest.raises(CaptureUnavailable, match="not found"):
            expand([f"{server}/z.pcap"], Losses())
    with pytest.raises(UsageError, match="nothing here opens nonsense://"):
        expand(["nonsense://x/y.pcap"], Losses())


def test_links_on_a_page_and_globs():
    page = b'<a href="b10.pcap">b10.pcap</a> <a href="b9.pcap">b9.pcap</a> <a href="readme.html">?</a>'
    offer = Files(
        {"/d/": page, "/d/b9.pcap": capture(1), "/d/b10.pcap": capture(2), "/d/readme.html": b"<html></html>"}
    )
    with serving(offer) as server:
        expected = [f"{server}/d/b9.pcap", f"{server}/d/b10.pcap"]
        assert expand([f"{server}/d/"], Losses()) == expected
        assert expand([f"{server}/d/b*.pcap"], Losses()) == expected
        with pytest.raises(CaptureUnavailable, match="nothing matches"):
            expand([f"{server}/d/z*.pcap"], Losses())


def test_no_message_and_no_result_names_credentials():
    secret = "Wh1sper"
    with serving(Files({"/d/x.pcap": capture(1)})) as server:
        address = server.replace("http://", f"http://user:{secret}@")
        found = result("-f", "jsonl", f"{address}/d/x.pcap?sig={secret}")
        missing = result(f"{address}/d/missing.pcap?sig={secret}")
    broken = result(f"http://user:{secret}@127.0.0.1:9/x.pcap?sig={secret}#{secret}")
    assert found[0] == 1
    assert secret not in "".join(map(str, (*found, *missing, *broken)))
    assert json.loads(found[1].splitlines()[0])["captures"] == [{"name": f"{server}/d/x.pcap", "size": len(capture(1))}]
    assert missing[0] == broken[0] == 2
    assert "/d/missing.pcap: not found" in missing[2]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("s3://bucket/day/x.pcap", "s3://bucket/day/x.pcap"),
        ("https://me:pw@files.example/x.pcap?X-Amz-Signature=abc#f", "https://files.example/x.pcap"),
        ("https://files.example/447700900123/x.pcap", "https://files.example/.../x.pcap"),
        ("cannot open https://me:pw@files.example/x?y=z: no", "cannot open https://files.example/x no"),
    ],
)
def test_shown(name, shown):
    assert shown_name(name) == shown


def test_any_other_filesystem(tmp_path):
    import fsspec

    store = fsspec.filesystem("memory")
    data = big(6 * MIB)
    store.pipe("/captures/a2.pcap", data)
    store.pipe("/captures/a10.pcap.gz", gzip.compress(data, 1))
    store.pipe("/captures/notes.txt", b"nothing")
    losses = Losses()
    names = expand(["memory://captures/"], losses)
    assert names == ["memory:///captures/a2.pcap", "memory:///captures/a10.pcap.gz"]
    assert losses["file.skipped"] == 1
    for name in names:
        assert frames_of(name) == local(tmp_path, data)
    before = stamp(names[0])
    store.pipe("/captures/a2.pcap", data + b"x")
    assert stamp(names[0]) == before != stamp(names[0], again=True)


def test_a_store_that_changes_meanwhile_is_an_error():
    import fsspec

    store = fsspec.filesystem("memory")
    data = big(12 * MIB)
    store.pipe("/changing/a.pcap", data)
    losses = Losses()
    batches = open_capture("memory:///changing/a.pcap", losses)
    next(batches)
    store.pipe("/changing/a.pcap", data[: 11 * MIB])
    list(batches)
    assert losses["file.changed"] == 1


def test_state_knows_remote_captures_by_version(tmp_path):
    offer = Files({"/x.pcap": capture(1)})
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    with serving(offer) as server:
        arguments = ("-f", "jsonl", "--pseudonym-key", str(key), f"{server}/x.pcap")
        plain = result(*arguments)
        with_state = ("-j", "1", "--state", str(tmp_path / "state"), *arguments)
        assert result(*with_state) == plain
        asked = len(offer.asked)
        assert result(*with_state) == plain
        assert len(offer.asked) == asked


#: What reading a capture may add to the memory of the process, however long it is: two buffers, and what HTTP holds.
MEMORY = 40 * MIB
SCRIPT = """
import sys
from pathlib import Path
from leakscan.losses import Losses
from leakscan.sources import open_capture
def peak():  # not ru_maxrss, which a process has from the one that started it
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
count, name, small = 0, sys.argv[1], sys.argv[2]
for _ in open_capture(small, Losses()): pass
before = peak()
losses = Losses()
for batch in open_capture(name, losses): count += len(batch.start)
print(count, peak() - before, sum(losses.values()))
"""


def memory_of(name: str, small: str, **environment: str) -> tuple[int, int, int]:
    """Frames, bytes of memory that reading takes, losses; in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, small], capture_output=True, text=True, cwd=ROOT, timeout=120,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    frames, used, lost = map(int, done.stdout.split())
    return frames, used, lost


def test_50_mb_over_http_within_the_memory_bound():
    data = big(50 * 10**6)
    with serving(Files({"/x.pcap": data, "/small.pcap": big(5 * 10**6)}, breaks=3)) as server:
        frames, used, lost = memory_of(f"{server}/x.pcap", f"{server}/small.pcap")
    assert (frames, lost) == (50 * 10**6 // 1420, 0)
    assert used < MEMORY


def test_local_captures_load_nothing_of_it():
    script = "import sys; from leakscan.cli import run; run(sys.argv[1:]); sys.exit('fsspec' in sys.modules)"
    command = [sys.executable, "-c", script, "analyse", "-q", "fixtures/clean.pcap"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60).returncode == 0


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    code, _, err = result("s3://captures/x.pcap")
    assert code == 2
    assert "pip install 'leakscan[remote]'" in err
