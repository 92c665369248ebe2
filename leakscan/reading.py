"""The first half of the spine: series of captures -> frames -> segments -> chunks -> messages.

In: the batches of each series. Out: every HTTP request in them. State: that of the stages; streams go on over the
captures of a series and end with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leakscan.bodies import Bodies
from leakscan.losses import Losses
from leakscan.model import Coverage, FrameBatch, Head, Message
from leakscan.protocols import Http1, message_of
from leakscan.verdicts import Verdicts


class Reading:
    """The way from captures to messages, and what it counts."""

    def __init__(
        self, series: Iterable[Iterator[FrameBatch]], losses: Losses, sieve: bool = True, bodies: bool = False
    ) -> None:
        """`bodies`: read them, too."""
        self.losses = losses
        self.coverage = Coverage()
        self._series = series
        self._sieve = sieve
        self._bodies = bodies

    def messages(self) -> Iterator[Message]:
        """Every HTTP request, in the order in which their heads become complete, or their bodies, if asked for."""
        return map(message_of, self.heads())

    def heads(self) -> Iterator[Head]:
        """The same, not taken apart."""
        from leakscan.decode import Decoder
        from leakscan.reassembly import Reassembler
        from leakscan.sieve import Sieve  # late: whoever is given heads needs no numpy

        coverage, losses = self.coverage, self.losses
        for batches in self._series:
            verdicts, decoder = Verdicts(), Decoder(losses)
            segments = Sieve(decoder, verdicts, coverage, losses, self._sieve).segments(batches)
            reassembler = Reassembler(verdicts, coverage, losses)
            if self._bodies:
                http1 = Http1(coverage, losses, bodies=Bodies(losses))
            else:
                http1 = Http1(coverage, losses, reassembler.skip)
            yield from http1.heads(reassembler.reassemble(segments))
            decoder.end()

    def stop(self) -> None:
        """After an interruption: nothing more is read, and what was counted stands in `losses` and `coverage`."""
