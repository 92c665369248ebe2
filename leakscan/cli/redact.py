"""`leakscan redact`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    CommandLineOnly,
    Job,
    confidence_option,
    configured,
    key_option,
    known_option,
    progress_option,
    quiet_option,
    rules_option,
    verbose_option,
)


@click.command(
    "redact",
    epilog="Exit codes: 0 written, 1 something found cannot be replaced and nothing was written, 2 usage, "
    "3 written, but not all of IN could be read, 70 internal error.",
)
@click.argument("input", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option("--addresses", is_flag=True, default=False, help="Replace subscribers' addresses, too.")
@known_option("replaced wherever they are")
@rules_option()
@click.option(
    "--drop-unredactable", is_flag=True, default=False,
    help="Leave out packets with identifiers that cannot be replaced, instead of writing nothing.",
)  # fmt: skip
@confidence_option("What is less sure stays as it is.", default="hint", cls=CommandLineOnly)
@key_option("Key of the fakes, at least 16 bytes: the same key, the same fakes. Random if not given.")
@quiet_option("No progress and no report.")
@progress_option()
@verbose_option()
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
