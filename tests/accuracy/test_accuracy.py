"""Detection is as good as docs/accuracy.md says, and as good as was promised."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.accuracy.score import DECOYS, KINDS, PAGE, Score, corpus, edition, page, score
from tests.accuracy.values import PLANS

RECORDED = PAGE.read_text(encoding="utf-8")
MIN_LEAKS, MIN_DECOYS, MIN_PLANS = 3000, 10_000, 50
MIN_RECALL = 0.98
#: Another edition of the number plans makes another corpus.
LEEWAY, LEEWAY_FINDINGS = 0.005, 3


@cache
def measured(seed: int | None = None) -> Score:
    return score(corpus() if seed is None else corpus(seed))


def rows(text: str) -> dict[tuple[str, ...], list[float]]:
    """The tables of a page: words -> figures."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip().replace(",", "") for cell in line.strip("|").split("|")]
        words = tuple(cell for cell in cells if not re.fullmatch(r"[0-9.]+", cell))
        if line.startswith("| ") and len(words) < len(cells):
            found[words] = [float(cell) for cell in cells if re.fullmatch(r"[0-9.]+", cell)]
    return found


def test_no_figure_is_worse_than_the_recorded_one() -> None:
    same = edition() in RECORDED
    parts = [text.partition(DECOYS) for text in (RECORDED, page(measured()))]
    shares, decoys = (tuple(map(rows, (parts[0][at], parts[1][at]))) for at in (0, 2))
    assert set(shares[0]) == set(shares[1])
    for words, (_, *figures) in shares[0].items():
        for was, now in zip(figures, shares[1][words][1:], strict=True):
            assert now >= was - (0 if same else LEEWAY), words
    for words, (_, *counts) in decoys[0].items():
        for was, now in zip(counts, decoys[1][words][1:], strict=True):
            assert now <= was + (0 if same else LEEWAY_FINDINGS), words


def test_the_page_is_current() -> None:
    assert page(measured()) == RECORDED or edition() not in RECORDED, "run: python -m tests.accuracy"


@pytest.mark.parametrize("seed", [None, 4711], ids=["recorded", "another"])
def test_what_was_promised(seed: int | None) -> None:
    result = measured(seed)
    assert {kind: recall for kind in KINDS if (recall := result.recall(kind)) < MIN_RECALL} == {}
    assert {key: count for key, count in result.false.items() if key[1] != "hint"} == {}


def test_the_corpus_is_large_and_always_the_same() -> None:
    cases = list(corpus())
    assert cases == list(corpus())
    assert sum(1 for case in cases if case.identifier) >= MIN_LEAKS
    assert sum(1 for case in cases if not case.identifier) >= MIN_DECOYS
    assert len(set(PLANS)) >= MIN_PLANS
