"""The table: for people, in a terminal and in a pipe alike. The first lines say it all, the rest says why.

Live it prints one line per leak as it comes, then the summary; else the summary alone. All text goes to rich as
`Text` after `show`, never as markup. State: none but the run's own line.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from leakscan.formats.rows import Json
from leakscan.formats.sections import Section, sections
from leakscan.formats.sparkline import sparkline
from leakscan.formats.words import carrier, disguised, label, minute, sentence
from leakscan.formats.writer import Writer
from leakscan.model import Leak
from leakscan.policy import NO_POLICY
from leakscan.show import show

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

MAX_ROWS = 10
MAX_WIDTH = 120
MIN_WIDTH = 40
#: Columns that others give way to: a host or a name in pieces is hard to read.
WIDE = frozenset({"host", "where", "network"})
#: The others give way down to this width, then these do.
NARROW = {"what": 10, "example": 16}
NARROW_ELSE = 14
GAP = 2

STYLES = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "LEAK": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "NONE": "bold green",
}


class Table(Writer):
    def begin(self, run: Json) -> None:
        self._run = run
        self._width = min(max(self._look.width, MIN_WIDTH), MAX_WIDTH)
        self._ascii = not (getattr(self._stream, "encoding", None) or "utf-8").lower().startswith("utf")

    def leak(self, leak: Leak) -> None:
        if self._look.live:
            self._print(_text(leak_line(leak), leak.severity), wrap=False)

    def end(self, summary: Json) -> None:
        self._print(_text(sentence(summary)))
        for section in sections(summary, MAX_ROWS):
            if section.title == "What was examined":
                self._time(summary)
            if section.rows:
                self._section(section)
        run = self._run
        self._print(_text(f"leakscan {run['version']}, values {run['values']}, {run['key_id']}"), before="\n")

    def _section(self, section: Section) -> None:
        from rich.table import Table as Grid

        headed = any(section.columns)
        grid = Grid(box=None, show_header=headed, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for name, columns in zip(section.columns, _widths(section, self._width), strict=True):
            number = name in section.numbers
            grid.add_column(_text(name), justify="right" if number else "left", width=columns, overflow="fold")
        for row in section.rows:
            grid.add_row(*(_text(cell, cell if cell in STYLES else "") for cell in row))
        self._print(_text(section.title, "bold"), grid, before="\n")
        if section.note:
            self._print(_text(section.note))

    def _time(self, summary: Json) -> None:
        line = sparkline(summary["timeline"], self._width - 2, self._ascii)
        if line is None:
            return
        total = summary["total"]
        first, last = minute(total["first_seen"]), minute(total["last_seen"])
        self._print(
            _text(f"Leaks by {line.step}, {line.start} to {line.end}; the highest is {line.most:,}", "bold"),
            _text(line.line),
            _text(line.marks),
            _text(f"^ first leak {first}, last leak {last} (UTC)"),
            before="\n",
        )

    def _print(self, *parts: RenderableType, before: str = "", wrap: bool = True) -> None:
        out = io.StringIO()
        console = self._console(out)
        for part in parts:
            console.print(part, soft_wrap=not wrap)
        lines = (line.rstrip() for line in out.getvalue().split("\n"))
        self._write(before + "\n".join(lines))

    def _console(self, out: io.StringIO) -> Console:
        from rich.console import Console

        color = self._look.color
        return Console(
            file=out,
            width=self._width,
            force_terminal=color,
            color_system="standard" if color else None,
            no_color=not color,
            markup=False,
            emoji=False,
            highlight=False,
            force_jupyter=False,
            legacy_windows=False,
        )


def _widths(section: Section, width: int) -> list[int]:
    """How wide each column is: as its longest cell, less what does not fit, taken from the widest that may give way."""
    from rich.cells import cell_len

    rows = (section.columns, *section.rows)
    widths = [max(cell_len(show(cell)) for cell in cells) for cells in zip(*rows, strict=True)]
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    for rigid, narrow, otherwise in ((WIDE | section.numbers, NARROW, NARROW_ELSE), (section.numbers, {}, 1)):
        while excess > 0:
            giving = {
                index: widths[index]
                for index, name in enumerate(section.columns)
                if name not in rigid and widths[index] > narrow.get(name, otherwise)
            }
            if not giving:
                break
            widths[max(giving, key=giving.__getitem__)] -= 1
            excess -= 1
    return widths


def _text(text: str, style: str = "") -> Text:
    """One line of harmless text; its first word is coloured when it is a verdict."""
    from rich.text import Text

    made = Text(show(text), style=STYLES.get(style, style))
    word = text.partition(":")[0].partition(" ")[0]
    if not style and word in STYLES and word.isupper():
        made.stylize(STYLES[word], 0, len(word))
    return made


def leak_line(leak: Leak) -> str:
    """One leak as it comes."""
    network = (
        carrier({key: getattr(leak.network, key) for key in ("name", "country", "mcc", "mnc")}) if leak.network else ""
    )
    where = ", ".join(filter(None, (network, "" if leak.bearer == "unknown" else label(leak.bearer))))
    return (
        f"{leak.time[:19].replace('T', ' ')} {leak.severity} {disguised(leak.identifier, leak.encoding)} {leak.value} "
        f"in {leak.place} {leak.name} to {leak.host} from {leak.client}{f' ({where})' if where else ''}{_verdict(leak)}"
    )


def _verdict(leak: Leak) -> str:
    """What the policy says, if there is one."""
    recipient = leak.recipient
    if recipient.verdict == NO_POLICY:
        return ""
    return f": {recipient.verdict}{f' ({recipient.partner})' if recipient.partner else ''}"
