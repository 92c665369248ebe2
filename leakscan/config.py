"""What holds when a flag is not given: a file, and above it the environment.

Comes in: the name of a file or none, the environment, the keys there are. Goes out: settings as they were written, each
with where it comes from; what the values may be is the command line's to say. State: none.

The file is the one that `--config` or LEAKSCAN_CONFIG names, else `leakscan.toml`, else `[tool.leakscan]` in
`pyproject.toml`, of the working folder and of no other. One file counts, not several.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from leakscan.tomlfile import TomlFile, is_there

FILE, PROJECT = "leakscan.toml", "pyproject.toml"
PREFIX = "LEAKSCAN_"


class Setting(NamedTuple):
    """One value, not yet checked."""

    value: Any  # of a file its TOML type, of the environment text
    file: str  # "" when it comes from the environment
    origin: str  # for people: the file's name, or the variable's


def settings(named: str | None, environment: Mapping[str, str], keys: Collection[str]) -> dict[str, Setting]:
    """Setting by key. `named` "" means no file. Raises FileMistake for a key that is none."""
    found: dict[str, Setting] = {}
    path, table = _table(named, environment)
    TomlFile(path).known(table, tuple(keys))
    for key, value in table.items():
        found[key] = Setting(value, path, path)
    for key in keys:
        name = variable(key)
        if name in environment:
            found[key] = Setting(environment[name], "", name)
    return found


def variable(key: str) -> str:
    """The environment variable of a key: `fail-on` is LEAKSCAN_FAIL_ON."""
    return PREFIX + key.upper().replace("-", "_")


def beside(file: str, path: str) -> str:
    """A path that `file` names, as seen from the working folder: it is meant from the file's folder."""
    return str(Path(file).parent / path) if path else path


def _table(named: str | None, environment: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The file that counts, and its table; ("", {}) of none."""
    if named is None:
        named = environment.get(variable("config"))
    if named is not None:
        return named, _read(named) if named else {}
    for name in (FILE, PROJECT):
        table = _read(name) if is_there(name) else {}
        if table:
            return name, table
    return "", {}


def _read(path: str) -> dict[str, Any]:
    file = TomlFile(path)
    table = file.document()
    for key in ("tool", "leakscan") if Path(path).name == PROJECT else ():
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise file.mistake(f"{key}: must be a table")
    return table
