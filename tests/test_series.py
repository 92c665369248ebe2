"""Which captures are one series."""

from __future__ import annotations

import pytest

from leakscan.losses import Losses
from leakscan.series import MAX_PAUSE_NS, extent, plan, series
from tests.builders import pcap

SECOND = 10**9
START = 1_326_153_600 * SECOND


def read(tmp_path, captures: dict[str, tuple[int, int, int]], order=None) -> list[list[str]]:
    """`captures`: name -> (first second, last second, link type). Gives the names of each series."""
    for name, (first, last, link) in captures.items():
        frames = [(START + first * SECOND, b"x" * 20), (START + last * SECOND, b"x" * 20)]
        (tmp_path / name).write_bytes(pcap(frames, link=link))
    names = [str(tmp_path / name) for name in order or captures]
    found = []
    for batches in series(names, Losses()):
        found.append(list(dict.fromkeys(batch.origin.capture for batch in batches)))
    assert plan({name: extent(name) for name in names}) == found
    return [[name.rpartition("/")[2] for name in chain] for chain in found]


PAUSE = MAX_PAUSE_NS // SECOND


@pytest.mark.parametrize(
    ("captures", "expected"),
    [
        pytest.param({"a1": (0, 10, 1), "a2": (10, 20, 1)}, [["a1", "a2"]], id="one follows the other"),
        pytest.param({"a1": (0, 10, 1), "a2": (10 + PAUSE, 90, 1)}, [["a1", "a2"]], id="after a pause"),
        pytest.param({"a1": (0, 10, 1), "a2": (11 + PAUSE, 90, 1)}, [["a1"], ["a2"]], id="after too long a pause"),
        pytest.param({"a1": (0, 10, 1), "a2": (9, 20, 1)}, [["a1"], ["a2"]], id="begins before the other ends"),
        pytest.param({"a1": (0, 10, 1), "a2": (10, 20, 101)}, [["a1"], ["a2"]], id="another link type"),
        pytest.param(
            {"a10": (20, 30, 1), "a2": (10, 20, 1), "a1": (0, 10, 1)}, [["a1", "a2", "a10"]], id="in any order"
        ),
        pytest.param(
            {"a1": (0, 10, 1), "b1": (0, 10, 1), "a2": (10, 20, 1), "b2": (10, 20, 1)},
            [["a1", "a2"], ["b1", "b2"]],
            id="two interfaces, interleaved",
        ),
        pytest.param({"x": (0, 10, 1), "y": (12, 20, 1)}, [["x", "y"]], id="names do not matter"),
    ],
)
def test_series(tmp_path, captures, expected):
    assert read(tmp_path, captures) == expected
