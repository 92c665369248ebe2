"""The behaviours that a team knows of: the file of `--baseline`, which only `leakscan baseline write` writes.

Comes in: a JSON file; rows of `behaviours`. Goes out: entries by fingerprint, and the file's text. State: the entries.

An entry names a behaviour and holds no value, time, position, network or count, so the file does not change with the
test phone, the run or an updated table, and a pull request shows what is new. `reviewed` and `reason` are for people
and survive when the file is written anew; so do the words of an entry, which may differ in spelling from run to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from leakscan.errors import FileMistake
from leakscan.fingerprint import registrable_domain
from leakscan.show import HIDDEN, redact
from leakscan.tomlfile import nearest, read_text

SCHEMA = 1
DEFAULT = "leakscan.baseline.json"
#: More than there can be behaviours in a hundred results.
MAX_ENTRIES = 500_000

Json = dict[str, Any]
FINGERPRINT = re.compile(r"v1:[a-z2-7]{16}")


class Entry(NamedTuple):
    """One behaviour."""

    rule: str
    place: str
    name: str
    domain: str
    fingerprint: str
    reviewed: bool = False
    reason: str = ""


KEYS = Entry._fields
FILE_KEYS = ("schema", "behaviours")


class Baseline:
    """Entries by fingerprint."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = entries

    @classmethod
    def load(cls, path: str) -> Baseline:
        """Reads the file at `path`. Raises FileMistake, which names file, entry and key."""
        try:
            document = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            reason = str(error) if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            raise FileMistake(path, "", f"is not JSON: {reason}") from None
        if not isinstance(document, dict) or "behaviours" not in document:
            raise FileMistake(path, "", 'is no baseline: "behaviours" is missing; leakscan baseline write makes one')
        _known(path, "", document, FILE_KEYS)
        schema = document.get("schema")
        if schema != SCHEMA or isinstance(schema, bool):
            raise FileMistake(path, "", f"schema: must be {SCHEMA}")
        rows = document["behaviours"]
        if not isinstance(rows, list) or len(rows) > MAX_ENTRIES:
            raise FileMistake(path, "", f"behaviours: must be a list of at most {MAX_ENTRIES:,}")
        entries: dict[str, Entry] = {}
        for number, row in enumerate(rows, 1):
            entry = _entry(path, f"behaviour {number}", row)
            if entry.fingerprint in entries:
                raise FileMistake(path, f"behaviour {number}", f"fingerprint: {entry.fingerprint} is there twice")
            entries[entry.fingerprint] = entry
        return cls(entries)

    @classmethod
    def of(cls, rows: Iterable[Json], before: Baseline | None = None) -> Baseline:
        """The baseline of these behaviours; what `before` says of one stays."""
        known = {} if before is None else before.entries
        return cls({row["fingerprint"]: known.get(row["fingerprint"]) or made(row) for row in rows})

    def text(self) -> str:
        """The file: sorted, one key a line."""
        rows = [entry._asdict() for entry in sorted(self.entries.values())]
        return json.dumps({"schema": SCHEMA, "behaviours": rows}, indent=2, ensure_ascii=True) + "\n"

    def gone(self, seen: Iterable[str]) -> list[Entry]:
        """Entries that are not among the fingerprints `seen`."""
        return sorted(self.entries[fingerprint] for fingerprint in self.entries.keys() - set(seen))


def made(row: Json) -> Entry:
    """The entry of a row of `behaviours`, without what depends on the run."""
    named = [host for host in row["hosts"] if host != HIDDEN]  # those of a report may be unnamed, in part
    domain = registrable_domain((named or row["hosts"] or [""])[0])
    return Entry(row["rule"], row["place"], redact(row["name"]).lower(), domain, row["fingerprint"])


def _entry(path: str, where: str, row: object) -> Entry:
    if not isinstance(row, dict):
        raise FileMistake(path, where, "must be an object")
    _known(path, where, row, KEYS)
    values: Json = {"reviewed": False, "reason": ""}
    for key in KEYS:
        kind = bool if key == "reviewed" else str
        if key in row:
            values[key] = row[key]
        if key not in values:
            raise FileMistake(path, where, f"{key}: missing")
        if not isinstance(values[key], kind):
            raise FileMistake(path, where, f"{key}: must be {'true or false' if kind is bool else 'text'}")
    if not FINGERPRINT.fullmatch(values["fingerprint"]):
        raise FileMistake(path, where, 'fingerprint: must be "v1:" and 16 characters, as results have it')
    return Entry(**values)


def _known(path: str, where: str, table: Json, keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            raise FileMistake(path, where, f"{key}: unknown key; {nearest(key, keys)}")
