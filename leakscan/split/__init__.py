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
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from leakscan.sources import plain, sizes

#: Below this many bytes in all the workers' start costs more than it saves.
MIN_BYTES = 32 << 20
#: A smaller capture is read by the first process itself.
BIG_BYTES = 16 << 20
#: Of a single capture, two processes are faster with one that reads and one that detects (relay.py): measured.
MIN_WORKERS = 3
#: How many times as fast as one core the first process can be, which all wait for: with big captures; else, when only
#: detection is shared; and whole series on cores of their own (fleet.py), which are read twice.
SHARED, HALF_SHARED, APART = 3.0, 1.5, 0.8
_DIGITS = re.compile("[0-9]+")


def pays(names: Sequence[str], jobs: int | None) -> bool:
    """Whether captures are to be shared by several processes: where that is wanted, possible, worth their start, and
    faster than to give each process series of its own. A single capture is relay.py's when it is small, or when there
    are fewer than MIN_WORKERS; a compressed one keeps one reader, which feeds them all.
    """
    count = workers(jobs)
    if count < (MIN_WORKERS if len(names) == 1 else 2) or (os.cpu_count() or 1) < 2:
        return False
    if not (hasattr(os, "fork") and hasattr(os, "preadv")):
        return False
    found = sizes(names)
    if found is None or sum(found) < MIN_BYTES:
        return False
    size_of, total = dict(zip(names, found, strict=True)), sum(found)
    shared = min(count, SHARED)
    if 2 * sum(size for name, size in size_of.items() if size >= BIG_BYTES and plain(name)) < total:
        shared = HALF_SHARED
    return shared >= APART * total / max(_longest(size_of), total / count)


def _longest(sizes: Mapping[str, int]) -> int:
    """Bytes of the longest series, as far as names tell: a rotated file has the same name but for digits."""
    series: Counter[str] = Counter()
    for name, size in sizes.items():
        series[_DIGITS.sub("", name)] += size
    return max(series.values())


def workers(jobs: int | None) -> int:
    """How many, when so many are wanted."""
    return (os.cpu_count() or 1) if jobs is None else jobs
