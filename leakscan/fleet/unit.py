"""The unit of work: one series, or small ones together, each scanned from its first frame to its last, wherever.

In: a Unit. Out: Done, with the result in a file or, where nobody shares a disk, as bytes; or Failed. A unit never
raises: what it could raise may hold captured data, and whoever runs it writes that into a log. The key travels inside
of a Setup, which shows nothing of itself. State: none between two units, but for the Setup that was unpacked last.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import socket
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from leakscan import __version__
from leakscan.conceal import Concealer
from leakscan.errors import LeakscanError, places
from leakscan.fleet.stored import Writing
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses
from leakscan.newfile import create, temporary_name
from leakscan.reading import Reading
from leakscan.series import Extent, extent, joined
from leakscan.sources import Stamp, stamp
from leakscan.spine import Scan, Settings

#: A result that is sent may have so many bytes, packed; one on the disk any number.
MAX_SENT_BYTES = 512 << 20
#: After these a second try may well succeed: such a result is not kept for another run.
PASSING_LOSSES = ("file.unreadable", "file.changed", "file.extra-missing", "run.interrupted")
#: The kind of failure that is the operator's to mend: a worker has another leakscan.
VERSIONS = "versions"
SOURCES = (".py", ".toml", ".tsv")


class Versions(NamedTuple):
    """What must be the same wherever a run's units are scanned."""

    leakscan: str
    python: str
    code: str  # a hash over the files of the package: the catalogue is one of them


