"""`leakscan serve`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    CommandLineOnly,
    Job,
    asn_option,
    confidence_option,
    configured,
    key_option,
    known_option,
    networks_option,
    quiet_option,
    rules_option,
    verbose_option,
)


@click.command("serve", epilog="Exit codes: 2 usage, 70 internal error, 130 and 143 stopped by SIGINT, SIGTERM.")
@click.option(
    "--host", cls=CommandLineOnly, default="127.0.0.1", show_default=True,
    help="Address to listen on; 0.0.0.0 or :: for all.",
)  # fmt: skip
@click.option(
    "--port", cls=CommandLineOnly, type=click.IntRange(0, 65535), default=8080, show_default=True,
    help="0: any that is free.",
)  # fmt: skip
@click.option(
    "--allow-host", multiple=True, metavar="NAME",
    help="Name under which the page is visited, besides addresses and localhost. Repeatable.",
)  # fmt: skip
@click.option(
    "--tls-cert", metavar="FILE", default=None, help="Certificate (PEM): adds an HTTPS probe to compare with."
)
@click.option("--tls-key", metavar="FILE", default=None, help="Its key (PEM).")
@click.option(
    "--tls-port", cls=CommandLineOnly, type=click.IntRange(0, 65535), default=8443, show_default=True,
    help="Where the HTTPS probe listens.",
)  # fmt: skip
@click.option(
    "--trusted-proxy", multiple=True, metavar="ADDRESS",
    help="Reverse proxy (address or network) whose X-Forwarded-For is believed. Repeatable.",
)  # fmt: skip
@click.option(
    "--rate", type=click.IntRange(1), default=300, show_default=True, help="Requests a minute from one address."
)
@click.option(
    "--record", metavar="FILE", default=None,
    help="Keep what is found, masked, in FILE (.jsonl) and one file for each day past; nothing is kept by default.",
)  # fmt: skip
@click.option(
    "--keep", type=click.IntRange(1, 3650), default=30, show_default=True, metavar="DAYS",
    help="Delete what was recorded after so many days.",
)  # fmt: skip
@confidence_option("What is less sure is not shown.")
@key_option("Key of the record's pseudonyms, as for analyse.")
@networks_option()
@asn_option()
@rules_option()
@known_option()
@quiet_option("Say nothing on stderr but errors that end it.")
@verbose_option()
@configured
def command(**flags: Any) -> Job:
    """Show visitors what their network told this website.

    The check page, on plain HTTP: networks add only to what they can read. Visitors see what their request gave away,
    masked, with all headers as received; /headers gives the same as JSON. Stop it with Ctrl-C.

    \b
    Examples:
      leakscan serve
      leakscan serve --host 0.0.0.0 --port 80 --allow-host check.example --record results.jsonl
    """
    from leakscan.web.serve import Flags, serve

    return partial(serve, Flags(**flags))
