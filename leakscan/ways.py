"""Who scans the captures of `analyse`: this process, another that reads for it, or many.

In: the flags and the names of captures. Out: a scan, used like spine.Scan. State: none; what is started ends with the
operator's stack. Four ways, in this order:

    fleet    units for many processes or a cluster, where they are named (`--state`, `--cluster`) or series are many
    split    many processes for one capture, or one series
    relay    one process that reads; it gets ready (standby.py) while this one loads what detection needs
    spine    this process alone
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from leakscan import relay, split, standby
from leakscan.errors import UsageError
from leakscan.filenames import shown_name
from leakscan.flags import Options
from leakscan.interrupt import Gate
from leakscan.losses import Losses
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.sources import stamp
from leakscan.sources.paths import is_remote

if TYPE_CHECKING:
    from leakscan.fleet import Crew, Fleet, State
    from leakscan.spine import Scan, Settings
    from leakscan.split.worker import Setup

LOCAL_CLUSTER = "local"
ENCRYPTED = ("tls", "wss")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
OnBytes = Callable[[int], None]


def scan_of(
    options: Options,
    names: Sequence[str],
    losses: Losses,
    gate: Gate,
    on_bytes: OnBytes,
    stack: ExitStack,
    settings: Callable[[], Settings],
    state: State | None,
) -> Scan | Fleet:
    """`settings` is asked once: after the relay is forked, so that both start at the same time. Raises UsageError."""
    kept = options.state is not None or options.cluster is not None
    if kept:
        _check_names(options, names)
    elif options.evidence is not None and any(map(is_remote, names)):
        raise UsageError("--evidence: points at captures on this machine; fetch those that are remote")
    elif _may_be_divided(options, names):
        from leakscan.split.pool import Pool
        from leakscan.split.scan import SplitScan

        def start(setup: Setup) -> Pool:
            return stack.enter_context(Pool(split.workers(options.jobs), gate, setup))

        standby.dismiss()
        return SplitScan(names, losses, settings(), start, gate, on_bytes)
    if kept or _are_many(options, names):
        from leakscan.fleet import Fleet  # late: multiprocessing

        standby.dismiss()
        return Fleet(names, losses, settings(), partial(_crew, options, names), gate, on_bytes, options.sieve, state)
    reading: Reading
    if not options.responses and relay.pays(names, options.jobs):
        glances = options.known is None and options.rules is None
        reading = stack.enter_context(
            relay.Relay(names, losses, gate, on_bytes, options.sieve, options.bodies, glances)
        )
    else:
        standby.dismiss()
        batches = series(names, losses, on_bytes)
        reading = Reading(batches, losses, options.sieve, options.responses, options.bodies)
    from leakscan.spine import Scan  # late: what was forked starts meanwhile

    return Scan(reading, names, settings(), gate=gate)


def state_of(options: Options, stack: ExitStack) -> State | None:
    """The folder of earlier results, and what cannot be had together with it or with a cluster. Raises UsageError."""
    given = [flag for flag, value in (("--state", options.state), ("--cluster", options.cluster)) if value is not None]
    if given and options.show_values:
        raise UsageError(f"{given[0]}: results are masked there: --show-values cannot be had with it")
    if given and options.evidence is not None:
        raise UsageError(f"{given[0]}: --evidence needs the requests, which stay where they are scanned")
    if options.state is None:
        return None
    from leakscan.fleet import State  # late: multiprocessing

    return stack.enter_context(State(options.state))


def travels_in_clear(cluster: str | None) -> bool:
    """Whether others may read what the cluster at this address is sent."""
    if cluster in (None, LOCAL_CLUSTER):
        return False
    try:
        there = urlsplit(cluster if "://" in cluster else f"tcp://{cluster}")
    except ValueError:  # it is refused when it is needed
        return False
    return there.scheme not in ENCRYPTED and there.hostname not in LOOPBACK


def _crew(options: Options, names: Sequence[str]) -> Crew:
    """Who scans many captures. Raises UsageError, MissingExtra."""
    from leakscan.fleet import Processes, jobs_for

    if options.cluster is None:
        return Processes(jobs_for(names, options.jobs))
    from leakscan.fleet.cluster import Cluster  # late: dask

    return Cluster(options.cluster, options.jobs or os.cpu_count() or 1)


def _check_names(options: Options, names: Sequence[str]) -> None:
    """Raises UsageError for captures that others cannot read, or not twice."""
    for name in names:
        flag = "--state" if options.state is not None else "--cluster"
        if stamp(name) is None:
            raise UsageError(f"{flag}: {shown_name(name)} can be read only once; give files or URLs")
        if options.cluster not in (None, LOCAL_CLUSTER) and not is_remote(name) and not os.path.isabs(name):  # noqa: PTH117
            raise UsageError(
                f"--cluster: workers have another folder: give the whole path of {shown_name(name)}, or a URL"
            )


def _may_be_divided(options: Options, names: Sequence[str]) -> bool:
    """Whether many processes share the captures, which takes plain requests and nobody who needs more than leaks."""
    return options.sieve and not options.responses and options.evidence is None and split.pays(names, options.jobs)


def _are_many(options: Options, names: Sequence[str]) -> bool:
    """Whether several workers have whole series each. A pack needs the requests, which workers keep to themselves."""
    if len(names) < 2 or options.evidence is not None:
        return False
    from leakscan.fleet import jobs_for  # late: multiprocessing

    return jobs_for(names, options.jobs) > 1
