"""CSV, RFC 4180 but for the line end: one row per leak, for spreadsheets. No summary.

A cell that a spreadsheet would take for a formula gets a `'` in front.
"""

from __future__ import annotations

import csv
import io

from leakscan.formats.rows import COLUMNS, Json, leak_cells
from leakscan.formats.writer import Writer
from leakscan.model import Leak
from leakscan.show import show

FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Csv(Writer):
    def begin(self, run: Json) -> None:
        self._row(list(COLUMNS))

    def leak(self, leak: Leak) -> None:
        self._row([guarded(cell) for cell in leak_cells(leak)])

    def end(self, summary: Json) -> None:
        """The summary is no leak, and has no row."""

    def _row(self, cells: list[str]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        self._write(line.getvalue())


def guarded(text: str) -> str:
    """`text` shown, and no formula. What `show` turns into `\\x09` and `\\x0d` is guarded all the same."""
    return ("'" if text.startswith(FORMULA) else "") + show(text)
