"""The clocks of two capture points: how far one is ahead of the other, estimated from the requests that both saw.

In: requests of either side, as key and time. Out: `Clock`. The offset contains the time that the requests took from one
point to the other: without a third clock nobody can tell the two apart. State: `Sample`, the times of at most MAX_KEYS
keys (which ones depends on their hashes alone, so that both sides keep the same) and the first MAX_TIMES of each; an
estimate looks at MAX_DELTAS pairs of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from leakscan.distinct import stable_hash

MAX_KEYS = 10_000
MAX_TIMES = 64
MAX_DELTAS = 1 << 20
#: How close together the deltas of one clock are looked for: the network's jitter, then the clocks' drift.
WIDTHS_NS = (20_000_000, 100_000_000, 500_000_000, 2 * 10**9, 10 * 10**9)
#: Such a share of what could be pairs must be in a window before a wider one is tried.
ENOUGH = 0.5
#: How far from the expected time a partner is sought: FACTOR times the spread of the sample, within these limits.
FACTOR = 8
MIN_TOLERANCE_NS = 250_000_000
MAX_TOLERANCE_NS = 10 * 10**9
#: Two candidates nearer to each other than this many spreads, or this long, cannot be told apart by time.
MARGIN_FACTOR = 4
MIN_MARGIN_NS = 50_000_000
#: A pair moves the clock by one part in so many of what it is off: clocks drift.
FOLLOW = 16


@dataclass(slots=True)
class Clock:
    """How the server's point reads time, against the client's. All in nanoseconds."""

    offset: int  # server's time minus client's time for the same request; follows the drift
    estimate: int  # the offset at first, a median
    spread: int  # half of the sample lies within so much of the estimate
    pairs: int  # keys that the estimate rests on

    @property
    def tolerance(self) -> int:
        return max(MIN_TOLERANCE_NS, min(MAX_TOLERANCE_NS, FACTOR * self.spread))

    @property
    def margin(self) -> int:
        return max(MIN_MARGIN_NS, MARGIN_FACTOR * self.spread)

    def follow(self, off: int) -> None:
        """A pair that can be no other was `off` by so much."""
        self.offset += off // FOLLOW


class Sample:
    """Times of the requests of one side, by key."""

    def __init__(self) -> None:
        self.limit = 1 << 64  # hashes from here on are not kept
        self.times: dict[int, list[int]] = {}

    def add(self, key: str, time_ns: int) -> None:
        hashed = stable_hash(key)
        if hashed >= self.limit:
            return
        times = self.times.setdefault(hashed, [])
        if len(times) < MAX_TIMES:
            times.append(time_ns)
        while len(self.times) > MAX_KEYS:
            self.limit //= 2
            self.times = {kept: times for kept, times in self.times.items() if kept < self.limit}


def estimate(client: Sample, server: Sample) -> Clock | None:
    """The offset at which most requests find a partner; None when the sides have no request in common.

    A key that came once on either side counts whole, one that came more often for as many pairs as it could make, each
    the less. Of offsets that fit equally well the smallest is taken.
    """
    deltas = sorted(_deltas(client.times, server.times))
    if not deltas:
        return None
    times = [delta for delta, _ in deltas]
    sums = [0.0, *accumulate(weight for _, weight in deltas)]
    most = sum(1 / max(len(t), len(server.times[key])) for key, t in client.times.items() if key in server.times)
    cluster: list[int] = []
    for width in WIDTHS_NS:
        weight, cluster = _densest(times, sums, width)
        if weight >= most * ENOUGH:
            break
    middle = cluster[len(cluster) // 2]
    away = sorted(abs(delta - middle) for delta in cluster)
    return Clock(middle, middle, away[len(away) // 2], len(cluster))


def _densest(times: list[int], sums: list[float], width: int) -> tuple[float, list[int]]:
    """The window of that width with the greatest weight, the nearest to zero among equals."""
    best, chosen = (0.0, 0), (0, 0)
    behind = 0
    for first, delta in enumerate(times):
        while behind < len(times) and times[behind] <= delta + width:
            behind += 1
        rank = (round(sums[behind] - sums[first], 6), -abs(times[(first + behind) // 2]))
        if not first or rank > best:
            best, chosen = rank, (first, behind)
    return best[0], times[slice(*chosen)]


def _deltas(client: Mapping[int, list[int]], server: Mapping[int, list[int]]) -> Iterator[tuple[int, float]]:
    """Server's time less client's, and what each counts; the keys that came least often first."""
    common = sorted((len(starts) * len(server[key]), key) for key, starts in client.items() if key in server)
    room = MAX_DELTAS
    for count, key in common:
        room -= count
        if room < 0:
            return
        yield from ((end - start, 1 / count) for start in client[key] for end in server[key])
