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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from leakscan import nested
from leakscan.detectors import (
    address,
    charging,
    device,
    encodings,
    iccid,
    imei,
    imsi,
    location,
    meid,
    msisdn,
    names,
    node,
    profile,
    scan,
    token,
)
from leakscan.detectors.catalogue import PLACE_CLASSES, Catalogue, Signature, parse
from leakscan.detectors.verdict import ENCRYPTED, HASHED, NO, PLACEHOLDER, PLAIN, VALID, Verdict
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, SEVERITIES, Field, Match

__all__ = ["DETECTORS", "builtin", "detect", "examine", "with_rules"]

MAX_PARTS = 64
MAX_NAMELESS = 8
MAX_ANSWERS = 4096
MAX_ANSWER_CHARS = 256
_ATTRIBUTES = re.compile(r"[;,|&?#\s\0]+")
_PIECES = re.compile(r"[;,|\s]+")
_ATTRIBUTE_SIGNS = re.compile(r"[=:]")


class Detector(NamedTuple):
    """A check, and the identifier it finds when a signature asks for several formats; "" for the signature's own."""

    check: Callable[[str, Signature], Verdict]
    identifier: str = ""
    #: Of a valid value: whether it can hardly be chance, and whether another reading may still be the better one. Only
    #: checks that have the first look for pieces and for digits read another way.
    is_sure: Callable[[Verdict], bool] | None = None
    is_doubtful: Callable[[Verdict], bool] | None = None


class _Value:
    """One value and its readings, each worked out once, when it is asked for."""

    __slots__ = ("_found", "_more", "depth", "effort")

    def __init__(self, text: str, effort: encodings.Effort | None = None, depth: int = encodings.MAX_DEPTH) -> None:
        self.effort = encodings.Effort() if effort is None else effort
        self.depth = depth
        self._found: list[encodings.Reading] = []
        self._more = encodings.readings(text, self.effort, depth)

    def __iter__(self) -> Iterator[encodings.Reading]:
        yield from self._found
        for reading in self._more:
            self._found.append(reading)
            yield reading

    def guesses(self) -> Iterator[encodings.Reading]:
        return encodings.guesses(self, self.effort, self.depth)


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
        else:
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
    value: _Value | None = None
    for signature in signatures:
        if place not in signature.places:
            continue
        if signature.pattern is not None:
            inside = signature.pattern.search(field.value) if signature.literal in field.value else None
            if inside is not None:
                _, empty = _whole(field, _Value(inside[1]), signature, found)
                placeholder = placeholder or empty
            continue
        value = _Value(field.value) if value is None else value
        opened = signature.formats[0] == ATTRIBUTES or _names_parts(field.value)
        if opened:
            inner, empty = _parts(field, value, signature, catalogue)
            placeholder = placeholder or empty
            if inner:
                found.extend(inner)
                continue
        valid, empty = _whole(field, value, signature, found)
        placeholder = placeholder or empty
        if not valid and not empty and not opened:
            found.extend(_parts(field, value, signature, catalogue)[0])
    if not found and not placeholder and scan.names_inside(field.value):
        return _named_inside(field, losses, catalogue)
    if placeholder and not found:
        losses["value.placeholder"] += 1
    return _best(found)


@cache
def builtin() -> Catalogue:
    """The catalogue that comes with leakscan."""
    return parse("signatures.toml", (resources.files(__name__) / "signatures.toml").read_bytes(), FORMATS)


def with_rules(path: str | Path) -> Catalogue:
    """The built-in catalogue with the rules of the operator's file. Raises FileMistake."""
    return builtin().with_rules(path, FORMATS)


def _alone(field: Field, catalogue: Catalogue) -> list[Match]:
    """What a value is whose name says nothing."""
    found: list[Match] = []
    for candidate in scan.candidates(field.value):
        signature = catalogue.alone.get(candidate.kind)
        if signature is None or PLACE_CLASSES.get(field.place) not in signature.places:
            continue
        for name in signature.formats:
            verdict = _checked(DETECTORS[name], candidate.text, signature)
            if verdict.grade == VALID:
                found.append(_match(field, signature, verdict, ()))
                break
    return _best(found)


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


