"""Which request at the server's point is which at the client's: by host, method, target, time and what else they say.

In: the requests of both sides, each in the order of its capture, and the clock. Out: `Pairing`s, in the order in which
they can be decided; every request of either side is in exactly one. Addresses and ports may be translated on the way.

State: requests that wait until everything near them in time has been read (twice the clock's tolerance), and those
that are decided and still near some that wait: at most MAX_WAITING of each. For one decision at most MAX_CANDIDATES of
either side are looked at.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from leakscan.compare.clock import Clock
from leakscan.model import Message

MAX_WAITING = 20_000
MAX_CANDIDATES = 32

#: How sure a pair is: a nonce in the URL; nothing else it could be; others that fit less well; others that fit as well.
CERTAIN, ONLY, BEST, AMBIGUOUS = "certain", "only candidate", "best candidate", "ambiguous"
HOW = (CERTAIN, ONLY, BEST, AMBIGUOUS)

#: What hops write for each other, RFC 9110 section 7.6: says nothing of whose request it is.
HOP_BY_HOP = frozenset(
    {"connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "cache-control"}
    | {"via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "host"}
)
#: A part of a URL that nobody else has: long, of letters and digits.
_NONCE = re.compile(r"(?=[0-9A-Za-z]{0,40}[0-9])(?=[0-9A-Za-z]{0,40}[A-Za-z])[0-9A-Za-z]{16,}")

Key = tuple[str, str, str]  # method, host, path


class Pairing(NamedTuple):
    """One request at both points, or at one of them."""

    client: Message | None
    server: Message | None
    how: str = ""  # one of HOW, "" when one side is missing
    rivals: tuple[Message, ...] = ()  # the client's requests that the server's may be as well


@dataclass(slots=True, eq=False)
class _Entry:
    message: Message
    is_server: bool
    at: int  # ns on the client's clock
    number: int
    target: str
    key: Key
    lines: frozenset[tuple[str, str | None]]
    done: bool = False


@dataclass(slots=True)
class _Group:
    """The requests of one key that wait, by time."""

    client: list[_Entry] = field(default_factory=list)
    server: list[_Entry] = field(default_factory=list)

    def side(self, is_server: bool) -> list[_Entry]:
        return self.server if is_server else self.client


class Pairs:
    """Pairs the requests of two capture points."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._groups: dict[Key, _Group] = {}
        self._waiting: deque[_Entry] = deque()
        self._decided: deque[_Entry] = deque()  # still seen by what is near them
        self._now = -(1 << 63)
        self._number = 0

    def pairs(self, client: Iterator[Message], server: Iterator[Message]) -> Iterator[Pairing]:
        """All requests of both sides, read side by side."""
        for entry in self._merged(client, server):
            insort(self._groups.setdefault(entry.key, _Group()).side(entry.is_server), entry, key=_AT)
            self._waiting.append(entry)
            self._now = max(self._now, entry.at)
            due = self._now - 2 * self._clock.tolerance
            while self._waiting and (self._waiting[0].at < due or len(self._waiting) > MAX_WAITING):
                yield from self._decide(self._waiting.popleft())
            gone = due - 2 * self._clock.tolerance
            while self._decided and (self._decided[0].at < gone or len(self._decided) > MAX_WAITING):
                self._forget(self._decided.popleft())
        while self._waiting:
            yield from self._decide(self._waiting.popleft())

    def _merged(self, client: Iterator[Message], server: Iterator[Message]) -> Iterator[_Entry]:
        """Both sides in the order of the client's clock; the one that is behind is read on."""
        heads: list[_Entry | None] = [self._next(client, False), self._next(server, True)]
        reached = [-(1 << 63)] * 2
        sides = (client, server)
        while True:
            ready = [(max(reached[i], entry.at), i, entry) for i, entry in enumerate(heads) if entry is not None]
            if not ready:
                return
            reached_at, index, entry = min(ready, key=lambda item: item[:2])
            reached[index] = reached_at
            yield entry
            heads[index] = self._next(sides[index], bool(index))

    def _next(self, messages: Iterator[Message], is_server: bool) -> _Entry | None:
        message = next(messages, None)
        if message is None:
            return None
        self._number += 1
        target = origin_form(message)
        lines = frozenset((n, v) for name, v in message.headers if (n := name.lower()) not in HOP_BY_HOP)
        key = (message.method, message.host, target.partition("?")[0])
        at = message.time_ns - self._clock.offset if is_server else message.time_ns
        return _Entry(message, is_server, at, self._number, target, key, lines)

    def _decide(self, entry: _Entry) -> Iterator[Pairing]:
        """Everything that could be its partner has been read, and everything that could be its partner's."""
        if entry.done:
            return
        chosen = self._partner(entry)
        entry.done = True
        self._decided.append(entry)
        if chosen is None:
            yield Pairing(*((None, entry.message) if entry.is_server else (entry.message, None)))
            return
        chosen.done = True
        self._decided.append(chosen)
        yield self._pairing(*((chosen, entry) if entry.is_server else (entry, chosen)))

    def _partner(self, entry: _Entry) -> _Entry | None:
        """The best of what is left, unless another needs it more. Among too many each takes its own best."""
        candidates = [other for other in self._near(entry) if not other.done]
        rivals = {entry.number: entry}
        if len(candidates) < MAX_CANDIDATES:
            for candidate in candidates:
                rivals |= {other.number: other for other in self._near(candidate) if not other.done}
        scores = sorted(
            (self._score(one, other), one.number, other.number, one, other)
            for one in rivals.values()
            for other in candidates
            if self._fits(one, other)
        )
        taken: set[int] = set()
        for *_, one, other in scores:
            if one.number in taken or other.number in taken:
                continue
            if one is entry:
                return other
            taken |= {one.number, other.number}
        return None

    def _pairing(self, client: _Entry, server: _Entry) -> Pairing:
        """How sure the pair is: what else was near either of them counts, paired by now or not."""
        best, close = self._score(client, server), self._clock.margin
        others = [(one, server) for one in self._near(server) if one is not client and self._fits(one, server)]
        others += [(client, one) for one in self._near(client) if one is not server and self._fits(client, one)]
        equal = [pair for pair in others if _alike(self._score(*pair), best, close)]
        rivals = tuple(one.message for one, other in equal if other is server)
        if equal:
            how = AMBIGUOUS
        elif others:
            how = BEST
        else:
            how = CERTAIN if client.target == server.target and _NONCE.search(client.target) else ONLY
            self._clock.follow(server.at - client.at)
        return Pairing(client.message, server.message, how, rivals)

    def _near(self, entry: _Entry) -> list[_Entry]:
        """The other side's requests of the same key within the tolerance, the nearest MAX_CANDIDATES."""
        side, tolerance = self._groups[entry.key].side(not entry.is_server), self._clock.tolerance
        first = bisect_left(side, entry.at - tolerance, key=_AT)
        behind = bisect_right(side, entry.at + tolerance, key=_AT)
        near = side[first:behind]
        if len(near) > MAX_CANDIDATES:
            near = sorted(near, key=lambda other: (other.done, abs(other.at - entry.at), other.number))
        return near[:MAX_CANDIDATES]

    def _forget(self, entry: _Entry) -> None:
        group = self._groups[entry.key]
        side = group.side(entry.is_server)
        at = bisect_left(side, entry.at, key=_AT)
        while side[at] is not entry:
            at += 1
        del side[at]
        if not group.client and not group.server:
            del self._groups[entry.key]

    @staticmethod
    def _fits(one: _Entry, other: _Entry) -> bool:
        """Whether two requests may be one: half of what the client says of itself must have arrived. A changed query
        is believed only of the same connection, seen before and behind a box that does not end it.
        """
        client = other if one.is_server else one
        if one.target != other.target and not _same_connection(one, other):
            return False
        return 2 * len(one.lines & other.lines) >= len(client.lines)

    @staticmethod
    def _score(one: _Entry, other: _Entry) -> tuple[int, int, int, int]:
        """The better the smaller: same target, same connection, lines in common, distance in time."""
        return (
            one.target != other.target,
            not _same_connection(one, other),
            -len(one.lines & other.lines),
            abs(one.at - other.at),
        )


def origin_form(message: Message) -> str:
    """The target as an origin server gets it: proxies are asked for `http://host/path`, RFC 9112 section 3.2.2."""
    scheme, mark, rest = message.target.partition("://")
    if message.method == "CONNECT" or not mark or "/" in scheme or "?" in scheme:
        return message.target
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    path = rest[end:]
    return path if path.startswith("/") else "/" + path


def _same_connection(one: _Entry, other: _Entry) -> bool:
    a, b = one.message, other.message
    return (a.client, a.client_port) == (b.client, b.client_port)


def _alike(score: tuple[int, int, int, int], best: tuple[int, int, int, int], margin: int) -> bool:
    return score[:3] == best[:3] and abs(score[3] - best[3]) < margin


_AT = attrgetter("at")
