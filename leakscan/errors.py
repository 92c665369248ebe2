"""The operator's mistakes. Bad traffic is never one of them: it is counted (losses.py).

    LeakscanError              70  anything that reaches the top; one line, no captured data
      UsageError                2  a flag, a value or a combination that cannot be
        MissingExtra            2  a feature whose optional package is not installed
      FileMistake               2  a file given by the operator has a mistake: names file, entry and key
      CaptureUnavailable        2  a CAPTURE or interface that does not exist or may not be opened, or nothing matched
      NotPermitted              4  the system does not let this process capture; the message says what would

The exit code stands on the class. `cli` prints the message and leaves with it.
"""

from __future__ import annotations

import traceback


class LeakscanError(Exception):
    """Base of all errors that leakscan raises on purpose."""

    exit_code = 70


class UsageError(LeakscanError):
    """A flag, a value or a combination of them that cannot be."""

    exit_code = 2


class MissingExtra(UsageError):
    """A feature whose optional package is not installed; the message names the extra."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional part: pip install 'leakscan[{extra}]'")


class FileMistake(LeakscanError):
    """A mistake in a file that the operator gave (networks, key, ...)."""

    exit_code = 2

    def __init__(self, file: str, where: str, reason: str) -> None:
        super().__init__(f"{file}: {where}: {reason}" if where else f"{file}: {reason}")


class CaptureUnavailable(LeakscanError):
    """A CAPTURE that does not exist, may not be opened, or matches nothing."""

    exit_code = 2


class NotPermitted(LeakscanError):
    """The system does not let this process capture; the message holds the line that changes it."""

    exit_code = 4


def places(error: BaseException) -> list[tuple[str, int, str]]:
    """Where it happened: files, lines and functions, no values."""
    return [(at.filename, at.lineno or 0, at.name) for at in traceback.extract_tb(error.__traceback__)]
