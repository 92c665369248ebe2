"""The operator's TOML files: read with every mistake named by file, entry and key.

Comes in: the path of a file. Goes out: its tables, and single values checked for their form. State of a `TomlFile`:
where in the file the reader is, for the message. Raises FileMistake and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from leakscan.errors import FileMistake

#: A file of the operator's that is longer is something else, named by mistake.
MAX_FILE_BYTES = 16 << 20


class TomlFile:
    """One reading of one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.where = ""  # the entry that is being read

    def mistake(self, reason: str) -> FileMistake:
        return FileMistake(self.path, self.where, reason)

    def document(self) -> dict[str, Any]:
        """The whole file."""
        try:
            return tomllib.loads(read_text(self.path))
        except tomllib.TOMLDecodeError as error:
            raise self.mistake(f"is not TOML: {error}") from None

    def tables(self, name: str) -> Iterator[dict[str, Any]]:
        """Each `[[name]]` of a file that holds nothing else; `where` is the entry's number meanwhile."""
        document = self.document()
        self.known(document, (name,))
        tables = document.get(name)
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            raise self.mistake(f"there is no [[{name}]] in it")
        for number, table in enumerate(tables, 1):
            self.where = f"{name} {number}"
            yield table

    def known(self, table: dict[str, Any], keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                raise self.mistake(f"{key}: unknown key; {nearest(key, keys)}")

    def text(self, table: dict[str, Any], key: str, pattern: str = r".*\S.*", form: str = "text") -> str | None:
        """A string that the whole of `pattern` fits; None when it is not there."""
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.mistake(f"{key}: must be {form}")
        return value

    def needed(self, table: dict[str, Any], key: str) -> str:
        """A string that has to be there."""
        value = self.text(table, key)
        if value is None:
            raise self.mistake(f"{key}: missing")
        return value

    def texts(self, table: dict[str, Any], key: str, example: str) -> list[str]:
        """A list of strings, not empty, that has to be there."""
        value = table.get(key)
        if value is None:
            raise self.mistake(f"{key}: missing")
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise self.mistake(f"{key}: must be a list of strings, such as {example}")
        return value

    def flag(self, table: dict[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.mistake(f"{key}: must be true or false")
        return value

    def day(self, table: dict[str, Any], key: str) -> date | None:
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, datetime) or not isinstance(value, date):
            raise self.mistake(f"{key}: must be a date without quotes or time, such as 2012-01-31 (days are UTC)")
        return value


def is_there(path: str) -> bool:
    """Whether there is a file of that name; no, where this user may not look."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def read_text(path: str) -> str:
    """A file of the operator's as text; raises FileMistake."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise FileMistake(path, "", f"is longer than {MAX_FILE_BYTES:,} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise FileMistake(path, "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FileMistake(path, "", "is not UTF-8 text") from None


def nearest(word: str, known: tuple[str, ...]) -> str:
    """What may have been meant."""
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
