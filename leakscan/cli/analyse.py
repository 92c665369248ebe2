"""`leakscan analyse`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    Job,
    asn_option,
    confidence_option,
    configured,
    key_option,
    known_option,
    max_drops_option,
    networks_option,
    reads_captures,
    rules_option,
    shows_results,
    values_option,
)


@click.command(
    "analyse",
    epilog="Exit codes: 0 nothing that counts, 1 a leak, 2 usage, 3 something was not read, 70 internal error.",
)
@shows_results
@confidence_option()
@values_option("Show identifiers as they were sent. The result is personal data.")
@key_option()
@networks_option()
@rules_option()
@asn_option()
@click.option(
    "--responses", is_flag=True, default=False,
    help="Also read responses: a page that lists the headers it got proves what was injected.",
)  # fmt: skip
@known_option()
@click.option("--bodies", is_flag=True, default=False, help="Search the bodies of requests, too.")
@click.option(
    "--evidence", metavar="DIR", default=None,
    help="Also write an evidence pack: findings with frames, offsets and hashes, for others to check.",
)  # fmt: skip
@click.option(
    "-j", "--jobs", type=click.IntRange(1), default=None, metavar="N",
    help="On so many cores, of one capture or many, with the result of one; all there are by default.",
)  # fmt: skip
@click.option(
    "--state", metavar="DIR", default=None,
    help="Keep the result of every capture in DIR, and scan only what is new or changed (docs/scale.md).",
)  # fmt: skip
@click.option(
    "--cluster", metavar="ADDRESS", default=None,
    help="Scan on a dask cluster: tcp://HOST:PORT or tls://HOST:PORT of its scheduler; local to try it.",
)  # fmt: skip
@click.option("--since", metavar="TIME", default=None, help="Only requests from this time on: 2012-01-25T14:00Z.")
@click.option("--until", metavar="TIME", default=None, help="Only requests before this time; a date: to its end.")
@max_drops_option("Exit with 3 when more of the frames were dropped while capturing, as far as a pcapng says so.")
@configured
@reads_captures
def command(captures: Sequence[str], verbose: bool, **flags: Any) -> Job:
    """Find leaked identifiers in captures.

    CAPTURE is a file (pcap or pcapng, also gzip, zstd, lz4 or xz), a directory, a glob, or - for stdin; also
    s3://, https:// and what else fsspec opens, with globs and folders.

    \b
    Examples:
      leakscan analyse capture.pcap
      leakscan analyse --networks networks.toml -o leaks.jsonl day1.pcap.gz day2.pcap.gz
      leakscan analyse --policy partners.toml -o leakscan.sarif recordings/
      leakscan analyse --state .leakscan -o week.jsonl 's3://captures/2012-01-*/*.pcap.gz'
      ssh host tcpdump -U -w - | leakscan analyse -
    """
    from leakscan.flags import Options
    from leakscan.job import analyse

    return partial(analyse, Options(captures=captures, verbose=verbose, **flags))
