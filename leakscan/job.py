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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from leakscan.conceal import read_key
from leakscan.errors import UsageError
from leakscan.explain import Explanation
from leakscan.filenames import shown_name
from leakscan.formats import FORMATS, SHARED, Look, Writer
from leakscan.gate import Rules, day, found_files, in_use, judge, notes
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses, Problem
from leakscan.model import Message
from leakscan.networks import Networks
from leakscan.output import Output, OutputFile, parse_output
from leakscan.policy import Policy
from leakscan.progress import Progress
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import expand
from leakscan.times import between, rfc3339

if TYPE_CHECKING:
    from leakscan.carriers import AsnDatabase
    from leakscan.detectors.catalogue import Catalogue
    from leakscan.evidence.pack import Pack
    from leakscan.fleet import Fleet
    from leakscan.known import Known
    from leakscan.spine import Scan, Settings
    from leakscan.split.scan import SplitScan
    from leakscan.split.worker import Setup

EXIT_LEAK, EXIT_UNREAD = 1, 3
VALUES_SHOWN = "warning: values are shown: the result is personal data"
PIPE_COLUMNS = 80

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """The flags of every command that shows a result and judges it, as docs/cli.md explains them."""

    format: str
    outputs: Sequence[str]
    color: str
    quiet: bool
    show_values: bool = False
    policy: str | None = None
    baseline: str | None = None
    baseline_mode: str = "new"
    ignore_file: str | None = None
    fail_on_unused_ignores: bool = False
    fail_on: str = "medium"
    strict: bool = False
    exit_zero: bool = False
    allow_inconclusive: bool = False
    today: str | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ResultOptions):
    """The flags of `analyse`."""

    captures: Sequence[str]
    min_confidence: str
    pseudonym_key: str | None
    networks: str | None
    asn_db: str | None
    responses: bool
    known: str | None
    rules: str | None
    bodies: bool
    jobs: int | None
    progress: str
    sieve: bool
    since: str | None = None
    until: str | None = None
    max_drops: float | None = None
    evidence: str | None = None
    verbose: bool = False


def analyse(options: Options) -> int:
    """Find the leaks, write the results; gives the exit code."""
    files = files_of(options)
    rules = gate_rules(options)
    wanted = wanted_outputs(options)
    with Progress(options.progress == "auto" and not options.quiet) as progress, ExitStack() as stack:
        losses = Losses(partial(warn, progress.say))
        names = expand(options.captures, losses)
        gate = Gate()
        divided = _divided(options, names, losses, gate, progress, stack, files, rules)
        reading = None if divided else _reading(options, names, losses, gate, progress, stack)
        live = "-" in names
        writers = open_writers(stack, options, wanted, live)
        if options.show_values:
            progress.say(VALUES_SHOWN)
        progress.start(names)
        pack = _pack(options, names, stack)

        from leakscan.spine import Scan  # after `_reading`: what is forked there starts meanwhile

        settings = settings_of(options, files, rules)
        scan: Scan | Fleet
        if divided is not None:
            scan = divided
        elif reading is None:
            from leakscan.fleet import Fleet, jobs_for

            scan = Fleet(names, losses, settings, jobs_for(names, options.jobs), gate, progress.advance, options.sieve)
        else:
            scan = Scan(reading, names, settings)
        if pack is not None and isinstance(scan, Scan):
            scan.watch = pack.watch
            writers.append(pack)
        stopped = run(scan, writers, losses, live, gate)
        progress.stop()
        if options.verbose and divided is not None:
            progress.say(divided.remark)
        scan.summary.max_drops = options.max_drops
        summary = finish(scan.summary.to_dict(), rules, writers, options, progress.say)
        if pack is not None and not options.quiet:
            where = shown_name(str(options.evidence))
            progress.say(f"evidence in {where}, manifest SHA-256 {pack.manifest_sha256}")
    return stopped or int(summary["gate"]["exit_code"])


