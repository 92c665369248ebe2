"""Bytes of a request -> the known values in them, however they are written, encoded or hashed.

Comes in: a raw head, a line of one, a value, a body. Goes out: `hits`; or only whether there is one (`search`), which
never differs. Numbers and words (runs of letters and digits) are looked up (index.py), and what a word decodes to is
searched in turn, to MAX_DEPTH encodings inside each other, percent-encoding not counted. So the cost
grows with the bytes, not with the values. No state but the index.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from leakscan.detectors.encodings import MAX_DEPTH, swapped
from leakscan.known.file import MIN_CHARS, Entry
from leakscan.known.index import MIN_DIGEST, Digest, Index, Needle
from leakscan.model import CONFIDENCES

MAX_GROUPS = 16  # of digits, with something in between, that are one number
#: Words of fewer letters and digits hold nothing: not a digest, not 7 digits in base64 or hex.
WORD_CHARS = 8
#: Digits of a number, and hex digits of a cut digest, from which on chance has no part in it, and a small one.
SURE_DIGITS, LIKELY_DIGITS = 10, 9
SURE_DIGEST, LIKELY_DIGEST = 16, 12
DIGEST_LENGTHS = (128, 64, 40, 32)  # hex digits
HINT, PROBABLE, CONFIRMED = CONFIDENCES

#: Letters and digits become z, all else a space.
_WORD_SHAPE = bytes(0x7A if byte < 128 and chr(byte).isalnum() else 0x20 for byte in range(256))
#: Digits become 0, or stay, all else a space; what may stand between the digits of one number goes.
_DIGIT_SHAPE = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_DIGITS_ONLY = bytes(byte if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_BETWEEN = b" ()./-"

_NUMBERS = re.compile(rb"[0-9](?:[ ()./-]{0,3}[0-9]){6,}")
_GROUPS = re.compile(rb"[0-9]+")
_STAMP = re.compile(rb"1[0-9]{9}(?:[0-9]{3})?|20[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-5][0-9][0-5][0-9]")
_STAMP_DIGITS = (10, 13, 14)
#: What so many digits more than an IMEI without check digit are.
_MORE = ("without check digit", "with another check digit", "as IMEISV")
_HEX = re.compile(rb"[0-9a-f]{8,}")
_MAC = re.compile(
    rb"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![:-]?[0-9A-Za-z])"
)
_EMAIL = re.compile(rb"[0-9a-z._%+-]{1,64}@[0-9a-z.-]{1,255}")
_ESCAPED = re.compile(rb"\\(?:u00|x)([0-9A-Fa-f]{2})")
#: Six printable ASCII characters in base64: what a word begins with that is text.
_BASE64_TEXT = re.compile(rb"eyJ|(?:[I-Za-f][C-HS-Xi-nyz0-3][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z]){2}")
#: Hex of text, as it is, swapped or backwards: every other digit is 2 to 7.
_MAY_BE_HEX = re.compile(rb"0[xX]|(?:[2-7][0-9A-Fa-f]){7}|(?:[0-9A-Fa-f][2-7]){7}")
_BASE64_BEGIN = frozenset(
    pair
    for pair in (bytes((first, second)) for first in range(128) for second in range(128))
    if re.match(rb"[I-Za-f][C-HS-Xi-nyz0-3]|ey", pair)
)
_BASE64_RUN = re.compile(rb"[0-9A-Za-z+/_-]+")
_HEX_TEXT = re.compile(rb"(?:0[xX])?((?:[2-7][0-9A-Fa-f]){7,})")
_PRINTABLE = re.compile(rb"[\t\n\r -~]{7,}")
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Hit(NamedTuple):
    """A known value, and what it wore."""

    entry: Entry
    token: bytes  # what stands for it in the bytes that were searched, percent-encoding undone
    chain: tuple[str, ...]  # encodings, outermost first; a hash is the last
    words: str  # how it is written
    confidence: str


class Finder:
    """Searches for the values of one index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._long_word = b"z" * min(WORD_CHARS, index.shortest)
        self._long_number = b"0" * index.start_digits

    def search(self, raw: bytes) -> bool:
        """Whether there is a hit."""
        return next(self._in_text(unquoted(raw)[-1] if b"%" in raw else raw), None) is not None

    def hits(self, raw: bytes) -> Iterator[Hit]:
        """All of them; one value may come several times."""
        levels = unquoted(raw)
        for hit in self._in_text(levels[-1]):
            token = hit.token.lower()
            times = next((number for number, level in enumerate(levels) if token in level.lower()), len(levels) - 1)
            yield hit._replace(chain=("percent",) * times + hit.chain)

    def _in_text(
        self, text: bytes, chain: tuple[str, ...] = (), depth: int = MAX_DEPTH, token: bytes | None = None
    ) -> Iterator[Hit]:
        """`token`: what the text was decoded from, outermost; None for what is on the wire."""
        if self._long_number in text.translate(_DIGIT_SHAPE, _BETWEEN) and self._may_hold_number(text):
            yield from self._in_digits(text, chain, token)
        if self._index.emails and b"@" in text:
            for address in _EMAIL.findall(text.lower()):
                needle = self._index.emails.get(address.rstrip(b".-"))
                if needle is not None:
                    yield _hit(needle, chain, token or address)
        if self._index.has_macs:
            for written in _MAC.findall(text):
                for needle in self._index.wholes.get(written.translate(None, b":-.").lower(), ()):
                    yield _hit(needle, chain, token or written)._replace(words="")
        if b"\\" in text and depth:
            plain = _ESCAPED.sub(_character, text)
            if plain != text:
                yield from self._in_text(plain, (*chain, "json"), depth - 1, token or text)
        shape = text.translate(_WORD_SHAPE)
        if self._long_word in shape:
            yield from self._in_words(text, shape, chain, depth, token)

    # -- words -----------------------------------------------------------------------------------------------------

    def _in_words(
        self, text: bytes, shape: bytes, chain: tuple[str, ...], depth: int, token: bytes | None
    ) -> Iterator[Hit]:
        """Runs of letters and digits. Nearly all of them are nothing, and a few comparisons tell."""
        lower, long_word = text.lower(), self._long_word
        words, starts = self._index.words, self._index.hex_starts
        at = shape.find(long_word)
        while at >= 0:
            end = shape.find(b" ", at)
            if end < 0:
                end = len(text)
            word, folded = text[at:end], lower[at:end]
            if (
                folded in words
                or folded[:MIN_DIGEST] in starts
                or end - at > DIGEST_LENGTHS[-1]  # a digest may be its end
                or (word[:2] in _BASE64_BEGIN and _BASE64_TEXT.match(word))
                or (word[:-3:-1] in _BASE64_BEGIN and _BASE64_TEXT.match(word[::-1]))
                or (end - at >= 2 * MIN_CHARS and _MAY_BE_HEX.match(word))
            ):
                yield from self._looked_up(word, at, text, chain, token)
                yield from self._behind(word, at, text, chain, depth, token)
            at = shape.find(long_word, end)

    def _behind(
        self, word: bytes, at: int, text: bytes, chain: tuple[str, ...], depth: int, token: bytes | None
    ) -> Iterator[Hit]:
        """In what a word decodes to."""
        for plain, steps in _decoded(word, at, text) if depth else ():
            if len(steps) <= depth:
                levels = unquoted(plain)
                deeper = (*chain, *steps, *["percent"] * (len(levels) - 1))
                yield from self._in_text(levels[-1], deeper, depth - len(steps), token or word)

    def _looked_up(
        self, word: bytes, at: int, text: bytes, chain: tuple[str, ...], token: bytes | None
    ) -> Iterator[Hit]:
        index = self._index
        folded = word.lower()
        for needle in index.wholes.get(folded, ()):
            if not needle.exact or needle.text == word:
                yield _hit(needle, chain, token or word)
        for needle in index.phrases.get(folded, ()):
            start = at - needle.text.lower().index(folded)
            written = text[max(start, 0) : start + len(needle.text)]
            if needle.text == (written if needle.exact else written.lower()):
                yield _hit(needle, chain, token or written)
        for digest in index.by_base64(word):
            written = base64.b64encode(digest.compute()).rstrip(b"=")
            start = at - written.index(word)
            sent = text[max(start, 0) : start + len(written)]
            if sent.translate(_STANDARD) == written:
                yield Hit(digest.entry, token or sent, (*chain, "base64", digest.algorithm), digest.words(), CONFIRMED)
        for run in _HEX.findall(folded):
            yield from self._digest(run, chain, token or word)

    def _digest(self, run: bytes, chain: tuple[str, ...], token: bytes) -> Iterator[Hit]:
        """Hex digits, small letters: a digest, the beginning of one, or a whole one at the end."""
        index = self._index
        for end in (run, *_ends(run)):
            for digest in index.by_hex(end):
                written = digest.compute().hex().encode()
                if end == written or (end is run and written.startswith(run)):
                    yield _digest_hit(digest, len(end), chain, token)

    # -- numbers ---------------------------------------------------------------------------------------------------

    def _may_hold_number(self, text: bytes) -> bool:
        """Whether a number may begin somewhere in the digits of a text, what may stand between them left out."""
        size, starts = self._index.start_digits, self._index.starts
        for run in text.translate(_DIGITS_ONLY, _BETWEEN).split():
            if len(run) >= size and not starts.isdisjoint([run[at : at + size] for at in range(len(run) - size + 1)]):
                return True
        return False

    def _in_digits(self, text: bytes, chain: tuple[str, ...], token: bytes | None) -> Iterator[Hit]:
        """Groups of digits: one may be a number, and several that follow each other."""
        for written in _NUMBERS.findall(text):
            groups = _GROUPS.findall(written)
            for group in groups:
                if len(group) >= MIN_CHARS:
                    yield from self._number(group, chain, token or group)
            if len(groups) == 1:
                continue
            digits = b"".join(groups)
            edges = [0, *accumulate(map(len, groups))]  # of the groups in the digits
            spans, numbers = self._index.spans, self._index.numbers
            for first, start in enumerate(edges):
                for end in edges[first + MAX_GROUPS : first + 1 : -1]:
                    span = spans.get(end - start)
                    if span is not None and digits[start : start + span] in numbers:
                        for hit in self._number(digits[start:end], chain, token or written):
                            yield hit._replace(words=hit.words or "with separators")

    def _number(self, digits: bytes, chain: tuple[str, ...], token: bytes) -> Iterator[Hit]:
        """A run of digits: known as it is, by its beginning, or before a time stamp."""
        index = self._index
        for needle in index.wholes.get(digits, ()):
            yield _hit(needle, chain, token)
        for length in index.stem_lengths:
            for needle in index.stems.get(digits[:length], ()):
                more = len(digits) - length
                if 0 <= more <= needle.spelling.more:
                    yield _hit(needle, chain, token)._replace(words=_MORE[more])
        for size in _STAMP_DIGITS:
            if len(digits) >= MIN_CHARS + size and _STAMP.fullmatch(digits[-size:]):
                for needle in index.wholes.get(digits[:-size], ()):
                    yield _hit(needle, chain, token, "followed by a time")


