"""IMSI: the identity of the SIM card in the network.

What: mobile country code (3 digits), mobile network code (2 or 3), subscriber number; at most 15 digits, nearly always
15 (ITU-T E.212; 3GPP TS 23.003 section 2.2). It also stands in network access identifiers,
`0<IMSI>@nai.epc.mnc001.mcc001.3gppnetwork.org` (TS 23.003 section 19.3.2).

Why it matters: it names the subscription for as long as the card lives, tells the home network, and is what
surveillance equipment asks for. It was never meant to leave the mobile network.

What counts: under a known name, 14 or 15 digits that begin with the code of an assigned network (001-01 and 999-99
are test and private ones); where codes of two and of three digits begin alike, both are named. Fewer digits, or a code
that nobody has, count as probable.

What does not: 15 digits under any other name: one in forty random ones begins with the code of a network. Those are
hints, unless they pass for an IMEI. Placeholders.

Example: `x-nokia-imsi: 001010123456789`

Sources: ITU-T E.212 and the networks listed under it (leakscan/plmn.tsv); 3GPP TS 23.003.
"""

from __future__ import annotations

import re

from leakscan.detectors.catalogue import Signature
from leakscan.detectors.imei import LIVE_PREFIXES, luhn
from leakscan.detectors.verdict import (
    IS_PLACEHOLDER,
    PLAUSIBLE,
    REJECTED,
    VALID,
    Verdict,
    digits_only,
    hidden,
    is_dummy,
    masked,
)
from leakscan.plmn import plmn, plmn_candidates

MIN_DIGITS = 6
USUAL_DIGITS = (14, 15)
#: RFC 4282 section 2: user@realm, or home!user@visited; for emergencies "imsi" stands before the digits.
_NAI = re.compile(r"(?:([A-Za-z0-9.-]{1,253})!)?(?:imsi)?(\d{6,16})@(.+)", re.ASCII | re.DOTALL)
#: How the access was authenticated, TS 23.003 clauses 14.3 and 19.3: EAP-AKA, EAP-SIM, EAP-AKA'.
_AUTHENTICATED = ("0", "1", "6")
_LABEL = re.compile(r"[a-z_-]{0,16}(?:imsi|supi)[a-z_-]{0,8}\s?[=:-]\s*", re.IGNORECASE)  # `imsi-` is 5G's, TS 29.571
_FIRST = re.compile(r"\s*[,;|]")
_REALM = re.compile(r"(?:^|\.)mnc(\d{2,3})\.mcc(\d{3})(?:\.|$)", re.ASCII | re.IGNORECASE)
_SEPARATORS = re.compile(r"[ ./-]")


def check(value: str, signature: Signature) -> Verdict:
    """An IMSI under a name that is known, plain or as the user part of a NAI."""
    text = value.strip()
    if found := _LABEL.match(text):
        text = text[found.end() :]
    home: tuple[str, ...] = ()
    if found := _NAI.fullmatch(text):
        home = realm_plmns(found[1] or found[3])
        text = of_realm(found[2], home) or found[2]
        if text[0] in _AUTHENTICATED and (len(text) > max(USUAL_DIGITS) or not plmns(text)):
            text = text[1:]
    else:
        text = _FIRST.split(text, maxsplit=1)[0]
    if is_dummy(text):
        return IS_PLACEHOLDER
    digits = _SEPARATORS.sub("", text).rstrip("Ff")
    if not digits_only(digits):
        return masked(text) or hidden(text, signature.confidence) or REJECTED
    if not MIN_DIGITS <= len(digits) <= max(USUAL_DIGITS):
        return REJECTED
    networks = plmns(digits)
    if not networks:
        return Verdict(PLAUSIBLE, digits, evidence=("network not assigned",), home=home)
    grade = VALID if len(digits) in USUAL_DIGITS else PLAUSIBLE
    return Verdict(grade, digits, evidence=(f"PLMN {' or '.join(networks)}",), home=home or networks)


def check_strict(value: str, signature: Signature) -> Verdict:
    """An IMSI under a name that may hold anything."""
    verdict = check(value, signature)
    return verdict if verdict.grade == VALID else REJECTED


def check_alone(value: str, signature: Signature) -> Verdict:
    """15 digits that are an IMSI and nothing else, under a name that says nothing."""
    verdict = check_strict(value, signature)
    if len(verdict.value) != max(USUAL_DIGITS) or (verdict.value[:2] in LIVE_PREFIXES and luhn(verdict.value)):
        return REJECTED
    return verdict


def is_sure(verdict: Verdict) -> bool:
    """Whether it is as long as an IMSI nearly always is."""
    return len(verdict.value) == max(USUAL_DIGITS)


def of_realm(user: str, realm: tuple[str, ...]) -> str:
    """The IMSI that is the user part of a 3GPP realm's NAI; "" when it is none of that network's. One of 15 digits may
    be of another network of the country: operators have several codes, and virtual ones none."""
    codes = tuple(code.replace("-", "") for code in realm)
    countries = tuple(code[:3] for code in codes)
    for digits in (user, user[1:] if user.startswith(_AUTHENTICATED) else ""):
        if not digits_only(digits) or len(digits) not in USUAL_DIGITS:
            continue
        if digits.startswith(codes):
            return digits
        if len(digits) == max(USUAL_DIGITS) and digits.startswith(countries) and plmns(digits):
            return digits
    return ""


def plmns(digits: str) -> tuple[str, ...]:
    """The home networks, "MCC-MNC", that an IMSI may mean: where MNCs of 2 and of 3 digits begin alike, both."""
    return tuple(found.code for found in plmn_candidates(digits))


def realm_plmns(realm: str) -> tuple[str, ...]:
    """The networks a 3GPP realm may mean. The MNC is padded to 3 digits, so mnc010 is 10 or 010."""
    found = _REALM.search(realm)
    if found is None:
        return ()
    mnc, mcc = found[1], found[2]
    spellings = (mnc, mnc[1:]) if len(mnc) == 3 and mnc[0] == "0" else (mnc,)
    return tuple(network.code for spelling in spellings if (network := plmn(mcc, spelling)))


def is_plmn(digits: str) -> bool:
    """MCC and MNC of an assigned network, without anything between them."""
    return digits_only(digits) and any(len(found.mcc + found.mnc) == len(digits) for found in plmn_candidates(digits))
