"""Charging ids: the number of the session in the network's accounts.

What: the charging id of a PDP context or bearer (32 bits, 3GPP TS 32.298), the accounting session id of RADIUS (RFC
2866 section 5.5).

Why it matters: whoever has the operator's records, or several sites comparing notes, can tie requests to one session
and that session to one subscriber. It changes with every session, so it is not counted as a subscriber.

What counts: the known form under a known name. Medium.

What does not: session ids of websites; zeros and other placeholders.

Example: `charging-id: 1234509876`

Sources: 3GPP TS 32.298; RFC 2866.
"""

from __future__ import annotations

import re

from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import IS_PLACEHOLDER, REJECTED, VALID, Verdict, digits_only, is_placeholder

_HEX_32_BITS = re.compile(r"(?:0x)?[0-9A-Fa-f]{8}")
_SESSION = re.compile(r"[0-9A-Za-z._:-]{8,64}")


def check_id(value: str, signature: Signature) -> Verdict:
    """A charging id: 32 bits, decimal or hexadecimal."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if digits_only(text) and 4 <= len(text) <= 10 and int(text) < 1 << 32:
        return Verdict(VALID, text, rotating=True)
    return Verdict(VALID, text, text.lower(), rotating=True) if _HEX_32_BITS.fullmatch(text) else REJECTED


def check_session(value: str, signature: Signature) -> Verdict:
    """An accounting session id: often the GGSN's address and the charging id in 16 hexadecimal digits."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if _SESSION.fullmatch(text) and any("0" <= c <= "9" for c in text):
        return Verdict(VALID, text, text.lower(), rotating=True)
    return REJECTED
