"""What is HTTP/1: the one predicate, and the table of directions that are not worth a look.

A direction is HTTP when a request line (or status line) stands at its first byte or, joined in the middle, at the
beginning of a segment; a SOCKS handshake or a PROXY line may stand before it. `classify` says so from the first bytes.

`Verdicts` is the table between reassembly and sieve: reassembly notes the directions that it ignores, the sieve drops
their segments in bulk. Fixed size (`SLOTS` entries of 17 bytes): a direction that meets another in its slot takes it
over, and the other is looked at again, which costs time and nothing else. Directions are told apart by a 64-bit hash
with random multipliers, so that nobody can craft a capture in which one connection hides another.
"""

from __future__ import annotations

import re
import secrets
import struct
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What the first bytes of a direction are.
REQUEST, RESPONSE, OTHER, MORE = "request", "response", "other", "more"

MAX_UNDECIDED_BYTES = 4096

_METHOD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}"
REQUEST_LINE = re.compile(rb"(" + _METHOD + rb")[ \t]+([^\r\n]*?)[ \t]*(HTTP/1\.[0-9])[ \t]*(?:\r*\n|\r)")
_STATUS_LINE = re.compile(rb"HTTP/[01]\.[0-9][ \t]+[0-9]{3}|ICY 200")
_LINE_SO_FAR = re.compile(rb"(?:" + _METHOD + rb"(?:[ \t]+[^\r\n]*)?\r*)?\Z")
_USUAL_METHODS = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"DELETE ")
#: First bytes of a request line, a status line, or an empty line before either.
_MAY_BEGIN = frozenset(b"\r\n!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_KNOWN_METHOD = rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|TRACE|CONNECT|PROPFIND|REPORT|SEARCH|LOCK)[ \t]+"
_KNOWN_LINE = re.compile(_KNOWN_METHOD)
_KNOWN_LINE_SO_FAR = re.compile(_KNOWN_METHOD + rb"(?:/|https?://)[^\r\n]*\Z")
_PROXY_V1 = re.compile(rb"PROXY (?:TCP[46]|UNKNOWN)[^\r\n]{0,100}\r\n")
_PREAMBLES = (b"\x04", b"\x05", b"P", b"\r")  # first bytes of those that `preamble` knows
_PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def usual_line(data: bytes) -> bool:
    """Whether `data` begins with a request line as nearly all are: REQUEST_LINE would agree, and take longer."""
    if not data.startswith(_USUAL_METHODS):
        return False
    line = data[: max(0, data.find(b"\r\n"))]
    return (
        line[-9:-1] == b" HTTP/1."
        and line[-1:].isdigit()
        and line.count(b" ") == 2
        and not (b"\t" in line or b"\n" in line or b"\r" in line)
    )


def classify(data: bytes) -> str:
    """REQUEST, RESPONSE or OTHER by the first bytes of a direction; MORE when they do not suffice."""
    if data and data[0] not in _MAY_BEGIN:
        return OTHER
    if usual_line(data):
        return REQUEST
    body = data.lstrip(b"\r\n")
    if REQUEST_LINE.match(body):
        return REQUEST
    if body[:5] in (b"HTTP/", b"ICY 2"):
        if _STATUS_LINE.match(body):
            return RESPONSE
        return MORE if len(body) < 13 else OTHER
    if len(data) >= MAX_UNDECIDED_BYTES:
        return REQUEST if is_request_so_far(data) else OTHER
    if not body or _LINE_SO_FAR.match(body):
        return MORE
    return OTHER


def beginning(data: bytes) -> tuple[str, int]:
    """What a client's first bytes are, and the length of the preamble before that."""
    size = preamble(data) if data[:1] in _PREAMBLES else 0
    if size < 0:
        return MORE, 0
    return classify(data[size:] if size else data), size


def begins_anew(before: bytes, data: bytes) -> bool:
    """Whether `data`, a segment behind the undecided bytes `before`, is itself the beginning of a request.

    For streams joined in the middle: the end of a body may look like the beginning of a request line.
    """
    return classify(data) == REQUEST and not _KNOWN_LINE.match(before + data)


def is_request_so_far(data: bytes) -> bool:
    """Whether an unfinished first line can hardly be anything but a request line."""
    return bool(_KNOWN_LINE_SO_FAR.match(data.lstrip(b"\r\n")))


def preamble(data: bytes) -> int:
    """Length of a SOCKS handshake or PROXY protocol header at the beginning of a client's bytes.

    0 when there is none, -1 when more bytes are needed. RFC 1928 sections 3 to 6, RFC 1929, SOCKS 4 and 4a, and the
    PROXY protocol's versions 1 and 2.
    """
    try:
        if data[:1] == b"\x05":
            return _socks5(data)
        if data[:2] == b"\x04\x01":
            end = data.index(b"\0", 8) + 1
            if data[4:7] == b"\0\0\0" and data[7]:
                end = data.index(b"\0", end) + 1
            return end
        if data[:12] == _PROXY_V2:
            length = 16 + struct.unpack_from("!H", data, 14)[0]
            return length if length <= len(data) else -1
    except (IndexError, ValueError, struct.error):
        return -1 if len(data) < MAX_UNDECIDED_BYTES else 0
    if data[:6] == b"PROXY ":
        found = _PROXY_V1.match(data)
        return found.end() if found else -1 if len(data) < 108 else 0
    return 0


def _socks5(data: bytes) -> int:
    """Greeting, perhaps a name and password, request. Raises IndexError when there is not enough of it."""
    at = 2 + data[1]
    if data[at] == 1:
        at += 2 + data[at + 1]
        at += 1 + data[at]
    if data[at] != 5 or data[at + 1] not in (1, 2, 3) or data[at + 2]:
        return 0
    kind = data[at + 3]
    if kind not in (1, 3, 4):
        return 0
    at += 6 + {1: 4, 4: 16}.get(kind, 1 + data[at + 4])
    return at if at <= len(data) else -1


def random_multipliers() -> list[int]:
    """What makes tokens unpredictable."""
    return [secrets.randbits(64) | 1 for _ in range(11)]


SLOTS = 1 << 18
# Codes in the table.
FREE, WATCHED, RESPONSES, DEAD, BODY = 0, 1, 2, 3, 4
_MASK = (1 << 64) - 1


class Verdicts:
    """Directions whose segments reassembly ignores.

    WATCHED: not HTTP so far, but a segment that begins like a request line would change that. RESPONSES: a server's.
    DEAD: never HTTP, whatever comes before the next SYN. BODY: a client's that sends a body, of which `body_size` bytes
    from the sequence number `body_from` on are of no use.
    """

    def __init__(self, keep_responses: bool = False, multipliers: Sequence[int] = ()) -> None:
        """`keep_responses`: somebody else wants to read them. `multipliers`: of `random_multipliers`, if somebody else
        is to come to the same tokens.
        """
        import numpy as np

        self._keep_responses = keep_responses
        self._tags, self._codes = array("Q", bytes(8 * SLOTS)), bytearray(SLOTS)
        self._from, self._size = array("I", bytes(4 * SLOTS)), array("I", bytes(4 * SLOTS))
        # The same memory for the sieve: one by one Python's own are faster, by the thousand numpy's.
        self.tags: NDArray[np.uint64] = np.frombuffer(self._tags, np.uint64)
        self.codes: NDArray[np.uint8] = np.frombuffer(self._codes, np.uint8)
        self.body_from: NDArray[np.uint32] = np.frombuffer(self._from, np.uint32)
        self.body_size: NDArray[np.uint32] = np.frombuffer(self._size, np.uint32)
        self.fresh: dict[int, int] = {}  # noted since the sieve last looked: it clears this for each batch
        self.multipliers = list(multipliers) or random_multipliers()

    def token(self, key: bytes) -> int:
        """64-bit hash of a direction's key (model.Segment.key): multiply and add over its 32-bit words, then mix."""
        words = struct.unpack(f"!{(len(key) - 1) // 4}I", key[1:])  # addresses, then both ports
        total = key[0] * self.multipliers[10]
        for word, multiplier in zip(words, self.multipliers, strict=False):
            total += word * multiplier
        total &= _MASK
        return (total ^ total >> 32) * self.multipliers[9] & _MASK or 1

    def note(self, token: int, code: int) -> None:
        """Reassembly ignores this direction from now on, or (FREE) looks at it again."""
        if code == RESPONSES and self._keep_responses:
            return
        self.fresh[token] = code
        slot = token & SLOTS - 1
        if code != FREE or self._tags[slot] == token:
            self._tags[slot] = token
            self._codes[slot] = code

    def note_body(self, token: int, seq: int, size: int) -> None:
        """Reassembly has no use for these bytes of this direction."""
        slot = token & SLOTS - 1
        self._tags[slot], self._codes[slot] = token, BODY
        self._from[slot], self._size[slot] = seq, size

    def forget(self, token: int) -> None:
        """Reassembly knows this direction no longer."""
        slot = token & SLOTS - 1
        if self._tags[slot] == token:
            self._codes[slot] = FREE
        self.fresh.pop(token, None)
