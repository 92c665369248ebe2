"""Compressed captures: the same frames as plain ones, and nothing that a hostile file could ask for."""

from __future__ import annotations

import gzip
import lzma
import struct
import sys
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.losses import Losses
from leakscan.sources import compressed, frames
from tests.builders import pcap, pcapng
from tests.sources.test_readers import Pieces, read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
}
FRAMES = [bytes([index]) * (index * 7 % 200) for index in range(200)]
CAPTURE = pcap(FRAMES)
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"size"

every = pytest.mark.parametrize("name", COMPRESS)


def test_every_compression_is_tested() -> None:
    assert set(COMPRESS) == {row.name for row in compressed.COMPRESSIONS}


@every
@given(content=st.sampled_from([CAPTURE, pcapng(frames=FRAMES)]), sizes=st.lists(st.integers(1, 400), min_size=1))
@settings(max_examples=20)
def test_same_frames(name: str, content: bytes, sizes: list[int]) -> None:
    assert read(COMPRESS[name](content), sizes, size=4096) == read(content)


@every
@pytest.mark.parametrize("cut", [10, 24, 5000])
def test_several_members(name: str, cut: int) -> None:
    """What `cat a.gz b.gz` makes, also with padding between and behind."""
    pack = COMPRESS[name]
    for padding in (b"", bytes(512)):
        joined = pack(CAPTURE[:cut]) + padding + pack(b"") + pack(CAPTURE[cut:]) + padding
        for sizes in ([1], [1 << 30]):
            assert read(joined, sizes) == read(CAPTURE)


def test_skippable_frames() -> None:
    joined = SKIPPABLE_FRAME + zstd.compress(CAPTURE[:99]) + SKIPPABLE_FRAME + zstd.compress(CAPTURE[99:])
    assert read(joined) == read(CAPTURE)


@every
def test_cut(name: str) -> None:
    """Everything that the decompressor gives before the cut is kept, and one loss counted at every cut."""
    packed = COMPRESS[name](CAPTURE)
    whole, _ = read(CAPTURE)
    for size in range(8, len(packed), 11):
        seen, losses = read(packed[:size])
        assert seen == whole[: len(seen)]
        assert losses == {"file.cut": 1}


def test_cut_keeps_what_was_flushed() -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(CAPTURE[:5000]) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert read(packed)[0] == read(CAPTURE[:5000])[0]


@every
@settings(max_examples=50)
@given(where=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_damage(name: str, where: float, bit: int) -> None:
    packed = bytearray(COMPRESS[name](CAPTURE))
    packed[int(where * len(packed))] ^= 1 << bit
    read(bytes(packed))  # neither raises nor hangs


@every
def test_what_follows_must_be_of_the_same_kind(name: str) -> None:
    seen, losses = read(COMPRESS[name](CAPTURE) + b"something else")
    assert seen == read(CAPTURE)[0]
    assert losses == {"file.damaged": 1}


@pytest.mark.parametrize("outer", COMPRESS)
@pytest.mark.parametrize("inner", COMPRESS)
def test_one_level_only(outer: str, inner: str) -> None:
    seen, losses = read(COMPRESS[outer](COMPRESS[inner](CAPTURE)))
    assert (seen, losses) == ([], {"file.bomb": 1})


@every
def test_nothing_inside(name: str) -> None:
    assert read(COMPRESS[name](b"")) == ([], {"file.empty": 1})
    assert read(COMPRESS[name](b"hello, world")) == ([], {"file.not-a-capture": 1})


def test_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame after the other full of zeros: read as far as is free, then not."""
    bomb = zstd.compress(CAPTURE + pcap([bytes(1 << 20)] * 20)[24:])
    assert not read(bomb)[1]  # below the limit that leaves ordinary captures alone
    monkeypatch.setattr(compressed, "RATIO_FREE_BYTES", 8 << 20)
    seen, losses = read(bomb)
    assert len(FRAMES) < len(seen) < len(FRAMES) + 20
    assert losses == {"file.bomb": 1}


def test_zstd_window() -> None:
    options = {zstd.CompressionParameter.window_log: 28, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    bomb = packer.compress(CAPTURE) + packer.flush()
    assert read(bomb) == ([], {"file.bomb": 1})


def test_xz_memory() -> None:
    dictionary = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 192 << 20}]
    # The size that the header asks for is what counts: made by hand, for the real thing takes 2 GB to make.
    small = lzma.compress(CAPTURE, filters=[{**dictionary[0], "dict_size": 1 << 20}])
    header = bytearray(small[12 : 12 + (small[12] + 1) * 4])
    at = header.index(b"\x21\x01") + 2
    header[at] = 34  # 512 MiB (xz file format, section 5.3.1)
    header[-4:] = struct.pack("<I", zlib.crc32(header[:-4]))
    assert read(small[:12] + bytes(header) + small[12 + len(header) :]) == ([], {"file.bomb": 1})


@pytest.mark.parametrize(
    ("name", "modules"), [("zstd", ["compression.zstd", "backports.zstd"]), ("lz4", ["lz4.frame"])]
)
def test_missing_extra(name: str, modules: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    losses = Losses()
    assert not list(frames(Pieces(COMPRESS[name](CAPTURE)), "x", losses))
    assert losses == {"file.extra-missing": 1}
    assert f"pip install 'leakscan[{name}]'" in losses.problems[0].reason
