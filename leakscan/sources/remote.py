"""Captures that are somewhere else: `s3://`, `https://`, whatever fsspec opens, which is imported when one is named.

In: a URL, glob or prefix. Out: the names of captures, what tells two versions of one apart, and their bytes in order.
HTTP is one stream, and every other store is read in ranges; after a broken connection reading goes on where it stood.
State: one filesystem for each protocol, the last MAX_STAMPS stamps, and of an open capture one block.

What servers and libraries say may hold credentials: a message names the URL without them, and the kind of the error.
"""

from __future__ import annotations

import glob
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from leakscan.errors import CaptureUnavailable, MissingExtra, UsageError
from leakscan.filenames import shown_name
from leakscan.sources.paths import natural
from leakscan.sources.stream import BUFFER_BYTES, Fault

if TYPE_CHECKING:
    from concurrent.futures import Future

#: So often in a row a connection may break, or a request fail, before the capture is given up; waits double.
MAX_RETRIES = 5
FIRST_WAIT_SECONDS = 0.2
CONNECT_SECONDS = 30
READ_SECONDS = 60
MAX_STAMPS = 100_000
#: Blocks of BUFFER_BYTES that are on their way while another is read: what a store takes to answer is not waited for.
BLOCKS_AHEAD = 3
_BROKE = "the connection broke again and again"
FINAL_STATUS = range(400, 500)  # what a server will say again
PASSING_STATUS = (408, 425, 429)
#: Keys of a listing, the first of which that is there tells versions apart.
VERSION_KEYS = (
    *("ETag", "etag", "VersionId", "generation", "md5Hash", "content_md5", "Content-MD5"),
    *("Last-Modified", "LastModified", "last_modified", "updated", "mtime", "created"),
)


class Stamp(NamedTuple):
    """What tells a capture from what it was or will be."""

    size: int
    version: str


class _Changed(Exception):
    """It is not what it was when reading began."""


class _Part(Protocol):
    """The bytes from some position on."""

    def read(self, size: int) -> bytes:
        """At least one byte; none at the end."""
        ...

    def close(self) -> None: ...


_filesystems: dict[str, Any] = {}
_stamps: dict[str, Stamp | None] = {}


