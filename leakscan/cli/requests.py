"""`leakscan requests`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from leakscan.cli.options import Job, configured, reads_captures


@click.command(
    "requests",
    epilog="Exit codes: 0 read, 2 usage, 3 something was not read or there is no request, 70 internal error.",
)
@configured
@reads_captures
def command(captures: Sequence[str], quiet: bool, verbose: bool, progress: str, sieve: bool) -> Job:
    """Print every HTTP request that was read, one JSON line each, as it was sent.

    The inspection tool, for whoever doubts what analyse says. Values are not masked.

    \b
    Example:
      leakscan requests capture.pcap | head -n 1
    """
    from leakscan.job import list_requests

    return partial(list_requests, captures, quiet, progress == "auto", sieve)
