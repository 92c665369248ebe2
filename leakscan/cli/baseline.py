"""`leakscan baseline`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    CommandLineOnly,
    Job,
    confidence_option,
    configured,
    ignoring_option,
    policy_option,
    quiet_option,
    today_option,
    verbose_option,
)


@click.group("baseline")
def command() -> None:
    """Keep the list of known behaviours.

    \b
    Example:
      leakscan baseline write recordings/
    """


@command.command("write", epilog="Exit codes: 0 written, 2 usage, 70 internal error.")
@click.option(
    "-o", "--output", cls=CommandLineOnly, metavar="FILE", default="leakscan.baseline.json", show_default=True,
    help="The baseline; what stands in it as reviewed or as reason stays.",
)  # fmt: skip
@policy_option()
@ignoring_option()
@today_option()
@confidence_option("What is less sure is not taken into it.")
@quiet_option("Say nothing when it is written.")
@verbose_option()
@configured
@click.argument("sources", nargs=-1, required=True, metavar="CAPTURE_OR_RESULT...")
def write(sources: Sequence[str], verbose: bool, **flags: Any) -> Job:
    """Write what is known, from captures or from JSON Lines results.

    What the policy allows or the ignore file names is left out: it would still be known when that has expired.

    \b
    Examples:
      leakscan baseline write recordings/
      leakscan baseline write -o ci/leakscan.baseline.json leaks.jsonl
    """
    from leakscan.keeper import write_baseline

    return partial(write_baseline, sources, **flags)


@command.command("show")
@click.argument("file", metavar="FILE", default="leakscan.baseline.json")
def show(file: str) -> Job:
    """Print a baseline as a table.

    \b
    Example:
      leakscan baseline show
    """
    from leakscan.keeper import show_baseline

    return partial(show_baseline, file)
