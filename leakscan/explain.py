"""`--explain`: of every leak, whether it counts and why.

Comes in: leaks, then the summary that the gate has judged. Goes out: a line for each behaviour, and below it one for
each verdict of the policy on its leaks: how many, and where the first of them is. What is said of a behaviour is true
of all its leaks, and all leaks under one verdict share the reason; to list them one by one is what `-f jsonl` is for.
State: the first leak of each behaviour and verdict, at most `MAX_FIRSTS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from leakscan.formats.rows import Json
from leakscan.formats.words import plural
from leakscan.formats.writer import Look, Writer
from leakscan.model import Leak

MAX_FIRSTS = 20_000


class Explanation(Writer):
    """A format that writes nothing by itself: `lines` is asked at the end."""

    def __init__(self) -> None:
        super().__init__(StringIO(), Look())
        self._firsts: dict[tuple[str, str], Leak] = {}

    def begin(self, run: Json) -> None:
        pass

    def leak(self, leak: Leak) -> None:
        key = (leak.fingerprint, leak.recipient.verdict)
        if key not in self._firsts and len(self._firsts) < MAX_FIRSTS:
            self._firsts[key] = leak

    def end(self, summary: Json) -> None:
        pass

    def lines(self, summary: Json) -> Iterator[str]:
        for row in [*summary["behaviours"], *filter(None, [summary["folded"]])]:
            yield _verdict(row)
            for verdict, count in row["verdicts"].items():
                first = self._firsts.get((row["fingerprint"], verdict))
                yield f"  {plural(count, 'leak')} {verdict}{'' if first is None else _place(first)}"
        hidden = summary["coverage"]["losses"]["other"].get("leaks.not-shown", 0)
        if hidden:
            yield f"does not count: {plural(hidden, 'leak')} below --min-confidence, not shown"


def _verdict(row: Json) -> str:
    if row["fingerprint"] is None:
        what = "behaviours past the bound"
    else:
        what = f"{row['place']} {row['name']} to {', '.join(row['hosts'][:3])} [{row['fingerprint']}]"
    verb = "counts" if row["counts"] else "does not count"
    return f"{verb}: {row['severity']} {row['confidence']} {what}: {row['why']}"


def _place(first: Leak) -> str:
    partner = "" if first.recipient.partner is None else f" ({first.recipient.partner})"
    return f"{partner}, first in frame {first.frame_end} of {first.capture}, to {first.host} at {first.time}"
