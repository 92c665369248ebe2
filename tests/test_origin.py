"""Who put it there: statistics inside one capture, and a phone's own multimedia messages."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.around import case_of, manners_of
from leakscan.cli import run
from leakscan.model import Field, Match, Message, Origin
from leakscan.origin import OWN, STRANGE, Manner, Spread, mms_centre
from tests.builders import pcap
from tests.streams import frames, request


class Seen(NamedTuple):
    """One sighting: who sent which value, with what, to whom, and how it stood there."""

    client: int
    value: int
    program: int = 1
    domain: int = 1
    foreign: bool = False
    slot: int = 0
    family: int = 1


def spread(sightings: Sequence[Seen]) -> Spread:
    made = Spread()
    for client, value, program, domain, foreign, slot, family in sightings:
        made.add(value, Manner(client, client, program, family, domain, foreign, slot))
    return made


def everywhere(client: int, value: int, domains: int, programs: int = 1, **how: Any) -> list[Seen]:
    return [
        Seen(client, value, program + 10 * client, domain, **how)
        for domain in range(1, domains + 1)
        for program in range(programs)
    ]


CASES: list[tuple[str, list[Seen], bool]] = [
    ("nothing", [], False),
    ("browser and mail program of two people", [*everywhere(1, 1, 2, 2), *everywhere(2, 2, 2, 2)], True),
    ("the same through one proxy", [*everywhere(1, 1, 2, 2), *everywhere(1, 2, 2, 2)], False),
    ("the same, and the names are lower case", [s._replace(foreign=True) for s in [*everywhere(1, 1, 2, 2), *everywhere(1, 2, 2, 2)]], True),
    ("one phone with two programs, header always last", everywhere(1, 1, 3, 2, slot=1), True),
    ("one phone with two programs, header among its own", everywhere(1, 1, 3, 2), False),
    ("one program each, three hosts, header always first", [*everywhere(1, 1, 3, slot=-1), *everywhere(2, 2, 3, slot=-1)], True),
    ("an application's own header to two hosts of its maker", [*everywhere(1, 1, 2, foreign=True), *everywhere(2, 2, 2, foreign=True)], False),
    ("a site's own id, from all browsers of the house", [*everywhere(1, 1, 1, 3, foreign=True), *everywhere(2, 2, 1, 3, foreign=True)], False),
    ("another value at each site", [Seen(1, d, p, d, True, 1) for d in range(1, 5) for p in (1, 2)], False),
    ("one value for all, at the end: a proxy's", [*everywhere(1, 1, 3, 2, slot=1), *everywhere(2, 1, 3, 2, slot=1)], True),
    ("browsers and feature phones, addresses handed round", [Seen(c, v, v, d, True, 0, v) for c in range(1, 4) for v in range(1, 5) for d in range(1, 4)], True),
    ("the same, and the header is among the client's own", [Seen(c, v, v, d, False, 0, v) for c in range(1, 4) for v in range(1, 5) for d in range(1, 4)], False),
    ("sometimes last is not always last", [*everywhere(1, 1, 3, 2, slot=1), *everywhere(1, 1, 3, 2)], False),
]  # fmt: skip


@pytest.mark.parametrize(("sightings", "consistent"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_statistics_say(sightings: list[Seen], consistent: bool) -> None:
    assert bool(spread(sightings).evidence()) == consistent


def test_evidence_is_in_words() -> None:
    made = spread([*everywhere(1, 1, 6, 2, foreign=True, slot=1), *everywhere(2, 2, 6, foreign=True, slot=1)])
    assert made.evidence() == (
        "one value at 4 or more unrelated hosts",
        "one value in requests of several programs",
        "every client has a value of its own",
        "a name in another case than the client's own",
        "always behind the client's own headers",
    )


sightings = st.lists(
    st.builds(
        Seen,
        *(st.integers(1, 2**64 - 1) | st.integers(1, 6) for _ in range(4)),
        st.booleans(),
        st.integers(-1, 1),
        st.integers(1, 5),
    ),
    max_size=60,
)


@given(sightings, st.integers(0, 60), st.randoms())
def test_any_order_and_any_split_say_the_same(seen: list[Seen], at: int, rng: random.Random) -> None:
    whole = spread(seen).evidence()
    shuffled = seen[:]
    rng.shuffle(shuffled)
    assert spread(shuffled).evidence() == whole
    one, other = spread(shuffled[:at]), spread(shuffled[at:])
    one.merge(other)
    assert one.evidence() == whole


def message(*lines: tuple[str, str], method: str = "GET", target: str = "/", host: str = "a.example") -> Message:
    ends = ("192.0.2.1", 40000, "203.0.113.1", 80)
    return Message(
        Origin("x.pcap", 1, 6, ""), 0, 1, 1, "x.pcap", *ends, None, "", "http/1.1", method, target, host, lines, False
    )


def match(name: str, place: str = "header", origin: str = "unknown") -> Match:
    return Match(Field(place, name, "v"), "r", "msisdn", "v", "v", (), "confirmed", "critical", False, origin, ())


OWN_LINES = (("Host", "a.example"), ("User-Agent", "x"), ("Accept", "*/*"))


@pytest.mark.parametrize(
    ("lines", "name", "foreign", "slot"),
    [
        ((*OWN_LINES, ("x-msisdn", "1")), "x-msisdn", True, 1),
        ((("x-msisdn", "1"), *OWN_LINES), "x-msisdn", True, -1),
        ((*OWN_LINES[:1], ("X-Msisdn", "1"), *OWN_LINES[1:]), "X-Msisdn", False, 0),
        ((*OWN_LINES, ("X-MSISDN", "1"), ("Via", "1.1 x")), "X-MSISDN", True, 1),  # what proxies add does not count
        ((("host", "a"), ("User-Agent", "x"), ("x-msisdn", "1")), "x-msisdn", False, 1),  # the client mixes them itself
        ((("x-msisdn", "1"),), "x-msisdn", False, 0),
    ],
)
def test_how_a_header_stands(lines: tuple[tuple[str, str], ...], name: str, foreign: bool, slot: int) -> None:
    (manner,) = manners_of(message(*lines), [match(name)])
    assert manner is not None
    assert (manner.foreign_case, manner.slot) == (foreign, slot)


def test_what_the_client_wrote_has_no_manner() -> None:
    found = [match("x", "query"), match("x", origin="client-sent"), match("x", "cookie")]
    assert [manner is not None for manner in manners_of(message(*OWN_LINES), found)] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "case"),
    [("x-a", "lower"), ("X-UIDH", "upper"), ("X-Wap-Profile", "title"), ("x-Msisdn", "mixed"), ("x-mSISDN", "mixed")],
)
def test_case(name: str, case: str) -> None:
    assert case_of(name) == case


SEND, ACCEPT = (
    ("Content-Type", "application/vnd.wap.mms-message"),
    ("Accept", "text/html, application/vnd.wap.mms-message"),
)


@pytest.mark.parametrize(
    ("line", "method", "target", "host", "centre"),
    [
        (SEND, "POST", "/", "mmsc.operator.example", OWN),
        (SEND, "POST", "/servlets/mms", "mms.operator.example", OWN),
        (SEND, "POST", "/mmsc", "10.151.0.1", OWN),
        (SEND, "POST", "/", "mms.o2.co.uk", OWN),
        (SEND, "POST", "/", "upload.example", STRANGE),
        (SEND, "POST", "/", "commsserver.example", STRANGE),
        (ACCEPT, "GET", "/?message-id=1", "mms.o2.co.uk", OWN),
        (ACCEPT, "GET", "/mms/1", "10.151.0.1", OWN),
        (ACCEPT, "GET", "/1", "mms.evil.example", STRANGE),  # anybody may send a notification
        (ACCEPT, "GET", "/", "wap.o2.co.uk", ""),  # phones accept messages in any request
        (ACCEPT, "GET", "/", "news.example", ""),
        (SEND, "PUT", "/", "mmsc.operator.example", ""),
        (("Accept", "*/*"), "GET", "/", "mms.o2.co.uk", ""),
    ],
)
def test_multimedia_messages(line: tuple[str, str], method: str, target: str, host: str, centre: str) -> None:
    assert mms_centre(message(line, method=method, target=target, host=host)) == centre


def analyse(capsys: pytest.CaptureFixture[str], path: Path) -> tuple[int, dict[str, Any]]:
    code = run(["analyse", "-q", "-f", "json", str(path)])
    return code, json.loads(capsys.readouterr().out)


def write(path: Path, *talks: tuple[str, bytes]) -> None:
    path.write_bytes(
        pcap(
            [
                f
                for number, (client, data) in enumerate(talks)
                for f in frames(data, client=client, port=40_000 + number)
            ]
        )
    )


def test_a_gateway_in_one_capture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    talks = []
    for person in range(2):
        for host in ("news.example", "shop.example"):
            for agent in ("Browser/1.0", "Player/2.0"):
                lines = (
                    f"User-Agent: {agent}",
                    f"x-up-calling-line-id: 44770090012{person}",
                    f"X-IMEI: 00101001234567{person}",
                )
                talks.append((f"192.0.2.{person + 1}", request("/", *lines, host=host)))
    write(tmp_path / "a.pcap", *talks)
    code, result = analyse(capsys, tmp_path / "a.pcap")
    assert code == 1
    assert {leak["origin"] for leak in result["leaks"]} == {"unknown", "client-sent"}
    rows = {row["name"]: row for row in result["summary"]["names"]}
    assert rows["x-up-calling-line-id"]["origin"] == "consistent-with-injection"
    assert rows["x-up-calling-line-id"]["origin_evidence"][:2] == [
        "one value at 2 unrelated hosts",
        "one value in requests of several programs",
    ]
    assert rows["X-IMEI"]["origin"] == "client-sent"  # programs write that one, whatever statistics say
    assert rows["X-IMEI"]["origin_evidence"] == []
    assert {row["origin"] for row in result["summary"]["behaviours"]} == {"consistent-with-injection", "client-sent"}


@pytest.mark.parametrize(
    ("host", "code", "verdict"), [("mmsc.operator.example", 0, "allowed"), ("upload.example", 1, "no-policy")]
)
def test_a_message_to_the_operators_own_centre_does_not_count(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, host: str, code: int, verdict: str
) -> None:
    send = request(
        "/",
        "Content-Type: application/vnd.wap.mms-message",
        "x-up-calling-line-id: 447700900123",
        method="POST",
        host=host,
    )
    write(tmp_path / "a.pcap", ("192.0.2.1", send))
    found, result = analyse(capsys, tmp_path / "a.pcap")
    assert found == code
    (leak,) = result["leaks"]
    assert (leak["origin"], leak["recipient"]["verdict"]) == ("client-sent", verdict)
    assert "multimedia message to its centre (MM1)" in leak["evidence"]
    assert result["summary"]["outcome"] == "leak"  # it is shown all the same
