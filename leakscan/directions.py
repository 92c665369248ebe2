"""What reassembly knows of each direction, and the table it keeps that in.

State: a table of two generations. A direction that is used moves to the younger one; when that is full, what is
left in the older one is given up. So the table is bounded, and giving up costs nothing until it happens.
"""

from __future__ import annotations

from leakscan.model import Origin, Segment

Meta = tuple[int, int, int | None, Origin]  # frame, time, TEID, origin
Held = tuple[int, bytes, int, Meta]  # position, data, bytes missing behind it, whence


class Direction:
    """One direction that is HTTP, or may be. Positions count from the first byte and never wrap."""

    __slots__ = (
        "client",
        "counted",
        "gone",
        "held",
        "held_bytes",
        "http",
        "isn",
        "key",
        "position",
        "prefix",
        "since",
        "skipped",
        "skipped_from",
        "skipped_size",
        "synced",
        "time_ns",
    )

    def __init__(self, key: bytes, seq: int, synced: bool, client: bool, time_ns: int) -> None:
        self.key = key
        self.isn = seq  # sequence number of position 0
        self.synced = synced  # position 0 is where the stream began
        self.client = client  # it sent the SYN
        self.counted = False  # under what it is, when it was not HTTP before
        self.gone = False  # ignored since
        self.time_ns = time_ns
        self.position = 0
        self.http = False
        self.prefix: list[tuple[bytes, Meta]] = []  # in order, while it is not decided
        self.held: list[Held] = []
        self.held_bytes = 0  # in prefix and held
        self.since = 0  # packet time of the last progress before the hole
        self.skipped = 0  # bytes missing before the next delivery
        self.skipped_from = 0  # sequence number from which on ...
        self.skipped_size = 0  # ... so many bytes of a body are of no use, missing or not

    def expects(self, segment: Segment) -> bool:
        """Whether it is HTTP, nothing waits or is missing, and these are exactly its next bytes."""
        return (
            self.http
            and (self.isn + self.position) & 0xFFFFFFFF == segment.seq
            and not (self.held or self.skipped or segment.missing)
            and bool(segment.payload)
        )

    def has_no_use_for(self, segment: Segment) -> bool:
        """Whether all of it is in the part of a body that is skipped."""
        offset = (segment.seq - self.skipped_from) & 0xFFFFFFFF
        return offset + len(segment.payload) + segment.missing <= self.skipped_size and not segment.flags & 2


#: A Direction; above zero, `ignored`; below zero, `syn_seen`, and nothing since.
State = Direction | int


def ignored(code: int, token: int) -> int:
    """A direction that is not looked at, by a code and the token of verdicts."""
    return token << 2 | code


def code_of(state: State | None) -> int:
    """The code of an ignored direction; verdicts.FREE of any other."""
    return state & 3 if isinstance(state, int) and state > 0 else 0


def syn_seen(first: int, client: bool) -> int:
    """A direction of which only the SYN was seen; `first`: the sequence number behind it."""
    return -1 - (first * 2 + client)


def after_syn(state: int) -> tuple[int, bool]:
    """What `syn_seen` was made of."""
    first, client = divmod(-1 - state, 2)
    return first, bool(client)


class Table:
    """The directions in use, at most `bound`."""

    def __init__(self, bound: int) -> None:
        self._half = bound // 2
        self._young: dict[bytes, State] = {}
        self._old: dict[bytes, State] = {}

    def find(self, key: bytes) -> State | None:
        state = self._young.get(key)
        return self._old.get(key) if state is None else state

    def is_fresh(self, key: bytes) -> bool:
        """Whether it needs no `keep` to survive the next giving up."""
        return key in self._young

    def keep(self, key: bytes, state: State) -> list[State] | None:
        """Put or move a direction into the younger generation; gives the states given up for it, if any."""
        self._young[key] = state
        if len(self._young) <= self._half:
            return None
        given_up, self._old, self._young = self._old, self._young, {}
        return [other for name, other in given_up.items() if name not in self._old]

    def directions(self) -> list[Direction]:
        """All Directions, the older generation first."""
        states = [state for key, state in self._old.items() if key not in self._young] + list(self._young.values())
        return [state for state in states if isinstance(state, Direction)]

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
