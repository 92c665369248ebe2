"""Pages that list the headers they received: what they list and the request on the wire does not have was injected.

In: an answer and its request. Out: fields, place `response-body`, of all names that the page lists and the request
lacks. A page counts as such a list only when it has at least MIN_OWN of the request's own headers with their very
values, so that a page about headers is none. It may be JSON (an object with the headers in it), text (`Name: value`),
or HTML of any make (phpinfo); names may be CGI's (`HTTP_X_MSISDN`). State: none. Bounds: MAX_PAIRS pairs of one page,
and those of whoever read it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence

from leakscan.detectors import names
from leakscan.model import Answer, Field, Pair

MAX_PAIRS = 4000
MAX_VALUE_CHARS = 4096
MIN_OWN = 2
#: Shorter values (`*/*`, `1`) may stand under any name.
MIN_OWN_CHARS = 5

#: Nearly every client says what it is, and every list of headers has that.
_AGENT = re.compile(rb"user[-_]agent", re.IGNORECASE)
_TAGS = re.compile(r"(?:<[^<>]{0,2000}>|\r?\n)+")
_LINE = re.compile(
    r"""["'\[]*(?P<name>[A-Za-z][A-Za-z0-9_.-]{1,127})["'\]]*[ \t]*"""
    r"""(?::|=>|=)[ \t]*(?:string\([0-9]{1,6}\))?(?P<value>.*)""",
    re.DOTALL,
)
_NAME = re.compile(r"""["'\[$]*(?:_SERVER\[')?([A-Za-z][A-Za-z0-9_.-]{1,127})["'\]]*[ \t]*[:=]?""")


def surplus(headers: Sequence[Pair], answer: Answer) -> list[Field]:
    """What the page lists beyond the request's own `headers`; [] when it is no such page."""
    if not _AGENT.search(answer.body):
        return []
    own: dict[str, set[str]] = {}
    for name, value in headers:
        own.setdefault(names.key(name), set()).add((value or "").strip())
    found: list[Field] = []
    for listing in _listings(answer):
        echoed = {
            names.key(name)
            for name, value in listing
            if len(value) >= MIN_OWN_CHARS and value in own.get(names.key(name), ())
        }
        if len(echoed) >= MIN_OWN:
            found += [
                Field("response-body", name, value[:MAX_VALUE_CHARS])
                for name, value in listing
                if names.key(name) not in own
            ]
    return list(dict.fromkeys(found))


def _listings(answer: Answer) -> Iterator[list[tuple[str, str]]]:
    """Every list of names and values in the page."""
    try:
        text = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        text = answer.body.decode("latin-1")
    if "json" in answer.kind.lower() or text.lstrip()[:1] in ("{", "["):
        try:
            yield from _objects(json.loads(text))
        except (ValueError, RecursionError):
            pass
        else:
            return
    yield _pairs(text)


def _objects(document: object) -> Iterator[list[tuple[str, str]]]:
    """The objects of a JSON document that hold texts, and lists of `[name, value]` or `{name, value}`."""
    waiting, seen = [document], 0
    while waiting and seen < MAX_PAIRS:
        item = waiting.pop()
        seen += 1
        if isinstance(item, dict):
            yield [
                (name, each.strip())
                for name, value in list(item.items())[:MAX_PAIRS]
                for each in (value if isinstance(value, list) else [value])
                if isinstance(each, str)
            ]
            waiting += list(item.values())[:MAX_PAIRS]
        elif isinstance(item, list):
            pairs = [_of_item(each) for each in item[:MAX_PAIRS]]
            yield [pair for pair in pairs if pair is not None]
            waiting += item[:MAX_PAIRS]


def _of_item(item: object) -> tuple[str, str] | None:
    if isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return item[0], item[1].strip()
    if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str):
        return item["name"], item["value"].strip()
    return None


def _pairs(text: str) -> list[tuple[str, str]]:
    """Lines `name: value`, and a name and a value in neighbouring pieces between tags."""
    pieces = [html.unescape(piece) for piece in _TAGS.split(text, MAX_PAIRS)]
    found: list[tuple[str, str]] = []
    before = ""
    for piece in pieces:
        piece = piece.strip()
        if not piece or len(piece) > 2 * MAX_VALUE_CHARS:
            before = before if not piece else ""
            continue
        if before:
            found.append((before, piece.removeprefix(":").lstrip()))
        alone = _NAME.fullmatch(piece)
        before = alone[1] if alone else ""
        line = None if alone else _LINE.fullmatch(piece)
        if line is not None:
            found.append((line["name"], line["value"].strip(" \t\"',")))
    return found
