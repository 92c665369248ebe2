"""Counting within bounds: exact, then estimated; and the same in any order and any split."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.distinct import Bounded, Distinct, Links, stable_hash


class Count:
    def __init__(self) -> None:
        self.n = 0

    def merge(self, other: Count) -> None:
        self.n += other.n


def distinct(items: Iterable[int], limit: int = 8) -> Distinct:
    made = Distinct(limit)
    for item in items:
        made.add(item)
    return made


def bounded(keys: Iterable[str], limit: int = 4) -> Bounded[str, Count]:
    made: Bounded[str, Count] = Bounded(limit, Count)
    for key in keys:
        made.at(key).n += 1
    return made


def state(made: Bounded[str, Count]) -> tuple[dict[str, int], int]:
    return {key: row.n for key, row in made}, made.rest.n


def test_stable_hash_is_the_same_in_every_process() -> None:
    assert stable_hash("a") == 0x40F89E395B66422F  # b2sum -l 64


@given(st.lists(st.integers(0, 20)))
def test_distinct_is_exact_up_to_its_limit(items: list[int]) -> None:
    made = distinct(items)
    assert made.estimated == (len(set(items)) > 8)
    assert made.estimated or made.count() == len(set(items))


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_distinct_estimates_beyond_it(size: int) -> None:
    made = distinct((stable_hash(str(number)) for number in range(size)), limit=1024)
    assert made.estimated
    assert abs(made.count() - size) < 0.1 * size  # three times the standard error


hashes = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20), max_size=30)
names = st.lists(st.text("abc", max_size=2), max_size=30)


@given(hashes, hashes, st.randoms())
def test_distinct_merges_in_any_order(left: list[int], right: list[int], random: object) -> None:
    whole, forth, back = distinct(left + right), distinct(left), distinct(right)
    forth.merge(distinct(right))
    back.merge(distinct(left))
    assert whole.count() == forth.count() == back.count()
    assert whole.estimated == forth.estimated == back.estimated


@given(names, names, names)
def test_bounded_merges_in_any_order(first: list[str], second: list[str], third: list[str]) -> None:
    whole = bounded(first + second + third)
    left = bounded(first)
    left.merge(bounded(second))
    left.merge(bounded(third))
    right = bounded(second)
    right.merge(bounded(third))
    swapped = bounded(third)
    swapped.merge(bounded(first))
    swapped.merge(bounded(second))
    outer = bounded(first)
    outer.merge(right)
    assert state(whole) == state(left) == state(outer) == state(swapped)


@given(names)
def test_bounded_keeps_its_bound_and_loses_nothing(keys: list[str]) -> None:
    made = bounded(keys)
    kept, rest = state(made)
    assert len(kept) <= 4
    assert sum(kept.values()) + rest == len(keys)
    assert all(count == keys.count(key) for key, count in kept.items())
    assert len(set(keys)) > 4 or not rest


pairs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=12)


def links(items: Iterable[tuple[int, int]], limit: int = 64) -> Links:
    made = Links(limit)
    for one, other in items:
        made.add(one, other)
    return made


@given(st.lists(st.integers(0, 12), max_size=8), pairs)
def test_links_join_what_they_name(items: list[int], joined: list[tuple[int, int]]) -> None:
    groups = [{item} for item in range(13)]
    for one, other in joined:
        group = next(g for g in groups if one in g)
        if other not in group:
            more = next(g for g in groups if other in g)
            groups.remove(more)
            group |= more
    expected = sum(1 for group in groups if group & set(items))
    assert links(joined).things(distinct(items, 64)) == expected


@given(pairs, pairs)
def test_links_merge(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    for limit in (3, 64):
        left, right = links(one, limit), links(other, limit)
        left.merge(right)
        back = links(other, limit)
        back.merge(links(one, limit))
        whole = links([*one, *other], limit)
        items = distinct(range(13), 64)
        assert left.things(items) == back.things(items) == whole.things(items)


def test_links_of_many_are_an_estimate() -> None:
    size = 20_000
    hashes = [stable_hash(str(number)) for number in range(2 * size)]
    made = links(zip(hashes[:size], hashes[size:], strict=True), 1024)
    assert made.estimated
    assert abs(made.things(distinct(hashes, 1024)) - size) < 0.2 * size
