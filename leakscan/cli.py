"""The command line: click only. Parses the words, hands them to job.py, leaves with its exit code.

Everything heavier than click is imported when a command runs: `--help` and `--version` are fast.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from leakscan import __version__
from leakscan.errors import LeakscanError

BUG = "this is a bug in leakscan; run again with -v for the place, and report it with the version and this line"
EXIT_BUG, EXIT_PIPE = 70, 141

#: As in leakscan.formats.FORMATS and leakscan.model; a test holds them equal. Not imported: `--help` is fast.
FORMATS = ("table", "jsonl", "json", "csv", "markdown")
SEVERITIES = ("low", "medium", "high", "critical")
CONFIDENCES = ("hint", "probable", "confirmed")

Command = Callable[..., Any]
Job = Callable[[], int]  # what a command comes to; run when click is done, which has its own idea of a closed pipe


class _Group(click.Group):
    """Commands by name, and `analyze` for `analyse`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, "analyse" if cmd_name == "analyze" else cmd_name)


def _common(command: Command) -> Command:
    """Flags of every command that reads captures."""
    for option in (
        click.option("--sieve/--no-sieve", default=True, hidden=True),
        click.option(
            "--progress", type=click.Choice(["auto", "never"]), default="auto", show_default=True,
            help="A bar on stderr, by bytes, when that is a terminal.",
        ),
        click.option("-v", "--verbose", is_flag=True, default=False, help="Say where an internal error is."),
        click.option("-q", "--quiet", is_flag=True, default=False, help="No progress and outcome; with -o no stdout."),
        click.argument("captures", nargs=-1, required=True, metavar="CAPTURE..."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="leakscan", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the identifiers that mobile networks and apps put into plain HTTP requests.

    \b
    Example:
      leakscan analyse capture.pcap
    """


@cli.command(
    epilog="Exit codes: 0 nothing that counts, 1 a leak, 2 usage, 3 something was not read, 70 internal error."
)
@click.option("-f", "--format", type=click.Choice(FORMATS), default="table", show_default=True, help="Of stdout.")
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="FILE",
    help="Also write to FILE, in the format of its suffix (.txt .jsonl .json .csv .md) or FORMAT=FILE. Repeatable.",
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
    "-j", "--jobs", type=click.IntRange(1), default=None, metavar="N",
    help="Scan several captures at once, on N cores; all there are by default.",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Colour in the table; NO_COLOR in the environment turns auto off.",
)  # fmt: skip
@_common
def analyse(captures: Sequence[str], verbose: bool, **flags: Any) -> Job:
    """Find leaked identifiers in captures.

    CAPTURE is a file (pcap or pcapng, also gzip, zstd, lz4 or xz), a directory, a glob, or - for stdin.

    \b
    Examples:
      leakscan analyse capture.pcap
      leakscan analyse --networks networks.toml -o leaks.jsonl day1.pcap.gz day2.pcap.gz
      ssh host tcpdump -U -w - | leakscan analyse -
    """
    from leakscan.job import Options
    from leakscan.job import analyse as run

    return partial(run, Options(captures=captures, **flags))


@cli.command(epilog="Exit codes: 0 read, 2 usage, 3 something was not read or there is no request, 70 internal error.")
@_common
def requests(captures: Sequence[str], quiet: bool, verbose: bool, progress: str, sieve: bool) -> Job:
    """Print every HTTP request that was read, one JSON line each, as it was sent.

    The inspection tool, for whoever doubts what analyse says. Values are not masked.

    \b
    Example:
      leakscan requests capture.pcap | head -n 1
    """
    from leakscan.job import list_requests

    return partial(list_requests, captures, quiet, progress == "auto", sieve)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command; gives its exit code. Nothing that was captured reaches stderr."""
    try:
        job = cli.main(arguments, prog_name="leakscan", standalone_mode=False)
        return job() if callable(job) else int(job or 0)
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.", err=True)
        _complain(error.format_message())
        return error.exit_code
    except click.Abort:
        return 130
    except LeakscanError as error:
        _complain(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except Exception as error:  # noqa: BLE001  (the last line of defence: its message may hold captured data)
        _complain(f"internal error: {type(error).__name__}; {BUG}")
        if {"-v", "--verbose"} & set(arguments):
            _place(error)
        return EXIT_BUG


def _complain(text: str) -> None:
    from leakscan.filenames import shown_name
    from leakscan.show import show

    click.echo(f"leakscan: error: {show(shown_name(text))}", err=True)


def _place(error: BaseException) -> None:
    """Where it happened: files, lines and functions, no values."""
    for frame in traceback.extract_tb(error.__traceback__):
        click.echo(f"  {frame.filename}:{frame.lineno} {frame.name}", err=True)
