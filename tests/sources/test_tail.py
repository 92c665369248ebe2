"""The end of a capture by itself says what reading all of it says, or nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from leakscan import sources
from leakscan.losses import Losses
from leakscan.series import Extent, extent, plan, series
from leakscan.sources import beginning, ending, open_capture, tail
from tests.builders import START_NS, block, enhanced, interface, pcap, pcapng, section, statistics
from tests.streams import frames, request
from tests.test_any_cut import capture as any_capture

SECOND = 10**9
SENT = b"".join(request(f"/{number}", f"X-Any: {'a' * 300}") for number in range(60))
TIMED = [(START_NS + number * SECOND, frame) for number, frame in enumerate(frames(SENT, range(0, 99_999, 400)))]
LAST = TIMED[-1][0]
WHOLE = {
    "pcap": pcap(TIMED),
    "nanoseconds": pcap(TIMED, ns=True, order=">"),
    "old lengths": pcap(TIMED, version=(2, 2)),
    "kuznetzov": pcap(TIMED, magic=0xA1B2CD34, extra=bytes(8)),
    "pcapng": pcapng(frames=TIMED),
    "big-endian pcapng": pcapng(frames=TIMED, order=">"),
    "statistics at the end": pcapng(frames=TIMED) + statistics(7),
    "another section at the end": pcapng(frames=TIMED[:-9]) + pcapng(frames=TIMED[-9:]),
}
UNTOLD = {
    "gzip": gzip.compress(pcap(TIMED)),
    "damaged at the end": pcap(TIMED) + b"\xff" * 40,
    "no capture": b"nothing at all " * 999,
    "an interface in the middle": b"".join(
        [section(), interface(), *(enhanced(f, t // 1000) for t, f in TIMED[:40]), interface(tsresol=9)]
        + [enhanced(f, t, 1) for t, f in TIMED[40:]]
    ),
    "an interface at the end": b"".join(
        [section(), interface(), *(enhanced(f, t // 1000) for t, f in TIMED), interface(tsresol=9)]
    ),
    "nothing but options at the end": pcapng(frames=TIMED) + block(4, bytes(2 * 4096)),
}


@pytest.fixture
def short(monkeypatch):
    """Small captures are long ones."""
    monkeypatch.setattr(sources, "LONG_BYTES", 4096)
    monkeypatch.setattr(tail, "TAIL_BYTES", 4096)
    monkeypatch.setattr(tail, "HEAD_BYTES", 2048)


def all_of(name: str) -> int:
    return max(int(batch.time_ns.max()) for batch in open_capture(name, Losses()))


def written(folder: Path, data: bytes) -> str:
    (folder / "x.pcap").write_bytes(data)
    return str(folder / "x.pcap")


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("cut", [0, 7, 300, 301, 302, 303])
def test_what_the_end_tells(tmp_path, short, name, cut):
    path = written(tmp_path, WHOLE[name][: len(WHOLE[name]) - cut])
    assert ending(path) == all_of(path)
    assert extent(path) == Extent(beginning(path), all_of(path))


@pytest.mark.parametrize("name", UNTOLD)
def test_what_it_does_not_tell(tmp_path, short, name):
    path = written(tmp_path, UNTOLD[name])
    assert ending(path) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_capture())
def test_whatever_was_captured(tmp_path, short, what):
    for data in what[0]:
        path = written(tmp_path, data)
        found = ending(path)
        if len(data) < 4096:
            assert found is None
        elif found is not None:  # frames may be out of order: the latest may stand before the last part
            times = [int(time) for batch in open_capture(path, Losses()) for time in batch.time_ns]
            assert found in times[-4096 // 16 :]
            assert times[-1] <= found


def test_a_late_frame_at_the_end_counts(tmp_path, short):
    """Of the last part the latest is meant, not the last."""
    late = [*TIMED[:-2], (LAST + 5 * SECOND, TIMED[-2][1]), TIMED[-1]]
    assert ending(written(tmp_path, pcap(late))) == LAST + 5 * SECOND


@pytest.mark.parametrize("more", range(4))
def test_the_very_last_frame_is_among_them(tmp_path, short, more):
    """Wherever blocks could begin."""
    assert ending(written(tmp_path, pcap([*TIMED, (LAST + SECOND, bytes(60 + more))]))) == LAST + SECOND


def test_short_captures_are_read_whole(tmp_path):
    assert ending(written(tmp_path, WHOLE["pcap"])) is None


def test_one_core_and_many_agree_where_the_end_is_told(tmp_path, short):
    """A frame from the future in the middle of a capture: series are planned as they are read."""
    middle = [(t + 3600 * SECOND * (number == 10), f) for number, (t, f) in enumerate(TIMED)]
    names = []
    for number, part in enumerate((middle[:45], middle[45:])):
        (tmp_path / f"{number}.pcap").write_bytes(pcap(part))
        names.append(str(tmp_path / f"{number}.pcap"))
    read = [len({batch.origin.capture for batch in batches}) for batches in series(names, Losses())]
    assert [len(chain) for chain in plan({name: extent(name) for name in names})] == read == [2]
