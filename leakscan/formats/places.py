"""Where each behaviour was seen: the captures of its leaks, for formats that point at files.

Comes in: leaks. Goes out: per behaviour, the captures with their leaks and the first frame. State: at most
`MAX_CAPTURES` captures of one behaviour and `MAX_PLACES` in all, the first ones met; `left_out` counts leaks at places
past that.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from urllib.parse import quote

from leakscan.formats.writer import Look
from leakscan.model import Leak

#: What GitHub accepts as locations of one result.
MAX_CAPTURES = 1000
MAX_PLACES = 100_000


@dataclass(slots=True)
class Place:
    """One behaviour in one capture."""

    rule: str
    frame: int  # completes the first leak's request
    time: str
    leaks: int = 0


class Places:
    """By fingerprint, then by capture, in the order in which they were met."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Place]] = {}
        self._count = 0
        self.left_out = 0

    def add(self, leak: Leak) -> None:
        captures = self._known.setdefault(leak.fingerprint, {})
        place = captures.get(leak.capture)
        if place is None:
            if len(captures) >= MAX_CAPTURES or self._count >= MAX_PLACES:
                self.left_out += 1
                return
            self._count += 1
            place = captures[leak.capture] = Place(leak.rule, leak.frame_end, leak.time)
        place.leaks += 1

    def of(self, fingerprint: str) -> dict[str, Place]:
        """The captures of one behaviour."""
        return self._known.get(fingerprint, {})

    def items(self) -> list[tuple[str, dict[str, Place]]]:
        return list(self._known.items())


def uri(capture: str, look: Look) -> str:
    """The capture as a relative URI reference (RFC 3986 section 4.2) from the root of the repository.

    What lies outside of it is named without its folders: the same on every machine, or alerts would close and reopen.
    """
    if capture == "-":
        return "stdin.pcap"
    path = os.path.normpath(os.path.join(look.root, look.folder, capture))  # noqa: PTH118  (no look at the disk)
    inside = look.root and path.startswith(look.root.rstrip("/") + "/")
    name = path[len(look.root.rstrip("/")) + 1 :] if inside else os.path.basename(path)  # noqa: PTH119
    return quote(name, safe="/", errors="surrogatepass") or "capture"
