"""What several commands share: choices, flags, what a command gives back. Imports nothing heavier than click."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from leakscan.errors import FileMistake, LeakscanError, UsageError

if TYPE_CHECKING:
    from leakscan.config import Setting

#: As in leakscan.formats.FORMATS and leakscan.model; a test holds them equal. Not imported: `--help` is fast.
FORMATS = ("table", "jsonl", "json", "csv", "markdown", "html", "incident", "sarif", "junit", "github")
SEVERITIES = ("low", "medium", "high", "critical")
CONFIDENCES = ("hint", "probable", "confirmed")

Command = Callable[..., Any]
Flag = Callable[[Command], Command]
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


class CommandLineOnly(click.Option):
    """A flag that neither a file nor the environment can set."""


def configured(command: Command) -> Command:
    """`--config`, and with it the values of a file and of the environment for all flags that are not given."""
    option = click.option(
        "-c", "--config", cls=CommandLineOnly, metavar="FILE", default=None, is_eager=True, expose_value=False,
        callback=_configure,
        help="Flags as TOML; leakscan.toml or [tool.leakscan] in pyproject.toml if there. '' for none.",
    )  # fmt: skip
    return option(command)


def _configure(context: click.Context, _: click.Parameter, named: str | None) -> None:
    mine = {option_key(option): option.name for option in _settable(context.command)}
    values = configured_values(named)
    context.default_map = {mine[key]: value for key, (value, _) in values.items() if key in mine}


def configured_values(named: str | None) -> dict[str, tuple[Any, str]]:
    """Key -> value and origin of all that a file or the environment sets. Raises FileMistake, UsageError."""
    from leakscan.config import settings

    options = configurable()
    found = settings(named, os.environ, options)
    return {key: (_checked(key, options[key], setting), setting.origin) for key, setting in found.items()}


def configurable() -> dict[str, click.Option]:
    """The flags of all commands that have `--config`, by their long name."""
    from leakscan.cli import leaf_commands

    found: dict[str, click.Option] = {}
    for _, command in leaf_commands():
        if any(parameter.name == "config" for parameter in command.params):
            for option in _settable(command):
                found.setdefault(option_key(option), option)
    return found


def _settable(command: click.Command) -> list[click.Option]:
    options = (option for option in command.params if isinstance(option, click.Option) and not option.hidden)
    return [option for option in options if not isinstance(option, CommandLineOnly)]


def option_key(option: click.Option) -> str:
    return max(option.opts, key=len).removeprefix("--")


def _checked(key: str, option: click.Option, setting: Setting) -> Any:
    """The value of a setting as the flag would have it."""
    from leakscan.config import beside

    items = setting.value
    if not setting.file and option.multiple:
        items = items.splitlines()
    if not isinstance(items, list):
        items = [items]
    elif not option.multiple:
        raise _mistake(key, setting, "must be one value, not a list")
    values = [_converted(key, option, setting, item) for item in items]
    if setting.file and option.name in ("outputs", "write", "record", "evidence"):
        values = [_beside_output(key, setting, value) for value in values]
    elif setting.file and option.metavar == "FILE":
        values = [beside(setting.file, value) for value in values]
    return values if option.multiple else values[0]


def _converted(key: str, option: click.Option, setting: Setting, item: object) -> Any:
    kinds: tuple[type, ...] = (bool,) if option.is_flag else (str,)
    if isinstance(option.type, click.IntRange | click.FloatRange):
        kinds = (int,) if isinstance(option.type, click.IntRange) else (int, float)
    if setting.file and type(item) not in kinds:
        names = {bool: "true or false", int: "a number", str: "a string"}
        raise _mistake(key, setting, f"must be {names[kinds[0]]}")
    try:
        return option.type.convert(item, option, None)
    except click.BadParameter as error:
        raise _mistake(key, setting, error.message.removesuffix(".")) from None


def _beside_output(key: str, setting: Setting, spec: str) -> str:
    """A file that came with somebody's repository must not write outside of it."""
    from leakscan.config import beside

    word, mark, path = spec.partition("=")
    if not mark or not re.fullmatch("[a-z][a-z0-9-]*", word):
        word, mark, path = "", "", spec
    if path.startswith("/") or ".." in path.split("/"):
        raise _mistake(key, setting, f"{path}: must lie in the folder of this file or below it")
    return f"{word}{mark}{beside(setting.file, path)}"


def _mistake(key: str, setting: Setting, reason: str) -> LeakscanError:
    if setting.file:
        return FileMistake(setting.file, "", f"{key}: {reason}")
    return UsageError(f"{setting.origin}: {reason}")


