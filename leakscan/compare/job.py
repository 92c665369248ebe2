"""`leakscan compare`: two capture points in, a result out, an exit code at the end. State: the open outputs."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial

from leakscan.compare import Comparison, Side
from leakscan.errors import UsageError
from leakscan.formats.compared import outcome
from leakscan.interrupt import Gate
from leakscan.job import EXIT_LEAK, EXIT_UNREAD, VALUES_SHOWN, Options, files_of, run, settings_of, warn, writers_of
from leakscan.job import outcome as outcome_of
from leakscan.losses import Losses
from leakscan.output import parse_output
from leakscan.progress import Progress
from leakscan.sources import expand


def compare(options: Options) -> int:
    """What the network did between the first capture of `options` and the second, or in the only one; the exit code."""
    files = files_of(options)
    wanted = [parse_output(spec) for spec in options.outputs]
    with Progress(options.progress == "auto" and not options.quiet) as progress, ExitStack() as stack:
        losses = Losses(partial(warn, progress.say))
        client, server = _sides(options, losses)
        writers = writers_of(options, wanted, False, stack)
        if options.show_values:
            progress.say(VALUES_SHOWN)
        names = list(dict.fromkeys([*client.names, *server.names]))
        progress.start(names)
        rounds = 2 * (len(client.names) + len(server.names)) // len(names)  # how often each byte is read

        def on_bytes(count: int) -> None:
            progress.advance(count // rounds)

        settings = settings_of(options, files)
        comparison = Comparison(client, server, losses, settings, on_bytes, options.sieve)
        stopped = run(comparison, writers, losses, False, Gate())
        progress.stop()
        summary = comparison.to_dict()
        for writer in writers:
            writer.end(summary)
        sys.stdout.flush()
        if not options.quiet:
            progress.say(f"{outcome(summary['comparison'])}; {outcome_of(comparison.summary)}")
    return stopped or _exit_code(comparison, options)


def _sides(options: Options, losses: Losses) -> tuple[Side, Side]:
    """The capture points. One capture is split into what is inside of a tunnel and what is not."""
    if "-" in options.captures:
        raise UsageError("compare reads its captures twice: save standard input to a file first")
    client, *more = (expand([capture], losses) for capture in options.captures)
    server = more[0] if more else client
    if client == server:
        return Side(client, tunnelled=True), Side(server, tunnelled=False)
    return Side(client), Side(server)


def _exit_code(comparison: Comparison, options: Options) -> int:
    """1 for an injected identifier; 3 when something was not read, or no request was seen at both points."""
    if options.exit_zero:
        return 0
    injected = comparison.injected(options.fail_on)
    blind = comparison.summary.unread() or not (comparison.pairs or options.allow_inconclusive)
    if blind and (options.strict or not injected):
        return EXIT_UNREAD
    return EXIT_LEAK if injected else 0
