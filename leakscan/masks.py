"""What may be seen of an identifier's value: enough to recognise the kind, the country and the network, not the person.

Comes in: the kind of identifier and its innermost decoded value. Goes out: the mask, ASCII but for an e-mail's
domain. State: none. The rule behind all: at least `MIN_HIDDEN` digits of a number stay hidden, else its country code
alone is shown; a value that does not look like its kind shows its length and nothing else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from leakscan.plmn import plmn, plmn_candidates
from leakscan.show import redact

MIN_HIDDEN = 6
#: Tokens of at least this many characters show the first four.
MIN_TOKEN = 12

#: The country codes of two digits, ITU-T E.164 annex to the Operational Bulletin; 1 and 7 have one digit, all others
#: three.
TWO_DIGIT_CODES = frozenset(
    f"{zone}{digit}"
    for zone, digits in {
        2: "07",
        3: "0123469",
        4: "013456789",
        5: "12345678",
        6: "0123456",
        8: "1246",
        9: "0123458",
    }.items()
    for digit in digits
)
_MAC = re.compile(r"([0-9A-Fa-f]{2})([:-]?)([0-9A-Fa-f]{2})\2([0-9A-Fa-f]{2})(?:\2[0-9A-Fa-f]{2}){3}")
#: What the functions of `MASKS` make, but for networks and e-mail addresses: digits and stars, a MAC, a cell, the
#: beginning of a token, a length.
_MASK = re.compile(
    r"[0-9]{0,8}\*{6,}|[0-9]{0,3}\*+|[0-9]{0,3}\*{6,}[0-9]{2}"
    r"|[0-9A-Fa-f]{2}([:-]?)[0-9A-Fa-f]{2}\1[0-9A-Fa-f]{2}(?:\1\*\*){3}"
    r"|(?:[0-9]{3}-[0-9]{2,3} |.{4}\.\.\. )?\([0-9]{1,9} characters?\)",
    re.DOTALL,
)
_EMAIL = re.compile(r"[^@]{1,256}@([A-Za-z0-9.-]{1,255})")
_HEX = re.compile(r"[0-9A-Fa-f]+")
_CELL = re.compile(r"([0-9]{3})([^0-9A-Za-z]?)([0-9]{2,3})")
#: Hex digits of a user location with its type octet -> TS 29.061 section 16.4.7.2.
_LOCATION_TYPES = {
    "00": 16,
    "01": 16,
    "02": 16,
    "80": 12,
    "81": 16,
    "82": 26,
    "83": 14,
    "84": 24,
    "85": 14,
    "86": 24,
    "87": 18,
    "88": 14,
    "89": 30,
}


def mask(identifier: str, value: str, normal: str = "") -> str:
    """What is shown of `value`, a value of the kind `identifier`.

    `normal` is its normal form, if known: it tells a national number, which has no country code to show.
    """
    if identifier == "msisdn" and _digits(value) and normal != value and normal.endswith(value):
        return _hide(value, "", value[-2:], "")
    return MASKS.get(identifier, _other)(value)


def remask(identifier: str, value: str) -> str:
    """What is shown of a value that may be masked already: nothing that `mask` would have hidden."""
    return value if _is_mask(value) else mask(identifier, value)


def _is_mask(value: str) -> bool:
    if _MASK.fullmatch(value):
        return True
    if value.startswith("***@"):
        found = _EMAIL.fullmatch(value)
        return found is not None and redact(found[1]) == found[1]
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return False
    return network.prefixlen == (16 if network.version == 4 else 32)


def country_code(digits: str) -> str:
    """The country code an international number begins with, ITU-T E.164; "" when it begins with 0."""
    if digits[:1] in ("1", "7"):
        return digits[:1]
    if digits[:1] == "0":
        return ""
    return digits[:2] if digits[:2] in TWO_DIGIT_CODES else digits[:3]


def _digits(value: str) -> bool:
    return value.isascii() and value.isdigit()


def _length(value: str) -> str:
    return f"({len(value)} character{'' if len(value) == 1 else 's'})"


def _hide(value: str, head: str, tail: str, least: str) -> str:
    """`head****tail`, or `least****` when that would hide fewer than `MIN_HIDDEN`, or stars alone."""
    if len(value) - len(head) - len(tail) >= MIN_HIDDEN:
        return head + "*" * (len(value) - len(head) - len(tail)) + tail
    return least + "*" * (len(value) - len(least)) if len(value) > len(least) else "*" * len(value)


def _msisdn(value: str) -> str:
    if not _digits(value):
        return _length(value)  # a hash or a cipher: four characters of it would narrow the search by 65,536
    code = country_code(value)
    return _hide(value, code, value[-2:], code)


def _imsi(value: str) -> str:
    """MCC and MNC, TS 23.003 section 2.2; the shorter MNC where both lengths are assigned."""
    if not _digits(value):
        return _length(value)
    candidates = plmn_candidates(value)
    mnc = min((len(found.mnc) for found in candidates), default=2)
    return _hide(value, value[: 3 + mnc], "", value[:3])


def _imei(value: str) -> str:
    """The TAC, TS 23.003 section 6.2."""
    return _hide(value, value[:8], "", "") if _digits(value) else _length(value)


def _iccid(value: str) -> str:
    """89 and the country, ITU-T E.118; North American issuers write their country as 01."""
    digits = value[:-1] if value[-1:] in ("F", "f") else value
    if not (_digits(digits) and digits.startswith("89")):
        return _length(value)
    head = digits[:4] if digits[2:4] == "01" else "89" + country_code(digits[2:])
    return _hide(value, head, "", "89")


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return _length(value)
    return str(ipaddress.ip_network((address, 16 if address.version == 4 else 32), strict=False))


def _email(value: str) -> str:
    found = _EMAIL.fullmatch(value)
    return f"***@{redact(found[1])}" if found else _length(value)


def _mac(value: str) -> str:
    found = _MAC.fullmatch(value)
    return found[2].join((found[1], found[3], found[4], "**", "**", "**")) if found else _length(value)


def _cell(value: str) -> str:
    """MCC and MNC, of a user location in hex or of what is written in digits: `234-10-...`, `23410...`."""
    if _HEX.fullmatch(value) and _LOCATION_TYPES.get(value[:2].lower()) == len(value):
        swapped = (value[3] + value[2] + value[5] + value[7] + value[6] + value[4]).lower()
        code = swapped.removesuffix("f")
        if plmn(code[:3], code[3:]):
            return f"{code[:3]}-{code[3:]} {_length(value)}"
    found = _CELL.match(value)
    if found is None or len(value) - found.end() < MIN_HIDDEN:
        return _length(value)
    mcc, between, mnc = found.groups()
    if not between:
        candidates = plmn_candidates(mcc + mnc)
        if not candidates:
            return _length(value)
        mnc = mnc[: min(len(row.mnc) for row in candidates)]
    return f"{mcc}-{mnc} {_length(value)}"


def _token(value: str) -> str:
    found = _MAC.fullmatch(value)
    if found and found[2]:  # twelve hex digits in a row may be anything
        return _mac(value)
    return f"{value[:4]}... {_length(value)}" if len(value) >= MIN_TOKEN else _length(value)


def _other(value: str) -> str:
    """Everything else: a node or a profile that is an address shows its network, the rest its length."""
    return _address(value)


#: Kind of identifier -> its mask; a kind that is not here shows its length.
MASKS: Mapping[str, Callable[[str], str]] = {
    "msisdn": _msisdn,
    "imsi": _imsi,
    "imei": _imei,
    "iccid": _iccid,
    "meid_esn": _token,
    "private_ip": _address,
    "email": _email,
    "mac": _mac,
    "cell_location": _cell,
    "subscriber_token": _token,
    "device_id": _token,
    "advertising_id": _token,
}
