"""Known values -> an index of everything that may stand for them: where a word of a request is looked up.

Comes in: entries. Goes out: `Index`, whose look-ups cost the same for one value and for ten thousand. A word is a run
of letters and digits, as bytes. Texts without separators are found as the word they are; others by their longest word,
and then compared; digests by their first 8 hex digits, in base64 by their longest word. Of a digest only so much is
kept: when its beginning is met, it is computed again.

State: the index; some 28 kB for a value.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from leakscan.known.file import MIN_CHARS, Entry
from leakscan.known.spellings import Spelling, spellings

#: Hex digits of a digest by which it is found; one cut to fewer is not.
MIN_DIGEST = 8
MIN_CRC = 9  # digits; one CRC-32 in forty has fewer, and is a hint at best
#: Of the words of a digest in base64, the longest has so many characters in 994 of 1,000 MD5; the others are not found.
MIN_ANCHOR = 8
_WORDS = re.compile(rb"[0-9A-Za-z]+")


class Needle(NamedTuple):
    """A text that stands for a known value."""

    entry: Entry
    text: bytes  # small letters, unless `exact`
    spelling: Spelling
    exact: bool  # case makes a difference


class Digest(NamedTuple):
    """A hash of one spelling of a known value."""

    entry: Entry
    algorithm: str
    spelling: Spelling
    salt: str
    before: bool  # where the salt stands

    def salted(self) -> bytes:
        text = self.salt + self.spelling.text if self.before else self.spelling.text + self.salt
        return text.encode("utf-8")

    def compute(self) -> bytes:
        return HASHES[self.algorithm](self.salted())

    def words(self) -> str:
        how = f" {self.spelling.words}" if self.spelling.words else ""
        return f"{self.algorithm} of the value{how}" + (", salted" if self.salt else "")


class Index:
    """All look-ups, for one set of entries."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.wholes: dict[bytes, list[Needle]] = {}  # word, small letters -> texts that are this word
        self.stems: dict[bytes, list[Needle]] = {}  # digits -> texts that begin so, and may go on
        self.phrases: dict[bytes, list[Needle]] = {}  # word, small letters -> texts with this and other words
        self.emails: dict[bytes, Needle] = {}
        self._digests: list[Digest] = []
        self.hex_starts: dict[bytes, int] = {}  # first hex digits of a digest -> its place in `_digests`
        self.base64_words: dict[bytes, int] = {}  # word of a digest in base64 -> the same
        self._clashes: dict[bytes, list[int]] = {}  # either -> places of further digests
        for entry in entries:
            plain, hashed = spellings(entry.kind, entry.value, entry.normal)
            for spelling in plain:
                self._add(Needle(entry, spelling.text.encode("ascii"), spelling, entry.kind == "subscriber_token"))
                self._pack(entry, spelling)
            for spelling in hashed:
                self._hash(entry, spelling)
        self.stem_lengths = sorted({len(stem) for stem in self.stems})
        self.has_macs = any(entry.kind == "mac" for entry in entries)
        #: Letters and digits of the shortest word by which something is found, numbers aside.
        words = [*self.phrases, *(word for word in self.wholes if not word.isdigit())]
        self.shortest = min(map(len, words), default=MIN_ANCHOR)
        #: Small letters: what makes a word worth a look.
        self.words = {*self.wholes, *self.phrases, *(word.lower() for word in self.base64_words)}
        self._tell_numbers()

    def _tell_numbers(self) -> None:
        """What a finder needs to know of numbers before it looks one up."""
        wholes = [word for word, found in self.wholes.items() if word.isdigit() and found[0].spelling.chain != CRC]
        #: Length of a number -> so many of its digits are among `numbers`: all, or where one is known by less, those.
        self.spans = {len(number): len(number) for number in wholes}
        for stem, found in self.stems.items():
            for more in range(found[0].spelling.more + 1):
                self.spans[len(stem) + more] = min(len(stem), self.spans.get(len(stem) + more, len(stem)))
        self.numbers = {*self.stems, *(number[: self.spans[len(number)]] for number in wholes)}
        every = [*self.stems, *(word for word in self.wholes if word.isdigit())]
        self.start_digits = min(map(len, every), default=MIN_CHARS)
        self.starts = {number[: self.start_digits] for number in every}

    def by_hex(self, word: bytes) -> Iterator[Digest]:
        """Digests that begin with the first hex digits of a word in small letters."""
        return self._found(self.hex_starts, word[:MIN_DIGEST])

    def by_base64(self, word: bytes) -> Iterator[Digest]:
        return self._found(self.base64_words, word)

    def _found(self, where: dict[bytes, int], key: bytes) -> Iterator[Digest]:
        place = where.get(key)
        if place is not None:
            yield self._digests[place]
            yield from (self._digests[place] for place in self._clashes.get(key, ()))

    def _add(self, needle: Needle) -> None:
        folded = needle.text.lower()
        if not needle.exact:
            needle = needle._replace(text=folded)
        words = _WORDS.findall(folded)
        if needle.spelling.more:
            self.stems.setdefault(folded, []).append(needle)
        elif words == [folded]:
            self.wholes.setdefault(folded, []).append(needle)
        elif needle.entry.kind == "email":
            self.emails[folded] = needle
        else:
            self.phrases.setdefault(max(words, key=len), []).append(needle)

    def _pack(self, entry: Entry, spelling: Spelling) -> None:
        """Swapped digits as octets, in base64. Where `+` or `/` cuts the text into short words it is not found."""
        if spelling.chain != ("tbcd",):
            return
        text = base64.b64encode(bytes.fromhex(spelling.text)).rstrip(b"=")
        if len(text) >= MIN_ANCHOR and _WORDS.fullmatch(text):
            self._add(Needle(entry, text, spelling._replace(chain=("base64", "tbcd")), True))

    def _hash(self, entry: Entry, spelling: Spelling) -> None:
        salts = [("", True), *((salt, before) for salt in entry.salts for before in (True, False))]
        for algorithm in HASHES:
            for salt, before in salts:
                digest = Digest(entry, algorithm, spelling, salt, before)
                value = digest.compute()
                place = len(self._digests)
                self._digests.append(digest)
                self._note(self.hex_starts, value.hex()[:MIN_DIGEST].encode(), place)
                if algorithm == "crc32":
                    decimal = Spelling(str(int.from_bytes(value)), digest.words(), CRC)
                    if len(decimal.text) >= MIN_CRC:
                        self._add(Needle(entry, decimal.text.encode(), decimal, False))
                else:
                    anchor = max(_WORDS.findall(base64.b64encode(value)), key=len)
                    if len(anchor) >= MIN_ANCHOR:
                        self._note(self.base64_words, anchor, place)

    def _note(self, where: dict[bytes, int], key: bytes, place: int) -> None:
        if where.setdefault(key, place) != place:
            self._clashes.setdefault(key, []).append(place)


CRC = ("crc32",)
#: What programs hash identifiers with. CRC-32 is no hash, but used as one.
HASHES: Mapping[str, Callable[[bytes], bytes]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha512": lambda data: hashlib.sha512(data).digest(),
    "crc32": lambda data: zlib.crc32(data).to_bytes(4),
}