def _ends(run: bytes) -> list[bytes]:
    """The ends of a run of hex digits that are as long as a digest."""
    return [run[-length:] for length in DIGEST_LENGTHS if length < len(run)]


def _decoded(word: bytes, at: int, text: bytes) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """The texts behind one word: base64, hex; the same of the word backwards; hex of digits that are swapped.

    Base64 of text with `+`, `/`, `-` or `_` in it is several words, each a text of its own: in text those stand for the
    end of three bytes, and what follows begins anew. JSON may hold letters that ASCII does not have: it is taken whole.
    """
    run = _BASE64_RUN.match(text, at) if word.startswith(b"eyJ") and (not at or text[at - 1] not in b"+/-_") else None
    if run is not None:
        yield _unbase64(run[0]), ("base64",)
    for written, before in ((word, ()), (word[::-1], ("reversed",))):
        if _BASE64_TEXT.match(written):
            plain = _PRINTABLE.match(_unbase64(written))
            if plain is not None:
                yield plain[0], (*before, "base64")
        if found := _HEX_TEXT.fullmatch(written):
            yield bytes.fromhex(found[1].decode()), (*before, "hex")
    if word.isdigit() and len(word) % 2 == 0 and (found := _HEX_TEXT.fullmatch(swapped(word.decode()).encode())):
        yield bytes.fromhex(found[1].decode()), ("tbcd", "hex")


