"""`leakscan` and `python -m leakscan`."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from leakscan import standby

if TYPE_CHECKING:
    from leakscan.standby import Work

#: Records hold no cycles: looking for some as often as Python does by itself takes a tenth of the time.
GC_THRESHOLDS = (50_000, 20, 50)


def main() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads for matrices, which nobody here has
    gc.set_threshold(*GC_THRESHOLDS)
    words = sys.argv[1:]
    standby.start(words, _reader)
    try:
        from leakscan.cli import run  # late: a second process, if there is one, starts meanwhile

        code = run(words)
    except KeyboardInterrupt:  # while it was loaded
        code = 130
    finally:
        standby.dismiss()
    sys.exit(code)


def _reader() -> Work:
    from leakscan import relay

    return relay.ready()


if __name__ == "__main__":
    main()
