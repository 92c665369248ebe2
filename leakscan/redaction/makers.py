"""Other identifiers of the same kind and form: normal form -> fakes, one after the other, nobody's first.

In: a normal form, and the randomness that belongs to it. Out: fakes. State: none.

Kept is what does not tell the person: country code, MCC and MNC, the kind of a token and the network it names, a
private address's range. Ranges that are nobody's: numbers kept for drama and numbers that no plan assigns, test
devices, documentation addresses, `.example`.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping

from leakscan.masks import country_code
from leakscan.plmn import plmn_candidates

MAX_TRIES = 2000  # counters tried for one fake
ASSIGNED_TRIES = 300  # of these, so many ask for a number that no plan assigns
KEEP_FIRST_TRIES = 150  # and so many of those keep the first digit behind the country code

#: Country code -> length and beginnings of numbers that are nobody's, kept for drama: Ofcom, NANPA, Arcep.
RESERVED: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "44": (12, ("447700900",)),
    "1": (11, tuple(f"1{area}55501" for area in range(201, 1000) if area % 100 != 11)),
    "33": (11, ("3363998",)),
}
_UIDH_HEAD = re.compile(rb"\d{9}\0")
#: The part of a token that tells the person: group 1 of the first that fits.
_SECRETS = (
    re.compile(r"([A-Za-z0-9+/=_-]{8,});(?:[a-z]+=[^;]*;)*ncc=\d{5,6}(?:;.*)?", re.IGNORECASE),
    re.compile(r"\d{6}(?:STAT|DYNM)(?:RSV)?(?:\d{4}-\d\d-\d\dT[0-9:.]{5,12}Z)?([A-Za-z0-9+/=_-]{16,})"),
    re.compile(r"([^@\s]+)@[A-Za-z0-9.-]+"),
    re.compile(r"(.*)_[a-z0-9-]+(?:\.[a-z0-9-]+)+"),
)


#: Counter -> 32 bytes of randomness that belong to one identity.
Stream = Callable[[int], bytes]


class Dice:
    """Choices from one counter of a stream."""

    def __init__(self, stream: Stream, counter: int) -> None:
        self._stream = stream
        self._counter = counter << 32
        self._pool = b""

    def below(self, limit: int) -> int:
        """A number from 0 to below `limit`, which is far below 2**64."""
        if len(self._pool) < 8:
            self._pool += self._stream(self._counter)
            self._counter += 1
        chosen, self._pool = int.from_bytes(self._pool[:8]) % limit, self._pool[8:]
        return chosen

    def digits(self, count: int) -> str:
        return "".join(str(self.below(10)) for _ in range(count))


def _tries(stream: Stream) -> Iterator[Dice]:
    return (Dice(stream, counter) for counter in range(MAX_TRIES))


def plain(normal: str, stream: Stream) -> Iterator[str]:
    """Letters for letters, digits for digits, hexadecimal where it was."""
    for dice in _tries(stream):
        yield scrambled(normal, dice)


def scrambled(text: str, dice: Dice) -> str:
    """Another text of the same length: every character another of its class; what is neither letter nor digit stays."""
    letters = "abcdef" if _is_hex(text) else "abcdefghijklmnopqrstuvwxyz"
    out = []
    for place, char in enumerate(text):
        if "0" <= char <= "9":
            lead = place == 0 and char != "0" and len(text) > 1
            out.append(str(1 + dice.below(9) if lead else dice.below(10)))
        elif "a" <= char <= "z":
            out.append(letters[dice.below(len(letters))])
        elif "A" <= char <= "Z":
            out.append(letters[dice.below(len(letters))].upper())
        else:
            out.append(char if ord(char) < 128 else "x")
    return "".join(out)


def _is_hex(text: str) -> bool:
    letters = [char for char in text.lower() if char.isalpha()]
    return len(text) >= 8 and bool(letters) and all(char in "abcdef" for char in letters)


def _msisdn(normal: str, stream: Stream) -> Iterator[str]:
    if not only_digits(normal):
        yield from plain(normal, stream)
        return
    code = country_code(normal)
    length, beginnings = RESERVED.get(code, (0, ()))
    if length == len(normal):
        first = Dice(stream, 0)
        turn = first.below(len(beginnings))
        for beginning in beginnings[turn:] + beginnings[:turn]:
            room = length - len(beginning)
            start = first.below(10**room)
            yield from (f"{beginning}{(start + step) % 10**room:0{room}d}" for step in range(10**room))
    for counter, dice in enumerate(_tries(stream)):
        kept = len(code) + (counter < KEEP_FIRST_TRIES)
        fake = normal[:kept] + dice.digits(len(normal) - kept)
        if counter >= ASSIGNED_TRIES or _is_nobody_s(fake, normal):
            yield fake


def _is_nobody_s(fake: str, normal: str) -> bool:
    """Whether the number fits its country's plan if the original does, and lies in a range that is not assigned."""
    import phonenumbers  # late: 15 ms

    try:
        parsed, original = (phonenumbers.parse("+" + digits) for digits in (fake, normal))
    except phonenumbers.NumberParseException:
        return True
    possible = phonenumbers.is_possible_number_with_reason
    return not phonenumbers.is_valid_number(parsed) and possible(parsed) == possible(original)