def gate_rules(options: ResultOptions) -> Rules:
    """What decides, its files read. Raises FileMistake, UsageError."""
    return Rules(
        fail_on=options.fail_on,
        strict=options.strict,
        allow_inconclusive=options.allow_inconclusive,
        exit_zero=options.exit_zero,
        policy=None if options.policy is None else Policy.load(options.policy),
        policy_name=options.policy,
        baseline_mode=options.baseline_mode,
        fail_on_unused_ignores=options.fail_on_unused_ignores,
        today=day(options.today),
        **found_files(options.baseline, options.ignore_file),
    )


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
    stack: ExitStack, options: ResultOptions, wanted: Sequence[Output], live: bool, growing: str = ""
) -> list[Writer]:
    """A writer for each file, and one for stdout unless nobody wants it. `growing`: the format of which alone files are
    written as it goes.
    """
    root, folder = _repository()
    names = {*(output.format for output in wanted), options.format}
    aside = _job_summary(stack) if "github" in names else None
    look = Look(live=live, root=root, folder=folder, aside=aside)
    writers: list[Writer] = []
    for format_name, path in wanted:
        file = stack.enter_context(OutputFile(path, grow=format_name == growing))
        at_once = (format_name == growing if growing else live) or file.through
        writers.append(FORMATS[format_name](file.stream, look._replace(live=at_once)))
    if not (options.quiet and wanted):
        writers.append(FORMATS[options.format](sys.stdout, _on_stdout(look, options)))
    if options.explain:
        writers.append(Explanation())
    return writers


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


class Files(NamedTuple):
    """What stands in the files that bear on the result."""

    key: bytes | None
    networks: Networks | None
    systems: AsnDatabase | None
    known: Known | None
    since_ns: int
    until_ns: int
    rules: Catalogue | None


def files_of(options: Options) -> Files:
    """Raises FileMistake, UsageError."""
    key = None if options.pseudonym_key is None else read_key(options.pseudonym_key)
    networks = None if options.networks is None else Networks.load(options.networks)
    systems, known, rules = None, None, None
    if options.asn_db is not None:
        from leakscan.carriers import AsnDatabase  # late, as the next: not many want it

        systems = AsnDatabase(options.asn_db)
    if options.known is not None:
        from leakscan.known import Known

        known = Known.load(options.known)
    if options.rules is not None:
        from leakscan.detectors import with_rules  # late: see `analyse`

        rules = with_rules(options.rules)
    return Files(key, networks, systems, known, *between(options.since, options.until), rules)


def settings_of(options: Options, files: Files, rules: Rules) -> Settings:
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
        rules=files.rules,
        rules_name=options.rules,
        bodies=options.bodies,
        policy=rules.policy,
        policy_name=rules.policy_name,
        since_ns=files.since_ns,
        until_ns=files.until_ns,
    )


def _divided(
    options: Options,
    names: Sequence[str],
    losses: Losses,
    gate: Gate,
    progress: Progress,
    stack: ExitStack,
    files: Files,
    rules: Rules,
) -> SplitScan | None:
    """A scan of captures each of which many workers share, where that pays."""
    from leakscan import split  # late: see `analyse`

    if options.responses or options.evidence is not None or not options.sieve or not split.pays(names, options.jobs):
        return None
    from leakscan.split.pool import Pool
    from leakscan.split.scan import SplitScan

    def start(setup: Setup) -> Pool:
        return stack.enter_context(Pool(split.workers(options.jobs), gate, setup))

    return SplitScan(names, losses, settings_of(options, files, rules), start, gate, progress.advance)


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
        return stack.enter_context(relay.Relay(names, losses, gate, progress.advance, options.sieve, options.bodies))
    batches = series(names, losses, progress.advance)
    return Reading(batches, losses, options.sieve, options.responses, options.bodies)


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
    if in_use(summary):
        behaviours = len(summary["behaviours"])
        line += f"; {summary['gate']['counting']:,} of {behaviours:,} behaviour{'' if behaviours == 1 else 's'} count"
    return f"{line}; not read: {_listed(unread)}" if unread else line


def _listed(losses: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in losses.items())
