"""Text that holds named values: JSON (RFC 8259), XML and lines, to their members, by name.

Comes in: text that may be one of them. Goes out: `(name, value)` for every scalar in it, in order, members of arrays
under the name of their array, "" where nothing names a value; duplicates are kept, because which one a server takes is
its own affair. What is cut or broken still gives the members that can be told. XML is not parsed but read from tag to
tag: entities stay as they are, and no document can ask for more than one look at each of its characters. State: none.
Bounds: `MAX_MEMBERS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

MAX_MEMBERS = 1000
MAX_NESTED_TEXTS = 3  # JSON in a string of JSON, and so on

Member = tuple[str, str]

#: `"name": "value"` or `"name": 123` in what does not parse as a whole. Every repeat ends at what it cannot hold.
_MEMBER = re.compile(
    r'"([^"\\]{1,128})"\s{0,8}:\s{0,8}(?:"([^"\\]*(?:\\.[^"\\]*)*)"?|([+-]?[0-9][0-9.eE+-]*))', re.DOTALL
)

#: A tag and the text behind it; a name and a value in a tag; a name and a value on a line of its own.
_TAG = re.compile(r"<(!\[CDATA\[[^<>]{0,4096}\]\]|[^<>]{1,4096})>([^<]{0,4096})")
_ATTRIBUTE = re.compile(r"""\s([A-Za-z_][\w.:-]{0,127})\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)')""")
_LINE = re.compile(r"[ \t]*\"?([A-Za-z_][\w.\[\] -]{0,63}?)\"?[ \t]{0,8}[=:][ \t]*([^\r\n]{1,4096})\r?")
#: Elements and attributes that hold the name of what comes next: property lists, XML-RPC, `<param name= value=>`.
_NAMING = ("key", "name", "param", "field", "id")


class _Object(list[tuple[str, Any]]):
    """A JSON object: all of its members, also those that share a name."""


def members(text: str, depth: int = MAX_NESTED_TEXTS) -> list[Member] | None:
    """The members of a JSON object or array, and of those that stand in its strings; None when `text` is neither."""
    text = text.strip()
    if text[:1] not in ("{", "[") or not depth:
        return None
    try:
        made = json.loads(text, object_pairs_hook=_Object, parse_float=_number, parse_int=str)
    except (ValueError, RecursionError):
        found = [(name, _unescaped(quoted) or bare) for name, quoted, bare in _MEMBER.findall(text)[:MAX_MEMBERS]]
        return found or None
    return list(islice(_walk("", made, depth), MAX_MEMBERS))


def tagged(text: str) -> list[Member]:
    """The texts of XML elements under their names, and the values of their attributes under theirs; also under the name
    that stands beside them (`<key>imei</key><string>...`, `<param name="imei" value="..."/>`)."""
    return list(islice(_tagged(text), MAX_MEMBERS))


def lines(text: str) -> list[Member]:
    """`name=value` and `name: value`, a line each."""
    found = map(_LINE.fullmatch, islice(text.split("\n"), MAX_MEMBERS))
    return [(line[1], line[2]) for line in found if line]


def unescaped(text: str) -> str | None:
    """The text of a JSON string without its quotes; None when it has no escape, or a wrong one."""
    if "\\" not in text:
        return None
    try:
        made = json.loads(f'"{text}"')
    except ValueError:
        return None
    return made if isinstance(made, str) else None


def _walk(name: str, value: Any, depth: int) -> Iterator[Member]:
    """Depth first, with a stack of our own: the depth is the sender's."""
    stack: list[tuple[str, Any]] = [(name, value)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, _Object):
            stack.extend(reversed(value))
        elif isinstance(value, list):
            stack.extend((name, item) for item in reversed(value))
        elif isinstance(value, str):
            inner = members(value, depth - 1)
            if inner is None:
                yield name, value
            else:
                yield from inner


def _tagged(text: str) -> Iterator[Member]:
    element = beside = ""
    for inside, behind in _TAG.findall(text):
        value = behind.strip()
        if inside.startswith("![CDATA["):
            value = inside[8:-2].strip()
        elif inside[0] in "/!?":
            continue
        else:
            element = _local(inside.split(None, 1)[0].rstrip("/")) if inside.strip() else ""
            pairs = [(_local(name), one or other) for name, one, other in _ATTRIBUTE.findall(inside)]
            named = next((worth for name, worth in pairs if name.lower() in _NAMING), "")
            for name, worth in pairs:
                yield name, worth
                if named and worth != named:
                    yield named, worth
            beside = named or beside
        if value:
            yield element, value
            if element.lower() in _NAMING and not beside:
                beside = value[:128]
            elif beside:
                yield beside, value
                beside = ""


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _number(text: str) -> str:
    """A number as its digits, where it is whole: some programs write 4.47700900123e11."""
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 2**63 else text


def _unescaped(text: str) -> str:
    made = unescaped(text)
    return text if made is None else made
