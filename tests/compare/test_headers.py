"""What befell header lines on their way: a table, and properties over anything that may stand in two heads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.compare.headers import diff

PHONE = [("Host", "a.example"), ("User-Agent", "phone"), ("Accept", "*/*"), ("Cookie", "a=b")]


def said(client, server) -> list[tuple[str, str]]:
    return [(change.kind, change.name) for change in diff(client, server)]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (PHONE, []),
        ([*PHONE, ("x-up-calling-line-id", "447700900123")], [("added", "x-up-calling-line-id")]),
        ([("Via", "1.1 gw"), *PHONE], [("added", "Via")]),
        (PHONE[:2] + PHONE[3:], [("removed", "Accept")]),
        ([*PHONE[:3], ("Cookie", "a=b; msisdn=447700900123")], [("changed", "Cookie")]),
        ([("host", "a.example"), *PHONE[1:]], [("re-cased", "host")]),
        ([*PHONE[:1], *PHONE[2:], PHONE[1]], [("re-ordered", "User-Agent")]),
        ([PHONE[3], *PHONE[:3]], [("re-ordered", "Cookie")]),
        ([("host", "b.example"), *PHONE[1:]], [("changed", "host"), ("re-cased", "host")]),
        ([*PHONE, ("Accept", "text/html")], [("added", "Accept")]),
        ([*PHONE[:2], ("Accept", "text/html"), ("Accept", "*/*"), PHONE[3]], [("added", "Accept")]),
        ([*PHONE, ("no colon", None)], [("added", "no colon")]),
        ([], [("removed", name) for name, _ in PHONE]),
    ],
)
def test_changes(server, expected):
    assert said(PHONE, server) == expected


def test_values_of_both_sides():
    (change,) = diff([("A", "1")], [("A", "2")])
    assert (change.client, change.server) == ("1", "2")
    assert diff([("A", None)], [("B", "")])[1].server is None


lines = st.lists(
    st.tuples(st.sampled_from(["a", "A", "b", "B", "c"]), st.sampled_from(["1", "2", "", None])), max_size=12
)


@given(lines)
def test_nothing_befalls_what_is_the_same(head):
    assert diff(head, head) == []


@given(lines, lines)
def test_every_line_is_accounted_for(client, server):
    """What was added less what was removed is the difference in number; and the other way round it is the reverse."""
    kinds = [change.kind for change in diff(client, server)]
    back = [change.kind for change in diff(server, client)]
    assert kinds.count("added") - kinds.count("removed") == len(server) - len(client)
    assert (kinds.count("added"), kinds.count("removed")) == (back.count("removed"), back.count("added"))
    assert kinds.count("changed") == back.count("changed")
    assert kinds.count("re-ordered") == back.count("re-ordered")


@given(lines, st.integers(0, 12), st.sampled_from(["x", "y"]))
def test_one_line_more_is_one_line_added(head, place, name):
    server = [*head[:place], (name, "z"), *head[place:]]
    assert said(head, server) == [("added", name)]
