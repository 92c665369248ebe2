"""The spine: messages (reading.py) -> fields -> matches -> leaks -> summary.

In: captures and settings. Out: leaks as they are found, and at last the summary. State: that of the stages.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from leakscan import __version__
from leakscan.carriers import attribute, bearer_of
from leakscan.conceal import Concealer
from leakscan.detectors import catalogue_version, detect
from leakscan.errors import UsageError
from leakscan.fields import fields, pairs_fields
from leakscan.filenames import shown_name
from leakscan.fingerprint import fingerprint
from leakscan.glance import Glance
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, Head, Leak, Match, Message, Origin, Pair, Recipient, endpoints
from leakscan.networks import NetworkEntry, Networks
from leakscan.protocols import message_of
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import expand
from leakscan.summary import Summary
from leakscan.times import rfc3339

SCHEMA = 1
MIN_SHARED_SPAN = 7  # a shorter value is hidden in its own leak only: it may well be a word of a host's name
MAX_BEARERS = 4096  # kinds of requests (capture, tunnel, network) whose bearer is remembered
MAX_WAITING = 10_000  # leaks that wait for one with an earlier frame


@dataclass(frozen=True, slots=True)
class Settings:
    """What bears on the result."""

    min_confidence: str = "probable"
    show_values: bool = False
    pseudonym_key: bytes | None = None  # at least 16 bytes; None: random, for this run alone
    networks: Networks | None = None
    networks_name: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One identifier in a list of header lines: what `scan_headers` gives."""

    place: str
    name: str
    rule: str
    identifier: str
    value: str
    pseudonym: str
    encoding: tuple[str, ...]
    confidence: str
    severity: str
    origin: str
    evidence: tuple[str, ...]


class Scan:
    """One scan of captures: iterate `leaks()` and `rest()` to their ends, then read `summary`."""

    def __init__(
        self, reading: Reading, names: Sequence[str], settings: Settings, concealer: Concealer | None = None
    ) -> None:
        self._reading = reading
        self._names = names
        self._settings = settings
        self.concealer = concealer or Concealer(settings.pseudonym_key, settings.show_values)
        self._captures: dict[str, int] = {}  # in the order in which leaks were found in them
        self._waiting: list[tuple[int, int, int, Leak]] = []
        self._number = count()
        self._bearers: dict[tuple[Origin, int, bool, int], str] = {}
        self._least = CONFIDENCES.index(settings.min_confidence)
        self.summary = Summary(reading.losses, reading.coverage)
        #: Told of every leak together with the request and the match that it was made of.
        self.watch: Callable[[Message, Match, Leak], None] | None = None

    def run(self) -> dict[str, Any]:
        """The `run` line of the result (docs/formats.md)."""
        settings = self._settings
        networks = None if settings.networks_name is None else self._name(settings.networks_name)
        return {
            "type": "run",
            "schema": SCHEMA,
            "version": __version__,
            "catalogue": catalogue_version(),
            "captures": [{"name": self._name(name), "size": _size(name)} for name in self._names],
            "key_id": self.concealer.key_id,
            "values": "shown" if settings.show_values else "masked",
            "settings": {"min_confidence": settings.min_confidence, "networks": networks},
        }

    def leaks(self, live: bool = False) -> Iterator[Leak]:
        """Leaks in the order of the frames that complete their heads, but for those of `rest`, which follow.

        A hole in a stream, or a head cut short, is known to be one only later: so up to MAX_WAITING leaks wait for one
        that comes before them. `live`: none does.
        """
        for capture, leak in self._found():
            place = self._captures.setdefault(capture, len(self._captures))
            heapq.heappush(self._waiting, (place, leak.frame_end, next(self._number), leak))
            if live or len(self._waiting) > MAX_WAITING:
                yield heapq.heappop(self._waiting)[-1]

    def rest(self) -> Iterator[Leak]:
        """The leaks that still wait, also after an interruption."""
        self._reading.stop()
        while self._waiting:
            yield heapq.heappop(self._waiting)[-1]

    def _found(self) -> Iterator[tuple[str, Leak]]:
        """Every leak that is shown, with the capture it is in; all requests go into the summary."""
        losses, glance = self._reading.losses, Glance()
        for head in self._reading.heads():
            plain = glance.plain_host(head)
            if plain is not None:
                self._count(head, plain)
                continue
            message = message_of(head)
            yield from self._judged(message, detect(fields(message, losses), losses))

    def _judged(self, message: Message, matches: Sequence[Match]) -> Iterator[tuple[str, Leak]]:
        """What is shown of one request in which the detectors found something; it goes into the summary, too."""
        losses, networks = self._reading.losses, self._settings.networks
        spans = [span for match in matches for span in _raw(match) if len(span) >= MIN_SHARED_SPAN]
        host = self.concealer.redact(message.host, spans)
        entry = networks.lookup(message.client, message.time_ns) if networks else None
        network, bearer = entry.network if entry else None, bearer_of(message, entry)[0]
        self.summary.add_request(host=host, network=network, bearer=bearer, time_ns=message.time_ns)
        for match in matches:
            if CONFIDENCES.index(match.confidence) < self._least:
                losses["leaks.not-shown"] += 1
                continue
            leak = self._leak(message, match, entry, host, spans)
            self.summary.add(leak, time_ns=message.time_ns, rotating=match.rotating)
            if self.watch is not None:
                self.watch(message, match, leak)
            yield message.origin.capture, leak

    def _count(self, head: Head, host: str) -> None:
        """A request in which nothing was found: into the summary with it."""
        client, _, server, _ = endpoints(head.key)
        networks = self._settings.networks
        entry = networks.lookup(client, head.time_ns) if networks else None
        kind = (head.origin, head.key[0], head.teid is None, id(entry))
        bearer = self._bearers.get(kind)
        if bearer is None:
            if len(self._bearers) >= MAX_BEARERS:
                self._bearers.clear()
            bearer = self._bearers[kind] = bearer_of(message_of(head), entry)[0]
        network = entry.network if entry else None
        host = self.concealer.redact(host or server)
        self.summary.add_request(host=host, network=network, bearer=bearer, time_ns=head.time_ns)

    def _name(self, name: str) -> str:
        return name if self._settings.show_values else shown_name(name)

    def _leak(self, message: Message, match: Match, entry: NetworkEntry | None, host: str, shared: list[str]) -> Leak:
        """Where the raw value stops. `host` is redacted; `shared`: values of all matches in the message."""
        concealer = self.concealer
        network, home, bearer, bearer_evidence = attribute(message, match, self._settings.networks, entry)
        spans = (*shared, *_raw(match))
        evidence = [*match.evidence, *(f"bearer: {why}" for why in bearer_evidence)]
        if message.begins_in != message.origin.capture:
            evidence.append("begins in the capture before")
        return Leak(
            time=rfc3339(message.time_ns, message.origin.digits),
            capture=self._name(message.origin.capture),
            frame=message.frame,
            frame_end=message.frame_end,
            client=concealer.client(message.client),
            client_port=message.client_port,
            server=message.server,
            server_port=message.server_port,
            teid=message.teid,
            host=host,
            method=concealer.redact(message.method, spans),
            target=concealer.redact(_path(message), spans),
            place=match.field.place,
            name=concealer.redact(match.field.name, spans),
            rule=match.rule,
            identifier=match.identifier,
            value=concealer.value(match.identifier, match.value, match.normal),
            pseudonym=concealer.pseudonym(match.identifier, match.normal),
            encoding=match.encoding,
            confidence=match.confidence,
            severity=match.severity,
            origin=match.origin,
            bearer=bearer,
            network=network,
            home_operator=home,
            recipient=Recipient(),
            fingerprint=fingerprint(match.rule, match.field.place, match.field.name, message.host),
            evidence=tuple(evidence),
            partial=message.partial,
        )


