"""Where the time of one scan goes: what each stage takes for itself, while it runs with all the others.

    python -m tests.benchmarks.breakdown CAPTURE

In: a capture. Out: one JSON object, stage -> seconds, its unit, and how many of them there were. State: a stack of the
stages that are being asked for their next record. The clock costs some 0.3 us a record.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from leakscan.decode import Decoder
from leakscan.detectors import builtin
from leakscan.fingerprint import registrable_domain
from leakscan.formats.rows import json_text, leak_object
from leakscan.losses import Losses
from leakscan.model import Coverage, Head
from leakscan.protocols import Http1
from leakscan.reading import Reading
from leakscan.reassembly import Reassembler
from leakscan.sieve import Sieve
from leakscan.sources import open_capture
from leakscan.spine import Scan, Settings
from leakscan.verdicts import Verdicts

Item = TypeVar("Item")


class Clock:
    """Own time and number of records of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.items: dict[str, int] = {}
        self._asked: list[str] = []
        self._since = 0.0

    def over(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items; the time that it takes to make them counts for `stage`, but for what other stages take of it."""
        self.seconds[stage], self.items[stage] = 0.0, 0
        source = iter(items)
        while True:
            self._turn()
            self._asked.append(stage)
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                self._turn()
                self._asked.pop()
            self.items[stage] += 1
            yield item

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._asked:
            self.seconds[self._asked[-1]] += now - self._since
        self._since = now


class Given(Reading):
    """A Reading that reads nothing: its heads come from elsewhere."""

    def __init__(self, heads: Iterable[Head], losses: Losses, coverage: Coverage) -> None:
        super().__init__((), losses)
        self.coverage = coverage
        self._given = heads

    def heads(self) -> Iterator[Head]:
        return iter(self._given)


def breakdown(path: str) -> dict[str, tuple[float, str, int]]:
    """Stage -> seconds, unit, number of units. reading.py and spine.py once more, with a clock at every joint.

    The tables, of signatures and of public suffixes, are read when they are first needed; here beforehand.
    """
    begun = time.perf_counter()
    builtin()
    registrable_domain("www.shop.example")
    tables = time.perf_counter() - begun
    clock, losses, coverage, verdicts = Clock(), Losses(), Coverage(), Verdicts()
    batches = clock.over("walk", open_capture(path, losses))
    segments = clock.over("sieve", Sieve(Decoder(losses), verdicts, coverage, losses).segments(batches))
    chunks = clock.over("reassembly", Reassembler(verdicts, coverage, losses).reassemble(segments))
    heads = clock.over("parse", Http1(coverage, losses).heads(chunks))
    scan = Scan(Given(heads, losses, coverage), [path], Settings())
    leaks = clock.over("detect", scan.leaks())
    for _ in clock.over("write", (json_text(leak_object(leak)) for group in (leaks, scan.rest()) for leak in group)):
        pass
    units = {
        "walk": ("frame", coverage.frames),
        "sieve": ("frame", coverage.frames),
        "reassembly": ("segment", clock.items["sieve"]),
        "parse": ("request", coverage.requests),
        "detect": ("request", coverage.requests),
        "write": ("leak", clock.items["write"]),
    }
    return {"tables": (tables, "run", 1), **{stage: (clock.seconds[stage], *units[stage]) for stage in units}}


if __name__ == "__main__":
    print(json.dumps(breakdown(sys.argv[1])))
