"""Earlier results read back: JSON Lines, schema 1, as `leakscan analyse` and `leakscan report` write them.

Comes in: a file. Goes out: what it was made of (`run`), its leaks, and what its summary says of requests, coverage and
losses. A file may have been made by anybody: every key is checked, a mistake raises FileMistake naming file and line,
and every string is masked again as if it came from a capture. State: one line, at most `MAX_LINE_BYTES`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from leakscan.baseline import FINGERPRINT
from leakscan.conceal import Concealer
from leakscan.errors import FileMistake
from leakscan.filenames import shown_name
from leakscan.losses import LOSSES, OTHER, UNREAD, Losses, Problem
from leakscan.masks import mask, remask
from leakscan.model import CONFIDENCES, SEVERITIES, Carrier, Coverage, Leak, Recipient
from leakscan.policy import VERDICTS
from leakscan.show import HIDDEN, is_address, redact
from leakscan.summary import OTHER_HOSTS, Counted, Summary
from leakscan.tally import UNATTRIBUTED
from leakscan.timeline import MAX_CELLS, STEPS, Timeline
from leakscan.times import ALWAYS, NEVER, rfc3339_ns
from leakscan.tomlfile import is_there

SCHEMA = 1
MAX_LINE_BYTES = 64 << 20
MAX_COUNT = 1 << 62
MAX_ITEMS = 1000  # of a list in a leak
#: What a result put together under different keys has as `key_id`.
SEVERAL = "several"
PLACES = (
    *("header", "cookie", "query", "path", "host", "referer", "user-agent", "body"),
    *("response-header", "response-body"),
)
ORIGINS = ("injected", "consistent-with-injection", "client-sent", "unknown")
BEARERS = ("cellular", "wifi", "unknown")
BEGINNING = b'{"type":"run"'

# A pseudonym of digits alone is possible, and never seen: a number that somebody wrote there is likelier.
_KEY_ID = re.compile(r"(?:key|run):[a-z2-7]{8}|several")
_CLIENT = re.compile(r"ip:(?=[2-7]*[a-z])[a-z2-7]{12}")
_PSEUDONYM = re.compile(r"[a-z_]{1,40}:(?=[2-7]*[a-z])[a-z2-7]{12}")
_CATALOGUE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9a-f]{12}")
KIND = re.compile(r"[a-z_]{1,40}")
RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,199}")
_CODE = re.compile(r"[0-9]{2,3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
#: Counted anew from what is read: hosts without a row, behaviours past the bound.
_RECOUNTED = ("summary.hosts-folded", "summary.behaviours-folded")

Json = dict[str, Any]


class Run(NamedTuple):
    """What the `run` line says, as far as it bears on a merged result."""

    version: str
    catalogue: str
    captures: list[Json]
    key_id: str
    shown: bool
    settings: Json


class Found(NamedTuple):
    """One leak that was read."""

    leak: Leak
    time_ns: int


class Result:
    """One file. Its ends are read when it is made, its leaks by `leaks`."""

    def __init__(self, path: str) -> None:
        """Raises FileMistake."""
        self.path = path
        digest = hashlib.sha256()
        first = last = b""
        self._lines = 0
        with self._open() as file:
            for number, line in self._numbered(file):
                digest.update(line)
                self._lines = number
                first = first or line
                last = line
        self.digest = digest.digest()
        if not self._lines:
            raise FileMistake(path, "", "is empty: no result")
        head = Line(path, 1, first)
        if head.choice("type", ("run", "leak", "summary")) != "run":
            raise head.mistake("type: a result begins with a run")
        self.run = _run(head)
        self._tail = Line(path, self._lines, last)
        if self._lines == 1 or self._tail.row.get("type") != "summary":
            raise self._tail.mistake("the result has no summary: it was cut, or is still being written")
        if "comparison" in self._tail.row:
            raise self._tail.mistake("is of two capture points: only compare can say what counts there")

    def counted(self) -> Summary:
        """A Summary of all but the leaks: requests, coverage, losses."""
        losses, coverage = _coverage(self._tail.inner("coverage"))
        made = Summary(losses, coverage)
        made.restore(_counted(self._tail))
        return made

    def summary(self) -> Line:
        """The last line."""
        return self._tail

    def subscribers(self) -> dict[Hashable, int]:
        """Subscribers of every row of the summary, by `row_places`."""
        found: dict[Hashable, int] = {}
        try:
            for where, row in row_places(self._tail.row):
                found[where] = Line(self.path, self._lines, row).count("subscribers")
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self._tail.mistake("a row has not the form that results have") from None
        return found

    def origins(self) -> dict[Hashable, tuple[str, list[str]]]:
        """Who put it there, of rows of behaviours and names, by `row_places`: statistics over the whole say that."""
        found: dict[Hashable, tuple[str, list[str]]] = {}
        for name in ("behaviours", "names"):
            for row in self._tail.inners(name):
                for key in ("rule", "place", "name", *(("fingerprint",) if name == "behaviours" else ())):
                    row.text(key)
                evidence = list(row.texts("origin_evidence")) if "origin_evidence" in row.row else []
                found[name, _ROWS[name](row.row)] = row.choice("origin", ORIGINS), evidence
        return found

    def rules(self) -> dict[str, str]:
        """What the rules mean, as the result's catalogue has it; nothing in a result of before there was that."""
        if "rules" not in self._tail.row:
            return {}
        inner = self._tail.inner("rules")
        return {redact(name): redact(inner.text(name)) for name in inner.row}

    def leaks(self, concealer: Concealer) -> Iterator[Found]:
        """Each leak, masked again."""
        with self._open() as file:
            lines = (Line(self.path, number, line) for number, line in self._numbered(file) if 1 < number < self._lines)
            for _, group in groupby(lines, _request):
                rows = list(group)
                spans = [line.text("value") for line in rows] if self.run.shown else []
                for line in rows:
                    yield _leak(line, concealer, self.run.shown, spans)

    def _open(self) -> BinaryIO:
        try:
            return Path(self.path).open("rb")
        except OSError as error:
            raise FileMistake(self.path, "", f"cannot be read: {error.strerror}") from None

    def _numbered(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        number = 0
        while True:
            try:
                line = file.readline(MAX_LINE_BYTES + 1)
            except OSError as error:
                raise FileMistake(self.path, "", f"cannot be read: {error.strerror}") from None
            if not line:
                return
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise FileMistake(self.path, f"line {number}", f"is longer than {MAX_LINE_BYTES:,} bytes")
            yield number, line


def is_result(path: str) -> bool:
    """Whether a file begins like a result."""
    if not is_there(path):
        return False
    with Path(path).open("rb") as file:
        return file.read(len(BEGINNING)) == BEGINNING


class Line:
    """One JSON object, or one within it: gives values of the kind that is asked for, or raises FileMistake."""

    def __init__(self, path: str, number: int, content: bytes | Json, within: str = "") -> None:
        self.path = path
        self.number = number
        self._within = within
        self.row: Json = content if isinstance(content, dict) else self._parsed(content)

    def mistake(self, reason: str) -> FileMistake:
        return FileMistake(self.path, f"line {self.number}", f"{self._within}{reason}")

    def inner(self, key: str, number: int | None = None, value: object = None) -> Line:
        """The object under `key`, or the one that is given as item `number` of the list there."""
        found = self.get(key) if number is None else value
        name = key if number is None else f"{key} {number}"
        if not isinstance(found, dict):
            raise self.mistake(f"{name}: must be an object")
        return Line(self.path, self.number, found, f"{self._within}{name}: ")

    def get(self, key: str) -> Any:
        if key not in self.row:
            raise self.mistake(f"{key}: missing")
        return self.row[key]

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        value = self.get(key)
        if not isinstance(value, str) or (pattern is not None and not pattern.fullmatch(value)):
            raise self.mistake(f"{key}: {'must be text' if pattern is None else 'has not the form that results have'}")
        return value

    def text_or_none(self, key: str, pattern: re.Pattern[str] | None = None) -> str | None:
        return None if self.get(key) is None else self.text(key, pattern)

    def choice(self, key: str, known: Collection[str]) -> str:
        value = self.get(key)
        if not isinstance(value, str) or value not in known:
            raise self.mistake(f"{key}: must be one of {', '.join(known)}")
        return value

    def count(self, key: str, most: int = MAX_COUNT) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self.mistake(f"{key}: must be a number from 0 to {most:,}")
        return value

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if not isinstance(value, bool):
            raise self.mistake(f"{key}: must be true or false")
        return value

    def items(self, key: str, most: int = MAX_COUNT) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list) or len(value) > most:
            raise self.mistake(f"{key}: must be a list{f' of at most {most:,}' if most < MAX_COUNT else ''}")
        return value

    def inners(self, key: str, most: int = MAX_COUNT) -> Iterator[Line]:
        for number, value in enumerate(self.items(key, most), 1):
            yield self.inner(key, number, value)

    def texts(self, key: str) -> tuple[str, ...]:
        found = self.items(key, MAX_ITEMS)
        if not all(isinstance(item, str) for item in found):
            raise self.mistake(f"{key}: must be a list of text")
        return tuple(redact(item) for item in found)

    def counts(self, key: str, known: Collection[str] | None = None) -> dict[str, int]:
        """An object of numbers."""
        inner = self.inner(key)
        for name in inner.row:
            if known is not None and name not in known:
                raise self.mistake(f"{key}: {name} is not known here; was it written by a later version?")
        return {name: inner.count(name) for name in inner.row}

    def time(self, key: str) -> int:
        try:
            time_ns = rfc3339_ns(self.text(key))[0]
        except ValueError:
            time_ns = NEVER
        if not ALWAYS <= time_ns < NEVER:
            raise self.mistake(f"{key}: must be a time such as 2012-01-10T00:00:00Z")
        return time_ns

    def _parsed(self, content: bytes) -> Json:
        try:
            row = json.loads(content, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise self.mistake("is not JSON") from None
        if not isinstance(row, dict):
            raise self.mistake("must be an object")
        return row


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _request(line: Line) -> tuple[object, ...]:
    """What leaks of one request have in common."""
    return tuple(str(line.row.get(key)) for key in ("capture", "frame", "frame_end", "client", "client_port"))


def _run(line: Line) -> Run:
    schema = line.count("schema")
    if schema != SCHEMA:
        raise line.mistake(f"schema: is {schema}, and {SCHEMA} is what is known here")
    settings, catalogue = line.inner("settings"), line.text("catalogue")
    captures = [
        {"name": shown_name(inner.text("name")), "size": None if inner.get("size") is None else inner.count("size")}
        for inner in line.inners("captures")
    ]
    return Run(
        version=redact(line.text("version")),
        catalogue=catalogue if _CATALOGUE.fullmatch(catalogue) else redact(catalogue),
        captures=captures,
        key_id=line.text("key_id", _KEY_ID),
        shown=line.choice("values", ("masked", "shown")) == "shown",
        settings={
            "min_confidence": settings.choice("min_confidence", CONFIDENCES),
            **{
                key: None if settings.row.get(key) is None else shown_name(settings.text(key))
                for key in ("networks", "asn_db", "policy", "known", "rules", "since", "until")
            },
            **{key: key in settings.row and settings.flag(key) for key in ("responses", "bodies")},
        },
    )


def _leak(line: Line, concealer: Concealer, shown: bool, spans: list[str]) -> Found:
    if line.choice("type", ("run", "leak", "summary")) != "leak":
        raise line.mistake("type: only leaks stand between a result's first and last line")
    time_ns = line.time("time")
    identifier, value = line.text("identifier", KIND), line.text("value")
    place, encoding = line.choice("place", PLACES), line.texts("encoding")
    # What a shown value was decoded from is not in the line: where it may stand, nothing is shown.
    opaque = {place} if shown and encoding else set()
    client, server = line.text("client"), line.text("server")
    if not is_address(server):
        raise line.mistake("server: must be an address")
    leak = Leak(
        time=line.text("time"),
        capture=shown_name(line.text("capture")),
        frame=line.count("frame"),
        frame_end=line.count("frame_end"),
        client=client if _CLIENT.fullmatch(client) else concealer.client(client),
        client_port=line.count("client_port", 65_535),
        server=server,
        server_port=line.count("server_port", 65_535),
        teid=None if line.get("teid") is None else line.count("teid"),
        host=HIDDEN if "host" in opaque else redact(line.text("host"), spans),
        method=redact(line.text("method"), spans),
        target=HIDDEN if "path" in opaque else redact(line.text("target"), spans),
        place=place,
        name=redact(line.text("name"), spans),
        rule=redact(line.text("rule", RULE)),
        identifier=identifier,
        value=mask(identifier, value) if shown else remask(identifier, value),
        pseudonym=line.text("pseudonym", _PSEUDONYM),
        encoding=encoding,
        confidence=line.choice("confidence", CONFIDENCES),
        severity=line.choice("severity", SEVERITIES),
        origin=line.choice("origin", ORIGINS),
        bearer=line.choice("bearer", BEARERS),
        network=_carrier(line, "network"),
        home_operator=_carrier(line, "home_operator"),
        recipient=_recipient(line.inner("recipient")),
        fingerprint=line.text("fingerprint", FINGERPRINT),
        evidence=line.texts("evidence"),
        partial=line.flag("partial"),
        rotating="rotating" in line.row and line.flag("rotating"),
    )
    return Found(leak, time_ns)


def _recipient(line: Line) -> Recipient:
    partner, purpose = line.text_or_none("partner"), line.text_or_none("purpose")
    return Recipient(
        line.choice("verdict", VERDICTS),
        None if partner is None else redact(partner),
        None if purpose is None else redact(purpose),
    )


def _carrier(line: Line, key: str) -> Carrier | None:
    if line.get(key) is None:
        return None
    return party(line.inner(key))


def party(inner: Line) -> Carrier:
    return Carrier(
        redact(inner.text("name")),
        inner.text_or_none("country", _COUNTRY),
        inner.text_or_none("mcc", _CODE),
        inner.text_or_none("mnc", _CODE),
        inner.texts("evidence"),
    )


def _coverage(line: Line) -> tuple[Losses, Coverage]:
    coverage = Coverage(**{name: line.count(name) for name in Coverage.__slots__})
    losses = Losses()
    inner = line.inner("losses")
    for kind in (UNREAD, OTHER):
        known = [name for name, (its_kind, _) in LOSSES.items() if its_kind == kind]
        for name, count in inner.counts(kind, known).items():
            if name not in _RECOUNTED:
                losses[name] += count
    for problem in line.inners("problems") if "problems" in line.row else ():
        offset = None if problem.get("offset") is None else problem.count("offset")
        name = problem.choice("loss", LOSSES)
        losses.keep(Problem(shown_name(problem.text("capture")), offset, redact(problem.text("reason")), name))
    return losses, coverage


def _counted(line: Line) -> Counted:
    total = line.inner("total")
    hosts: dict[str, int] = {}
    other_hosts = 0
    for row in line.inners("hosts"):
        requests = 0 if row.get("requests") is None else row.count("requests")
        host = redact(row.text("host"))
        if host == OTHER_HOSTS:
            other_hosts += requests
        else:
            hosts[host] = hosts.get(host, 0) + requests
    networks: list[tuple[Carrier | None, int, Mapping[str, int]]] = []
    other: tuple[int, Mapping[str, int]] = (0, {})
    for row in line.inners("carriers"):
        requests, bearers = row.count("requests"), row.counts("bearer_requests", BEARERS)
        carrier = _carrier(row, "network")
        if carrier is None and row.text("name") != UNATTRIBUTED:
            other = (requests, bearers)
        else:
            networks.append((carrier, requests, bearers))
    return Counted(
        requests=total.count("requests"),
        leaking_requests=total.count("leaking_requests"),
        local_requests=total.count("local_requests") if "local_requests" in total.row else 0,
        hosts={host: requests for host, requests in hosts.items() if requests},
        other_hosts=other_hosts,
        networks=networks,
        other_networks=other,
        timeline=_timeline(line.inner("timeline")),
    )


def _timeline(line: Line) -> Timeline:
    step = line.count("step_seconds")
    if step not in STEPS:
        raise line.mistake(f"step_seconds: must be one of {', '.join(map(str, STEPS))}")
    cells: dict[int, int] = {}
    for cell in line.inners("cells", 2 * MAX_CELLS):
        cells[cell.time("time") // 10**9] = cell.count("requests")
    return Timeline.of_requests(step, {second: count for second, count in cells.items() if count})


#: The lists of a summary's rows -> what tells a row from the others of its list.
_ROWS: dict[str, Callable[[Json], Hashable]] = {
    "behaviours": lambda row: row["fingerprint"],
    "names": lambda row: (row["rule"], row["place"], row["name"].lower()),
    "hosts": lambda row: row["host"],
    "carriers": lambda row: _party_key(row["network"]) if row["network"] else row["name"],
    "identifiers": lambda row: row["identifier"],
}


def row_places(summary: Json) -> Iterator[tuple[Hashable, Json]]:
    """Every row that counts subscribers, with its place in the summary."""
    yield "total", summary["total"]
    yield "outside", summary["outside"]
    if summary["folded"] is not None:
        yield from _with_parties(("folded",), summary["folded"])
    for name, key in _ROWS.items():
        for row in summary[name]:
            yield from _with_parties((name, key(row)), row)


def _with_parties(where: tuple[Hashable, ...], row: Json) -> Iterator[tuple[Hashable, Json]]:
    yield where, row
    for name in ("network", "home_operator", "home_operators"):
        parties = row.get(name)
        for party in parties if isinstance(parties, list) else ():
            yield (*where, name, _party_key(party)), party


def _party_key(party: Json) -> Hashable:
    return party["name"], party["country"], party["mcc"], party["mnc"]
