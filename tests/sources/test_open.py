"""Opening captures: files, pipes, standard input; what is seen of them from outside."""

from __future__ import annotations

import errno
import gzip
import io
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from leakscan.losses import Losses
from leakscan.sources import (
    BEGINNING_BATCHES,
    BEGINNING_BYTES,
    FOREIGN,
    HEAD_BYTES,
    SOURCES,
    Beginning,
    beginning,
    open_capture,
)
from leakscan.sources.stream import BUFFER_BYTES, MAX_RECORD_BYTES
from tests.builders import START_NS, enhanced, interface, pcap, pcapng, section

FRAMES = [b"one", b"two", b"three"]


def contents(name: str, losses: Losses, on_bytes: Callable[[int], None] | None = None) -> list[bytes]:
    return [
        bytes(batch.buffer[start : start + captured])
        for batch in open_capture(name, losses, on_bytes)
        for start, captured in zip(batch.start.tolist(), batch.captured.tolist(), strict=True)
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_of_the_file_are_reported(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "misleading.zst"
    path.write_bytes(pack(pcap(FRAMES * 1000)))
    sizes: list[int] = []
    losses = Losses()
    assert contents(str(path), losses, sizes.append) == FRAMES * 1000
    assert sum(sizes) == path.stat().st_size
    assert not losses


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = Losses()
    assert contents(str(tmp_path / "none"), losses) == []
    assert contents(str(tmp_path), losses) == []
    assert losses == {"file.unreadable": 2}

    class Failing(io.FileIO):
        def readinto(self, view: object) -> int:
            if self.tell():
                raise OSError(errno.EIO, "captured text must not be shown")
            return super().readinto(view)  # type: ignore[arg-type]

    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(FRAMES)[:-1] + bytes(100))
    monkeypatch.setattr(io, "FileIO", Failing)
    assert contents(str(path), losses) == []
    assert losses["file.unreadable"] == 3
    assert losses.problems[-1].reason == os.strerror(errno.EIO)


def test_frames_come_as_soon_as_they_are_there(tmp_path: Path) -> None:
    """What `tcpdump -U -w - | leakscan analyse -` stands on: plain, pcapng, and compressed with a flush."""
    for header, records, pack in [
        (pcap([]), [pcap([data])[24:] for data in FRAMES], None),
        (section() + interface(), [enhanced(data) for data in FRAMES], None),
        (pcap([]), [pcap([data])[24:] for data in FRAMES], zlib.compressobj(wbits=31)),
    ]:
        fifo = tmp_path / f"fifo{len(list(tmp_path.iterdir()))}"
        os.mkfifo(fifo)
        turn = threading.Semaphore(0)
        writer = threading.Thread(target=write_in_turns, args=(fifo, [header + records[0], *records[1:]], pack, turn))
        writer.start()
        seen = []
        turn.release()
        losses = Losses()
        for batch in open_capture(str(fifo), losses):
            (start,), (captured,) = batch.start.tolist(), batch.captured.tolist()
            seen.append(bytes(batch.buffer[start : start + captured]))
            turn.release()  # the next is written only after this one was seen
        writer.join(10)
        assert seen == FRAMES
        assert not losses


def write_in_turns(fifo: Path, pieces: list[bytes], packer: zlib._Compress | None, turn: threading.Semaphore) -> None:
    with fifo.open("wb", buffering=0) as file:
        for piece in pieces:
            assert turn.acquire(timeout=10)
            half = len(piece) // 2
            for part in (piece[:half], piece[half:]):
                file.write(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else part)
        if packer:
            file.write(packer.flush())


COUNT = """
import os, sys
from leakscan.losses import Losses
from leakscan.sources import open_capture
if "nonblocking" in sys.argv:
    os.set_blocking(0, False)
losses = Losses()
sys.stdout.write(f"{sum(len(batch.start) for batch in open_capture('-', losses))} {dict(losses)}")
"""


@pytest.mark.parametrize("mode", ["blocking", "nonblocking"])
def test_standard_input(mode: str) -> None:
    command = [sys.executable, "-c", COUNT, mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        out, _ = process.communicate(pcap(FRAMES * 10_000), timeout=60)
    assert out == b"30000 {}"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_beginning(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def of(content: bytes) -> Beginning | None:
        path.write_bytes(content)
        return beginning(str(path))

    assert of(pcap(FRAMES, link=113)) == Beginning(START_NS, frozenset({113}))
    assert of(gzip.compress(pcap(FRAMES))) == Beginning(START_NS, frozenset({1}))
    two = [section(), interface(1), interface(101), enhanced(b"1", 5, 1), enhanced(b"2", 6, 0)]
    assert of(pcapng(*two)) == Beginning(5000, frozenset({1, 101}))
    assert of(pcap(FRAMES)[:60]) == Beginning(START_NS, frozenset({1}))
    assert of(pcap([])) is None
    assert of(b"hello") is None
    assert beginning("-") is None
    assert beginning(str(tmp_path / "none")) is None
    os.mkfifo(tmp_path / "fifo")
    assert beginning(str(tmp_path / "fifo")) is None


def test_beginning_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    class Counting(io.FileIO):
        def readinto(self, view: object) -> int:
            counts.append(super().readinto(view))  # type: ignore[arg-type]
            return counts[-1]

    monkeypatch.setattr(io, "FileIO", Counting)
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([bytes(1400)] * 5000))
    assert beginning(str(path)) is not None
    assert 0 < sum(counts) <= BEGINNING_BATCHES * BEGINNING_BYTES + HEAD_BYTES < path.stat().st_size


def test_tables() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert (source.reader is None) != (source.compression is None)
        assert not any(source.recognises(magic + bytes(HEAD_BYTES)) for magic in FOREIGN)
    assert max(map(len, FOREIGN)) <= HEAD_BYTES
    assert 2 * MAX_RECORD_BYTES < BUFFER_BYTES


@pytest.mark.parametrize("magic", FOREIGN)
def test_foreign_formats_are_named(tmp_path: Path, magic: bytes) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(magic + bytes(100))
    losses = Losses()
    assert contents(str(path), losses) == []
    assert losses == {"file.not-a-capture": 1}
    assert losses.problems[0].reason == FOREIGN[magic]
