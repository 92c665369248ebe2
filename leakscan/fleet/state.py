"""What a run leaves behind for the next one: the folder of `--state`.

In: the folder. Out: for each unit the file that holds its result, or is to hold it. State, all of it in the folder:

    key              the pseudonym key, mode 0600, unless the operator gives one
    extents          how captures begin and end, a line each, sealed like a result
    NAME.unit        the result of a unit; NAME is a hash of its captures' names, sizes and times, and of the settings

A result takes its name when it is whole, so a run that is killed loses the units in flight and nothing else. Old
results are never in the way; they may be deleted at any time. One run at a time has the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Container, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from leakscan.conceal import read_key
from leakscan.errors import FileMistake, UsageError
from leakscan.fleet.unit import new_file, once, take_name, versions
from leakscan.newfile import PREFIX
from leakscan.series import Extent
from leakscan.sources import Beginning, Stamp
from leakscan.spine import Settings

KEY_BYTES = 32
SUFFIX = ".unit"
BLOCK_BYTES = 1 << 20
MAX_EXTENTS_BYTES = 1 << 30


class State:
    """The folder, for one run: a context. Raises UsageError, FileMistake."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"--state {folder}: {error.strerror}") from None
        status = os.fstat(self._directory)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            os.close(self._directory)
            raise UsageError(f"--state {folder}: others may write there: chown and chmod 700 it")
        try:
            fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._directory)
            raise UsageError(f"--state {folder}: another run has it") from None
        for path in [*self.folder.glob(f"{PREFIX}*"), *self.folder.glob(once(f"*{SUFFIX}"))]:
            path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._directory)

    def key(self) -> bytes:
        """The key of this folder, made when it is asked for first."""
        path = self.folder / "key"
        if not path.exists():
            with new_file(str(path)) as (file, temporary):
                file.write(secrets.token_bytes(KEY_BYTES))
                take_name(file, temporary, str(path), lasting=True)
            os.fsync(self._directory)
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise FileMistake(str(path), "", "others may read this key: chmod 600 it, or make another one")
        return read_key(path)

    def path(self, names: Sequence[str], stamps: Sequence[Stamp | None], settings: str) -> Path:
        """Where the result of these captures under these settings is, or belongs."""
        return self.folder / (
            _hash([settings, [[name, stamp] for name, stamp in zip(names, stamps, strict=True)]]) + SUFFIX
        )

    def extents(self, key: bytes, wanted: Container[str]) -> dict[str, Extent]:
        """What is known of these captures, by `capture_id`. A line that a dying run left unfinished is passed over, and
        one that was not written under this key: who could change it could tear series apart.
        """
        known: dict[str, Extent] = {}
        path = self.folder / "extents"
        if not path.exists() or path.stat().st_size > MAX_EXTENTS_BYTES:
            return known
        with path.open("rb") as file:
            for line in file:
                seal, _, said = line.strip().partition(b" ")
                if not hmac.compare_digest(seal, _seal(key, said)):
                    continue
                try:
                    capture, begins, last_ns = json.loads(said)
                    if capture not in wanted:
                        continue
                    first = None if begins is None else Beginning(int(begins[0]), frozenset(map(int, begins[1])))
                    known[str(capture)] = Extent(first, int(last_ns))
                except (ValueError, TypeError, IndexError, KeyError):
                    continue
        return known

    def remember(self, key: bytes, capture: str, extent: Extent) -> None:
        begins = None if extent.begins is None else [extent.begins.time_ns, sorted(extent.begins.links)]
        said = json.dumps([capture, begins, extent.last_ns]).encode()
        line = b"\n%b %b\n" % (_seal(key, said), said)  # after what may be half a line
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.folder / "extents", flags, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def capture_id(name: str, stamp: Stamp) -> str:
    """A capture as it is now, whatever the settings; two versions of leakscan may see it differently."""
    return _hash([versions(), name, stamp])


def settings_id(settings: Settings, key_id: str) -> str:
    """All that bears on the result of a unit, but for its captures. Raises FileMistake."""
    return _hash(
        {
            "versions": versions(),
            "catalogue": settings.catalogue.version,
            "key": key_id,
            "min_confidence": settings.min_confidence,
            "read": [settings.responses, settings.bodies],
            "span": [settings.since_ns, settings.until_ns],
            "files": {name: None if path is None else _content(path) for name, path in settings.file_names().items()},
        }
    )


def _seal(key: bytes, said: bytes) -> bytes:
    return hmac.new(key, said, "sha256").hexdigest().encode()


def _hash(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _content(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise FileMistake(path, "", f"cannot be read: {error.strerror}") from None
    return digest.hexdigest()
