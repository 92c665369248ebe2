"""How often detection is right: the corpus in, figures and docs/accuracy.md out.

A leak counts as found when its identifier is found in its request, with its value where the case says which; whatever else is found in a leak's or a decoy's request
under a name of a subscriber counts as false. State: the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from random import Random
from typing import NamedTuple

import phonenumbers

from leakscan.detectors import detect
from leakscan.fields import fields
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES
from tests.accuracy.cases import Case
from tests.accuracy.decoys import decoys
from tests.accuracy.leaks import leaks

SEED = 2012
PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
KINDS = ("msisdn", "imsi", "imei", "iccid", "meid_esn", "subscriber_token")
HINT, PROBABLE, CONFIRMED = CONFIDENCES


def corpus(seed: int = SEED) -> Iterator[Case]:
    """The same cases for the same seed and the same edition of libphonenumber's plans."""
    random = Random(seed)
    return chain(leaks(random), decoys(random))


class Score(NamedTuple):
    """Counts, by what they are counted for."""

    cases: Counter[tuple[str, ...]]  # (identifier, group); ("", family)
    found: Counter[tuple[str, ...]]  # (identifier, group, confidence): leaks, under the best confidence
    false: Counter[tuple[str, ...]]  # (identifier, confidence): what is no leak
    decoys: Counter[tuple[str, ...]]  # (family, confidence): the same in decoys alone

    def recall(self, identifier: str, least: str = PROBABLE, group: str = "") -> float:
        """Share of the leaks found with at least this confidence; those whose value stands alone are apart."""
        levels = CONFIDENCES[CONFIDENCES.index(least) :]
        found = sum(
            count for key, count in self.found.items() if self._counts(key, identifier, group) and key[2] in levels
        )
        return found / self.leaks(identifier, group)

    def leaks(self, identifier: str, group: str = "") -> int:
        return sum(count for key, count in self.cases.items() if self._counts(key, identifier, group))

    def precision(self, identifier: str, confidence: str) -> float:
        """Share of the findings with this confidence that are leaks; 1 where there is none."""
        true = sum(count for key, count in self.found.items() if key[0] == identifier and key[2] == confidence)
        false = self.false[identifier, confidence]
        return true / (true + false) if true + false else 1.0

    @staticmethod
    def _counts(key: tuple[str, ...], identifier: str, group: str) -> bool:
        return key[0] == identifier and (key[1] == group if group else key[1] != ALONE)


ALONE = "value alone"


def score(cases: Iterable[Case]) -> Score:
    """Runs detection over the cases."""
    result = Score(Counter(), Counter(), Counter(), Counter())
    for one in cases:
        losses = Losses()
        result.cases[one.identifier, one.group] += 1
        best: dict[str, str] = {}
        for match in detect(fields(one.message(), losses), losses):
            if one.value and match.identifier == one.identifier and match.value != one.value:
                result.false[match.identifier, match.confidence] += match.confidence != HINT
            elif match.identifier in KINDS:
                so_far = best.get(match.identifier, HINT)
                best[match.identifier] = max(match.confidence, so_far, key=CONFIDENCES.index)
        for identifier, confidence in best.items():
            if identifier == one.identifier:
                result.found[identifier, one.group, confidence] += 1
            elif not one.identifier:
                result.false[identifier, confidence] += 1
                result.decoys[one.group, confidence] += 1
            elif (identifier, one.group) not in TOGETHER:
                result.false[identifier, confidence] += 1
    return result


#: (identifier, group) that are right beside the one which the case is about.
TOGETHER = {("iccid", "User-Agent"), ("msisdn", "private identity"), ("imsi", "sip URI")}


def page(result: Score) -> str:
    """docs/accuracy.md."""
    lines = [HEAD.format(leaks=_count(result, leak=True), decoys=_count(result, leak=False)), "", *_kinds(result)]
    lines += ["", FORMS, "", *_forms(result), "", DECOYS, "", *_families(result), "", FOOT.format(plans=edition())]
    return "\n".join(lines) + "\n"


def edition() -> str:
    """Of the number plans that the corpus is made from."""
    return f"phonenumbers {phonenumbers.__version__}"


def _count(result: Score, leak: bool) -> str:
    return f"{sum(count for key, count in result.cases.items() if bool(key[0]) == leak):,}"


def _kinds(result: Score) -> Iterator[str]:
    yield "| identifier | leaks | recall, confirmed | recall, probable or better | precision, confirmed | precision, probable |"
    yield "|---|---|---|---|---|---|"
    for kind in KINDS:
        recalls = (result.recall(kind, CONFIRMED), result.recall(kind, PROBABLE))
        precisions = (result.precision(kind, CONFIRMED), result.precision(kind, PROBABLE))
        cells = " | ".join(f"{share:.4f}" for share in (*recalls, *precisions))
        yield f"| `{kind}` | {result.leaks(kind):,} | {cells} |"


def _forms(result: Score) -> Iterator[str]:
    yield "| identifier | form | leaks | recall, probable or better | recall with hints |"
    yield "|---|---|---|---|---|"
    for kind, group in sorted(key for key in result.cases if key[0] and key[0] != "subscriber_token"):
        shares = (result.recall(kind, PROBABLE, group), result.recall(kind, HINT, group))
        yield f"| `{kind}` | {group} | {result.leaks(kind, group)} | {shares[0]:.4f} | {shares[1]:.4f} |"


def _families(result: Score) -> Iterator[str]:
    yield "| family | decoys | confirmed | probable | hints |"
    yield "|---|---|---|---|---|"
    for (_, family), count in result.cases.items():
        if _ == "":
            found = (result.decoys[family, CONFIRMED], result.decoys[family, PROBABLE], result.decoys[family, HINT])
            yield f"| {family} | {count} | {found[0]} | {found[1]} | {found[2]} |"


HEAD = """<!-- Made by python -m tests.accuracy; do not edit. -->

# How often it is right

Measured on a corpus that a script makes anew for every test run: {leaks} requests with one leak each, of every kind, form
and place that a published source tells of, in 84 number plans; and {decoys} requests with something in them that looks
like an identifier and is none. A leak is found when its identifier is, with the right value wherever the form leaves no choice.
A test fails when a figure is worse than the one that stands here.

The corpus was written by the authors of the detectors. It says that what they thought of works, and goes on working; it says
little about what they did not think of. Names under which a leak is looked for are those of the catalogue."""
FORMS = """## By form

A value alone, under a name that says nothing, is a hint at most, and not shown unless asked for; it is left out above."""
DECOYS = """## Decoys

What was found in them, by family. The last one holds digits that are an identifier by every rule, under names such as
`order`: nobody can tell, and that is why they are hints."""
FOOT = """Precision is the share of findings that are leaks, in this corpus, in which decoys are three times as frequent as leaks. In
traffic they are a million times as frequent: read the tables of decoys as rates. Precision of hints is not given; a hint
is a question.

## The numbers in it

The number plans' examples, with their last digits changed at random until they are valid again, are made while the script
runs and never written down: nobody's number is in the project, but a number that the script makes may be somebody's. `python
-m tests.accuracy --corpus FILE` writes the corpus to a file, for use with other tools; treat it accordingly.

Made with {plans}."""
