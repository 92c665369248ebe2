"""A value that a network injected and a website passed on: found at both, whatever comes first and wherever it lies."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from leakscan.cli import run
from tests.builders import START_NS, pcap
from tests.streams import frames, request

HOUR = 3600 * 10**9
NUMBER = "447700900123"
INJECTED = request("/", f"x-up-calling-line-id: {NUMBER}", host="shop.example")
PASSED_ON = request(f"/pixel.gif?uid={NUMBER}", host="ads.example")
STRANGER = request("/pixel.gif?uid=447700900999", host="ads.example")
CLEAN = request("/style.css", host="shop.example")


def analyse(capsys, *arguments):
    code = run(["analyse", "-q", "-f", "json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def write(folder, requests, first=0):
    """A capture for each request, an hour apart."""
    for number, data in enumerate(requests):
        timed = [(START_NS + number * HOUR, frame) for frame in frames(data, port=40_000 + number)]
        (folder / f"{first + number}.pcap").write_bytes(pcap(timed))


@pytest.mark.parametrize("order", list(permutations((INJECTED, PASSED_ON, STRANGER, CLEAN))), ids=lambda order: "")
def test_in_any_order(capsys, tmp_path, order):
    write(tmp_path, order)
    code, result = analyse(capsys, tmp_path)
    assert [leak["name"] for leak in result["leaks"]] == [
        "x-up-calling-line-id"
    ]  # the line of the other is only a hint
    summary = result["summary"]
    assert {
        (row["name"], row["place"], row["confidence"], row["raised"], row["leaks"]) for row in summary["behaviours"]
    } == {
        ("x-up-calling-line-id", "header", "confirmed", 0, 1),
        ("uid", "query", "confirmed", 1, 1),
    }
    assert (summary["total"]["leaks"], summary["total"]["leaking_requests"], summary["total"]["subscribers"]) == (
        2,
        2,
        1,
    )
    assert summary["coverage"]["losses"]["other"] == {"leaks.not-shown": 2}
    assert code == 1


def test_by_several_workers(capsys, tmp_path):
    write(tmp_path, [PASSED_ON, INJECTED, STRANGER])
    key = tmp_path.with_suffix(".key")
    key.write_bytes(b"k" * 16)
    one, two = (analyse(capsys, "--pseudonym-key", key, "-j", jobs, tmp_path) for jobs in (1, 2))
    assert one == two


def test_alone_it_is_nothing(capsys, tmp_path):
    write(tmp_path, [PASSED_ON, STRANGER])
    code, result = analyse(capsys, tmp_path)
    assert code == 0
    assert result["summary"]["outcome"] == "none-found"
    assert result["summary"]["behaviours"] == []


def test_shown_hints_are_raised_in_the_summary_only(capsys, tmp_path):
    write(tmp_path, [INJECTED, PASSED_ON, STRANGER])
    _, result = analyse(capsys, "--min-confidence", "hint", tmp_path)
    assert [leak["confidence"] for leak in result["leaks"]] == ["confirmed", "hint", "hint"]
    row = next(row for row in result["summary"]["behaviours"] if row["name"] == "uid")
    assert (row["confidence"], row["raised"], row["leaks"]) == ("confirmed", 1, 2)


NUMBER = "447700900123"


def test_a_website_passes_the_number_on(capsys, tmp_path):
    """In a Referer and in a query to third parties, under names that say nothing; another number there stays nothing."""
    write(
        tmp_path,
        [
            request("/p.gif", f"Referer: http://shop.example/account?u={NUMBER}&x=1", host="ads.example"),
            request("/", f"x-up-calling-line-id: {NUMBER}", host="shop.example"),
            request(f"/p.gif?q={NUMBER}", host="stats.example"),
            request("/p.gif", "Referer: http://shop.example/account?u=447700900999", host="ads.example"),
            request("/p.gif", f"Referer: http://shop.example/of/{NUMBER}/cart", host="ads.example"),
        ],
    )
    code, result = analyse(capsys, tmp_path)
    assert code == 1
    assert [leak["name"] for leak in result["leaks"]] == ["x-up-calling-line-id"]
    rows = {(row["place"], row["name"]): row for row in result["summary"]["names"]}
    assert {key: (row["confidence"], row["leaks"], row["raised"]) for key, row in rows.items()} == {
        ("header", "x-up-calling-line-id"): ("confirmed", 1, 0),
        ("referer", "u"): ("confirmed", 1, 1),
        ("referer", "/of"): ("confirmed", 1, 1),
        ("query", "q"): ("confirmed", 1, 1),
    }
    assert result["summary"]["total"]["subscribers"] == 1
