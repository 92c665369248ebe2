"""The command line: click only. Parses the words, hands them to job.py, leaves with its exit code.

One file a command, loaded when it is named (or listed by `--help`); everything heavier than click is imported when a
command runs, so that `--help` and `--version` are fast.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from leakscan import __version__, streams
from leakscan.errors import LeakscanError, places

BUG = "this is a bug in leakscan; run again with -v for the place, and report it with the version and this line"
EXIT_BUG, EXIT_PIPE = 70, 141
#: A group without a command, which click 8.2 and later raise; earlier ones print the help themselves.
_NO_ARGUMENTS: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())

#: A command, in a file of its name in this folder, in the order of `--help`.
COMMANDS = (
    "analyse", "live", "requests", "rules", "report", "baseline", "policy", "config", "compare", "redact", "evidence",
    "serve", "doctor",
)  # fmt: skip
ALIASES = {"analyze": "analyse"}


class _Group(click.Group):
    """Commands by name, from their files."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"{__name__}.{name}").command
        return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="leakscan", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the identifiers that mobile networks and apps put into plain HTTP requests.

    \b
    Example:
      leakscan analyse capture.pcap
    """


def leaf_commands() -> list[tuple[str, click.Command]]:
    """Every command that does something, by its words: ("analyse", ...), ("baseline write", ...)."""
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", part) for inner, part in command.commands.items()]
        elif command is not None:
            found.append((name, command))
    return found


def run(arguments: list[str]) -> int:
    """Run one command; gives its exit code. Nothing that was captured reaches stderr."""
    try:
        return _done(arguments)
    except _NO_ARGUMENTS as error:  # the whole help
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.", err=True)
        _complain(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):  # a second Ctrl-C: at once
        return 130
    except LeakscanError as error:
        _complain(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader has seen enough
        streams.to_nowhere(streams.STDOUT)
        return EXIT_PIPE
    except Exception as error:  # noqa: BLE001  (the last line of defence: its message may hold captured data)
        _complain(f"internal error: {getattr(error, 'kind', type(error).__name__)}; {BUG}")
        if {"-v", "--verbose"} & set(arguments):
            _place(error)
        return EXIT_BUG


def _done(arguments: list[str]) -> int:
    job = cli.main(arguments, prog_name="leakscan", standalone_mode=False)
    code = job() if callable(job) else int(job or 0)
    sys.stdout.flush()  # while what cannot be written can still be told
    return code


def _complain(text: str) -> None:
    from leakscan.filenames import shown_name
    from leakscan.show import show

    click.echo(f"leakscan: error: {show(shown_name(text))}", err=True)


def _place(error: BaseException) -> None:
    there = getattr(error, "places", ())  # relay.Failed: in the other process
    for file, line, name in [*places(error), *there]:
        click.echo(f"  {file}:{line} {name}", err=True)
