"""Field -> Match: which fields hold an identifier.

Name first: one dict access tells which signatures of the catalogue know a field's name, and most names none does. Then
the value's readings (encodings.py), from the plain one on, pass through the signature's checks until one is valid.
What a finding is worth is the ladder: a known name with a valid value is confirmed (or as much as the signature
allows); with a value that is plausible only, probable if the network writes the place; a placeholder is counted and no
finding; a name that only tells by a word in it, with a valid value, is probable. A valid value alone, under any other
name, is a hint (scan.py finds them): digits are not evidence.

One value of a field gives one match, the best. A value that packs several (`X-Network-Info`, attribute lists) gives one
for each part, and the part's name follows the rule's: `x-network-info.msisdn`.

State: the built-in catalogue, read once; what was said of the last `MAX_ANSWERS` fields. Bounds: `MAX_PARTS` of one
value; those of encodings.py and catalogue.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

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
MAX_ANSWERS = 4096
MAX_ANSWER_CHARS = 256
MAX_BARE = 4  # parts without a name that are tried
_ATTRIBUTES = re.compile(r"[;,|&\s\0]+")


class Detector(NamedTuple):
    """A check, and the identifier it finds when a signature asks for several formats; "" for the signature's own."""

    check: Callable[[str, Signature], Verdict]
    identifier: str = ""


def detect(fields: Sequence[Field], losses: Losses, catalogue: Catalogue | None = None) -> list[Match]:
    """All identifiers in the fields of one request: under known names in the fields' order, then values alone."""
    if catalogue is None:
        catalogue = builtin()
    matches: list[Match] = []
    unknown: list[Field] = []
    seen = catalogue.seen
    for field in fields:
        signatures = seen.get(field[1])
        if signatures is None:
            signatures = catalogue.lookup(field[1])
        if signatures and (found := _answer(field, signatures, losses, catalogue)):
            matches.extend(found)
        else:
            unknown.append(field)
    if unknown and scan.speaks("\n".join([field[2] for field in unknown])):
        for field in unknown:
            matches.extend(_alone(field, catalogue))
    return _with_company(matches, fields, catalogue) if matches else matches


def _answer(field: Field, signatures: Iterable[Signature], losses: Losses, catalogue: Catalogue) -> list[Match]:
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
    for signature in signatures:
        if place not in signature.places:
            continue
        if signature.formats[0] == ATTRIBUTES:
            inner, empty = _parts(field, signature, catalogue)
            placeholder = placeholder or empty
            if inner:
                found.extend(inner)
                continue
        value = field.value
        if signature.pattern is not None:
            inside = signature.pattern.search(value) if signature.literal in value else None
            if inside is None:
                continue
            value = inside[1]
        verdict, chain = _judge(value, signature)
        placeholder = placeholder or verdict.grade == PLACEHOLDER
        if verdict.grade > PLACEHOLDER:
            found.append(_match(field, signature, verdict, chain))
    if placeholder and not found:
        losses["value.placeholder"] += 1
    return _best(found)


def with_rules(path: str | Path) -> Catalogue:
    """The built-in catalogue with the rules of the operator's file. Raises FileMistake."""
    return builtin().with_rules(path, FORMATS)


def _alone(field: Field, catalogue: Catalogue) -> list[Match]:
    """What a value is whose name says nothing, or that holds a name that tells."""
    found: list[Match] = []
    for candidate in scan.candidates(field.value):
        signature = catalogue.alone.get(candidate.kind)
        if signature is None or PLACE_CLASSES.get(field.place) not in signature.places:
            continue
        inner = catalogue.lookup(candidate.label) if candidate.label else (signature,)
        for entry in inner:
            if candidate.label and not _is_part(entry):
                continue
            verdicts = (_check(name, candidate.text, entry) for name in entry.formats)
            verdict = next((verdict for verdict in verdicts if verdict.grade == VALID), None)
            if verdict is not None:
                match = _match(field, entry, verdict, ())
                found.append(match if entry is signature else _under(match, signature, entry))
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


@cache
def builtin() -> Catalogue:
    """The catalogue that comes with leakscan."""
    return parse("signatures.toml", (resources.files(__name__) / "signatures.toml").read_bytes(), FORMATS)


