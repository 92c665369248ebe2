"""`leakscan` and `python -m leakscan`."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING

from leakscan import standby, streams

if TYPE_CHECKING:
    from leakscan.standby import Work

#: Records hold no cycles: looking for some as often as Python does by itself takes a tenth of the time.
GC_THRESHOLDS = (50_000, 20, 50)


def main() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads for matrices, which nobody here has
    gc.set_threshold(*GC_THRESHOLDS)
    streams.mend()
    codes: list[int] = []
    atexit.register(_leave, codes)  # the first to be registered is the last to be called
    words = sys.argv[1:]
    standby.start(words, _reader)
    try:
        from leakscan.cli import run  # late: a second process, if there is one, starts meanwhile

        code = run(words)
    except KeyboardInterrupt:  # while it was loaded
        code = 130
    finally:
        standby.dismiss()
    codes.append(code)
    sys.exit(code)


def _leave(codes: list[int]) -> None:
    """Leave without taking apart all that is in memory, which takes a tenth of a short run."""
    if codes:
        with contextlib.suppress(Exception):  # then Python says it, as it always does
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(codes[0])


def _reader() -> Work:
    from leakscan import relay

    return relay.ready()


if __name__ == "__main__":
    main()
