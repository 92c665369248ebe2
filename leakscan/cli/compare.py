"""`leakscan compare`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    SEVERITIES,
    Job,
    asn_option,
    color_option,
    confidence_option,
    configured,
    format_option,
    key_option,
    known_option,
    networks_option,
    progress_option,
    quiet_option,
    rules_option,
    values_option,
    verbose_option,
)


@click.command(
    "compare",
    epilog="Exit codes: 0 nothing injected, 1 an identifier was, 2 usage, 3 something was not read or no request was "
    "seen at both points, 70 internal error.",
)
@click.argument("client", metavar="CLIENT")
@click.argument("server", metavar="[SERVER]", required=False)
@format_option()
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="FILE",
    help="Also write to FILE, in the format of its suffix or FORMAT=FILE. Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["none", *SEVERITIES]), default="low", show_default=True,
    help="Exit with 1 for an injected identifier at least this severe.",
)  # fmt: skip
@confidence_option()
@click.option(
    "--strict", is_flag=True, default=False, help="Exit with 3 when something was not read, even if there is a leak."
)
@click.option(
    "--allow-inconclusive", is_flag=True, default=False, help="Accept that no request was seen at both points."
)
@click.option("--exit-zero", is_flag=True, default=False, help="Exit with 0 where it would be 1 or 3.")
@values_option("Show values as they were sent. The result is personal data.")
@key_option()
@networks_option()
@asn_option()
@known_option()
@rules_option()
@color_option()
@click.option("--sieve/--no-sieve", default=True, hidden=True)
@progress_option()
@verbose_option()
@quiet_option("No progress and outcome; with -o no stdout.")
@configured
def command(client: str, server: str | None, verbose: bool, **flags: Any) -> Job:
    """Find out what a network did to requests, from captures of both its sides.

    CLIENT was taken before the network (on the phone, or at its router), SERVER
    behind it. With CLIENT alone, that capture holds both sides of a gateway: inside
    of a tunnel (GTP-U) and outside.

    \b
    Examples:
      leakscan compare phone.pcap server.pcap
      leakscan compare -o injected.json gateway.pcapng
    """
    from leakscan.compare.job import compare
    from leakscan.flags import Options

    captures = [client] if server is None else [client, server]
    flags |= {"responses": False, "bodies": False, "jobs": 1}
    flags |= {"baseline": "", "ignore_file": ""}  # whatever lies here: what was injected counts
    return partial(compare, Options(captures=captures, **flags))
