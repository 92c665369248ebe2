"""Compressed captures: gzip, zstd, lz4 and xz, decompressed as they are read.

In: a `ByteSource` of compressed bytes. Out: `Inflated`, a `ByteSource` of what is in them, handed on as soon as the
decompressor has it. State: one decompressor and `INPUT_BYTES` of input; the decompressors' windows are bounded by
`MAX_WINDOW`, what comes out of a small file by `MAX_RATIO`.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from leakscan.errors import MissingExtra
from leakscan.sources.stream import ByteSource, Fault

INPUT_BYTES = 256 << 10
#: What a decompressor may ask for to look back. xz -9 needs 65 MiB, zstd --ultra -22 128 MiB.
MAX_WINDOW_LOG = 27
MAX_WINDOW = 1 << MAX_WINDOW_LOG
#: Bytes out for one byte in. Large segments full of zeros reach some hundred, gzip 1030 at most; only bombs go further.
MAX_RATIO = 1000
#: The ratio is not looked at before this much came out.
RATIO_FREE_BYTES = 64 << 20


class Decoder(Protocol):
    """One member (gzip), stream (xz) or frame (zstd, lz4). The shape that lzma and bz2 set."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Compression(NamedTuple):
    name: str
    magics: tuple[bytes, ...]  # of what may follow a finished member, too
    extra: str  # of the package, "" when Python brings it
    load: Callable[[], tuple[Callable[[], Decoder], tuple[type[Exception], ...]]]  # -> decoder, its errors

    def recognises(self, head: bytes) -> bool:
        return head.startswith(self.magics)


class Inflated:
    """What is inside a compressed source. Raises Fault: extra-missing when made; cut, damaged, bomb while reading."""

    def __init__(self, source: ByteSource, head: bytes, compression: Compression) -> None:
        self._source = source
        self._compression = compression
        self._name = compression.name
        try:
            self._new_decoder, self._errors = compression.load()
        except ImportError as error:
            raise Fault("file.extra-missing", str(MissingExtra(f"{self._name} data", compression.extra))) from error
        self._decoder = self._new_decoder()
        self._input = memoryview(bytearray(INPUT_BYTES))
        self._waiting = head
        self._bytes_in = len(head)
        self._bytes_out = 0

    def readinto(self, view: memoryview) -> int:
        while True:
            if self._decoder.eof and not self._next_member():
                return 0
            if self._decoder.needs_input and not self._waiting and not self._read():
                raise Fault("file.cut", f"the {self._name} data ends before its end mark")
            data, self._waiting = self._waiting, b""
            if out := self._decompress(data, len(view)):
                view[: len(out)] = out
                return len(out)

    def _read(self) -> bool:
        count = self._source.readinto(self._input)
        self._waiting += bytes(self._input[:count])
        self._bytes_in += count
        return count > 0

    def _decompress(self, data: bytes, most: int) -> bytes:
        try:
            out = self._decoder.decompress(data, most)
        except self._errors as error:
            if any(word in str(error).lower() for word in TOO_MUCH_MEMORY):
                reason = f"the {self._name} data asks for more than {MAX_WINDOW >> 20} MiB of memory"
                raise Fault("file.bomb", reason) from error
            raise Fault("file.damaged", f"the {self._name} data is damaged") from error
        self._bytes_out += len(out)
        if self._bytes_out > RATIO_FREE_BYTES and self._bytes_out > MAX_RATIO * self._bytes_in:
            raise Fault("file.bomb", f"more than {MAX_RATIO} bytes out of one byte of {self._name} data")
        return out

    def _next_member(self) -> bool:
        """Begin with the member behind the finished one. False at the end, or when only padding follows."""
        self._waiting = (self._decoder.unused_data or b"").lstrip(b"\0")
        longest = max(map(len, self._compression.magics))
        while len(self._waiting) < longest and self._read():
            self._waiting = self._waiting.lstrip(b"\0")
        if not self._waiting:
            return False
        if not self._compression.recognises(self._waiting):
            raise Fault("file.damaged", f"something else follows the {self._name} data")
        self._decoder = self._new_decoder()
        return True


class _Gzip:
    """zlib's decompressor in the shape of lzma's."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, max(0, max_length))
        # A full output may leave more in zlib's own state than unconsumed_tail tells.
        self.needs_input = len(out) < max_length and not self._zlib.unconsumed_tail
        return out


def _gzip() -> tuple[Callable[[], Decoder], tuple[type[Exception], ...]]:
    return _Gzip, (zlib.error,)


def _xz() -> tuple[Callable[[], Decoder], tuple[type[Exception], ...]]:
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW), (lzma.LZMAError,)


def _zstd() -> tuple[Callable[[], Decoder], tuple[type[Exception], ...]]:
    zstd: Any
    try:
        zstd = import_module("compression.zstd")  # Python 3.14 and later
    except ImportError:
        zstd = import_module("backports.zstd")
    options = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
    return lambda: zstd.ZstdDecompressor(options=options), (zstd.ZstdError,)


def _lz4() -> tuple[Callable[[], Decoder], tuple[type[Exception], ...]]:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor, (RuntimeError,)


#: Parts of the messages with which lzma and zstd refuse a too large window: they have no class of their own for it.
TOO_MUCH_MEMORY = ("memory usage limit", "too much memory")

#: Frames that hold no data; pzstd begins files with one.
SKIPPABLE = tuple(bytes([0x50 + low]) + b"\x2a\x4d\x18" for low in range(16))

COMPRESSIONS = (
    Compression("gzip", (b"\x1f\x8b\x08",), "", _gzip),
    Compression("xz", (b"\xfd7zXZ\0",), "", _xz),
    Compression("zstd", (b"\x28\xb5\x2f\xfd", *SKIPPABLE), "zstd", _zstd),
    Compression("lz4", (b"\x04\x22\x4d\x18",), "lz4", _lz4),
)
