"""Which request is which: every one is in exactly one pairing, no pair is wrong that is not called ambiguous."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.compare import pairing
from leakscan.compare.clock import Clock
from leakscan.compare.pairing import AMBIGUOUS, BEST, CERTAIN, ONLY, Pairs, origin_form
from tests.compare.requests import MS, SECOND, arrived, message, passed


def paired(client, server, offset=0, spread=2 * MS) -> list[tuple[int | None, int | None, str]]:
    """Frames of either side, and how sure."""
    pairs = Pairs(Clock(offset, offset, spread, 1)).pairs(iter(client), iter(server))
    return [(one and one.frame, other and other.frame, how) for one, other, how, _ in pairs]


def test_a_nonce_makes_it_certain():
    sent = message(1, 0, "/?n=8f2c9a17d04be356")
    assert paired([sent], [arrived(sent, 3 * MS)]) == [(1, 1, CERTAIN)]


def test_the_only_candidate():
    sent = message(1, 0, "/news")
    assert paired([sent], [arrived(sent, 3 * MS)]) == [(1, 1, ONLY)]


def test_what_else_they_say_tells_two_people_apart():
    sent = [message(1, 0, agent="one"), message(2, 1 * MS, agent="other")]
    found = paired(sent, [arrived(sent[1], 5 * MS), arrived(sent[0], 6 * MS)])
    assert sorted(found) == [(1, 1, BEST), (2, 2, BEST)]


def test_time_tells_two_visits_apart():
    sent = [message(1, 0), message(2, 200 * MS)]
    assert paired(sent, [arrived(one, one.time_ns + 3 * MS) for one in sent]) == [(1, 1, BEST), (2, 2, BEST)]


def test_the_connection_tells_them_apart_where_nothing_is_translated():
    sent = [message(1, 0), message(2, 1 * MS)]
    arriving = [arrived(sent[1], 5 * MS, translated=False), arrived(sent[0], 6 * MS, translated=False)]
    assert sorted(paired(sent, arriving)) == [(1, 1, BEST), (2, 2, BEST)]


def test_twins_are_ambiguous():
    sent = [message(1, 0), message(2, 4 * MS)]
    found = paired(sent, [arrived(one, one.time_ns + 3 * MS) for one in sent])
    assert {how for *_, how in found} == {AMBIGUOUS}
    rivals = [p.rivals for p in Pairs(Clock(0, 0, 2 * MS, 1)).pairs(iter(sent), iter([arrived(sent[0], 3 * MS)]))]
    assert sorted(len(found) for found in rivals) == [0, 1]


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (arrived(message(1, 0, "/other"), 3 * MS), "another path"),
        (arrived(message(1, 0, "/", agent="other"), 3 * MS, ("Accept", "x")), None),
        (arrived(message(1, 0), 30 * SECOND), "another time"),
    ],
)
def test_what_is_no_pair(server, why):
    found = paired([message(1, 0)], [server])
    assert ((1, None, "") in found) == (why is not None)


def test_somebody_else_s_request_is_no_pair():
    """The same URL at the same time, and yet nothing that the client said of itself has arrived."""
    other = arrived(message(2, 0, agent="other"), 3 * MS)
    other = type(other)(
        **{
            **{f: getattr(other, f) for f in other.__slots__},
            "headers": (("Host", "www.example"), ("User-Agent", "other"), ("X-MSISDN", "447700900123")),
        }
    )
    assert paired([message(1, 0)], [other]) == [(1, None, ""), (None, 2, "")]


def test_a_changed_query_needs_the_same_connection():
    sent = message(1, 0, "/i?uid=NULLGWDOCOMO")
    changed = message(1, 3 * MS, "/i?uid=01abcdefghij")
    assert paired([sent], [arrived(changed, 3 * MS, translated=False)]) == [(1, 1, ONLY)]
    assert len(paired([sent], [arrived(changed, 3 * MS)])) == 2


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a?b", "/a?b"),
        ("http://www.example/a?b", "/a?b"),
        ("http://www.example", "/"),
        ("http://www.example?b", "/?b"),
        ("/a?u=http://x/", "/a?u=http://x/"),
        ("?u=http://x/", "?u=http://x/"),
        ("*", "*"),
    ],
)
def test_origin_form(target, expected):
    assert origin_form(message(1, 0, target)) == expected


@settings(max_examples=60)
@given(
    st.randoms(use_true_random=False),
    st.integers(1, 40),
    st.sampled_from([0, 5 * SECOND, -3600 * SECOND]),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_every_request_is_somewhere_and_no_sure_pair_is_wrong(random, count, offset, lost):
    dice = Random(random.random())
    sent = [
        message(n, n * 60 * MS + dice.randrange(50 * MS), dice.choice(["/", "/a", "/b?c=d"]), dice.choice("xyz"))
        for n in range(1, count + 1)
    ]
    there = passed(sent, dice, offset, 4 * MS, lost)
    here = [one for one in sent if dice.random() >= lost]
    found = paired(here, there, offset)
    assert sorted(one for one, *_ in found if one) == [one.frame for one in here]
    assert sorted(other for _, other, _ in found if other) == sorted(one.frame for one in there)
    if not lost:
        assert all(one == other for one, other, how in found if how != AMBIGUOUS)
        assert all(how for *_, how in found)


def test_waiting_is_bounded(monkeypatch):
    monkeypatch.setattr(pairing, "MAX_WAITING", 20)
    sent = [message(n, n, f"/{n}") for n in range(1, 200)]
    found = paired(sent, [arrived(one, one.time_ns) for one in sent])
    assert [one for one, other, _ in found if one == other] == list(range(1, 200))


def test_candidates_are_bounded(monkeypatch):
    monkeypatch.setattr(pairing, "MAX_CANDIDATES", 4)
    sent = [message(n, n * MS) for n in range(1, 100)]
    found = paired(sent, [arrived(one, one.time_ns + MS) for one in sent])
    assert {how for *_, how in found} == {AMBIGUOUS}
    assert len(found) == 99
