"""Small captures, many of them."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from leakscan.cli import run
from tests.builders import START_NS, pcap
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent.parent
HOUR = 3600 * 10**9


def capture(number: int, requests: int = 20) -> bytes:
    """An hour apart from the one before, so that each is a series of its own; every request leaks."""
    lines = [
        request(f"/{i}", f"x-up-calling-line-id: 4477009{number % 100:02d}{i % 1000:03d}") for i in range(requests)
    ]
    pieces = frames(b"".join(lines), range(0, 100_000, 700))
    return pcap([(START_NS + number * HOUR + i * 10**6, frame) for i, frame in enumerate(pieces)])


def write(folder: Path, count: int, requests: int = 20) -> list[Path]:
    paths = [folder / f"{number:03d}.pcap" for number in range(count)]
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(paths):
        path.write_bytes(capture(number, requests))
    return paths


def spoil(path: Path) -> None:
    """Other bytes, though nothing but reading it tells: who reads it again gives another answer."""
    status = path.stat()
    path.write_bytes(b"\0" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def result(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `leakscan analyse`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["analyse", *arguments])
    return code, out.getvalue(), err.getvalue()
