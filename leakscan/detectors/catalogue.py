"""The catalogue: which names may hold what, read from `signatures.toml` and the operator's own file of rules.

In: TOML, one table per signature (docs/detectors/README.md explains the keys). Out: `Catalogue`, whose `lookup(name)`
costs one dict access for a name seen before. A mistake raises `FileMistake` naming file, entry and key.

State: the names already looked up, at most `MAX_NAMES` of them.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from leakscan.detectors import names
from leakscan.errors import FileMistake
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, SEVERITIES, Field, Match

MAX_NAMES = 8192
MAX_RULES_BYTES = 4 << 20

IDENTIFIERS = (
    "msisdn",
    "imsi",
    "imei",
    "iccid",
    "meid_esn",
    "subscriber_token",
    "device_id",
    "advertising_id",
    "mac",
    "email",
    "private_ip",
    "cell_location",
    "apn_or_network_node",
    "subscriber_profile",
    "charging",
    "device_model",
)
#: Who writes the name. What an `app` or a `device` adds comes from the client and not from the network.
ADDED_BY = ("network", "app", "device", "proxy")
#: Where a signature's names count. `query` stands for all parameters: of the target, its path, the Referer, a body.
#: `part` is a value inside a value: `msisdn` in `X-Network-Info`.
PLACES = ("header", "cookie", "query", "user-agent", "part")
NAMED_PLACES = ("header", "cookie", "query", "part")
#: A field's place (model.Field) -> the catalogue's.
PLACE_CLASSES: Mapping[str, str] = {
    "header": "header",
    "response-header": "header",
    "cookie": "cookie",
    "query": "query",
    "referer": "query",
    "path": "query",
    "body": "query",
    "user-agent": "user-agent",
    "part": "part",
}

#: What a value may be under a name that nobody knows (scan.py).
ALONE = ("msisdn", "imsi", "imei", "iccid", "identity", "acr")

_PLMN = re.compile(r"\d{3}-\d{2,3}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Signature:
    """One name, or several spellings of it, and what its values are."""

    id: str  # stable; the `rule` of a leak
    identifier: str  # one of IDENTIFIERS
    formats: tuple[str, ...]  # checks, tried in this order: rows of DETECTORS
    explain: str  # one line for a human
    source: str  # where it was seen
    leaks: tuple[str, ...]  # values that must be found
    clean: tuple[str, ...]  # values that must not
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # instead of names: words that make an unknown name telling
    unless: tuple[str, ...] = ()  # words beside those that make the name one of something else
    places: frozenset[str] = frozenset(NAMED_PLACES)
    added_by: str = "network"
    parameter_by: str = ""  # who writes it in a target or a body, where that differs
    carriers: tuple[str, ...] = ()  # PLMNs, only of names that no other network uses
    confidence: str = "confirmed"  # the most that a valid value is worth
    severity: str = ""  # "" for the usual one of the identifier
    rotating: bool = False
    region: str = ""  # ISO 3166: the country of national numbers under this name
    parts: tuple[str, ...] = ()  # names of the comma-separated parts of a composite value
    beside: tuple[str, ...] = ()  # names that must be in the request, too; else the finding is a hint
    alone: str = ""  # instead of names: one of ALONE
    literal: str = ""  # user-agent only: what must stand in the value ...
    pattern: re.Pattern[str] | None = None  # ... and where the identifier (group 1) is


class Catalogue:
    """Signatures by name. Read-only, but for the memory of names. Of two with one id the later holds."""

    def __init__(self, version: str, signatures: Iterable[Signature]) -> None:
        self.version = version  # date and hash, and the hash of the rules that were added
        self.signatures: Mapping[str, Signature] = {entry.id: entry for entry in signatures}
        backwards = reversed(self.signatures.values())  # of two the first holds
        self.alone: Mapping[str, Signature] = {entry.alone: entry for entry in backwards if entry.alone}
        self._by_key: dict[str, list[Signature]] = {}
        self._by_word: list[tuple[str, tuple[str, ...], Signature]] = []
        for entry in self.signatures.values():
            for name in entry.names:
                self._by_key.setdefault(names.key(name), []).append(entry)
            not_of = tuple(map(names.words, entry.unless))
            self._by_word.extend((names.words(word), not_of, entry) for word in entry.words)
        self.seen: dict[str, tuple[Signature, ...]] = {}
        self.answers: dict[Field, tuple[list[Match], Losses]] = {}  # kept by `detect`

    def lookup(self, name: str) -> tuple[Signature, ...]:
        """The signatures of a name as on the wire; those for its words in the places where the name is unknown."""
        found = self.seen.get(name)
        if found is None:
            found = self._found(name)
            if len(self.seen) >= MAX_NAMES:
                self.seen.clear()
            self.seen[name] = found
        return found

    def _found(self, name: str) -> tuple[Signature, ...]:
        known = self._by_key.get(names.key(name), [])
        taken = frozenset(place for entry in known for place in entry.places)
        spread = names.words(name)
        telling = (
            entry
            for word, not_of, entry in self._by_word
            if word in spread and not any(other in spread for other in not_of)
        )
        rest = [replace(entry, places=entry.places - taken) for entry in dict.fromkeys(telling)]
        return (*dict.fromkeys(known), *(entry for entry in rest if entry.places))

    def with_rules(self, path: str | Path, formats: Collection[str]) -> Catalogue:
        """This catalogue with the operator's rules before it: of two that find the same, theirs is named."""
        content = _read(path)
        own = _signatures(str(path), _table(str(path), content), formats)
        ids = {entry.id for entry in own}
        rest = [entry for entry in self.signatures.values() if entry.id not in ids]
        return Catalogue(f"{self.version} with rules {_digest(content)}", [*own, *rest])

    def explain(self, rule: str) -> str:
        """What a rule looks for, in one line; of a part of a composite value (`x-network-info.msisdn`) both lines."""
        outer, _, inner = rule.partition(".")
        entries = [self.signatures.get(name) for name in ([rule] if rule in self.signatures else [outer, inner])]
        return " ".join(entry.explain for entry in entries if entry is not None)


