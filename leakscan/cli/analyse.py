"""`leakscan analyse`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from leakscan.cli.options import CONFIDENCES, FORMATS, SEVERITIES, Job, reads_captures


@click.command(
    "analyse",
    epilog="Exit codes: 0 nothing that counts, 1 a leak, 2 usage, 3 something was not read, 70 internal error.",
)
@click.option("-f", "--format", type=click.Choice(FORMATS), default="table", show_default=True, help="Of stdout.")
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="FILE",
    help="Also write to FILE, in the format of its suffix (.txt .jsonl .json .csv .md .html), or FORMAT=FILE. "
    "Repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["none", *SEVERITIES]), default="medium", show_default=True,
    help="Exit with 1 for a leak at least this severe.",
)  # fmt: skip
@click.option(
    "--min-confidence", type=click.Choice(CONFIDENCES), default="probable", show_default=True,
    help="What is less sure is not shown and does not count.",
)  # fmt: skip
@click.option(
    "--strict", is_flag=True, default=False, help="Exit with 3 when something was not read, even if there is a leak."
)
@click.option("--allow-inconclusive", is_flag=True, default=False, help="Accept captures without a readable request.")
@click.option("--exit-zero", is_flag=True, default=False, help="Exit with 0 where it would be 1 or 3.")
@click.option(
    "--show-values",
    is_flag=True,
    default=False,
    help="Show identifiers as they were sent. The result is personal data.",
)
@click.option(
    "--pseudonym-key",
    metavar="FILE",
    default=None,
    help="Key of the pseudonyms, at least 16 bytes; random if not given.",
)
@click.option(
    "--networks", metavar="FILE", default=None, help="TOML: which network uses which addresses (docs/networks.md)."
)
@click.option(
    "--asn-db", metavar="FILE", default=None,
    help="MMDB: which autonomous system uses which addresses (docs/attribution.md).",
)  # fmt: skip
@click.option(
    "--responses", is_flag=True, default=False,
    help="Also read responses: a page that lists the headers it got proves what was injected.",
)  # fmt: skip
@click.option(
    "--known", metavar="FILE", default=None,
    help="TOML: your own identifiers, to be found in every form and place (docs/known.md).",
)  # fmt: skip
@click.option(
    "--evidence", metavar="DIR", default=None,
    help="Also write an evidence pack: findings with frames, offsets and hashes, for others to check.",
)  # fmt: skip
@click.option(
    "-j", "--jobs", type=click.IntRange(1), default=None, metavar="N",
    help="Scan several captures at once, on N cores; all there are by default.",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Colour in the table; NO_COLOR in the environment turns auto off.",
)  # fmt: skip
@reads_captures
def command(captures: Sequence[str], verbose: bool, **flags: Any) -> Job:
    """Find leaked identifiers in captures.

    CAPTURE is a file (pcap or pcapng, also gzip, zstd, lz4 or xz), a directory, a glob, or - for stdin.

    \b
    Examples:
      leakscan analyse capture.pcap
      leakscan analyse --networks networks.toml -o leaks.jsonl day1.pcap.gz day2.pcap.gz
      ssh host tcpdump -U -w - | leakscan analyse -
    """
    from leakscan.job import Options, analyse

    return partial(analyse, Options(captures=captures, **flags))
