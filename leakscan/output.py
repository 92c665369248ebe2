"""Writing a result to a file, so that what stands there is whole, nobody else's, and only the operator's to read.

Comes in: `-o FILE` or `-o FORMAT=FILE`. Goes out: a text stream. A file is written as a new one in the same folder
(`O_EXCL`, no link followed, mode 0600), which takes the name when it is whole; when it is not, nothing is left
behind. One that is to grow takes the name at once and stays, whatever happens. A FIFO or a device is written through.
State: one open file and its folder.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from leakscan.errors import UsageError
from leakscan.formats import FILE_FORMATS

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FORMAT_WORD = re.compile(r"([a-z][a-z0-9-]*)=(.+)", re.DOTALL)


class Output(NamedTuple):
    """What one `-o` asks for."""

    format: str  # a key of FILE_FORMATS
    path: str


def parse_output(spec: str) -> Output:
    """`FILE`, whose suffix names the format, or `FORMAT=FILE`. Anything else raises UsageError.

    A file whose name begins with a word and `=` is written `./word=...`.
    """
    named = _FORMAT_WORD.fullmatch(spec)
    if named is not None:
        if named[1] not in FILE_FORMATS:
            raise UsageError(f"-o {spec}: no format {named[1]!r}; there are {_listed(FILE_FORMATS)}")
        return Output(named[1], named[2])
    suffix = Path(spec).suffix.lower()
    for name, writer in FILE_FORMATS.items():
        if suffix in writer.suffixes:
            return Output(name, spec)
    known = _listed(suffix for writer in FILE_FORMATS.values() for suffix in writer.suffixes)
    raise UsageError(f"-o {spec}: the suffix must be one of {known}, or write FORMAT=FILE")


def keep_apart(wanted: Sequence[Output], read: Iterable[str] = ()) -> None:
    """Raises UsageError for an output that would take the place of another one, or of a file that is read."""
    theirs = {stamp for path in read for stamp in (_stamp(path, os.stat), _stamp(path, os.lstat)) if stamp}
    taken: set[str] = set()
    for _, path in wanted:
        if _is_through(path):
            continue
        if _stamp(path, os.lstat) in theirs:
            raise UsageError(f"-o {path}: is one of the files that are read, which would be lost")
        place = str(Path(path).parent.resolve() / Path(path).name)
        if place in taken:
            raise UsageError(f"-o {path}: is written twice")
        taken.add(place)


def _stamp(path: str, look: Callable[[str], os.stat_result]) -> tuple[int, int] | None:
    try:
        found = look(path)
    except (OSError, ValueError):  # not there, or no path of this machine
        return None
    return found.st_dev, found.st_ino


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


class OutputFile:
    """A result file, as a context: leaving it puts the file in place, leaving it by an exception leaves nothing.

    With `grow` it is in place from the beginning, to be read while it is written: what was flushed stays. `path` may be
    a FIFO or a device: then `through` is True and text goes to it at once. Whatever the system refuses, now or later,
    raises UsageError naming the file.
    """

    def __init__(self, path: str, grow: bool = False) -> None:
        self.path = path
        self._grow = grow
        self._folder = -1
        self._temporary = ""
        with _named(path):
            self.through = _is_through(path)
            descriptor = self._open_through() if self.through else self._open_new()
        self.stream = io.TextIOWrapper(
            io.BufferedWriter(_Raw(descriptor, path)), encoding="utf-8", newline="", line_buffering=self.through
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def commit(self) -> None:
        """Write what is buffered and give the file its name."""
        try:
            with _named(self.path):
                self.stream.flush()
                if not self.through:
                    os.fsync(self.stream.fileno())
                    self._take_name()
        finally:
            self.discard()

    @property
    def temporary(self) -> Path:
        """The file that is to take the name, while it has not."""
        return Path(self.path).parent / self._temporary

    def write(self, data: bytes) -> None:
        """Bytes instead of text."""
        self.stream.buffer.write(data)

    def flush(self) -> None:
        self.stream.flush()

    def discard(self) -> None:
        """Close, and remove what was not put in place. May be called again."""
        with contextlib.suppress(UsageError, OSError):
            self.stream.close()  # flushes, which may fail as before
        self._remove()

    def _open_through(self) -> int:
        links = 0 if _is_in_through_folder(self.path) else os.O_NOFOLLOW
        return os.open(self.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | links)

    def _open_new(self) -> int:
        """A file of our own beside the one that is meant; the folder stays open, so that it cannot be swapped."""
        path = Path(self.path)
        if path.is_dir() or not path.name:
            raise IsADirectoryError(0, "is a directory")
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        temporary = f".leakscan-{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(temporary, flags, 0o600, dir_fd=self._folder)
        except OSError:
            os.close(self._folder)
            self._folder = -1
            raise
        self._temporary = temporary
        if self._grow:
            try:
                self._take_name()
            except OSError:
                os.close(descriptor)
                self._remove()
                raise
        return descriptor

    def _take_name(self) -> None:
        if self._temporary:
            os.replace(self._temporary, Path(self.path).name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._temporary = ""

    def _remove(self) -> None:
        """What was not put in place, and the hold on the folder."""
        if self._temporary:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._folder)
            self._temporary = ""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


def is_folder(path: str) -> bool:
    """Whether `-o FORMAT=path` means a folder: there is one, or it ends in a slash."""
    return path.endswith("/") or Path(path).is_dir()


class OutputFolder:
    """A folder of result files, as a context: it takes its name when it is whole. One that holds something already is
    left alone. Raises UsageError naming it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._target = Path(path)
        self._temporary = self._target.parent / f".leakscan-{secrets.token_hex(8)}.tmp"
        with _named(path):
            if self._target.is_dir() and any(self._target.iterdir()):
                raise OSError(0, "the folder is not empty")
            self._temporary.mkdir(mode=0o700)

    def new(self, name: str) -> BinaryIO:
        """A file in the folder, mode 0600."""
        with _named(self.path):
            path = self._temporary / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            return io.BufferedWriter(_Raw(descriptor, self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with _named(self.path):
                    self._temporary.replace(self._target)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)


class _Raw(io.FileIO):
    """A file whose write errors name it: a full disk is met in the middle of a format, which knows no file."""

    def __init__(self, descriptor: int, path: str) -> None:
        super().__init__(descriptor, "w")
        self._path = path

    def write(self, data: ReadableBuffer, /) -> int:
        with _named(self._path):
            return super().write(data)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """What the system refuses within is the operator's to mend: UsageError with the file's name."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def _is_through(path: str) -> bool:
    """Whether `path` is a FIFO, a device, or a link of the system's to an open file."""
    if _is_in_through_folder(path):
        return Path(path).exists()
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _is_in_through_folder(path: str) -> bool:
    """`/dev/stdout`, `/dev/fd/63`, `/proc/self/fd/1`: what such a link points to is meant, not the link."""
    folder = Path(path).parent.resolve()
    return folder == Path("/dev") or folder.is_relative_to("/proc")
