"""Two capture points: what the network did to the requests between them.

In: captures of the client's side and of the server's, or one capture of both sides of a gateway. Out: the leaks of the
server's side, as a scan finds them, but with their origin known: `injected` when the client's request does not have
them, `client-sent` when it does; and the summary with a `comparison`. Both sides are read twice: for the clocks
(clock.py), then side by side (pairing.py, headers.py, changes.py). State: that of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from leakscan.compare.changes import Changes
from leakscan.compare.clock import Clock, Sample, estimate
from leakscan.compare.headers import CHANGED, Change, diff
from leakscan.compare.pairing import AMBIGUOUS, Pairing, Pairs, origin_form
from leakscan.detectors import detect
from leakscan.fields import everything, fields
from leakscan.losses import Losses
from leakscan.model import Field, Leak, Match, Message
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.spine import Scan, Settings

TARGET, PROTOCOL = "(target)", "(protocol)"
#: Place of a field -> the header that holds it; any other is in the header of its name.
HOLDERS = {"query": TARGET, "path": TARGET, "cookie": "cookie", "referer": "referer"}

_Known = tuple[str, str, str]  # place, name in lower case, value


class Side:
    """The requests of one capture point. `tunnelled`: only those inside of a tunnel, or only those outside."""

    def __init__(self, names: Sequence[str], tunnelled: bool | None = None) -> None:
        self.names = list(names)
        self._tunnelled = tunnelled

    def reading(self, losses: Losses, on_bytes: Callable[[int], None] | None = None, sieve: bool = True) -> Reading:
        return Reading(series(self.names, losses, on_bytes), losses, sieve)

    def messages(self, reading: Reading) -> Iterator[Message]:
        for message in reading.messages():
            if self._tunnelled is None or bool(message.tunnel) == self._tunnelled:
                yield message


class Comparison(Scan):
    """A comparison: used like a Scan. `on_bytes` is told of every byte that is read, each side twice."""

    def __init__(
        self,
        client: Side,
        server: Side,
        losses: Losses,
        settings: Settings,
        on_bytes: Callable[[int], None] | None = None,
        sieve: bool = True,
    ) -> None:
        self._sides = (client, server)
        self._on_bytes = on_bytes
        self._sieve = sieve
        names = list(dict.fromkeys([*client.names, *server.names]))
        self._server = server.reading(losses, on_bytes, sieve)
        super().__init__(self._server, names, settings)
        #: What the client's side lost. Where both sides are one capture, it is the same and counts once.
        self._client_losses = Losses() if client.names == server.names else losses
        self._changes = Changes(self.concealer)
        self._clock: Clock | None = None

    def run(self) -> dict[str, Any]:
        """The `run` line, with the captures of both sides."""
        names = [[self._name(name) for name in side.names] for side in self._sides]
        return {**super().run(), "compared": {"client": names[0], "server": names[1]}}

    def to_dict(self) -> dict[str, Any]:
        """The summary, with the `comparison`."""
        names = ([self._name(name) for name in side.names] for side in self._sides)
        return {**self.summary.to_dict(), "comparison": self._changes.to_dict(self._clock, (next(names), next(names)))}

    def _found(self) -> Iterator[tuple[str, Leak]]:
        self._clock = estimate(*(self._sample(side) for side in self._sides))
        client_reading = self._sides[0].reading(self._client_losses, self._on_bytes, self._sieve)
        client = self._sides[0].messages(client_reading)
        server = self._sides[1].messages(self._server)
        pairs = Pairs(self._clock or Clock(0, 0, 0, 0))
        for pairing in pairs.pairs(client, server):
            yield from self._compared(pairing)

    def _sample(self, side: Side) -> Sample:
        sample = Sample()
        for message in side.messages(side.reading(Losses(), self._on_bytes, self._sieve)):
            sample.add(f"{message.method} {message.host} {origin_form(message)}", message.time_ns)
        return sample

    def _compared(self, pairing: Pairing) -> Iterator[tuple[str, Leak]]:
        client, server = pairing.client, pairing.server
        if server is None:
            self._changes.add(pairing, [], [])
            return
        matches = self.matches(server)
        if client is not None:
            matches = _told_apart(matches, client, pairing)
        found = list(self._leaks_of(server, matches))
        injected = [
            (HOLDERS.get(leak.place, leak.name.lower()), leak) for _, leak in found if leak.origin == "injected"
        ]
        self._changes.add(pairing, [] if client is None else _changes(client, server), injected)
        yield from found


def _changes(client: Message, server: Message) -> list[Change]:
    """Of the header lines, and of the first line: a target in another form (`http://host/path`) is the same target."""
    changes = diff(client.headers, server.headers)
    if origin_form(client) != origin_form(server):
        changes.append(Change(CHANGED, TARGET, client.target, server.target))
    if client.protocol != server.protocol:
        changes.append(Change(CHANGED, PROTOCOL, client.protocol, server.protocol))
    return changes


def _told_apart(matches: Sequence[Match], client: Message, pairing: Pairing) -> list[Match]:
    """The server's matches with the origin that the client's request gives them."""
    known = _all_known(client)
    normals = {(match.identifier, match.normal) for match in detect(fields(client, Losses()), Losses())}
    doubtful = {one for rival in pairing.rivals for one in _all_known(rival)}
    where = f"the client's request, frame {client.frame_end}"
    told = []
    for match in matches:
        field = _known(match.field)
        evidence: tuple[str, ...]
        if field in known:
            origin, evidence = "client-sent", (f"also in {where}",)
        elif client.partial:
            origin, evidence = match.origin, (f"not in what there is of {where}",)
        elif field in doubtful:
            origin, evidence = "unknown", ("in some of the client's requests that this may be",)
        else:
            origin, evidence = "injected", (f"not in {where}", f"pair: {pairing.how}")
            if (match.identifier, match.normal) in normals:
                evidence = (*evidence, "the client sent the same value in another place")
        if pairing.how == AMBIGUOUS and origin == "client-sent":
            evidence = (*evidence, f"pair: {pairing.how}")
        told.append(replace(match, origin=origin, evidence=(*match.evidence, *evidence)))
    return told


def _all_known(message: Message) -> set[_Known]:
    """Everything that a request says, also under names that no rule knows."""
    pieces = (*fields(message, Losses()), *everything(message.target, message.headers))
    return {_known(field) for field in pieces}


def _known(field: Field) -> _Known:
    return field.place, field.name.lower(), field.value
