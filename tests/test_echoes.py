"""Pages that list what they were sent: which are, which only look like it, and what that proves."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.wire import ACK, PSH, SYN, TCP, ethernet, ip, over_ip
from leakscan import scan
from leakscan.cli import run
from leakscan.echoes import surplus
from leakscan.model import Answer, Field, Head, Origin, Pair
from tests.builders import pcap
from tests.streams import CLIENT, CLIENT_PORT, SERVER, SERVER_PORT, frames, request

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/119.0"
NUMBER = "447700900123"
SENT: list[Pair] = [
    ("Host", "echo.example"),
    ("User-Agent", AGENT),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Accept", "*/*"),
]
ORIGIN = Origin("x.pcap", 1, 6, "")
HEAD = Head(b"", b"", [], ORIGIN, 0, 1, 1, "x.pcap", None, False)
LISTED = {"Host": "echo.example", "User-Agent": AGENT, "Accept-Language": "en-GB,en;q=0.5", "X-Msisdn": NUMBER}


def lines(listed: dict[str, str], between: str = ": ", end: str = "\n") -> str:
    return "".join(f"{name}{between}{value}{end}" for name, value in listed.items())


def cgi(listed: dict[str, str]) -> dict[str, str]:
    return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in listed.items()}


PAGES: list[tuple[str, str, str]] = [
    ("httpbin", "application/json", json.dumps({"args": {}, "headers": LISTED, "url": "http://echo.example/get"}, indent=2)),
    ("lists of values", "application/json", json.dumps({name: [value] for name, value in LISTED.items()})),
    ("pairs", "application/json", json.dumps([[name, value] for name, value in LISTED.items()])),
    ("objects", "text/plain", json.dumps({"h": [{"name": name, "value": value} for name, value in LISTED.items()]})),
    ("text", "text/plain", lines(LISTED)),
    ("TRACE", "message/http", "TRACE / HTTP/1.1\r\n" + lines(LISTED, end="\r\n") + "\r\n"),
    ("print_r", "text/html", "<pre>Array\n(\n" + "".join(f"    [{n}] => {v}\n" for n, v in LISTED.items()) + ")\n</pre>"),
    ("var_dump", "text/html", "".join(f'["{n}"]=>\n  string({len(v)}) "{v}"\n' for n, v in LISTED.items()).replace("=>\n ", "=>")),
    ("phpinfo", "text/html", "<table>" + "".join(f'<tr><td class="e">{n} </td><td class="v">{v} </td></tr>\n' for n, v in cgi(LISTED).items())),
    ("list", "text/html", "<ul>" + "".join(f"<li><b>{n}</b>: {v}</li>" for n, v in LISTED.items()) + "</ul>"),
    ("lines in HTML", "text/html; charset=utf-8", "<p>" + lines(LISTED, end="<br>\n") + "</p>"),
    ("environment", "text/plain", lines(cgi(LISTED), "=")),
]  # fmt: skip


def answer(kind: str, body: str) -> Answer:
    return Answer(HEAD, kind, body.encode(), ORIGIN, 0, 1, 1)


@pytest.mark.parametrize(("kind", "page"), [page[1:] for page in PAGES], ids=[page[0] for page in PAGES])
def test_a_page_that_lists_its_request(kind: str, page: str) -> None:
    found = surplus(SENT, answer(kind, page))
    assert [field for field in found if "MSISDN" in field.name.upper()] == [
        Field("response-body", "HTTP_X_MSISDN" if "HTTP_" in page else "X-Msisdn", NUMBER)
    ]
    assert surplus([*SENT, ("x-msisdn", NUMBER)], answer(kind, page)) == [
        field for field in found if "MSISDN" not in field.name.upper()
    ]


CLEAN = [
    ("a manual", "text/html", "<h1>Headers</h1><p>User-Agent: your browser</p><p>X-Msisdn: 447700900123</p>"),
    ("of another request", "text/plain", lines({**LISTED, "User-Agent": "Other/1.0", "Accept-Language": "de", "Host": "www.example"})),
    ("its program only", "text/plain", lines({"User-Agent": AGENT, "X-Msisdn": NUMBER})),
    ("another object", "application/json", json.dumps({"headers": {"User-Agent": AGENT, "Host": "echo.example"}, "profile": {"msisdn": NUMBER}})),
    ("without a program", "text/plain", lines({"Host": "echo.example", "Accept-Language": "en-GB,en;q=0.5", "X-Msisdn": NUMBER})),
    ("nothing", "text/plain", ""),
    ("broken", "application/json", '{"User-Agent": '),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "page"), [page[1:] for page in CLEAN], ids=[page[0] for page in CLEAN])
def test_a_page_that_only_looks_like_it(kind: str, page: str) -> None:
    assert [field for field in surplus(SENT, answer(kind, page)) if "msisdn" in field.name.lower()] == []


@pytest.mark.parametrize(
    "page",
    [
        "[" * 100_000 + '"user-agent"',
        "<" * 200_000 + "user-agent",
        "<b>" * 200_000 + "User-Agent: x",
        "User-Agent" + "=>" * 200_000,
        '{"user-agent": ' * 5000,
        json.dumps({"User-Agent": ["x"] * 100_000}),
        " " * 500_000 + "user-agent",
        "a:" * 300_000 + "\nuser-agent: x",
        ("a:" + " " * 8000 + "x;\n") * 120 + "user-agent",
        ("ab" + " " * 8000 + "x;\n") * 120 + "user-agent",
        ("<" + "a" * 1999) * 500 + "user-agent",
        ("[" * 8000 + "\n") * 120 + "user-agent",
    ],
    ids=lambda page: page[:12],
)
def test_hostile_pages_are_quick(page: str) -> None:
    before = time.process_time()
    assert surplus(SENT, answer("text/html", page)) == []
    assert time.process_time() - before < 5


ECHO_REQUEST = request("/headers", f"User-Agent: {AGENT}", "Accept-Language: en-GB,en;q=0.5", host="echo.example")


def answered(seq: int, data: bytes, flags: int = ACK | PSH) -> bytes:
    head = struct.pack("!HHIIBBHHH", SERVER_PORT, CLIENT_PORT, seq, 1, 0x50, flags, 65535, 0, 0)
    return ethernet(ip(SERVER, CLIENT, TCP, over_ip(SERVER, CLIENT, TCP, head + data, 16)), False)


def conversation(path: Path, asked: bytes, body: bytes, *headers: str) -> None:
    head = "\r\n".join(["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "", ""]).encode()
    data = head + body
    back = [
        answered(499, b"", SYN | ACK),
        *(answered(500 + at, data[at : at + 400]) for at in range(0, len(data), 400)),
    ]
    there = frames(asked)
    path.write_bytes(pcap([there[0], back[0], *there[1:], *back[1:]]))


def analyse(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    run(["analyse", "-q", "-f", "json", *arguments])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


JSON_PAGE = json.dumps({"headers": LISTED}).encode()


@pytest.mark.parametrize("sieve", ["--sieve", "--no-sieve"])
def test_injection_is_proved_by_one_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, sieve: str) -> None:
    path = tmp_path / "a.pcap"
    conversation(path, ECHO_REQUEST, JSON_PAGE, "Content-Type: application/json")
    assert analyse(capsys, sieve, str(path))["leaks"] == []
    result = analyse(capsys, sieve, "--responses", str(path))
    (leak,) = result["leaks"]
    assert (leak["place"], leak["name"], leak["rule"], leak["value"]) == (
        "response-body",
        "X-Msisdn",
        "x-msisdn",
        "44********23",
    )
    assert (leak["origin"], leak["confidence"], leak["frame"], leak["frame_end"]) == ("injected", "confirmed", 4, 4)
    assert "the page lists it, the request as captured lacks it" in leak["evidence"]
    summary = result["summary"]
    assert summary["behaviours"][0]["origin"] == "injected"
    assert (summary["total"]["requests"], summary["total"]["leaking_requests"]) == (1, 1)
    assert result["run"]["settings"]["responses"] is True
    assert summary["coverage"]["examined_bytes"] == summary["coverage"]["tcp_payload_bytes"]


def test_what_the_request_has_proves_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same page, and a capture behind the gateway."""
    path = tmp_path / "a.pcap"
    asked = ECHO_REQUEST.replace(b"\r\n\r\n", f"\r\nX-Msisdn: {NUMBER}\r\n\r\n".encode())
    conversation(path, asked, JSON_PAGE, "Content-Type: application/json")
    result = analyse(capsys, "--responses", str(path))
    assert [(leak["place"], leak["origin"]) for leak in result["leaks"]] == [("header", "unknown")]
    assert result["summary"]["total"]["leaking_requests"] == 1


def test_a_request_with_leaks_of_its_own_is_counted_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    asked = ECHO_REQUEST.replace(b"\r\n\r\n", b"\r\nX-IMSI: 001010123456789\r\n\r\n")
    conversation(path, asked, JSON_PAGE, "Content-Type: application/json")
    total = analyse(capsys, "--responses", str(path))["summary"]["total"]
    assert (total["leaks"], total["leaking_requests"], total["subscribers"]) == (2, 1, 1)


def test_several_captures_and_the_library(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for number in range(3):
        conversation(tmp_path / f"{number}.pcap", ECHO_REQUEST, JSON_PAGE, "Content-Type: application/json")
    key = tmp_path.with_suffix(".key")
    key.write_bytes(b"k" * 16)
    arguments = ("--responses", "--pseudonym-key", str(key), str(tmp_path))
    assert analyse(capsys, "-j", "2", *arguments) == analyse(capsys, "-j", "1", *arguments)
    *leaks, _ = scan([tmp_path], responses=True)
    assert [leak.origin for leak in leaks] == ["injected"] * 3
