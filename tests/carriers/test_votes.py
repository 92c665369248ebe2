"""Votes: the heaviest decides, the others narrow or contradict; and the page about them."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.carriers.votes import WEIGHTS, Vote, alike, settle
from leakscan.model import Carrier

PAGE = Path(__file__).parents[2] / "docs" / "attribution.md"
A, B, C = (Carrier(name, "GB", "234", mnc, ()) for name, mnc in (("A", "10"), ("B", "15"), ("C", "20")))


def test_the_page_has_every_vote_with_its_weight() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| `([a-z-]+)` \|", PAGE.read_text(encoding="utf-8"))
    assert [(name, int(weight)) for weight, name in rows] == list(WEIGHTS.items())
    assert list(WEIGHTS.values()) == sorted(WEIGHTS.values(), reverse=True)


def test_no_vote_names_nobody() -> None:
    assert settle([]) is None


def test_the_heaviest_decides_and_the_others_narrow() -> None:
    found = settle([Vote("number-range", (C,), "c"), Vote("imsi", (A, B), "ab"), Vote("apn", (B,), "b")])
    assert found == Carrier("B", "GB", "234", "15", ("ab", "b", "conflict: c"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("O2", "O2 (UK)", True),
        ("Three", "3", True),
        ("Vodafone UK", "Vodafone Limited", True),
        ("Orange", "O2", False),
        ("T-Mobile", "Virgin Mobile", False),
        ("", "", False),
    ],
)
def test_names_that_may_mean_one(one: str, other: str, same: bool) -> None:
    assert alike(one, other) == alike(other, one) == same


votes = st.lists(
    st.builds(
        Vote,
        st.sampled_from(list(WEIGHTS)),
        st.sampled_from([(A,), (B,), (A, B), (C,), (Carrier("A Ltd", None, None, None, ()),)]),
        st.sampled_from("abcd"),
        st.just(""),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(votes)
def test_every_vote_leaves_its_evidence(cast: list[Vote]) -> None:
    found = settle(cast)
    said = {vote.evidence for vote in cast}
    assert found is None or {word.removeprefix("conflict: ") for word in found.evidence} == said


@given(votes, st.randoms())
def test_the_order_counts_among_equals_only(cast: list[Vote], rng: random.Random) -> None:
    unequal = list({WEIGHTS[vote.kind]: vote for vote in cast}.values())
    shuffled = unequal[:]
    rng.shuffle(shuffled)
    assert settle(shuffled) == settle(unequal)
