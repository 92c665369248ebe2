"""The spine: messages (reading.py) -> fields -> matches -> leaks -> summary.

In: captures and settings. Out: leaks as they are found, and at last the summary. State: that of the stages.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from leakscan import __version__
from leakscan.around import gateway_of, manners_of, persons
from leakscan.bodies import content
from leakscan.carriers import LINKS_WITH_NEIGHBOURS, AsnDatabase, Attributor, Place, bearer_of, of_path
from leakscan.conceal import Concealer
from leakscan.detectors import builtin, detect
from leakscan.detectors.catalogue import Catalogue
from leakscan.detectors.unknown import unknown_tokens
from leakscan.distinct import stable_hash
from leakscan.echoes import surplus
from leakscan.fields import body_everything, body_fields, everything, fields, header
from leakscan.filenames import shown_name, without_secrets
from leakscan.fingerprint import fingerprint
from leakscan.glance import Glance
from leakscan.interrupt import Gate
from leakscan.joins.trackers import RULE
from leakscan.losses import Losses
from leakscan.model import (
    CONFIDENCES,
    TUNNEL_KINDS,
    Answer,
    Coverage,
    Field,
    Head,
    Leak,
    Match,
    Message,
    Origin,
    Recipient,
    Seen,
    endpoints,
)
from leakscan.neighbours import Neighbours, client_hash
from leakscan.networks import Networks
from leakscan.origin import CLIENT_SENT, INJECTED, OWN, mms_centre
from leakscan.policy import Policy
from leakscan.protocols import message_of
from leakscan.summary import Summary
from leakscan.tally import PERSONAL, Around, Sighting, sighting
from leakscan.timeline import hour_of
from leakscan.times import ALWAYS, NEVER, rfc3339

if TYPE_CHECKING:
    from leakscan.known import Known

SCHEMA = 1
OWN_CENTRE = Recipient("allowed", None, "mms")
KNOWN_MEANS = "A value of the operator's own, from the file of --known."
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
    policy: Policy | None = None
    policy_name: str | None = None
    known: Known | None = None
    known_name: str | None = None
    responses: bool = False  # read them, too
    bodies: bool = False  # read them, too
    since_ns: int = ALWAYS  # requests before this time are not examined, nor those from `until_ns` on
    until_ns: int = NEVER
    rules: Catalogue | None = None  # the catalogue with the operator's rules; None: the built-in one
    rules_name: str | None = None

    @property
    def catalogue(self) -> Catalogue:
        """What is looked for."""
        return self.rules or builtin()

    def file_names(self) -> dict[str, str | None]:
        """The operator's files that bear on the result, by what they are for."""
        return {
            "networks": self.networks_name,
            "asn_db": None if self.systems is None else self.systems.path,
            "policy": self.policy_name,
            "known": self.known_name,
            "rules": self.rules_name,
        }


class _Request(NamedTuple):
    """A request in which something was found, and what all its leaks share."""

    message: Message
    matches: list[Match]
    place: Place
    bearer: str
    bearer_evidence: tuple[str, ...]
    host: str  # redacted
    spans: list[str]  # of the values, that nobody may see
    own: bool  # to the operator's own centre for multimedia messages


class Exchanges(Protocol):
    """Where requests come from: captures (reading.py), or whoever receives them."""

    losses: Losses
    coverage: Coverage
    neighbours: Neighbours

    def exchanges(self) -> Iterator[Head | Seen | Answer]: ...

    def stop(self) -> None: ...


