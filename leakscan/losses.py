"""What was not examined, counted under a name: nothing is lost in silence.

Every stage is handed one `Losses` and adds to it: `losses["tcp.overlap-conflict"] += 1`. `LOSSES` is the table of all
names: a name that is not in it is a bug and raises. A loss of kind `unread` (something that should have been read was
not) leads to exit code 3; one of kind `other` does not. `docs/losses.md` explains each; a test holds the two together.

State: one counter per name, and at most `MAX_PROBLEMS` problems (file, offset, reason), as they came and by name.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping
from typing import NamedTuple

MAX_PROBLEMS = 1000

UNREAD = "unread"
OTHER = "other"


class Problem(NamedTuple):
    """Something wrong with an input, to be shown to the operator. Holds no captured data."""

    capture: str
    offset: int | None  # bytes from the start of the (decompressed) capture
    reason: str
    loss: str = ""  # the name it is counted under

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at offset {self.offset}"
        return f"{self.capture}{where}: {self.reason}"


#: name -> (kind, what it means). Sorted by the stage that counts it.
LOSSES: Mapping[str, tuple[str, str]] = {
    # sources
    "file.not-a-capture": (UNREAD, "a file whose content is no capture that leakscan knows"),
    "file.empty": (UNREAD, "a capture of zero bytes, or one without its file header"),
    "file.cut": (UNREAD, "a capture that ends inside a record or block; all before it was read"),
    "file.damaged": (UNREAD, "a capture with a record or block that cannot be right; reading stopped there"),
    "file.unreadable": (UNREAD, "the system, or the decompressor, refused to deliver the rest of a file"),
    "file.changed": (UNREAD, "a remote capture that changed while it was read; reading stopped there"),
    "file.extra-missing": (UNREAD, "a compressed capture whose optional decompressor is not installed"),
    "file.bomb": (UNREAD, "compressed data past the limits for ratio, window or nesting; reading stopped there"),
    "file.skipped": (OTHER, "a file in a directory that is no capture, neither by name nor by content"),
    "block.unknown": (OTHER, "a pcapng block of a type that carries no packets, or that leakscan does not know"),
    "block.interface-missing": (UNREAD, "a pcapng packet block that refers to an interface never described"),
    "time.out-of-range": (OTHER, "a packet time past the year 2262, shown as the last moment before it"),
    "capture.dropped": (
        OTHER,
        "packets that the capturing host dropped: its queue was full, or a pcapng says so",
    ),
    "capture.interface-dropped": (OTHER, "packets that a network interface dropped before they could be captured"),
    "capture.drops-over": (UNREAD, "dropped packets, when they are more than --max-drops allows"),
    "capture.interface-gone": (UNREAD, "an interface that went away or down while it was captured"),
    "capture.reopened": (OTHER, "times an interface that had gone away was opened again"),
    "run.interrupted": (UNREAD, "the run was ended by a signal before the end of the captures"),
    "run.not-scanned": (UNREAD, "a capture whose worker was lost or failed, whenever it was tried"),
    # decode and sieve
    "frame.cut": (OTHER, "a frame of which the capture kept only the first bytes (snap length), not holding TCP"),
    "link.unknown": (UNREAD, "a frame of a link type that leakscan does not know"),
    "frame.malformed": (OTHER, "a frame whose headers cannot be decoded"),
    "frame.not-ip": (OTHER, "a frame that carries no IP packet: ARP, spanning tree, management ..."),
    "frame.protected": (OTHER, "an encrypted 802.11 frame"),
    "ip.encrypted": (OTHER, "an IP packet encrypted by IPsec ESP"),
    "ip.not-tcp": (OTHER, "an IP packet that is neither TCP nor UDP nor a tunnel that leakscan knows"),
    "udp": (OTHER, "UDP datagrams: DNS, QUIC, VoIP ..."),
    "ip.fragment-lost": (UNREAD, "a fragmented TCP packet of which not all fragments were seen"),
    "ip.fragment-evicted": (UNREAD, "fragments given up because too many were waiting"),
    "ip.fragment-overlap": (OTHER, "fragments that overlap with other content; the first bytes won"),
    "tunnel.too-deep": (OTHER, "a frame with more headers inside each other than the limit"),
    "tcp.checksum": (OTHER, "TCP segments with a wrong checksum; read all the same, capture hosts offload it"),
    "tcp.cut": (OTHER, "TCP segments of which the snap length cut away payload"),
    # reassembly
    "tcp.midstream": (OTHER, "streams joined in the middle: their beginning was not captured"),
    "tcp.overlap-conflict": (OTHER, "TCP segments that overlap with other content; the first bytes won"),
    "tcp.gap": (OTHER, "holes in HTTP streams, but for those in bodies that are passed over"),
    "tcp.gap-bytes": (OTHER, "bytes missing in those holes"),
    "tcp.other": (OTHER, "TCP streams that are not HTTP/1"),
    "tcp.stream-evicted": (UNREAD, "HTTP streams given up because too many were open"),
    "tcp.held-evicted": (UNREAD, "segments that waited for a hole to fill, given up because too many were waiting"),
    "tls": (OTHER, "TLS connections (ClientHellos): encrypted, not readable"),
    # protocols
    "http.head-cut": (
        UNREAD,
        "request heads cut short by the end of the capture or stream; what was there was searched",
    ),
    "http.head-torn": (UNREAD, "request heads torn, or swallowed, by a hole in the stream; the rest was searched"),
    "http.head-evicted": (
        UNREAD,
        "unfinished request heads given up, too many were waiting; they were searched",
    ),
    "http.head-too-long": (UNREAD, "request heads past the limits for bytes or lines; the first part was searched"),
    "http.body-skipped": (OTHER, "request bodies, not searched"),
    "http.body-too-long": (OTHER, "request bodies past the limit; the first part was searched"),
    "http.body-cut": (OTHER, "request bodies of which a part is missing; the rest was searched"),
    "http.body-undecodable": (OTHER, "request bodies in a coding that cannot be undone, or broken"),
    "http.body-evicted": (UNREAD, "unfinished request bodies given up, too many were waiting; they were searched"),
    "http.response-skipped": (OTHER, "responses, or parts of them, that --responses could not read"),
    "http.resynchronised": (OTHER, "times the parser had to look for the next request line"),
    "http.tunnel": (OTHER, "streams that became something else: CONNECT, Upgrade"),
    # selection
    "message.out-of-time": (OTHER, "requests before --since, or from --until on: not examined"),
    # detection
    "message.fields-over": (UNREAD, "requests with more fields than the limit; the first ones were searched"),
    "value.placeholder": (OTHER, "known headers that held a placeholder instead of an identifier"),
    "value.too-long": (OTHER, "header values of which only the first part was searched"),
    # recorder
    "write.not-kept": (OTHER, "frames that --write did not keep: --write-max was reached, or the disk refused"),
    "write.stream-cut": (OTHER, "streams that leaked, kept without their first frames: those were no longer in memory"),
    "write.stream-dropped": (OTHER, "streams that leaked, not kept to their end: too many were followed at once"),
    "write.stream-forgotten": (OTHER, "leaks whose stream was not kept: its frames were no longer in memory"),
    # the check page and the middleware
    "request.failed": (UNREAD, "requests that could not be examined, through a fault of leakscan's"),
    "record.not-kept": (OTHER, "leaks that were counted, but of which the record holds no line"),
    # summary
    "summary.hosts-folded": (OTHER, "requests to hosts past the bound, counted together as (other)"),
    "summary.behaviours-folded": (UNREAD, "leaks of behaviours past the bound, counted only in the totals"),
    "summary.trackers-folded": (OTHER, "leaks of unknown trackers past the bound, not counted in the rows"),
    "summary.joins-folded": (OTHER, "leaks past the bound that were not compared with the rest of the captures"),
    "leaks.not-shown": (OTHER, "leaks below --min-confidence"),
}


def _by_name(problem: Problem) -> tuple[str, int, str]:
    return problem.capture, -1 if problem.offset is None else problem.offset, problem.reason


class Losses(dict[str, int]):
    """Counters by name; a name not in `LOSSES` raises KeyError. Missing names read as 0."""

    def __init__(self, on_problem: Callable[[Problem], None] | None = None) -> None:
        super().__init__()
        self.problems: list[Problem] = []
        self.by_name: list[Problem] = []  # sorted, and the first of all, whatever the order in which they came
        self._on_problem = on_problem

    def __missing__(self, name: str) -> int:
        LOSSES[name]
        return 0

    def problem(self, name: str, capture: str, offset: int | None, reason: str) -> None:
        """Count `name` once and keep where and why, for the operator."""
        self[name] += 1
        problem = Problem(capture, offset, reason, name)
        self.keep(problem)
        self.say(problem)

    def keep(self, problem: Problem) -> None:
        """Where and why, of something that was counted already."""
        insort(self.by_name, problem, key=_by_name)
        del self.by_name[MAX_PROBLEMS:]

    def merge(self, other: Losses) -> None:
        for name, count in other.items():
            self[name] += count
        for problem in other.by_name:
            self.keep(problem)
        for problem in other.problems:
            self.say(problem)

    def say(self, problem: Problem) -> None:
        """To the operator, in the order in which they come."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
            if self._on_problem is not None:
                self._on_problem(problem)

    def of_kind(self, kind: str) -> dict[str, int]:
        """The non-zero counters of one kind, sorted by name."""
        return {name: self[name] for name in sorted(self) if self[name] and LOSSES[name][0] == kind}
