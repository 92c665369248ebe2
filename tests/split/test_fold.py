"""Whoever looks at which request: what the workers found and counted, merged, is what one would have found and counted.

With small bounds, too: which rows are kept must not depend on who kept them.
"""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leakscan import joins, summary
from leakscan.grouped import Group, heads
from leakscan.joins import trackers
from leakscan.losses import Losses
from leakscan.model import Head, Origin
from leakscan.reading import Reading
from leakscan.spine import Scan, Settings
from leakscan.split.messages import leaks, packed_leaks
from tests.streams import START_NS, request

KEY = b"k" * 16
LAN = Origin("lan.pcap", 1, 6, "")
CELL = Origin("cell.pcap", 12, 9, "rmnet")
HOSTS = ["www.shop.example", "news.example", "ads.tracker.example", "192.0.2.80", "mmsc.operator.example"]
PROGRAMS = ["Mozilla/5.0 (X)", "okhttp/2.4.0", "Dalvik/1.6.0", "curl/7"]
TOKENS = ["9f86d081884c7d659a2feaa0c55ad015", "0b14d501a594442a01c6859541bcb3e8", "e3b0c44298fc1c149afbf4c8996fb924"]
SMALL = {
    joins: {"MAX_WAITING": 3, "MAX_WAITING_REQUESTS": 3, "MAX_CONFIRMED": 4, "MAX_CLIENTS": 3, "MAX_GATEWAYS": 1}
    | {"MAX_SPREADS": 3, "MAX_TRACKERS": 1},
    trackers: {"MAX_ROWS": 3},
    summary: {"MAX_BEHAVIOURS": 4, "MAX_HOSTS": 3, "MAX_LEAKING_HOSTS": 2, "MAX_NAMES": 3},
}


def some_head(chance: random.Random, number: int) -> Head:
    """A request of one of few people, with some of all that the joins look at."""
    person = chance.randrange(4)
    lines = [f"User-Agent: {chance.choice(PROGRAMS)}", "Accept: */*"]
    some = [
        f"x-up-calling-line-id: 4477009000{person:02d}",
        f"X-Nokia-msisdn: 4477009000{person:02d}",
        f"X-Rewards-Ref: {TOKENS[person % 3]}",
        f"Cookie: number=4477009000{person:02d}; a=b",
        "X-Nokia-gateway-id: NWG/4.1/Build4.1.3",
        "Via: 1.1 gateway (operator)",
        f"X-IMSI: 00101012345678{person}",
        "X-Nokia-BEARER: GPRS",
    ]
    chance.shuffle(some)
    lines += some[: chance.randrange(4)]
    if chance.random() < 0.3:
        lines.sort()
    raw = request(
        f"/a?number=4477009000{person:02d}" if chance.random() < 0.3 else "/", *lines, host=chance.choice(HOSTS)
    )
    origin = chance.choice([LAN, CELL])
    key = bytes((0, 192, 168, 0, person, 203, 0, 113, 80)) + struct.pack("!HH", number + 1, 80)
    time_ns = START_NS + number * chance.choice([10**9, 10**12, 10**15])
    return Head(key, raw, raw.split(b"\n"), origin, time_ns, number, number + 1, origin.capture, None, False)


def scan() -> Scan:
    return Scan(Reading((), Losses()), [], Settings(pseudonym_key=KEY))


@pytest.mark.parametrize("small", [False, True])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.integers(1, 60), st.integers(1, 4))
def test_any_share_gives_the_same(monkeypatch, small, chance, count, workers):
    if small:
        for module, bounds in SMALL.items():
            for name, value in bounds.items():
                monkeypatch.setattr(module, name, value)
    asked = [some_head(chance, number) for number in range(count)]
    one, parts = scan(), [scan() for _ in range(workers)]
    found = list(one.found(asked))
    shared = [leak for head in asked for leak in chance.choice(parts).found([head])]
    assert shared == found
    whole = scan()
    if chance.random() < 0.5:
        for each in (one, whole):
            each.summary.neighbours.saw("lan.pcap", bytes((192, 168, 0, 1)))
    chance.shuffle(parts)
    for part in parts:
        whole.summary.merge(part.summary)
    assert whole.summary.to_dict() == one.summary.to_dict()


@given(st.randoms(use_true_random=False), st.integers(0, 200))
def test_groups_hold_what_was_put_in(chance, count):
    asked = [some_head(chance, number)._replace(body=chance.randbytes(chance.randrange(9))) for number in range(count)]
    group = Group(64)
    packed = [full for head in asked if (full := group.add(head)) is not None]
    packed += filter(None, [group.taken()])
    assert [head for each in packed for head in heads(each)] == asked
    found = list(scan().found(asked))
    assert list(leaks(packed_leaks(found))) == found
