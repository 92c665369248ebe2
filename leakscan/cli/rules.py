"""`leakscan rules`."""

from __future__ import annotations

from functools import partial

import click

from leakscan.cli.options import Command, CommandLineOnly, Job, configured

_rules = click.option("--rules", metavar="FILE", default=None, help="With the rules of FILE, too.")
_verbose = click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is.")


def _format(command: Command) -> Command:
    return click.option(
        "-f", "--format", "form", cls=CommandLineOnly, type=click.Choice(["table", "json"]), default="table",
        show_default=True, help="Of stdout.",
    )(command)  # fmt: skip


@click.group("rules", epilog="Exit codes: 0 all right, 1 an example failed, 2 usage or a mistake in FILE.")
def command() -> None:
    """What is looked for: list, show and test the rules of the catalogue.

    \b
    Examples:
      leakscan rules show x-up-calling-line-id
      leakscan rules test my-rules.toml
    """


@command.command("list")
@_format
@_rules
@_verbose
@configured
def list_command(form: str, rules: str | None, verbose: bool) -> Job:
    """List all rules.

    \b
    Example:
      leakscan rules list -f json
    """
    from leakscan.rules import list_rules

    return partial(list_rules, rules, form)


@command.command("show")
@_format
@_rules
@_verbose
@configured
@click.argument("rule", metavar="RULE")
def show_command(rule: str, form: str, rules: str | None, verbose: bool) -> Job:
    """Show a rule: what it finds, why that matters, names, formats, examples, source.

    \b
    Example:
      leakscan rules show x-up-calling-line-id
    """
    from leakscan.rules import show_rule

    return partial(show_rule, rule, rules, form)


@command.command("test")
@_verbose
@click.argument("file", required=False, metavar="[FILE]")
def test_command(file: str | None, verbose: bool) -> Job:
    """Try the rules of FILE, or the built-in ones, on their own examples.

    \b
    Example:
      leakscan rules test my-rules.toml
    """
    from leakscan.rules import try_rules

    return partial(try_rules, file)
