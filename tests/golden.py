"""The golden results beside the fixtures. `python -m tests.golden` writes them anew: read the difference before commit."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from leakscan.cli import run

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
KEY = "fixtures/golden.key"
CAPTURES = sorted(FIXTURES.glob("*.pcap"))


def golden_file(capture: Path) -> Path:
    return capture.with_suffix(".leaks.jsonl")


def arguments(capture: Path) -> list[str]:
    """What is run for a fixture, from the root of the project."""
    networks = capture.with_suffix(".networks.toml")
    more = ["--networks", f"fixtures/{networks.name}"] if networks.exists() else []
    known = capture.with_suffix(".known.toml")
    more += ["--bodies", "--known", f"fixtures/{known.name}"] if known.exists() else []
    return ["analyse", "-q", "-f", "jsonl", "--pseudonym-key", KEY, *more, f"fixtures/{capture.name}"]


def result(capture: Path) -> str:
    out = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        run(arguments(capture))
    return out.getvalue()


if __name__ == "__main__":
    os.chdir(ROOT)
    for path in CAPTURES:
        golden_file(path).write_text(result(path), encoding="ascii")
