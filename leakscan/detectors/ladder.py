"""Verdict -> Match: what a finding is worth, by name, place and value. The ladder that docs/detectors/README.md draws.

No state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from leakscan.detectors.catalogue import PLACE_CLASSES, Signature
from leakscan.detectors.verdict import ENCRYPTED, GUESSED, HASHED, PLAIN, VALID, Verdict
from leakscan.model import CONFIDENCES, SEVERITIES, Field, Match


def match_of(field: Field, signature: Signature, verdict: Verdict, chain: tuple[str, ...]) -> Match:
    """The match that a verdict comes to; `chain` are the encodings undone for it, outermost first."""
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
        origin="client-sent" if _writer(field, signature) in CLIENT_SIDE else "unknown",
        evidence=(_name_evidence(signature), *_form_evidence(verdict), *verdict.evidence),
        carriers=verdict.carriers or signature.carriers,
        home=verdict.home,
        spans=(field.value,) if field.value != verdict.value else (),
    )


def _writer(field: Field, signature: Signature) -> str:
    """Who writes the name there. A Referer may repeat what a site was told by the network."""
    by_request = field.place in ("query", "path", "body")
    return (signature.parameter_by if by_request else "") or signature.added_by


def _form_evidence(verdict: Verdict) -> tuple[str, ...]:
    return () if verdict.form == PLAIN else (verdict.form,)


def _confidence(field: Field, signature: Signature, verdict: Verdict) -> str:
    """A plausible value is worth one step less than a valid one, and a hint where clients write what they like, unless
    it is long and the name means nothing else. What a form calls a number is nobody's in a path, which leads to a page
    about it. A hash is never more than probable, but it is not a chance value either
    when the name says of what."""
    certain, probable, hint = CONFIDENCES[::-1]
    if signature.id in FORMS and (field.place == "path" or field.name.startswith("/")):
        return hint
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


def under(match: Match, outer: Signature, inner: Signature) -> Match:
    """A match in a part of a composite value: no more certain than the whole, unless the name of the whole tells so
    little that the part's counts as it would under any."""
    capped = outer.confidence != CONFIDENCES[0]
    return replace(
        match,
        rule=f"{outer.id}.{inner.id}",
        confidence=min(match.confidence, outer.confidence if capped else match.confidence, key=CONFIDENCES.index),
        carriers=match.carriers or outer.carriers,
        evidence=(NAME_EVIDENCE, *match.evidence[1:]),
    )


def best(found: list[Match]) -> list[Match]:
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
CLIENT_SIDE = ("app", "device")
#: Kinds of which a plausible value counts in a parameter, too; a wrong check digit makes an IMEI anything.
NUMBERED, MIN_LONG_DIGITS = ("msisdn", "imsi", "iccid"), 9
#: Rules of names that forms use.
FORMS = ("phone", "name-says-phone")
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