def _whole(field: Field, value: _Value, signature: Signature, found: list[Match]) -> tuple[bool, bool]:
    """The value as one identifier, added to `found`; gives whether it is valid, and whether it is a placeholder."""
    verdict, chain = _judge(value, signature)
    if verdict.grade > PLACEHOLDER:
        found.append(_match(field, signature, verdict, chain))
    return verdict.grade == VALID, verdict.grade == PLACEHOLDER


def _judge(value: _Value, signature: Signature) -> tuple[Verdict, tuple[str, ...]]:
    """The best verdict over all readings, and the encodings undone for it. Formats that take anything come last."""
    best = Verdict(NO)
    best_chain: tuple[str, ...] = ()
    for detectors in _in_turn(signature.formats):
        for text, chain in value:
            for detector in detectors:
                verdict = _checked(detector, text, signature)
                if verdict.grade == VALID and not (detector.is_doubtful and detector.is_doubtful(verdict)):
                    return verdict, chain
                if verdict.grade == PLACEHOLDER and not chain:
                    return verdict, chain
                if verdict.grade > best.grade:
                    best, best_chain = verdict, chain
    return _second_look(value, signature, best.grade) or (best, best_chain)


def _second_look(value: _Value, signature: Signature, grade: int) -> tuple[Verdict, tuple[str, ...]] | None:
    """What fits better than the readings as they are: a piece of one, or its digits backwards or swapped."""
    careful = [DETECTORS[name] for name in signature.formats if name != ATTRIBUTES and DETECTORS[name].is_sure]
    if not careful:
        return None
    for text, chain in value if grade < VALID else ():
        pieces = _PIECES.split(text, MAX_PARTS)
        for piece in pieces if len(pieces) > 1 else ():
            for detector in careful:
                verdict = _checked(detector, encodings.trim(piece).strip("<>()"), signature)
                if verdict.grade == VALID:
                    return verdict._replace(evidence=(*verdict.evidence, "beside another value")), chain
    if any(msisdn.is_national(text) for text, _ in value):
        return None
    for text, chain in value.guesses():
        for detector in careful:
            verdict = _checked(detector, text, signature)
            if verdict.grade == VALID and detector.is_sure and detector.is_sure(verdict):
                return verdict._replace(evidence=(*verdict.evidence, GUESSED)), chain
    return None


def _checked(detector: Detector, text: str, signature: Signature) -> Verdict:
    verdict = detector.check(text, signature)
    if not verdict.identifier and detector.identifier:
        return verdict._replace(identifier=detector.identifier)
    return verdict


@cache
def _in_turn(formats: tuple[str, ...]) -> tuple[tuple[Detector, ...], ...]:
    """The checks of a signature: those that ask for a form, then those that take anything."""
    turns: tuple[list[Detector], list[Detector]] = ([], [])
    for name in formats:
        if name != ATTRIBUTES:  # has no check
            turns[name in TAKE_ANYTHING].append(DETECTORS[name])
    return tuple(tuple(turn) for turn in turns if turn)


def _match(field: Field, signature: Signature, verdict: Verdict, chain: tuple[str, ...]) -> Match:
    identifier = verdict.identifier or signature.identifier
    return Match(
        field=field,
        rule=signature.id,
        identifier=identifier,
        value=verdict.value,
        normal=verdict.normal or verdict.value,
        encoding=chain,
        confidence=_confidence(field, signature, verdict),
        severity=_severity(identifier, signature, verdict),
        rotating=signature.rotating or verdict.rotating,
        origin="client-sent" if signature.added_by in CLIENT_SIDE else "unknown",
        evidence=(_name_evidence(signature), *_form_evidence(verdict), *verdict.evidence),
        carriers=verdict.carriers or signature.carriers,
        home=verdict.home,
        spans=(field.value,) if field.value != verdict.value else (),
    )


