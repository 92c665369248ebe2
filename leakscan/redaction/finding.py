"""What is to be replaced: every identifier in the requests of a capture, with the text of the fields it stands in.

In: request heads with their matches. Out: identities, fields with what is around them, and values that were torn.
State: at most MAX_IDENTITIES identities, MAX_FIELDS different texts and MAX_CLIENTS addresses; more are TooMany: a copy
that leaves some out is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from leakscan.detectors.catalogue import Catalogue
from leakscan.fields import MAX_VALUE_CHARS
from leakscan.model import Field, Head, Match, Message
from leakscan.redaction.fakes import Identity
from leakscan.redaction.needles import KEY_BYTES, TooMany
from leakscan.tally import PERSONAL

MAX_IDENTITIES = 10_000
MAX_FIELDS = 100_000
MAX_CONTEXTS = 64  # of one text
MAX_TEXT_CHARS = MAX_VALUE_CHARS  # of a text that is replaced as a whole
MAX_CLIENTS = 200_000

#: Kinds that are sought wherever they may stand; of the others only what stands in a field that leakscan knows.
EVERYWHERE = PERSONAL | {"private_ip", "cell_location", "charging"}
MIN_TELLING = 7
#: Characters that end a value where it stands in a line.
_ENDS = {
    "body": rb"[^0-9A-Za-z]|\Z",
    "cookie": rb";|[ \t]*\r*(?:\n|\Z)",
    "query": rb"[&;#\s]|\Z",
    "path": rb"[/;?\s]|\Z",
}


class Context(NamedTuple):
    """What stands around a value on the wire: enough to know the place again."""

    before: bytes
    after: bytes


class Torn(NamedTuple):
    """A value of which the capture holds only the beginning, and what stands before it, back to its name."""

    before: bytes
    value: bytes


@dataclass(slots=True)
class Found:
    """One text under one name, and the identities in it."""

    where: Field
    matches: list[tuple[Identity, Match]]
    frame: int  # of the first request that has it
    contexts: set[Context] = field(default_factory=set)

    @property
    def is_telling(self) -> bool:
        """Whether the text is sought everywhere: long, with a digit or an address in it, and somebody's."""
        text = self.where.value
        marked = any("0" <= char <= "9" for char in text) or "@" in text
        return len(text) >= MIN_TELLING and marked and any(one.kind in EVERYWHERE for one, _ in self.matches)


class Findings:
    """All that was found so far."""

    def __init__(self) -> None:
        self.identities: dict[Identity, int] = {}  # in the order of their first request; how often
        self.first: dict[Identity, int] = {}  # the frame of that
        self.fields: dict[Field, Found] = {}
        self.torn: dict[Torn, None] = {}
        self.requests = 0
        self.clients: dict[str, None] = {}
        self.servers: dict[str, None] = {}

    def meet(self, client: str, server: str) -> None:
        """The ends of any request."""
        self.requests += 1
        self.clients.setdefault(client)
        self.servers.setdefault(server)
        if max(len(self.clients), len(self.servers)) > MAX_CLIENTS:
            raise TooMany(f"more than {MAX_CLIENTS:,} addresses: cut the capture into pieces (editcap -c)")

    def tear(self, raw: bytes, catalogue: Catalogue) -> None:
        """A head that was cut: what stands at its end under a name that the catalogue knows."""
        one = torn(raw, catalogue)
        if one is not None:
            self.torn.setdefault(one)
        if len(self.torn) > MAX_FIELDS:
            raise TooMany(f"more than {MAX_FIELDS:,} heads that were cut: cut the capture into pieces (editcap -c)")

    def add(self, head: Head, message: Message, matches: Sequence[Match]) -> None:
        """One request in which something was found."""
        for whole in matches:
            identity = Identity(whole.identifier, whole.normal)
            self.identities[identity] = self.identities.get(identity, 0) + 1
            self.first.setdefault(identity, message.frame)
            match = _part(whole)
            if match is None:
                continue
            found = self.fields.get(match.field)
            if found is None:
                found = self.fields[match.field] = Found(match.field, [], message.frame)
            if (identity, match) not in found.matches:
                found.matches.append((identity, match))
            if len(found.contexts) < MAX_CONTEXTS:
                raw = message.body if match.field.place == "body" else head.raw
                found.contexts.update(contexts(raw, match.field))
        if len(self.identities) > MAX_IDENTITIES or len(self.fields) > MAX_FIELDS:
            raise TooMany(f"more than {MAX_IDENTITIES:,} identifiers: cut the capture into pieces (editcap -c)")


def torn(raw: bytes, catalogue: Catalogue) -> Torn | None:
    """The value that a head which was cut ends with, where its name says that it is somebody's."""
    begins = raw.rfind(b"\n") + 1
    line = raw[begins:]
    if not begins:
        place, piece = "query", re.split(rb"[&;]", line.partition(b"?")[2])[-1]
        name, _, value = piece.partition(b"=")
    elif line[:7].lower() == b"cookie:":
        place, piece = "cookie", line.rpartition(b";")[2] if b";" in line else line[7:]
        name, _, value = piece.partition(b"=")
    else:
        place = "header"
        name, _, value = line.partition(b":")
    value = value.lstrip(b" \t")
    if not value or len(value) > MAX_TEXT_CHARS or (place == "query" and b" " in value):
        return None
    known = catalogue.lookup(name.strip(b" \t").decode("latin-1"))
    if not any(place in one.places and one.identifier in EVERYWHERE for one in known):
        return None
    return Torn(raw[max(0, raw.rfind(name, 0, len(raw) - len(value)) - 1) : len(raw) - len(value)], value)


def _part(match: Match) -> Match | None:
    """The match in as much of a long text (a body) as stands for it; None where it stands there plainly, for then its
    spellings are enough."""
    text = match.field.value
    if len(text) <= MAX_TEXT_CHARS:
        return match
    token = match.spans[0] if match.spans else ""
    if not 0 < len(token) <= MAX_TEXT_CHARS or token not in text:
        return None if not match.encoding else match
    chain = match.encoding
    while chain[:1] == ("percent",):
        chain = chain[1:]
    return replace(match, field=match.field._replace(value=token), encoding=chain)


def contexts(raw: bytes, where: Field) -> Iterator[Context]:
    """Where the field stands in a head: what is before its value, back to the name, and the character behind it."""
    name, value = re.escape(where.name.encode("latin-1")), where.value.encode("latin-1", "replace")
    ends = _ENDS.get("query" if where.place == "referer" else where.place, rb"[ \t]*\r*(?:\n|\Z)")
    if where.place == "cookie":
        begins = rb"[;:\s]" + name + rb"[ \t]*="
    elif where.place in ("query", "referer"):
        begins = rb"[?&;]" + name + b"="
    elif where.place == "path":
        begins = rb"[/;]" + name + rb"[=/]"
    elif where.place == "body":
        begins = rb"(?<![0-9A-Za-z])" + name + rb"[^0-9A-Za-z]{1,8}"
    else:
        begins = rb"\n" + name + rb":[ \t\r\n]*"
    for found in re.finditer(begins + rb"(?=(" + re.escape(value) + rb")(" + ends + rb"))", raw, re.IGNORECASE):
        start = found.start()
        short = KEY_BYTES - (found.end() - start) - len(value)
        yield Context(raw[max(0, start - max(0, short)) : found.end()], found[2][:2])
