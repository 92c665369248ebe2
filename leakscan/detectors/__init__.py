"""Field -> Match: which fields hold an identifier.

Name first: one dict access tells which signatures of the catalogue know a field's name, and most names none does. Then
the value's readings (encodings.py), from the plain one on, pass through the signature's checks until one is valid.
What a finding is worth is the ladder: a known name with a valid value is confirmed (or as much as the signature
allows); with a value that is plausible only, probable if the network writes the place; a placeholder is counted and no
finding; a name that only tells by a word in it, with a valid value, is probable. A valid value alone, under any other
name, is a hint: digits are not evidence. Digits backwards or swapped without a sign of it are believed only where
nothing else fits and the range is assigned, and are probable at most.

One value of a field gives one match, the best. A value that packs several (JSON, `X-Network-Info`, attribute lists)
gives one for each part that its own name tells, and the part's name follows the rule's: `x-network-info.msisdn`. Under
a name that says nothing only values that name their parts are opened (scan.py says which), and the rule is the part's.

State: the built-in catalogue, read once; what was said of the last `MAX_ANSWERS` fields. Bounds: `MAX_PARTS` of one
value; those of encodings.py, nested.py and catalogue.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from leakscan import nested
from leakscan.detectors import encodings, names, scan
from leakscan.detectors.catalogue import PLACE_CLASSES, Catalogue, Signature, parse
from leakscan.detectors.judging import Value, checked, judge
from leakscan.detectors.ladder import INSIDE_EVIDENCE, SEVERITY_OF, VALUE_EVIDENCE, best, match_of, under
from leakscan.detectors.table import ATTRIBUTES, DETECTORS, FORMATS
from leakscan.detectors.verdict import PLACEHOLDER, VALID
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, Field, Match

__all__ = [
    "ATTRIBUTES",
    "DETECTORS",
    "FORMATS",
    "SEVERITY_OF",
    "VALUE_EVIDENCE",
    "builtin",
    "detect",
    "examine",
    "may_stand_alone",
    "with_rules",
]

MAX_PARTS = 64
MAX_NAMELESS = 8
MAX_ANSWERS = 4096
MAX_ANSWER_CHARS = 256
_ATTRIBUTES = re.compile(r"[;,|&?#\s\0]+")
_ATTRIBUTE_SIGNS = re.compile(r"[=:]")
#: Parts that show by their form what they are; and those that may have the same form.
MISPLACED = {"msisdn": re.compile(r"\+?[1-9][0-9]{9,14}"), "ip": re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")}
NUMBERED = {"msisdn": ("imsi", "imei", "imeisv", "iccid", "meid")}


def detect(fields: Sequence[Field], losses: Losses, catalogue: Catalogue | None = None) -> list[Match]:
    """All identifiers in the fields of one request: those with a name in the fields' order, then values alone."""
    if catalogue is None:
        catalogue = builtin()
    matches: list[Match] = []
    unknown: list[Field] = []
    seen = catalogue.seen
    for field in fields:
        signatures = seen.get(field[1])
        if signatures is None:
            signatures = catalogue.lookup(field[1])
        found: Sequence[Match] = ()
        if signatures:
            found = _answer(field, signatures, losses, catalogue)
        elif scan.names_inside(field[2]):
            found = _named_inside(field, losses, catalogue)
        if found:
            matches.extend(found)
        if not found or all(match.identifier == "private_ip" for match in found):  # a number may stand beside it
            unknown.append(field)
    if unknown and scan.speaks("\n".join([field[2] for field in unknown])):
        for field in unknown:
            matches.extend(_alone(field, catalogue))
    return _with_company(matches, fields, catalogue) if matches else matches


def _answer(field: Field, signatures: Iterable[Signature], losses: Losses, catalogue: Catalogue) -> Sequence[Match]:
    """`examine`, remembered: a subscriber's header comes with every request."""
    answers = catalogue.answers
    known = answers.get(field)
    if known is None:
        own = Losses()
        known = examine(field, signatures, own, catalogue), own
        if len(field.value) <= MAX_ANSWER_CHARS:
            if len(answers) >= MAX_ANSWERS:
                answers.clear()
            answers[field] = known
    matches, own = known
    if own:
        losses.merge(own)
    return matches


