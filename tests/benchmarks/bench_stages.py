"""What each stage costs: walk and sieve a frame, reassembly a segment, parse and detect a request.

    python -m pytest -o addopts=--import-mode=importlib tests/benchmarks/bench_stages.py

Ordinary test runs do not collect this file. Each stage is fed what the stages before it made of the same generated
traffic, recorded beforehand, and its result is thrown away; so the costs add up, but for what stages share in a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakscan.decode import Decoder
from leakscan.detectors import detect
from leakscan.fields import fields
from leakscan.losses import Losses
from leakscan.model import Chunk, Coverage, FrameBatch, Segment
from leakscan.protocols import Http1, message_of
from leakscan.reassembly import Reassembler
from leakscan.sieve import Sieve
from leakscan.sources import open_capture
from leakscan.spine import Scan, Settings
from leakscan.verdicts import Verdicts
from tests.benchmarks.breakdown import Given
from tests.benchmarks.packets import SYN
from tests.benchmarks.traffic import generate

SIZE = 50_000_000
ROUNDS = 5
FLAGS_AT = 14 + 20 + 13  # of a generated frame: Ethernet, IPv4 without options


class Recorded:
    """One capture, and what each stage made of it."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        with path.open("wb") as file:
            generate(kind, SIZE, file)
        self.verdicts = Verdicts()
        losses, coverage = Losses(), Coverage()
        self.batches: list[FrameBatch] = []
        self.segments: list[Segment] = []
        self.chunks: list[Chunk] = []
        sieve = Sieve(Decoder(losses), self.verdicts, coverage, losses)
        segments = self._kept(sieve.segments(self._copied(losses)), self.segments)
        chunks = self._kept(Reassembler(self.verdicts, coverage, losses).reassemble(segments), self.chunks)
        self.heads = list(Http1(coverage, losses).heads(chunks))
        self.frames = coverage.frames

    def _copied(self, losses: Losses) -> Iterator[FrameBatch]:
        """The batches, each with a buffer of its own."""
        for batch in open_capture(str(self.path), losses):
            end = int(batch.start[-1] + batch.captured[-1])
            kept = batch._replace(buffer=bytearray(batch.buffer[:end]))
            self.batches.append(kept)
            yield kept

    @staticmethod
    def _kept(items: Iterable[Any], into: list[Any]) -> Iterator[Any]:
        for item in items:
            into.append(item)
            yield item


@pytest.fixture(scope="module", params=["mixed", "http"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("traffic") / f"{request.param}.pcap", request.param)


Each = Callable[[str, int, Callable[[], Iterable[object]]], None]


@pytest.fixture
def each(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> Each:
    """Time a stage and say what it costs per unit; `make` builds the stage anew for every round."""

    def run(unit: str, count: int, make: Callable[[], Iterable[object]]) -> None:
        benchmark.pedantic(drain, setup=lambda: ((make(),), {}), rounds=ROUNDS, warmup_rounds=1)
        cost = benchmark.stats.stats.median / count * 1e6
        benchmark.extra_info[f"us per {unit}"] = cost
        with capsys.disabled():
            print(f"\n{benchmark.name}: {cost:.3f} us per {unit}, {count:,} of them")

    return run


def drain(items: Iterable[object]) -> None:
    deque(items, maxlen=0)


def test_walk(each: Each, recorded: Recorded) -> None:
    each("frame", recorded.frames, lambda: open_capture(str(recorded.path), Losses()))


def test_sieve_that_drops(each: Each, recorded: Recorded) -> None:
    """Every direction is known already, and no SYN opens it again."""
    batches = [without_syns(batch) for batch in recorded.batches]
    sieve = Sieve(Decoder(Losses()), recorded.verdicts, Coverage(), Losses())
    each("frame", sum(len(batch.start) for batch in batches), lambda: sieve.segments(batches))


def test_sieve_that_hands_on(each: Each, recorded: Recorded) -> None:
    """Nobody says what is not HTTP: every SYN and payload becomes a segment."""
    each(
        "frame",
        recorded.frames,
        lambda: Sieve(Decoder(Losses()), Verdicts(), Coverage(), Losses()).segments(recorded.batches),
    )


def test_decode(each: Each, recorded: Recorded) -> None:
    """The same, frame by frame: the reference."""
    each(
        "frame",
        recorded.frames,
        lambda: Sieve(Decoder(Losses()), Verdicts(), Coverage(), Losses(), enabled=False).segments(recorded.batches),
    )


def test_reassembly(each: Each, recorded: Recorded) -> None:
    """Of what the sieve hands on when it is told."""
    segments = recorded.segments
    each("segment", len(segments), lambda: Reassembler(Verdicts(), Coverage(), Losses()).reassemble(segments))


def test_parse(each: Each, recorded: Recorded) -> None:
    each("request", len(recorded.heads), lambda: Http1(Coverage(), Losses()).heads(recorded.chunks))


def test_detect(each: Each, recorded: Recorded) -> None:
    losses, messages = Losses(), [message_of(head) for head in recorded.heads]
    each("request", len(messages), lambda: (detect(fields(message, losses), losses) for message in messages))


@pytest.mark.parametrize("leaking", [False, True], ids=["clean", "leaking"])
def test_from_head_to_summary(each: Each, recorded: Recorded, leaking: bool) -> None:
    """The glance, or fields, detection, concealing, carriers and the summary."""
    heads = [head for head in recorded.heads if leaking == (b"\nx-up" in head.raw)]

    def make() -> Iterator[object]:
        return Scan(Given(heads, Losses(), Coverage()), [], Settings(pseudonym_key=bytes(16))).leaks()

    each("request", len(heads), make)


def without_syns(batch: FrameBatch) -> FrameBatch:
    flags = np.frombuffer(batch.buffer, np.uint8)[batch.start + FLAGS_AT]
    which = flags & SYN == 0
    columns = {name: getattr(batch, name)[which] for name in ("start", "captured", "wire", "time_ns")}
    return batch._replace(**columns)
