"""Message -> Field: every place of a request that may hold an identifier, by name.

Header lines (place `header`, the User-Agent line `user-agent`), the pairs of every Cookie line (`cookie`), the
parameters of the target (`query`), `name=value` pieces and name/value neighbours of its path (`path`), and both of the
Referer (`referer`); of a body what its type gives a name (`body`). Values are as on the wire: undoing
encodings is the detectors' business, and so is taking apart the few headers that pack several values, because their
layout is data of the catalogue.

State: none. Bounds: `MAX_FIELDS` fields of one message, `MAX_VALUE_CHARS` of one value; what lies beyond is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from leakscan import nested
from leakscan.losses import Losses
from leakscan.model import Field, Message, Pair

MAX_FIELDS = 4000
MAX_VALUE_CHARS = 4096
#: Path segments shorter than this cannot hold an identifier.
MIN_SEGMENT_CHARS = 7
MAX_PART_DEPTH = 3  # multipart within multipart
FORM = "application/x-www-form-urlencoded"

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_FORM_LIKE = re.compile(rb"[A-Za-z0-9_.\[\]%-]{1,128}=[^\s<>]*\s*\Z")
_PART_NAME = re.compile(r'^content-disposition:[^\n]*[; ]name="?([^";\n]{0,128})', re.IGNORECASE | re.MULTILINE)
_PART_TYPE = re.compile(r"^content-type:([^\n]{1,256})", re.IGNORECASE | re.MULTILINE)
_FILE = re.compile(r"^content-disposition:[^\n]*[; ]filename", re.IGNORECASE | re.MULTILINE)
_TEXT_TYPE = re.compile(r"(?:text/|multipart/|application/(?:[a-z.+-]*json|[a-z.+-]*xml|x-www-form)|\Z)", re.IGNORECASE)


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


def body_fields(text: bytes, content_type: str, losses: Losses) -> list[Field]:
    """The fields of a body, by its content type: pairs of a form, members of JSON, elements and attributes of XML,
    lines of plain text, text parts of multipart/form-data.

    `text` has no content coding any more. A body of another type has no fields.
    """
    found: list[Field] = []
    for name, value in _named(text, content_type, MAX_PART_DEPTH):
        if len(value) > MAX_VALUE_CHARS:
            losses["value.too-long"] += 1
            value = value[:MAX_VALUE_CHARS]
        found.append(Field("body", name, value))
    return _bounded(found, losses)


def body_everything(text: bytes, content_type: str) -> Iterator[Field]:
    """The same for who knows what to look for: whole, with the names (under the name ""), and last the body as one."""
    for name, value in _named(text, content_type, MAX_PART_DEPTH):
        yield Field("body", name, value)
        yield Field("body", "", name)
    yield Field("body", "", text.decode("latin-1"))


def _named(text: bytes, content_type: str, depth: int) -> Iterator[tuple[str, str]]:
    """Names and values of a body. Programs often say nothing of its type, or what is wrong: what looks like JSON is."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        boundary = _BOUNDARY.search(content_type)
        if boundary is not None and depth:
            yield from _parts(text, (boundary[1] or boundary[2]).encode("latin-1", "replace"), depth - 1)
        return
    members = nested.members(text.decode("utf-8", "replace")) if text.lstrip()[:1] in (b"{", b"[") else None
    if members is not None:
        yield from members
    elif kind == FORM or (kind in ("", "text/plain") and _FORM_LIKE.match(text)):
        for pair in text.decode("latin-1").split("&", MAX_FIELDS):
            name, mark, value = pair.partition("=")
            if mark:
                yield name.strip(), value.strip("\r\n")
    elif kind.endswith("xml") or text.lstrip()[:5] == b"<?xml":
        yield from nested.tagged(text.decode("utf-8", "replace"))
    elif kind in ("", "text/plain"):
        yield from nested.lines(text.decode("latin-1"))


def _parts(text: bytes, boundary: bytes, depth: int) -> Iterator[tuple[str, str]]:
    """The parts of RFC 7578: a value under the name that Content-Disposition gives, unless it is a file."""
    for part in text.split(b"--" + boundary, MAX_FIELDS)[1:]:
        head, _, value = part.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
        lines = head.decode("latin-1")
        name, kind = _PART_NAME.search(lines), _PART_TYPE.search(lines)
        content_type = kind[1].strip() if kind else ""
        if _FILE.search(lines) or not _TEXT_TYPE.match(content_type):
            continue
        inner = list(_named(value, content_type, depth))
        yield from inner
        if name is not None and not inner:
            yield name[1], value.decode("latin-1").strip("\n")


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


def header(message: Message, name: str) -> str:
    """The value of a header line, the first of several; "" of none. `name` in lower case."""
    return next((value for key, value in message.headers if value and key.strip().lower() == name), "")


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
            page, mark, query = value.partition("?")
            if page.count("/", 8) > 1:  # behind the first, a path of several segments
                _add_path(found, page[page.find("/", 8) :], "referer", "/")
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


def _add_path(found: list[Field], path: str, place: str = "path", mark_name: str = "") -> None:
    """`/a;name=value/name=value` (RFC 3986 section 3.3) and `/name/value`, the habit of REST interfaces: there
    `mark_name` is put before the name."""
    before = ""
    for segment in path.split("/", MAX_FIELDS):
        if "=" in segment:
            for piece in segment.split(";"):
                name, mark, value = piece.partition("=")
                if mark:
                    found.append(Field(place, name, value))
        elif before and len(segment) >= MIN_SEGMENT_CHARS:
            found.append(Field(place, mark_name + before, segment))
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