def expand(argument: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The captures that a URL, a glob or a prefix (which ends in `/`, or is a folder) stands for. Raises
    CaptureUnavailable, UsageError.
    """
    try:
        found = _listed(argument)
    except (CaptureUnavailable, UsageError):
        raise
    except Exception as error:  # noqa: BLE001  (the library's own, of many kinds)
        raise CaptureUnavailable(f"{shown_name(argument)}: {_reason(error)}") from None
    if found is None:
        yield argument
        return
    if not found:
        raise CaptureUnavailable(f"{shown_name(argument)}: nothing matches")
    yield from filter(wanted, found)


def stamp(name: str, again: bool = False) -> Stamp | None:
    """Size and version; None where the server does not tell. Asked for once, unless `again`."""
    if again or name not in _stamps:
        try:
            _keep(name, _info(name))
        except Exception:  # noqa: BLE001  (reading it says why)
            return None
    return _stamps[name]


class RemoteFile:
    """The bytes of one capture: a ByteSource."""

    def __init__(
        self, name: str, on_bytes: Callable[[int], None] | None = None, most: int = BUFFER_BYTES, at: int = 0
    ) -> None:
        """From the byte `at` on. Connects when the first is asked for."""
        found = stamp(name)
        self.size = found.size if found else BUFFER_BYTES  # as far as is known: whether reading ahead pays
        self._name = name
        self._on_bytes = on_bytes
        self._most = most
        self._at = at
        self._part: _Part | None = None
        self._stamp: Stamp | None = None
        self._reading = False

    def readinto(self, view: memoryview) -> int:
        self._reading = True
        try:
            data = self._read(min(len(view), self._most))
        finally:
            self._reading = False
        view[: len(data)] = data
        self._at += len(data)
        if self._on_bytes is not None and data:
            self._on_bytes(len(data))
        return len(data)

    def close(self) -> None:
        if self._part is not None and not self._reading:
            self._part.close()
            self._part = None

    def _read(self, size: int) -> bytes:
        wait = FIRST_WAIT_SECONDS
        for attempt in range(MAX_RETRIES + 1):
            try:
                if self._part is None:
                    self._part = self._open()
                return self._part.read(size)
            except _Changed:
                raise Fault("file.changed", "it is not what it was when reading began") from None
            except Exception as error:  # noqa: BLE001  (the library's own, of many kinds)
                self._reading = False
                self.close()
                self._reading = True
                if attempt == MAX_RETRIES or _is_final(error):
                    raise Fault("file.unreadable", _reason(error)) from None
            time.sleep(wait)
            wait *= 2
        raise AssertionError

    def _open(self) -> _Part:
        filesystem, path = _filesystem(self._name)
        if "http" in _protocols(filesystem):
            part = _Stream(filesystem, path, self._at, self._stamp)
            self._stamp = part.stamp
            return part
        now = _info(self._name)
        if self._stamp is not None and now != self._stamp:
            raise _Changed
        self._stamp = now
        return _Ranges(self._name, self._at, now, self._most)


class _Ranges:
    """One request for each block: the first alone, then some at a time, where the library can do that."""

    def __init__(self, name: str, at: int, found: Stamp, block: int) -> None:
        self._name = name
        self._filesystem, self._path = _filesystem(name)
        self._stamp = found
        self._block = block
        self._next = at  # where the block begins that is to be asked for next
        self._asked: deque[tuple[int, Future[bytes]]] = deque()  # with the sizes that they must have
        self._data = memoryview(b"")

    def read(self, size: int) -> bytes:
        if not self._data:
            self._data = memoryview(self._received())
        data, self._data = self._data[:size], self._data[size:]
        return bytes(data)

    def close(self) -> None:
        for _, future in self._asked:
            future.cancel()

    def _received(self) -> bytes:
        if not self._asked:
            self._ask()
        if not self._asked:
            if _info(self._name) != self._stamp:
                raise _Changed
            return b""
        size, future = self._asked.popleft()
        data = future.result()
        if len(data) != size:
            raise _Changed if _info(self._name) != self._stamp else ConnectionError
        while len(self._asked) < BLOCKS_AHEAD and self._block == BUFFER_BYTES and self._ask():
            pass
        return data

    def _ask(self) -> bool:
        """For the next block; False where there is none."""
        import asyncio  # late: its import takes longer than all of this file
        from concurrent.futures import Future

        start, end = self._next, min(self._next + self._block, self._stamp.size)
        if start >= end:
            return False
        if self._filesystem.async_impl:
            wanted = self._filesystem._cat_file(self._path, start=start, end=end)
            future: Future[bytes] = asyncio.run_coroutine_threadsafe(wanted, self._filesystem.loop)
        else:
            future = Future()
            future.set_result(self._filesystem.cat_file(self._path, start=start, end=end))
        self._asked.append((end - start, future))
        self._next = end
        return True


class _Stream:
    """One request for all that is left. A server that knows no ranges is asked anew, and what was read is let go."""

    def __init__(self, filesystem: Any, url: str, at: int, expected: Stamp | None) -> None:
        headers = {"Accept-Encoding": "identity"}
        if at:
            headers["Range"] = f"bytes={at}-"
        self._file = filesystem.open(url, block_size=0, size=1, headers=headers)
        answer = self._file.r
        self._end = self._at = 0
        try:
            self.stamp = _stamp_of_answer(answer, expected)
            self._end = self.stamp.size
            self._skip(at, answer.status)
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self._at += len(data)
        if not data and 0 <= self._at < self._end:
            raise ConnectionError
        return data

    def close(self) -> None:
        self._file.close()

    def _skip(self, at: int, status: int) -> None:
        if status == 206:
            self._at = at
        while self._at < at:
            if not self.read(min(at - self._at, BUFFER_BYTES)):
                raise _Changed


def _stamp_of_answer(answer: Any, expected: Stamp | None) -> Stamp:
    """From the header lines of a response, whole or partial; a size of -1 is not told. Raises _Changed."""
    headers = answer.headers
    size = headers.get("Content-Length", "-1")
    if answer.status == 206:
        size = headers.get("Content-Range", "").rpartition("/")[2]
    version = next((headers[key] for key in VERSION_KEYS if headers.get(key)), "")
    found = Stamp(int(size) if size.isascii() and size.isdigit() else -1, version)
    if expected is not None and found != expected:
        raise _Changed
    return found


def _listed(argument: str) -> list[str] | None:
    """The captures behind a glob or prefix; None for the name of one."""
    filesystem, path = _filesystem(argument)
    http = "http" in _protocols(filesystem)
    if glob.has_magic(path.partition("?")[0] if http else path):
        found = filesystem.glob(path, detail=True)
    elif argument.endswith("/") and http:
        entries = filesystem.ls(path, detail=True)
        found = {entry["name"]: entry for entry in entries if entry["name"].startswith(path) and entry["name"] != path}
    elif argument.endswith("/") or (not http and filesystem.info(path)["type"] == "directory"):
        found = filesystem.find(path, detail=True)
    else:
        _keep(argument, _info(argument))
        return None
    names = []
    for key, info in found.items():
        if info.get("type") != "directory":
            names.append(key if http else filesystem.unstrip_protocol(key))
            if not http:  # a page of links tells no versions
                _keep(names[-1], _stamp_of(info))
    return sorted(names, key=natural)


def _info(name: str) -> Stamp:
    filesystem, path = _filesystem(name)
    more = {"refresh": True} if "s3" in _protocols(filesystem) else {}
    return _stamp_of(filesystem.info(path, **more))


def _stamp_of(info: dict[str, Any]) -> Stamp:
    size = info.get("size")
    version = next((str(info[key]) for key in VERSION_KEYS if info.get(key)), "")
    return Stamp(-1 if size is None else int(size), version)


def _keep(name: str, found: Stamp) -> None:
    if len(_stamps) >= MAX_STAMPS:
        _stamps.clear()
    _stamps[name] = found if found.size >= 0 else None


def _filesystem(name: str) -> tuple[Any, str]:
    """fsspec's filesystem and its own name for the capture. Raises MissingExtra, UsageError."""
    protocol = name.partition("://")[0].lower()
    try:
        import fsspec
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtra(f"{protocol}://", "remote") from None
    if "::" not in protocol and protocol in _filesystems:
        filesystem = _filesystems[protocol]
        return filesystem, filesystem._strip_protocol(name)
    try:
        if protocol in ("http", "https"):
            filesystem = fsspec.filesystem(protocol, client_kwargs=_client())
            path = name
        else:
            filesystem, path = url_to_fs(name, use_listings_cache=False)
    except ImportError:
        raise UsageError(
            f"{protocol}:// needs a package that is not installed: pip install 'leakscan[remote]'"
        ) from None
    except ValueError:
        raise UsageError(f"{shown_name(name)}: nothing here opens {protocol}://") from None
    if "::" not in protocol:
        _filesystems[protocol] = filesystem
    return filesystem, path


def _client() -> dict[str, Any]:
    """For aiohttp: no limit for the whole, some for each step, and the proxy of the environment."""
    from aiohttp import ClientTimeout

    return {
        "timeout": ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS),
        "trust_env": True,
    }


def _protocols(filesystem: Any) -> tuple[str, ...]:
    names = filesystem.protocol
    return (names,) if isinstance(names, str) else tuple(names)


def _is_final(error: Exception) -> bool:
    if isinstance(error, FileNotFoundError | PermissionError | MissingExtra | UsageError):
        return True
    status = getattr(error, "status", None)
    return status in FINAL_STATUS and status not in PASSING_STATUS


def _reason(error: Exception) -> str:
    """What went wrong, in words that come from here alone."""
    if isinstance(error, MissingExtra | UsageError):
        return str(error)
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return f"the server answers {status}"
    kinds = {kind.__name__ for kind in type(error).__mro__}
    for names, words in _WORDS:
        if kinds & names:
            return words
    return f"cannot be read ({type(error).__name__})"


#: By name, since libraries have errors of their own, which are not imported here.
_WORDS: tuple[tuple[set[str], str], ...] = (
    ({"FileNotFoundError"}, "not found, or the server does not answer"),
    ({"PermissionError"}, "permission denied"),
    (
        {"TimeoutError", "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"},
        "the server does not answer",
    ),
    ({"ConnectionError", "ClientConnectionError", "ClientPayloadError", "IncompleteReadError"}, _BROKE),
)
