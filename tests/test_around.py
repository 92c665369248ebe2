"""Who in one request is the same person."""

from __future__ import annotations

import pytest

from leakscan.around import persons
from leakscan.conceal import Concealer
from leakscan.distinct import stable_hash
from leakscan.model import Field, Match

CONCEALER = Concealer(b"a key for tests, no other use")


def match(kind: str, value: str, rotating: bool = False) -> Match:
    return Match(Field("header", "x", value), "x", kind, value, value, (), "confirmed", "high", rotating, "unknown", ())


@pytest.mark.parametrize(
    ("matches", "count"),
    [
        ([("msisdn", "447700900123"), ("imsi", "001010123456789")], 0),
        ([("subscriber_token", "a1"), ("subscriber_token", "b2"), ("subscriber_token", "c3")], 2),  # the others
        ([("subscriber_token", "a1"), ("subscriber_token", "a1")], 0),
        ([("subscriber_token", "a1"), ("device_id", "b2")], 0),
        ([("msisdn", "447700900123"), ("msisdn", "447700900999")], 0),  # perhaps whom a message is for
        ([("msisdn", "447700900123"), ("msisdn", "07700900123")], 1),
        ([("msisdn", "12025550123"), ("msisdn", "2025550123")], 1),
    ],
)
def test_who_is_the_same(matches: list[tuple[str, str]], count: int) -> None:
    found = persons([match(*one) for one in matches], CONCEALER)
    assert len(found) == count
    hashes = {stable_hash(CONCEALER.pseudonym(*one)) for one in matches}
    assert set(found.values()) <= hashes
    assert all(stable_hash(CONCEALER.pseudonym(*matches[place])) != other for place, other in found.items())


def test_what_rotates_is_nobodys_name() -> None:
    assert persons([match("subscriber_token", "a1", True), match("subscriber_token", "b2")], CONCEALER) == {}
