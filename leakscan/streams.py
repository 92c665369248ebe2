"""The standard streams as they are found: closed, or on a full disk. Neither is a bug of ours.

State: the process's own `sys.stdout` and `sys.stderr`, which `mend` replaces.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from leakscan.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT, STDERR = 1, 2


class _Stdout(io.FileIO):
    """Standard output whose write errors say so; after one, what is still buffered goes nowhere."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:  # the reader has seen enough
            raise
        except OSError as error:
            to_nowhere(STDOUT)
            raise UsageError(f"cannot write to standard output: {error.strerror or error}") from error


class _Stderr(io.FileIO):
    """Standard error whose write errors change nothing: the exit code says what was found."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def mend() -> None:
    """Closed streams lead nowhere, so that no file that is opened later takes their place; write errors as above."""
    for name, descriptor, raw in (("stdout", STDOUT, _Stdout), ("stderr", STDERR, _Stderr)):
        found = getattr(sys, name)
        if found is None:
            to_nowhere(descriptor)
            found = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
        setattr(sys, name, _like(found, raw(descriptor, "w", closefd=False)))


def to_nowhere(descriptor: int) -> None:
    """Let a descriptor lead to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _like(found: io.TextIOWrapper, raw: io.FileIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        found.encoding,
        found.errors,
        line_buffering=found.line_buffering,
        write_through=found.write_through,
    )
