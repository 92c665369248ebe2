"""A capture as a row of pieces: one behind the other they are the file, and frames are numbered as the readers do."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from leakscan.losses import Losses
from leakscan.redaction.job import _end
from leakscan.redaction.records import pieces
from leakscan.redaction.searching import without_fcs
from leakscan.sources import content, open_capture
from tests.builders import block, enhanced, interface, obsolete, option, pcap, pcapng, section, simple
from tests.conftest import CORPORA

FRAMES = [bytes([n]) * (60 + n) for n in range(5)]
FIXTURES = sorted((Path(__file__).parent.parent.parent / "fixtures").glob("*.pcap"))


def read(path: Path) -> tuple[bytes, dict[int, tuple[bytes, int]], int | None]:
    """The bytes of all pieces, the frames in them by number, and where reading ended."""
    losses = Losses()
    expected = {
        batch.first_frame + n: (bytes(batch.buffer[start : start + captured]), batch.base + int(start), int(wire))
        for batch in open_capture(str(path), losses)
        for n, (start, captured, wire) in enumerate(
            zip(batch.start.tolist(), batch.captured.tolist(), batch.wire.tolist(), strict=True)
        )
    }
    end = _end(losses)
    data, frames = bytearray(), {}
    for piece in pieces(str(path), end) or ():
        if piece.frame and piece.link >= 0:
            size = without_fcs(piece)
            frames[piece.frame] = (
                piece.frame_bytes[:size], len(data) + piece.start, max(piece.wire - piece.fcs, 0) if piece.fcs else piece.wire
            )  # fmt: skip
        data += piece.data
    assert frames == expected
    return bytes(data), frames, end


MIXED = pcapng(
    section(), interface(snap=0), interface(link=101), enhanced(FRAMES[0]), block(4, b"\0\0\0\0"), simple(FRAMES[1]),
    obsolete(FRAMES[2], 5), block(0x0BAD, b"abcd" * 4), enhanced(FRAMES[3], interface=1),
    enhanced(FRAMES[4], options=option(1, b"a comment") + option(0, b"")), enhanced(FRAMES[0], interface=9),
    section(">"), interface(order=">"), enhanced(FRAMES[1], order=">"), block(0x77777777, b"unknown!", order=">"),
)  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        pcap(FRAMES),
        pcap(FRAMES, ns=True, order=">"),
        pcap(FRAMES, version=(2, 3)),
        pcap(FRAMES, magic=0xA1B2CD34, extra=bytes(8)),
        pcap(FRAMES, link=1 | 0x2400_0000),
        pcap([(0, FRAMES[0], 5000)]),
        pcap([]),
        pcapng(frames=FRAMES),
        pcapng(section(), interface(fcslen=4), enhanced(FRAMES[0]), enhanced(FRAMES[1], wire=500)),
        MIXED,
    ],
    ids=range(10),
)
def test_nothing_is_left_out(tmp_path, data):
    for name, made in (("a", data), ("b", gzip.compress(data))):
        (tmp_path / name).write_bytes(made)
        copied, _, end = read(tmp_path / name)
        assert (copied, end) == (data, None)


@pytest.mark.parametrize("cut", [1, 20, 61, 100])
def test_a_cut_file_ends_with_its_last_whole_record(tmp_path, cut):
    for data in (pcap(FRAMES), pcapng(frames=FRAMES)):
        (tmp_path / "a").write_bytes(data[:-cut])
        copied, frames, end = read(tmp_path / "a")
        assert data.startswith(copied)
        assert len(copied) >= len(data) - cut - 100
        assert end is not None
        assert frames


def test_damage_ends_it_where_the_reader_stopped(tmp_path):
    good = pcap(FRAMES)
    (tmp_path / "a").write_bytes(good + b"\xff" * 500)
    copied, frames, _ = read(tmp_path / "a")
    assert (copied, len(frames)) == (good, 5)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixtures(path):
    copied, _, end = read(path)
    assert path.read_bytes().startswith(copied)
    assert end is not None or copied == path.read_bytes()


@pytest.mark.corpora
def test_real_captures():
    files = [path for path in sorted((Path(CORPORA) / "files").iterdir()) if path.stat().st_size < 200_000][::4]
    for path in files:
        if "invalid" not in path.name and pieces(str(path)) is not None:
            copied, _, end = read(path)
            whole = b"".join(content(str(path)))
            assert whole.startswith(copied), path.name
            assert end is not None or copied == whole, path.name
