"""Bytes that know where they came from, through any slices and joins; and the walk that reads them is decode's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.decode import Decoder
from leakscan.losses import Losses
from leakscan.model import Origin
from leakscan.redaction.located import Located, Run, joined
from leakscan.redaction.records import pieces
from leakscan.redaction.searching import usual, without_fcs
from leakscan.redaction.tracing import Tracer
from tests.conftest import CORPORA

FRAMES = {1: bytes(range(100)), 2: bytes(range(100, 200)), None: b"\xff" * 50}
cuts = st.tuples(st.integers(-120, 120), st.integers(-120, 120))


def frame(number: int) -> Located:
    return Located.of(FRAMES[number], (Run(0, number, 0),))


def is_right(data: Located) -> None:
    """Every byte is where its run says, and the places cover all of it."""
    covered = 0
    for low, high, source, offset in data.places(0, len(data)):
        assert low == covered
        assert data[low:high] == FRAMES[source][offset : offset + high - low] or source is None
        covered = high
    assert covered == len(data)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), cuts), min_size=1, max_size=6), cuts, st.booleans())
def test_slices_of_joins_of_slices(parts, cut, nobody_s):
    data = joined([frame(number)[low:high] for number, (low, high) in parts])
    is_right(data)
    is_right(data[cut[0] : cut[1]])
    if nobody_s:
        is_right(b"\xff" * 3 + data)
        is_right(data + b"\xff" * 3)
        is_right((data + data)[cut[0] :])
    for low, high, source, offset in data.places(*sorted(abs(end) for end in cut)):
        assert data[low:high] == FRAMES[source][offset : offset + high - low]


def test_it_is_bytes_to_everybody():
    data = frame(1)[10:20]
    assert data == bytes(range(10, 20))
    assert (data[0], data[-1], data[::2]) == (10, 19, bytes(range(10, 20, 2)))
    assert hash(data) == hash(bytes(data))
    assert frame(1)[50:10] == b""


def same_as_decode(path: Path) -> int:
    """Traced frame by frame and decoded: the same segments, and each byte stands in the frame where it is said to."""
    tracer, decoder, frames, count = Tracer(), Decoder(Losses()), {}, 0
    for piece in pieces(str(path)) or ():
        if piece.link < 0 or not piece.frame:
            continue
        data = piece.data[piece.start : piece.start + without_fcs(piece)]
        frames[piece.frame] = data
        wire = piece.wire - piece.fcs
        traced = tracer.trace(data, wire, piece.link, piece.frame).segments
        decoded = decoder.decode(data, wire, piece.frame, 0, Origin("", piece.link, 0, ""))
        said = [(bytes(s.key), s.seq, s.flags, bytes(s.payload), s.missing) for s in traced]
        assert said[: len(decoded)] == [(s.key, s.seq, s.flags, s.payload, s.missing) for s in decoded]
        for segment in traced:
            for low, high, number, offset in segment.payload.places(0, len(segment.payload)):
                assert frames[number][offset : offset + high - low] == segment.payload[low:high]
        plain = usual(piece.data, piece.start, len(data), wire) if piece.link == 1 else None
        if plain is not None:
            (segment,) = decoded
            payload = piece.data[plain.start : plain.end]
            assert (plain.key, plain.seq, plain.flags, payload) == (
                segment.key, segment.seq, segment.flags & 0xFF, segment.payload
            )  # fmt: skip
        count += 1
    return count


@pytest.mark.parametrize("name", ["o2-2012", "gtp-u", "ipv6", "lossy", "clean", "tls-only", "cut"])
def test_the_walk_is_decode_s(name):
    assert same_as_decode(Path(__file__).parent.parent.parent / "fixtures" / f"{name}.pcap")


@pytest.mark.corpora
def test_the_walk_is_decode_s_over_real_captures():
    """Of every fifth small capture, so that it takes seconds."""
    files = [path for path in sorted((Path(CORPORA) / "files").iterdir()) if path.stat().st_size < 100_000][::5]
    assert sum(same_as_decode(path) for path in files if "invalid" not in path.name) > 1000
