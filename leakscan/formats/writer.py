"""What a format is: it is told the run, each leak as it comes, and the summary, and writes to one text stream.

State: what the format needs, bounded. A format reads `Leak` and the summary object and nothing else, so a result that
was read back from a file is shown by the same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, TextIO

from leakscan.formats.rows import Json
from leakscan.model import Leak


class Look(NamedTuple):
    """How a result is shown; formats for programs ignore width and colour."""

    live: bool = False  # leaks come as they happen: show each at once
    color: bool = False
    width: int = 80  # columns
    root: str = ""  # absolute path of the repository that captures are named in, for formats that point at files
    folder: str = ""  # the working folder below it
    aside: TextIO | None = None  # where the job's summary goes, for the format that has one


class Writer(ABC):
    """One result, one view of it. `begin` once, `leak` for each in order, `end` once."""

    def __init__(self, stream: TextIO, look: Look = Look()) -> None:  # noqa: B008  (a NamedTuple cannot change)
        self._stream = stream
        self._look = look

    @abstractmethod
    def begin(self, run: Json) -> None: ...

    @abstractmethod
    def leak(self, leak: Leak) -> None: ...

    @abstractmethod
    def end(self, summary: Json) -> None: ...

    def _write(self, text: str) -> None:
        """Write what `show` made harmless; a stream that cannot take a character gets its number instead."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        if self._look.live:
            self._stream.flush()
