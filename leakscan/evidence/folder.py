"""The folder of a pack: made whole or not at all, and read without leaving it.

In: a path; names out of a manifest, which may be anybody's. Out: files, their sizes and hashes. State: the open folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self, TextIO

from leakscan.errors import UsageError
from leakscan.newfile import create, temporary_name

CHUNK_BYTES = 1 << 20


class Sum(NamedTuple):
    """What a file is known by."""

    size: int
    sha256: str


class NewFolder:
    """A folder that is being made beside its final place, as a context: leaving it by an exception leaves nothing.

    `path` must not be there, or be an empty folder. Folder and files are their owner's only. What the system refuses
    raises UsageError.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        with refused(f"cannot write {path}"):
            if self.path.is_symlink() or (self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))):
                raise UsageError(f"cannot write {path}: it is there already, and is no empty folder")
            self._made = self.path.parent / temporary_name()
            self._made.mkdir(0o700)

    def create(self, name: str) -> TextIO:
        """A new file in the folder, for text."""
        with refused(f"cannot write {self.path / name}"):
            return os.fdopen(create(self._made / name), "w", encoding="utf-8", newline="")

    def take(self, name: str) -> TextIO:
        """A file of the folder for reading, and out of the folder with it."""
        with refused(f"cannot read {self.path / name}"):
            file = (self._made / name).open(encoding="utf-8")
            (self._made / name).unlink()
            return file

    def sum(self, name: str) -> Sum:
        with refused(f"cannot read {self.path / name}"), (self._made / name).open("rb") as file:
            return file_sum(file)

    def commit(self) -> None:
        """Give the folder its name."""
        with refused(f"cannot write {self.path}"):
            self._made.rename(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._made, ignore_errors=True)


class Folder:
    """A folder that somebody made. Names that lead out of it, links, and what is no file are refused."""

    def __init__(self, path: str) -> None:
        self.path = path
        with refused(f"cannot read {path}"):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def names(self) -> list[str]:
        with refused(f"cannot read {self.path}"), os.scandir(self._descriptor) as entries:
            return sorted(entry.name for entry in entries)

    def open(self, name: str) -> BinaryIO:
        """Raises UsageError for a name that is none of a file in the folder."""
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise UsageError(f"{self.path}: the name {name!r} leads out of the folder")
        if not _can_be(name):
            raise UsageError(f"{self.path}: the name {name!r} cannot be a file's")
        with refused(f"cannot read {self.path}/{name}"):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise UsageError(f"cannot read {self.path}/{name}: it is no file")
            return os.fdopen(descriptor, "rb")

    def holds(self, name: str, total: Sum) -> bool:
        """Whether the file is the one that is known by this; one of another size is not read."""
        with self.open(name) as file:
            return os.fstat(file.fileno()).st_size == total.size and file_sum(file) == total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


def _can_be(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def file_sum(file: BinaryIO) -> Sum:
    """Size and SHA-256 of what is left of an open file."""
    size, digest = 0, hashlib.sha256()
    while data := file.read(CHUNK_BYTES):
        size += len(data)
        digest.update(data)
    return Sum(size, digest.hexdigest())


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """What the system refuses within is the operator's to mend."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error
