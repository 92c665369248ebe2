"""How far two clocks are apart, from requests that both sides saw, some, or the same one again and again."""

from __future__ import annotations

import random

import pytest

from leakscan.compare import clock
from leakscan.compare.clock import Sample, estimate

MS, SECOND = 10**6, 10**9


def sides(requests: list[tuple[str, int]], offset: int, jitter: int = 0, missing: float = 0.0, seed: int = 1):
    dice, client, server = random.Random(seed), Sample(), Sample()
    for key, at in requests:
        client.add(key, at)
        if dice.random() >= missing:
            server.add(key, at + offset + dice.randrange(jitter + 1))
    return client, server


DIFFERENT = [(f"/{n}", n * 90 * MS) for n in range(300)]
BEACON = [("/beacon", n * 2 * SECOND + n % 7 * 130 * MS) for n in range(60)]


@pytest.mark.parametrize("offset", [0, 5 * SECOND, -5 * SECOND, 3600 * SECOND, 40 * MS])
@pytest.mark.parametrize("requests", [DIFFERENT, BEACON, [*DIFFERENT, *BEACON]], ids=["different", "beacon", "both"])
def test_the_offset_is_found(requests, offset):
    found = estimate(*sides(requests, offset, jitter=6 * MS, missing=0.1))
    assert abs(found.estimate - offset) <= 6 * MS
    assert found.spread <= 3 * MS


def test_nothing_in_common():
    client, _ = sides(DIFFERENT, 0)
    assert estimate(client, Sample()) is None
    assert estimate(client, sides([("/other", 0)], 0)[1]) is None


def test_of_equals_the_smallest():
    """One request again and again, evenly: any whole second would do."""
    client, server = Sample(), Sample()
    client.add("/", 0)
    for at in range(-3, 4):
        server.add("/", at * 20 * SECOND)
    assert estimate(client, server).estimate == 0


def test_drift_is_followed():
    found = estimate(*sides(DIFFERENT, SECOND))
    for _ in range(200):
        found.follow(SECOND + 80 * MS - found.offset)
    assert abs(found.offset - SECOND - 80 * MS) < 2 * MS
    assert found.estimate == SECOND


def test_both_sides_keep_the_same_keys(monkeypatch):
    monkeypatch.setattr(clock, "MAX_KEYS", 50)
    client, server = sides([(f"/{n}", n * MS) for n in range(5000)], 2 * SECOND)
    assert max(len(client.times), len(server.times)) <= 50
    assert client.times.keys() == server.times.keys()
    assert estimate(client, server).estimate == 2 * SECOND


def test_times_and_deltas_are_bounded(monkeypatch):
    client, server = sides(BEACON * 30, 7 * SECOND)
    assert max(map(len, client.times.values())) == clock.MAX_TIMES
    monkeypatch.setattr(clock, "MAX_DELTAS", 10)
    assert estimate(client, server) is None  # one key, and more pairs of times than the bound
    client.add("/once", 0)
    server.add("/once", SECOND)
    assert (estimate(client, server).estimate, estimate(client, server).pairs) == (SECOND, 1)
