"""HTML: the report for whoever was not there. One file that needs nothing else, reads on paper and by ear.

The template says what stands where, this file what it says. Every expression in a template passes `show`, then the
escaping of HTML; style and script are inline, and a policy in the file forbids any other and every request. What is
written is ASCII, so it is the same in any encoding.

State: the worst `MAX_WORST` leaks. The file has at most `MAX_BYTES`: the list of leaks ends where it would have more,
and says so; every other table has a bound of its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from leakscan.errors import MissingExtra
from leakscan.formats import charts
from leakscan.formats.rows import MAX_WORST, Json, Worst
from leakscan.formats.sections import between, coverage, losses
from leakscan.formats.words import (
    MEANINGS,
    ORIGINS,
    carrier,
    counted,
    is_outside,
    judged,
    label,
    listed,
    minute,
    number,
    people,
    people_in_words,
    percent,
    plural,
    sentence,
    verdicts,
)
from leakscan.formats.writer import Look, Writer
from leakscan.model import SEVERITIES, Leak
from leakscan.show import show

if TYPE_CHECKING:
    from jinja2 import Template

MAX_CHANGES = 200
MAX_BYTES = 2_000_000
MAX_HOSTS = 200
MAX_NETWORKS = 200  # rows, home operators included
MAX_NAMES = 40
MAX_CAPTURES = 200
MAX_CHARS = 80  # of a name, host or value; what is longer is clipped
MAX_MEANING = 400
MAX_TEXT = 2000  # of anything
#: A list of so many leaks stands open.
FEW = 50
NOBODY_S = ("added by", "unknown")  # not worth saying of all: header by header the whole may tell
NOTE_BYTES = 10_000  # kept for what is said about the list: how much it holds, what is the same throughout
CELL_BYTES, ROW_BYTES = len("<td>"), len("<tr>\n")
#: Short words for the list.
POLICY = {"not-allowed": "not allowed", "no-policy": "none", "allowed-but-clear": "in the clear"}
ADDED_BY = {"injected": "network", "consistent-with-injection": "network?", "client-sent": "phone"}


class Column(NamedTuple):
    name: str
    of: Callable[[Leak], str]
    sort: str = "text"
    repeats: bool = True  # said once above the table when it is the same in every row
    spare: int = 0  # left out, the lowest first, when the list has no room; 0: never


class LeakList(NamedTuple):
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    same: Sequence[tuple[str, str]]  # columns of which all cells are equal, with that cell
    note: str


class Html(Writer):
    def __init__(self, stream: TextIO, look: Look = Look()) -> None:  # noqa: B008  (a NamedTuple cannot change)
        super().__init__(stream, look)
        self._template, self._fixed = _template()

    def begin(self, run: Json) -> None:
        self._run = run
        self._worst = Worst(MAX_WORST)

    def leak(self, leak: Leak) -> None:
        self._worst.add(leak)

    def end(self, summary: Json) -> None:
        view = {**self._fixed, **_view(self._run, summary)}
        leaks = self._worst.leaks()
        columns = _columns(self._run, summary)
        bare = self._template.render(view, list=LeakList(columns, [], [], ""))
        room = MAX_BYTES - NOTE_BYTES - len(_ascii(bare))
        self._write(_ascii(self._template.render(view, list=_listed_leaks(leaks, columns, self._worst.seen, room))))


@cache
def _template() -> tuple[Template, dict[str, Any]]:
    """The template, and what in it never changes: style, script, and the hashes that allow them."""
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingExtra("format html", "report") from error
    environment = Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        finalize=lambda value: short(value, MAX_TEXT) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _file("report.css"), _file("report.js")
    fixed = {"style": Markup(style), "style_hash": _hash(style), "script": Markup(script), "script_hash": _hash(script)}
    return environment.get_template("report.html"), fixed


def _file(name: str) -> str:
    return (resources.files(__package__ or "") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a Content Security Policy wants it (CSP Level 3 section 2.3.1)."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()


def _view(run: Json, summary: Json) -> dict[str, Any]:
    """What the template needs, but for the list of leaks."""
    verdict, _, rest = sentence(summary).partition(": ")
    leaky = bool(summary["total"]["leaks"])
    bearers, bearer_rows = charts.bearers(summary)
    return {
        "verdict": verdict,
        "outcome": summary["outcome"],
        "sentence": rest[:1].upper() + rest[1:],
        "meanings": [
            (label(kind)[:1].upper() + label(kind)[1:], MEANINGS[kind])
            for kind in counted(summary)["identifiers"]
            if kind in MEANINGS
        ],
        "figures": _figures(summary),
        "judged": judged(summary),
        "leaky": leaky,
        "timeline": charts.timeline(summary),
        "spans": _spans(summary),
        "networks": _networks(summary),
        "hosts": _hosts(summary),
        "names": _names(summary),
        "bearers": bearers,
        "bearer_rows": bearer_rows,
        "between": between(summary["comparison"], MAX_CHANGES) if "comparison" in summary else None,
        "coverage": coverage(summary),
        "losses": losses(summary),
        "run": run,
        "settings": [(short(label(key)), _setting(value)) for key, value in run["settings"].items()],
        "captures": _captures(run),
        "few": FEW,
        "ranks": " ".join(SEVERITIES),
    }


def _figures(summary: Json) -> list[tuple[str, str, str]]:
    """Label, figure and a word about it: the numbers that are read first."""
    total, row, seen = summary["total"], counted(summary), summary["coverage"]
    payload = seen["tcp_payload_bytes"]
    readable = (
        "Readable",
        percent(seen["examined_bytes"], payload) if payload else "nothing",
        "of the TCP payload was HTTP; "
        + (f"{plural(seen['tls_streams'], 'TLS connection')} could not be read" if seen["tls_streams"] else "no TLS"),
    )
    requests = ("Requests", number(total["requests"]), "readable HTTP requests")
    if not total["leaks"]:
        return [requests, readable]
    kinds = [
        f"{number(count)} {'different ' if count > 1 else ''}{label(name)}"
        for name, count in row["identifiers"].items()
    ]
    policy = "no policy was given"
    if judged(summary):
        inside = max(0, total["host_count"] - summary["outside"]["host_count"])
        policy = f"and {plural(inside, 'host')} of partners" if row is summary["outside"] else "all of partners"
    return [
        (
            "Subscribers",
            people_in_words(row).rpartition(" ")[0] if row["subscribers"] else "not known",
            listed(kinds, len(kinds)),
        ),
        ("Hosts outside the policy" if row is summary["outside"] else "Hosts", number(row["host_count"]), policy),
        (
            "Leaks outside the policy" if row is summary["outside"] else "Leaks",
            number(row["leaks"]),
            (f"{number(total['leaks'])} in all, " if row is not total else "")
            + f"in {number(total['leaking_requests'])} of {plural(total['requests'], 'request')}",
        ),
        ("Since", minute(row["first_seen"]), f"until {minute(row['last_seen'])} UTC"),
        readable,
    ]


def _spans(summary: Json) -> list[tuple[str, str, str]]:
    """Of what, first and last seen: also where there is too little time for a drawing."""
    total, row = summary["total"], counted(summary)
    if not total["leaks"]:
        return []
    apart = [] if row is total else [("Outside the policy", row["first_seen"], row["last_seen"])]
    return [*apart, ("All leaks", total["first_seen"], total["last_seen"])]


def _networks(summary: Json) -> Json:
    """Networks by identifiers; below each, whose subscribers its leaks were of."""
    kinds = [row["identifier"] for row in summary["identifiers"]]
    shown = [row for row in summary["carriers"] if row["requests"] or row["leaks"]]
    rows: list[Json] = []
    for row in shown:
        if len(rows) >= MAX_NETWORKS:
            break
        party = row["network"]
        bearers = [label(name) for name in row["bearer_requests"] if name != "unknown"]
        rows.append(
            {
                "name": short(carrier(party) if party else row["name"]),
                "home": False,
                "requests": number(row["requests"]) if row["requests"] else "?",
                "leaks": number(row["leaks"]),
                "subscribers": people(row),
                "count": row["subscribers"],
                "kinds": [number(row["identifiers"][kind]) if kind in row["identifiers"] else "-" for kind in kinds],
                "bearers": ", ".join(bearers) or "unknown",
                "evidence": short(listed(party["evidence"])) if party else "",
            }
        )
        for home in row["home_operators"][: max(0, MAX_NETWORKS - len(rows))]:
            rows.append(
                {
                    "name": short(carrier(home)),
                    "home": True,
                    "requests": "",
                    "leaks": number(home["leaks"]),
                    "subscribers": number(home["subscribers"]) if home["subscribers"] else "-",
                    "count": home["subscribers"],
                    "kinds": [""] * len(kinds),
                    "bearers": "",
                    "evidence": short(listed(home["evidence"])),
                }
            )
    for row, width in zip(rows, charts.widths([row["count"] for row in rows]), strict=True):
        row["width"] = width
    left = len(shown) - sum(1 for row in rows if not row["home"])
    return {"kinds": [label(kind) for kind in kinds], "rows": rows, "more": left and plural(left, "more network")}


def _hosts(summary: Json) -> Json:
    """Hosts by subscribers, with what the policy says of them."""
    leaking = [row for row in summary["hosts"] if row["leaks"]]
    clean = sum(1 for row in summary["hosts"] if not row["leaks"])
    shown = leaking[:MAX_HOSTS]
    rows = [
        {
            "host": short(row["host"]),
            "subscribers": people(row),
            "width": width,
            "leaks": number(row["leaks"]),
            "requests": "?" if row["requests"] is None else number(row["requests"]),
            "verdict": short(verdicts(row)),
            "outside": is_outside(row),
            "partners": short(listed([_partner(one) for one in row["partners"]])),
            "kinds": listed([label(kind) for kind in row["identifiers"]]),
            "since": minute(row["first_seen"]),
            "until": minute(row["last_seen"]),
        }
        for row, width in zip(shown, charts.widths([row["subscribers"] for row in shown]), strict=True)
    ]
    left = len(leaking) - len(rows)
    notes = [
        f"The {number(MAX_HOSTS)} with the most subscribers; {plural(left, 'more host')} got identifiers"
        if left
        else "",
        f"{plural(clean, 'host')} got none" if clean else "",
    ]
    return {"rows": rows, "note": "; ".join(filter(None, notes))}


def _partner(one: Json) -> str:
    return f"{one['partner']} ({one['purpose']})" if one["purpose"] else str(one["partner"])


def _names(summary: Json) -> Json:
    """Header by header: what it holds, with a masked example and what its rule means."""
    rows = [
        {
            "name": short(row["name"]),
            "place": short(row["place"]),
            "example": _example(row),
            "what": label(row["identifier"]),
            "severity": row["severity"],
            "meaning": short(summary["rules"].get(row["rule"], ""), MAX_MEANING),
            "rule": short(row["rule"]),
            "facts": [
                ("leaks", number(row["leaks"])),
                ("subscribers", people(row)),
                ("confidence", row["confidence"]),
                ("who put it there", ORIGINS.get(row["origin"], row["origin"])),
                ("seen", f"{minute(row['first_seen'])} to {minute(row['last_seen'])} UTC"),
                (plural(row["host_count"], "host"), listed([short(host) for host in row["hosts"]], 8)),
                ("networks", short(listed([carrier(party) for party in row["network"]], 8)) or "not known"),
                ("policy", short(verdicts(row))),
            ],
        }
        for row in summary["names"][:MAX_NAMES]
    ]
    left = len(summary["names"]) - len(rows)
    return {"rows": rows, "more": left and plural(left, "more name")}


def _example(row: Json) -> str:
    """The earliest value as it looked in the request, masked."""
    line = {"header": "{}: {}", "cookie": "Cookie: {}={}", "user-agent": "{}: ... {} ..."}.get(row["place"], "{}={}")
    return line.format(short(row["name"]), short(row["example"] or ""))


def _captures(run: Json) -> Json:
    rows = [
        (str(position), short(capture["name"], 2 * MAX_CHARS), _size(capture["size"]))
        for position, capture in enumerate(run["captures"][:MAX_CAPTURES], 1)
    ]
    left = len(run["captures"]) - len(rows)
    known = [capture["size"] for capture in run["captures"] if capture["size"] is not None]
    return {"rows": rows, "more": left and plural(left, "more capture"), "size": f"{number(sum(known))} bytes in all"}


def _size(size: int | None) -> str:
    return "not known" if size is None else f"{number(size)} bytes"


def _setting(value: object) -> str:
    return "none" if value is None else short(str(value), 2 * MAX_CHARS)


def short(text: str, most: int = MAX_CHARS) -> str:
    """`text` shown, and clipped where it is longer than `most` characters."""
    text = show(text[: most + 1])  # which never makes it shorter
    return text if len(text) <= most else text[: most - 3] + "..."


def _columns(run: Json, summary: Json) -> list[Column]:
    places = {capture["name"]: str(position) for position, capture in enumerate(run["captures"], 1)}
    several = len(run["captures"]) > 1
    columns = [
        Column("time (UTC)", lambda leak: leak.time[:19].replace("T", " "), repeats=False),
        Column("severity", _severity, "rank"),
        Column("what", lambda leak: label(leak.identifier)),
        Column("value", lambda leak: leak.value, repeats=False),
        Column("pseudonym", lambda leak: leak.pseudonym.rpartition(":")[2], repeats=False),
        Column("where", _where),
        Column("host", lambda leak: leak.host, repeats=False),
        Column("policy", lambda leak: POLICY.get(leak.recipient.verdict, leak.recipient.verdict)),
        Column("network", _whose, spare=3),
        Column("bearer", lambda leak: label(leak.bearer) if leak.bearer != "unknown" else "unknown", spare=2),
        Column("added by", lambda leak: ADDED_BY.get(leak.origin, leak.origin), spare=1),
        Column(
            "capture:frame" if several else "frame",
            lambda leak: f"{places.get(leak.capture, leak.capture)}:{leak.frame}" if several else str(leak.frame),
            "text" if several else "number",
            repeats=False,
        ),
    ]
    return [column for column in columns if column.name != "policy" or judged(summary)]


def _severity(leak: Leak) -> str:
    return leak.severity if leak.confidence == "confirmed" else f"{leak.severity} ({leak.confidence})"


def _where(leak: Leak) -> str:
    place = "" if leak.place == "header" else f"{leak.place} "
    chain = f" ({' > '.join(leak.encoding)})" if leak.encoding else ""
    return f"{place}{leak.name}{chain}"


def _whose(leak: Leak) -> str:
    names = [party.name for party in (leak.network, leak.home_operator) if party is not None]
    return ", ".join(dict.fromkeys(names)) or "not known"


def _listed_leaks(leaks: Sequence[Leak], columns: Sequence[Column], seen: int, room: int) -> LeakList:
    """The worst leaks as rows, in at most `room` bytes: columns that can be spared go first, then the last rows."""
    from markupsafe import escape

    table = [[short(column.of(leak)) for column in columns] for leak in leaks]
    same = {
        index
        for index, column in enumerate(columns)
        if column.repeats and len(table) > 1 and all(row[index] == table[0][index] for row in table)
    }
    sizes = [[CELL_BYTES + len(_ascii(escape(cell))) for cell in row] for row in table]
    kept = [index for index in range(len(columns)) if index not in same]
    spared = []
    for index in sorted((index for index in kept if columns[index].spare), key=lambda index: columns[index].spare):
        if sum(ROW_BYTES + sum(row[index] for index in kept) for row in sizes) <= room:
            break
        kept.remove(index)
        spared.append(columns[index].name)
    rows: list[list[str]] = []
    for whole, size in zip(table, sizes, strict=True):
        room -= ROW_BYTES + sum(size[index] for index in kept)
        if room < 0:
            break
        rows.append([whole[index] for index in kept])
    facts = [(columns[index].name, table[0][index]) for index in sorted(same)]
    facts = [fact for fact in facts if fact != NOBODY_S]
    return LeakList([columns[index] for index in kept], rows, facts, _note(len(rows), seen, spared))


def _note(shown: int, seen: int, spared: Sequence[str]) -> str:
    if shown == seen:
        note = f"All {plural(seen, 'leak')}, the worst first."
    else:
        note = f"The worst {number(shown)} of {number(seen)} leaks; JSON Lines, JSON and CSV hold all."
    if not spared:
        return note
    return f"{note} For want of room left out: {listed(spared)}; JSON Lines, JSON and CSV have that, too."