def _judge(value: str, signature: Signature) -> tuple[Verdict, tuple[str, ...]]:
    """The best verdict over all readings, and the encodings undone for it. An encoded number is a number before it is
    an opaque word: each format sees all readings before the next one does."""
    best = Verdict(NO)
    best_chain: tuple[str, ...] = ()
    readings: Iterable[encodings.Reading] = encodings.readings(value)
    if len(signature.formats) > 1:
        readings = list(readings)
    for name in signature.formats:
        for text, chain in readings:
            verdict = _check(name, text, signature)
            if verdict.grade > best.grade:
                best, best_chain = verdict, chain
            if verdict.grade == VALID:
                return best, best_chain
    return best, best_chain


def _check(name: str, text: str, signature: Signature) -> Verdict:
    """What the check of this format says of one reading."""
    detector = DETECTORS.get(name)
    if detector is None:  # ATTRIBUTES has no check
        return Verdict(NO)
    verdict = detector.check(text, signature)
    if verdict.identifier or not detector.identifier:
        return verdict
    return verdict._replace(identifier=detector.identifier)


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
    if verdict.grade == VALID or signature.confidence == hint:
        return signature.confidence
    by_network = PLACE_CLASSES[field.place] in ("header", "cookie")
    if verdict.form == HASHED and (by_network or signature.identifier in ("msisdn", "imsi")):
        return probable
    long = verdict.form == PLAIN and len(verdict.value) >= MIN_LONG_DIGITS and signature.identifier in NUMBERED
    return probable if (by_network or long) and signature.confidence == certain else hint


def _name_evidence(signature: Signature) -> str:
    if signature.alone:
        return "telling name inside the value" if signature.alone == "label" else VALUE_EVIDENCE
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


def _parts(field: Field, outer: Signature, catalogue: Catalogue) -> tuple[list[Match], bool]:
    """What the parts of a composite value hold, and whether one is a placeholder: `a,b,c` under the names that the
    signature gives, or a list of `name=value`, encoded or not. A list without any names is one value."""
    found: list[Match] = []
    placeholder = False
    readings = list(encodings.readings(field.value))
    lists = [(_pairs(text, outer), chain) for text, chain in readings]
    lists += [([("msisdn", text), *_bare(text)], chain) for text, chain in readings]
    for pairs, chain in lists:
        for name, value in pairs:
            for inner in catalogue.lookup(name):
                if inner.pattern is not None or inner.formats[0] == ATTRIBUTES:
                    continue
                verdict, deeper = _judge(value, inner)
                placeholder = placeholder or verdict.grade == PLACEHOLDER
                if verdict.grade > PLACEHOLDER:
                    match = _match(field, inner, verdict, chain + deeper)
                    found.append(_under(match, outer, inner))
        if any(match.confidence != CONFIDENCES[0] for match in found):
            break
    return found, placeholder


def _pairs(text: str, outer: Signature) -> list[tuple[str, str]]:
    if outer.parts:
        return list(zip(outer.parts, text.split(","), strict=False))
    pieces = (piece.strip().partition("=") for piece in _ATTRIBUTES.split(text, MAX_PARTS))
    return [(name, value) for name, mark, value in pieces if mark]


def _bare(text: str) -> list[tuple[str, str]]:
    return [("msisdn", piece) for piece in _ATTRIBUTES.split(text, MAX_BARE)[:MAX_BARE] if piece != text]


def _is_part(signature: Signature) -> bool:
    """Whether it may stand inside a value."""
    return "part" in signature.places and signature.formats[0] != ATTRIBUTES


def _under(match: Match, outer: Signature, inner: Signature) -> Match:
    return replace(
        match,
        rule=f"{outer.id}.{inner.id}",
        confidence=min(match.confidence, outer.confidence, key=CONFIDENCES.index),
        carriers=match.carriers or outer.carriers,
        evidence=(_name_evidence(outer), *match.evidence[1:]),
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


NAME_EVIDENCE, WORD_EVIDENCE, VALUE_EVIDENCE = "known name", "telling name", "value alone"
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
    "msisdn": Detector(msisdn.check, "msisdn"),
    "msisdn-strict": Detector(msisdn.check_strict, "msisdn"),
    "msisdn-national": Detector(msisdn.check_national, "msisdn"),
    "msisdn-without-code": Detector(msisdn.check_without_code, "msisdn"),
    "imsi": Detector(imsi.check, "imsi"),
    "imsi-strict": Detector(imsi.check_strict, "imsi"),
    "imsi-alone": Detector(imsi.check_alone, "imsi"),
    "imei": Detector(imei.check, "imei"),
    "imei-strict": Detector(imei.check_strict, "imei"),
    "imei-digest": Detector(imei.check_digest, "imei"),
    "iccid": Detector(iccid.check, "iccid"),
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
FORMATS = frozenset((*DETECTORS, ATTRIBUTES))