def scan(captures: Iterable[str | Path], **settings: Any) -> Iterator[Leak | Summary]:
    """Leaks of the captures as they are found, then the Summary.

    `captures` as on the command line: files, directories, globs, "-". Settings: `min_confidence` ("probable"),
    `show_values` (False), `pseudonym_key` (bytes, at least 16; random by default), `networks` (path of its file).
    Raises CaptureUnavailable, FileMistake, UsageError (leakscan.errors).
    """
    made = _settings(settings)
    losses = Losses()
    names = expand([str(capture) for capture in captures], losses)
    found = Scan(Reading(series(names, losses), losses), names, made)
    yield from found.leaks()
    yield from found.rest()
    yield found.summary


def scan_headers(pairs: Iterable[Pair], **settings: Any) -> list[Finding]:
    """What a list of header lines (name, value) gives away. Settings as for `scan`, but for `networks`."""
    made = _settings(settings)
    concealer, losses = Concealer(made.pseudonym_key, made.show_values), Losses()
    least = CONFIDENCES.index(made.min_confidence)
    return [
        Finding(
            place=match.field.place,
            name=concealer.redact(match.field.name, _raw(match)),
            rule=match.rule,
            identifier=match.identifier,
            value=concealer.value(match.identifier, match.value, match.normal),
            pseudonym=concealer.pseudonym(match.identifier, match.normal),
            encoding=match.encoding,
            confidence=match.confidence,
            severity=match.severity,
            origin=match.origin,
            evidence=match.evidence,
        )
        for match in detect(pairs_fields(pairs, losses), losses)
        if CONFIDENCES.index(match.confidence) >= least
    ]


def _settings(given: dict[str, Any]) -> Settings:
    known = {"min_confidence", "show_values", "pseudonym_key", "networks"}
    for name in given:
        if name not in known:
            raise UsageError(f"unknown setting {name!r}; known are {', '.join(sorted(known))}")
    if given.get("min_confidence", "probable") not in CONFIDENCES:
        raise UsageError(f"min_confidence is one of {', '.join(CONFIDENCES)}")
    key = given.get("pseudonym_key")
    if key is not None and len(key) < 16:
        raise UsageError("pseudonym_key has at least 16 bytes")
    path = given.get("networks")
    networks = None if path is None else Networks.load(str(path))
    return Settings(**{**given, "networks": networks, "networks_name": None if path is None else str(path)})


def _raw(match: Match) -> tuple[str, ...]:
    """The strings of a match that nobody may see."""
    return match.value, match.normal, *match.spans


def _path(message: Message) -> str:
    """The target without its query; of an absolute URI the path."""
    target = message.target.partition("?")[0]
    if message.method == "CONNECT":
        return ""
    scheme, mark, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if mark and "/" not in scheme else target


def _size(name: str) -> int | None:
    """Bytes of a regular file on the disk, else None."""
    path = Path(name)
    return path.stat().st_size if name != "-" and path.is_file() else None
