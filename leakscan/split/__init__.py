"""One capture on all cores: the work that needs no memory is done by many, in stretches; what has to remember is done
by one, in order.

    stretches of the capture     a worker each: walk, columns (`stretch`, `shared`)
            | in order, checked (`source`): a stretch must begin where the one before it ended
            v
    sieve's choice, reassembly, protocols: the first process
            | heads, in groups
            v
    fields, detectors, a summary of its own     a worker each (`worker`)
            | leaks, put in order again; at the end the summaries, merged
            v
    the first process (`scan`)

So what a cut tears apart was never apart: directions, bodies, fragments and tables live in one process, and see what
they would see without a cut. Where records begin is guessed (`boundaries`) and never trusted. docs/decisions/0044 says
why it is so and what it costs.

State: SHARED_BYTES for each of the stretches that are read ahead, a bounded number of groups of heads on their way, and
what the stages hold. `pool` knows how to talk to workers, and nothing of captures.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from leakscan.sources import plain

#: Below this many bytes in all the workers' start costs more than it saves.
MIN_BYTES = 32 << 20
#: A capture of less is one worker's, whole, where there are many of them (fleet.py).
BIG_BYTES = 16 << 20
#: So many cores are kept busy by one that remembers; more than that, and whole series are the better unit of work ...
MAX_JOBS = 3
#: ... if there are so many big captures for each core, and none is much longer than the others.
CAPTURES_PER_JOB = 4


def pays(names: Sequence[str], jobs: int | None) -> bool:
    """Whether captures are to be shared by several processes: where that is wanted, possible, worth their start, and
    most of the bytes are in big plain captures.
    """
    count = workers(jobs)
    if count < 2 or (os.cpu_count() or 1) < 2 or not hasattr(os, "fork"):
        return False
    sizes = [path.stat().st_size if path.is_file() else -1 for path in map(Path, names)]
    total = sum(sizes)
    if min(sizes, default=-1) < 0 or total < MIN_BYTES:
        return False
    big = [size for name, size in zip(names, sizes, strict=True) if size >= BIG_BYTES and plain(name)]
    if count > MAX_JOBS and len(big) >= CAPTURES_PER_JOB * count and max(big) * count <= total:
        return False
    return 2 * sum(big) >= total


def workers(jobs: int | None) -> int:
    """How many, when so many are wanted."""
    return (os.cpu_count() or 1) if jobs is None else jobs
