"""Captured text made fit to be seen: `redact` takes the numbers out of it, `show` takes the teeth out of it.

Comes in: strings from the capture (Latin-1, one character per byte on the wire). Goes out: `redact`, the same string
with whatever may be a person's number, address or id as `...`: for every captured string that reaches a result (host,
target, name, method); `show`, the same string with whatever a terminal or viewer would obey as `\\xNN` or `\\uNNNN`:
for every text that is printed, results and messages alike. State: none. Bounds: every pattern runs in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

HIDDEN = "..."
#: Spans shorter than this are hidden only as a whole word: a value of "1" must not eat every 1 of a path.
MIN_SPAN_CHARS = 4

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
#: `%41`, and what a second or third round of encoding makes of it: `%2541`.
_ESCAPE = re.compile(r"%(?:25){0,3}([0-9A-Fa-f]{2})")
#: Nothing shorter can be hidden, and most strings have no such piece.
_MAYBE = re.compile(r"[0-9A-Fa-f](?:[^0-9A-Za-z]{0,3}[0-9A-Fa-f]){6}|@|%")

#: What is hidden wherever it stands. All repeats are bounded or of parts that share no character: linear.
PATTERNS = (
    re.compile(r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){6,}"),  # 447700900123, 447-700-900123, (447) 700 900 123
    re.compile(r"[0-9A-Fa-f]{14,}"),
    re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),  # RFC 9562 section 4: an advertising id
    re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f])"),  # a MAC address
    re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,255}"),  # an e-mail address
)


def redact(text: str, spans: Iterable[str] = ()) -> str:
    """`text` without numbers, addresses and ids: each becomes `...`.

    Hidden are runs of 7 or more digits, also with up to three punctuation marks between two digits, e-mail addresses,
    14 or more hex digits, UUIDs and MAC addresses, each also where percent-encoding stands for some of the
    characters; and every occurrence of `spans` (the value of a match, its undecoded form), whatever its case. An IP
    address that is the whole text is a server's and stays.
    """
    wanted = [span.translate(_LOWER) for span in spans if span]
    patterns: tuple[re.Pattern[str], ...] = PATTERNS
    if _MAYBE.search(text) is None or is_address(text):
        if not wanted:
            return text
        patterns = ()
    found = list(_hits(text, patterns, wanted))
    if "%" in text:
        plain, edges = _decoded(text)
        found += [(edges[start], edges[end]) for start, end in _hits(plain, patterns, wanted)]
    return _without(text, found) if found else text


def is_address(text: str) -> bool:
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return "%" not in text  # an IPv6 zone is free text


def _decoded(text: str) -> tuple[str, list[int]]:
    """`text` with its percent-escapes undone, and where each of its characters (and its end) stands in `text`."""
    out: list[str] = []
    edges: list[int] = []
    position = 0
    for escape in _ESCAPE.finditer(text):
        out.append(text[position : escape.start()])
        edges.extend(range(position, escape.start()))
        out.append(chr(int(escape[1], 16)))
        edges.append(escape.start())
        position = escape.end()
    out.append(text[position:])
    edges.extend(range(position, len(text) + 1))
    return "".join(out), edges


def _hits(text: str, patterns: tuple[re.Pattern[str], ...], wanted: list[str]) -> Iterator[tuple[int, int]]:
    for pattern in patterns:
        for hit in pattern.finditer(text):
            yield hit.span()
    if wanted:
        lower = text.translate(_LOWER)
        for span in wanted:
            yield from _occurrences(lower, span)


def _occurrences(text: str, span: str) -> Iterator[tuple[int, int]]:
    start = text.find(span)
    while start >= 0:
        end = start + len(span)
        if len(span) >= MIN_SPAN_CHARS or not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            yield start, end
        start = text.find(span, end)


def _without(text: str, found: list[tuple[int, int]]) -> str:
    out: list[str] = []
    position = 0
    for start, end in sorted(found):
        if start > position or not out:
            out += (text[position:start], HIDDEN)
        position = max(position, end)
    out.append(text[position:])
    return "".join(out)


def show(text: str) -> str:
    """`text` with every character that is not plainly visible as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`.

    That is what Unicode calls control (C0, C1, DEL), format (bidirectional, zero width), surrogate, private,
    unassigned or not a character, and every separator but the space. Newlines are among them: what comes out is one
    line.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