def examine(field: Field, signatures: Iterable[Signature], losses: Losses, catalogue: Catalogue) -> list[Match]:
    """What one field holds under the signatures that know its name."""
    place = PLACE_CLASSES.get(field.place, "")
    found: list[Match] = []
    placeholder = False
    value: Value | None = None
    for signature in signatures:
        if place not in signature.places:
            continue
        if signature.pattern is not None:
            inside = signature.pattern.search(field.value) if signature.literal in field.value else None
            if inside is not None:
                _, empty = _whole(field, Value(inside[1]), signature, found)
                placeholder = placeholder or empty
            continue
        value = Value(field.value) if value is None else value
        opened = signature.formats[0] == ATTRIBUTES or _names_parts(field.value)
        if opened:
            inner, empty = _parts(field, value, signature, catalogue)
            placeholder = placeholder or empty
            if inner:
                found.extend(inner)
                continue
        before = len(found)
        valid, empty = _whole(field, value, signature, found)
        placeholder = placeholder or empty
        if not valid and not empty and not opened:
            inner = _parts(field, value, signature, catalogue)[0]
            if any(match.confidence != CONFIDENCES[0] for match in inner):
                del found[before:]  # what was read is no cipher
            found.extend(inner)
    if not found and not placeholder and scan.names_inside(field.value):
        return _named_inside(field, losses, catalogue)
    if placeholder and not found:
        losses["value.placeholder"] += 1
    return best(found)


@cache
def builtin() -> Catalogue:
    """The catalogue that comes with leakscan."""
    return parse("signatures.toml", (resources.files(__name__) / "signatures.toml").read_bytes(), FORMATS)


def with_rules(path: str | Path) -> Catalogue:
    """The built-in catalogue with the rules of the operator's file. Raises FileMistake."""
    return builtin().with_rules(path, FORMATS)


def may_stand_alone(text: str, place: str, catalogue: Catalogue) -> bool:
    """Whether one of several values under names that say nothing is an identifier by itself. `text` has them all, with
    something else between them. Says yes too often, never too rarely."""
    return scan.crowded(text) or bool(_alone(Field(place, "", text), catalogue))


def _alone(field: Field, catalogue: Catalogue) -> list[Match]:
    """What a value is whose name says nothing."""
    found: list[Match] = []
    for candidate in scan.candidates(field.value):
        signature = catalogue.alone.get(candidate.kind)
        if signature is None or PLACE_CLASSES.get(field.place) not in signature.places:
            continue
        for name in signature.formats:
            verdict = checked(DETECTORS[name], candidate.text, signature)
            if verdict.grade == VALID:
                found.append(match_of(field, signature, verdict, ()))
                break
    return best(found)


def _with_company(matches: list[Match], fields: Sequence[Field], catalogue: Catalogue) -> list[Match]:
    """Of what counts only beside other names a hint is left where they are missing."""
    kept: list[Match] = []
    present: set[str] | None = None
    for match in matches:
        signature = catalogue.signatures.get(match.rule)
        if signature is not None and signature.beside:
            if present is None:
                present = {names.key(field.name) for field in fields}
            if not present.issuperset(map(names.key, signature.beside)):
                match = replace(match, confidence=CONFIDENCES[0])
        kept.append(match)
    return kept


def _whole(field: Field, value: Value, signature: Signature, found: list[Match]) -> tuple[bool, bool]:
    """The value as one identifier, added to `found`; gives whether it is valid, and whether it is a placeholder."""
    verdict, chain = judge(value, signature)
    if verdict.grade > PLACEHOLDER:
        found.append(match_of(field, signature, verdict, chain))
    return verdict.grade == VALID, verdict.grade == PLACEHOLDER


def _names_parts(value: str) -> bool:
    """Whether the value may be JSON, and so more than one word."""
    return value.lstrip(encodings.TRIMMED)[:1] in ("[", "{") or scan.names_inside(value)


