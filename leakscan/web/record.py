"""`--record`: what was found, kept as a result of schema 1, a file a day, for as many days as the operator said.

Comes in: the run line, leaks (masked), the summary. Goes out: `results.jsonl`, which grows, and once its day (UTC) is
over `results-2026-11-25.jsonl`; `leakscan report` reads all of them, at any time: whenever leaks are written the
summary is written behind them, in place of the one before, so that a crash costs some seconds of leaks and no result.
Older files are deleted, if their first line says that they are such a record. Files are for their owner alone, and are
new: no link is followed.

Several processes may record under one name: each holds a lock on its file, and the second one writes `results.2.jsonl`.
State: one open file, at most MAX_BYTES of leaks long; at most MAX_WAITING_BYTES of lines that wait for `flush`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from leakscan.errors import UsageError
from leakscan.formats.rows import Json, json_text, leak_object
from leakscan.model import Leak
from leakscan.newfile import create, temporary_name

KEEP_DAYS = 30
#: Of a file, without its summary, which has bounds of its own (tally.py).
MAX_BYTES = 256 << 20
MAX_WAITING_BYTES = 1 << 20
MAX_FILES = 64
MAX_RUN_LINE = 1 << 16


def today(time_ns: int) -> date:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).date()


class Record:
    """The file that grows now. Whatever the system refuses at `begin` raises UsageError naming the file; later, lines
    that cannot be written whole are taken back, and `flush` says so.
    """

    def __init__(self, path: str, keep_days: int = KEEP_DAYS) -> None:
        self._path = Path(path)
        if not self._path.name or self._path.is_dir():
            raise UsageError(f"cannot write {path}: is a directory")
        if self._path.suffix != ".jsonl":
            raise UsageError(f"{path}: a record is JSON Lines, its name ends in .jsonl")
        self.keep_days = keep_days
        self._file = -1
        self._size = 0  # of the run and the leaks
        self._lines: list[bytes] = []
        self._waiting = 0  # bytes of them

    def begin(self, run: Json, summary: Json, day: date) -> None:
        """A new file for `day`; an earlier one under its name is put aside, and what is too old is deleted."""
        self.close()
        settings = {**run["settings"], "record": {"day": day.isoformat(), "keep_days": self.keep_days}}
        line = _line({**run, "settings": settings})
        try:
            self._file = self._made(line + _line(summary))
            self._purge(day)
        except OSError as error:
            raise UsageError(f"cannot write {self._path}: {error.strerror or error}") from error
        self._size = len(line)

    def leak(self, leak: Leak) -> bool:
        """Take it for the next `flush`; whether there is room for it in the file."""
        line = _line(leak_object(leak))
        if self._file < 0 or self._size + self._waiting + len(line) > MAX_BYTES:
            return False
        self._lines.append(line)
        self._waiting += len(line)
        return True

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be written now."""
        return self._waiting > MAX_WAITING_BYTES

    def flush(self, summary: Json) -> int:
        """Write the leaks that wait and the summary, in one go; gives the number of leaks that could not be."""
        if self._file < 0:
            return 0
        lines, leaks = self._lines, b"".join(self._lines)
        self._lines, self._waiting = [], 0
        if self._write(leaks + _line(summary)):
            self._size += len(leaks)
            return 0
        self._write(_line(summary))
        return len(lines)

    def end(self, summary: Json) -> int:
        """`flush` for the last time."""
        lost = self.flush(summary)
        self.close()
        return lost

    def close(self) -> None:
        """As it is. May be called again."""
        self._lines, self._waiting = [], 0
        if self._file >= 0:
            os.close(self._file)  # gives the lock up, too
            self._file = -1

    def _write(self, data: bytes) -> bool:
        """Whether `data` now stands behind the leaks, and nothing behind it."""
        try:
            if os.pwrite(self._file, data, self._size) == len(data):
                os.ftruncate(self._file, self._size + len(data))
                return True
        except OSError:
            pass  # the disk is full, or gone: the caller counts it
        os.ftruncate(self._file, self._size)
        return False

    def _made(self, content: bytes) -> int:
        """A file that holds this, under the first name that nobody else is writing to. It is made beside and
        linked, so that it has its lock before it has its name.
        """
        temporary = self._path.with_name(temporary_name())
        file = create(temporary)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(file, content)
            self._link(temporary)
        except BaseException:
            os.close(file)
            raise
        finally:
            temporary.unlink()
        return file

    def _link(self, temporary: Path) -> None:
        for number in range(1, MAX_FILES + 1):
            name = self._numbered(self._path.stem, number)
            if self._is_free(name):
                with contextlib.suppress(FileExistsError):  # another process was faster
                    os.link(temporary, name)
                    return
        raise UsageError(f"cannot write {self._path}: {MAX_FILES} processes record under that name")

    def _numbered(self, stem: str, number: int) -> Path:
        return self._path.with_name(f"{stem}{f'.{number}' if number > 1 else ''}{self._path.suffix}")

    def _is_free(self, path: Path) -> bool:
        """Whether the name can be had: nothing is there, or a record that nobody writes to, which is put aside."""
        try:
            file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return True
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            day = _day_of(file)
            if day is None:
                raise UsageError(f"cannot write {path}: it holds something else than a record of leakscan")
            self._put_aside(path, day)
        finally:
            os.close(file)
        return True

    def _put_aside(self, path: Path, day: date) -> None:
        for number in range(1, 10**6):
            name = self._numbered(f"{self._path.stem}-{day.isoformat()}", number)
            try:
                os.link(path, name)
            except FileExistsError:
                continue
            path.unlink()
            return

    def _purge(self, day: date) -> None:
        """Delete the records of days that are `keep_days` past, but for those that somebody writes to."""
        stem, suffix = re.escape(self._path.stem), re.escape(self._path.suffix)
        pattern = re.compile(rf"{stem}(?:-\d{{4}}-\d{{2}}-\d{{2}})?(?:\.\d+)?{suffix}", re.ASCII)
        for path in self._path.parent.iterdir():
            if not pattern.fullmatch(path.name) or not stat.S_ISREG(path.lstat().st_mode):
                continue
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                begun = _day_of(file)
                if begun is not None and day - begun >= timedelta(days=self.keep_days):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            except BlockingIOError:
                continue
            finally:
                os.close(file)


def _day_of(file: int) -> date | None:
    """The day of a record, told by its first line; None for any other file."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        return None
    line = os.pread(file, MAX_RUN_LINE, 0).partition(b"\n")[0]
    try:
        return date.fromisoformat(json.loads(line)["settings"]["record"]["day"])
    except (ValueError, KeyError, TypeError):
        return None


def _line(value: Json) -> bytes:
    return (json_text(value) + "\n").encode("ascii")
