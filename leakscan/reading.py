"""The first half of the spine: series of captures -> frames -> segments -> chunks -> messages.

In: the batches of each series. Out: every HTTP request in them. State: that of the stages; streams go on over the
captures of a series and end with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leakscan.losses import Losses
from leakscan.model import Coverage, FrameBatch, Head, Message
from leakscan.neighbours import Neighbours
from leakscan.protocols import Http1, message_of
from leakscan.verdicts import Verdicts


class Reading:
    """The way from captures to messages, and what it counts."""

    def __init__(self, series: Iterable[Iterator[FrameBatch]], losses: Losses, sieve: bool = True) -> None:
        self.losses = losses
        self.coverage = Coverage()
        self.neighbours = Neighbours()
        self._series = series
        self._sieve = sieve

    def messages(self) -> Iterator[Message]:
        """Every HTTP request, in the order in which their heads become complete."""
        return map(message_of, self.heads())

    def heads(self) -> Iterator[Head]:
        """The same, not taken apart."""
        from leakscan.decode import Decoder
        from leakscan.reassembly import Reassembler
        from leakscan.sieve import Sieve  # late: whoever is given heads needs no numpy

        coverage, losses = self.coverage, self.losses
        for batches in self._series:
            verdicts, decoder = Verdicts(), Decoder(losses, self.neighbours)
            segments = Sieve(decoder, verdicts, coverage, losses, self._sieve).segments(batches)
            chunks = Reassembler(verdicts, coverage, losses).reassemble(segments)
            yield from Http1(coverage, losses).heads(chunks)
            decoder.end()

    def stop(self) -> None:
        """After an interruption: nothing more is read, and what was counted stands in `losses` and `coverage`."""
