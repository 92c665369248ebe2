"""The spine: one file that knows the order of the stages. It reads like the drawing in docs/architecture.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from leakscan.losses import Losses
from leakscan.model import Coverage, Message


def read_requests(
    names: Sequence[str],
    coverage: Coverage,
    losses: Losses,
    on_bytes: Callable[[int], None] | None = None,
    sieve: bool = True,
) -> Iterator[Message]:
    """Every HTTP request in the captures, in the order in which their heads become complete."""
    from leakscan.decode import Decoder
    from leakscan.protocols import PROTOCOLS
    from leakscan.reassembly import Reassembler
    from leakscan.sieve import Sieve
    from leakscan.sources import open_capture
    from leakscan.verdicts import Verdicts

    for name in names:
        verdicts = Verdicts()
        decoder = Decoder(losses)
        batches = open_capture(name, losses, on_bytes)
        segments = Sieve(decoder, verdicts, coverage, losses, sieve).segments(batches)
        chunks = Reassembler(verdicts, coverage, losses).reassemble(segments)
        yield from PROTOCOLS["http1"](coverage, losses).messages(chunks)
        decoder.end()
