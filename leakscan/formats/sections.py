"""The summary as titled tables of plain strings: what `table` and `markdown` both show, each in its own dress.

Comes in: the summary object. Goes out: sections with captured strings as they are: a format passes every cell through
`show` and its own escaping. State: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leakscan.formats import compared
from leakscan.formats.rows import Json
from leakscan.formats.words import carrier, label, listed, number, people, percent, plural
from leakscan.losses import LOSSES, OTHER, UNREAD


class Section(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: frozenset[str] = frozenset()  # columns that stand to the right
    note: str = ""


_NUMBERS = frozenset({"requests", "leaks", "subscribers", "count"})


def sections(summary: Json, most: int) -> list[Section]:
    """What two capture points tell, carriers, hosts, names, coverage, losses; at most `most` rows of the first four."""
    before = [_compared(summary["comparison"], most)] if "comparison" in summary else []
    if not summary["total"]["leaks"]:
        return [*before, _carriers(summary, most), _coverage(summary), _losses(summary)]
    return [
        *before,
        _carriers(summary, most),
        _hosts(summary, most),
        _names(summary, most),
        _coverage(summary),
        _losses(summary),
    ]


def _compared(comparison: Json, most: int) -> Section:
    rows, more = compared.rows(comparison, most)
    columns = ("change", "where", "pairs", "injected", "what", "example", "frames")
    note = "; ".join(filter(None, (compared.outcome(comparison), _more(more, "change"))))
    return Section("Between the capture points", columns, rows, _NUMBERS | {"pairs", "injected"}, note)


def _carriers(summary: Json, most: int) -> Section:
    rows: list[tuple[str, ...]] = []
    shown = [row for row in summary["carriers"] if row["requests"] or row["leaks"]]
    for row in shown[:most]:
        party = row["network"]
        rows.append(
            (
                carrier(party) if party else row["name"],
                # A network that only a leak's own evidence names has no denominator.
                number(row["requests"]) if row["requests"] else "?",
                number(row["leaks"]),
                people(row),
                _bearers(row["bearer_requests"]),
                listed(party["evidence"], 1) if party else "",
            )
        )
        for home in row["home_operators"][:most]:
            counts = (number(home["leaks"]), number(home["subscribers"]) if home["subscribers"] else "-")
            rows.append((f"  of {carrier(home)}", "", *counts, "", listed(home["evidence"], 1)))
    return Section(
        "By network, and whose subscribers they were",
        ("network", "requests", "leaks", "subscribers", "bearers", "evidence"),
        rows,
        _NUMBERS,
        _more(len(shown) - most, "network"),
    )


def _hosts(summary: Json, most: int) -> Section:
    total = summary["total"]
    leaking = [row for row in summary["hosts"] if row["leaks"]]
    clean = sum(1 for row in summary["hosts"] if not row["leaks"])
    same_day = total["first_seen"][:10] == total["last_seen"][:10]
    part = slice(11, 19) if same_day else slice(0, 10)
    rows = [
        (
            row["host"],
            "?" if row["requests"] is None else number(row["requests"]),
            number(row["leaks"]),
            people(row),
            row["first_seen"][part],
            row["last_seen"][part],
        )
        for row in leaking[:most]
    ]
    notes = (_more(len(leaking) - most, "host"), f"{plural(clean, 'host')} without a leak" if clean else "")
    return Section(
        "By host, the most subscribers first",
        ("host", "requests", "leaks", "subscribers", "since", "until"),
        rows,
        _NUMBERS,
        "; ".join(filter(None, notes)),
    )


def _names(summary: Json, most: int) -> Section:
    rows = [
        (
            row["severity"],
            f"{row['place']} {row['name']}",
            label(row["identifier"]),
            number(row["leaks"]),
            people(row),
            row["example"],
        )
        for row in summary["names"][:most]
    ]
    return Section(
        "By header, cookie or parameter",
        ("severity", "where", "what", "leaks", "subscribers", "example"),
        rows,
        _NUMBERS,
        _more(len(summary["names"]) - most, "name"),
    )


def _coverage(summary: Json) -> Section:
    coverage = summary["coverage"]
    payload = coverage["tcp_payload_bytes"]
    share = f" ({percent(coverage['examined_bytes'], payload)} of the TCP payload)" if payload else ""
    rows = [
        ("frames", f"{number(coverage['frames'])} ({number(coverage['bytes'])} bytes)"),
        ("TCP streams", f"{number(coverage['streams'])}, of which TLS: {number(coverage['tls_streams'])}"),
        ("HTTP requests", number(coverage["requests"])),
        ("examined", f"{number(coverage['examined_bytes'])} bytes of HTTP{share}"),
    ]
    return Section("What was examined", ("", ""), rows)


def _losses(summary: Json) -> Section:
    losses = summary["coverage"]["losses"]
    rows = [
        (kind, name, number(count), LOSSES[name][1] if name in LOSSES else "")
        for kind in (UNREAD, OTHER)
        for name, count in losses[kind].items()
    ]
    note = "unread: should have been read and was not. other: not HTTP, or read all the same."
    return Section("What could not be seen", ("kind", "loss", "count", "meaning"), rows, _NUMBERS, note if rows else "")


def _bearers(counts: dict[str, int]) -> str:
    return _comma([label(bearer) for bearer in counts if bearer != "unknown"]) or "unknown"


def _comma(words: Sequence[str]) -> str:
    return ", ".join(words)


def _more(count: int, noun: str) -> str:
    return f"and {plural(count, f'more {noun}')}" if count > 0 else ""
