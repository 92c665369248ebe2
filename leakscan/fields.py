"""Message -> Field: every place of a request that may hold an identifier, by name.

Header lines (place `header`, the User-Agent line `user-agent`), the pairs of every Cookie line (`cookie`), the
parameters of the target (`query`), `name=value` pieces and name/value neighbours of its path (`path`), and the
parameters of the Referer (`referer`). Values are as on the wire: undoing encodings is the detectors' business, and so
is taking apart the few headers that pack several values, because their layout is data of the catalogue.

State: none. Bounds: `MAX_FIELDS` fields of one message, `MAX_VALUE_CHARS` of one value; what lies beyond is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from leakscan.losses import Losses
from leakscan.model import Field, Message, Pair

MAX_FIELDS = 4000
MAX_VALUE_CHARS = 4096
#: Path segments shorter than this cannot hold an identifier.
MIN_SEGMENT_CHARS = 7


def fields(message: Message, losses: Losses) -> list[Field]:
    """All fields of one request: those of the target, then those of its header lines, in the order of the wire."""
    found = target_fields(message.target, losses)
    _add_headers(found, message.headers, losses)
    return _bounded(found, losses)


def target_fields(target: str, losses: Losses) -> list[Field]:
    """The fields of a target alone."""
    found: list[Field] = []
    path, mark, query = target.partition("?")
    if len(path) > MIN_SEGMENT_CHARS:
        _add_path(found, path)
    if mark:
        _add_query(found, "query", query)
    if len(target) > MAX_VALUE_CHARS:
        _cut(found, 0, losses)
    return found


def pairs_fields(pairs: Iterable[Pair], losses: Losses) -> list[Field]:
    """The same for header lines alone, as `(name, value)`; a value of None is a line without a colon."""
    found: list[Field] = []
    _add_headers(found, pairs, losses)
    return _bounded(found, losses)


def everything(target: str, headers: Iterable[Pair]) -> Iterator[Field]:
    """Every piece of a request, whatever its name, for who knows what to look for.

    Besides those of `fields`, and under the same names: the Host line and an absolute target's authority (place
    `host`), all segments of the path under the one before, the Referer without its parameters, pieces that have no
    name, and names themselves (under the name ""). Whole: no value is cut.
    """
    uri, mark, query = target.partition("?")
    scheme, absolute, rest = uri.partition("://")
    if absolute and "/" not in scheme:
        authority, _, uri = rest.partition("/")
        yield Field("host", "", authority)
    yield from _path_pieces(uri)
    if mark:
        yield from _query_pieces("query", query)
    for name, value in headers:
        yield Field("header", "", name)
        if value is None:
            continue
        place = _PLACES.get(name.strip().lower(), "header")
        if place == "cookie":
            for pair in value.split(";"):
                yield from _pair("cookie", pair)
        elif place == "referer":
            page, mark, query = value.partition("?")
            yield Field("referer", name, page)
            if mark:
                yield from _query_pieces("referer", query)
        else:
            yield Field(place, name, value)


def _path_pieces(path: str) -> Iterator[Field]:
    before = ""
    for segment in path.split("/"):
        if "=" in segment:
            for piece in segment.split(";"):
                yield from _pair("path", piece)
        else:
            yield Field("path", before, segment)
        before = segment


def _query_pieces(place: str, query: str) -> Iterator[Field]:
    for piece in re.split("[&;#]", query):
        yield from _pair(place, piece)


def _pair(place: str, piece: str) -> Iterator[Field]:
    name, mark, value = piece.partition("=")
    yield Field(place, "", name)
    if mark:
        yield Field(place, name.strip() if place == "cookie" else name, value)


def _add_headers(found: list[Field], pairs: Iterable[Pair], losses: Losses) -> None:
    special = SPECIAL
    for name, value in pairs:
        if value is None:
            continue
        place = special.get(name.lower(), "header")
        before = len(found)
        if place == "cookie":
            _add_cookies(found, value)
        elif place == "referer":
            _, mark, query = value.partition("?")
            if mark:
                _add_query(found, "referer", query)
        else:
            found.append(Field(place, name, value))
        if len(value) > MAX_VALUE_CHARS:
            _cut(found, before, losses)


def _add_cookies(found: list[Field], line: str) -> None:
    """RFC 6265 section 4.2.1; a pair without `=` has no name, so nothing can be said of it."""
    for pair in line.split(";", MAX_FIELDS):
        name, mark, value = pair.partition("=")
        if mark:
            found.append(Field("cookie", name.strip(), value))


def _add_query(found: list[Field], place: str, query: str) -> None:
    if "#" in query:
        query = query.partition("#")[0]
    if ";" in query:
        query = query.replace(";", "&")
    for pair in query.split("&", MAX_FIELDS):
        name, mark, value = pair.partition("=")
        if mark:
            found.append(Field(place, name, value))


def _add_path(found: list[Field], path: str) -> None:
    """`/a;name=value/name=value` (RFC 3986 section 3.3) and `/name/value`, the habit of REST interfaces."""
    before = ""
    for segment in path.split("/", MAX_FIELDS):
        if "=" in segment:
            for piece in segment.split(";"):
                name, mark, value = piece.partition("=")
                if mark:
                    found.append(Field("path", name, value))
        elif before and len(segment) >= MIN_SEGMENT_CHARS:
            found.append(Field("path", before, segment))
        before = segment


def _cut(found: list[Field], first: int, losses: Losses) -> None:
    """Cuts the values from `first` on. Called for long lines only: a value is no longer than its line."""
    for at in range(first, len(found)):
        place, name, value = found[at]
        if len(value) > MAX_VALUE_CHARS:
            losses["value.too-long"] += 1
            found[at] = Field(place, name, value[:MAX_VALUE_CHARS])


def _bounded(found: list[Field], losses: Losses) -> list[Field]:
    if len(found) > MAX_FIELDS:
        losses["message.fields-over"] += 1
        del found[MAX_FIELDS:]
    return found


#: Header lines that are not simply a value under a name: lower-case name -> place.
SPECIAL = {"cookie": "cookie", "referer": "referer", "user-agent": "user-agent"}
_PLACES = {**SPECIAL, "host": "host"}
