"""Ten thousand results as one: memory and open files do not grow with their number."""

from __future__ import annotations

import json
import resource
import tracemalloc
from pathlib import Path

from leakscan.conceal import Concealer
from leakscan.report import Merged, opened
from leakscan.spine import Settings
from tests.fleet.captures import ROOT


def results(folder: Path, count: int) -> list[str]:
    """A small result, and others that differ from it in the name of the capture."""
    head, *rest = (ROOT / "fixtures" / "lossy.leaks.jsonl").read_text().splitlines()
    run, paths = json.loads(head), []
    for number in range(count):
        run["captures"] = [{"name": f"c{number}.pcap", "size": 1}]
        paths.append(str(folder / f"{number}.jsonl"))
        Path(paths[-1]).write_text("\n".join([json.dumps(run), *rest]) + "\n")
    return paths


def peak(paths: list[str]) -> int:
    """Bytes that merging takes at most."""
    tracemalloc.start()
    merged = Merged(opened(paths), Settings(), Concealer(b"k" * 16))
    leaks = merged.summary()["total"]["leaks"]
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert leaks == 3 * len(paths)
    return used


def test_memory_is_a_line_for_each_result(tmp_path: Path) -> None:
    paths = results(tmp_path, 240)
    small, large = peak(paths[:40]), peak(paths)
    assert (large - small) / 200 < 6000  # of a result of more than that


def test_few_files_are_open(tmp_path: Path) -> None:
    paths = results(tmp_path, 120)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 8, before[1]))
    try:
        assert Merged(opened(paths), Settings(), Concealer(b"k" * 16)).summary()["total"]["leaks"] == 360
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
