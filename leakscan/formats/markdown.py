"""Markdown: the summary's tables, then the worst leaks one by one. For tickets, mails and job summaries.

State: the worst `MAX_WORST` leaks; that it holds no more is said under the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from leakscan.formats.rows import MAX_WORST, Json, Worst
from leakscan.formats.sections import Section, sections
from leakscan.formats.sparkline import sparkline
from leakscan.formats.words import disguised, minute, sentence
from leakscan.formats.writer import Writer
from leakscan.model import Leak
from leakscan.show import show

MAX_ROWS = 50
SPARKLINE_CHARS = 60

#: What CommonMark and the extensions of the usual forges would read as markup, a link, a name or a ticket.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&$#@]|(?<=www)\.|:(?=//)", re.IGNORECASE)
_COLUMNS = (
    "time",
    "capture",
    "frame",
    "client",
    "host",
    "where",
    "what",
    "value",
    "severity",
    "confidence",
    "origin",
    "bearer",
)


class Markdown(Writer):
    def begin(self, run: Json) -> None:
        self._run = run
        self._worst = Worst(MAX_WORST)

    def leak(self, leak: Leak) -> None:
        self._worst.add(leak)

    def end(self, summary: Json) -> None:
        self._write(f"# leakscan: {escaped(summary['outcome'])}\n\n{escaped(sentence(summary))}\n")
        for section in sections(summary, MAX_ROWS):
            if section.rows:
                self._section(section)
        self._time(summary)
        self._leaks()
        run = self._run
        captures = ", ".join(escaped(capture["name"]) for capture in run["captures"])
        self._write(
            f"\n## Run\n\nleakscan {escaped(run['version'])}; values {escaped(run['values'])}; "
            f"key {escaped(run['key_id'])}; captures: {captures}\n"
        )

    def _section(self, section: Section) -> None:
        self._write(f"\n## {escaped(section.title)}\n\n{grid(section.columns, section.rows, section.numbers)}")
        if section.note:
            self._write(f"\n{escaped(section.note)}\n")

    def _time(self, summary: Json) -> None:
        line = sparkline(summary["timeline"], SPARKLINE_CHARS)
        if line is not None:
            self._write(
                f"\n## Leaks by {line.step}\n\n```text\n{line.start} to {line.end}; the highest is {line.most:,}\n"
                f"{line.line}\n{line.marks}\n```\n"
            )

    def _leaks(self) -> None:
        leaks = self._worst.leaks()
        if leaks:
            self._write(f"\n## Leaks, the worst first\n\n{grid(_COLUMNS, map(_cells, leaks), frozenset({'frame'}))}")
        if self._worst.seen > len(leaks):
            self._write(
                f"\nThese are the worst {MAX_WORST:,} of {self._worst.seen:,} leaks; jsonl, json and csv hold all.\n"
            )


def escaped(text: str) -> str:
    """`text` shown, and taken literally by every reader of Markdown."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], show(text))


def _cells(leak: Leak) -> tuple[str, ...]:
    where = f"{leak.place} {leak.name}"
    return (
        *(minute(leak.time), leak.capture, str(leak.frame), leak.client, leak.host, where),
        *(disguised(leak.identifier, leak.encoding), leak.value, leak.severity),
        *(leak.confidence, leak.origin, leak.bearer),
    )


def grid(columns: Iterable[str], rows: Iterable[Iterable[str]], numbers: frozenset[str] = frozenset()) -> str:
    """A table of plain strings; `numbers` are the columns that stand to the right."""
    columns = list(columns)
    lines = [_row(columns), "|".join(["", *("---:" if name in numbers else "---" for name in columns), ""])]
    lines += [_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"
