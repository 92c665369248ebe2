"""Frames from an interface through scapy's sockets: the way where pcapy-ng is not installed. Slower.

In: the name of an interface. Out: `Piece`s. State: one socket. scapy is the operator's own to install (its licence is
the GPL, version 2): it is imported here when it is needed and nowhere else, and what it gives is bytes with a time.
Frames come one by one, whole; a wire length is not told. Drops are counted where the socket is one of Linux.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

from leakscan.errors import CaptureUnavailable, UsageError
from leakscan.permission import permission
from leakscan.sources.libpcap import no_such_interface, refused
from leakscan.sources.links import linktype
from leakscan.sources.tap import MAX_SNAP_BYTES, Counter, Drops, Gone, Piece, Wish, link_drops

#: The longest frame that is asked for: an IPv4 packet that was put together on the way, and headers.
MAX_FRAME_BYTES = (1 << 16) + 256
_SOL_PACKET, _STATISTICS, _IGNORE_OUTGOING = 263, 6, 23  # linux/if_packet.h
_STATS = struct.Struct("II")  # packets, drops, since it was asked last


class SnifferTap:
    """An interface that is captured by a socket of scapy's."""

    digits = 9

    def __init__(self, name: str, wish: Wish) -> None:
        if wish.snap < MAX_SNAP_BYTES:
            raise UsageError("--snap-length takes libpcap: pip install 'leakscan[live]'")
        self.name = name
        self._socket = _opened(name, wish)
        self.link = linktype(_link(self._socket))
        self._linux = sys.platform == "linux"
        self.counts_drops = self._linux
        if self._linux:
            self._tune(wish.ring)
        self._received = self._kernel = 0
        self._interface = Counter()
        self._dropped_before = link_drops(name)

    def fileno(self) -> int:
        return int(self._socket.fileno())

    def read(self, most: int) -> Piece | None:
        frames: list[bytes] = []
        times: list[int] = []
        try:
            while len(frames) < most:
                _, frame, seconds = self._socket.recv_raw(MAX_FRAME_BYTES)
                if frame is None:
                    break
                frames.append(bytes(frame))
                times.append(time.time_ns() if seconds is None else int(seconds * 1e9))
        except BlockingIOError:
            pass
        except OSError as error:
            if not frames:
                raise Gone(error.strerror or str(error)) from error
        if not frames:
            return None
        captured = np.array([len(frame) for frame in frames], np.int64)
        cut = captured >= MAX_FRAME_BYTES  # then there was more, nobody knows how much
        start = np.cumsum(captured) - captured
        return Piece(b"".join(frames), start, captured, captured + cut, np.array(times, np.int64))

    def drops(self) -> Drops:
        if not self._linux:
            return Drops()
        try:
            received, kernel = _STATS.unpack(self._socket.ins.getsockopt(_SOL_PACKET, _STATISTICS, _STATS.size))
        except OSError:
            received = kernel = 0
        self._received += received
        self._kernel += kernel
        now = link_drops(self.name)
        if now is not None and self._dropped_before is not None:
            self._interface.at(max(0, now - self._dropped_before))
        return Drops(self._received, self._kernel, self._interface.total)

    def close(self) -> None:
        self._socket.close()

    def _tune(self, ring: int) -> None:
        """Never wait; room for frames as far as the system allows; on the loopback each frame once, not both ways."""
        raw = self._socket.ins
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, min(ring, (1 << 31) - 1))
        if self.name == "lo":
            raw.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)


def available() -> bool:
    from importlib.util import find_spec

    return find_spec("scapy") is not None


def interfaces() -> list[str]:
    """The names that scapy knows."""
    from scapy.interfaces import get_if_list

    return list(get_if_list())


def _opened(name: str, wish: Wish) -> Any:
    """A socket that captures. Raises CaptureUnavailable, NotPermitted, UsageError."""
    logging.getLogger("scapy").setLevel(logging.ERROR)  # it warns of what is handled here
    from scapy.config import conf  # late: half a second, and only where libpcap is missing
    from scapy.error import Scapy_Exception
    from scapy.interfaces import get_if_list

    import_module("scapy.arch")  # fills in conf
    if not permission().granted:
        raise refused(name)
    if name not in get_if_list():
        reason = "any takes libpcap: pip install 'leakscan[live]'" if name == "any" else None
        raise CaptureUnavailable(reason) if reason else no_such_interface(name)
    try:
        return conf.L2listen(iface=name, filter=wish.bpf or None, promisc=wish.promiscuous)
    except PermissionError as error:
        raise refused(name) from error
    except (Scapy_Exception, ImportError) as error:
        if wish.bpf:
            raise UsageError(f"--bpf {wish.bpf}: {error}") from error
        raise CaptureUnavailable(f"{name}: {error}") from error
    except OSError as error:
        raise CaptureUnavailable(f"{name}: {error.strerror or error}") from error


def _link(opened: Any) -> int:
    """The DLT_ number of what the socket hands over."""
    from scapy.config import conf

    import_module("scapy.layers.l2")  # fills in the table
    return int(conf.l2types.layer2num.get(opened.LL, 1))
