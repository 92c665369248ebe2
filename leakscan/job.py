"""One job of the command line: captures in, results out, an exit code at the end.

`cli` parses the words; here is what they mean. State: the open outputs. Results go to stdout and to files (output.py),
everything else to stderr (progress.py).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TextIO

from leakscan.conceal import read_key
from leakscan.filenames import shown_name
from leakscan.formats import FORMATS, Look, Writer
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses, Problem
from leakscan.model import Message
from leakscan.networks import Networks
from leakscan.output import Output, OutputFile, parse_output
from leakscan.progress import Progress
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import expand
from leakscan.times import rfc3339

if TYPE_CHECKING:
    from leakscan.carriers import AsnDatabase
    from leakscan.evidence.pack import Pack
    from leakscan.fleet import Fleet
    from leakscan.known import Known
    from leakscan.spine import Scan, Settings
    from leakscan.summary import Summary

EXIT_LEAK, EXIT_UNREAD = 1, 3
VALUES_SHOWN = "warning: values are shown: the result is personal data"
PIPE_COLUMNS = 80


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `analyse`, as docs/cli.md explains them."""

    captures: Sequence[str]
    format: str
    outputs: Sequence[str]
    fail_on: str
    min_confidence: str
    strict: bool
    exit_zero: bool
    allow_inconclusive: bool
    show_values: bool
    pseudonym_key: str | None
    networks: str | None
    asn_db: str | None
    responses: bool
    known: str | None
    jobs: int | None
    quiet: bool
    progress: str
    color: str
    sieve: bool
    evidence: str | None = None


def analyse(options: Options) -> int:
    """Find the leaks, write the results; gives the exit code."""
    files = files_of(options)
    wanted = [parse_output(spec) for spec in options.outputs]
    with Progress(options.progress == "auto" and not options.quiet) as progress, ExitStack() as stack:
        losses = Losses(partial(warn, progress.say))
        names = expand(options.captures, losses)
        gate = Gate()
        reading = _reading(options, names, losses, gate, progress, stack)
        live = "-" in names
        writers = writers_of(options, wanted, live, stack)
        if options.show_values:
            progress.say(VALUES_SHOWN)
        progress.start(names)
        pack = _pack(options, names, stack)

        from leakscan.spine import Scan  # after `_reading`: what is forked there starts meanwhile

        settings = settings_of(options, files)
        scan: Scan | Fleet
        if reading is None:
            from leakscan.fleet import Fleet, jobs_for

            scan = Fleet(names, losses, settings, jobs_for(names, options.jobs), gate, progress.advance, options.sieve)
        else:
            scan = Scan(reading, names, settings)
        if pack is not None and isinstance(scan, Scan):
            scan.watch = pack.watch
            writers.append(pack)
        stopped = run(scan, writers, losses, live, gate)
        progress.stop()
        summary = scan.summary.to_dict()
        for writer in writers:
            writer.end(summary)
        sys.stdout.flush()
        if not options.quiet:
            if pack is not None:
                where = shown_name(str(options.evidence))
                progress.say(f"evidence in {where}, manifest SHA-256 {pack.manifest_sha256}")
            progress.say(outcome(scan.summary))
    return stopped or exit_code(scan.summary, options)


def writers_of(options: Options, wanted: Sequence[Output], live: bool, stack: ExitStack) -> list[Writer]:
    """What `-o` and `-f` ask for; the files are closed with `stack`."""
    writers: list[Writer] = []
    for format_name, path in wanted:
        file = stack.enter_context(OutputFile(path))
        writers.append(FORMATS[format_name](file.stream, Look(live=live or file.through)))
    if not (options.quiet and wanted):
        writers.append(FORMATS[options.format](sys.stdout, look(options, live)))
    return writers


def _pack(options: Options, names: Sequence[str], stack: ExitStack) -> Pack | None:
    if options.evidence is None:
        return None
    from leakscan.evidence.pack import Pack  # late: not many want it

    return stack.enter_context(Pack(options.evidence, names))


class Files(NamedTuple):
    """What stands in the files that bear on the result."""

    key: bytes | None
    networks: Networks | None
    systems: AsnDatabase | None
    known: Known | None


def files_of(options: Options) -> Files:
    """Raises FileMistake."""
    key = None if options.pseudonym_key is None else read_key(options.pseudonym_key)
    networks = None if options.networks is None else Networks.load(options.networks)
    systems, known = None, None
    if options.asn_db is not None:
        from leakscan.carriers import AsnDatabase  # late, as the next: not many want it

        systems = AsnDatabase(options.asn_db)
    if options.known is not None:
        from leakscan.known import Known

        known = Known.load(options.known)
    return Files(key, networks, systems, known)


