"""The raw value stops here: what leaves is a mask, a keyed pseudonym, and text with the numbers taken out.

Comes in: values, addresses and captured strings. Goes out: the same, fit for a result. State: the key, for one run, and
the last answers. The key is never shown: `key_id` tells two keys apart and gives nothing of them away. Pseudonyms are
HMAC-SHA-256, RFC 2104, because a plain hash of a phone number is found by trying them all.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from leakscan.errors import FileMistake
from leakscan.masks import mask
from leakscan.show import redact

MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 1 << 16
PSEUDONYM_CHARS = 12
KEY_ID_CHARS = 8
MAX_REMEMBERED_CHARS = 512
MAC_BYTES = 10  # make 16 characters: no more are shown
REMEMBERED = 4096  # pseudonyms


class Concealer:
    """Masks, pseudonyms and redacted text of one run.

    `key` is at least `MIN_KEY_BYTES` long (`read_key`); without one a random key serves this run alone, and its
    pseudonyms can be compared with nobody else's. `show_values` lets values, addresses and strings through as they
    are; pseudonyms stay.
    """

    def __init__(self, key: bytes | None = None, show_values: bool = False) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._known: dict[tuple[str, str], str] = {}
        self.show_values = show_values
        kind = "run" if key is None else "key"
        self.key_id = f"{kind}:{self._mac('leakscan key id', '')[:KEY_ID_CHARS]}"

    def pseudonym(self, kind: str, normal: str) -> str:
        """`kind:` and 12 lower-case base32 characters of the HMAC over kind and normal form."""
        known = self._known.get((kind, normal))
        if known is None:
            known = f"{kind}:{self._mac(kind, normal)[:PSEUDONYM_CHARS]}"
            if len(normal) <= MAX_REMEMBERED_CHARS:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[kind, normal] = known
        return known

    def value(self, identifier: str, value: str, normal: str = "") -> str:
        """The mask of a value (`masks.mask`), or the value when values are shown."""
        return value if self.show_values else mask(identifier, value, normal)

    def client(self, address: str) -> str:
        """`ip:` and the pseudonym of a client's address, or the address when values are shown."""
        return address if self.show_values else self.pseudonym("ip", address)

    def redact(self, text: str, spans: Collection[str] = ()) -> str:
        """A captured string without numbers, addresses, ids and `spans` (`show.redact`), unless values are shown."""
        if self.show_values:
            return text
        if spans and ("%" in text or _holds(text, spans)):
            return redact(text, spans)
        return _redacted(text) if len(text) <= MAX_REMEMBERED_CHARS else redact(text)

    def seal_key(self) -> bytes:
        """A key to seal results with, of which nobody finds the key of the pseudonyms."""
        return hmac.digest(self._key, b"leakscan seal", "sha256")

    def _mac(self, kind: str, normal: str) -> str:
        message = f"{kind}\0{normal}".encode("utf-8", "surrogatepass")
        return b32encode(hmac.digest(self._key, message, "sha256")[:MAC_BYTES]).decode("ascii").lower()


def _holds(text: str, spans: Collection[str]) -> bool:
    """Whether one of `spans` stands in `text`, whatever its case."""
    lower = text.lower()
    return any(span.lower() in lower for span in spans)


@lru_cache(maxsize=REMEMBERED)
def _redacted(text: str) -> str:
    """`redact` for what comes often: hosts, names, paths."""
    return redact(text)


def read_key(path: str | Path) -> bytes:
    """The key of `--pseudonym-key FILE`: the file's bytes as they are. A file that is no key raises FileMistake."""
    try:
        with Path(path).open("rb") as file:
            key = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise FileMistake(str(path), "", error.strerror or "cannot be read") from error
    if len(key) < MIN_KEY_BYTES:
        raise FileMistake(str(path), "", f"holds {len(key)} bytes, a pseudonym key has at least {MIN_KEY_BYTES}")
    if len(key) > MAX_KEY_BYTES:
        raise FileMistake(str(path), "", f"holds more than {MAX_KEY_BYTES} bytes, that is no pseudonym key")
    return key
