"""`leakscan redact`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leakscan.cli.options import CONFIDENCES, CommandLineOnly, Job, configured


@click.command(
    "redact",
    epilog="Exit codes: 0 written, 1 something found cannot be replaced and nothing was written, 2 usage, "
    "3 written, but not all of IN could be read, 70 internal error.",
)
@click.argument("input", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option("--addresses", is_flag=True, default=False, help="Replace subscribers' addresses, too.")
@click.option(
    "--known", metavar="FILE", default=None,
    help="TOML: your own identifiers, to be replaced wherever they are (docs/known.md).",
)  # fmt: skip
@click.option(
    "--rules", metavar="FILE", default=None,
    help="TOML: more names to look for (docs/detectors/README.md).",
)  # fmt: skip
@click.option(
    "--drop-unredactable", is_flag=True, default=False,
    help="Leave out packets with identifiers that cannot be replaced, instead of writing nothing.",
)  # fmt: skip
@click.option(
    "--min-confidence", cls=CommandLineOnly, type=click.Choice(CONFIDENCES), default="hint", show_default=True,
    help="What is less sure stays as it is.",
)  # fmt: skip
@click.option(
    "--pseudonym-key", metavar="FILE", default=None,
    help="Key of the fakes, at least 16 bytes: the same key, the same fakes. Random if not given.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, default=False, help="No progress and no report.")
@click.option(
    "--progress", type=click.Choice(["auto", "never"]), default="auto", show_default=True,
    help="A bar on stderr, by bytes, when that is a terminal.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is.")
@configured
def command(verbose: bool, **flags: Any) -> Job:
    """Write a capture again with its identifiers replaced, so that it can be shared.

    OUT is IN with every identifier found replaced by a fake of the same form and
    length, everywhere in it. Lengths and times stay, checksums are right.

    \b
    Example:
      leakscan redact capture.pcapng shared.pcapng
    """
    from leakscan.redaction.job import RedactOptions, redact

    return partial(redact, RedactOptions(**flags))
