"""Cell location: where the subscriber is.

What: the cell or area that serves the subscriber: 3GPP-User-Location-Info as a gateway copies it from RADIUS (a type
octet, then PLMN, area and cell in hexadecimal; 3GPP TS 29.061 section 16.4.7.2) or from GTP (a mask of the parts
first), P-Access-Network-Info of IMS (RFC 7315), the coordinates that a WAP gateway adds, the serving network's MCC and
MNC, or an operator's own zone number.

Why it matters: a cell is a few streets; every request becomes a trace of movement. The serving network alone tells in
which country somebody is and that they roam.

What counts: the exact structure under a known name. A cell or a coordinate is critical; an area, a zone or a network
is medium.

What does not: country codes that a site's own content network adds (CF-IPCountry and the like); coordinates under other
names, which programs send of themselves.

Example: `P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=00101A1B20123456`

Sources: 3GPP TS 29.061, TS 29.274, TS 24.229; RFC 7315.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from leakscan.detectors import imsi
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import (
    IS_PLACEHOLDER,
    PLAUSIBLE,
    REJECTED,
    VALID,
    Verdict,
    digits_only,
    is_placeholder,
)
from leakscan.plmn import plmn_of

_HEX = re.compile(r"[0-9a-fA-F]+")
_SPACES = re.compile(r"[\s:-]+")
_ACCESS = re.compile(r"(3GPP2?-[A-Z0-9-]+)", re.IGNORECASE)
_CELL = re.compile(
    r"(utran-cell-id-3gpp|cgi-3gpp|utran-sai-3gpp|ci-3gpp2)\s*=\s*\"?([0-9A-Za-z]{8,32})\"?", re.IGNORECASE
)
_PLMN = re.compile(r"(\d{3})[-/. ]?(\d{2,3})", re.ASCII)
_MCC = re.compile(r"[2-79]\d\d|001", re.ASCII)
_ZONE = re.compile(r"[0-9A-Za-z_.-]{1,32}")
#: Degrees with three or more decimals, or degrees, minutes and seconds, with a hemisphere or a sign.
_COORDINATE = re.compile(
    r"[NSEW+-]?\s?\d{1,3}(?:\.\d{3,12}|[\s\u00b0:]{1,2}\d{1,2}[\s':]{1,2}\d{1,2}(?:\.\d{1,6})?[\s\"]?)\s?[NSEW]?",
    re.ASCII | re.I,
)
_STAMP = re.compile(r"20\d{12}|1\d{9}(?:\d{3})?|20\d\d-\d\d-\d\d[T ][0-9:.]+Z?", re.ASCII)


def check_uli(value: str, signature: Signature) -> Verdict:
    """User location in hexadecimal: a type octet (RADIUS) or a mask of the parts (GTPv2), then PLMN, area and cell."""
    text = _SPACES.sub("", value).removeprefix("0x")
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if len(text) % 2 or not _HEX.fullmatch(text):
        return REJECTED
    first, code = int(text[:2], 16), plmn_of_octets(text[2:8])
    word, length, cell = ULI_TYPES.get(first, ("", -1, False))
    if length and len(text) != 2 * length:
        parts = [part for bit, part in ULI_PARTS.items() if first & bit]
        word, cell = " and ".join(part for part, _, _ in parts), any(cell for _, _, cell in parts)
        length = 1 + sum(octets for _, octets, _ in parts)
    if not code or not word or (length and len(text) != 2 * length):
        return REJECTED
    grade = VALID if plmn_of(code) else PLAUSIBLE
    return Verdict(grade, text, text.lower(), (word,), severity="critical" if cell else "medium", carriers=(code,))


def check_access_network(value: str, signature: Signature) -> Verdict:
    """P-Access-Network-Info: access type and cell: MCC, MNC, area, cell."""
    text = value.strip()
    access, found = _ACCESS.search(text), _CELL.search(text)
    if access is None or found is None:
        return REJECTED
    cell = found[2]
    networks = imsi.plmns(cell)
    return Verdict(VALID if networks else PLAUSIBLE, cell, cell.lower(), (access[1],), carriers=networks)


def check_plmn(value: str, signature: Signature) -> Verdict:
    """MCC and MNC of the serving network."""
    found = _PLMN.fullmatch(value.strip())
    if found is None:
        return IS_PLACEHOLDER if is_placeholder(value.strip()) else REJECTED
    code = f"{found[1]}-{found[2]}"
    if not plmn_of(code):
        return REJECTED
    return Verdict(VALID, found[1] + found[2], evidence=("serving network",), carriers=(code,))


def check_mcc(value: str, signature: Signature) -> Verdict:
    """A mobile country code: its first digit is 2 to 7 or 9, or it is the test code."""
    text = value.strip()
    return Verdict(VALID, text) if _MCC.fullmatch(text) else REJECTED


def check_mnc(value: str, signature: Signature) -> Verdict:
    """A mobile network code: up to three digits."""
    text = value.strip()
    return Verdict(VALID, text) if digits_only(text) and len(text) <= 3 else REJECTED


def check_zone(value: str, signature: Signature) -> Verdict:
    """An operator's own name for a place."""
    text = value.strip()
    return Verdict(VALID, text) if _ZONE.fullmatch(text) and any("0" <= c <= "9" for c in text) else REJECTED