def _parts(field: Field, value: Value, outer: Signature, catalogue: Catalogue) -> tuple[list[Match], bool]:
    """What the parts of a composite value hold, and whether one is a placeholder: JSON; `a,b,c` under the names that
    the signature gives; a list of `name=value`. Encoded or not. A part without a name has that of the whole."""
    found: list[Match] = []
    placeholder = False
    opened = [_taken_apart(text, chain, outer) for text, chain in value]
    if outer.formats[0] == ATTRIBUTES:
        opened += [(_nameless(text), chain) for text, chain in value]
    for parts, chain in opened:
        named = sum(bool(name) for name, _ in parts)
        for name, piece in parts:
            known = catalogue.lookup(name) if name else ()
            bare = not name or (named == 1 and not known)
            if bare:
                known = catalogue.lookup("msisdn") if outer.formats[0] == ATTRIBUTES else (outer,)
            for inner in known:
                if inner.pattern is not None or inner.formats[0] == ATTRIBUTES:
                    continue
                verdict, deeper = judge(Value(piece, value.effort, value.depth - encodings.deep(chain)), inner)
                if bare and verdict.grade < VALID and ((named and not name) or inner.identifier != outer.identifier):
                    continue
                placeholder = placeholder or verdict.grade == PLACEHOLDER
                if verdict.grade > PLACEHOLDER:
                    match = match_of(field, inner, verdict, chain + deeper)
                    found.append(match if inner is outer else under(match, outer, inner))
        if any(match.confidence != CONFIDENCES[0] for match in found):
            break
    return found, placeholder


def _named_inside(field: Field, losses: Losses, catalogue: Catalogue) -> list[Match]:
    """What a value under a name that says nothing names itself, each part as a parameter would be taken."""
    value = Value(field.value)
    found: list[Match] = []
    placeholder = False
    for text, chain in value:
        parts, chain = _taken_apart(text, chain)
        for name, piece in parts:
            for inner in catalogue.lookup(name) if name else ():
                if inner.pattern is not None or inner.formats[0] == ATTRIBUTES or "query" not in inner.places:
                    continue
                verdict, deeper = judge(Value(piece, value.effort, value.depth - encodings.deep(chain)), inner)
                placeholder = placeholder or verdict.grade == PLACEHOLDER
                if verdict.grade > PLACEHOLDER:
                    match = match_of(field._replace(place="query"), inner, verdict, chain + deeper)
                    evidence = (INSIDE_EVIDENCE, *match.evidence[1:])
                    spans = (*match.spans, piece, field.value)
                    found.append(replace(match, field=field, evidence=evidence, spans=spans))
        if found:
            break
    if placeholder and not found:
        losses["value.placeholder"] += 1
    return best(found)


def _taken_apart(
    text: str, chain: tuple[str, ...], outer: Signature | None = None
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The parts of one reading by name, and the chain with JSON in it if that is what it was."""
    if outer is not None and outer.parts:
        return _placed(outer.parts, [piece.strip() for piece in text.split(",", MAX_PARTS)]), chain
    members = nested.members(text)
    if members is not None:
        return members, chain if chain[-1:] == ("jwt",) else (*chain, "json")
    if text.startswith("<"):
        return nested.tagged(text)[:MAX_PARTS], chain
    pieces = [piece.strip() for piece in _ATTRIBUTES.split(text, MAX_PARTS) if piece]
    pairs = [(mark[0], mark[1].strip(encodings.TRIMMED)) for mark in map(_attribute, pieces) if mark]
    if pairs and outer is not None and _attribute(pieces[0]) is None:  # what the rest of the list follows
        pairs.insert(0, ("", pieces[0].strip(encodings.TRIMMED)))
    return pairs, chain


def _placed(parts: tuple[str, ...], pieces: list[str]) -> list[tuple[str, str]]:
    """The pieces under the names of their places. Gateways leave some out, so a number or an address that stands where
    neither is meant is under its own."""
    placed = []
    for name, piece in zip((*parts, *[""] * len(pieces)), pieces, strict=False):
        for other, form in MISPLACED.items():
            if other in parts and name not in (other, *NUMBERED.get(other, ())) and form.fullmatch(piece):
                name = other
        if name:
            placed.append((name, piece))
    return placed


def _nameless(text: str) -> list[tuple[str, str]]:
    """The whole and its pieces, none under a name."""
    return [("", piece) for piece in (text, *_ATTRIBUTES.split(text, MAX_NAMELESS)[:MAX_NAMELESS])]


def _attribute(piece: str) -> tuple[str, str] | None:
    """`name=value` or `name:value`."""
    mark = _ATTRIBUTE_SIGNS.search(piece)
    return None if mark is None else (piece[: mark.start()].strip(encodings.TRIMMED), piece[mark.end() :])
