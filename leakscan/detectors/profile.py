"""Subscriber profile: what the network knows of the contract and the connection.

What: roaming, prepaid or postpaid, class of service, user class, plan names, bearer and radio technology.

Why it matters: it sorts people by purse and whereabouts, and it was theirs and the operator's business. Plans and
roaming are medium. The bearer alone names nobody: it is a hint, and evidence that the request came over a mobile
network.

What counts: values of the known form under a known name.

What does not: the same words under other names; empty values and placeholders.

Example: `x-nokia-roaming: 1`

Sources: vendors' manuals and published header lists, named in the catalogue.
"""

from __future__ import annotations

import re

from leakscan.detectors import imsi
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.encodings import encoded
from leakscan.detectors.verdict import IS_PLACEHOLDER, PLAUSIBLE, REJECTED, VALID, Verdict, digits_only, is_placeholder

MAX_TEXT_CHARS = 1024
FLAGS = frozenset(("0", "1", "yes", "no", "true", "false", "y", "n", "home", "roaming", "national", "international"))
_BEARER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/ .+-]{0,31}")
_CHARACTERISTICS = re.compile(r"[0-9A-Fa-f]{4}|prepaid|postpaid|normal|flat ?rate|hot ?billing", re.IGNORECASE)
_TEXT = re.compile(r"[\t -~]+")


def check_flag(value: str, signature: Signature) -> Verdict:
    """Yes or no, or the visited network."""
    text = value.strip()
    if text.lower() in FLAGS or imsi.is_plmn(text):
        return Verdict(VALID, text, text.lower())
    return IS_PLACEHOLDER if is_placeholder(text) else REJECTED


def check_bearer(value: str, signature: Signature) -> Verdict:
    """A bearer, a radio technology or its 3GPP number, a bit rate."""
    text = value.strip()
    if is_placeholder(text) and not digits_only(text):  # 1 is UTRAN
        return IS_PLACEHOLDER
    return Verdict(VALID, text, text.lower()) if _BEARER.fullmatch(text) else REJECTED


def check_characteristics(value: str, signature: Signature) -> Verdict:
    """Charging characteristics, TS 32.298 annex: 0400 is prepaid, 0800 postpaid."""
    text = value.strip()
    if not _CHARACTERISTICS.fullmatch(text):
        return IS_PLACEHOLDER if is_placeholder(text) else REJECTED
    words = {"0400": ("prepaid",), "0800": ("postpaid",)}.get(text, ())
    return Verdict(VALID, text, text.lower(), words)


def check_text(value: str, signature: Signature) -> Verdict:
    """Names of plans, classes, brands. Encoded text is text, too, so a reading that can be undone counts less."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if len(text) > MAX_TEXT_CHARS or not _TEXT.fullmatch(text):
        return REJECTED
    return Verdict(PLAUSIBLE if encoded(text) else VALID, text)