def _form_evidence(verdict: Verdict) -> tuple[str, ...]:
    return () if verdict.form == PLAIN else (verdict.form,)


def _confidence(field: Field, signature: Signature, verdict: Verdict) -> str:
    """A plausible value is worth one step less than a valid one, and a hint where clients write what they like, unless
    it is long and the name means nothing else. A hash is never more than probable, but it is not a chance value either
    when the name says of what."""
    certain, probable, hint = CONFIDENCES[::-1]
    if GUESSED in verdict.evidence:
        return min(probable, signature.confidence, key=CONFIDENCES.index)
    if verdict.grade == VALID or signature.confidence == hint:
        return signature.confidence
    by_network = PLACE_CLASSES[field.place] in ("header", "cookie")
    if verdict.form == HASHED and (by_network or signature.identifier in ("msisdn", "imsi")):
        return probable
    long = verdict.form == PLAIN and len(verdict.value) >= MIN_LONG_DIGITS and signature.identifier in NUMBERED
    return probable if (by_network or long) and signature.confidence == certain else hint


def _name_evidence(signature: Signature) -> str:
    if signature.alone:
        return VALUE_EVIDENCE
    return WORD_EVIDENCE if signature.words else NAME_EVIDENCE


def _severity(identifier: str, signature: Signature, verdict: Verdict) -> str:
    if verdict.severity:
        return verdict.severity
    if signature.severity and identifier == signature.identifier:
        return signature.severity
    if identifier in DEVICE_IDS and signature.added_by in CLIENT_SIDE:
        return "low"
    if identifier == "subscriber_token" and (signature.rotating or verdict.rotating):
        return "medium"
    usual = SEVERITY_OF[identifier]
    return "high" if usual == "critical" and verdict.form in (HASHED, ENCRYPTED) else usual


def _names_parts(value: str) -> bool:
    """Whether the value may be JSON, and so more than one word."""
    return value.lstrip(encodings.TRIMMED)[:1] in ("[", "{") or scan.names_inside(value)


def _parts(field: Field, value: _Value, outer: Signature, catalogue: Catalogue) -> tuple[list[Match], bool]:
    """What the parts of a composite value hold, and whether one is a placeholder: JSON; `a,b,c` under the names that
    the signature gives; a list of `name=value`. Encoded or not. A part without a name has that of the whole."""
    found: list[Match] = []
    placeholder = False
    opened = [_taken_apart(text, chain, outer) for text, chain in value]
    if outer.formats[0] == ATTRIBUTES:
        opened += [(_nameless(text), chain) for text, chain in value]
    for parts, chain in opened:
        for name, piece in parts:
            known = catalogue.lookup(name) if name else ()
            bare = not name or (len(parts) == 1 and not known)
            if bare:
                known = catalogue.lookup("msisdn") if outer.formats[0] == ATTRIBUTES else (outer,)
            for inner in known:
                if inner.pattern is not None or inner.formats[0] == ATTRIBUTES:
                    continue
                verdict, deeper = _judge(_Value(piece, value.effort, value.depth - len(chain)), inner)
                if bare and verdict.grade < VALID and inner.identifier != outer.identifier:
                    continue
                placeholder = placeholder or verdict.grade == PLACEHOLDER
                if verdict.grade > PLACEHOLDER:
                    match = _match(field, inner, verdict, chain + deeper)
                    found.append(match if inner is outer else _under(match, outer, inner))
        if any(match.confidence != CONFIDENCES[0] for match in found):
            break
    return found, placeholder


