"""The first half of the spine: series of captures -> frames -> segments -> chunks -> messages.

In: the batches of each series. Out: every HTTP request in them. State: that of the stages; streams go on over the
captures of a series and end with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from leakscan.bodies import Bodies
from leakscan.losses import Losses
from leakscan.model import Answer, Coverage, FrameBatch, Head, Message, Seen
from leakscan.neighbours import Neighbours
from leakscan.protocols import Http1, message_of
from leakscan.verdicts import Verdicts

if TYPE_CHECKING:
    from leakscan.protocols.responses import Responses


class Reading:
    """The way from captures to messages, and what it counts."""

    def __init__(
        self,
        series: Iterable[Iterator[FrameBatch]],
        losses: Losses,
        sieve: bool = True,
        responses: bool = False,
        bodies: bool = False,
        multipliers: Sequence[int] = (),
    ) -> None:
        """`responses`, `bodies`: read those of requests, too. `multipliers`: those that batches were sifted with."""
        self.losses = losses
        self.coverage = Coverage()
        self.neighbours = Neighbours()
        self._series = series
        self._sieve = sieve
        self._responses = responses
        self._bodies = bodies
        self._multipliers = multipliers

    def messages(self) -> Iterator[Message]:
        """Every HTTP request, in the order in which their heads become complete, or their bodies, if asked for."""
        return map(message_of, self.heads())

    def heads(self) -> Iterator[Head]:
        """The same, not taken apart."""
        for batches in self._series:
            yield from self._heads_of(batches, None)

    def exchanges(self) -> Iterator[Head | Seen | Answer]:
        """The same, and answers to them as they become complete, if responses are wanted. (Seen: relay.py.)"""
        return self._exchanges() if self._responses else self.heads()

    def _exchanges(self) -> Iterator[Head | Answer]:
        from leakscan.protocols.responses import Responses  # late: not many want it

        for batches in self._series:
            responses = Responses(self.losses)
            for head in self._heads_of(batches, responses):
                yield from responses.answers()
                responses.asked(head)
                yield head
            yield from responses.answers()

    def _heads_of(self, batches: Iterator[FrameBatch], responses: Responses | None) -> Iterator[Head]:
        """The stages, for one series."""
        from leakscan.decode import Decoder
        from leakscan.reassembly import Reassembler
        from leakscan.sieve import Sieve  # late: whoever is given heads needs no numpy

        coverage, losses = self.coverage, self.losses
        verdicts = Verdicts(responses is not None, self._multipliers)
        decoder = Decoder(losses, self.neighbours)
        segments = Sieve(decoder, verdicts, coverage, losses, self._sieve).segments(batches)
        if responses is not None:
            segments = responses.watch(segments)
        reassembler = Reassembler(verdicts, coverage, losses)
        if self._bodies:
            http1 = Http1(coverage, losses, bodies=Bodies(losses))
        else:
            http1 = Http1(coverage, losses, reassembler.skip)
        yield from http1.heads(reassembler.reassemble(segments))
        decoder.end()

    def stop(self) -> None:
        """After an interruption: nothing more is read, and what was counted stands in `losses` and `coverage`."""