def _imsi(normal: str, stream: Stream) -> Iterator[str]:
    """MCC and MNC stay; the longer MNC where both lengths are assigned."""
    if not only_digits(normal):
        yield from plain(normal, stream)
        return
    networks = plmn_candidates(normal)
    kept = len(networks[0].mcc + networks[0].mnc) if networks else 3
    for dice in _tries(stream):
        yield normal[:kept] + dice.digits(len(normal) - kept)


def _imei(normal: str, stream: Stream) -> Iterator[str]:
    """A test device: reporting body 00 (GSMA TS.06)."""
    if not only_digits(normal):
        yield from plain(normal, stream)
        return
    for dice in _tries(stream):
        yield "00" + dice.digits(len(normal) - 2)


def _iccid(normal: str, stream: Stream) -> Iterator[str]:
    """89 and the country stay; an EID's last two digits are its check digits, GSMA SGP.29."""
    for dice in _tries(stream):
        if not only_digits(normal):
            yield normal[:4] + scrambled(normal[4:], dice)
        elif len(normal) == 32:
            head = normal[:8] + dice.digits(22)
            yield f"{head}{98 - int(head + '00') % 97:02d}"
        else:
            head = normal[:4] if normal[2:4] == "01" else "89" + country_code(normal[2:])
            yield head + dice.digits(len(normal) - len(head))


def _meid_esn(normal: str, stream: Stream) -> Iterator[str]:
    """The first octet, the manufacturer's region, stays."""
    for dice in _tries(stream):
        yield normal[:2] + scrambled(normal[2:], dice)


def _token(normal: str, stream: Stream) -> Iterator[str]:
    """The part that tells the person; what names the network or the kind of token stays."""
    uidh = uidh_of(normal)
    if uidh is not None:
        for dice in _tries(stream):
            data = dice.digits(9).encode() + uidh[9:10] + bytes(dice.below(256) for _ in uidh[10:])
            yield _as_special(base64.b64encode(data).decode(), normal)
        return
    found = next((found for secret in _SECRETS if (found := secret.fullmatch(normal))), None)
    start, end = found.span(1) if found else (0, len(normal))
    for dice in _tries(stream):
        yield normal[:start] + scrambled(normal[start:end], dice) + normal[end:]


def _as_special(fake: str, normal: str) -> str:
    """Base64 with `+`, `/` and `=` where they are in `normal` alone: in a URL it becomes as long."""
    return "".join(
        old if old in "+/=" else new if new.isalnum() else "A" for new, old in zip(fake, normal, strict=True)
    )


def uidh_of(normal: str) -> bytes | None:
    try:
        data = base64.b64decode(normal, validate=True)
    except ValueError:
        return None
    return data if _UIDH_HEAD.match(data) else None


