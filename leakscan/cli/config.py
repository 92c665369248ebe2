"""`leakscan config`."""

from __future__ import annotations

from functools import partial

import click

from leakscan.cli.options import CommandLineOnly, Job, configurable, configured_values


@click.group("config")
def command() -> None:
    """Show what holds when a flag is not given.

    \b
    Example:
      leakscan config show
    """


@command.command("show")
@click.option("-c", "--config", "named", cls=CommandLineOnly, metavar="FILE", default=None, help="As for the others.")
def show(named: str | None) -> Job:
    """Print every flag's value as TOML, and where it comes from.

    \b
    Example:
      leakscan config show -c ci/leakscan.toml
    """
    from leakscan.keeper import show_config

    defaults = {key: option.get_default(click.Context(show)) for key, option in configurable().items()}
    return partial(show_config, defaults, configured_values(named))
