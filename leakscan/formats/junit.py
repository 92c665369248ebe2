"""JUnit XML: a suite per capture, a case per rule, so that a dashboard shows which test began to fail, and when.

A case fails when a behaviour of its rule counts; it is skipped, with the reason, when a policy, baseline or ignore
entry covers what there is; it passes when there is nothing, or nothing at the threshold. The first case of each suite
is an error when the capture was not wholly examined; then rules that found nothing in it are skipped, not passed.
State: the places of the leaks (places.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from leakscan.formats.places import Places
from leakscan.formats.rows import Json
from leakscan.formats.words import behaviour, listed, plural
from leakscan.formats.writer import Writer
from leakscan.losses import LOSSES, UNREAD
from leakscan.model import Leak
from leakscan.rulebook import every_rule
from leakscan.show import show

#: With more, only rules that found something have cases.
MAX_CASES = 20_000
EXAMINED = "(examined)"
FAILURE, ERROR, SKIPPED, PASSED = "failure", "error", "skipped", ""


class Case(NamedTuple):
    """One test case."""

    name: str
    result: str = PASSED
    message: str = ""
    text: str = ""


class Junit(Writer):
    def begin(self, run: Json) -> None:
        self._captures = list(dict.fromkeys(str(capture["name"]) for capture in run["captures"]))
        self._places = Places()

    def leak(self, leak: Leak) -> None:
        self._places.add(leak)

    def end(self, summary: Json) -> None:
        found = self._found(summary)
        captures = list(dict.fromkeys([*self._captures, *found]))
        seen = dict.fromkeys(rule for rules in found.values() for rule in rules)
        rules = list(dict.fromkeys([*(rule.id for rule in every_rule()), *seen]))
        if len(captures) * len(rules) > MAX_CASES:
            rules = list(seen)
        suites = []
        for capture in captures:
            examined = _examined(capture, summary, alone=len(captures) == 1)
            nothing = Case("", SKIPPED, "not wholly examined") if examined.result else Case("")
            cases = [
                _case(rule, found[capture][rule]) if rule in found.get(capture, {}) else nothing._replace(name=rule)
                for rule in rules
            ]
            suites.append((capture, [examined, *cases]))
        suites.append(("leakscan", list(_whole(summary, self._places.left_out))))
        self._write('<?xml version="1.0" encoding="UTF-8"?>\n')
        self._write(f"<testsuites {_counts('leakscan', [case for _, cases in suites for case in cases])}>\n")
        for name, cases in suites:
            self._suite(name, cases)
        self._write("</testsuites>\n")

    def _found(self, summary: Json) -> dict[str, dict[str, list[Json]]]:
        """Capture -> rule -> rows of what was found there."""
        rows = {row["fingerprint"]: row for row in summary["behaviours"]}
        found: dict[str, dict[str, list[Json]]] = {}
        for fingerprint, places in self._places.items():
            row = rows.get(fingerprint) or summary["folded"]
            for capture, place in places.items():
                here = found.setdefault(capture, {}).setdefault(place.rule, [])
                if row is not None and row not in here:
                    here.append(row)
        return found

    def _suite(self, name: str, cases: list[Case]) -> None:
        self._write(f"  <testsuite {_counts(name, cases)}>\n")
        for case in cases:
            head = f'    <testcase classname="{_xml(name)}" name="{_xml(case.name)}" time="0"'
            if case.result == PASSED:
                out = f"><system-out>{_xml(case.text)}</system-out></testcase>\n" if case.text else "/>\n"
                self._write(head + out)
            else:
                text = "\n".join(_xml(line) for line in case.text.splitlines())
                self._write(f'{head}><{case.result} message="{_xml(case.message)}">{text}</{case.result}></testcase>\n')
        self._write("  </testsuite>\n")


def _case(rule: str, rows: list[Json]) -> Case:
    """The case of a rule that found something."""
    lines = [f"{show(_what(row))}. {show(row['why'])}" for row in rows]
    counting = [line for line, row in zip(lines, rows, strict=True) if row["counts"]]
    text = "\n".join(lines)
    if counting:
        return Case(rule, FAILURE, counting[0], text)
    covered = [row["why"] for row in rows if row["covered_by"] is not None]
    if covered:
        return Case(rule, SKIPPED, listed(list(dict.fromkeys(covered))), text)
    return Case(rule, PASSED, "", text)


def _what(row: Json) -> str:
    if row["fingerprint"] is None:
        return f"{plural(row['leaks'], 'leak')} of behaviours past the bound"
    return f"{behaviour(row)} [{row['fingerprint']}]"


def _examined(capture: str, summary: Json, alone: bool) -> Case:
    """Whether the capture was read to its end. What is not known of each capture belongs to the one there is."""
    coverage = summary["coverage"]
    problems = [
        f"{problem['loss']}: {problem['reason']}"
        for problem in coverage["problems"]
        if problem["capture"] == capture and LOSSES.get(problem["loss"], (UNREAD,))[0] == UNREAD
    ]
    if alone:
        problems = [*problems, *_losses(summary)]
    return Case(EXAMINED, ERROR, listed(problems), "\n".join(problems)) if problems else Case(EXAMINED)


def _losses(summary: Json) -> Iterable[str]:
    losses = summary["coverage"]["losses"][UNREAD]
    return (f"{name} {count:,}: {LOSSES[name][1] if name in LOSSES else name}" for name, count in losses.items())


def _whole(summary: Json, left_out: int) -> Iterable[Case]:
    """What is known of all captures together."""
    requests = summary["total"]["requests"]
    if requests:
        yield Case("readable requests", text=plural(requests, "readable request"))
    elif summary["gate"]["allow_inconclusive"]:
        yield Case("readable requests", SKIPPED, "there was no readable request; --allow-inconclusive accepts that")
    else:
        yield Case("readable requests", ERROR, "there was no readable request: nothing can be said")
    losses = list(_losses(summary))
    yield Case("everything read", ERROR, listed(losses), "\n".join(losses)) if losses else Case("everything read")
    if left_out:
        yield Case("every place named", ERROR, f"{plural(left_out, 'leak')} in captures past the bound; jsonl has all")


def _counts(name: str, cases: list[Case]) -> str:
    results = [case.result for case in cases]
    return (
        f'name="{_xml(name)}" tests="{len(cases)}" failures="{results.count(FAILURE)}" '
        f'errors="{results.count(ERROR)}" skipped="{results.count(SKIPPED)}" time="0"'
    )


def _xml(text: str) -> str:
    """`text` shown and escaped, in ASCII: `show` leaves no character that XML 1.0 section 2.2 forbids."""
    return escape(show(text)).encode("ascii", "xmlcharrefreplace").decode("ascii")
