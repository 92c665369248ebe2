"""GPRS' Gb interface over UDP: NS, BSSGP, LLC and SNDCP around a subscriber's IP packet.

What is encrypted or compressed is not read; an N-PDU in several segments (they have no offsets, only an order) is
counted as a lost fragment.
"""

from __future__ import annotations

import struct

from leakscan.decode.internet import ip
from leakscan.decode.walk import GPRS_LLC, Step, Walk

_NS_UNITDATA = 0  # TS 48.016 clause 9.2.10
_UNITDATA = (0, 1)  # BSSGP, downlink and uplink: TS 48.018 clauses 10.2.1 and 10.2.2
_LLC_PDU = 0x0E
_USER_DATA = (3, 5, 9, 11)  # SAPIs of LLC that carry SNDCP, TS 44.064 clause 6.2.3
_FCS_BYTES = 3
MAX_ELEMENTS = 32


def gprs_ns(data: bytes, walk: Walk) -> Step:
    """Network service: control bits and BVCI, then BSSGP with TLLI and QoS before its elements."""
    if data[0] != _NS_UNITDATA or data[4] not in _UNITDATA:
        return None
    at = 12
    for _ in range(MAX_ELEMENTS):
        kind, length = data[at], data[at + 1]
        if length & 0x80:
            length, at = length & 0x7F, at + 2
        else:
            length, at = struct.unpack_from("!H", data, at + 1)[0], at + 3
        if kind == _LLC_PDU:
            return _llc(data[at : at + length], walk)
        at += length
    return None


def _llc(data: bytes, walk: Walk) -> Step:
    """TS 44.064 clause 6: an unconfirmed information (UI) frame that is not encrypted."""
    control = struct.unpack_from("!H", data, 1)[0]
    if data[0] & 0x80 or data[0] & 0x0F not in _USER_DATA or control >> 13 != 0b110:
        return None
    if control & 2:
        walk.lose("ip.encrypted")
        return None
    walk.passed(GPRS_LLC, data)
    return _sndcp(data[3:-_FCS_BYTES], walk)


def _sndcp(data: bytes, walk: Walk) -> Step:
    """TS 44.065 clause 7.2, SN-UNITDATA: without compression, in one segment."""
    first, unacknowledged, more = data[0] & 0x40, data[0] & 0x20, data[0] & 0x10
    if not unacknowledged:
        return None
    if more or not first:
        walk.lose("ip.fragment-lost")
        return None
    return (ip, data[4:]) if data[1] == 0 else None
