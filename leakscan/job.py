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
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from leakscan.errors import UsageError
from leakscan.explain import Explanation
from leakscan.filenames import shown_name
from leakscan.flags import Options, ResultOptions, files_of, gate_rules, settings_of
from leakscan.formats import BINARY, FILE_FORMATS, FORMATS, SHARED, Look, Writer
from leakscan.gate import Rules, how_many_count, judge, notes, says_more
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses, Problem
from leakscan.model import Message
from leakscan.output import Output, OutputFile, OutputFolder, is_folder, keep_apart, parse_output
from leakscan.progress import Progress
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import expand
from leakscan.times import rfc3339
from leakscan.ways import scan_of, state_of, travels_in_clear

if TYPE_CHECKING:
    from leakscan.evidence.pack import Pack
    from leakscan.fleet import Fleet
    from leakscan.spine import Scan

EXIT_LEAK, EXIT_UNREAD = 1, 3
VALUES_SHOWN = "warning: values are shown: the result is personal data"
IN_CLEAR = (
    "warning: --cluster: the pseudonym key and results travel unencrypted; use tls://, or a network that is yours"
)
PIPE_COLUMNS = 80

Json = dict[str, Any]


def analyse(options: Options) -> int:
    """Find the leaks, write the results; gives the exit code."""
    rules = gate_rules(options)
    wanted = wanted_outputs(options)
    with Progress(options.progress == "auto" and not options.quiet) as progress, ExitStack() as stack:
        files = files_of(options)
        state = state_of(options, stack)
        if state is not None and files.pseudonym_key is None:
            files = files._replace(pseudonym_key=state.key())
        losses = Losses(partial(warn, progress.say))
        names = expand(options.captures, losses)
        gate = Gate()
        settings = partial(settings_of, options, files, rules)
        scan = scan_of(options, names, losses, gate, progress.advance, stack, settings, state)
        live = "-" in names
        writers = open_writers(stack, options, wanted, live, read=names)
        if options.show_values:
            progress.say(VALUES_SHOWN)
        if travels_in_clear(options.cluster):
            progress.say(IN_CLEAR)
        progress.start(names)
        pack = _pack(options, names, stack)
        if pack is not None:
            from leakscan.spine import Scan  # loaded by now

            assert isinstance(scan, Scan)  # who wants a pack scans here (ways.py)
            scan.watch = pack.watch
            writers.append(pack)
        stopped = run(scan, writers, losses, live, gate)
        progress.stop()
        if options.verbose and scan.remark:
            progress.say(scan.remark)
        scan.summary.max_drops = options.max_drops
        summary = finish(scan.summary.to_dict(), rules, writers, options, progress.say)
        if pack is not None and not options.quiet:
            where = shown_name(str(options.evidence))
            progress.say(f"evidence in {where}, manifest SHA-256 {pack.manifest_sha256}")
    if scan.bug is not None:  # told when all that was found is in place
        raise scan.bug
    return stopped or int(summary["gate"]["exit_code"])


def wanted_outputs(options: ResultOptions) -> list[Output]:
    """The files that are asked for. Raises UsageError."""
    wanted = [parse_output(spec) for spec in options.outputs]
    shared = SHARED.intersection([options.format, *(output.format for output in wanted)])
    if options.show_values and shared:
        raise UsageError(
            f"--show-values: {', '.join(sorted(shared))} is made to be handed on; values stay masked there"
        )
    return wanted


def open_writers(
    stack: ExitStack,
    options: ResultOptions,
    wanted: Sequence[Output],
    live: bool,
    growing: str = "",
    read: Sequence[str] = (),
) -> list[Writer]:
    """A writer for each file, and one for stdout unless nobody wants it. `growing`: the format of which alone files are
    written as it goes. `read`: files whose place none may take.
    """
    keep_apart(wanted, read)
    root, folder = _repository()
    names = {*(output.format for output in wanted), options.format}
    aside = _job_summary(stack) if "github" in names else None
    look = Look(live=live, root=root, folder=folder, aside=aside)
    writers: list[Writer] = []
    for format_name, path in wanted:
        if format_name in BINARY and is_folder(path):
            writers.append(_days(stack, path))
            continue
        file = stack.enter_context(OutputFile(path, grow=format_name == growing))
        at_once = (format_name == growing if growing else live) or file.through
        writers.append(FILE_FORMATS[format_name](file.stream, look._replace(live=at_once)))
    if not (options.quiet and wanted):
        writers.append(FORMATS[options.format](sys.stdout, _on_stdout(look, options)))
    if options.explain:
        writers.append(Explanation())
    return writers


def _days(stack: ExitStack, path: str) -> Writer:
    from leakscan.formats.parquet import Days  # late, like every format

    return Days(stack.enter_context(OutputFolder(path)).new)


def finish(
    summary: Json, rules: Rules, writers: Sequence[Writer], options: ResultOptions, say: Callable[[str], None]
) -> Json:
    """Judge, write the end of every result, and say on stderr what the operator should know."""
    judge(summary, rules)
    for writer in writers:
        writer.end(summary)
    sys.stdout.flush()
    if not options.quiet:
        for note in notes(summary):
            say(note)
    for writer in writers:
        if isinstance(writer, Explanation):
            for line in writer.lines(summary):
                say(line)
    if not options.quiet:
        say(_outcome(summary))
    return summary


def _pack(options: Options, names: Sequence[str], stack: ExitStack) -> Pack | None:
    if options.evidence is None:
        return None
    from leakscan.evidence.pack import Pack  # late: not many want it

    return stack.enter_context(Pack(options.evidence, names))


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


def _on_stdout(look: Look, options: ResultOptions) -> Look:
    terminal = sys.stdout.isatty()
    color = options.color == "always" or (options.color == "auto" and terminal and not os.environ.get("NO_COLOR"))
    return look._replace(color=color, width=width())


def _repository() -> tuple[str, str]:
    """The root of the repository we are in, and the working folder below it; without one, the folder is the root."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        with suppress(OSError):  # this user may not look there
            if (folder / ".git").exists():
                return str(folder), str(here.relative_to(folder))
    return str(here), ""


def _job_summary(stack: ExitStack) -> TextIO | None:
    """GitHub's file for the summary of a step, which others may have written to before. Raises UsageError."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return None
    try:
        return stack.enter_context(Path(path).open("a", encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"GITHUB_STEP_SUMMARY: cannot write {path}: {error.strerror}") from error


def width() -> int:
    """Columns of the terminal; 80 in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_COLUMNS


def _outcome(summary: Json) -> str:
    """The last line on stderr: what came out, of how much, what of it counts, and what could not be read."""
    unread, requests = summary["coverage"]["losses"]["unread"], summary["total"]["requests"]
    line = f"{summary['outcome']} in {requests:,} readable request{'' if requests == 1 else 's'}"
    if says_more(summary):
        line += f"; {how_many_count(summary)}"
    return f"{line}; not read: {_listed(unread)}" if unread else line


def _listed(losses: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in losses.items())
