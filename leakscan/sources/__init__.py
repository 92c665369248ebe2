"""Frames out of captures: files, FIFOs and standard input, plain or compressed, recognised by their content.

In: the names that the operator gave. Out: `FrameBatch`es. State: one buffer per open capture (stream.py). Nothing here
seeks: a pipe gives the same frames as a file. What cannot be read is counted in `Losses`, never raised.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import NamedTuple

from leakscan.losses import Losses
from leakscan.model import FrameBatch
from leakscan.sources import compressed, netmon, paths, pcap, pcapng
from leakscan.sources.ahead import ReadAhead
from leakscan.sources.remote import RemoteFile, Stamp
from leakscan.sources.remote import stamp as remote_stamp
from leakscan.sources.stream import BUFFER_BYTES, STDIN, ByteSource, Fault, RawFile, Window, read_up_to

__all__ = [
    "FOREIGN",
    "SOURCES",
    "Beginning",
    "Source",
    "Stamp",
    "beginning",
    "content",
    "ending",
    "expand",
    "frames",
    "open_capture",
    "plain",
    "sizes",
    "stamp",
]

#: Enough for every `recognises` below.
HEAD_BYTES = 32
CONTENT_BYTES = 1 << 20
#: `beginning` looks at this many batches, read in pieces of this size.
BEGINNING_BATCHES = 8
BEGINNING_BYTES = 64 << 10
#: From here on it pays to look at the end of a capture by itself.
LONG_BYTES = 4 << 20
#: A smaller file is inflated faster than a thread starts. Plain files are not read ahead: the kernel does that, and
#: what the other core has read is not in this one's cache.
AHEAD_BYTES = 4 << 20


#: Yields the frames of a window. Raises Fault where it has to stop; `window.offset` is the place.
Reader = Callable[[Window], Iterator[FrameBatch]]


class Source(NamedTuple):
    """A format that leakscan reads: either `reader` makes frames of it, or `inflate` undoes the compression."""

    name: str
    recognises: Callable[[bytes], bool]
    reader: Reader | None = None
    compression: compressed.Compression | None = None


class Beginning(NamedTuple):
    """What a capture starts with, for whoever plans the reading of many."""

    time_ns: int  # of the first frame
    links: frozenset[int]  # LINKTYPE_ numbers of the first frames


def expand(arguments: Sequence[str], losses: Losses) -> list[str]:
    """The captures that command-line arguments stand for, each once, in reading order (see paths.py).

    Files found in a directory that are no capture by name or by content are left out and counted as `file.skipped`.
    Raises CaptureUnavailable.
    """

    def wanted(name: str) -> bool:
        if paths.named_like_a_capture(name) or _may_be_capture(name):
            return True
        losses["file.skipped"] += 1
        return False

    return paths.expand(arguments, wanted)


def open_capture(
    name: str,
    losses: Losses,
    on_bytes: Callable[[int], None] | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[FrameBatch]:
    """The frames of the capture `name` (`-`: standard input), in batches that are valid until the next is asked for.

    A batch comes as soon as complete frames are there, also from a pipe. `on_bytes` is told how many bytes of the file,
    as it lies on the disk, were read since it was called last; `waiting` is called while nothing comes, and may raise
    to end the reading. Frame numbers are 1-based and count every packet record.
    """
    return _open(name, losses, on_bytes, BUFFER_BYTES, waiting)


def stamp(name: str, again: bool = False) -> Stamp | None:
    """What tells a regular file, or a remote capture, from what it was or will be; None of anything else."""
    if paths.is_remote(name):
        return remote_stamp(name, again)
    try:
        status = os.stat(name)  # noqa: PTH116  ("-" is no file either)
    except (OSError, ValueError):
        return None
    return Stamp(status.st_size, str(status.st_mtime_ns)) if stat.S_ISREG(status.st_mode) and name != STDIN else None


def sizes(names: Sequence[str]) -> list[int] | None:
    """The sizes of regular files on this machine; None when one is anything else: a pipe, a URL."""
    found = [None if paths.is_remote(name) else stamp(name) for name in names]
    return None if None in found else [there.size for there in found if there]


def beginning(name: str) -> Beginning | None:
    """How a regular file, or a remote capture, begins; None for anything else, and where no frame can be read."""
    if stamp(name) is None:
        return None
    times: list[int] = []
    links: set[int] = set()
    for batch in islice(_open(name, Losses(), None, BEGINNING_BYTES), BEGINNING_BATCHES):
        times.append(int(batch.time_ns[0]))
        links.add(batch.origin.link)
    return Beginning(times[0], frozenset(links)) if times else None


def ending(name: str) -> int | None:
    """The time of the latest frame in the last part of a long plain capture; None where only reading all of it tells
    how it ends.
    """
    there = stamp(name)
    if there is None or there.size < LONG_BYTES:
        return None
    from leakscan.sources.tail import latest  # late: numpy

    try:
        return latest(there.size, partial(_opened_at, name))
    except (OSError, Fault):
        return None


def _opened_at(name: str, place: int, most: int) -> RawFile | RemoteFile:
    if paths.is_remote(name):
        return RemoteFile(name, most=most, at=place)
    raw = RawFile(name, most=most)
    raw.seek(place)
    return raw


def plain(name: str) -> str:
    """The name of the format of a regular file that is not compressed; "" of anything else."""
    try:
        raw = RawFile(name, most=HEAD_BYTES)
    except OSError:
        return ""
    try:
        source = _recognise(read_up_to(raw, HEAD_BYTES)) if raw.size else None
    except Fault:
        return ""
    finally:
        raw.close()
    return source.name if source is not None and source.reader is not None else ""


def content(name: str, on_bytes: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """The bytes of a capture as they are, decompressed, for who writes it again. Ends early where they do."""
    try:
        raw = _raw(name, on_bytes)
    except OSError:
        return
    try:
        source, head = _inflated(raw)
        yield head
        view = memoryview(bytearray(CONTENT_BYTES))
        while count := source.readinto(view):
            yield bytes(view[:count])
    except Fault:
        return
    finally:
        raw.close()


def frames(
    source: ByteSource, capture: str, losses: Losses, size: int = BUFFER_BYTES, threads: ExitStack | None = None
) -> Iterator[FrameBatch]:
    """The frames of the capture whose bytes come from `source`. `size` of the buffer is a bound for records as well.

    With `threads` a compressed one is read ahead; closing that ends the reading.
    """
    window = None
    try:
        inflated, head = _inflated(source)
        plain, source = inflated is source and isinstance(source, RawFile), inflated
        ahead = None
        if threads is not None and not plain:
            ahead = ReadAhead(source, size)
            threads.callback(ahead.close)
        window = Window(source, head, capture, losses, size, ahead)
        yield from _reader(head)(window)
    except Fault as fault:
        losses.problem(fault.loss, capture, window.offset if window else 0, fault.reason)


def _open(
    name: str,
    losses: Losses,
    on_bytes: Callable[[int], None] | None,
    most: int,
    waiting: Callable[[], None] | None = None,
) -> Iterator[FrameBatch]:
    read: list[int] = []  # by the thread that reads; told here
    try:
        raw = _raw(name, read.append, most, waiting)
    except OSError as error:
        losses.problem("file.unreadable", name, None, os.strerror(error.errno or 0))
        return
    try:
        with ExitStack() as threads:
            ahead = most == BUFFER_BYTES and raw.size >= AHEAD_BYTES and waiting is None
            for batch in frames(raw, name, losses, threads=threads if ahead else None):
                _tell(read, on_bytes)
                yield batch
            _tell(read, on_bytes)
    finally:
        raw.close()


def _raw(
    name: str,
    on_bytes: Callable[[int], None] | None = None,
    most: int = BUFFER_BYTES,
    waiting: Callable[[], None] | None = None,
) -> RawFile | RemoteFile:
    """Raises OSError."""
    return RemoteFile(name, on_bytes, most) if paths.is_remote(name) else RawFile(name, on_bytes, most, waiting)


def _tell(read: list[int], on_bytes: Callable[[int], None] | None) -> None:
    while read:
        count = read.pop()
        if on_bytes is not None:
            on_bytes(count)


def _inflated(source: ByteSource) -> tuple[ByteSource, bytes]:
    """The source without its compression, and its head. Raises Fault."""
    head = read_up_to(source, HEAD_BYTES)
    packed = _recognise(head)
    if packed is None or packed.compression is None:
        return source, head
    source = compressed.Inflated(source, head, packed.compression)
    head = read_up_to(source, HEAD_BYTES)
    again = _recognise(head)
    if again is not None and again.compression is not None:
        raise Fault("file.bomb", f"{again.name} data inside {packed.name} data: only one level is read")
    return source, head


def _recognise(head: bytes) -> Source | None:
    return next((source for source in SOURCES if source.recognises(head)), None)


def _reader(head: bytes) -> Reader:
    """Raises Fault when nothing reads a capture that begins with `head`."""
    if len(head) < MAGIC_BYTES:
        raise Fault("file.empty", "the capture ends inside its file header" if head else "the capture is empty")
    source = _recognise(head)
    if source is None or source.reader is None:
        names = (name for magic, name in FOREIGN.items() if head.startswith(magic))
        raise Fault("file.not-a-capture", next(names, "not a capture that leakscan knows"))
    return source.reader


def _may_be_capture(name: str) -> bool:
    """Whether a file is a capture by content, or cannot be told from one: then reading it says why."""
    try:
        raw = _raw(name, most=BEGINNING_BYTES)
    except OSError:
        return True
    try:
        _, head = _inflated(raw)
    except Fault:
        return True
    finally:
        raw.close()
    return _recognise(head) is not None or any(head.startswith(magic) for magic in FOREIGN)


MAGIC_BYTES = 4

SOURCES = (
    Source("pcap", pcap.recognises, reader=pcap.read),
    Source("pcapng", pcapng.recognises, reader=pcapng.read),
    Source("netmon", netmon.recognises, reader=netmon.read),
    *(Source(packed.name, packed.recognises, compression=packed) for packed in compressed.COMPRESSIONS),
)

_CONVERT = "convert it with editcap -F pcapng"
_UNPACK = "unpack it first"

#: What is no capture for leakscan, but can be named. (ERF and pppd files have no magic number.)
FOREIGN = {
    b"snoop\0\0\0": f"a snoop capture; {_CONVERT}",
    b"TRSNIFF data    \x1a": f"a Sniffer capture; {_CONVERT}",
    b"XCP\0": f"a NetXray or Windows Sniffer capture; {_CONVERT}",
    b"VL\0\0": f"a NetXray capture; {_CONVERT}",
    b"iptrace ": f"an AIX iptrace capture; {_CONVERT}",
    b"\x7fver": f"a WildPackets capture; {_CONVERT}",
    b"\x05VNF": f"a Visual Networks capture; {_CONVERT}",
    b"btsnoop\0": "a Bluetooth (btsnoop) capture: it holds no IP traffic",
    b"BZh": f"bzip2 data; {_UNPACK}",
    b"PK\x03\x04": f"a zip archive; {_UNPACK}",
    b"7z\xbc\xaf\x27\x1c": f"a 7z archive; {_UNPACK}",
    b"\x1f\x9d": f"compress (.Z) data; {_UNPACK}",
    b"\x02\x21\x4c\x18": f"lz4 data of the old format; {_UNPACK}",
}
