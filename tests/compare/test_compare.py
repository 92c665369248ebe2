"""`leakscan compare`: captures of both sides, made here, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from fixtures.wire import Connection, Trace, ethernet, gtp_u
from leakscan import cli
from leakscan.formats import FORMATS, SHARED

START = 1_700_000_000_000_000  # microseconds
SECOND = 1_000_000
NUMBER = "447700900{:03d}"
HEADER = "x-up-calling-line-id"
TUNNEL = gtp_u("198.51.100.1", "198.51.100.2", 0x1001, 0x2001)
AGENTS = ("Phone/1", "Phone/2", "Tablet/1")


def head(target: str, host: str, agent: str, *more: tuple[str, str]) -> bytes:
    lines = [("Host", host), ("User-Agent", agent), ("Accept", "*/*"), ("Accept-Encoding", "gzip"), *more]
    return (f"GET {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n").encode()


class Sides:
    """Two captures of the same requests, a network that adds a header between them."""

    def __init__(self, folder: Path, seed: int = 1, offset: int = 0, translated: bool = False, lost: float = 0.0):
        self.folder, self.dice = folder, Random(seed)
        self.offset, self.translated, self.lost = offset, translated, lost
        self.client, self.server = Trace(), Trace()
        self.added: list[str] = []  # the number of every request that is on both sides
        self.number = 0
        self.jitter = 4000  # microseconds that one may take longer than another

    def visit(self, at: int, target: str, person: int, sent=(), added=True, lost: bool | None = None) -> None:
        """One request of one person; the network adds the header, and its Via, behind what the client wrote."""
        self.number += 1
        agent, number = AGENTS[person % 3], NUMBER.format(person)
        reach = at + self.offset + 30_000 + self.dice.randrange(self.jitter)
        gateway = [(HEADER, number), ("Via", "1.1 gateway.example")] if added else []
        missing = self.dice.random() < self.lost if lost is None else lost
        self._talk(
            self.client, at, f"192.0.2.{person + 1}", 40_000 + self.number, head(target, "w.example", agent, *sent)
        )
        if not missing:
            address, port = ("198.51.100.1", 50_000 + self.number * 7 % 9000) if self.translated else (None, None)
            request = head(target, "w.example", agent, *sent, *gateway)
            self._talk(self.server, reach, address or f"192.0.2.{person + 1}", port or 40_000 + self.number, request)
            if added:
                self.added.append(number)

    def _talk(self, trace: Trace, at: int, address: str, port: int, request: bytes) -> None:
        link = Connection(trace, address, port, "203.0.113.80", 80, START + at, self.number * 70_001 + port)
        link.open()
        link.ask(request)
        link.answer(b"HTTP/1.1 204 No Content\r\n\r\n")
        link.close()

    def write(self) -> tuple[str, str]:
        paths = self.folder / "client.pcap", self.folder / "server.pcap"
        self.client.write(paths[0])
        self.server.write(paths[1])
        return str(paths[0]), str(paths[1])


def compare(capsys, *arguments: str) -> tuple[int, list[dict], dict]:
    code = cli.run(["compare", "-q", "-f", "json", *arguments])
    out = capsys.readouterr().out
    result = json.loads(out) if out else {"leaks": [], "summary": {}}
    return code, result["leaks"], result["summary"]


def rows(summary: dict) -> dict[tuple[str, str], tuple[int, int]]:
    return {(r["change"], r["name"]): (r["pairs"], r["injected"]) for r in summary["comparison"]["changes"]}


@pytest.mark.parametrize("translated", [False, True], ids=["addresses kept", "addresses translated"])
@pytest.mark.parametrize("offset", [0, 5 * SECOND, -5 * SECOND])
@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_every_injected_header_is_named_and_no_other(tmp_path, capsys, translated, offset, lost):
    """Five people, few pages, visits close enough to overtake each other on the way."""
    sides = Sides(tmp_path, 7, offset, translated, lost)
    for n in range(150):
        sides.visit(n * 110_000 + n % 4 * 9000, f"/p{n % 3}", n % 5, sent=[("X-App", "a")] if n % 2 else [])
    code, leaks, summary = compare(capsys, "--show-values", *sides.write())
    said = summary["comparison"]
    assert code == 1
    assert sorted(leak["value"] for leak in leaks) == sorted(sides.added)
    assert {leak["origin"] for leak in leaks} == {"injected"}
    count = len(sides.added)
    assert rows(summary) == {("added", HEADER): (count, count), ("added", "Via"): (count, 0)}
    assert (said["pairs"], said["client"]["unpaired"], said["server"]["unpaired"]) == (count, 150 - count, 0)
    assert said["addresses_translated"] == (count if translated else 0)
    assert said["clock"]["offset_ms"] == pytest.approx(offset / 1000 + 32, abs=5)
    assert abs(said["clock"]["spread_ms"]) < 3
    assert said["how"]["ambiguous"] == 0


@pytest.mark.parametrize("offset", [0, 5 * SECOND])
def test_requests_that_overtake_each_other(tmp_path, capsys, offset):
    """Up to four others lie between, addresses are translated, and one in ten is missing."""
    sides = Sides(tmp_path, 11, offset, True, 0.1)
    sides.jitter = 450_000
    for n in range(150):
        sides.visit(n * 110_000, f"/p{n % 3}", n % 5)
    arrived = [at for at, _ in sides.server.frames]
    assert arrived != sorted(arrived)
    code, leaks, summary = compare(capsys, "--show-values", *sides.write())
    said, count = summary["comparison"], len(sides.added)
    assert (code, {leak["origin"] for leak in leaks}) == (1, {"injected"})
    assert sorted(leak["value"] for leak in leaks) == sorted(sides.added)
    assert rows(summary) == {("added", HEADER): (count, count), ("added", "Via"): (count, 0)}
    assert (said["pairs"], said["server"]["unpaired"]) == (count, 0)
    assert said["clock"]["offset_ms"] == pytest.approx(offset / 1000 + 255, abs=150)


def test_every_kind_of_change(tmp_path, capsys):
    """One request, mangled on its way: a header added, another changed, removed, moved, written otherwise."""
    sides = Sides(tmp_path)
    lines = [("Cookie", "a=b"), ("X-Gone", "1"), ("X-Moved", "2"), ("x-case", "3"), ("Accept-Language", "en")]
    mangled = [("Cookie", "a=b; msisdn=447700900123"), ("X-CASE", "3"), ("Accept-Language", "en"), ("X-Moved", "2")]
    sides._talk(sides.client, 0, "192.0.2.1", 40_001, head("/?q=1", "w.example", "Phone/1", *lines))
    sides._talk(
        sides.server, 9000, "192.0.2.1", 40_001, head("/?q=1&mdn=447700900123", "w.example", "Phone/1", *mangled)
    )
    code, leaks, summary = compare(capsys, "--min-confidence", "hint", *sides.write())
    assert code == 1
    assert rows(summary) == {
        ("changed", "Cookie"): (1, 1),
        ("changed", "(target)"): (1, 1),
        ("removed", "X-Gone"): (1, 0),
        ("re-ordered", "X-Moved"): (1, 0),
        ("re-cased", "X-CASE"): (1, 0),
    }
    assert {(leak["place"], leak["origin"]) for leak in leaks} == {("cookie", "injected"), ("query", "injected")}


def test_what_the_client_sent_itself(tmp_path, capsys):
    """The program sends the number: it is on both sides, and nobody injected it. Also when the network repeats it."""
    sides = Sides(tmp_path)
    sides.visit(0, "/a", 1, sent=[("X-MSISDN", NUMBER.format(1))], added=False)
    code, leaks, _ = compare(capsys, *sides.write())
    assert (code, [leak["origin"] for leak in leaks]) == (0, ["client-sent"])
    sides.visit(SECOND, "/b", 1, sent=[("X-MSISDN", NUMBER.format(1))])
    code, leaks, _ = compare(capsys, *sides.write())
    assert (code, [leak["origin"] for leak in leaks]) == (1, ["client-sent", "client-sent", "injected"])
    assert "the client sent the same value in another place" in leaks[2]["evidence"]
    assert "not in the client's request, frame 14" in leaks[2]["evidence"]


def test_twins_of_which_one_sent_it(tmp_path, capsys):
    """Two requests at once, the number in one: which of them arrived cannot be told, so nobody is accused."""
    sides = Sides(tmp_path, translated=True)
    sent = [("X-MSISDN", NUMBER.format(0))]
    sides._talk(sides.client, 0, "192.0.2.1", 40_001, head("/", "w.example", "Phone/1"))
    sides._talk(sides.client, 20, "192.0.2.2", 40_002, head("/", "w.example", "Phone/1", *sent))
    sides._talk(sides.server, 9_000, "198.51.100.1", 50_001, head("/", "w.example", "Phone/1", *sent))
    code, leaks, summary = compare(capsys, *sides.write())
    assert code == 0
    assert [leak["origin"] for leak in leaks] == ["client-sent"]
    assert summary["comparison"]["pairs"] == 1


def test_ambiguous_pairs_say_so_and_still_prove(tmp_path, capsys):
    """Twins of one number: whichever is which, none of the client's requests had the header."""
    sides = Sides(tmp_path, translated=True)
    for n in range(6):
        sides.visit(n // 2 * SECOND + n % 2 * 500, "/", 0)
    code, leaks, summary = compare(capsys, *sides.write())
    assert (code, {leak["origin"] for leak in leaks}) == (1, {"injected"})
    assert summary["comparison"]["how"]["ambiguous"] == 6
    assert all("pair: ambiguous" in leak["evidence"] for leak in leaks)
    assert cli.run(["compare", str(tmp_path / "client.pcap"), str(tmp_path / "server.pcap")]) == 1
    captured = capsys.readouterr()
    assert "6 pairs ambiguous" in " ".join(captured.out.split())
    assert "6 (6?)" in captured.out


def test_a_cut_head_proves_nothing(tmp_path, capsys):
    sides = Sides(tmp_path)
    link = Connection(sides.client, "192.0.2.1", 40_001, "203.0.113.80", 80, START, 1)
    link.open()
    link.ask(head("/", "w.example", "Phone/1")[:-10])
    sides._talk(sides.server, 9000, "192.0.2.1", 40_001, head("/", "w.example", "Phone/1", (HEADER, NUMBER.format(1))))
    code, leaks, _ = compare(capsys, *sides.write())
    assert (code, [leak["origin"] for leak in leaks]) == (3, ["unknown"])


def test_both_sides_of_a_gateway_in_one_capture(tmp_path, capsys):
    """The same connection inside of GTP-U, and outside with the header: addresses are kept, or translated."""
    for translated in (False, True):
        trace = Trace()
        for n in range(20):
            inner, outer = (
                head(f"/{n}", "w.example", "Phone/1"),
                head(f"/{n}", "w.example", "Phone/1", (HEADER, NUMBER.format(1))),
            )
            client = Connection(trace, "192.0.2.1", 40_000 + n, "203.0.113.80", 80, START + n * SECOND, n * 9973)
            client.wrap = lambda packet, up: ethernet(TUNNEL(packet, up), up)
            behind = Connection(
                trace,
                "198.51.100.7" if translated else "192.0.2.1",
                40_000 + n,
                "203.0.113.80",
                80,
                START + n * SECOND + 400,
                n * 9973,
            )
            for link, request in ((client, inner), (behind, outer)):
                link.open()
                link.ask(request)
        trace.write(tmp_path / "gateway.pcap")
        code, leaks, summary = compare(capsys, str(tmp_path / "gateway.pcap"))
        assert (code, len(leaks), {leak["origin"] for leak in leaks}) == (1, 20, {"injected"})
        assert rows(summary) == {("added", HEADER): (20, 20)}
        assert {leak["teid"] for leak in leaks} == {None}
        twice = compare(capsys, *[str(tmp_path / "gateway.pcap")] * 2)
        assert twice[2]["comparison"] == summary["comparison"]


def test_a_proxy_s_target_is_the_same_target(tmp_path, capsys):
    sides = Sides(tmp_path)
    sides._talk(sides.client, 0, "192.0.2.1", 40_001, head("http://w.example/a?b=c", "w.example", "Phone/1"))
    sides._talk(sides.server, 9000, "198.51.100.1", 50_001, head("/a?b=c", "w.example", "Phone/1"))
    code, _, summary = compare(capsys, *sides.write())
    assert (code, rows(summary), summary["comparison"]["pairs"]) == (0, {}, 1)


@pytest.mark.parametrize(
    ("flags", "code"),
    [([], 1), (["--fail-on", "none"], 0), (["--fail-on", "critical"], 1), (["--exit-zero"], 0), (["--strict"], 1)],
)
def test_thresholds(tmp_path, capsys, flags, code):
    sides = Sides(tmp_path)
    sides.visit(0, "/", 1)
    assert compare(capsys, *flags, *sides.write())[0] == code


def test_nothing_in_common_is_inconclusive(tmp_path, capsys):
    sides = Sides(tmp_path)
    sides.visit(0, "/", 1, lost=True)
    sides._talk(sides.server, 0, "192.0.2.9", 40_009, head("/other", "w.example", "Phone/1"))
    paths = sides.write()
    assert compare(capsys, *paths)[0] == 3
    assert compare(capsys, "--allow-inconclusive", *paths)[0] == 0
    assert cli.run(["compare", *paths]) == 3
    assert "no request was seen at both points" in capsys.readouterr().err


def test_a_damaged_client_s_side_is_said(tmp_path, capsys):
    sides = Sides(tmp_path)
    sides.visit(0, "/", 1, added=False)
    client, server = sides.write()
    Path(client).write_bytes(Path(client).read_bytes()[:-5])
    code, _, summary = compare(capsys, client, server)
    assert (code, summary["coverage"]["losses"]["unread"]) == (3, {"file.cut": 1})


def test_every_format(tmp_path, capsys):
    """No number in any of them; the changes are in the views, and in what programs read."""
    sides = Sides(tmp_path)
    for n in range(4):
        sides.visit(n * SECOND, f"/{n}", n, sent=[(f"X-{NUMBER.format(5)}", "a@b.example")])
    paths = sides.write()
    for name in FORMATS:
        assert cli.run(["compare", "-f", name, *paths]) == 1
        captured = capsys.readouterr()
        assert not any(number in captured.out + captured.err for number in sides.added)
        assert NUMBER.format(5) not in captured.out
        if name not in SHARED:  # those tell what went where, not who added it
            assert "injected" in captured.out
    assert "4 identifiers injected in 4 of 4 requests" in captured.err


@pytest.mark.parametrize("arguments", [["-", "x.pcap"], ["x.pcap", "-"], ["-"], ["no-such.pcap"], []])
def test_usage(capsys, arguments):
    assert cli.run(["compare", *arguments]) == 2
    assert capsys.readouterr().out == ""


def test_same_bytes(tmp_path, capsys):
    sides = Sides(tmp_path, 3, 5 * SECOND, True, 0.1)
    for n in range(40):
        sides.visit(n * 100_000, f"/{n % 3}", n % 5)
    (tmp_path / "key").write_bytes(b"k" * 16)
    arguments = ["compare", "-f", "jsonl", "--pseudonym-key", str(tmp_path / "key"), *sides.write()]
    results = set()
    for _ in range(2):
        cli.run(arguments)
        results.add(capsys.readouterr().out)
    cli.run([*arguments, "--no-sieve"])
    results.add(capsys.readouterr().out)
    assert len(results) == 1
