"""`leakscan evidence verify`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    CommandLineOnly,
    Job,
    configured,
    key_option,
    progress_option,
    quiet_option,
    verbose_option,
)


@click.group("evidence")
def command() -> None:
    """Check evidence packs, which `leakscan analyse --evidence DIR` writes.

    \b
    Example:
      leakscan evidence verify pack/ capture.pcap
    """


@command.command(
    "verify",
    epilog="Exit codes: 0 all of it is right (with --value: it is in the pack), 1 something differs (it is not), "
    "2 usage, 3 not everything could be checked, 70 internal error.",
)
@click.argument("directory", metavar="DIR")
@click.argument("captures", nargs=-1, metavar="[CAPTURE]...")
@key_option("The key that the pack was made with: pseudonyms are checked, too.")
@click.option(
    "--value", cls=CommandLineOnly, metavar="NUMBER", default=None,
    help="Only tell whether this number is in the pack; - reads it from stdin. Needs the key.",
)  # fmt: skip
@click.option(
    "--known", metavar="FILE", default=None, help="The file of --known that the pack was made with, if there was one."
)
@click.option(
    "--rules", metavar="FILE", default=None, help="The file of --rules that the pack was made with, if there was one."
)
@quiet_option("No progress.")
@progress_option()
@verbose_option()
@configured
def verify(verbose: bool, **flags: Any) -> Job:
    """Check the pack in DIR: its files against its manifest, its findings against the captures.

    \b
    Examples:
      leakscan evidence verify pack/ monday.pcap tuesday.pcap.gz
      leakscan evidence verify pack/ --pseudonym-key key --value 447700900123
    """
    from leakscan.evidence.job import VerifyOptions, verify

    return partial(verify, VerifyOptions(**flags))
