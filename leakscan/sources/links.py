"""Link types as they stand in capture files, made one: LINKTYPE_ numbers (tcpdump.org/linktypes.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leakscan.model import Column


def linktype(number: int) -> int:
    """The LINKTYPE_ number for the number in a file: some programs wrote the DLT_ number of their own system."""
    return DLT_AS_LINKTYPE.get(number, number)


def without_fcs(captured: Column, wire: Column, fcs: int) -> tuple[Column, Column]:
    """The lengths without the `fcs` bytes of frame check sequence, as far as they were captured.

    Also makes sure that no frame has more bytes captured than it had on the wire.
    """

    import numpy as np

    wire = np.maximum(wire, captured)
    if not fcs:
        return captured, wire
    wire = np.maximum(wire - fcs, 0)
    return np.minimum(captured, wire), wire


#: What systems wrote into files before LINKTYPE_ numbers were kept apart from DLT_ numbers.
DLT_AS_LINKTYPE = {
    11: 100,  # ATM, RFC 1483: most systems
    12: 101,  # raw IP: most systems
    13: 100,  # ATM, RFC 1483: BSD/OS
    14: 101,  # raw IP: OpenBSD
    15: 102,  # SLIP: BSD/OS
    16: 103,  # PPP: BSD/OS
    19: 106,  # Linux classical IP over ATM
}