def parse(file: str, content: bytes, formats: Collection[str]) -> Catalogue:
    """Reads a catalogue; `formats` are the checks there are. `file` names it in errors."""
    table = _table(file, content)
    made = table.pop("date", None)
    if not isinstance(made, date):
        raise FileMistake(file, "date", "a TOML date is needed here")
    return Catalogue(f"{made.isoformat()} {_digest(content)}", _signatures(file, table, formats))


def parse_rules(path: str | Path, formats: Collection[str]) -> Catalogue:
    """The operator's rules alone."""
    content = _read(path)
    return Catalogue(f"rules {_digest(content)}", _signatures(str(path), _table(str(path), content), formats))


def _read(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_RULES_BYTES + 1)
    except OSError as error:
        raise FileMistake(str(path), "", error.strerror or "cannot be read") from error
    if len(content) > MAX_RULES_BYTES:
        raise FileMistake(str(path), "", f"holds more than {MAX_RULES_BYTES} bytes, that is no file of rules")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _table(file: str, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as mistake:
        raise FileMistake(file, "", str(mistake)) from mistake


def _signatures(file: str, table: dict[str, Any], formats: Collection[str]) -> list[Signature]:
    """The entries of a file; its `date`, which the operator's need not have, is none."""
    return [
        _signature(file, entry, keys, formats)
        for entry, keys in table.items()
        if not (entry == "date" and isinstance(keys, date))
    ]


def _signature(file: str, entry: str, keys: Any, formats: Collection[str]) -> Signature:
    if not isinstance(keys, dict):
        raise FileMistake(file, entry, "a table is needed here")
    if not _ID.fullmatch(entry):  # a dot stands between a list's rule and its part's
        raise FileMistake(file, entry, "the name of an entry has letters, digits, - and _, at most 64")
    for key in keys:
        if key not in KEYS:
            raise FileMistake(file, f"{entry}.{key}", f"unknown key; there are {', '.join(KEYS)}")
    values: dict[str, Any] = {"id": entry}
    for key, (kind, allowed, needed) in KEYS.items():
        if key in keys:
            values[key] = _value(file, f"{entry}.{key}", keys[key], kind, formats if key == "formats" else allowed)
        elif needed:
            raise FileMistake(file, f"{entry}.{key}", "missing")
    if "places" in values or "alone" in values:
        values["places"] = frozenset(values.get("places", PLACES))
    if not {"names", "words", "alone"} & set(values):
        values["names"] = (entry,)
    if "pattern" in values:
        values["names"] = ("user-agent",)
        values["pattern"] = _pattern(file, f"{entry}.pattern", values["pattern"])
    for plmn in values.get("carriers", ()):
        if not _PLMN.fullmatch(plmn):
            raise FileMistake(file, f"{entry}.carriers", f"{plmn!r} is no MCC-MNC such as 234-10")
    return Signature(**values)


def _value(file: str, where: str, value: Any, kind: type, allowed: Collection[str]) -> Any:
    if kind is tuple:
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise FileMistake(file, where, "a list of strings is needed here")
        value = tuple(value)
    elif not isinstance(value, kind) or value == "":
        raise FileMistake(file, where, f"a {'string' if kind is str else 'true or false'} is needed here")
    for item in (value if kind is tuple else (value,)) if allowed else ():
        if item not in allowed:
            raise FileMistake(file, where, f"{item!r} is none of {', '.join(sorted(allowed))}")
    return value


def _pattern(file: str, where: str, text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text, re.ASCII)
    except re.error as mistake:
        raise FileMistake(file, where, f"not a regular expression: {mistake}") from mistake
    if pattern.groups != 1:
        raise FileMistake(file, where, "one group, around the identifier, is needed here")
    return pattern


#: key of an entry -> (type, allowed values or () for any, needed)
KEYS: Mapping[str, tuple[type, Collection[str], bool]] = {
    "names": (tuple, (), False),
    "words": (tuple, (), False),
    "unless": (tuple, (), False),
    "places": (tuple, PLACES, False),
    "identifier": (str, IDENTIFIERS, True),
    "formats": (tuple, (), True),
    "added_by": (str, ADDED_BY, False),
    "parameter_by": (str, ADDED_BY, False),
    "carriers": (tuple, (), False),
    "confidence": (str, CONFIDENCES, False),
    "severity": (str, SEVERITIES, False),
    "rotating": (bool, (), False),
    "region": (str, (), False),
    "parts": (tuple, (), False),
    "beside": (tuple, (), False),
    "alone": (str, ALONE, False),
    "literal": (str, (), False),
    "pattern": (str, (), False),
    "explain": (str, (), True),
    "source": (str, (), True),
    "leaks": (tuple, (), True),
    "clean": (tuple, (), True),
}
