"""Message -> Field: every place of a request that may hold an identifier, by name.

Header lines (place `header`, the User-Agent line `user-agent`), the pairs of every Cookie line (`cookie`), the
parameters of the target (`query`), `name=value` pieces and name/value neighbours of its path (`path`), and the
parameters of the Referer (`referer`). Values are as on the wire: undoing encodings is the detectors' business, and so
is taking apart the few headers that pack several values, because their layout is data of the catalogue.

State: none. Bounds: `MAX_FIELDS` fields of one message, `MAX_VALUE_CHARS` of one value; what lies beyond is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leakscan.losses import Losses
from leakscan.model import Field, Message, Pair

MAX_FIELDS = 4000
MAX_VALUE_CHARS = 4096
#: Path segments shorter than this cannot hold an identifier.
MIN_SEGMENT_CHARS = 7


def fields(message: Message, losses: Losses) -> Iterator[Field]:
    """All fields of one request: those of the target, then those of its header lines, in the order of the wire."""
    return _bounded(_message_fields(message), losses)


def pairs_fields(pairs: Iterable[Pair], losses: Losses) -> Iterator[Field]:
    """The same for header lines alone, as `(name, value)`; a value of None is a line without a colon."""
    return _bounded(_header_fields(pairs), losses)


def _bounded(found: Iterable[Field], losses: Losses) -> Iterator[Field]:
    count = 0
    for field in found:
        count += 1
        if count > MAX_FIELDS:
            losses["message.fields-over"] += 1
            return
        if len(field[2]) > MAX_VALUE_CHARS:
            losses["value.too-long"] += 1
            field = Field(field[0], field[1], field[2][:MAX_VALUE_CHARS])
        yield field


def _message_fields(message: Message) -> Iterator[Field]:
    target = message.target
    path, mark, query = target.partition("?")
    if len(path) > MIN_SEGMENT_CHARS:
        yield from _path_fields(path)
    if mark:
        yield from _query_fields("query", query)
    yield from _header_fields(message.headers)


def _header_fields(pairs: Iterable[Pair]) -> Iterator[Field]:
    special = SPECIAL
    for name, value in pairs:
        if value is None:
            continue
        place = special.get(name.lower(), "header")
        if place == "cookie":
            yield from _cookie_fields(value)
        elif place == "referer":
            _, mark, query = value.partition("?")
            if mark:
                yield from _query_fields("referer", query)
        else:
            yield Field(place, name, value)


def _cookie_fields(line: str) -> Iterator[Field]:
    """RFC 6265 section 4.2.1; a pair without `=` has no name, so nothing can be said of it."""
    for pair in line.split(";"):
        name, mark, value = pair.partition("=")
        if mark:
            yield Field("cookie", name.strip(), value)


def _query_fields(place: str, query: str) -> Iterator[Field]:
    query, _, _ = query.partition("#")
    for pair in query.replace(";", "&").split("&") if ";" in query else query.split("&"):
        name, mark, value = pair.partition("=")
        if mark:
            yield Field(place, name, value)


def _path_fields(path: str) -> Iterator[Field]:
    """`/a;name=value/name=value` (RFC 3986 section 3.3) and `/name/value`, the habit of REST interfaces."""
    before = ""
    for segment in path.split("/"):
        if "=" in segment:
            for piece in segment.split(";"):
                name, mark, value = piece.partition("=")
                if mark:
                    yield Field("path", name, value)
        elif before and len(segment) >= MIN_SEGMENT_CHARS:
            yield Field("path", before, segment)
        before = segment


#: Header lines that are not simply a value under a name: lower-case name -> place.
SPECIAL = {"cookie": "cookie", "referer": "referer", "user-agent": "user-agent"}
