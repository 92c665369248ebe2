"""What becomes of what: from the findings to the needles, and what there is no way to replace.

In: findings and a key. Out: a `Plan`. State: none beyond it.

Every text of a field is rewritten as a whole, with all its values, so that what is wrapped in encodings or packed
beside others comes out right. Then come the spellings that each identifier may have anywhere else (forms.py). A text
that is too short to be told from chance is a needle together with the name before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from leakscan.detectors import detect
from leakscan.known import HASHED
from leakscan.losses import Losses
from leakscan.model import Field, Match
from leakscan.redaction.addresses import Addresses
from leakscan.redaction.edits import Edit, applied
from leakscan.redaction.fakes import Fakes, Identity, spelled
from leakscan.redaction.finding import EVERYWHERE, MAX_TEXT_CHARS, Findings, Found
from leakscan.redaction.forms import digests, forms
from leakscan.redaction.makers import scrambled_like
from leakscan.redaction.needles import KEY_BYTES, Needles
from leakscan.redaction.spelling import rewritten

MAX_ASKED = 8  # places of an identity in which its fake is tried

#: What the detectors say of fields: the same that found them.
Detect = Callable[[list[Field]], list[Match]]


@dataclass(slots=True)
class Refusal:
    """A text that cannot be replaced, told without the text."""

    frame: int
    place: str
    name: str
    identifier: str
    why: str


@dataclass(slots=True)
class Plan:
    needles: Needles = field(default_factory=Needles)
    torn: list[tuple[bytes, bytes]] = field(default_factory=list)  # sought only where the capture knows no more
    refused: list[Refusal] = field(default_factory=list)
    originals: set[Identity] = field(default_factory=set)
    fakes: set[Identity] = field(default_factory=set)


def detect_all(fields: list[Field]) -> list[Match]:
    return detect(fields, Losses())


def plan(findings: Findings, key: bytes, addresses: Addresses | None = None, said: Detect = detect_all) -> Plan:
    """Everything that is to be replaced. `said` gives what the detectors make of a field."""
    made = Plan(originals=set(findings.identities))
    fakes = Fakes(key, made.originals)
    if addresses is not None:
        addresses.needles(made.needles)
        for text, fake in addresses.texts.items():
            if len(fake) == len(text):
                fakes.give(Identity("private_ip", text), fake)
    where: dict[Identity, list[tuple[Field, Match]]] = {}
    for found in findings.fields.values():
        for identity, match in found.matches:
            where.setdefault(identity, []).append((found.where, match))
    texts = [(found, _rewritten(found, fakes, where, said)) for found in findings.fields.values()]
    for identity in findings.identities:
        if identity.kind in EVERYWHERE:
            for form in forms(identity, fakes.of(identity)):
                made.needles.add(form.old, form.new, whole=form.whole, tail=form.tail)
    pairs = [pair for found, text in texts for pair in _pairs(made, found, text, said)]
    everything = _with_pairs(made.needles, pairs)
    for pair in pairs:
        made.needles.add(pair.old, _swept(pair.new, everything), pair.anchor_end)
    made.torn = [
        (before + value, before + scrambled_like(value.decode("latin-1"), key.hex()).encode("latin-1"))
        for before, value in findings.torn
    ]
    return made


class Pair(NamedTuple):
    """A field's text, perhaps with what is around it, and what it becomes."""

    old: bytes
    new: bytes | None
    anchor_end: int | None = None


def _with_pairs(needles: Needles, pairs: Iterable[Pair]) -> Needles:
    """All of them, for a search in what they become."""
    both = needles.copy()
    for pair in pairs:
        both.add(pair.old, pair.new, pair.anchor_end)
    return both


def _swept(new: bytes | None, needles: Needles) -> bytes | None:
    """A replacement without the originals of others: a longer needle is all that is replaced where it stands. One value
    found in a cookie, another that nobody looks for there, or that is its name."""
    hits = needles.search(new) if new is not None else ()
    if new is None or not hits:
        return new
    edits = [Edit(0, hit.start, hit.new, hit.size, hit.size) for hit in sorted(hits, key=lambda hit: -hit.size)]
    made = applied(new, edits)
    return None if made is None else bytes(made)


def _pairs(made: Plan, found: Found, text: str | None, said: Detect) -> Iterator[Pair]:
    where = found.where
    old = where.value.encode("latin-1", "replace")
    left = [] if text is None else said([replace_value(where, text)])
    if text is None or any(Identity(match.identifier, match.normal) in made.originals for match in left):
        why = "an encoding of it would get another length"
        made.refused.append(Refusal(found.frame, where.place, where.name, found.matches[0][0].kind, why))
        text = None
    made.fakes |= {Identity(match.identifier, match.normal) for match in left}
    instead = None if text is None else text.encode("latin-1", "replace")
    if len(old) > MAX_TEXT_CHARS:  # cannot be cut down to what stands for the identifier
        why = "what stands for it in a long text cannot be told"
        made.refused.append(Refusal(found.frame, where.place, where.name, found.matches[0][0].kind, why))
        return
    if found.is_telling:
        yield Pair(old, instead)
    for before, after in found.contexts:
        around = None if instead is None else before + instead + after
        yield Pair(before + old + after, around, max(KEY_BYTES, len(before) + len(old)))
    if not found.contexts and not found.is_telling:
        why = "where it stands cannot be told from chance"
        made.refused.append(Refusal(found.frame, where.place, where.name, found.matches[0][0].kind, why))


def replace_value(where: Field, text: str) -> Field:
    return where._replace(value=text)


def _rewritten(
    found: Found, fakes: Fakes, where: Mapping[Identity, Sequence[tuple[Field, Match]]], said: Detect
) -> str | None:
    """The field's text with all its identifiers replaced; None when one cannot be."""
    text = found.where.value
    for identity, match in found.matches:
        fits = partial(_fit, identity, where[identity][:MAX_ASKED], said)
        made = _with(text, match, identity, fakes.of(identity, fits))
        if made is None:  # the normal form is nowhere in the value: it is an identity of its own
            own = Identity(identity.kind, match.value)
            made = rewritten(text, match.value, fakes.of(own), match.encoding)
        if made is None:
            return None
        text = made
    return text


def _fit(identity: Identity, where: Sequence[tuple[Field, Match]], said: Detect, fake: str) -> float:
    """In what share of an identity's places the same rule finds the fake, and finds it as sure."""
    fitting = 0
    for place, match in where:
        made = _with(place.value, match, identity, fake)
        fitting += made is not None and any(
            (one.rule, one.confidence, one.normal) == (match.rule, match.confidence, fake)
            for one in said([replace_value(place, made)])
        )
    return fitting / len(where)


def _with(text: str, match: Match, identity: Identity, fake: str) -> str | None:
    """The text with the fake for what the match found in it."""
    if match.encoding[-1:] in HASHED:
        return _with_digest(text, match, identity, fake)
    value = spelled(match, identity.normal, fake)
    return rewritten(text, match.value, value, match.encoding) if value else None


def _with_digest(text: str, match: Match, identity: Identity, fake: str) -> str | None:
    """A known value under a hash: the same hash of the fake, if that was no salted one, else another of its form."""
    token = match.spans[0]
    chain = match.encoding[:-1]
    if chain[-1:] == ("base64",) and not _HEX.fullmatch(token):
        chain = chain[:-1]
    known = next((new for old, new in digests(identity, fake) if old.startswith(token.lower())), None)
    new = scrambled_like(token, fake) if known is None else known[: len(token)]
    return rewritten(text, token, new.upper() if token.upper() == token else new, chain)


_HEX = re.compile(r"[0-9A-Fa-f]+")
