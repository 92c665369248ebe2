"""What stands in an identifier's place: another of the same kind, form and length, that is nobody's where there is
such a range.

In: matches. Out: fakes, the same for the same identifier however it is spelled. Two identifiers never get the same
fake, and none gets one that is another's original. Digits come from HMAC-SHA-256 over kind, normal form and a counter,
so that nobody gets from a fake to the original without the key. State: the fakes given so far.

Kept is what does not tell the person: country code, MCC and MNC, the kind of a token and the network it names, a
private address's range. Ranges that are nobody's: numbers kept for drama and numbers that no plan assigns, test
devices, documentation addresses, `.example`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from leakscan.detectors.imei import luhn
from leakscan.detectors.meid import check_digit
from leakscan.masks import country_code
from leakscan.model import Match
from leakscan.plmn import plmn_candidates
from leakscan.tally import PERSONAL

MAX_TRIES = 2000  # counters tried for one fake
MAX_OFFERED = 20  # fakes of one identity that are tried in its places
MIN_SOUGHT = 7  # a shorter original is sought only where it was found
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


#: Kinds of which two must not get the same fake; of the others (a network, a model) many people have the same.
UNIQUE = PERSONAL | {"private_ip"}


class Identity(NamedTuple):
    """One identifier, however it is spelled."""

    kind: str
    normal: str


class Fakes:
    """Fakes for one capture. `originals` are all identities in it; `key` is at least 16 bytes."""

    def __init__(self, key: bytes, originals: set[Identity]) -> None:
        self._key = key
        self._given: dict[Identity, str] = {}
        self._taken: set[tuple[str, str]] = {(one.kind, tail) for one in originals for tail in _tails(one)}
        self._sought = {one.normal for one in originals if one.kind != "private_ip" and len(one.normal) >= MIN_SOUGHT}
        self._lengths = sorted({len(normal) for normal in self._sought})

    def give(self, identity: Identity, fake: str) -> None:
        """An identity whose fake is decided elsewhere."""
        self._given[identity] = fake
        self._taken.add((identity.kind, fake))

    def of(self, identity: Identity, fits: Callable[[str], float] = lambda fake: 1.0) -> str:
        """The fake of an identity, as long as its normal form. `fits` is asked when it is made, how well one that would
        do fits, from 0 to 1: the first that fits wholly is taken, or the one of MAX_OFFERED that fits best."""
        fake = self._given.get(identity)
        if fake is None:
            fake = self._given[identity] = self._make(identity, fits)
            if identity.kind in UNIQUE:
                self._taken |= {(identity.kind, tail) for tail in _tails(Identity(identity.kind, fake))}
        return fake

    def _make(self, identity: Identity, fits: Callable[[str], float]) -> str:
        best, best_fit = "", -1.0
        offered = 0
        for fake in MAKERS.get(identity.kind, _plain)(identity.normal, self._stream(identity)):
            tails = _tails(Identity(identity.kind, fake))
            if any((identity.kind, tail) in self._taken for tail in tails) or self._holds_original(fake):
                continue
            fit = fits(fake)
            if fit > best_fit:
                best, best_fit = fake, fit
            offered += 1
            if fit >= 1 or offered == MAX_OFFERED:
                break
        return best or "x" * len(identity.normal)

    def _holds_original(self, fake: str) -> bool:
        """Whether an original stands within: half a number, of a head that was torn, is the beginning of many."""
        return any(
            fake[at : at + length] in self._sought for length in self._lengths for at in range(len(fake) - length + 1)
        )

    def _stream(self, identity: Identity) -> Stream:
        def digest(counter: int) -> bytes:
            message = f"{identity.kind}\0{identity.normal}\0{counter}".encode("utf-8", "surrogatepass")
            return hmac.digest(self._key, message, "sha256")

        return digest


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


def spelled(match: Match, normal: str, fake: str) -> str:
    """The fake in the spelling of the match's value, as long as that. `normal` is what `fake` stands for."""
    value = match.value
    if match.identifier == "imei":
        return _with_check(value, fake, luhn_digit)
    if match.identifier == "iccid" and len(value) == len(normal) + 1:
        return _with_check(value, fake, luhn_digit)
    if match.identifier == "meid_esn":
        return _meid(value, normal, fake)
    if value == normal:
        return fake
    if len(value) == len(normal):
        return _cased(value, fake)
    if normal.endswith(value):
        return fake[-len(value) :]
    if match.identifier == "subscriber_token" and (token := _token_with(value, normal, fake)):
        return token
    extra = len(value) - len(normal)
    for at in range(len(normal) + 1) if extra > 0 else ():
        if value[:at] + value[at + extra :] == normal:
            return fake[:at] + value[at : at + extra] + fake[at:]
    return ""


