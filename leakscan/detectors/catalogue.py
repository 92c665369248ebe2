"""The catalogue: which names may hold what, read from `signatures.toml`.

In: TOML, one table per signature (docs/detectors/README.md explains the keys). Out: `Catalogue`, whose `lookup(name)`
costs one dict access for a name seen before. A mistake raises `FileMistake` naming file, entry and key.

State: the names already looked up, at most `MAX_NAMES` of them.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from leakscan.detectors import names
from leakscan.errors import FileMistake
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, SEVERITIES, Field, Match

MAX_NAMES = 8192

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

_PLMN = re.compile(r"\d{3}-\d{2,3}", re.ASCII)


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
    places: frozenset[str] = frozenset(NAMED_PLACES)
    added_by: str = "network"
    carriers: tuple[str, ...] = ()  # PLMNs, only of names that no other network uses
    confidence: str = "confirmed"  # the most that a valid value is worth
    severity: str = ""  # "" for the usual one of the identifier
    rotating: bool = False
    region: str = ""  # ISO 3166: the country of national numbers under this name
    parts: tuple[str, ...] = ()  # names of the comma-separated parts of a composite value
    literal: str = ""  # user-agent only: what must stand in the value ...
    pattern: re.Pattern[str] | None = None  # ... and where the identifier (group 1) is


class Catalogue:
    """Signatures by name. Read-only, but for the memory of names."""

    def __init__(self, version: str, signatures: Iterable[Signature]) -> None:
        self.version = version  # date and hash
        self.signatures: Mapping[str, Signature] = {entry.id: entry for entry in signatures}
        self._by_key: dict[str, list[Signature]] = {}
        self._by_word: list[tuple[str, Signature]] = []
        for entry in self.signatures.values():
            for name in entry.names:
                self._by_key.setdefault(names.key(name), []).append(entry)
            self._by_word.extend((f"-{word}-", entry) for word in entry.words)
        self.seen: dict[str, tuple[Signature, ...]] = {}
        self.answers: dict[Field, tuple[list[Match], Losses]] = {}  # kept by `detect`

    def lookup(self, name: str) -> tuple[Signature, ...]:
        """The signatures of a name as on the wire; those for its words when the name itself is unknown."""
        found = self.seen.get(name)
        if found is None:
            known = self._by_key.get(names.key(name))
            if known is None:
                spread = names.words(name)
                known = [entry for word, entry in self._by_word if word in spread]
            found = tuple(dict.fromkeys(known))
            if len(self.seen) >= MAX_NAMES:
                self.seen.clear()
            self.seen[name] = found
        return found

    def explain(self, rule: str) -> str:
        """What a rule looks for, in one line; of a part of a composite value (`x-network-info.msisdn`) both lines."""
        outer, _, inner = rule.partition(".")
        entries = [self.signatures.get(name) for name in ([rule] if rule in self.signatures else [outer, inner])]
        return " ".join(entry.explain for entry in entries if entry is not None)


def parse(file: str, content: bytes, formats: Collection[str]) -> Catalogue:
    """Reads a catalogue; `formats` are the checks there are. `file` names it in errors."""
    try:
        table = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as mistake:
        raise FileMistake(file, "", str(mistake)) from mistake
    made = table.pop("date", None)
    if not isinstance(made, date):
        raise FileMistake(file, "date", "a TOML date is needed here")
    signatures = [_signature(file, entry, keys, formats) for entry, keys in table.items()]
    return Catalogue(f"{made.isoformat()} {hashlib.sha256(content).hexdigest()[:12]}", signatures)


def _signature(file: str, entry: str, keys: Any, formats: Collection[str]) -> Signature:
    if not isinstance(keys, dict):
        raise FileMistake(file, entry, "a table is needed here")
    for key in keys:
        if key not in KEYS:
            raise FileMistake(file, f"{entry}.{key}", f"unknown key; there are {', '.join(KEYS)}")
    values: dict[str, Any] = {"id": entry}
    for key, (kind, allowed, needed) in KEYS.items():
        if key in keys:
            values[key] = _value(file, f"{entry}.{key}", keys[key], kind, formats if key == "formats" else allowed)
        elif needed:
            raise FileMistake(file, f"{entry}.{key}", "missing")
    if "places" in values:
        values["places"] = frozenset(values["places"])
    if "names" not in values and "words" not in values:
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
    "places": (tuple, PLACES, False),
    "identifier": (str, IDENTIFIERS, True),
    "formats": (tuple, (), True),
    "added_by": (str, ADDED_BY, False),
    "carriers": (tuple, (), False),
    "confidence": (str, CONFIDENCES, False),
    "severity": (str, SEVERITIES, False),
    "rotating": (bool, (), False),
    "region": (str, (), False),
    "parts": (tuple, (), False),
    "literal": (str, (), False),
    "pattern": (str, (), False),
    "explain": (str, (), True),
    "source": (str, (), True),
    "leaks": (tuple, (), True),
    "clean": (tuple, (), True),
}