def _unbase64(word: bytes) -> bytes:
    """Either alphabet, without padding; a character too many is left."""
    word = word.translate(_STANDARD)
    word = word[:-1] if len(word) % 4 == 1 else word
    return base64.b64decode(word + b"=" * (-len(word) % 4))


def unquoted(raw: bytes) -> list[bytes]:
    """`raw`, and with percent-encoding undone as often as it changes anything, MAX_DEPTH times at most."""
    levels = [raw]
    while b"%" in levels[-1] and len(levels) <= MAX_DEPTH:
        plain = unquote_to_bytes(levels[-1])
        if plain == levels[-1]:
            break
        levels.append(plain)
    return levels


def _character(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


def _hit(needle: Needle, chain: tuple[str, ...], token: bytes, behind: str = "") -> Hit:
    text, spelling = needle.text, needle.spelling
    confidence = CONFIRMED
    if "crc32" in spelling.chain:
        confidence = HINT
    elif text.isdigit() and len(text) < SURE_DIGITS:
        confidence = PROBABLE if len(text) >= LIKELY_DIGITS else HINT
    elif len(text) <= MIN_DIGEST:
        confidence = PROBABLE
    words = ", ".join(filter(None, (spelling.words, behind)))
    return Hit(needle.entry, token, (*chain, *spelling.chain), words, confidence)


def _digest_hit(digest: Digest, length: int, chain: tuple[str, ...], token: bytes) -> Hit:
    confidence = CONFIRMED if length >= SURE_DIGEST else PROBABLE if length >= LIKELY_DIGEST else HINT
    words = digest.words()
    if length < 2 * len(digest.compute()):
        words += f", cut to {length} digits"
    return Hit(digest.entry, token, (*chain, digest.algorithm), words, confidence)
