"""`leakscan compare`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leakscan.cli.options import CONFIDENCES, FORMATS, SEVERITIES, CommandLineOnly, Job, configured


@click.command(
    "compare",
    epilog="Exit codes: 0 nothing injected, 1 an identifier was, 2 usage, 3 something was not read or no request was "
    "seen at both points, 70 internal error.",
)
@click.argument("client", metavar="CLIENT")
@click.argument("server", metavar="[SERVER]", required=False)
@click.option("-f", "--format", type=click.Choice(FORMATS), default="table", show_default=True, help="Of stdout.")
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="FILE",
    help="Also write to FILE, in the format of its suffix or FORMAT=FILE. Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["none", *SEVERITIES]), default="low", show_default=True,
    help="Exit with 1 for an injected identifier at least this severe.",
)  # fmt: skip
@click.option(
    "--min-confidence", type=click.Choice(CONFIDENCES), default="probable", show_default=True,
    help="What is less sure is not shown and does not count.",
)  # fmt: skip
@click.option(
    "--strict", is_flag=True, default=False, help="Exit with 3 when something was not read, even if there is a leak."
)
@click.option(
    "--allow-inconclusive", is_flag=True, default=False, help="Accept that no request was seen at both points."
)
@click.option("--exit-zero", is_flag=True, default=False, help="Exit with 0 where it would be 1 or 3.")
@click.option(
    "--show-values", cls=CommandLineOnly, is_flag=True, default=False,
    help="Show values as they were sent. The result is personal data.",
)  # fmt: skip
@click.option(
    "--pseudonym-key", metavar="FILE", default=None,
    help="Key of the pseudonyms, at least 16 bytes; random if not given.",
)  # fmt: skip
@click.option(
    "--networks", metavar="FILE", default=None, help="TOML: which network uses which addresses (docs/networks.md)."
)
@click.option(
    "--asn-db", metavar="FILE", default=None,
    help="MMDB: which autonomous system uses which addresses (docs/attribution.md).",
)  # fmt: skip
@click.option(
    "--known", metavar="FILE", default=None,
    help="TOML: your own identifiers, to be found in every form and place (docs/known.md).",
)  # fmt: skip
@click.option(
    "--rules", metavar="FILE", default=None,
    help="TOML: more names to look for (docs/detectors/README.md).",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Colour in the table; NO_COLOR in the environment turns auto off.",
)  # fmt: skip
@click.option("--sieve/--no-sieve", default=True, hidden=True)
@click.option(
    "--progress", type=click.Choice(["auto", "never"]), default="auto", show_default=True,
    help="A bar on stderr, by bytes, when that is a terminal.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is.")
@click.option("-q", "--quiet", is_flag=True, default=False, help="No progress and outcome; with -o no stdout.")
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