def check_coordinate(value: str, signature: Signature) -> Verdict:
    """One of the two coordinates of a place."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    found = _COORDINATE.fullmatch(text)
    return Verdict(VALID, text) if found and text.strip("+-0.") else REJECTED


def check_stamp(value: str, signature: Signature) -> Verdict:
    """When the place was taken."""
    text = value.strip()
    return Verdict(VALID, text) if _STAMP.fullmatch(text) else REJECTED


def check_country(value: str, signature: Signature) -> Verdict:
    """A country by its two letters, ISO 3166."""
    text = value.strip()
    return Verdict(VALID, text.upper()) if len(text) == 2 and text.isascii() and text.isalpha() else REJECTED


def plmn_of_octets(text: str) -> str:
    """Three swapped octets, `MCC2 MCC1, MNC3 MCC3, MNC2 MNC1`, as MCC-MNC; "" when they are none."""
    mcc, mnc = text[1::-1] + text[3:4], text[5:3:-1] + text[2:3].strip("fF")
    return f"{mcc}-{mnc}" if len(text) == 6 and digits_only(mcc + mnc) else ""


#: Bit of the mask -> (word, octets, names a cell), in the order in which the parts stand. TS 29.274 section 8.21.
ULI_PARTS: Mapping[int, tuple[str, int, bool]] = {
    1: ("CGI", 7, True),
    2: ("SAI", 7, True),
    4: ("RAI", 7, False),
    8: ("TAI", 5, False),
    16: ("ECGI", 7, True),
    32: ("LAI", 5, False),
    64: ("eNodeB", 6, True),
    128: ("extended eNodeB", 6, True),
}
#: Type octet -> (word, octets with the type or 0 when it varies, names a cell). TS 29.061 section 16.4.7.2.
ULI_TYPES: Mapping[int, tuple[str, int, bool]] = {
    0: ("CGI", 8, True),
    1: ("SAI", 8, True),
    2: ("RAI", 8, False),
    128: ("TAI", 6, False),
    129: ("ECGI", 8, True),
    130: ("TAI and ECGI", 13, True),
    131: ("eNodeB", 7, True),
    132: ("TAI and eNodeB", 12, True),
    133: ("extended eNodeB", 7, True),
    134: ("TAI and extended eNodeB", 12, True),
    135: ("NCGI", 9, True),
    136: ("5GS TAI", 7, False),
    137: ("5GS TAI and NCGI", 15, True),
    138: ("NG-RAN node", 0, True),
    139: ("5GS TAI and NG-RAN node", 0, True),
}
