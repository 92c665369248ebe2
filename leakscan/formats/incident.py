"""The facts that a breach notification asks for, as Markdown: filled in from the summary, the rest marked blank.

Asked for are the particulars of GDPR Article 33(3) and of Regulation (EU) 611/2013 Annex I (providers of public
communications services: ePrivacy Directive Article 4), in leakscan's own order and words. What a capture cannot tell
stands there as `BLANK`, so that nobody takes silence for a "no". Figures are of what went outside the policy, where
there is one and something did; else of everything found.

State: none. Bounds: `MAX_ROWS` of each table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from leakscan.formats.compared import outcome
from leakscan.formats.markdown import escaped, grid
from leakscan.formats.rows import Json
from leakscan.formats.sections import coverage, losses
from leakscan.formats.sparkline import step_name
from leakscan.formats.words import (
    ORIGINS,
    carrier,
    counted,
    is_outside,
    label,
    leaks_outside,
    listed,
    meant,
    number,
    people,
    people_in_words,
    percent,
    plural,
    sentence,
    verdicts,
)
from leakscan.formats.writer import Writer
from leakscan.model import Leak

BLANK = "(to be completed)"
MAX_ROWS = 50

Fact = tuple[str, str]


class Incident(Writer):
    def begin(self, run: Json) -> None:
        self._run = run

    def leak(self, leak: Leak) -> None:
        """The summary has it."""

    def end(self, summary: Json) -> None:
        found = bool(summary["total"]["leaks"])
        self._write("# Personal data breach: the facts that captures show\n\n")
        self._say(sentence(summary))
        self._say(
            f"What captures cannot tell is marked {BLANK}. They show what passed one place for some time, so figures "
            "are lower bounds. This is a list of facts and no legal assessment."
        )
        if summary["outcome"] != "leak":
            self._say(
                "These captures alone give no reason for a notification; section 8 says what they could not show."
            )
        self._facts("1. Who notifies", _WHO)
        self._facts("2. When", _when(summary) if found else _UNKNOWN_TIMES)
        self._facts("3. What happened", _what(summary))
        self._table("4. Categories of personal data", _KINDS, _kinds(summary))
        self._facts("5. Persons and records concerned", _persons(summary))
        self._recipients(summary)
        self._facts("7. Consequences, measures and notices", _MEASURES)
        self._unseen(summary)
        self._facts("9. How the facts were found", _how(self._run))

    def _say(self, text: str) -> None:
        self._write(f"{escaped(text)}\n\n")

    def _facts(self, title: str, facts: Sequence[Fact]) -> None:
        self._write(f"## {escaped(title)}\n\n{grid(('asked for', 'answer'), facts)}\n")

    def _table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._write(f"## {escaped(title)}\n\n")
        if rows:
            self._write(f"{grid(columns, rows, _NUMBERS)}\n")
        else:
            self._say("None was found in the captures.")

    def _recipients(self, summary: Json) -> None:
        hosts = _recipients(summary)
        self._table("6. Recipients", _HOSTS, [_host(row) for row in hosts[:MAX_ROWS]])
        if not hosts:
            return
        if len(hosts) > MAX_ROWS:
            self._say(f"And {plural(len(hosts) - MAX_ROWS, 'more host')}.")
        self._say(
            "Hosts are named as the requests named them. The requests were not encrypted: whoever carried them on the "
            f"way could read them, too. Legal persons behind the hosts: {BLANK}"
        )

    def _unseen(self, summary: Json) -> None:
        self._facts("8. What the captures could not show", [(row[0], row[1]) for row in coverage(summary).rows])
        lost = losses(summary)
        if lost.rows:
            self._write(f"{grid(lost.columns, lost.rows, lost.numbers)}\n")
            self._say(lost.note)


_NUMBERS = frozenset({"different values", "leaks", "subscribers", "requests"})
_WHO: Sequence[Fact] = (
    ("Name of the provider or controller", BLANK),
    ("Data protection officer or other contact", BLANK),
    ("First notification, or a supplement to one", BLANK),
    ("Other providers or processors involved", BLANK),
)
_UNKNOWN_TIMES: Sequence[Fact] = (("Time of the incident", BLANK), ("Time of its detection", BLANK))
_MEASURES: Sequence[Fact] = (
    ("Likely consequences for the persons concerned", BLANK),
    ("Technical and organisational measures before the incident", BLANK),
    ("Measures taken or proposed to end it and to mitigate its effects", BLANK),
    ("A later capture in which it is gone (leakscan leaves with 0)", BLANK),
    ("Notice to the persons concerned: content, means, number", BLANK),
    ("Authorities of other states that were notified", BLANK),
)
_KINDS = ("category", "different values", "leaks", "worst severity")
_HOSTS = ("host", "subscribers", "leaks", "requests", "policy", "partner and purpose", "first seen", "last seen")


def _when(summary: Json) -> list[Fact]:
    row = counted(summary)
    first, last = row["first_seen"], row["last_seen"]
    step = summary["timeline"]["step_seconds"]
    before, after = _around(summary)
    unit = step_name(step)
    cells = summary["timeline"]["cells"]
    since = cells[0]["time"]
    until = f"{datetime.fromisoformat(cells[-1]['time']).astimezone(UTC) + timedelta(seconds=step):%Y-%m-%dT%H:%M:%SZ}"
    none = "of all networks and bearers had none" + ("" if row is summary["total"] else " outside the policy")
    began = (
        f"no later than first seen; in the {unit}s before, {plural(before, 'readable request')} since {since} {none}"
        if before
        else f"not known: the captures begin with it ({since} at the earliest)"
    )
    ceased = (
        f"not seen again: in the {unit}s after, {plural(after, 'readable request')} up to {until} {none}; "
        f"that it has ceased for good: {BLANK}"
        if after
        else f"not known: it went on to the end of the captures ({until} at the latest); {BLANK}"
    )
    return [
        ("First seen in the captures", first),
        ("Last seen in the captures", last),
        ("Began", f"{began}; time of the incident, if known: {BLANK}"),
        ("Whether it has ceased", ceased),
        ("Time of its detection", BLANK),
    ]


def _around(summary: Json) -> tuple[int, int]:
    """Readable requests in the cells of the timeline before the first one with a leak, and after the last."""
    key = "leaks" if counted(summary) is summary["total"] else "outside"
    cells = summary["timeline"]["cells"]
    leaky = [index for index, cell in enumerate(cells) if cell[key]]
    before, after = cells[: leaky[0]], cells[leaky[-1] + 1 :]
    return sum(cell["requests"] for cell in before), sum(cell["requests"] for cell in after)


def _what(summary: Json) -> list[Fact]:
    row = counted(summary)
    if not row["leaks"]:
        return [("Nature of the breach", f"none was found in the captures; {BLANK}"), ("Its cause", BLANK)]
    names = [name for name in summary["names"] if row is summary["total"] or is_outside(name)]
    wheres = [f"{name['place']} {name['name']} ({ORIGINS.get(name['origin'], name['origin'])})" for name in names]
    networks = [
        carrier(one["network"]) if one["network"] else "networks that are not known"
        for one in summary["carriers"]
        if one["leaks"] and (row is summary["total"] or is_outside(one))
    ]
    return [
        ("Nature of the breach", "identifiers of subscribers were disclosed to the recipients of their web requests"),
        ("Where they stood", listed(wheres, 10)),
        ("An example, masked", "; ".join(f"{name['name']}: {name['example']}" for name in names[:3])),
        ("Networks that carried them", listed(networks, 10)),
        *([("Seen at two points", outcome(summary["comparison"]))] if "comparison" in summary else []),
        ("Bearers", ", ".join(f"{label(name)}: {plural(count, 'leak')}" for name, count in row["bearers"].items())),
        ("Its cause", BLANK),
        ("Security of the transmission", _security(summary)),
    ]


def _security(summary: Json) -> str:
    seen = summary["coverage"]
    share = percent(seen["examined_bytes"], seen["tcp_payload_bytes"]) if seen["tcp_payload_bytes"] else "none"
    return (
        f"none: plain HTTP. Readable HTTP was {share} of the TCP payload in the captures; "
        f"{plural(seen['tls_streams'], 'connection')} with TLS could not be read. {_form(summary)}"
    )


def _form(summary: Json) -> str:
    """Whether the values themselves could be read: critical is what was plainly readable (docs/formats.md)."""
    plain = {row["identifier"]: None for row in summary["names"] if row["severity"] == "critical"}
    other = {row["identifier"]: None for row in summary["names"] if row["severity"] != "critical"}
    return " ".join(
        filter(
            None,
            (
                f"Values plainly readable: {listed([label(kind) for kind in plain], 20)}." if plain else "",
                f"Whether others were hashed or encrypted, and who has the key "
                f"({listed([label(kind) for kind in other], 20)}): {BLANK}"
                if other
                else "",
            ),
        )
    )


def _kinds(summary: Json) -> list[tuple[str, ...]]:
    row = counted(summary)
    return [
        (
            meant(kind["identifier"]),
            number(row["identifiers"][kind["identifier"]]),
            number(leaks_outside(kind) if row is summary["outside"] else kind["leaks"]),
            kind["severity"],
        )
        for kind in summary["identifiers"]
        if kind["identifier"] in row["identifiers"]
    ]


def _persons(summary: Json) -> list[Fact]:
    total, row = summary["total"], counted(summary)
    homes: dict[str, int] = {}
    countries: set[str] = set()
    for one in summary["carriers"]:
        for home in one["home_operators"] if row is total or is_outside(one) else ():
            homes[carrier(home)] = max(home["subscribers"], homes.get(carrier(home), 0))
            countries.update([home["country"]] if home["country"] else [])
    whose = [f"{name}: {f'at least {number(count)}' if count else 'not countable'}" for name, count in homes.items()]
    return [
        (
            "Number of persons concerned",
            f"{people_in_words(row) if row['subscribers'] else 'not countable from the captures'}; in all: {BLANK}",
        ),
        ("Whose subscribers they are", listed(whose, MAX_ROWS) or BLANK),
        (
            "Number of records concerned",
            f"{plural(row['leaks'], 'leak')} outside the policy, {number(total['leaks'])} in all"
            if row is not total
            else f"{plural(total['leaks'], 'leak')} in {number(total['leaking_requests'])} of "
            f"{plural(total['requests'], 'readable request')}",
        ),
        (
            "Persons in other states",
            f"countries of the operators seen: {listed(sorted(countries), 20) or 'none'}; {BLANK}",
        ),
    ]


def _recipients(summary: Json) -> list[Json]:
    """Rows of hosts that got something outside the policy, or of all that got something where there is none."""
    row = counted(summary)
    return [host for host in summary["hosts"] if host["leaks"] and (row is summary["total"] or is_outside(host))]


def _host(row: Json) -> tuple[str, ...]:
    partners = [", ".join(filter(None, (one["partner"], one["purpose"]))) for one in row["partners"]]
    return (
        row["host"],
        people(row),
        number(row["leaks"]),
        "?" if row["requests"] is None else number(row["requests"]),
        verdicts(row),
        "; ".join(partners) or BLANK,
        row["first_seen"],
        row["last_seen"],
    )


def _how(run: Json) -> list[Fact]:
    captures = [
        f"{one['name']} ({'size not known' if one['size'] is None else plural(one['size'], 'byte')})"
        for one in run["captures"]
    ]
    return [
        ("Program", f"leakscan {run['version']}"),
        ("Catalogue of names", str(run["catalogue"])),
        ("Values", f"{run['values']}; key of the pseudonyms {run['key_id']}"),
        ("Captures", listed(captures, MAX_ROWS)),
        ("Who made the captures, where and why", BLANK),
    ]