def _named_inside(field: Field, losses: Losses, catalogue: Catalogue) -> list[Match]:
    """What a value under a name that says nothing names itself, each part as a parameter would be taken."""
    value = _Value(field.value)
    found: list[Match] = []
    placeholder = False
    for text, chain in value:
        parts, chain = _taken_apart(text, chain)
        for name, piece in parts:
            for inner in catalogue.lookup(name) if name else ():
                if inner.pattern is not None or inner.formats[0] == ATTRIBUTES or "query" not in inner.places:
                    continue
                verdict, deeper = _judge(_Value(piece, value.effort, value.depth - len(chain)), inner)
                placeholder = placeholder or verdict.grade == PLACEHOLDER
                if verdict.grade > PLACEHOLDER:
                    match = _match(field._replace(place="query"), inner, verdict, chain + deeper)
                    evidence = (INSIDE_EVIDENCE, *match.evidence[1:])
                    spans = (*match.spans, piece, field.value)
                    found.append(replace(match, field=field, evidence=evidence, spans=spans))
        if found:
            break
    if placeholder and not found:
        losses["value.placeholder"] += 1
    return _best(found)


def _taken_apart(
    text: str, chain: tuple[str, ...], outer: Signature | None = None
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The parts of one reading by name, and the chain with JSON in it if that is what it was."""
    if outer is not None and outer.parts:
        return list(zip(outer.parts, text.split(","), strict=False)), chain
    members = nested.members(text)
    if members is not None:
        return members, chain if chain[-1:] == ("jwt",) else (*chain, "json")
    pieces = [piece.strip() for piece in _ATTRIBUTES.split(text, MAX_PARTS) if piece]
    pairs = [(mark[0], mark[1].strip(encodings.TRIMMED)) for mark in map(_attribute, pieces) if mark]
    return pairs, chain


def _nameless(text: str) -> list[tuple[str, str]]:
    """The whole and its pieces, none under a name."""
    return [("", piece) for piece in (text, *_ATTRIBUTES.split(text, MAX_NAMELESS)[:MAX_NAMELESS])]


def _attribute(piece: str) -> tuple[str, str] | None:
    """`name=value` or `name:value`."""
    mark = _ATTRIBUTE_SIGNS.search(piece)
    return None if mark is None else (piece[: mark.start()].strip(encodings.TRIMMED), piece[mark.end() :])


def _under(match: Match, outer: Signature, inner: Signature) -> Match:
    return replace(
        match,
        rule=f"{outer.id}.{inner.id}",
        confidence=min(match.confidence, outer.confidence, key=CONFIDENCES.index),
        carriers=match.carriers or outer.carriers,
        evidence=(NAME_EVIDENCE, *match.evidence[1:]),
    )


def _best(found: list[Match]) -> list[Match]:
    """One match for each value: the most certain, then the worst, then the first."""
    if len(found) < 2:
        return found
    ranked = sorted(found, key=lambda m: (-CONFIDENCES.index(m.confidence), -SEVERITIES.index(m.severity)))
    kept: dict[str, Match] = {}
    for match in ranked:
        kept.setdefault(match.value, match)
    return list(kept.values())


NAME_EVIDENCE, WORD_EVIDENCE = "known name", "telling name"
INSIDE_EVIDENCE, VALUE_EVIDENCE = "named inside the value", "value alone"
GUESSED = "only when read backwards or swapped"
CLIENT_SIDE = ("app", "device")
#: Kinds of which a plausible value counts in a parameter, too; a wrong check digit makes an IMEI anything.
NUMBERED, MIN_LONG_DIGITS = ("msisdn", "imsi", "iccid"), 9
DEVICE_IDS = ("device_id", "advertising_id", "mac")
#: What an identifier is worth when it is plainly readable (docs/formats.md).
SEVERITY_OF: Mapping[str, str] = {
    "msisdn": "critical",
    "imsi": "critical",
    "imei": "critical",
    "iccid": "critical",
    "meid_esn": "critical",
    "cell_location": "critical",
    "subscriber_token": "high",
    "device_id": "high",
    "advertising_id": "high",
    "mac": "high",
    "email": "medium",
    "subscriber_profile": "medium",
    "charging": "medium",
    "private_ip": "low",
    "apn_or_network_node": "low",
    "device_model": "low",
}

#: Not a check: a list of `name=value` attributes, each looked up by its own name.
ATTRIBUTES = "attributes"
#: Format in the catalogue -> its check. One file for each kind of identifier.
DETECTORS: Mapping[str, Detector] = {
    "msisdn": Detector(msisdn.check, "msisdn", msisdn.is_sure, msisdn.is_doubtful),
    "msisdn-strict": Detector(msisdn.check_strict, "msisdn"),
    "msisdn-national": Detector(msisdn.check_national, "msisdn"),
    "msisdn-without-code": Detector(msisdn.check_without_code, "msisdn"),
    "imsi": Detector(imsi.check, "imsi", imsi.is_sure),
    "imsi-strict": Detector(imsi.check_strict, "imsi"),
    "imsi-alone": Detector(imsi.check_alone, "imsi"),
    "imei": Detector(imei.check, "imei", imei.is_sure, imei.is_doubtful),
    "imei-strict": Detector(imei.check_strict, "imei"),
    "imei-digest": Detector(imei.check_digest, "imei"),
    "iccid": Detector(iccid.check, "iccid", iccid.is_sure),
    "iccid-strict": Detector(iccid.check_strict, "iccid"),
    "eid": Detector(iccid.check_eid, "iccid"),
    "iccid-docomo": Detector(iccid.check_docomo, "iccid"),
    "meid": Detector(meid.check, "meid_esn"),
    "meid-strict": Detector(meid.check_strict, "meid_esn"),
    "meid-jphone": Detector(meid.check_jphone, "meid_esn"),
    "opaque": Detector(token.check_opaque),
    "encrypted": Detector(token.check_encrypted),
    "uidh": Detector(token.check_uidh),
    "acr": Detector(token.check_acr),
    "vf-acr": Detector(token.check_vf_acr),
    "asid": Detector(token.check_asid),
    "subno": Detector(token.check_subno),
    "sprint": Detector(token.check_sprint),
    "nai": Detector(token.check_nai),
    "supi": Detector(token.check_supi),
    "login": Detector(token.check_login),
    "dcm-guid": Detector(token.check_dcm_guid),
    "docomo-uid": Detector(token.check_docomo_uid),
    "guid-switch": Detector(token.check_guid_switch),
    "jphone-uid": Detector(token.check_jphone_uid),
    "em-uid": Detector(token.check_em_uid),
    "address": Detector(address.check),
    "forwarded": Detector(address.check_forwarded),
    "uli": Detector(location.check_uli),
    "access-network": Detector(location.check_access_network),
    "plmn": Detector(location.check_plmn),
    "mcc": Detector(location.check_mcc),
    "mnc": Detector(location.check_mnc),
    "zone": Detector(location.check_zone),
    "stamp": Detector(location.check_stamp),
    "country": Detector(location.check_country),
    "node-address": Detector(node.check_address),
    "apn": Detector(node.check_apn),
    "node-text": Detector(node.check_text),
    "via": Detector(node.check_via),
    "carrier-mode": Detector(node.check_carrier_mode),
    "flag": Detector(profile.check_flag),
    "bearer": Detector(profile.check_bearer),
    "characteristics": Detector(profile.check_characteristics),
    "profile-text": Detector(profile.check_text),
    "charging-id": Detector(charging.check_id),
    "charging-session": Detector(charging.check_session),
    "android-id": Detector(device.check_android_id),
    "uuid": Detector(device.check_uuid),
    "udid": Detector(device.check_udid),
    "pin": Detector(device.check_pin),
    "mac": Detector(device.check_mac),
    "email": Detector(device.check_email),
    "model": Detector(device.check_model),
}
#: Formats that say yes to what is not theirs, so the others of a signature are asked first.
TAKE_ANYTHING = frozenset(("opaque", "encrypted", "login", "profile-text", "node-text"))
FORMATS = frozenset((*DETECTORS, ATTRIBUTES))
