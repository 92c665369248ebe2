"""What a team has decided not to hear of, why, and until when: `.leakscanignore.toml`.

Comes in: a TOML file; then rows of `behaviours`. Goes out: the entry that fits a row. State: the entries, and which of
them fitted anything. An entry names a behaviour by its fingerprint, or by rule, host and name, of which all that are
given must fit. It covers a behaviour only when every host of it fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from leakscan.baseline import FINGERPRINT
from leakscan.policy import host_fits, host_pattern
from leakscan.show import redact
from leakscan.tomlfile import TomlFile

DEFAULT = ".leakscanignore.toml"
KEYS = ("fingerprint", "rule", "host", "name", "reason", "expires", "owner")

Json = dict[str, Any]


class Ignore(NamedTuple):
    """One `[[ignore]]` of the file."""

    number: int  # its place in the file, from 1
    reason: str
    fingerprint: str | None = None
    rule: str | None = None
    host: str | None = None  # exact, or `*.` and the labels behind it
    name: str | None = None  # lower case
    expires: date | None = None  # the last day, UTC
    owner: str | None = None

    def fits(self, row: Json) -> bool:
        """Whether a row of `behaviours` is meant."""
        if self.fingerprint is not None:
            return bool(row["fingerprint"] == self.fingerprint)
        if self.rule is not None and row["rule"] != self.rule:
            return False
        if self.name is not None and row["name"].lower() != self.name:
            return False
        return self.host is None or _all_fit(self.host, row)

    def has_expired(self, today: date) -> bool:
        return self.expires is not None and today > self.expires

    def what(self) -> str:
        """How it names a behaviour, in words."""
        if self.fingerprint is not None:
            return f"fingerprint {self.fingerprint}"
        keys = {"rule": self.rule, "host": self.host, "name": self.name}
        return ", ".join(f"{key} {redact(value)}" for key, value in keys.items() if value is not None)


class Ignores:
    """All entries of a file."""

    def __init__(self, entries: tuple[Ignore, ...]) -> None:
        self.entries = entries

    @classmethod
    def load(cls, path: str) -> Ignores:
        """Reads the file at `path`. Raises FileMistake, which names file, entry and key."""
        return cls(tuple(_Reader(path).ignores()))

    def fitting(self, row: Json) -> Iterator[Ignore]:
        return (entry for entry in self.entries if entry.fits(row))


def _all_fit(pattern: str, row: Json) -> bool:
    """All hosts of the behaviour; more of them than are named are never all known to fit."""
    return row["host_count"] <= len(row["hosts"]) and all(host_fits(pattern, host) for host in row["hosts"])


class _Reader(TomlFile):
    """One reading of an ignore file."""

    def ignores(self) -> Iterator[Ignore]:
        for number, table in enumerate(self.tables("ignore"), 1):
            yield self.ignore(number, table)

    def ignore(self, number: int, table: dict[str, Any]) -> Ignore:
        self.known(table, KEYS)
        form = '"v1:" and 16 characters, as results have it'
        fingerprint = self.text(table, "fingerprint", FINGERPRINT.pattern, form)
        rule, host, name = self.text(table, "rule"), self.host(table), self.text(table, "name")
        others = [key for key in ("rule", "host", "name") if key in table]
        if fingerprint is None and not others:
            raise self.mistake("fingerprint: missing; or give rule, host or name")
        if fingerprint is not None and others:
            raise self.mistake(f"{others[0]}: the fingerprint says it already; give one or the other")
        return Ignore(
            number=number,
            reason=self.needed(table, "reason"),
            fingerprint=fingerprint,
            rule=rule,
            host=host,
            name=None if name is None else name.lower(),
            expires=self.day(table, "expires"),
            owner=self.text(table, "owner"),
        )

    def host(self, table: dict[str, Any]) -> str | None:
        text = self.text(table, "host")
        try:
            return None if text is None else host_pattern(text)
        except ValueError as error:
            raise self.mistake(f'host: "{text}" {error}') from None
