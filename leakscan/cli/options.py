"""What several commands share: choices, flags, what a command gives back. Imports nothing heavier than click."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

#: As in leakscan.formats.FORMATS and leakscan.model; a test holds them equal. Not imported: `--help` is fast.
FORMATS = ("table", "jsonl", "json", "csv", "markdown", "html", "incident")
SEVERITIES = ("low", "medium", "high", "critical")
CONFIDENCES = ("hint", "probable", "confirmed")

Command = Callable[..., Any]
Job = Callable[[], int]  # what a command comes to; run when click is done, which has its own idea of a closed pipe


class Measured(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A number with a unit behind it, or without one."""

    def __init__(self, name: str, units: Mapping[str, int], least: int, most: int) -> None:
        self.name = name
        self._units = units
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | int:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([a-zA-Z]*)", value.strip())
        unit = None if found is None else self._units.get(found[2].lower())
        if found is None or unit is None:
            self.fail(f"{value!r} is no {self.name}: a number, then {', '.join(filter(None, self._units))} or nothing")
        amount = float(found[1]) * unit
        if not self._least <= amount <= self._most:
            self.fail(f"{value!r} is not between {self._least} and {self._most}")
        return int(amount) if amount == int(amount) else amount


DURATION = Measured("time", {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}, 1, 10 * 366 * 86400)
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def size(least: int, most: int) -> Measured:
    """A number of bytes within bounds."""
    return Measured("size", _BYTES, least, most)


def reads_captures(command: Command) -> Command:
    """Flags of every command that reads captures."""
    for option in (
        click.option("--sieve/--no-sieve", default=True, hidden=True),
        click.option(
            "--progress", type=click.Choice(["auto", "never"]), default="auto", show_default=True,
            help="A bar on stderr, by bytes, when that is a terminal.",
        ),
        click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is."),
        click.option("-q", "--quiet", is_flag=True, default=False, help="No progress and outcome; with -o no stdout."),
        click.argument("captures", nargs=-1, required=True, metavar="CAPTURE..."),
    ):  # fmt: skip
        command = option(command)
    return command
