"""One JSON object: `{run, leaks, summary}`, written as it goes, so that any number of leaks fits."""

from __future__ import annotations

from leakscan.formats.rows import Json, json_text, leak_object
from leakscan.formats.writer import Writer
from leakscan.model import Leak


class JsonObject(Writer):
    def begin(self, run: Json) -> None:
        self._between = "\n"
        self._write(f'{{"run":{json_text(run)},\n"leaks":[')

    def leak(self, leak: Leak) -> None:
        self._write(self._between + json_text(leak_object(leak)))
        self._between = ",\n"

    def end(self, summary: Json) -> None:
        self._write(f'],\n"summary":{json_text(summary)}}}\n')
