"""Frames from an interface through libpcap: pcapy-ng, the extra `live`.

In: the name of an interface. Out: `Piece`s. State: libpcap's handle with its ring in the kernel. Frames are taken many
at a time (`next_batch`, 0.6 us a frame against 0.9 with a callback for each), which tells no wire lengths: they are
the captured ones unless a snap length cuts frames, and only then there is a callback for each.

The handle never blocks: libpcap's own timeout does not end a wait without traffic. Whoever wants to wait, waits on
`fileno`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from leakscan.errors import CaptureUnavailable, NotPermitted, UsageError
from leakscan.permission import permission
from leakscan.sources.links import linktype
from leakscan.sources.tap import BLOCK_MS, MAX_SNAP_BYTES, Counter, Drops, Gone, Piece, Wish, link_drops

#: What pcap_activate(3PCAP) gives.
FAILED, NO_SUCH_DEVICE, PERMISSION, NOT_UP, NO_PROMISCUOUS = -1, -5, -8, -9, -11


class LibpcapTap:
    """An interface that is captured through libpcap."""

    counts_drops = True
    digits = 6  # pcapy-ng hands on microseconds

    def __init__(self, name: str, wish: Wish) -> None:
        self.name = name
        self._handle = _activated(name, wish)
        try:
            if wish.bpf:
                self._handle.setfilter(wish.bpf)
            self._handle.setnonblock(1)
        except _pcapy().PcapError as error:
            self.close()
            raise UsageError(f"--bpf {wish.bpf}: {error}") from error
        self.link = linktype(self._handle.datalink())
        self._whole = wish.snap >= MAX_SNAP_BYTES
        self._received, self._kernel, self._interface = Counter(), Counter(), Counter()
        self._dropped_before = link_drops(name)

    def fileno(self) -> int:
        return int(self._handle.getfd())

    def read(self, most: int) -> Piece | None:
        try:
            return self._many(most) if self._whole else self._one_by_one(most)
        except _pcapy().PcapError as error:
            raise Gone(str(error)) from error

    def drops(self) -> Drops:
        received, kernel, interface = self._handle.stats()
        now = link_drops(self.name)
        if now is not None and self._dropped_before is not None:
            interface = max(0, now - self._dropped_before)
        return Drops(self._received.at(received), self._kernel.at(kernel), self._interface.at(interface))

    def close(self) -> None:
        self._handle.close()

    def _many(self, most: int) -> Piece | None:
        data, rows = self._handle.next_batch(most)
        if not rows:
            return None
        seconds, micros, start, captured = np.frombuffer(rows, np.uint32).reshape(-1, 4).T.astype(np.int64)
        return Piece(data, start, captured, captured, (seconds * 1_000_000 + micros) * 1000)

    def _one_by_one(self, most: int) -> Piece | None:
        rows: list[tuple[int, int, int]] = []
        frames: list[bytes] = []

        def take(header: Any, frame: bytes) -> None:
            seconds, micros = header.getts()
            rows.append((len(frame), header.getlen(), (seconds * 1_000_000 + micros) * 1000))
            frames.append(frame)

        self._handle.dispatch(most, take)
        if not rows:
            return None
        captured, wire, time_ns = np.array(rows, np.int64).T
        return Piece(b"".join(frames), np.cumsum(captured) - captured, captured, wire, time_ns)


def available() -> bool:
    try:
        _pcapy()
    except ImportError:
        return False
    return True


def interfaces() -> list[str]:
    """The names that libpcap knows, with its own (`any`)."""
    try:
        return list(_pcapy().findalldevs())
    except _pcapy().PcapError:
        return []


def version() -> str:
    """What libpcap calls itself; "" where that cannot be found out."""
    import ctypes

    _pcapy()
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        maps = ""
    for path in dict.fromkeys(re.findall(r"(/\S*libpcap\S*)", maps)):
        try:
            tell = ctypes.CDLL(path).pcap_lib_version
        except (OSError, AttributeError):
            continue
        tell.restype = ctypes.c_char_p
        return str(tell().decode("ascii", "replace"))
    return ""


def _pcapy() -> Any:
    import pcapy  # late: an extra

    return pcapy


def _activated(name: str, wish: Wish) -> Any:
    """A handle that captures. Raises CaptureUnavailable, NotPermitted."""
    pcapy = _pcapy()
    try:
        handle = pcapy.create(name)
        handle.set_snaplen(wish.snap)
        handle.set_promisc(wish.promiscuous)
        handle.set_timeout(BLOCK_MS)
        handle.set_buffer_size(wish.ring)
        code = handle.activate()
    except (pcapy.PcapError, ValueError, OverflowError) as error:  # a name with a NUL, a number past 31 bits
        raise CaptureUnavailable(f"{name}: {error}") from error
    if code >= 0:  # above zero: a warning
        return handle
    handle.close()
    if code in (PERMISSION, NO_PROMISCUOUS):
        raise refused(name)
    if code == NO_SUCH_DEVICE:
        raise no_such_interface(name)
    if code == NOT_UP:
        raise CaptureUnavailable(f"{name}: the interface is not up{_up(name)}")
    raise CaptureUnavailable(f"{name}: {_reason(name, wish) or f'libpcap cannot open it ({code})'}")


def _reason(name: str, wish: Wish) -> str:
    """Why, in libpcap's words: only its older door tells them."""
    pcapy = _pcapy()
    try:
        pcapy.open_live(name, wish.snap, wish.promiscuous, BLOCK_MS).close()
    except pcapy.PcapError as error:
        return str(error)
    return ""


def refused(name: str) -> NotPermitted:
    found = permission()
    return NotPermitted(
        f"no permission to capture on {name}: {found.why or 'the system refuses'}; {found.remedy or 'run it as root'}"
    )


def no_such_interface(name: str) -> CaptureUnavailable:
    return CaptureUnavailable(f"{name}: no such interface; leakscan doctor lists those there are")


def _up(name: str) -> str:
    return f"; ip link set {name} up" if sys.platform == "linux" else ""
