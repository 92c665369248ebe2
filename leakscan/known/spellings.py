"""One known value -> the ways it is written, plainly and under a hash.

Comes in: a kind of identifier, a value of it and its normal form. Goes out: `Spellings`: the texts that stand for the
value where it is sent as it is, and the texts that programs hash. `SPELLERS` is the table of kinds. No state.

A phone number is written with and without `+`, with `00`, in national form, with spaces; an IMEI with and without its
check digit and with a software version behind it; an ICCID with and without check digit; hexadecimal digits in either
case. Digits are also sent backwards and swapped in pairs (TBCD, 3GPP TS 29.002 section 17.7.8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from leakscan.detectors.encodings import INTERNATIONAL
from leakscan.detectors.imei import luhn
from leakscan.detectors.meid import check_digit

IMEISV_DIGITS = 16


class Spelling(NamedTuple):
    """One way to write a value."""

    text: str
    words: str = ""  # how, for the reader of a finding; "" as usual
    chain: tuple[str, ...] = ()  # encodings already in it
    more: int = 0  # so many digits may follow: a check digit, the software version of an IMEISV


class Spellings(NamedTuple):
    plain: list[Spelling]  # without separators between digits; case makes no difference but for tokens
    hashed: list[Spelling]  # what is fed to a hash, byte for byte


def spellings(kind: str, value: str, normal: str) -> Spellings:
    """`value` without space around it; `normal`: the form that makes all spellings one."""
    plain, hashed = SPELLERS[kind](value, normal)
    whole = [spelling for spelling in plain if not spelling.more]
    turned = [spelling._replace(text=spelling.text[::-1], chain=("reversed",)) for spelling in whole]
    swapped = [
        spelling._replace(text=text, chain=("tbcd",))
        for spelling in whole
        if spelling.text.isdigit()
        for text in _tbcd(spelling.text)
    ]
    return Spellings(_distinct([*plain, *turned, *swapped]), _distinct(hashed))


def shown(kind: str, value: str, normal: str) -> str:
    """The value as a leak gives it: an IMEI with the check digit, a number without separators."""
    if kind == "imei":
        return normal + _check(normal)
    return normal if kind == "msisdn" else value


def _tbcd(digits: str) -> Iterator[str]:
    """Swapped in pairs, with the filler as a hex digit; also behind the octet that says "international"."""
    filled = digits + "f" * (len(digits) % 2)
    text = "".join(filled[at + 1] + filled[at] for at in range(0, len(filled), 2))
    yield text
    yield INTERNATIONAL + text


def _distinct(found: list[Spelling]) -> list[Spelling]:
    """The first of those that are the same text."""
    first: dict[str, Spelling] = {}
    for spelling in found:
        first.setdefault(spelling.text, spelling)
    return list(first.values())


Both = tuple[list[Spelling], list[Spelling]]


def _msisdn(value: str, normal: str) -> Both:
    import phonenumbers  # late: 15 ms

    plain = [Spelling(normal), Spelling("00" + normal, "with 00")]
    hashed = [*plain, Spelling("+" + normal, "with +"), Spelling("tel:+" + normal, "as tel: URI")]
    try:
        number = phonenumbers.parse("+" + normal)
    except phonenumbers.NumberParseException:
        return plain, hashed
    forms = phonenumbers.PhoneNumberFormat
    national = phonenumbers.format_number(number, forms.NATIONAL)
    international = phonenumbers.format_number(number, forms.INTERNATIONAL)
    significant = phonenumbers.national_significant_number(number)
    dialled = "".join(char for char in national if char.isdigit())
    short = [Spelling(digits, "in national form") for digits in dict.fromkeys((dialled, significant))]
    if dialled == "0" + significant:
        plain.append(Spelling(f"{number.country_code}{dialled}", "with (0)"))  # +44 (0)7700 900123
    separated = (national, international, international.lstrip("+"), international.replace(" ", "-"))
    return [*plain, *short], [*hashed, *short, *(Spelling(text, "with separators") for text in separated)]


def _imsi(value: str, normal: str) -> Both:
    """Before a realm the digit that says how the access was authenticated (TS 23.003 clauses 14.3 and 19.3)."""
    exact = [Spelling(normal)]
    return [*exact, *(Spelling(digit + normal, "as in a NAI") for digit in "016")], exact


def _imei(value: str, normal: str) -> Both:
    """`normal` has no check digit. Nobody knows the version in an IMEISV, so that is found by its first 14 digits."""
    checked = normal + _check(normal)
    exact = [Spelling(checked), Spelling(normal, "without check digit"), Spelling(normal + "0", "with a spare 0")]
    if len(value) == IMEISV_DIGITS:
        exact.append(Spelling(value, "as IMEISV"))
    grouped = f"{checked[:2]}-{checked[2:8]}-{checked[8:14]}-{checked[14]}"
    begun = Spelling(normal, "without check digit", more=2)
    return [exact[0], begun, *exact[2:]], [*exact, Spelling(grouped, "with separators")]


def _iccid(value: str, normal: str) -> Both:
    """`normal` lacks the check digit, if the value has one."""
    if normal != value:
        exact = [Spelling(value), Spelling(normal, "without check digit")]
    else:
        exact = [Spelling(value), Spelling(value + _check(value), "with check digit")]
    return exact, exact


def _check(digits: str) -> str:
    return next(digit for digit in "0123456789" if luhn(digits + digit))


def _meid_esn(value: str, normal: str) -> Both:
    """MEID of 14 hex digits, ESN of 8; their decimal forms are 10 and 8 digits, and 3 and 8."""
    cut, width = (8, 10) if len(normal) == 14 else (2, 3)
    decimal = f"{int(normal[:cut], 16):0{width}d}{int(normal[cut:], 16):08d}"
    exact = [Spelling(normal), Spelling(decimal, "in decimal form")]
    if len(normal) == 14:
        exact.append(Spelling(normal + check_digit(normal), "with check digit"))
    return exact, _either_case(exact)


def _mac(value: str, normal: str) -> Both:
    """Separators between octets are taken out before anything is compared."""
    octets = [normal[at : at + 2] for at in range(0, 12, 2)]
    dotted = ".".join(normal[at : at + 4] for at in range(0, 12, 4))
    bare = Spelling(normal, "without separators")
    return [bare], _either_case([*map(Spelling, (":".join(octets), "-".join(octets), dotted)), bare])


def _cased(value: str, normal: str) -> Both:
    """E-mail addresses, and ids in which case makes no difference."""
    exact = [Spelling(value)]
    if "-" in value and "@" not in value:
        exact.append(Spelling(value.replace("-", ""), "without separators"))
    return exact, _either_case(exact)


def _token(value: str, normal: str) -> Both:
    exact = [Spelling(value)]
    return exact, exact


def _either_case(exact: list[Spelling]) -> list[Spelling]:
    small = [spelling._replace(text=spelling.text.lower()) for spelling in exact]
    return [*exact, *small, *(spelling._replace(text=spelling.text.upper()) for spelling in exact)]


#: Kind -> its spellings, plain and for hashes, given value and normal form.
SPELLERS: Mapping[str, Callable[[str, str], Both]] = {
    "msisdn": _msisdn,
    "imsi": _imsi,
    "imei": _imei,
    "iccid": _iccid,
    "meid_esn": _meid_esn,
    "mac": _mac,
    "email": _cased,
    "device_id": _cased,
    "advertising_id": _cased,
    "subscriber_token": _token,
}