def _email(normal: str, stream: Stream) -> Iterator[str]:
    user, _, domain = normal.rpartition("@")
    for dice in _tries(stream):
        if len(domain) >= len("a.example"):
            yield scrambled(user, dice) + "@" + scrambled("a" * (len(domain) - 8), dice) + ".example"
        else:
            name, dot, top = domain.rpartition(".")
            yield scrambled(user, dice) + "@" + scrambled(name, dice) + dot + top


def _mac(normal: str, stream: Stream) -> Iterator[str]:
    """Locally administered, and no group: no maker gave it to a device (IEEE 802)."""
    for dice in _tries(stream):
        yield "02"[: 2 * (len(normal) > 1)] + "".join("0123456789abcdef"[dice.below(16)] for _ in normal[2:])


def _uuid(normal: str, stream: Stream) -> Iterator[str]:
    """The digit that tells the version stays."""
    for dice in _tries(stream):
        fake = scrambled(normal, dice)
        yield fake[:14] + normal[14:15] + fake[15:] if normal[8:9] == "-" else fake


def _cell(normal: str, stream: Stream) -> Iterator[str]:
    """The network stays: of a user location the type octet and the PLMN, of digits MCC and MNC. A network by itself
    becomes the test network."""
    if only_digits(normal) and len(normal) in (2, 3, 5, 6):
        yield {2: "01", 3: "001", 5: "00101", 6: "001001"}[len(normal)]
    kept = 5 if only_digits(normal[:5]) and len(normal) >= 10 else 0
    if len(normal) in (12, 14, 16, 18, 24, 26, 30) and normal[:1] in "08":
        kept = 8
    for dice in _tries(stream):
        yield normal[:kept] + scrambled(normal[kept:], dice)


def _address(normal: str, stream: Stream) -> Iterator[str]:
    """In the same private range, every part as long as it was."""
    try:
        address = ipaddress.ip_address(normal)
    except ValueError:
        yield from plain(normal, stream)
        return
    kept = 0
    if address.version == 4:
        kept = (
            1
            if address in ipaddress.IPv4Network("10.0.0.0/8")
            else 2
            if address.is_private or _is_shared(address)
            else 0
        )
    for dice in _tries(stream):
        yield fake_address(normal, dice, kept)


def _is_shared(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address in ipaddress.IPv4Network("100.64.0.0/10")


def fake_address(text: str, dice: Dice, kept: int) -> str:
    """Another address of which every part is as long; the first `kept` parts stay."""
    if ":" in text:
        head, colon, rest = text.partition(":")
        return (
            head
            + colon
            + "".join(c if c in ":." else "0123456789abcdef"[(1 if c != "0" else 0) + dice.below(15)] for c in rest)
        )
    parts = text.split(".")
    ranges = {1: (0, 10), 2: (10, 90), 3: (100, 156)}
    for place in range(kept, len(parts)):
        low, size = ranges.get(len(parts[place]), (0, 10))
        parts[place] = str(low + dice.below(size))
    return ".".join(parts)


def _charging(normal: str, stream: Stream) -> Iterator[str]:
    """32 bits at most."""
    for fake in plain(normal, stream):
        if not (only_digits(fake) and len(fake) == 10) or int(fake) < 1 << 32:
            yield fake


def only_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


MAKERS: Mapping[str, Callable[[str, Stream], Iterator[str]]] = {
    "msisdn": _msisdn,
    "imsi": _imsi,
    "imei": _imei,
    "iccid": _iccid,
    "meid_esn": _meid_esn,
    "subscriber_token": _token,
    "email": _email,
    "mac": _mac,
    "advertising_id": _uuid,
    "device_id": _uuid,
    "cell_location": _cell,
    "private_ip": _address,
    "charging": _charging,
}


def scrambled_like(text: str, seed: str) -> str:
    """`text` scrambled by what `seed` is: for a text that holds a value nobody can point at."""
    return scrambled(text, Dice(lambda counter: hashlib.sha256(f"{seed}\0{counter}".encode()).digest(), 0))