def _token_with(value: str, normal: str, fake: str) -> str:
    """A token of which the normal form is a part: the head of an X-UIDH, an ACR with its network's codes before it."""
    uidh = _uidh(value)
    if uidh is not None and uidh[:9].decode() == normal and len(fake) == 9:
        dice = Dice(lambda counter: hashlib.sha256(f"{fake}\0{counter}".encode()).digest(), 0)
        return base64.b64encode(fake.encode() + uidh[9:10] + bytes(dice.below(256) for _ in uidh[10:])).decode()
    for kept in (0, 6):
        if len(normal) > kept + 8 and normal[kept:] in value:
            return value.replace(normal[kept:], fake[kept:])
    return ""


def luhn_digit(digits: str) -> int:
    """What behind `digits` makes them right."""
    return next(last for last in range(10) if luhn(digits + str(last)))


def _with_check(value: str, fake: str, check: Callable[[str], int]) -> str:
    """`fake` with what follows it in `value`: a check digit that is right, or off by as much, as it was; a version
    stays."""
    body, rest = value[: len(fake)], value[len(fake) :]
    if len(rest) != 1 or not rest.isdigit():
        return fake + rest
    off = (int(rest) - check(body)) % 10
    if rest == "0" and off:  # the spare digit of IMEIs in the network
        return fake + rest
    return fake + str((check(fake) + off) % 10)


def _cased(value: str, fake: str) -> str:
    """`fake` with the letters' cases of `value`."""
    return "".join(cased(new, old, value) for new, old in zip(fake, value, strict=True))


def cased(new: str, old: str, text: str) -> str:
    """A character in the case of the one that it stands for; where that was none, in that of the whole text."""
    if old.isupper() or (not old.isalpha() and text.isupper()):
        return new.upper()
    return new.lower() if old.islower() or (not old.isalpha() and text.islower()) else new


def _meid(value: str, normal: str, fake: str) -> str:
    """Decimal and hexadecimal MEID and ESN, 3GPP2 S.R0048."""
    if len(value) == 18 and len(fake) == 14:
        return f"{int(fake[:8], 16):010d}{int(fake[8:], 16):08d}"
    if len(value) == 11 and len(fake) == 8:
        return f"{int(fake[:2], 16):03d}{int(fake[2:], 16):08d}"
    if len(value) == 15 and len(fake) == 14:
        return _cased(value, fake + check_digit(fake))
    return _cased(value, fake) if len(value) == len(fake) else ""


# -- makers: normal form -> fakes, one after the other -----------------------------------------------------------------


def _tries(stream: Stream) -> Iterator[Dice]:
    return (Dice(stream, counter) for counter in range(MAX_TRIES))


def _plain(normal: str, stream: Stream) -> Iterator[str]:
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
    if not _digits(normal):
        yield from _plain(normal, stream)
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
    if not _digits(normal):
        yield from _plain(normal, stream)
        return
    networks = plmn_candidates(normal)
    kept = len(networks[0].mcc + networks[0].mnc) if networks else 3
    for dice in _tries(stream):
        yield normal[:kept] + dice.digits(len(normal) - kept)


def _imei(normal: str, stream: Stream) -> Iterator[str]:
    """A test device: reporting body 00 (GSMA TS.06)."""
    if not _digits(normal):
        yield from _plain(normal, stream)
        return
    for dice in _tries(stream):
        yield "00" + dice.digits(len(normal) - 2)


def _iccid(normal: str, stream: Stream) -> Iterator[str]:
    """89 and the country stay; an EID's last two digits are its check digits, GSMA SGP.29."""
    for dice in _tries(stream):
        if not _digits(normal):
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
    uidh = _uidh(normal)
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


def _uidh(normal: str) -> bytes | None:
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
    if _digits(normal) and len(normal) in (2, 3, 5, 6):
        yield {2: "01", 3: "001", 5: "00101", 6: "001001"}[len(normal)]
    kept = 5 if _digits(normal[:5]) and len(normal) >= 10 else 0
    if len(normal) in (12, 14, 16, 18, 24, 26, 30) and normal[:1] in "08":
        kept = 8
    for dice in _tries(stream):
        yield normal[:kept] + scrambled(normal[kept:], dice)


def _address(normal: str, stream: Stream) -> Iterator[str]:
    """In the same private range, every part as long as it was."""
    try:
        address = ipaddress.ip_address(normal)
    except ValueError:
        yield from _plain(normal, stream)
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
    for fake in _plain(normal, stream):
        if not (_digits(fake) and len(fake) == 10) or int(fake) < 1 << 32:
            yield fake


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _tails(identity: Identity) -> tuple[str, ...]:
    """What must not be alike in two numbers: the whole, and the number without its country code."""
    normal = identity.normal
    if identity.kind == "msisdn" and _digits(normal) and len(normal) > 9:
        return normal, normal[len(country_code(normal)) :]
    return (normal,)


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
