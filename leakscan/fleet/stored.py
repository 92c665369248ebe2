"""The finished result of a unit as a file: its leaks, masked like any result, then its summary, then a seal.

In: leaks and a Summary. Out: the same, read back. The seal is an HMAC-SHA-256 under a key that is made of the pseudonym
key, over the name of the unit and all of the file: one that was cut, changed, that is another unit's, or was written by
somebody without that key is Damaged, and nothing of it is unpickled. State: one open file.
"""

from __future__ import annotations

import hmac
import os
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from leakscan.model import Leak
from leakscan.summary import Summary

MAGIC = b"leakscan unit 1\n"
BLOCK_BYTES = 1 << 20
_WHERE = struct.Struct(">Q")
_SEAL_BYTES = 32


class Damaged(Exception):
    """Not a whole result under this key."""


class Writing:
    """Writes one result: each leak as it comes, then the summary."""

    def __init__(self, file: BinaryIO, key: bytes, unit: str) -> None:
        self._file = file
        self._seal = _seal(key, unit)
        self._size = 0
        self._write(MAGIC)

    def leak(self, leak: Leak) -> None:
        self._write(pickle.dumps(leak))

    def end(self, summary: Summary) -> None:
        where = self._size
        self._write(pickle.dumps(summary))
        self._write(_WHERE.pack(where))
        self._file.write(self._seal.digest())
        self._file.flush()

    def _write(self, data: bytes) -> None:
        self._seal.update(data)
        self._file.write(data)
        self._size += len(data)


class Stored:
    """A result on the disk. Raises Damaged, OSError."""

    def __init__(self, path: Path, key: bytes, unit: str) -> None:
        self._path = path
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size - _SEAL_BYTES - _WHERE.size
            if size < len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
                raise Damaged
            _check(file, size + _WHERE.size, _seal(key, unit))
            file.seek(size)
            (self._end,) = _WHERE.unpack(file.read(_WHERE.size))

    def summary(self) -> Summary:
        with self._path.open("rb") as file:
            file.seek(self._end)
            summary: Summary = pickle.load(file)
            return summary

    def leaks(self) -> Iterator[Leak]:
        with self._path.open("rb") as file:
            file.seek(len(MAGIC))
            while file.tell() < self._end:
                yield pickle.load(file)  # an Unpickler would take references for those to earlier leaks


def _seal(key: bytes, unit: str) -> hmac.HMAC:
    return hmac.new(key, f"{unit}\0".encode(), "sha256")


def _check(file: BinaryIO, size: int, seal: hmac.HMAC) -> None:
    file.seek(0)
    while size:
        block = file.read(min(size, BLOCK_BYTES))
        if not block:
            raise Damaged
        seal.update(block)
        size -= len(block)
    if not hmac.compare_digest(file.read(_SEAL_BYTES), seal.digest()):
        raise Damaged
