"""The whole: rows, verdicts, bounds, and the same in any order and any split."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan import joins, tally
from leakscan import losses as losses_module
from leakscan import summary as module
from leakscan.distinct import stable_hash
from leakscan.gate import Rules, judge
from leakscan.losses import Losses
from leakscan.model import SEVERITIES, Coverage, Leak, Recipient
from leakscan.origin import Manner
from leakscan.summary import Summary
from leakscan.tally import Around
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
    assert rows["total"] == {**common, "leaking_requests": 3, "local_requests": 0}
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
        "encodings": [],
        **common,
        "confidence": "confirmed",
        "raised": 0,
        "origin": "unknown",
        "origin_evidence": [],
        "network": [{**network, **party}],
        "home_operator": [home],
        "partners": [],
        "example": "44********01",
        "covered_by": None,
    }
    assert rows["behaviours"] == [{"fingerprint": leak().fingerprint, **behaviour}]
    assert rows["names"] == [behaviour]


def test_disguises_are_listed_once() -> None:
    chains = [("base64", "hex"), (), ("percent",), ("base64", "hex")]
    (row,) = summary(*(leak(encoding=chain) for chain in chains)).to_dict()["behaviours"]
    assert row["encodings"] == [["base64", "hex"], ["percent"]]


def test_one_person_is_one_subscriber() -> None:
    kinds = ("msisdn", "imsi", "imei")
    made = summary(*(leak(identifier=kind, pseudonym=f"{kind}:{n}") for kind in kinds for n in range(3)))
    assert made.to_dict()["total"]["subscribers"] == 3
    assert made.to_dict()["total"]["identifiers"] == {"imei": 3, "imsi": 3, "msisdn": 3}


def test_one_persons_tokens_of_several_schemes_are_one_subscriber() -> None:
    made = Summary()
    for person in range(2):
        names = [f"subscriber_token:{scheme}{person}" for scheme in "abc"]
        for name in names:
            one = leak(identifier="subscriber_token", pseudonym=name)
            made.add_request(host=one.host, network=None, bearer="unknown", time_ns=START_NS)
            same = 0 if name == names[0] else stable_hash(names[0])
            made.add(one, time_ns=START_NS, rotating=False, around=Around(same=same))
    add(made, leak(identifier="subscriber_token", pseudonym="subscriber_token:of another"))
    assert made.to_dict()["total"]["subscribers"] == 3
    assert made.to_dict()["total"]["identifiers"] == {"subscriber_token": 7}


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
    one.explain("x-c", "a hint that was not shown")
    one.merge(other)
    for rule in ("x-a", "x-b"):
        add(one, leak(rule=rule))
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


HINT = {"confidence": "hint", "place": "referer", "name": "u", "rule": "value", "host": "ads.example"}


def propagated(*parts: tuple[Leak, bool]) -> Summary:
    made = Summary()
    for one, shown in parts:
        made.add_request(host=one.host, network=one.network, bearer=one.bearer, time_ns=START_NS)
        made.add(one, time_ns=START_NS, rotating=False, around=Around(shown))
    return made


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("hint_first", [True, False])
def test_a_hint_is_raised_by_the_same_value_confirmed_elsewhere(shown: bool, hint_first: bool) -> None:
    parts = [(leak(), True), (leak(**HINT), shown), (leak("447700900999", **HINT), shown)]
    made = propagated(*(reversed(parts) if hint_first else parts))
    rows = made.to_dict()
    behaviours = {row["name"]: row for row in rows["behaviours"]}
    assert behaviours["u"]["confidence"] == "confirmed"
    assert behaviours["u"]["raised"] == 1
    assert behaviours["u"]["leaks"] == (2 if shown else 1)  # the other number is a hint, and stays one
    assert behaviours["u"]["subscribers"] == behaviours["u"]["leaks"]
    assert rows["total"]["leaks"] == rows["total"]["leaking_requests"] == (3 if shown else 2)
    assert {row["host"]: row["leaks"] for row in rows["hosts"]} == {
        "www.news.example": 1,
        "ads.example": 2 if shown else 1,
    }
    assert sum(cell["leaks"] for cell in rows["timeline"]["cells"]) == rows["total"]["leaks"]


def counts(made: Summary, fail_on: str) -> bool:
    return bool(judge(made.to_dict(), Rules(fail_on=fail_on))["gate"]["counting"])


def test_what_is_raised_counts_for_the_exit_code() -> None:
    low = leak(severity="low")
    hint = leak(**HINT, severity="critical")
    assert not counts(propagated((low, True)), "critical")
    assert not counts(propagated((hint, False)), "critical")
    assert counts(propagated((hint, False), (low, True)), "critical")
    assert propagated((hint, False)).outcome() == "none-found"


@pytest.mark.parametrize(
    "other",
    [
        leak("447700900999"),  # another value
        leak(confidence="probable"),  # not confirmed itself
        leak(identifier="cell_location"),  # another kind
    ],
    ids=["value", "probable", "kind"],
)
def test_what_raises_nothing(other: Leak) -> None:
    rows = propagated((leak(**HINT), False), (other, True)).to_dict()
    assert [row["name"] for row in rows["behaviours"]] == ["x-up-calling-line-id"]
    assert rows["total"]["leaks"] == 1


def test_a_kind_that_is_nobodys_own_raises_nothing() -> None:
    """Two people in one country have the same country."""
    place = {"identifier": "cell_location", "pseudonym": "cell_location:1"}
    rows = propagated((leak(**HINT, **place), True), (leak(**place), True)).to_dict()
    assert {row["name"]: row["confidence"] for row in rows["behaviours"]} == {
        "u": "hint",
        "x-up-calling-line-id": "confirmed",
    }


def test_several_that_wait_in_one_request() -> None:
    made = Summary()
    for confirmed in (False, True):
        made.add_request(host="ads.example", network=None, bearer="unknown", time_ns=START_NS)
        made.add(leak(**HINT), time_ns=START_NS, rotating=False, around=Around(False))
        made.add(leak("447700900999", **HINT), time_ns=START_NS, rotating=False, around=Around(False))
        if confirmed:
            made.add(leak(), time_ns=START_NS, rotating=False)
            assert made.to_dict()["total"]["leaking_requests"] == 2  # reading in the middle changes nothing
            made.add(leak("447700900999"), time_ns=START_NS, rotating=False)
    total = made.to_dict()["total"]
    assert (total["requests"], total["leaking_requests"], total["leaks"]) == (2, 2, 6)


def test_past_the_bound_leaks_count_as_their_line_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MAX_WAITING", 2)
    numbers = [f"44770090010{number}" for number in range(5)]
    confirmed = [(leak(number, name="y"), True) for number in numbers]
    rows = propagated(*((leak(number, **HINT), True) for number in numbers), *confirmed).to_dict()
    assert rows["coverage"]["losses"]["other"] == {"summary.joins-folded": 3}
    assert {row["name"]: (row["leaks"], row["raised"]) for row in rows["behaviours"]} == {"u": (5, 2), "y": (5, 0)}


CLIENT, OTHER_CLIENT, GATEWAY = 11, 12, 13


@pytest.mark.parametrize(
    ("client", "cellular", "bearers", "requests"),
    [
        (CLIENT, False, {"wifi": 1}, {"unknown": 1, "wifi": 2}),
        (CLIENT, True, {"unknown": 1}, {"cellular": 1, "unknown": 3}),  # a gateway in the operator's own building
        (OTHER_CLIENT, False, {"unknown": 1}, {"unknown": 3}),
        (0, False, {"unknown": 1}, {"unknown": 3}),  # captured where neighbours cannot be seen
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_client_that_is_a_neighbour_is_local(
    client: int, cellular: bool, bearers: dict[str, int], requests: dict[str, int], before: bool
) -> None:
    made = Summary()
    if before:
        made.neighbours.add(CLIENT)
    one = leak(bearer="unknown", network=None)
    for number in (client, client, OTHER_CLIENT):
        made.add_request(host=one.host, network=None, bearer="unknown", time_ns=START_NS, client=number)
        if not made.leaking_requests:
            made.add(one, time_ns=START_NS, rotating=False, around=Around(client=client))
    if cellular:
        made.add_request(host=one.host, network=None, bearer="cellular", time_ns=START_NS, client=client)
    assert made.to_dict()["total"]["local_requests"] == (2 if before and "wifi" in bearers else 0)
    made.neighbours.add(CLIENT)
    rows = made.to_dict()
    assert rows["total"]["bearers"] == rows["behaviours"][0]["bearers"] == bearers
    assert rows["carriers"][0]["bearer_requests"] == requests
    assert rows["total"]["local_requests"] == requests.get("wifi", 0)


@pytest.mark.parametrize(
    ("known", "network"),
    [([HERE], "Testnet"), ([HERE, HERE], "Testnet"), ([HERE, HOME], None), ([], None)],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_same_gateway_is_the_same_network(known: list[Any], network: str | None, first: bool) -> None:
    made = Summary()
    leaks = [leak(network=one) for one in known]
    unnamed = leak("447700900999", network=None)
    for one in [*leaks, unnamed] if first else [unnamed, *leaks]:
        made.add_request(host=one.host, network=None, bearer="cellular", time_ns=START_NS)
        made.add(one, time_ns=START_NS, rotating=False, around=Around(gateway=GATEWAY))
    rows = made.to_dict()
    unattributed = next(row for row in rows["carriers"] if row["name"] == "unattributed")
    assert unattributed["leaks"] == (0 if network else 1)
    if network:
        row = rows["carriers"][0]
        assert (row["name"], row["leaks"]) == (network, len(known) + 1)
        assert "gateway: the same headers as in requests of this network" in row["network"]["evidence"]
        assert rows["behaviours"][0]["network"][0]["leaks"] == len(known) + 1


@pytest.mark.parametrize(
    ("homes", "network", "evidence"),
    [
        ([HOME] * 3, HOME.name, "gateway: 3 of 3 subscribers seen are this operator's"),
        ([HOME] * 3 + [HERE], HOME.name, "gateway: 3 of 4 subscribers seen are this operator's"),
        ([HOME] * 3 + [None], HOME.name, "gateway: 3 of 3 subscribers seen are this operator's"),
        ([HOME] * 2, "unattributed", ""),
        ([HOME, HOME, HERE, HERE], "unattributed", ""),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_a_gateway_is_its_subscribers_operators(homes: list[Any], network: str, evidence: str, parts: int) -> None:
    made = [Summary() for _ in range(parts)]
    manner = Manner(1, 1, 1, 1, 1, False, 0)
    for number, home in enumerate([*homes, homes[0]]):  # the first subscriber comes again
        one = leak(f"44770090010{number % len(homes)}", network=None, home_operator=home)
        part = made[number % parts]
        part.add_request(host=one.host, network=None, bearer="cellular", time_ns=START_NS)
        part.add(one, time_ns=START_NS, rotating=False, around=Around(gateway=GATEWAY), manner=manner)
    for other in made[1:]:
        made[0].merge(other)
    rows = made[0].to_dict()
    row = next(row for row in rows["carriers"] if row["leaks"])
    assert (row["name"], row["leaks"]) == (network, len(homes) + 1)
    assert not evidence or evidence in row["network"]["evidence"]


def test_what_found_no_place_to_wait_is_a_loss_only_if_waiting_would_have_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "MAX_WAITING", 1)
    made = Summary()
    for number in range(4):
        one = leak(f"44770090000{number}", bearer="unknown")
        made.add_request(host=one.host, network=None, bearer="unknown", time_ns=START_NS, client=CLIENT)
        made.add(one, time_ns=START_NS, rotating=False, around=Around(client=CLIENT))
    assert made.to_dict()["coverage"]["losses"]["other"] == {}
    made.neighbours.add(OTHER_CLIENT)
    assert made.to_dict()["coverage"]["losses"]["other"] == {"summary.joins-folded": 3}


def test_what_leads_so_far_counts_what_waits() -> None:
    made = Summary()
    for number, waits in enumerate([True, False, True]):
        one = leak(f"44770090000{number}", host=f"h{number // 2}.example", bearer="unknown" if waits else "cellular")
        made.add_request(host=one.host, network=None, bearer=one.bearer, time_ns=START_NS, client=CLIENT)
        made.add(one, time_ns=START_NS, rotating=False, around=Around(client=CLIENT))
    hosts, networks = made.leading(1)
    assert made.leaks_so_far() == 3
    assert [(row["host"], row["leaks"], row["subscribers"]) for row in hosts] == [("h0.example", 2, 2)]
    assert [(row["network"]["name"], row["leaks"]) for row in networks] == [("Testnet", 3)]
    rows = made.to_dict()
    assert (rows["hosts"][0]["leaks"], rows["carriers"][0]["leaks"]) == (2, 3)


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


Event = tuple[Leak | None, str, int, bool, Around]


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
            bearer=rng.choice(["cellular", "wifi", "unknown"]),
            network=rng.choice([HERE, None, replace(HERE, evidence=("IMSI", "header")), HOME]),
            home_operator=rng.choice([HOME, None]),
            recipient=rng.choice([Recipient(), Recipient("allowed", "A", "billing"), Recipient("expired", "B", None)]),
        )
        shown = one.confidence == "confirmed" or rng.random() < 0.5
        hashes = [0, *(stable_hash(str(number)) for number in range(9))]
        around = Around(shown, *(rng.choice(hashes) for _ in range(3)))
        made.append((one if rng.random() < 0.6 else None, host, time_ns, rng.random() < 0.2, around))
    return made


def folded(parts: list[Event]) -> Summary:
    losses, coverage = Losses(), Coverage(frames=len(parts))
    losses["udp"] += len(parts)
    for one, host, *_ in parts:
        if one is None:
            losses.problem("file.cut", host, None, "cut")
    made = Summary(losses, coverage)
    for one, host, time_ns, rotating, around in parts:
        network, bearer = (one.network, one.bearer) if one else (None, "unknown")
        made.add_request(host=host, network=network, bearer=bearer, time_ns=time_ns, client=around.client)
        if one is not None:
            manner = Manner(
                around.client or 1, around.client or 1, around.same, around.same, stable_hash(host), around.shown, 1
            )
            made.add(one, time_ns=time_ns, rotating=rotating, around=around, manner=manner)
            made.explain(one.rule, f"what {one.identifier} is")
        if rotating:
            made.neighbours.add(around.client)
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
        bounds |= {"MAX_KINDS": 2, "MAX_PARTIES": 2, "EXACT_IN_WHOLE": 4}
        for name, bound in bounds.items():
            patch.setattr(module, name, bound)
        patch.setattr(losses_module, "MAX_PROBLEMS", 3)
        bounds = {"MAX_WAITING": 6, "MAX_WAITING_REQUESTS": 3, "MAX_CONFIRMED": 5}
        bounds |= {"MAX_CLIENTS": 4, "MAX_GATEWAYS": 3, "MAX_SPREADS": 3}
        for name, bound in bounds.items():
            patch.setattr(joins, name, bound)
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