@lru_cache(maxsize=1)
def versions() -> Versions:
    """Those of this process."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for path in sorted(path for path in root.rglob("*") if path.suffix in SOURCES):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return Versions(__version__, f"{sys.version_info.major}.{sys.version_info.minor}", digest.hexdigest()[:16])


class Setup:
    """What all units of a run share, packed once. It holds the pseudonym key, so it shows nothing."""

    def __init__(self, settings: Settings, concealer: Concealer, sieve: bool) -> None:
        self.packed = pickle.dumps((settings, concealer, sieve))
        self.versions = versions()

    def __repr__(self) -> str:
        return "<setup>"


class Unit:
    """What is to be scanned. Shows nothing either: captures are named after people."""

    def __init__(
        self,
        series: Sequence[Sequence[str]],
        setup: Setup,
        name: str,
        folder: str = "",
        stamps: Sequence[Stamp | None] = (),
    ) -> None:
        """`folder`: where the result goes, under the unit's name; "" when it is to be sent. `stamps`: of the captures,
        as they were when the run was planned; with them the result is kept for later runs, if they still hold at the
        end.
        """
        self.series = [list(names) for names in series]
        self.names = [name for names in series for name in names]
        self.setup = setup
        self.name = name
        self.path = str(Path(folder, name)) if folder else ""
        self.stamps = list(stamps)

    def __repr__(self) -> str:
        return f"<unit of {len(self.names)}>"


class Done(NamedTuple):
    """A scanned unit. `lasting`: a later run may use it."""

    lasting: bool
    packed: bytes = b""

    def __repr__(self) -> str:
        return "<done>"


class Failed(NamedTuple):
    """A unit that could not be scanned: the class of the error, and what it says to the operator. An error that says
    nothing is one of ours; `places`: errors.places.
    """

    kind: str
    said: str = ""
    places: Sequence[tuple[str, int, str]] = ()


def measure(name: str, expected: Versions) -> Extent | Failed:
    """How a capture begins and ends. Reads all of it."""
    try:
        with Gate().interruptible():
            return _other_versions() if versions() != expected else extent(name)
    except Interrupted:
        return Failed("Interrupted")
    except Exception as error:  # noqa: BLE001  (see above)
        return _failed(error)


def scan_unit(unit: Unit) -> Done | Failed:
    """Its result to where it is wanted; interrupted, what there is."""
    try:
        if versions() != unit.setup.versions:
            return _other_versions()
        if unit.path:
            return Done(_to_disk(unit))
        with tempfile.TemporaryFile() as file:
            lasting = _scan(unit, cast(BinaryIO, file))
            return _packed(cast(BinaryIO, file), lasting)
    except Exception as error:  # noqa: BLE001  (see above)
        return _failed(error)


def once(path: str) -> str:
    """Where a result goes that is for this run alone."""
    return path + ".once"


def put(path: str, packed: bytes, lasting: bool) -> None:
    """Write a result that was sent. Raises OSError."""
    with new_file(path) as (file, temporary):
        unpack = zlib.decompressobj()
        source = io.BytesIO(packed)
        while block := source.read(1 << 16):
            file.write(unpack.decompress(block))
        file.write(unpack.flush())
        take_name(file, temporary, path, lasting)


def _to_disk(unit: Unit) -> bool:
    with new_file(unit.path) as (file, temporary):
        lasting = _scan(unit, file)
        take_name(file, temporary, unit.path, lasting)
    return lasting


def _scan(unit: Unit, file: BinaryIO) -> bool:
    """Scan into the file; tells whether the result may be kept."""
    settings, concealer, sieve = _unpacked(unit.setup.packed)
    losses = Losses()
    batches = [joined(names, losses) for names in unit.series]
    reading = Reading(batches, losses, sieve, settings.responses, settings.bodies)
    gate, whole = Gate(), False
    scan = Scan(reading, unit.names, settings, concealer, gate)
    writing = Writing(file, concealer.seal_key(), unit.name)
    with contextlib.suppress(Interrupted), gate.interruptible():
        for leak in scan.leaks():  # (a signal waits meanwhile)
            writing.leak(leak)
        whole = True
    for leak in scan.rest():
        writing.leak(leak)
    writing.end(scan.summary)
    same = bool(unit.stamps) and [stamp(name, again=True) for name in unit.names] == unit.stamps
    return whole and same and keepable(losses)


def keepable(losses: Losses) -> bool:
    """Whether another try would meet the same losses."""
    return not any(losses[name] for name in PASSING_LOSSES)


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> tuple[Settings, Concealer, bool]:
    settings, concealer, sieve = pickle.loads(packed)
    return settings, concealer, sieve


def _packed(file: BinaryIO, lasting: bool) -> Done | Failed:
    file.seek(0)
    pack, size, parts = zlib.compressobj(1), 0, []
    while block := file.read(1 << 20):
        parts.append(pack.compress(block))
        size += len(parts[-1])
        if size > MAX_SENT_BYTES:
            break
    parts.append(pack.flush())
    if size + len(parts[-1]) > MAX_SENT_BYTES:
        return Failed(
            "LeakscanError", f"its result is too long to be sent: more than {MAX_SENT_BYTES >> 10:,} KiB packed"
        )
    return Done(lasting, b"".join(parts))


@contextlib.contextmanager
def new_file(path: str) -> Iterator[tuple[BinaryIO, Path]]:
    """A file of our own beside `path`, removed unless it took a name."""
    temporary = Path(path).parent / temporary_name()
    descriptor = create(temporary)
    try:
        with os.fdopen(descriptor, "wb", buffering=1 << 18) as file:
            yield file, temporary
    finally:
        temporary.unlink(missing_ok=True)


def take_name(file: BinaryIO, temporary: Path, path: str, lasting: bool) -> None:
    """Give the file its name when all of it is on the disk: whoever finds it finds it whole."""
    file.flush()
    if lasting:
        os.fsync(file.fileno())
    temporary.replace(path if lasting else once(path))


def _failed(error: Exception) -> Failed:
    kind = type(error).__name__
    if isinstance(error, LeakscanError):
        return Failed(kind, str(error))
    if isinstance(error, OSError):  # of where results are written: what reading meets is a loss
        return Failed(kind, f"its result cannot be written: {os.strerror(error.errno or 0)}")
    if isinstance(error, MemoryError):
        return Failed(kind, "not enough memory")
    return Failed(kind, places=places(error))


def _other_versions() -> Failed:
    return Failed(VERSIONS, f"{socket.gethostname()}, process {os.getpid()}")