def shows_results(command: Command) -> Command:
    """Flags of every command that shows a result and judges it: what is shown where, and what counts."""
    flags: tuple[Flag, ...] = (
        format_option(),
        click.option(
            "-o", "--output", "outputs", multiple=True, default=(), metavar="FILE",
            help="Also write to FILE, in the format of its suffix (.txt .jsonl .json .csv .md .html .sarif .xml "
            ".parquet), or FORMAT=FILE; parquet=DIR/ has a part for each day. Repeatable.",
        ),
        policy_option(),
        click.option(
            "-b", "--baseline", metavar="FILE", default=None,
            help="Behaviours that are known; leakscan.baseline.json if there. '' for none.",
        ),
        click.option(
            "--baseline-mode", type=click.Choice(["new", "all"]), default="new", show_default=True,
            help="Whether only what is new counts, or what the baseline knows too.",
        ),
        ignoring_option(),
        today_option(),
        click.option(
            "--fail-on", type=click.Choice(["none", *SEVERITIES]), default="medium", show_default=True,
            help="Exit with 1 for a behaviour at least this severe that nothing covers.",
        ),
        click.option(
            "--strict", is_flag=True, default=False,
            help="Exit with 3 when something was not read, even if there is a leak.",
        ),
        click.option(
            "--allow-inconclusive", is_flag=True, default=False, help="Accept captures without a readable request.",
        ),
        click.option("--exit-zero", is_flag=True, default=False, help="Exit with 0 where it would be 1 or 3."),
        click.option(
            "--fail-on-unused-ignores", is_flag=True, default=False,
            help="Exit with 2 when an entry of the ignore file fits nothing.",
        ),
        click.option("--explain", is_flag=True, default=False, help="Say on stderr of each leak why it counts or not."),
        color_option(),
    )  # fmt: skip
    for option in reversed(flags):
        command = option(command)
    return command


def format_option() -> Flag:
    return click.option(
        "-f", "--format", type=click.Choice(FORMATS), default="table", show_default=True, help="Of stdout.",
    )  # fmt: skip


def color_option() -> Flag:
    return click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
        help="Colour in the table; NO_COLOR in the environment turns auto off.",
    )  # fmt: skip


def confidence_option(
    help: str = "What is less sure is not shown and does not count.",
    default: str = "probable",
    cls: type[click.Option] = click.Option,
) -> Flag:
    return click.option(
        "--min-confidence", cls=cls, type=click.Choice(CONFIDENCES), default=default, show_default=True, help=help,
    )  # fmt: skip


def values_option(help: str) -> Flag:
    return click.option("--show-values", cls=CommandLineOnly, is_flag=True, default=False, help=help)


def key_option(help: str = "Key of the pseudonyms, at least 16 bytes; random if not given.") -> Flag:
    return click.option("--pseudonym-key", metavar="FILE", default=None, help=help)


def networks_option() -> Flag:
    return click.option(
        "--networks", metavar="FILE", default=None,
        help="TOML: which network uses which addresses (docs/networks.md).",
    )  # fmt: skip


def asn_option() -> Flag:
    return click.option(
        "--asn-db", metavar="FILE", default=None,
        help="MMDB: which autonomous system uses which addresses (docs/attribution.md).",
    )  # fmt: skip


def rules_option() -> Flag:
    return click.option(
        "--rules", metavar="FILE", default=None, help="TOML: more names to look for (docs/detectors/README.md).",
    )  # fmt: skip


def known_option(what: str = "found in every form and place") -> Flag:
    return click.option(
        "--known", metavar="FILE", default=None,
        help=f"TOML: your own identifiers, to be {what} (docs/known.md).",
    )  # fmt: skip


def progress_option() -> Flag:
    return click.option(
        "--progress", type=click.Choice(["auto", "never"]), default="auto", show_default=True,
        help="A bar on stderr, by bytes, when that is a terminal.",
    )  # fmt: skip


def verbose_option() -> Flag:
    return click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is.")


def quiet_option(help: str) -> Flag:
    return click.option("-q", "--quiet", is_flag=True, default=False, help=help)


def policy_option() -> Flag:
    return click.option("--policy", metavar="FILE", default=None, help="TOML: who may receive what (docs/policy.md).")


def ignoring_option() -> Flag:
    return click.option(
        "--ignore-file", metavar="FILE", default=None,
        help="TOML: what not to count, and why; .leakscanignore.toml if there. '' for none.",
    )  # fmt: skip


def today_option() -> Flag:
    return click.option(
        "--today", cls=CommandLineOnly, metavar="DATE", default=None,
        help="The day on which entries of the ignore file expire or not; the day it is, UTC, if not given.",
    )  # fmt: skip


def max_drops_option(help: str, default: float | None = None) -> Flag:
    return click.option(
        "--max-drops", type=click.FloatRange(0, 100), metavar="PERCENT", default=default,
        show_default=default is not None, help=help,
    )  # fmt: skip


def reads_captures(command: Command) -> Command:
    """Flags of every command that reads captures."""
    for option in (
        click.option("--sieve/--no-sieve", default=True, hidden=True),
        progress_option(),
        verbose_option(),
        quiet_option("No progress and outcome; with -o no stdout."),
        click.argument("captures", nargs=-1, required=True, metavar="CAPTURE..."),
    ):  # fmt: skip
        command = option(command)
    return command
