"""The job of `leakscan live`: interfaces in, the results of files out, while it happens.

In: the flags. Out: results, and at last the exit code. State: that of one scan over one series that has no end, the
outputs, and when to stop. What is special about live stands here and in what it uses; everything between frames and
results does not know.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from leakscan.errors import UsageError
from leakscan.filenames import shown_name
from leakscan.flags import Options, files_of, gate_rules, settings_of
from leakscan.formats import FORMATS, Look
from leakscan.gate import Rules, judge
from leakscan.interrupt import Knock
from leakscan.job import finish, open_writers, wanted_outputs, warn, width
from leakscan.liveview import Dropped, LiveView, is_wanted
from leakscan.losses import Losses
from leakscan.model import FrameBatch, Leak
from leakscan.reading import Reading
from leakscan.recorder import Recorder, Rotation
from leakscan.sources.live import Interfaces, best_tap
from leakscan.sources.pipe import Pipe
from leakscan.sources.stream import STDIN
from leakscan.sources.tap import Drops, Wish
from leakscan.spine import Scan
from leakscan.summary import Summary

NOTICE = "capturing other people's traffic needs their consent or another legal basis"
#: How often the drops are asked for.
COUNT_SECONDS = 1.0
#: Kinds of leaks that --fail-fast need not ask the gate about again.
MAX_QUIET = 4096


@dataclass(frozen=True, slots=True)
class Capture:
    """The flags of `live` that `analyse` does not have. Sizes in bytes, times in seconds."""

    wish: Wish
    duration: float | None
    packets: int | None
    fail_fast: bool
    max_drops: float  # percent
    reopen: bool
    write: str | None
    write_leaks_only: bool
    write_rotation: Rotation
    write_max: int


class Frames(Protocol):
    """Where batches come from: interfaces, or a pipe."""

    @property
    def counts_drops(self) -> bool: ...

    def batches(self) -> Iterator[FrameBatch]: ...

    def drops(self) -> Mapping[str, Drops]: ...

    def close(self) -> None: ...


def live(options: Options, capture: Capture) -> int:
    """Capture (`options.captures` are interfaces) until it is enough; gives the exit code."""
    names = list(dict.fromkeys(options.captures))
    _check(options, capture, names)
    rules = gate_rules(options)
    wanted = wanted_outputs(options)
    settings = settings_of(options, files_of(options), rules)
    knock = Knock()
    what = f"leakscan live {' '.join(map(shown_name, names))}"
    with knock.noted(), ExitStack() as stack:
        view = stack.enter_context(LiveView(is_wanted(options.format, options.progress, options.quiet), what))
        view.say(NOTICE)
        losses = Losses(partial(warn, view.say))
        watch = Watch(knock, capture.duration)
        frames = _frames(names, capture, losses, watch, view)
        stack.callback(frames.close)
        batches = frames.batches()
        recorder = None
        if capture.write is not None:
            recorder = _recorder(capture, losses, view)
            batches = recorder.through(batches)
        scan = Scan(Reading([batches], losses, options.sieve, options.responses, options.bodies), names, settings)
        run = _run_line(scan, capture.wish)
        kept = [] if capture.write is None else [capture.write]
        writers = open_writers(stack, options, wanted, not view.wanted, growing="jsonl", read=kept)
        alarm = Alarm(scan.summary, rules)
        watch.begin(_Status(scan.summary, rules, frames, capture.max_drops, view, run))
        if options.show_values:
            view.say("warning: values are shown: the result is personal data")
        view.start()
        for writer in writers:
            writer.begin(run)
        for leak in scan.leaks(live=True):
            view.leak(leak)
            for writer in writers:
                writer.leak(leak)
            if recorder is not None:
                recorder.leak(leak)
            watch.enough |= capture.fail_fast and alarm.rings(leak)
        watch.status.count()
        if recorder is not None:
            recorder.close(frames.drops())
        view.stop()
        summary = finish(scan.summary.to_dict(), rules, writers, options, view.say)
    return knock.exit_code or int(summary["gate"]["exit_code"])


class Alarm:
    """Whether a leak is the first that counts. Of each behaviour and verdict it asks once."""

    def __init__(self, summary: Summary, rules: Rules) -> None:
        self._summary = summary
        self._rules = rules
        self._quiet: set[tuple[str, ...]] = set()

    def rings(self, leak: Leak) -> bool:
        kind = (leak.fingerprint, leak.identifier, leak.confidence, leak.recipient.verdict)
        if kind in self._quiet:
            return False
        if len(self._quiet) < MAX_QUIET:
            self._quiet.add(kind)
        return bool(judge(self._summary.to_dict(), self._rules)["gate"]["counting"])


class _Status:
    """What is told while it goes on, and the drops, which are part of the result."""

    def __init__(
        self, summary: Summary, rules: Rules, frames: Frames, max_drops: float, view: LiveView, run: dict[str, Any]
    ) -> None:
        self._summary = summary
        self._rules = rules
        self._frames = frames
        self._max_drops = max_drops
        self._view = view
        self._run = run
        self._dropped = Dropped()
        self._counted = 0.0

    def refresh(self) -> None:
        now = time.monotonic()
        if now - self._counted >= COUNT_SECONDS:
            self._counted = now
            self.count()
        self._view.refresh(self._summary, self._dropped)

    def count(self) -> None:
        """Ask for the drops. More than --max-drops percent of what came are a loss of their own."""
        drops = self._frames.drops().values()
        if not self._frames.counts_drops:
            return
        received, kernel, interface = (sum(column) for column in zip(*drops, strict=True))
        losses = self._summary.losses
        losses["capture.dropped"], losses["capture.interface-dropped"] = kernel, interface
        over = (kernel + interface) * 100 > self._max_drops * (received + interface)
        losses["capture.drops-over"] = kernel + interface if over else 0
        self._dropped = Dropped(kernel, interface)

    def write(self) -> None:
        """The summary so far, as a table on stderr: results stay what their readers expect."""
        self.count()
        self._view.stop()
        table = FORMATS["table"](sys.stderr, Look(width=width()))
        table.begin(self._run)
        table.end(judge(self._summary.to_dict(), self._rules))
        sys.stderr.flush()
        self._view.start()


class Watch:
    """Asked between batches: keeps the operator informed, and knows when it is enough."""

    def __init__(self, knock: Knock, duration: float | None) -> None:
        self._knock = knock
        self._duration = duration
        self._until = float("inf")
        self.enough = False
        self.status: _Status

    def begin(self, status: _Status) -> None:
        self.status = status
        if self._duration is not None:
            self._until = time.monotonic() + self._duration

    def __call__(self) -> bool:
        if self._knock.asked():
            self.status.write()
        self.status.refresh()
        return self.enough or self._knock.exit_code != 0 or time.monotonic() >= self._until


def _check(options: Options, capture: Capture, names: Sequence[str]) -> None:
    """Combinations that cannot be. Raises UsageError."""
    if STDIN in names:
        if len(names) > 1:
            raise UsageError("-i -: standard input cannot be read together with interfaces")
        if capture.wish != Wish():
            raise UsageError("-i -: how to capture is for the program that captures to know, not for this one")
    if capture.fail_fast and options.fail_on == "none":
        raise UsageError("--fail-fast needs a --fail-on other than none")
    if capture.write is None and (capture.write_leaks_only or capture.write_rotation.wanted):
        raise UsageError("--write-leaks-only and --write-rotate-* say how to write: --write FILE says where")


def _frames(names: Sequence[str], capture: Capture, losses: Losses, watch: Watch, view: LiveView) -> Frames:
    """Raises what opening an interface raises."""
    if STDIN in names:
        return Pipe(losses, watch, capture.packets)
    through, open_tap = best_tap()
    frames = Interfaces(
        names,
        capture.wish,
        losses,
        watch,
        open_tap=open_tap,
        packets=capture.packets,
        reopen=capture.reopen,
        say=view.say,
    )
    if through != "libpcap":
        view.say(f"warning: without pcapy-ng {through} captures, which is slower: pip install 'leakscan[live]'")
    if not frames.counts_drops:
        view.say("warning: this way of capturing does not tell how many packets it drops")
    view.say(f"capturing on {', '.join(names)}; Ctrl-C ends it, kill -USR1 {os.getpid()} shows the summary so far")
    return frames


def _recorder(capture: Capture, losses: Losses, view: LiveView) -> Recorder:
    """Raises UsageError."""
    view.say("warning: the packets are kept: the file is personal data")
    return Recorder(
        str(capture.write), capture.write_rotation, capture.write_max, capture.write_leaks_only, losses, view.say
    )


def _run_line(scan: Scan, wish: Wish) -> dict[str, Any]:
    """As for files; an interface has no size, and a filter bears on the result."""
    run = scan.run()
    captures = [{**capture, "size": None} for capture in run["captures"]]
    return {**run, "captures": captures, "settings": {**run["settings"], "bpf": wish.bpf or None}}
