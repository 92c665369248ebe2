"""GitHub Actions: annotations on stdout (workflow commands), and a summary of the job in Markdown beside them.

GitHub shows ten annotations of a kind for a step and drops the rest in silence; so there are at most
`MAX_ANNOTATIONS`, what counts first and the worst of it before the rest, and the last one says how many more there
are. State: the places of the leaks (places.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from leakscan.formats.markdown import escaped
from leakscan.formats.places import Places, uri
from leakscan.formats.rows import Json
from leakscan.formats.words import behaviour, listed, plural, sentence
from leakscan.formats.writer import Writer
from leakscan.gate import notes
from leakscan.losses import LOSSES, UNREAD
from leakscan.model import Leak
from leakscan.show import show

MAX_ANNOTATIONS = 10
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


class Annotation(NamedTuple):
    level: str  # error, warning, notice
    title: str
    text: str
    file: str = ""


class GitHub(Writer):
    def begin(self, run: Json) -> None:
        self._places = Places()

    def leak(self, leak: Leak) -> None:
        self._places.add(leak)

    def end(self, summary: Json) -> None:
        made = list(self._annotations(summary))
        shown = made if len(made) <= MAX_ANNOTATIONS else made[: MAX_ANNOTATIONS - 1]
        for one in shown:
            self._write(_command(one))
        if len(made) > len(shown):
            rest = made[len(shown) :]
            more = f"and {plural(len(rest), 'more finding')}; the job summary and the other formats have them"
            self._write(_command(Annotation(rest[0].level, "leakscan", more)))
        if self._look.aside is not None:
            self._look.aside.write(summary_page(summary))

    def _annotations(self, summary: Json) -> Iterator[Annotation]:
        for row in summary["behaviours"]:
            if row["counts"]:
                title = f"leakscan: {row['rule']} ({row['severity']})"
                yield Annotation(LEVELS[row["severity"]], title, f"{behaviour(row)}. {row['why']}", self._file(row))
        folded = summary["folded"]
        if folded is not None and folded["counts"]:
            yield Annotation("error", "leakscan", f"{plural(folded['leaks'], 'leak')} of behaviours past the bound")
        losses = summary["coverage"]["losses"][UNREAD]
        for name, count in losses.items():
            yield Annotation("warning", f"leakscan: not read: {name}", f"{count:,}: {LOSSES[name][1]}")
        if not summary["total"]["requests"]:
            yield Annotation("warning", "leakscan", "there was no readable request: nothing can be said")
        for note in notes(summary):
            yield Annotation("notice", "leakscan", note)

    def _file(self, row: Json) -> str:
        captures = self._places.of(row["fingerprint"])
        return next((uri(capture, self._look) for capture in captures), "")


def summary_page(summary: Json) -> str:
    """The job summary: the verdict, the worst behaviours that count, and the sum of the others. Far under 1 MiB."""
    gate = summary["gate"]
    lines = [f"## leakscan: {escaped(summary['outcome'])}", "", escaped(sentence(summary)), ""]
    counting = [row for row in summary["behaviours"] if row["counts"]]
    if counting:
        lines += ["| severity | what | why it counts |", "|---|---|---|"]
        lines += [
            f"| {escaped(row['severity'])} | {escaped(behaviour(row))} | {escaped(row['why'])} |"
            for row in counting[:MAX_ANNOTATIONS]
        ]
        if len(counting) > MAX_ANNOTATIONS:
            lines += ["", f"and {plural(len(counting) - MAX_ANNOTATIONS, 'more behaviour')} that count"]
        lines.append("")
    covered = [f"{count:,} by {kind}" for kind, count in gate["covered"].items() if count]
    rest = [f"covered: {listed(covered)}"] if covered else []
    rest += [f"{gate['below']:,} below \\--fail-on {gate['fail_on']}"] if gate["below"] else []
    lines += [
        f"{plural(gate['counting'], 'behaviour')} counted; {'; '.join(rest)}."
        if rest
        else f"{plural(gate['counting'], 'behaviour')} counted."
    ]
    lines += [f"- {escaped(note)}" for note in list(notes(summary))[:MAX_ANNOTATIONS]]
    return "\n".join(lines) + "\n\n"


def _command(one: Annotation) -> str:
    """A workflow command; nothing in it can begin another, or end a property."""
    place = f"file={_property(one.file)}," if one.file else ""
    return f"::{one.level} {place}title={_property(one.title)}::{_data(one.text)}\n"


def _data(text: str) -> str:
    return show(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
