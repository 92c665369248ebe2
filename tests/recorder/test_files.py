"""Files that packets are kept in: which there are, how much they hold, and that tshark reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from leakscan.errors import UsageError
from leakscan.losses import Losses
from leakscan.model import FrameBatch, Origin
from leakscan.recorder import Recorder, files
from leakscan.recorder.files import Rotation
from leakscan.sources import open_capture
from leakscan.sources.tap import Drops

START = 1_326_153_600 * 10**9  # 2012-01-10T00:00:00Z
ETHERNET, COOKED = Origin("eth0", 1, 6, "eth0"), Origin("any", 113, 9, "any")


def batch(sizes: list[int], origin: Origin = ETHERNET, start_ns: int = START, first: int = 1) -> FrameBatch:
    captured = np.array(sizes, np.int64)
    data = b"".join(bytes([number % 256]) * size for number, size in enumerate(sizes))
    times = start_ns + np.arange(len(sizes)) * 10**6
    return FrameBatch(origin, data, np.cumsum(captured) - captured, captured, captured + 4, times, first)


def recorder(path: Path, *, rotation: Rotation = Rotation(), most: int = 10**9) -> tuple[Recorder, Losses, list[str]]:  # noqa: B008
    losses, said = Losses(), []
    return Recorder(str(path), rotation, most, False, losses, said.append), losses, said


def keep(made: Recorder, *batches: FrameBatch) -> None:
    assert list(made.through(batches)) == list(batches)


def read(path: Path) -> list[tuple[int, bytes, int, Origin]]:
    losses = Losses()
    out = []
    for found in open_capture(str(path), losses):
        for at, size, wire, time_ns in zip(found.start, found.captured, found.wire, found.time_ns, strict=True):
            out.append((int(time_ns), bytes(found.buffer[at : at + size]), int(wire), found.origin))
    assert losses.keys() <= {"capture.dropped"}  # the statistics say so
    return out


def test_what_is_kept_is_what_came(tmp_path):
    path = tmp_path / "a.pcapng"
    made, losses, said = recorder(path)
    first, second = batch([60, 61, 62, 63, 1514]), batch([70], COOKED, START + 10**9 + 123)
    keep(made, first, second)
    made.close({"eth0": Drops(10, 2, 3), "any": Drops(1, 0, 0)})
    back = read(path)
    assert [(size, wire) for _, frame, wire, _ in back for size in [len(frame)]] == [
        (60, 64), (61, 65), (62, 66), (63, 67), (1514, 1518), (70, 74),
    ]  # fmt: skip
    assert back[0][0] == START
    assert back[5][0] == START + 10**9 + 123
    assert [(o.link, o.digits, o.interface) for *_, o in (back[0], back[5])] == [(1, 6, "eth0"), (113, 9, "any")]
    assert (losses, said, path.stat().st_mode & 0o777) == ({}, [], 0o600)


def test_another_reader_finds_the_file_sound_with_the_drops_in_it(tmp_path):
    if shutil.which("capinfos") is None:
        pytest.skip("needs capinfos (Debian package wireshark-common)")
    made, *_ = recorder(tmp_path / "a.pcapng")
    keep(made, batch([60] * 3), batch([61], COOKED))
    made.close({"eth0": Drops(10, 2, 3)})
    done = subprocess.run(["capinfos", str(tmp_path / "a.pcapng")], capture_output=True, text=True, check=True)
    assert re.search(r"Number of packets: +4\b", done.stdout)
    assert re.search(r"Number of stat entries = 1", done.stdout)
    assert "Capture application: leakscan" in done.stdout


def test_rotation_by_size_gives_whole_files_of_at_most_that_size(tmp_path):
    made, *_ = recorder(tmp_path / "a.pcapng", rotation=Rotation(size=5000))
    keep(made, *(batch([1000] * 4, first=1 + 4 * n) for n in range(5)), batch([100], COOKED), batch([1000] * 9))
    made.close({})
    found = sorted(tmp_path.iterdir())
    assert all(path.stat().st_size <= 5000 for path in found)
    assert len(found) >= 7
    assert sum(len(read(path)) for path in found) == 30
    assert found[0].name == "a-00001-" + found[0].name[8:]


def test_rotation_by_time_is_packet_time_and_names_tell_it(tmp_path):
    made, *_ = recorder(tmp_path / "a.pcapng", rotation=Rotation(seconds=60))
    keep(made, *(batch([60], start_ns=START + minute * 60 * 10**9) for minute in range(3)))
    made.close({})
    assert [path.name[7:] for path in sorted(tmp_path.iterdir())] == [
        f"-20120110T000{minute}00Z.pcapng" for minute in range(3)
    ]


def test_the_oldest_goes_and_files_of_others_stay(tmp_path):
    (tmp_path / "a-00000-20120109T000000Z.pcapng").write_bytes(bytes(500))
    made, losses, said = recorder(tmp_path / "a.pcapng", rotation=Rotation(size=10**6), most=100_000)
    keep(made, *(batch([1000] * 50) for _ in range(10)))
    made.close({})
    own = [path for path in tmp_path.iterdir() if not path.name.startswith("a-00000")]
    assert 75_000 < sum(path.stat().st_size for path in own) <= 100_000
    assert (losses, said, len(own)) == ({}, [], 4)
    assert (tmp_path / "a-00000-20120109T000000Z.pcapng").exists()


def test_a_single_file_ends_where_there_is_no_more_room(tmp_path):
    path = tmp_path / "a.pcapng"
    made, losses, said = recorder(path, most=100_000)
    keep(made, *(batch([1000] * 50) for _ in range(4)))
    made.close({"eth0": Drops(200, 0, 0)})
    assert path.stat().st_size <= 100_000
    assert len(read(path)) + losses["write.not-kept"] == 200
    assert said == [f"warning: {path}: --write-max is reached, nothing more is kept"]


def test_no_more_names_are_remembered_than_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILES", 3)
    made, *_ = recorder(tmp_path / "a.pcapng", rotation=Rotation(size=3000))
    keep(made, batch([1000] * 40))
    made.close({})
    assert len(list(tmp_path.iterdir())) == 4


def test_a_place_that_cannot_be_written_is_a_mistake(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        recorder(tmp_path / "no" / "a.pcapng")


def test_a_disk_that_refuses_later_ends_the_keeping_and_not_the_capture(tmp_path, monkeypatch):
    made, losses, said = recorder(tmp_path / "a.pcapng")
    keep(made, batch([1000] * 5))

    def refuse(*_):
        raise UsageError("cannot write a.pcapng: No space left on device")

    assert made._files._file is not None
    monkeypatch.setattr(made._files._file.stream, "flush", refuse, raising=False)
    keep(made, batch([1000] * 5), batch([1000] * 5))
    made.close({})
    assert said == ["warning: cannot write a.pcapng: No space left on device"]
    assert losses["write.not-kept"] >= 5


def test_more_interfaces_than_the_bound_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_INTERFACES", 2)
    made, losses, _ = recorder(tmp_path / "a.pcapng")
    keep(made, *(batch([60, 60], Origin("-", 1, 6, f"eth{n}")) for n in range(3)))
    made.close({})
    assert (len(read(tmp_path / "a.pcapng")), dict(losses)) == (4, {"write.not-kept": 2})
