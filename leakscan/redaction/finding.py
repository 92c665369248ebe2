"""What is to be replaced: every identifier in the requests of a capture, with the text of the fields it stands in.

In: request heads with their matches. Out: identities, and fields with what is around them. State: at most
MAX_IDENTITIES identities, MAX_FIELDS different texts and MAX_CLIENTS addresses; more are TooMany: a copy that leaves
some out is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

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
        self.fields: dict[Field, Found] = {}
        self.clients: dict[str, None] = {}
        self.servers: dict[str, None] = {}

    def meet(self, client: str, server: str) -> None:
        """The ends of any request."""
        self.clients.setdefault(client)
        self.servers.setdefault(server)
        if max(len(self.clients), len(self.servers)) > MAX_CLIENTS:
            raise TooMany(f"more than {MAX_CLIENTS:,} addresses: cut the capture into pieces (editcap -c)")

    def add(self, head: Head, message: Message, matches: Sequence[Match]) -> None:
        """One request in which something was found."""
        for whole in matches:
            identity = Identity(whole.identifier, whole.normal)
            self.identities[identity] = self.identities.get(identity, 0) + 1
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
