"""The summary as titled tables of plain strings: what `table` and `markdown` both show, each in its own dress.

Comes in: the summary object. Goes out: sections with captured strings as they are: a format passes every cell through
`show` and its own escaping. State: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from leakscan.formats import compared
from leakscan.formats.rows import Json
from leakscan.formats.words import carrier, disguised, label, listed, number, people, percent, plural
from leakscan.gate import how_many_count, says_more
from leakscan.losses import LOSSES, OTHER, UNREAD


class Section(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: frozenset[str] = frozenset()  # columns that stand to the right
    note: str = ""


_NUMBERS = frozenset({"requests", "leaks", "subscribers", "count"})


def sections(summary: Json, most: int) -> list[Section]:
    """What two capture points tell, carriers, hosts, names, what counts, coverage and losses; at most `most` rows of
    each of the first five.
    """
    before = [between(summary["comparison"], most)] if "comparison" in summary else []
    found = [_hosts, _names, *([_gate] if says_more(summary) else [])] if summary["total"]["leaks"] else []
    return [
        *before,
        _carriers(summary, most),
        *(made(summary, most) for made in found),
        coverage(summary),
        losses(summary),
        _remarks(summary),
    ]


def between(comparison: Json, most: int) -> Section:
    """What befell the requests between two capture points."""
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
                _bearers(row["bearer_requests"] or row["bearers"]),
                listed(party["evidence"], 1) if party else "",
            )
        )
        rows += _by_bearer(row)
        for home in row["home_operators"][:most]:
            counts = (number(home["leaks"]), number(home["subscribers"]) if home["subscribers"] else "-")
            rows.append((f"  of {carrier(home)}", "", *counts, "", listed(home["evidence"], 1)))
    return Section(
        "By network, and whose subscribers they were",
        ("network", "requests", "leaks", "subscribers", "bearers", "evidence"),
        rows,
        _NUMBERS,
        "; ".join(filter(None, (_more(len(shown) - most, "network"), _local(summary["total"]["local_requests"])))),
    )


def _by_bearer(row: Json) -> list[tuple[str, ...]]:
    """Where a network's requests came over several bearers: how many over each, and how many of its leaks."""
    requests, leaks = row["bearer_requests"], row["bearers"]
    if len(requests) < 2:
        return []
    ranked = sorted(requests, key=lambda bearer: (bearer == "unknown", -requests[bearer], bearer))
    return [
        (f"  on {label(bearer)}", number(requests[bearer]), number(leaks.get(bearer, 0)), "", "", "")
        for bearer in ranked
    ]


def _local(requests: int) -> str:
    """Why some are Wi-Fi although no line says so."""
    return f"Wi-Fi by ARP or multicast: {plural(requests, 'request')} of clients on a local network" if requests else ""


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
            disguised(row["identifier"], *row["encodings"]),
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
        "; ".join(filter(None, (_more(len(summary["names"]) - most, "name"), *_origins(summary["names"][:most])))),
    )


def _origins(rows: Sequence[Json]) -> list[str]:
    """What is known of who put it there, the names together."""
    known: dict[str, list[str]] = {}
    for row in rows:
        if row["origin"] != "unknown":
            known.setdefault(row["origin"], []).append(row["name"])
    return [f"{origin.replace('-', ' ')}: {listed(names)}" for origin, names in sorted(known.items())]


def _gate(summary: Json, most: int) -> Section:
    """What counts comes first."""
    ranked = sorted(summary["behaviours"], key=lambda row: not row["counts"])
    rows = [
        (
            "yes" if row["counts"] else "no",
            row["severity"],
            f"{row['place']} {row['name']}",
            listed(row["hosts"], 2)
            if row["host_count"] <= 2
            else f"{row['hosts'][0]} and {row['host_count'] - 1} more",
            number(row["leaks"]),
            row["why"],
        )
        for row in ranked[:most]
    ]
    gate = summary["gate"]
    files = [f"{kind} {gate[kind]['file']}" for kind in ("policy", "baseline", "ignores") if gate[kind]]
    notes = (how_many_count(summary), *files)
    return Section(
        "What counts, and why",
        ("counts", "severity", "where", "host", "leaks", "why"),
        rows,
        _NUMBERS,
        "; ".join(filter(None, (_more(len(ranked) - most, "behaviour"), *notes))),
    )


def coverage(summary: Json) -> Section:
    """What was examined."""
    seen = summary["coverage"]
    payload = seen["tcp_payload_bytes"]
    share = f" ({percent(seen['examined_bytes'], payload)} of the TCP payload)" if payload else ""
    rows = [
        ("frames", f"{number(seen['frames'])} ({number(seen['bytes'])} bytes)"),
        ("TCP streams", f"{number(seen['streams'])}, of which TLS: {number(seen['tls_streams'])}"),
        ("HTTP requests", number(seen["requests"])),
        ("examined", f"{number(seen['examined_bytes'])} bytes of HTTP{share}"),
    ]
    return Section("What was examined", ("", ""), rows)


def losses(summary: Json) -> Section:
    """What could not be seen, by name and with its meaning."""
    lost = summary["coverage"]["losses"]
    rows = [
        (kind, name, number(count), LOSSES[name][1] if name in LOSSES else "")
        for kind in (UNREAD, OTHER)
        for name, count in lost[kind].items()
    ]
    note = "unread: should have been read and was not. other: not HTTP, or read all the same."
    return Section("What could not be seen", ("kind", "loss", "count", "meaning"), rows, _NUMBERS, note if rows else "")


def _remarks(summary: Json) -> Section:
    """What a report that was put together cannot say exactly."""
    return Section("What to bear in mind", ("",), [(remark,) for remark in summary.get("remarks", ())])


def _bearers(counts: dict[str, int]) -> str:
    return _comma([label(bearer) for bearer in counts if bearer != "unknown"]) or "unknown"


def _comma(words: Sequence[str]) -> str:
    return ", ".join(words)


def _more(count: int, noun: str) -> str:
    return f"and {plural(count, f'more {noun}')}" if count > 0 else ""
