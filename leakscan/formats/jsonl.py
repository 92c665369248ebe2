"""JSON Lines, schema 1: one object per line, the run first, the summary last. For programs, and for reading back."""

from __future__ import annotations

from leakscan.formats.rows import Json, json_text, leak_object
from leakscan.formats.writer import Writer
from leakscan.model import Leak


class JsonLines(Writer):
    def begin(self, run: Json) -> None:
        self._write(json_text(run) + "\n")

    def leak(self, leak: Leak) -> None:
        self._write(json_text(leak_object(leak)) + "\n")

    def end(self, summary: Json) -> None:
        self._write(json_text(summary) + "\n")
