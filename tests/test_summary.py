"""The whole: rows, verdicts, bounds, and the same in any order and any split."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan import losses as losses_module
from leakscan import summary as module
from leakscan import tally
from leakscan.losses import Losses
from leakscan.model import SEVERITIES, Coverage, Leak, Recipient
from leakscan.summary import Summary
from tests.leaks import DAY_NS, HERE, HOME, MINUTE_NS, START_NS, add, leak


def summary(*leaks: Leak, **kwargs: Any) -> Summary:
    made = Summary(**kwargs)
    for one in leaks:
        add(made, one)
    return made


def test_empty() -> None:
    made = Summary().to_dict()
    assert made["outcome"] == "inconclusive"
    assert made["total"]["requests"] == made["total"]["leaks"] == made["total"]["subscribers"] == 0
    assert made["behaviours"] == made["names"] == made["hosts"] == made["identifiers"] == []
    assert [row["name"] for row in made["carriers"]] == ["unattributed"]


def test_requests_are_the_denominator() -> None:
    made = Summary()
    for host, network in (("a.example", HERE), ("a.example", None), ("b.example", None)):
        made.add_request(host=host, network=network, bearer="cellular", time_ns=START_NS)
    rows = made.to_dict()
    assert [(row["host"], row["requests"], row["leaks"]) for row in rows["hosts"]] == [
        ("a.example", 2, 0),
        ("b.example", 1, 0),
    ]
    assert [(row["name"], row["requests"]) for row in rows["carriers"]] == [("Testnet", 1), ("unattributed", 2)]
    assert rows["carriers"][0]["bearer_requests"] == {"cellular": 1}
    assert rows["coverage"]["requests"] == rows["total"]["requests"] == 3
    assert rows["outcome"] == "none-found"


def test_a_row_says_what_leaked() -> None:
    made = Summary()
    add(made, leak("447700900001"), START_NS)
    add(made, leak("447700900002", time_ns=START_NS + DAY_NS), START_NS + DAY_NS)
    add(made, leak("447700900001", bearer="unknown", severity="low"), START_NS)
    made.add_request(host="www.news.example", network=HERE, bearer="wifi", time_ns=START_NS)
    rows = made.to_dict()
    common = {
        "requests": 4,
        "leaks": 3,
        "subscribers": 2,
        "identifiers": {"msisdn": 2},
        "estimated": False,
        "host_count": 1,
        "first_seen": "2012-01-10T00:00:00.000000Z",
        "last_seen": "2012-01-11T00:00:00.000000Z",
        "severity": "critical",
        "bearers": {"cellular": 2, "unknown": 1},
        "verdicts": {"no-policy": 3},
    }
    party = {"country": "GB", "leaks": 3, "subscribers": 2}
    network = {"name": "Testnet", "mcc": "001", "mnc": "01", "evidence": ["networks file"], "country": "GB"}
    home = {"name": "Virtual Mobile", "mcc": "999", "mnc": "99", "evidence": ["IMSI"], **party}
    assert rows["total"] == {**common, "leaking_requests": 3}
    assert rows["outside"] == common
    assert rows["hosts"] == [{"host": "www.news.example", **common, "partners": []}]
    assert rows["identifiers"] == [{"identifier": "msisdn", **common}]
    assert rows["carriers"][0] == {
        "name": "Testnet",
        "network": network,
        **common,
        "bearer_requests": {"cellular": 2, "unknown": 1, "wifi": 1},
        "home_operators": [home],
    }
    del common["requests"]
    behaviour = {
        "rule": "x-up-calling-line-id",
        "place": "header",
        "name": "x-up-calling-line-id",
        "identifier": "msisdn",
        "hosts": ["www.news.example"],
        **common,
        "confidence": "confirmed",
        "origin": "unknown",
        "network": [{**network, **party}],
        "home_operator": [home],
        "partners": [],
        "example": "44********01",
        "covered_by": None,
    }
    assert rows["behaviours"] == [{"fingerprint": leak().fingerprint, **behaviour}]
    assert rows["names"] == [behaviour]


def test_one_person_is_one_subscriber() -> None:
    kinds = ("msisdn", "imsi", "imei")
    made = summary(*(leak(identifier=kind, pseudonym=f"{kind}:{n}") for kind in kinds for n in range(3)))
    assert made.to_dict()["total"]["subscribers"] == 3
    assert made.to_dict()["total"]["identifiers"] == {"imei": 3, "imsi": 3, "msisdn": 3}


def test_what_does_not_count_subscribers() -> None:
    made = Summary()
    for number in range(5):
        add(made, leak(identifier="subscriber_token", pseudonym=f"subscriber_token:{number}"), rotating=True)
        add(made, leak(identifier="cell_location", pseudonym=f"cell_location:{number}"))
    total = made.to_dict()["total"]
    assert total["subscribers"] == 0
    assert total["identifiers"] == {"cell_location": 5, "subscriber_token": 5}


def test_several_leaks_of_one_request() -> None:
    made = Summary()
    made.add_request(host="www.news.example", network=HERE, bearer="cellular", time_ns=START_NS)
    made.add(leak(), time_ns=START_NS, rotating=False)
    made.add(leak(name="x-msisdn"), time_ns=START_NS, rotating=False)
    total = made.to_dict()["total"]
    assert (total["requests"], total["leaking_requests"], total["leaks"]) == (1, 1, 2)


def test_behaviours_are_by_domain_and_names_are_not() -> None:
    made = summary(leak(host="a.news.example"), leak(host="b.news.example"), leak(host="shop.example")).to_dict()
    assert sorted(tuple(row["hosts"]) for row in made["behaviours"]) == [
        ("a.news.example", "b.news.example"),
        ("shop.example",),
    ]
    assert [(row["name"], row["leaks"], row["host_count"]) for row in made["names"]] == [("x-up-calling-line-id", 3, 3)]


OUTCOMES = [
    # confidences of the leaks, requests without one, losses, outcome
    (["confirmed"], 0, {}, "leak"),
    (["probable"], 0, {"http.head-cut": 1}, "leak"),
    (["hint"], 0, {}, "none-found"),
    ([], 1, {}, "none-found"),
    ([], 1, {"tls": 5, "udp": 5}, "none-found"),
    ([], 1, {"http.head-cut": 1}, "inconclusive"),
    (["hint"], 0, {"file.cut": 1}, "inconclusive"),
    ([], 0, {"tls": 5}, "inconclusive"),
]


@pytest.mark.parametrize(("confidences", "clean", "lost", "outcome"), OUTCOMES)
def test_outcome(confidences: list[str], clean: int, lost: dict[str, int], outcome: str) -> None:
    losses = Losses()
    for name, count in lost.items():
        losses[name] += count
    made = summary(*(leak(confidence=confidence) for confidence in confidences), losses=losses)
    for _ in range(clean):
        made.add_request(host="a.example", network=None, bearer="unknown", time_ns=START_NS)
    assert made.outcome() == made.to_dict()["outcome"] == outcome
    assert made.unread() == any(name not in ("tls", "udp") for name in lost)


def test_what_a_partner_got_and_what_others_got() -> None:
    partner = Recipient("allowed-but-clear", "Age Check", "age-verification")
    late = START_NS + DAY_NS
    made = Summary()
    add(made, leak("447700900001", recipient=partner, host="agecheck.example"))
    add(made, leak("447700900001", recipient=Recipient("expired", "Age Check", None), host="agecheck.example"))
    add(made, leak("447700900002", recipient=Recipient("not-allowed"), host="shop.example", time_ns=late), late)
    rows = made.to_dict()
    assert rows["total"]["verdicts"] == {"allowed-but-clear": 1, "expired": 1, "not-allowed": 1}
    outside = rows["outside"]
    assert (outside["leaks"], outside["subscribers"], outside["host_count"]) == (2, 2, 2)
    assert outside["last_seen"] == rows["total"]["last_seen"] > outside["first_seen"]
    assert [(row["host"], row["verdicts"], row["partners"]) for row in rows["hosts"]] == [
        (
            "agecheck.example",
            {"allowed-but-clear": 1, "expired": 1},
            [{"partner": "Age Check", "purpose": None}, {"partner": "Age Check", "purpose": "age-verification"}],
        ),
        ("shop.example", {"not-allowed": 1}, []),
    ]
    assert [(cell["leaks"], cell["outside"]) for cell in rows["timeline"]["cells"]] == [(2, 1), (1, 1)]


def test_rules_that_found_something_are_explained() -> None:
    one, other = Summary(), Summary()
    one.explain("x-a", "what a is")
    one.explain("x-b", "b, of another catalogue")
    other.explain("x-b", "a different text")
    one.merge(other)
    assert one.to_dict()["rules"] == {"x-a": "what a is", "x-b": "a different text"}


def test_worst_behaviour_first() -> None:
    made = summary(leak(severity="low", name="a"), leak(severity="critical", name="b"), leak(severity="high", name="c"))
    assert [row["name"] for row in made.to_dict()["behaviours"]] == ["b", "c", "a"]


def test_hosts_past_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_HOSTS", "MAX_LEAKING_HOSTS", "MAX_CLEAN_ROWS"):
        monkeypatch.setattr(module, name, 3)
    made = summary(*(leak(host=f"h{number}.example") for number in range(10)))
    rows = made.to_dict()
    assert rows["hosts"][-1]["host"] == "(other)"
    assert sum(row["leaks"] for row in rows["hosts"]) == 10
    assert sum(row["requests"] or 0 for row in rows["hosts"]) == 10
    assert rows["coverage"]["losses"]["other"]["summary.hosts-folded"] == 7
    assert rows["total"]["host_count"] == 10


def test_behaviours_past_the_bound_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BEHAVIOURS", 1)
    leaks = [leak(name=f"n{number}") for number in range(5)]
    for worst in range(5):
        made = summary(
            *(replace(one, severity="critical" if index == worst else "low") for index, one in enumerate(leaks))
        )
        rows = made.to_dict()
        assert "critical" in {rows["folded"]["severity"], *(row["severity"] for row in rows["behaviours"])}
        assert (rows["folded"]["leaks"], rows["folded"]["fingerprint"]) == (4, None)
        assert rows["coverage"]["losses"]["unread"] == {"summary.behaviours-folded": 4}


def test_many_subscribers_are_an_estimate_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_IN_WHOLE", 256)
    made = summary(*(leak(pseudonym=f"msisdn:{number}") for number in range(3000)))
    row = made.to_dict()["total"]
    assert row["estimated"]
    assert abs(row["subscribers"] - 3000) < 600


def test_hostile_names_and_hosts_are_clipped() -> None:
    made = summary(leak(host="h" * 100_000, name="n" * 100_000, value="v" * 100_000, evidence=("e" * 100_000,)))
    assert len(json.dumps(made.to_dict())) < 10_000


def test_coverage_is_the_stages() -> None:
    coverage = Coverage(
        frames=7, bytes=700, streams=2, requests=1, tls_streams=1, tcp_payload_bytes=90, examined_bytes=9
    )
    losses = Losses()
    losses["tls"] += 1
    made = summary(leak(), losses=losses, coverage=coverage).to_dict()["coverage"]
    assert made == {
        "frames": 7,
        "bytes": 700,
        "streams": 2,
        "requests": 1,
        "tls_streams": 1,
        "tcp_payload_bytes": 90,
        "examined_bytes": 9,
        "losses": {"unread": {}, "other": {"tls": 1}},
        "problems": [],
    }


Event = tuple[Leak | None, str, int, bool]


def events(seed: int, count: int) -> list[Event]:
    """Requests and leaks of all sorts, more than the bounds of the test hold."""
    rng = random.Random(seed)
    made: list[Event] = []
    for _ in range(count):
        time_ns = START_NS + rng.randrange(100) * MINUTE_NS * rng.choice([1, 1000])
        host = f"h{rng.randrange(9)}.example"
        one = leak(
            f"4477009000{rng.randrange(20):02d}",
            time_ns=time_ns,
            host=host,
            name=rng.choice(["x-a", "X-A", "x-b"]),
            identifier=rng.choice(["msisdn", "imsi", "subscriber_token"]),
            severity=rng.choice(SEVERITIES),
            confidence=rng.choice(["hint", "probable", "confirmed"]),
            origin=rng.choice(["unknown", "client-sent"]),
            bearer=rng.choice(["cellular", "wifi"]),
            network=rng.choice([HERE, None, replace(HERE, evidence=("IMSI", "header")), HOME]),
            home_operator=rng.choice([HOME, None]),
            recipient=rng.choice([Recipient(), Recipient("allowed", "A", "billing"), Recipient("expired", "B", None)]),
        )
        made.append((one if rng.random() < 0.6 else None, host, time_ns, rng.random() < 0.2))
    return made


def folded(parts: list[Event]) -> Summary:
    losses, coverage = Losses(), Coverage(frames=len(parts))
    losses["udp"] += len(parts)
    for one, host, _, _ in parts:
        if one is None:
            losses.problem("file.cut", host, None, "cut")
    made = Summary(losses, coverage)
    for one, host, time_ns, rotating in parts:
        made.add_request(host=host, network=one.network if one else None, bearer="cellular", time_ns=time_ns)
        if one is not None:
            made.add(one, time_ns=time_ns, rotating=rotating)
            made.explain(one.rule, f"what {one.identifier} is")
    return made


def merged(*parts: Summary) -> Summary:
    first, *others = parts
    for other in others:
        first.merge(other)
    return first


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 40))
def test_merge_is_commutative_and_associative(seed: int, one: int, two: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        bounds = {"MAX_BEHAVIOURS": 4, "MAX_HOSTS": 6, "MAX_LEAKING_HOSTS": 4, "MAX_CLEAN_ROWS": 3, "MAX_NAMES": 2}
        for name, bound in {**bounds, "MAX_KINDS": 2, "MAX_PARTIES": 2, "EXACT_IN_WHOLE": 4}.items():
            patch.setattr(module, name, bound)
        patch.setattr(losses_module, "MAX_PROBLEMS", 3)
        for name, bound in {"MAX_PARTIES": 1, "MAX_EVIDENCE": 2, "MAX_NAMED_HOSTS": 2}.items():
            patch.setattr(tally, name, bound)
        low, high = sorted((one, two))
        made = events(seed, 40)
        parts = (made[:low], made[low:high], made[high:])
        whole = folded(made).to_dict()
        a, b, c = map(folded, parts)
        assert merged(a, b, c).to_dict() == whole
        a, b, c = map(folded, parts)
        assert merged(a, merged(b, c)).to_dict() == whole
        a, b, c = map(folded, parts)
        assert merged(c, a, b).to_dict() == whole
        random.Random(seed).shuffle(made)
        assert folded(made).to_dict() == whole
