"""`leakscan compare`: two capture points in, a result out, an exit code at the end. State: the open outputs."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from leakscan.compare import Comparison, Side
from leakscan.errors import UsageError
from leakscan.flags import Options, files_of, gate_rules, settings_of
from leakscan.formats.compared import outcome
from leakscan.interrupt import Gate
from leakscan.job import VALUES_SHOWN, finish, open_writers, run, wanted_outputs, warn
from leakscan.losses import Losses
from leakscan.progress import Progress
from leakscan.sources import expand


def compare(options: Options) -> int:
    """What the network did between the first capture of `options` and the second, or in the only one; the exit code."""
    files, rules = files_of(options), gate_rules(options)
    wanted = wanted_outputs(options)
    with Progress(options.progress == "auto" and not options.quiet) as progress, ExitStack() as stack:
        losses = Losses(partial(warn, progress.say))
        client, server = _sides(options, losses)
        names = list(dict.fromkeys([*client.names, *server.names]))
        writers = open_writers(stack, options, wanted, False, read=names)
        if options.show_values:
            progress.say(VALUES_SHOWN)
        progress.start(names)
        rounds = 2 * (len(client.names) + len(server.names)) // len(names)  # how often each byte is read

        def on_bytes(count: int) -> None:
            progress.advance(count // rounds)

        settings = settings_of(options, files, rules)
        comparison = Comparison(client, server, losses, settings, on_bytes, options.sieve)
        stopped = run(comparison, writers, losses, False, Gate())
        progress.stop()
        summary = comparison.to_dict()
        if not options.quiet:
            progress.say(outcome(summary["comparison"]))
        finish(summary, rules, writers, options, progress.say)
    return stopped or int(summary["gate"]["exit_code"])


def _sides(options: Options, losses: Losses) -> tuple[Side, Side]:
    """The capture points. One capture is split into what is inside of a tunnel and what is not."""
    if "-" in options.captures:
        raise UsageError("compare reads its captures twice: save standard input to a file first")
    client, *more = (expand([capture], losses) for capture in options.captures)
    server = more[0] if more else client
    if client == server:
        return Side(client, tunnelled=True), Side(server, tunnelled=False)
    return Side(client), Side(server)
