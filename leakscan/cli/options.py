"""What several commands share: choices, flags, what a command gives back. Imports nothing heavier than click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

#: As in leakscan.formats.FORMATS and leakscan.model; a test holds them equal. Not imported: `--help` is fast.
FORMATS = ("table", "jsonl", "json", "csv", "markdown", "html", "incident")
SEVERITIES = ("low", "medium", "high", "critical")
CONFIDENCES = ("hint", "probable", "confirmed")

Command = Callable[..., Any]
Job = Callable[[], int]  # what a command comes to; run when click is done, which has its own idea of a closed pipe


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
