"""Interfaces to batches, with taps that the test fills: when a batch closes, what its numbers are, when it ends."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections import deque

import numpy as np
import pytest

from leakscan.errors import CaptureUnavailable
from leakscan.losses import Losses
from leakscan.sources import live
from leakscan.sources.live import Interfaces
from leakscan.sources.tap import Counter, Drops, Gone, Piece, Wish

FOREVER_NS = 2**62


class Tap:
    """Gives what was put into it: frames with their times, or a failure. Readable all the time, like a busy link."""

    counts_drops = True
    digits = 6

    def __init__(self, name: str, *given: list[tuple[int, bytes]] | type[Gone], link: int = 1) -> None:
        self.name = name
        self.link = link
        self._given = deque(given)
        self._rest: list[tuple[int, bytes]] = []
        self._file = os.open("/dev/zero", os.O_RDONLY)
        self.closed = False
        self.received = 0

    def fileno(self) -> int:
        return self._file

    def read(self, most: int) -> Piece | None:
        assert most > 0
        if not self._rest and self._given:
            given = self._given.popleft()
            if given is Gone:
                raise Gone("The interface went down")
            self._rest = list(given)
        taken, self._rest = self._rest[:most], self._rest[most:]
        if not taken:
            time.sleep(0.001)
            return None
        self.received += len(taken)
        captured = np.array([len(frame) for _, frame in taken], np.int64)
        times = np.array([at for at, _ in taken], np.int64)
        start = np.cumsum(captured) - captured
        return Piece(b"".join(frame for _, frame in taken), start, captured, captured, times)

    def drops(self) -> Drops:
        return Drops(self.received, 1, 2)

    def close(self) -> None:
        self.closed = True
        os.close(self._file)


def numbered(count: int, size: int = 60, first: int = 0, at: int = 1) -> list[tuple[int, bytes]]:
    return [(at, number.to_bytes(4, "big") + bytes(size - 4)) for number in range(first, first + count)]


class Setting:
    """Interfaces over taps, asked `rounds` times whether it is enough."""

    def __init__(self, *taps: Tap, rounds: int = 3, wish: Wish = Wish(), **more) -> None:  # noqa: B008
        self.losses = Losses()
        self.said: list[str] = []
        self._taps = {name: iter(list(group)) for name, group in itertools.groupby(taps, lambda tap: tap.name)}
        self._rounds = rounds
        self.interfaces = Interfaces(
            list(self._taps), wish, self.losses, self._ask, open_tap=self._open, say=self.said.append, **more
        )

    def _open(self, name: str, wish: Wish) -> Tap:
        tap = next(self._taps[name], None)
        if tap is None:
            raise CaptureUnavailable(name)
        return tap

    def _ask(self) -> bool:
        self._rounds -= 1
        return self._rounds < 0

    def batches(self):
        try:
            return list(self.interfaces.batches())
        finally:
            self.interfaces.close()


def frames(batch) -> list[int]:
    """The number that each frame begins with."""
    return [int.from_bytes(batch.buffer[at : at + 4], "big") for at in batch.start.tolist()]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No waiting for a kernel that is not there."""
    monkeypatch.setattr(live, "LINGER_MS", 5)


def test_pieces_become_one_batch_with_all_its_columns():
    (batch,) = Setting(Tap("a", numbered(3), numbered(2, size=100, first=3, at=7)), rounds=2).batches()
    assert frames(batch) == [0, 1, 2, 3, 4]
    assert batch.captured.tolist() == batch.wire.tolist() == [60, 60, 60, 100, 100]
    assert batch.time_ns.tolist() == [1, 1, 1, 7, 7]
    assert (batch.first_frame, batch.origin) == (1, ("a", 1, 6, "a"))


def test_a_batch_closes_when_it_holds_enough_frames(monkeypatch):
    monkeypatch.setattr(live, "MAX_BATCH_FRAMES", 10)
    monkeypatch.setattr(live, "PIECE_FRAMES", 4)
    batches = Setting(Tap("a", numbered(25)), rounds=10).batches()
    assert [len(batch.start) for batch in batches] == [12, 12, 1]
    assert [batch.first_frame for batch in batches] == [1, 13, 25]
    assert [number for batch in batches for number in frames(batch)] == list(range(25))


def test_a_batch_closes_when_it_holds_enough_bytes(monkeypatch):
    monkeypatch.setattr(live, "MAX_BATCH_BYTES", 500)
    monkeypatch.setattr(live, "PIECE_FRAMES", 2)
    assert [len(b.start) for b in Setting(Tap("a", numbered(9, size=150)), rounds=9).batches()] == [4, 4, 1]


