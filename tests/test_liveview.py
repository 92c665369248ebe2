"""What is drawn while a capture goes on: the numbers of the summary, and nothing alive."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from leakscan import liveview
from leakscan.liveview import Dropped, LiveView
from leakscan.model import Carrier
from leakscan.summary import Summary
from tests.formats.test_hostile import HOSTILE, alive_characters
from tests.leaks import add, leak


def drawn(summary: Summary, view: LiveView, dropped: Dropped = Dropped(0, 0)) -> str:  # noqa: B008
    out = io.StringIO()
    Console(file=out, width=100, markup=False, highlight=False).print(view._drawing(summary, dropped))
    return out.getvalue()


def test_it_says_who_leaks_and_what_is_dropped():
    summary, view = Summary(), LiveView(True, "leakscan live eth0")
    party = Carrier("Example Mobile", "GB", "999", "99", ())
    for number in range(3):
        one = leak(f"44770090010{number}", host="a.example", network=party)
        add(summary, one)
        view.leak(one)
    add(summary, leak("447700900109", host="b.example", network=None))
    text = drawn(summary, view, Dropped(12, None))
    assert "dropped: kernel 12, interface ?" in text
    assert "4 leaks" in text
    assert [line.split()[:3] for line in text.splitlines() if ".example  " in line] == [
        ["a.example", "3", "3"],
        ["b.example", "1", "1"],
    ]
    assert "Example Mobile (GB 999-99)" in text
    assert "unattributed" in text


def test_of_many_the_first_are_shown():
    summary, view = Summary(), LiveView(True, "")
    for number in range(50):
        one = leak("447700900100", host=f"h{number}.example")
        add(summary, one)
        view.leak(one)
    assert len(drawn(summary, view).splitlines()) <= 4 + 2 + liveview.MAX_ROWS * 2 + liveview.MAX_LEAKS


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_alive(text):
    summary, view = Summary(), LiveView(True, text)
    party = Carrier(text, text, text, text, (text,))
    one = leak(host=text, name=text, value=text, client=text, network=party, time="2012-01-10T00:00:00Z")
    add(summary, one)
    view.leak(one)
    assert alive_characters(drawn(summary, view)) == []


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00:00"), (3661, "01:01:01"), (86400 * 30 + 59, "30 d 00:00:59")])
def test_elapsed_time(seconds, text):
    assert liveview._elapsed(seconds) == text
