"""What stands in an identifier's place: another of the same kind, form and length, that is nobody's where there is
such a range.

In: matches. Out: fakes, the same for the same identifier however it is spelled. Two identifiers never get the same
fake, and none gets one that is another's original. Digits come from HMAC-SHA-256 over kind, normal form and a counter,
so that nobody gets from a fake to the original without the key. State: the fakes given so far.

What may be a fake is makers.py's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

from leakscan.detectors.imei import luhn
from leakscan.detectors.meid import check_digit
from leakscan.masks import country_code
from leakscan.model import Match
from leakscan.redaction.makers import MAKERS, Dice, Stream, only_digits, plain, uidh_of
from leakscan.tally import PERSONAL

MAX_OFFERED = 20  # fakes of one identity that are tried in its places
MIN_SOUGHT = 7  # a shorter original is sought only where it was found

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
        for fake in MAKERS.get(identity.kind, plain)(identity.normal, self._stream(identity)):
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
    uidh = uidh_of(value)
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


def _tails(identity: Identity) -> tuple[str, ...]:
    """What must not be alike in two numbers: the whole, and the number without its country code."""
    normal = identity.normal
    if identity.kind == "msisdn" and only_digits(normal) and len(normal) > 9:
        return normal, normal[len(country_code(normal)) :]
    return (normal,)
