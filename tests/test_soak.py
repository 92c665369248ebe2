"""Live capture for months: the memory it takes when every table is full stays what it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.network import ROOT
from tests.soak import PIECE_PACKETS

PACKETS = 180_000
MOST = 1.05


@pytest.mark.xdist_group("soak")
def test_memory_is_flat_while_everything_is_always_new(tmp_path):
    """A month of packet time; in its first half all tables fill up."""
    command = [sys.executable, "-m", "tests.soak", str(PACKETS), str(tmp_path), "--small"]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=900, check=True)
    result = json.loads(done.stdout)
    samples = result["samples"]
    assert len(samples) >= PACKETS // PIECE_PACKETS
    assert (result["streams"] > 80_000, result["days"] >= 30) == (True, True)
    half = len(samples) // 2
    assert max(samples[half:]) < MOST * max(samples[:half])
    lines = (tmp_path / "leaks.jsonl").read_bytes().splitlines()
    assert len(lines) > 20_000
    assert sum(path.stat().st_size for path in tmp_path.glob("kept-*")) <= 5_000_000
