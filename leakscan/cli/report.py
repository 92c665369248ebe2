"""`leakscan report`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from leakscan.cli.options import CONFIDENCES, Job, configured, shows_results


@click.command(
    "report",
    epilog="Exit codes: as for analyse, of the whole; 2 also for a result that cannot be read.",
)
@shows_results
@click.option(
    "--min-confidence", type=click.Choice(CONFIDENCES), default="probable", show_default=True,
    help="What is less sure is not shown and does not count.",
)  # fmt: skip
@click.option(
    "--pseudonym-key", metavar="FILE", default=None,
    help="Key of the pseudonyms that addresses get, where a result shows them; random if not given.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, default=False, help="No outcome; with -o no stdout.")
@click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is.")
@configured
@click.argument("results", nargs=-1, required=True, metavar="RESULT.jsonl...")
def command(results: Sequence[str], verbose: bool, **flags: Any) -> Job:
    """Merge earlier results, and show them in any format.

    RESULT is what analyse wrote as JSON Lines. Values are masked again, whatever stands in it.

    \b
    Examples:
      leakscan report monday.jsonl tuesday.jsonl
      leakscan report --policy partners.toml -o leakscan.sarif results/*.jsonl
    """
    from leakscan.report import ReportOptions, report

    return partial(report, ReportOptions(results=results, **flags))
