"""The first half of the spine: captures -> frames -> segments -> chunks -> messages.

In: the names of captures. Out: every HTTP request in them. State: that of the stages; streams go on over the captures
of a series and end with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from leakscan.decode import Decoder
from leakscan.losses import Losses
from leakscan.model import Coverage, Message
from leakscan.protocols import Http1
from leakscan.reassembly import Reassembler
from leakscan.series import Series
from leakscan.sieve import Sieve
from leakscan.verdicts import Verdicts


class Reading:
    """The way from captures to messages, and what it counts."""

    def __init__(
        self,
        names: Sequence[str],
        losses: Losses,
        on_bytes: Callable[[int], None] | None = None,
        sieve: bool = True,
    ) -> None:
        self.losses = losses
        self.coverage = Coverage()
        self._names = names
        self._on_bytes = on_bytes
        self._sieve = sieve

    def messages(self) -> Iterator[Message]:
        """Every HTTP request, in the order in which their heads become complete."""
        coverage, losses = self.coverage, self.losses
        for batches in Series(self._names, losses, self._on_bytes):
            verdicts, decoder = Verdicts(), Decoder(losses)
            segments = Sieve(decoder, verdicts, coverage, losses, self._sieve).segments(batches)
            chunks = Reassembler(verdicts, coverage, losses).reassemble(segments)
            yield from Http1(coverage, losses).messages(chunks)
            decoder.end()