class Scan:
    """One scan of captures: iterate `leaks()` and `rest()` to their ends, then read `summary`."""

    #: An error of ours that one of several captures met elsewhere, while the others were scanned.
    bug: Exception | None = None

    def __init__(
        self,
        reading: Exchanges,
        names: Sequence[str],
        settings: Settings,
        concealer: Concealer | None = None,
        gate: Gate | None = None,
    ) -> None:
        """`gate`: lets signals through between two requests, not while one is worked on."""
        self._reading = reading
        self._names = names
        self._settings = settings
        self._gate = gate
        self.concealer = concealer or Concealer(settings.pseudonym_key, settings.show_values)
        self._captures: dict[str, int] = {}  # in the order in which leaks were found in them
        self._waiting: list[tuple[int, int, int, Leak]] = []
        self._number = count()
        self._bearers: dict[tuple[Origin, int, bool, int], str] = {}
        self._glance: Glance | None = None
        self._attributor = Attributor(settings.networks, settings.systems)
        self._least = CONFIDENCES.index(settings.min_confidence)
        self.summary = Summary(reading.losses, reading.coverage, reading.neighbours, settings.min_confidence)
        #: Told of every leak that is shown together with the request and the match that it was made of.
        self.watch: Callable[[Message, Match, Leak], None] | None = None

    def run(self) -> dict[str, Any]:
        """The `run` line of the result (docs/formats.md)."""
        settings = self._settings
        named = {key: None if name is None else self._name(name) for key, name in settings.file_names().items()}
        span = {"since": settings.since_ns, "until": settings.until_ns}
        times = {key: None if at in (ALWAYS, NEVER) else rfc3339(at, 6) for key, at in span.items()}
        read = {"responses": settings.responses, "bodies": settings.bodies}
        return {
            "type": "run",
            "schema": SCHEMA,
            "version": __version__,
            "catalogue": settings.catalogue.version,
            "captures": [{"name": self._name(name), "size": _size(name)} for name in self._names],
            "key_id": self.concealer.key_id,
            "values": "shown" if settings.show_values else "masked",
            "settings": {"min_confidence": settings.min_confidence, **named, **times, **read},
        }

    @property
    def remark(self) -> str:
        """For the operator who asks for more, how the work was shared; "" if it was not."""
        return ""

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
        exchanges = self._reading.exchanges()
        return self.found(exchanges if self._gate is None else self._gate.between(exchanges))

    def found(self, exchanges: Iterable[Head | Seen | Answer]) -> Iterator[tuple[str, Leak]]:
        """Every leak that is shown, with the capture it is in; all requests go into the summary."""
        since_ns, until_ns = self._settings.since_ns, self._settings.until_ns
        catalogue = self._settings.catalogue
        if self._glance is None:
            self._glance = Glance(catalogue, self._settings.known)
        glance = self._glance
        for head in exchanges:
            if isinstance(head, Answer):
                if since_ns <= head.request.time_ns < until_ns:
                    yield from self._echoed(head)
                continue
            if not since_ns <= head.time_ns < until_ns:
                self._reading.losses["message.out-of-time"] += 1
                continue
            if isinstance(head, Seen):
                self._count(head, head.host)
                continue
            plain = None if head.glanced else glance.plain_host(head)
            if plain is not None:
                self._count(head, plain)
                if glance.unknown:
                    self._watch(message_of(head), glance.unknown, alone=True)
                continue
            message = message_of(head)
            matches = self.matches(message, head.raw)
            yield from self._leaks_of(message, matches)
            if unknown := unknown_tokens(message.headers, catalogue):
                self._watch(message, unknown, alone=not any(map(self._is_shown, matches)))

    def _watch(self, message: Message, tokens: Sequence[tuple[str, str]], alone: bool) -> None:
        """Headers that nobody knows and that look like tokens. Whether they are trackers, only the whole tells.
        `alone`: there is no leak in the request.
        """
        matches = [_as_token(name, value) for name, value in tokens]
        place = self._attributor.place(message.client, message.time_ns)
        bearer, why = self._attributor.bearer(message, (), place)
        host = self.concealer.redact(message.host, [value for _, value in tokens])
        request = _Request(message, matches, place, bearer, why, host, [], False)
        around = Around(client=_neighbour(message.origin, message.client))
        time = rfc3339(message.time_ns, message.origin.digits)
        order = (message.time_ns, message.origin.capture, message.frame_end, message.frame, message.client_port)
        for match, manner in zip(matches, manners_of(message, matches), strict=True):
            value = stable_hash(self.concealer.pseudonym(match.identifier, match.normal))
            key = (match.field.name, host, bearer, place.network, around, hour_of(message.time_ns))
            if manner is not None:
                make = partial(self._sighting, request, match, around)
                self.summary.watch(match.field.name, value, manner, key, order, time, alone, make)
            alone = False

    def _sighting(self, request: _Request, match: Match, around: Around) -> Sighting:
        return sighting(self._leak(request, match), request.message.time_ns, match.rotating, around)

    def _echoed(self, answer: Answer) -> Iterator[tuple[str, Leak]]:
        """What a page says it was sent and the request did not have: somebody on the way added it."""
        request, catalogue = message_of(answer.request), self._settings.catalogue
        listed = [field._replace(place="header") for field in surplus(request.headers, answer)]
        found = [_as_injected(match) for match in detect(listed, Losses(), catalogue)]
        if not found:
            return
        alone = not any(self._is_shown(match) for match in detect(fields(request, Losses()), Losses(), catalogue))
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
        spans = [span for match in matches for span in raw_of(match) if len(span) >= MIN_SHARED_SPAN]
        host = self.concealer.redact(message.host, spans)
        place = self._attributor.place(message.client, message.time_ns)
        bearer, why = self._attributor.bearer(message, matches, place)
        client = _neighbour(message.origin, message.client)
        if not counted:
            summary.add_request(host=host, network=place.network, bearer=bearer, time_ns=message.time_ns, client=client)
        request = _Request(message, matches, place, bearer, why, host, spans, centre == OWN)
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
                summary.explain(match.rule, self._settings.catalogue.explain(match.rule) or KNOWN_MEANS)
            around = Around(shown, same.get(number, 0), client, gateway)
            summary.add(leak, time_ns=message.time_ns, rotating=match.rotating, around=around, manner=manner)
            if shown:
                if self.watch is not None:
                    self.watch(message, match, leak)
                yield message.origin.capture, leak

    def matches(self, message: Message, raw: bytes | None = None) -> list[Match]:
        """What the detectors find in a request, and what is known in it; its `raw` head makes that faster."""
        losses, known = self._reading.losses, self._settings.known
        found, body, kind = fields(message, losses), b"", header(message, "content-type")
        if message.body:
            body = content(message.body, header(message, "content-encoding"), losses)
            found += body_fields(body, kind, losses)
        matches = detect(found, losses, self._settings.catalogue)
        if known is not None and (raw is None or known.search(raw)):
            matches = known.matches(everything(message.target, message.headers), matches)
        if known is not None and body and known.search(body):
            matches = known.matches(body_everything(body, kind), matches)
        return matches

    def _count(self, head: Head | Seen, host: str) -> None:
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
        return without_secrets(name) if self._settings.show_values else shown_name(name)

    def _leak(self, request: _Request, match: Match) -> Leak:
        """Where the raw value stops."""
        concealer, message, host = self.concealer, request.message, request.host
        network, home = self._attributor.attribute(message, request.matches, match, request.place)
        spans = (*request.spans, *raw_of(match))
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
            recipient=OWN_CENTRE if request.own else self._recipient(message, match.identifier),
            fingerprint=fingerprint(match.rule, match.field.place, match.field.name, message.host),
            evidence=tuple(evidence),
            partial=message.partial,
            rotating=match.rotating,
        )

    def _recipient(self, message: Message, identifier: str) -> Recipient:
        policy = self._settings.policy
        if policy is None:
            return Recipient()
        return policy.recipient(message.host, message.server, identifier, message.time_ns)


