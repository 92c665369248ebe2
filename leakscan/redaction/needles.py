"""Many byte strings sought at once, and what each is replaced with.

In: pairs of equal length. Out: `Hit`s in a buffer. A needle is found by the KEY_BYTES of it that tell most: those
windows of the buffer whose hash is in a bitmap are looked up, so that the cost is the buffer's, not the number of
needles. State: the needles, at most MAX_NEEDLES, and a bitmap of at most 1 << MAX_BITS octets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leakscan.errors import LeakscanError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NEEDLES = 1_000_000
KEY_BYTES = 6
MIN_BITS, MAX_BITS = 20, 24  # of the bitmap: 64 times as many as there are keys, within these limits
PIECE_BYTES = 1 << 15
_MASK = np.uint64((1 << 8 * KEY_BYTES) - 1)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ADDRESS_CHARS = frozenset(b"0123456789.")


class TooMany(LeakscanError):
    """More identifiers than can be sought at once."""

    exit_code = 2


class Tail(NamedTuple):
    """Bits of a base64 character behind a needle that still belong to its value, RFC 4648 section 4."""

    bits: int  # the upper ones, 2 or 4
    old: int
    new: int


class Needle(NamedTuple):
    old: bytes
    new: bytes | None  # as long; None: it cannot be replaced
    anchor: int  # where the bytes stand that it is looked up by
    whole: bool = False  # an address: nothing that would make it another may stand before or behind it
    tail: Tail | None = None


class Hit(NamedTuple):
    start: int
    needle: Needle
    new: bytes | None  # as the needle's, with its tail where it has one
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


class Needles:
    """Add needles, then search. Of two with the same bytes the first stays."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, list[Needle]] = {}
        self._known: set[bytes] = set()
        self._stale = True
        self._bits = MIN_BITS
        self._bitmap: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.longest = 0

    def add(
        self,
        old: bytes,
        new: bytes | None,
        anchor_end: int | None = None,
        whole: bool = False,
        tail: Tail | None = None,
    ) -> None:
        """`anchor_end`: where the bytes end that tell most of it, the end if not given. Short ones are let go: they
        cannot be told from chance."""
        if len(old) < KEY_BYTES or old == new or old in self._known:
            return
        if len(self._known) >= MAX_NEEDLES:
            raise TooMany("too many different identifiers for one copy: cut the capture into pieces (editcap -c)")
        anchor = max(0, min(len(old) if anchor_end is None else anchor_end, len(old)) - KEY_BYTES)
        self._known.add(old)
        needle = Needle(old, new, anchor, whole, tail)
        self._by_key.setdefault(old[anchor : anchor + KEY_BYTES], []).append(needle)
        self.longest = max(self.longest, len(old) + (tail is not None))
        self._stale = True

    def copy(self) -> Needles:
        """The same needles; what is added to either is not in the other."""
        made = Needles()
        made._by_key = {key: list(needles) for key, needles in self._by_key.items()}
        made._known, made.longest = set(self._known), self.longest
        return made

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Needle]:
        return (needle for needles in self._by_key.values() for needle in needles)

    def search(self, data: bytes | bytearray | memoryview) -> list[Hit]:
        """Every place in `data` where a needle stands, by position, the longest first among those that begin
        together."""
        if not self._known or len(data) < KEY_BYTES:
            return []
        if self._stale:
            self._make_bitmap()
            self._stale = False
        view = data if isinstance(data, bytes) else bytes(data)
        found = [hit for at in self._candidates(view) for hit in self._at(view, at)]
        return sorted(found, key=lambda hit: (hit.start, -hit.size))

    def _candidates(self, data: bytes) -> Iterator[int]:
        """Where KEY_BYTES stand that may be some needle's; piece by piece, so that all of it stays in the cache."""
        bits, bitmap = self._bits, self._bitmap
        for first in range(0, len(data) - KEY_BYTES + 1, PIECE_BYTES):
            piece = data[first : first + PIECE_BYTES + KEY_BYTES - 1] + b"\0\0"
            windows = np.ndarray((len(piece) - KEY_BYTES - 1,), "<u8", piece, strides=(1,))
            for at in np.flatnonzero(bitmap[_hashed(windows & _MASK, bits)]).tolist():
                yield first + at

    def _at(self, data: bytes, at: int) -> Iterator[Hit]:
        for needle in self._by_key.get(data[at : at + KEY_BYTES], ()):
            start = at - needle.anchor
            end = start + len(needle.old)
            if start < 0 or data[start:end] != needle.old or (needle.whole and not _stands_alone(data, start, end)):
                continue
            if needle.tail is None:
                yield Hit(start, needle, needle.new, len(needle.old))
            elif last := _tail(data[end : end + 1], needle.tail):
                yield Hit(start, needle, None if needle.new is None else needle.new + last, len(needle.old) + 1)

    def _make_bitmap(self) -> None:
        self._bits = min(max(MIN_BITS, len(self._by_key).bit_length() + 6), MAX_BITS)
        keys = np.array([int.from_bytes(key, "little") for key in self._by_key], np.uint64)
        self._bitmap = np.zeros(1 << self._bits, np.bool_)
        self._bitmap[_hashed(keys, self._bits)] = True


def _hashed(keys: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    hashed: NDArray[np.uint64] = (keys * _MULTIPLIER) >> np.uint64(64 - bits)
    return hashed


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    """10.0.0.1 is not in 10.0.0.12, nor in 110.0.0.1; a full stop behind it ends a sentence."""
    if start and data[start - 1] in _ADDRESS_CHARS:
        return False
    behind = data[end : end + 2]
    return not (behind[:1].isdigit() or (behind[:1] == b"." and behind[1:].isdigit()))


_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_ALPHABET = _ALPHABET[:62] + b"-_"


def _tail(char: bytes, tail: Tail) -> bytes:
    """The base64 character with the value's bits replaced; b"" when it is not the value's."""
    alphabet = _URL_ALPHABET if char in (b"-", b"_") else _ALPHABET
    place = alphabet.find(char) if char else -1
    low = 6 - tail.bits
    if place < 0 or place >> low != tail.old:
        return b""
    made = tail.new << low | place & (1 << low) - 1
    return alphabet[made : made + 1]