def test_a_batch_closes_after_a_while(monkeypatch):
    monkeypatch.setattr(live, "BATCH_MS", 30)
    times = []
    for _ in range(5):
        setting = Setting(Tap("a", numbered(2)), rounds=1000)
        begun = time.monotonic()
        batch = next(setting.interfaces.batches())
        times.append(time.monotonic() - begun)
        assert frames(batch) == [0, 1]
        setting.interfaces.close()
    assert 0.03 <= min(times) < statistics.median(times) < 1


def test_it_asks_in_time_also_while_nothing_comes(monkeypatch):
    monkeypatch.setattr(live, "TICK_MS", 20)
    tap = Tap("a")
    os.close(tap._file)
    tap._file, other = os.pipe()  # never readable
    begun, spent = time.monotonic(), time.process_time()
    assert Setting(tap, rounds=5).batches() == []
    assert 0.08 < time.monotonic() - begun < 20  # a busy machine wakes it late; without a tick it would not return
    assert time.process_time() - spent < 0.08  # and it slept meanwhile
    os.close(other)


def test_interfaces_are_numbered_apart():
    batches = Setting(Tap("a", numbered(3)), Tap("b", numbered(2), link=113)).batches()
    assert {batch.origin.capture: (batch.first_frame, len(batch.start), batch.origin.link) for batch in batches} == {
        "a": (1, 3, 1),
        "b": (1, 2, 113),
    }


def test_not_one_packet_more_than_asked_for(monkeypatch):
    monkeypatch.setattr(live, "PIECE_FRAMES", 4)
    setting = Setting(Tap("a", numbered(50)), Tap("b", numbered(50)), rounds=100, packets=10)
    assert sum(len(batch.start) for batch in setting.batches()) == 10


def test_what_had_come_before_the_end_is_read_and_nothing_later():
    late = time.time_ns() + 10**12
    tap = Tap("a", numbered(2), [*numbered(2, first=2), *numbered(2, first=4, at=late)], numbered(2, first=6, at=late))
    batches = Setting(tap, rounds=0).batches()
    assert [number for batch in batches for number in frames(batch)] == [0, 1, 2, 3]


def test_the_end_comes_also_where_the_clock_of_the_packets_is_behind():
    endless = [numbered(10, size=1000) for _ in range(1000)]
    setting = Setting(Tap("a", *endless), rounds=0, wish=Wish(ring=50_000))
    assert 50 <= sum(len(batch.start) for batch in setting.batches()) <= 70


def test_an_interface_that_goes_away_ends_it_with_what_was_there():
    setting = Setting(Tap("a", numbered(2), Gone, numbered(1, first=2)), Tap("b", numbered(3)), rounds=1000)
    batches = setting.batches()
    assert sorted((b.origin.capture, *frames(b)) for b in batches) == [("a", 0, 1, 2), ("b", 0, 1, 2)]
    assert setting.losses.of_kind("unread") == {"capture.interface-gone": 1}
    assert [(p.capture, p.reason) for p in setting.losses.problems] == [("a", "The interface went down")]


def test_an_interface_that_goes_away_is_awaited_and_its_numbers_go_on(monkeypatch):
    monkeypatch.setattr(live, "REOPEN_MS", 1)
    monkeypatch.setattr(live, "BATCH_MS", 1)
    first, second = Tap("a", numbered(2), Gone), Tap("a", numbered(3), link=113)
    setting = Setting(first, second, rounds=500, reopen=True)
    batches = setting.batches()
    assert [(batch.first_frame, batch.origin.link) for batch in batches] == [(1, 1), (3, 113)]
    assert dict(setting.losses) == {"capture.reopened": 1}
    assert setting.said == ["a: The interface went down; waiting for it", "a: captured again"]
    assert setting.interfaces.drops() == {"a": Drops(5, 2, 4)}
    assert (first.closed, second.closed) == (True, True)


def test_a_name_twice_is_one_interface_and_a_failure_closes_the_others():
    tap = Tap("a")
    with pytest.raises(CaptureUnavailable):
        Interfaces(["a", "a", "b"], Wish(), Losses(), lambda: True, open_tap=Opens({"a": tap}))
    assert tap.closed


class Opens(dict):
    def __call__(self, name: str, wish: Wish) -> Tap:
        if name not in self:
            raise CaptureUnavailable(name)
        return self.pop(name)


def test_a_counter_goes_on_over_the_wrap_of_32_bits():
    counter = Counter()
    assert [counter.at(value) for value in (5, 2**32 - 1, 3, 3)] == [5, 2**32 - 1, 2**32 + 3, 2**32 + 3]
