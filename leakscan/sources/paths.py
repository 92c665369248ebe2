"""Which captures the operator means: files, directories, patterns that the shell left alone, and `-`.

In: command-line arguments. Out: names in reading order. Nothing is read here but directories. No state.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from leakscan.errors import CaptureUnavailable
from leakscan.sources.stream import STDIN


def expand(arguments: Sequence[str], wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
    """Names of all captures that `arguments` stand for, each once: a file under two names is read under the first.

    Directories are searched to the bottom, in natural order (x.pcap2 before x.pcap10), without following links to other
    directories; of the files in them only those are taken that are `wanted`. A name that exists is taken as it is, even
    when it looks like a pattern. Raises CaptureUnavailable when an argument does not exist, matches nothing or may not
    be read.
    """
    names = dict.fromkeys(name for argument in arguments for name in _expand(argument, wanted))
    first: dict[object, str] = {}
    for name in names:
        first.setdefault(_identity(name), name)
    return list(first.values())


def _identity(name: str) -> object:
    """The same for all names of a regular file; of anything else its name."""
    if is_remote(name) or name == STDIN:
        return name
    try:
        found = os.stat(name)  # noqa: PTH116 - a hundred thousand files are many
    except OSError:
        return name
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else name


def is_remote(name: str) -> bool:
    """Whether this is a URL and no path."""
    return _URL.match(name) is not None


def _expand(argument: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    if is_remote(argument):
        from leakscan.sources import remote  # late: few captures are

        yield from remote.expand(argument, wanted)
        return
    if argument == STDIN:
        yield argument
        return
    if os.path.lexists(argument):
        yield from _named(argument, wanted)
        return
    pattern = glob.has_magic(argument)
    matches = sorted(glob.glob(argument, recursive=True), key=natural) if pattern else []  # noqa: PTH207 - as the shell
    if not matches:
        raise CaptureUnavailable(f"{argument}: {'nothing matches' if pattern else _why_not(argument)}")
    for match in matches:
        yield from _named(match, wanted)


def _named(name: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    if not Path(name).exists():
        raise CaptureUnavailable(f"{name}: a link to nothing")
    if not os.access(name, os.R_OK):
        raise CaptureUnavailable(f"{name}: permission denied")
    if not Path(name).is_dir():
        yield name
        return
    found = sorted(_files(name), key=natural)
    if not found:
        raise CaptureUnavailable(f"{name}: no file in this directory")
    yield from filter(wanted, found)


def _why_not(name: str) -> str:
    """Why nothing is found under a name: it is not there, or this user may not look."""
    try:
        os.lstat(name)
    except PermissionError:
        return "permission denied"
    except (OSError, ValueError):
        pass
    return "no such file or directory"


def _files(directory: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise CaptureUnavailable(f"{error.filename}: {error.strerror}") from error

    for folder, _, files in os.walk(directory, onerror=refuse):
        for file in files:
            path = os.path.join(folder, file)  # noqa: PTH118 - Path drops a leading "./" that the operator wrote
            if Path(path).is_file():
                yield path


def natural(name: str) -> tuple[list[str | int], str]:
    """A sort key that compares digits as numbers."""
    return [int(part) if digits else part for digits, part in _parts(name)], name


def _parts(name: str) -> Iterator[tuple[int, str]]:
    return ((index % 2, part) for index, part in enumerate(re.split("([0-9]+)", name)))


def named_like_a_capture(name: str) -> bool:
    return CAPTURE_NAME.search(name) is not None


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z0-9+.-]+)*://")
#: Suffixes of captures; programs that rotate put a number behind (x.pcap7, x.pcap.7), then a compression may follow.
CAPTURE_NAME = re.compile(
    r"\.(?:pcap|pcapng|cap|dmp|ntar|snoop|erf)[0-9]{0,9}(?:\.[0-9]{1,9})?(?:\.(?:gz|xz|zst|lz4))?$", re.IGNORECASE
)
