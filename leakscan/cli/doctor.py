"""`leakscan doctor`."""

from __future__ import annotations

import click

from leakscan.cli.options import Job, verbose_option


@click.command(
    "doctor",
    epilog="Exit codes: 0 capturing is permitted, 2 the part that captures is not installed, 4 no permission, "
    "70 internal error.",
)
@verbose_option()
def command(verbose: bool) -> Job:
    """Say whether this machine can capture, on what, and what is missing.

    Interfaces with their link type and state, the permission to capture or the line that grants it, the version of
    libpcap, optional parts.

    \b
    Example:
      leakscan doctor
    """
    from leakscan.doctor import doctor

    return doctor