def settings_of(options: Options, files: Files) -> Settings:
    from leakscan.spine import Settings  # late: see `analyse`

    return Settings(
        min_confidence=options.min_confidence,
        show_values=options.show_values,
        pseudonym_key=files.key,
        networks=files.networks,
        networks_name=options.networks,
        systems=files.systems,
        responses=options.responses,
        known=files.known,
        known_name=options.known,
    )


def _reading(
    options: Options, names: Sequence[str], losses: Losses, gate: Gate, progress: Progress, stack: ExitStack
) -> Reading | None:
    """How the captures are read: here, by another process, or (None) by several workers, as pays."""
    if len(names) > 1 and options.evidence is None:  # a pack needs the requests, which workers keep to themselves
        from leakscan.fleet import jobs_for  # late: multiprocessing

        if jobs_for(names, options.jobs) > 1:
            return None
    from leakscan import relay

    if not options.responses and relay.pays(names, options.jobs):
        return stack.enter_context(relay.Relay(names, losses, gate, progress.advance, options.sieve))
    return Reading(series(names, losses, progress.advance), losses, options.sieve, options.responses)


def run(scan: Scan | Fleet, writers: Sequence[Writer], losses: Losses, live: bool, gate: Gate) -> int:
    """Everything up to the summary; gives the exit code of the signal that ended it early, or 0."""
    stopped = 0
    try:
        with gate.interruptible():
            with gate.closed():
                run = scan.run()
                for writer in writers:
                    writer.begin(run)
            for leak in scan.leaks(live):
                with gate.closed():
                    for writer in writers:
                        writer.leak(leak)
    except Interrupted as signal:
        losses["run.interrupted"] += 1
        stopped = signal.exit_code
    for leak in scan.rest():
        for writer in writers:
            writer.leak(leak)
    return stopped


def exit_code(summary: Summary, options: Options) -> int:
    """1 for a behaviour that counts; 3 when something was not read, or nothing could be. docs/cli.md has the table."""
    if options.exit_zero:
        return 0
    leak = summary.counts(options.fail_on)
    blind = summary.unread() or (not summary.requests and not options.allow_inconclusive)
    if blind and (options.strict or not leak):
        return EXIT_UNREAD
    return EXIT_LEAK if leak else 0


def list_requests(captures: Sequence[str], quiet: bool, progress_wanted: bool, sieve: bool) -> int:
    """Print every HTTP request as a JSON line; gives the exit code."""
    with Progress(progress_wanted and not quiet) as progress:
        losses = Losses(partial(warn, progress.say))
        names = expand(captures, losses)
        if not quiet:
            progress.say("this is the inspection tool: values are shown as they were sent")
        progress.start(names)
        reading = Reading(series(names, losses, progress.advance), losses, sieve)
        live = "-" in names
        stopped = 0
        gate = Gate()
        try:
            with gate.interruptible():
                for message in reading.messages():
                    with gate.closed():
                        _write_line(sys.stdout, message, live)
        except Interrupted as signal:
            stopped = signal.exit_code
        sys.stdout.flush()
        progress.stop()
        unread = losses.of_kind("unread")
        if unread and not quiet:
            progress.say(f"not read: {_listed(unread)}")
    return stopped or (EXIT_UNREAD if unread or not reading.coverage.requests else 0)


def _write_line(stream: TextIO, message: Message, flush: bool) -> None:
    line = {
        "time": rfc3339(message.time_ns, message.origin.digits),
        "frame": message.frame,
        "frame_end": message.frame_end,
        "client": message.client,
        "client_port": message.client_port,
        "server": message.server,
        "server_port": message.server_port,
        "protocol": message.protocol,
        "method": message.method,
        "target": message.target,
        "host": message.host,
        "headers": message.headers,
        "partial": message.partial,
        "capture": message.origin.capture,
        "teid": message.teid,
    }
    stream.write(json.dumps(line, separators=(",", ":")) + "\n")
    if flush:
        stream.flush()


def warn(say: Callable[[str], None], problem: Problem) -> None:
    """Tell the operator of something wrong with an input."""
    say(f"warning: {problem._replace(capture=shown_name(problem.capture))}")


def look(options: Options, live: bool) -> Look:
    """How stdout is to look."""
    terminal = sys.stdout.isatty()
    color = options.color == "always" or (options.color == "auto" and terminal and not os.environ.get("NO_COLOR"))
    return Look(live=live, color=color, width=width())


def width() -> int:
    """Columns of the terminal; 80 in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_COLUMNS


def outcome(summary: Summary) -> str:
    """The last line on stderr: what came out, of how much, and what could not be read."""
    unread = summary.to_dict()["coverage"]["losses"]["unread"]
    line = f"{summary.outcome()} in {summary.requests:,} readable request{'' if summary.requests == 1 else 's'}"
    return f"{line}; not read: {_listed(unread)}" if unread else line


def _listed(losses: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in losses.items())
