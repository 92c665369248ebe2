"""Unknown trackers: headers that no catalogue knows and that follow people around; and all those that only look like it."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan.cli import run
from leakscan.detectors import builtin
from leakscan.detectors.unknown import STANDARD, may_track, unknown_tokens
from leakscan.gate import Rules, judge
from leakscan.origin import Manner
from leakscan.summary import Summary
from leakscan.tally import Around, sighting
from tests.builders import pcap
from tests.leaks import START_NS, leak
from tests.streams import frames, request

NAMES = [
    # name, value, worth watching
    ("X-Rewards-Ref", "9f86d081884c7d659a2feaa0c55ad015", True),
    ("x-q", "123e4567-e89b-42d3-a456-426614174000", True),
    ("X-Lk", "dGhpcyBpcyBub3QgYSB0b2tlbjEyMw==", True),
    ("X-N", "83749201746352", True),
    ("X-Rewards-Ref", "9f86d08188", False),  # short
    ("X-Rewards-Ref", "aaaaaaaaaaaa11111111", False),  # nothing random in it
    ("X-Phone", "SM-G900F/KTU84P", False),  # the model, short runs
    ("X-App", "com.example.newsreader", False),
    ("X-When", "Tue, 10 Jan 2012 00:00:00 GMT", False),
    ("X-Sentence", "this is a sentence with 9f86d081884c7d659a2feaa0c55ad015", False),
    ("X-Version", "10.4.2.1183", False),
    ("X-Words", "abcdefghijklmnopqrstuvwxyz", False),
    ("X-Request-Id", "9f86d081884c7d659a2feaa0c55ad015", False),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
    ("If-None-Match", '"9f86d081884c7d659a2feaa0c55ad015"', False),
    ("Authorization", "Bearer 9f86d081884c7d659a2feaa0c55ad015", False),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", False),
    ("CF-Ray", "9f86d081884c7d659a2feaa0c55ad015", False),
    ("X-Client-Data", "CIa2yQEIprbJAQipncoBCKijygEYvbrKAQ==", False),
]


@pytest.mark.parametrize(("name", "value", "worth"), NAMES)
def test_what_is_worth_watching(name: str, value: str, worth: bool) -> None:
    assert may_track(name, value) == worth


def test_what_the_catalogue_knows_is_not_unknown() -> None:
    headers = [
        ("X-UIDH", "9f86d081884c7d659a2feaa0c55ad015"),
        ("X-Lk", "9f86d081884c7d659a2feaa0c55ad015"),
        ("Broken", None),
    ]
    assert unknown_tokens(headers, builtin()) == [headers[1]]
    assert all(name == name.lower() for name in STANDARD)


class Visit(NamedTuple):
    client: int
    host: str
    agent: str


VISITS = [
    Visit(client, host, agent)
    for client in range(4)
    for host in ("news.example", "shop.example", "bank.example")
    for agent in ("Browser/1.0", "Player/2.0")
]
Value = Callable[[Visit], str]


def token(*parts: object) -> str:
    return sha256("/".join(map(str, parts)).encode()).hexdigest()[:24]


CASES: list[tuple[str, list[Visit], Value, str]] = [
    ("a tracker", VISITS, lambda v: token(v.client), "probable"),
    (
        "of two people, at two hosts",
        [v for v in VISITS if v.client < 2 and v.host != "bank.example"],
        lambda v: token(v.client),
        "hint",
    ),
    ("of one person", [v for v in VISITS if v.client == 0], lambda v: token(v.client), ""),
    ("each site's own", VISITS, lambda v: token(v.client, v.host), ""),
    ("each program's own", VISITS, lambda v: token(v.client, v.agent), ""),
    ("one program's", [v for v in VISITS if v.agent == "Player/2.0"], lambda v: token(v.client), ""),
    ("one site's", [v for v in VISITS if v.host == "news.example"], lambda v: token(v.client), ""),
    ("everybody's", VISITS, lambda v: token("key"), ""),
    ("new every time", VISITS, lambda v: token(*v), ""),
]


def manner(visit: Visit) -> Manner:
    number = {name: index + 1 for index, name in enumerate(("news.example", "shop.example", "bank.example"))}
    return Manner(
        visit.client + 1,
        visit.client + 1,
        len(visit.agent) + ord(visit.agent[0]),
        ord(visit.agent[0]),
        number[visit.host],
        False,
        0,
    )


def watch(made: Summary, visit: Visit, value: str, name: str = "X-Lk") -> None:
    one = leak(identifier="subscriber_token", pseudonym=f"subscriber_token:{value}", name=name, host=visit.host, confidence="hint", severity="high", rule="unknown-token", network=None, home_operator=None)  # fmt: skip
    seen = sighting(one, START_NS, False, Around())
    made.add_request(host=visit.host, network=None, bearer="cellular", time_ns=START_NS)
    made.watch(
        name, seen.value, manner(visit), (name, visit.host), (START_NS, "a.pcap", 1, 1, 1), one.time, True, lambda: seen
    )


@pytest.mark.parametrize(("visits", "value", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_the_whole_says(visits: list[Visit], value: Value, verdict: str) -> None:
    for least in ("probable", "hint"):
        made = Summary(least=least)
        for visit in visits:
            watch(made, visit, value(visit))
        rows = made.to_dict()
        shown = verdict if verdict == "probable" or least == "hint" else ""
        assert {row["confidence"] for row in rows["names"]} == ({shown} if shown else set())
        assert rows["outcome"] == ("leak" if verdict == "probable" else "none-found")
        assert bool(judge(made.to_dict(), Rules(fail_on="high"))["gate"]["counting"]) == bool(shown)
        if shown:
            (row,) = rows["names"]
            people = len({visit.client for visit in visits})
            assert (row["name"], row["identifier"], row["leaks"], row["subscribers"]) == (
                "X-Lk",
                "subscriber_token",
                len(visits),
                people,
            )
            assert rows["total"]["leaking_requests"] == rows["total"]["requests"] == len(visits)
            assert rows["rules"].keys() == {"unknown-token"}
            assert {host["host"] for host in rows["hosts"] if host["leaks"]} == {visit.host for visit in visits}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40))
def test_any_order_and_any_split_give_the_same(seed: int, at: int) -> None:
    rng = random.Random(seed)
    events = []
    for _ in range(40):
        visit = rng.choice(VISITS)
        value = rng.choice([token(visit.client), token(visit.client), token(rng.random())])
        events.append((visit, value, rng.choice(["X-Lk", "X-Lk", "x-lk", "X-Other", f"X-{rng.randrange(9)}"])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leakscan.joins.MAX_TRACKERS", 3)
        patch.setattr("leakscan.joins.trackers.MAX_ROWS", 5)
        patch.setattr("leakscan.origin.MAX_VALUES", 3)

        def folded(parts: list[Any]) -> Summary:
            made = Summary(least="hint")
            for part in parts:
                watch(made, *part)
            return made

        whole = folded(events).to_dict()
        one, other = folded(events[:at]), folded(events[at:])
        one.merge(other)
        assert one.to_dict() == whole
        rng.shuffle(events)
        assert folded(events).to_dict() == whole


def test_past_the_bound_leaks_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leakscan.joins.trackers.MAX_ROWS", 5)
    made = Summary()
    for visit in VISITS:
        watch(made, visit, token(visit.client))
    rows = made.to_dict()
    assert rows["names"][0]["leaks"] + rows["coverage"]["losses"]["other"]["summary.trackers-folded"] == len(VISITS)


def capture(path: Path, line: Callable[[Visit], str]) -> None:
    packets = []
    for number, visit in enumerate(VISITS):
        data = request("/", f"User-Agent: {visit.agent}", "Accept: */*", line(visit), host=visit.host)
        packets += frames(data, client=f"192.0.2.{visit.client + 1}", port=40_000 + number)
    path.write_bytes(pcap(packets))


@pytest.mark.parametrize("more", ["", "\r\nx-up-calling-line-id: 447700900123"], ids=["alone", "beside a number"])
def test_in_a_capture(capsys: pytest.CaptureFixture[str], tmp_path: Path, more: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 16)
    for number in range(2):
        capture(tmp_path / f"{number}.pcap", lambda visit: f"X-Lk: {token(visit.client)}{more}")
    results = []
    for jobs in ("1", "2"):
        code = run(["analyse", "-q", "-f", "json", "-j", jobs, "--pseudonym-key", str(key), str(tmp_path)])
        assert code == 1
        results.append(capsys.readouterr().out)
    assert results[0] == results[1]
    result = json.loads(results[0])
    assert {line["rule"] for line in result["leaks"]} == ({"x-up-calling-line-id"} if more else set())
    rows = {row["rule"]: row for row in result["summary"]["names"]}
    row = rows["unknown-token"]
    assert (row["name"], row["confidence"], row["severity"], row["leaks"]) == (
        "X-Lk",
        "probable",
        "high",
        2 * len(VISITS),
    )
    assert row["origin"] == "consistent-with-injection"
    assert row["subscribers"] == 4  # the same token in both captures
    assert row["example"].endswith("... (24 characters)")
    total = result["summary"]["total"]
    assert total["leaking_requests"] == total["requests"] == 2 * len(VISITS)
    assert token(0) not in results[0]
    lines = tmp_path / "result.jsonl"
    run(["analyse", "-q", "--pseudonym-key", str(key), "-o", str(lines), *map(str, sorted(tmp_path.glob("*.pcap")))])
    assert run(["report", "-q", "-f", "jsonl", str(lines)]) == 1  # they have no lines, and count all the same
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    for table in ("behaviours", "names"):
        for key_name in ("leaks", "confidence", "subscribers", "origin", "verdicts", "counts", "hosts"):
            assert [row.get(key_name) for row in again[table]] == [
                row.get(key_name) for row in result["summary"][table]
            ]
    assert again["total"]["leaks"] == total["leaks"]


def test_random_tokens_are_cheap_and_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capture(tmp_path / "a.pcap", lambda visit: f"X-Lk: {secrets.token_hex(12)}")
    assert run(["analyse", "-q", "-f", "json", "--min-confidence", "hint", str(tmp_path / "a.pcap")]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["behaviours"] == []
