"""`leakscan policy`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from leakscan.cli.options import Job


@click.group("policy")
def command() -> None:
    """Check who may receive what.

    \b
    Example:
      leakscan policy check partners.toml
    """


@command.command("check", epilog="Exit codes: 0 the file is right, 2 it is not.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Say which entry would match it. Repeatable.")
@click.option("--address", metavar="ADDRESS", default=None, help="Of the server behind the host.")
@click.option("--identifier", metavar="KIND", default=None, help="Of what leaks: msisdn, imsi ...")
@click.option("--at", "at", metavar="TIME", default=None, help="When; now if not given: 2012-01-25T14:00Z.")
@click.argument("file", metavar="FILE")
def check(file: str, hosts: Sequence[str], address: str | None, identifier: str | None, at: str | None) -> Job:
    """Validate a policy; explain what it says of a host.

    \b
    Examples:
      leakscan policy check partners.toml
      leakscan policy check partners.toml --host www.agecheck.example --identifier msisdn
    """
    from leakscan.keeper import check_policy

    return partial(check_policy, file, hosts, address, identifier, at)
