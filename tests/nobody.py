"""Being an ordinary user for a while: the superuser is refused nothing."""

from __future__ import annotations

import os
from collections.abc import Callable

NOBODY = 65534


def as_nobody(ask: Callable[[], bool]) -> bool:
    """What `ask` says in a child process that is not the superuser."""
    child = os.fork()
    if not child:
        code = 2
        try:
            if os.geteuid() == 0:
                os.setresuid(NOBODY, NOBODY, NOBODY)
            code = 0 if ask() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
