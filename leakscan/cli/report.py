"""`leakscan report`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from leakscan.cli.options import (
    Command,
    Job,
    confidence_option,
    configured,
    key_option,
    max_drops_option,
    quiet_option,
    shows_results,
    verbose_option,
)

_NO_ADDRESSES = "a result has pseudonyms for clients' addresses"
_NO_TIMES = "of requests without a leak a result has counts and no times"
_NO_REQUESTS = "a result has no requests, only what was found in them"
#: Flags of `analyse` that come too late here -> why.
TOO_LATE = {
    "networks": _NO_ADDRESSES,
    "asn-db": _NO_ADDRESSES,
    "since": _NO_TIMES,
    "until": _NO_TIMES,
    "rules": _NO_REQUESTS,
    "known": _NO_REQUESTS,
    "bodies": _NO_REQUESTS,
    "responses": _NO_REQUESTS,
    "show-values": "a result is masked again, whatever stands in it",
    "evidence": "evidence is in the captures",
}


def _too_late(command: Command) -> Command:
    """Refuses them by name: people try, and deserve to know what to do instead."""

    def refuse(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            name = parameter.opts[0].removeprefix("--")
            raise click.UsageError(f"--{name} belongs to analyse: {TOO_LATE[name]}", context)

    for name in TOO_LATE:
        flag = name in ("bodies", "responses", "show-values")
        command = click.option(f"--{name}", is_flag=flag, expose_value=False, hidden=True, callback=refuse)(command)
    return command


@click.command(
    "report",
    epilog="Exit codes: as for analyse, of the whole; 2 also for a result that cannot be read.",
)
@shows_results
@confidence_option()
@key_option("Key of the pseudonyms that addresses get, where a result shows them; random if not given.")
@quiet_option("No outcome; with -o no stdout.")
@verbose_option()
@max_drops_option("Exit with 3 when more of the frames were dropped; else it is as each scan was told.")
@_too_late
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
