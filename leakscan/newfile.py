"""New files and folders that are nobody's but their maker's, until they take a name.

No state.
"""

from __future__ import annotations

import os
import secrets

PREFIX = ".leakscan-"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary_name() -> str:
    """One that nobody else has; who finds it later knows whose it was."""
    return f"{PREFIX}{secrets.token_hex(8)}.tmp"


def create(path: str | os.PathLike[str], folder: int | None = None) -> int:
    """A descriptor of a file that was not there before, mode 0600, no link followed. `folder`: an open one, in which
    `path` is. Raises OSError.
    """
    return os.open(path, _FLAGS, 0o600, dir_fd=folder)
