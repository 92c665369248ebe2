"""Device and advertising ids, and descriptions of devices.

What: Android ID (16 hexadecimal digits), advertising ids of Android (GAID) and iOS (IDFA), iOS UDID (40 hexadecimal
digits), MAC address, BlackBerry PIN; e-mail addresses under names that say so. Apart from them, descriptions: model
names, UAProf addresses, the phone's own User-Agent behind a proxy.

Why it matters: programs send these ids to several companies, in clear, and so tie one person's use of all of them
together. A description fits thousands of devices and identifies nobody: it is a hint at most.

What counts: the exact form under a known name. Sent by a program: low, and reported as client-sent; added by a
network: high.

What does not: the same form under other names; ids that a system gives to everybody: all zeros (advertising id
switched off), 02:00:00:00:00:00, the Android ID of a faulty series.

Example: `android_id=a1b2c3d4e5f60718` (made up)

Sources: Android and iOS documentation; IEEE 802 for the MAC address; OMA UAProf.
"""

from __future__ import annotations

import re

from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import IS_PLACEHOLDER, REJECTED, VALID, Verdict, is_placeholder

MAX_TEXT_CHARS = 512
#: Given by a fault to a whole series of devices.
FAULTY_ANDROID_IDS = frozenset(("9774d56d682e549c", "0123456789abcdef", "dead00beef"))
CONSTANT_MACS = frozenset(("020000000000", "000000000000", "ffffffffffff"))

_ANDROID_ID = re.compile(r"[0-9a-fA-F]{15,16}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_UDID = re.compile(r"[0-9a-f]{40}|[0-9A-F]{8}-[0-9A-F]{16}", re.IGNORECASE)
_PIN = re.compile(r"[0-9a-f]{8}", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}", re.IGNORECASE)
_BARE_MAC = re.compile(r"[0-9a-f]{12}", re.IGNORECASE)
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
_MODEL = re.compile(r"[ -~]+")


def check_android_id(value: str, signature: Signature) -> Verdict:
    """An Android ID: 16 hexadecimal digits, 15 where a leading zero was lost, and not digits only."""
    text = value.strip()
    if is_placeholder(text) or text.lower() in FAULTY_ANDROID_IDS:
        return IS_PLACEHOLDER
    if not _ANDROID_ID.fullmatch(text) or text.isdigit():
        return REJECTED
    return Verdict(VALID, text, text.lower(), ("64 bits",))


def check_uuid(value: str, signature: Signature) -> Verdict:
    """An advertising id: a UUID that is not all zeros."""
    text = value.strip().strip("{}")
    if not _UUID.fullmatch(text):
        return IS_PLACEHOLDER if is_placeholder(text) else REJECTED
    if len(set(text) - {"-"}) == 1:
        return IS_PLACEHOLDER
    return Verdict(VALID, text, text.lower(), ("UUID",))


def check_udid(value: str, signature: Signature) -> Verdict:
    """An iOS UDID, or the UUID that programs call so."""
    text = value.strip()
    if _UDID.fullmatch(text) and len(set(text)) > 2:
        return Verdict(VALID, text, text.lower(), ("UDID",))
    return check_uuid(value, signature)


def check_pin(value: str, signature: Signature) -> Verdict:
    """A BlackBerry PIN: 8 hexadecimal digits."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text, text.lower()) if _PIN.fullmatch(text) else REJECTED


def check_mac(value: str, signature: Signature) -> Verdict:
    """Six octets with separators; twelve hexadecimal digits without are too common to say so."""
    text = value.strip()
    octets = text.replace(":", "").replace("-", "").lower()
    if octets in CONSTANT_MACS:
        return IS_PLACEHOLDER
    bare = signature.added_by == "network" and _BARE_MAC.fullmatch(text)
    if not (bare or _MAC.fullmatch(text)) or int(octets[:2], 16) & 1:  # a group address is no device
        return REJECTED
    local = int(octets[:2], 16) & 2
    return Verdict(VALID, text, octets, ("randomised",) if local else ())


def check_email(value: str, signature: Signature) -> Verdict:
    """An e-mail address, and nothing beside it."""
    text = value.strip()
    return Verdict(VALID, text, text.lower()) if _EMAIL.fullmatch(text) else REJECTED


def check_model(value: str, signature: Signature) -> Verdict:
    """A description: any text."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text) if len(text) <= MAX_TEXT_CHARS and _MODEL.fullmatch(text) else REJECTED