def _neighbour(origin: Origin, client: str) -> int:
    """The client as ARP and multicast would show it; 0 where they don't come."""
    return client_hash(origin.capture, client) if origin.link in LINKS_WITH_NEIGHBOURS else 0


def _as_token(name: str, value: str) -> Match:
    """What a header that nobody knows would be, if it were a tracker."""
    return Match(
        field=Field("header", name, value),
        rule=RULE,
        identifier="subscriber_token",
        value=value,
        normal=value,
        encoding=(),
        confidence="hint",
        severity="high",
        rotating=False,
        origin="unknown",
        evidence=("unknown name",),
    )


def _as_sent(match: Match) -> Match:
    """A match in a message to the operator's own centre, unless it is known that somebody put it there."""
    if match.origin == INJECTED:
        return match
    return replace(match, origin=CLIENT_SENT, evidence=(*match.evidence, MM1))


def _as_injected(match: Match) -> Match:
    """A match in a header that a page lists, and the request did not have."""
    field = match.field._replace(place="response-body")
    return replace(match, field=field, origin=INJECTED, evidence=(*match.evidence, ECHO))


def raw_of(match: Match) -> tuple[str, ...]:
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
    """Bytes of a regular file or a remote capture, else None."""
    from leakscan.sources import stamp  # late, as in `scan`

    found = stamp(name)
    return None if found is None else found.size
