"""The spine: messages (reading.py) -> fields -> matches -> leaks -> summary.

In: captures and settings. Out: leaks as they are found, and at last the summary. State: that of the stages.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leakscan import __version__
from leakscan.around import gateway_of, manners_of, persons
from leakscan.carriers import LINKS_WITH_NEIGHBOURS, AsnDatabase, Attributor, Place, bearer_of, of_path
from leakscan.conceal import Concealer
from leakscan.detectors import builtin, catalogue_version, detect
from leakscan.echoes import surplus
from leakscan.errors import UsageError
from leakscan.fields import everything, fields, pairs_fields
from leakscan.filenames import shown_name
from leakscan.fingerprint import fingerprint
from leakscan.glance import Glance
from leakscan.losses import Losses
from leakscan.model import (
    CONFIDENCES,
    TUNNEL_KINDS,
    Answer,
    Head,
    Leak,
    Match,
    Message,
    Origin,
    Pair,
    Recipient,
    endpoints,
)
from leakscan.neighbours import client_hash
from leakscan.networks import Networks
from leakscan.origin import CLIENT_SENT, INJECTED, OWN, mms_centre
from leakscan.protocols import message_of
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import expand
from leakscan.summary import Summary
from leakscan.tally import PERSONAL, Around
from leakscan.times import rfc3339

if TYPE_CHECKING:
    from leakscan.known import Known

SCHEMA = 1
#: What the library's functions can be told.
SETTINGS = frozenset({"min_confidence", "show_values", "pseudonym_key", "networks", "asn_db", "responses", "known"})
MIN_SHARED_SPAN = 7  # a shorter value is hidden in its own leak only: it may well be a word of a host's name
MAX_BEARERS = 4096  # kinds of requests (capture, tunnel, network) whose bearer is remembered
MM1 = "multimedia message to its centre (MM1)"
ECHO = "the page lists it, the request as captured lacks it"
MAX_WAITING = 10_000  # leaks that wait for one with an earlier frame


@dataclass(frozen=True, slots=True)
class Settings:
    """What bears on the result."""

    min_confidence: str = "probable"
    show_values: bool = False
    pseudonym_key: bytes | None = None  # at least 16 bytes; None: random, for this run alone
    networks: Networks | None = None
    networks_name: str | None = None
    systems: AsnDatabase | None = None
    responses: bool = False
    known: Known | None = None
    known_name: str | None = None


class _Request(NamedTuple):
    """A request in which something was found, and what all its leaks share."""

    message: Message
    matches: list[Match]
    place: Place
    bearer: str
    bearer_evidence: tuple[str, ...]
    host: str  # redacted
    spans: list[str]  # of the values, that nobody may see
    recipient: Recipient


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
        self._attributor = Attributor(settings.networks, settings.systems)
        self._least = CONFIDENCES.index(settings.min_confidence)
        self.summary = Summary(reading.losses, reading.coverage, reading.neighbours)
        #: Told of every leak that is shown together with the request and the match that it was made of.
        self.watch: Callable[[Message, Match, Leak], None] | None = None

    def run(self) -> dict[str, Any]:
        """The `run` line of the result (docs/formats.md)."""
        settings = self._settings
        networks = None if settings.networks_name is None else self._name(settings.networks_name)
        systems = None if settings.systems is None else self._name(settings.systems.path)
        known = {} if settings.known_name is None else {"known": self._name(settings.known_name)}
        return {
            "type": "run",
            "schema": SCHEMA,
            "version": __version__,
            "catalogue": catalogue_version(),
            "captures": [{"name": self._name(name), "size": _size(name)} for name in self._names],
            "key_id": self.concealer.key_id,
            "values": "shown" if settings.show_values else "masked",
            "settings": {"min_confidence": settings.min_confidence, "networks": networks, "asn_db": systems}
            | {"responses": settings.responses, **known},
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
        glance = Glance(values=self._settings.known)
        for head in self._reading.exchanges():
            if isinstance(head, Answer):
                yield from self._echoed(head)
                continue
            plain = glance.plain_host(head)
            if plain is not None:
                self._count(head, plain)
                continue
            message = message_of(head)
            yield from self._leaks_of(message, self._matches(message, head.raw))

    def _matches(self, message: Message, raw: bytes | None = None) -> list[Match]:
        """What the detectors find in a request, and what is known in it; its `raw` head makes that faster."""
        losses, known = self._reading.losses, self._settings.known
        matches = detect(fields(message, losses), losses)
        if known is not None and (raw is None or known.search(raw)):
            matches = known.matches(everything(message.target, message.headers), matches)
        return matches

    def _echoed(self, answer: Answer) -> Iterator[tuple[str, Leak]]:
        """What a page says it was sent and the request did not have: somebody on the way added it."""
        request = message_of(answer.request)
        listed = [field._replace(place="header") for field in surplus(request.headers, answer)]
        found = [_as_injected(match) for match in detect(listed, Losses())]
        if not found:
            return
        alone = not any(self._is_shown(match) for match in detect(fields(request, Losses()), Losses()))
        page = replace(
            request, origin=answer.origin, time_ns=answer.time_ns, frame=answer.frame, frame_end=answer.frame_end,
            begins_in=answer.origin.capture,
        )  # fmt: skip
        self.summary.resume_request(alone)
        yield from self._leaks_of(page, found, counted=True)

    def _is_shown(self, match: Match) -> bool:
        return CONFIDENCES.index(match.confidence) >= self._least

    def _leaks_of(self, message: Message, matches: list[Match], counted: bool = False) -> Iterator[tuple[str, Leak]]:
        """A request that was taken apart: into the summary with it (if not yet `counted`), and with its leaks."""
        summary, losses = self.summary, self._reading.losses
        centre = mms_centre(message) if matches and not counted else ""
        if centre:
            matches = [_as_sent(match) for match in matches]
        spans = [span for match in matches for span in _raw(match) if len(span) >= MIN_SHARED_SPAN]
        host = self.concealer.redact(message.host, spans)
        place = self._attributor.place(message.client, message.time_ns)
        bearer, why = self._attributor.bearer(message, matches, place)
        client = _neighbour(message.origin, message.client)
        if not counted:
            summary.add_request(host=host, network=place.network, bearer=bearer, time_ns=message.time_ns, client=client)
        recipient = Recipient("allowed", None, "mms") if centre == OWN else Recipient()
        request = _Request(message, matches, place, bearer, why, host, spans, recipient)
        same = persons(matches, self.concealer) if len(matches) > 1 else {}
        gateway, manners = gateway_of(matches), manners_of(message, matches)
        for number, (match, manner) in enumerate(zip(matches, manners, strict=True)):
            shown = self._is_shown(match)
            if not shown:
                losses["leaks.not-shown"] += 1
                if match.identifier not in PERSONAL:
                    continue
            leak = self._leak(request, match)
            if match.rule not in summary.rules:
                summary.explain(match.rule, builtin().explain(match.rule))
            around = Around(shown, same.get(number, 0), client, gateway)
            summary.add(leak, time_ns=message.time_ns, rotating=match.rotating, around=around, manner=manner)
            if shown:
                if self.watch is not None:
                    self.watch(message, match, leak)
                yield message.origin.capture, leak

    def _count(self, head: Head, host: str) -> None:
        """A request in which nothing was found: into the summary with it."""
        client, _, server, _ = endpoints(head.key)
        place = self._attributor.place(client, head.time_ns)
        kind = (head.origin, head.key[0], head.teid is None, id(place.entry))
        bearer = self._bearers.get(kind)
        if bearer is None:
            if len(self._bearers) >= MAX_BEARERS:
                self._bearers.clear()
            votes = of_path(head.origin, TUNNEL_KINDS[head.key[0]], head.teid is not None, place.entry)
            bearer = self._bearers[kind] = bearer_of(votes)[0]
        host = self.concealer.redact(host or server)
        number = _neighbour(head.origin, client)
        self.summary.add_request(host=host, network=place.network, bearer=bearer, time_ns=head.time_ns, client=number)

    def _name(self, name: str) -> str:
        return name if self._settings.show_values else shown_name(name)

    def _leak(self, request: _Request, match: Match) -> Leak:
        """Where the raw value stops."""
        concealer, message, host = self.concealer, request.message, request.host
        network, home = self._attributor.attribute(message, request.matches, match, request.place)
        spans = (*request.spans, *_raw(match))
        evidence = [*match.evidence, *(f"bearer: {why}" for why in request.bearer_evidence)]
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
            bearer=request.bearer,
            network=network,
            home_operator=home,
            recipient=request.recipient,
            fingerprint=fingerprint(match.rule, match.field.place, match.field.name, message.host),
            evidence=tuple(evidence),
            partial=message.partial,
        )


def scan(captures: Iterable[str | Path], **settings: Any) -> Iterator[Leak | Summary]:
    """Leaks of the captures as they are found, then the Summary.

    `captures` as on the command line: files, directories, globs, "-". Settings: `min_confidence` ("probable"),
    `show_values` (False), `pseudonym_key` (bytes, at least 16; random by default), `networks`, `asn_db` and `known`
    (paths of those files), `responses` (False). Raises CaptureUnavailable, FileMistake, UsageError (leakscan.errors).
    """
    made = _settings(settings)
    losses = Losses()
    names = expand([str(capture) for capture in captures], losses)
    found = Scan(Reading(series(names, losses), losses, responses=made.responses), names, made)
    yield from found.leaks()
    yield from found.rest()
    yield found.summary


def scan_headers(pairs: Iterable[Pair], **settings: Any) -> list[Finding]:
    """What a list of header lines (name, value) gives away. Settings as for `scan`, but for the files."""
    made = _settings(settings)
    pairs = list(pairs)
    concealer, losses = Concealer(made.pseudonym_key, made.show_values), Losses()
    least = CONFIDENCES.index(made.min_confidence)
    matches = detect(pairs_fields(pairs, losses), losses)
    if made.known is not None:
        matches = made.known.matches(everything("", pairs), matches)
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
        for match in matches
        if CONFIDENCES.index(match.confidence) >= least
    ]


def _settings(given: dict[str, Any]) -> Settings:
    for name in given:
        if name not in SETTINGS:
            raise UsageError(f"unknown setting {name!r}; known are {', '.join(sorted(SETTINGS))}")
    if given.get("min_confidence", "probable") not in CONFIDENCES:
        raise UsageError(f"min_confidence is one of {', '.join(CONFIDENCES)}")
    key = given.get("pseudonym_key")
    if key is not None and len(key) < 16:
        raise UsageError("pseudonym_key has at least 16 bytes")
    made = {name: value for name, value in given.items() if value is not None}
    if "networks" in made:
        made["networks_name"] = str(made["networks"])
        made["networks"] = Networks.load(made["networks_name"])
    if "asn_db" in made:
        made["systems"] = AsnDatabase(str(made.pop("asn_db")))
    if "known" in made:
        from leakscan.known import Known  # late: few ask for it

        made["known_name"] = str(made["known"])
        made["known"] = Known.load(made["known_name"])
    return Settings(**made)


def _neighbour(origin: Origin, client: str) -> int:
    """The client as ARP and multicast would show it; 0 where they don't come."""
    return client_hash(origin.capture, client) if origin.link in LINKS_WITH_NEIGHBOURS else 0


def _as_sent(match: Match) -> Match:
    """A match in a message to the operator's own centre, unless it is known that somebody put it there."""
    if match.origin == INJECTED:
        return match
    return replace(match, origin=CLIENT_SENT, evidence=(*match.evidence, MM1))


def _as_injected(match: Match) -> Match:
    """A match in a header that a page lists, and the request did not have."""
    field = match.field._replace(place="response-body")
    return replace(match, field=field, origin=INJECTED, evidence=(*match.evidence, ECHO))


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
