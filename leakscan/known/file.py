"""The operator's own identifiers, to be found wherever they are sent: the file of `--known` (docs/known.md).

Comes in: a TOML file. Goes out: its entries, each with the normal form that the detectors give such a value, so that
its pseudonym is that of the same value found plainly. A mistake raises FileMistake, which names file, entry and key and
never a value. State: none. Bounds: `MAX_ENTRIES`, `MAX_SALTS`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from leakscan.detectors import DETECTORS
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import PLAIN, PLAUSIBLE, VALID
from leakscan.errors import FileMistake
from leakscan.show import redact

MAX_ENTRIES = 10_000
MAX_SALTS = 8
MIN_CHARS = 7
MAX_CHARS = 1024

#: Kind -> the checks that tell its normal form, in this order, and what a value must be.
KINDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "msisdn": (("msisdn",), "a phone number with its country code"),
    "imsi": (("imsi",), "an IMSI"),
    "imei": (("imei",), "an IMEI or IMEISV"),
    "iccid": (("iccid",), "an ICCID"),
    "meid_esn": (("meid",), "a MEID or ESN"),
    "mac": (("mac",), "a MAC address"),
    "email": (("email",), "an e-mail address"),
    "device_id": (("android-id", "udid", "pin"), "an Android ID, a UDID or a PIN"),
    "advertising_id": (("uuid",), "an advertising id"),
    "subscriber_token": (("uidh", "vf-acr", "acr", "opaque"), "one word with a digit in it"),
}
KEYS = ("kind", "value", "label", "salt")


class Entry(NamedTuple):
    """One `[[known]]` of the file."""

    number: int  # its place in the file, from 1
    kind: str
    value: str  # as a leak would give it
    normal: str
    label: str  # without the value
    salts: tuple[str, ...]  # those of the file, too
    home: tuple[str, ...]  # PLMNs that the value is evidence for


def load(path: str) -> tuple[Entry, ...]:
    """All entries of the file at `path`."""
    return tuple(_Reader(path).entries())


class _Reader:
    """One reading of a file: knows where in it it is."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.where = ""

    def mistake(self, reason: str) -> FileMistake:
        return FileMistake(self.path, self.where, reason)

    def entries(self) -> Iterator[Entry]:
        document = self.document()
        self.check_keys(document, ("known", "salt"))
        shared = self.salts(document)
        tables = document.get("known")
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            raise self.mistake("there is no [[known]] in it")
        if len(tables) > MAX_ENTRIES:
            raise self.mistake(f"has {len(tables):,} entries, at most {MAX_ENTRIES:,} are looked for")
        seen: dict[tuple[str, str], int] = {}
        for number, table in enumerate(tables, 1):
            self.where = f"known {number}"
            entry = self.entry(number, table, shared)
            first = seen.setdefault((entry.kind, entry.normal), number)
            if first != number:
                raise self.mistake(f"value: is that of known {first}")
            yield entry

    def document(self) -> dict[str, Any]:
        try:
            return tomllib.loads(Path(self.path).read_text(encoding="utf-8"))
        except OSError as error:
            raise self.mistake(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self.mistake("is not UTF-8 text") from None
        except tomllib.TOMLDecodeError as error:
            raise self.mistake(f"is not TOML: {error}") from None

    def check_keys(self, table: dict[str, Any], keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                raise self.mistake(f"{key}: unknown key; " + (f"did you mean {near[0]}?" if near else _there_are(keys)))

    def entry(self, number: int, table: dict[str, Any], shared: tuple[str, ...]) -> Entry:
        value, label = table.get("value"), table.get("label", "")
        if isinstance(label, str) and label.strip():
            label = redact(label, [value] if isinstance(value, str) else [])
            self.where += f' ("{label}")'
        elif "label" in table:
            raise self.mistake("label: must be text")
        self.check_keys(table, KEYS)
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            raise self.mistake(f"kind: {'missing' if kind is None else 'unknown'}; {_there_are(KINDS)}")
        if not isinstance(value, str) or not value.strip():
            raise self.mistake("value: missing, or no text in quotes")
        text = value.strip()
        if not MIN_CHARS <= len(text) <= MAX_CHARS or not text.isascii():
            raise self.mistake(f"value: must have {MIN_CHARS} to {MAX_CHARS} ASCII characters")
        salts = tuple(dict.fromkeys((*shared, *self.salts(table))))
        return self.judged(Entry(number, kind, text, "", label, salts, ()))

    def judged(self, entry: Entry) -> Entry:
        """With the value and normal form that the detectors give it."""
        formats, what = KINDS[entry.kind]
        for name in formats:
            verdict = DETECTORS[name].check(entry.value, _SIGNATURE)
            own = not verdict.identifier or verdict.identifier == entry.kind
            known = verdict.grade == VALID or (verdict.grade == PLAUSIBLE and len(formats) == 1)
            if known and own and verdict.form == PLAIN and "national form" not in verdict.evidence:
                normal = verdict.normal or verdict.value
                return entry._replace(value=verdict.value, normal=normal, home=verdict.home)
        raise self.mistake(f"value: is not {what}")

    def salts(self, table: dict[str, Any]) -> tuple[str, ...]:
        given = table.get("salt", [])
        salts = [given] if isinstance(given, str) else given
        if not isinstance(salts, list) or not all(isinstance(salt, str) and salt for salt in salts):
            raise self.mistake("salt: must be text, or a list of texts")
        if len(salts) > MAX_SALTS:
            raise self.mistake(f"salt: at most {MAX_SALTS}")
        return tuple(salts)


def _there_are(words: Any) -> str:
    return f"there are {', '.join(words)}"


#: The name under which the checks see a value: one that is known, and that networks use.
_SIGNATURE = Signature("known-value", "", (), "", "", (), ())
