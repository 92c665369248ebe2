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


def pays(names: Sequence[str], jobs: int | None) -> bool:
    """Whether several processes are wanted, possible, and worth their start: for regular files, most of them (by
    bytes) plain.
    """
    if workers(jobs) < 2 or not hasattr(os, "fork"):
        return False
    paths = [Path(name) for name in names]
    if not all(path.is_file() for path in paths):
        return False
    sizes = {name: path.stat().st_size for name, path in zip(names, paths, strict=True)}
    total = sum(sizes.values())
    return total >= MIN_BYTES and 2 * sum(size for name, size in sizes.items() if plain(name)) >= total


def workers(jobs: int | None) -> int:
    """How many, when so many are wanted."""
    return (os.cpu_count() or 1) if jobs is None else jobs
