"""Subscriber tokens: opaque names that a network gives to its customers.

What: a value that stands for the subscriber without being the number: X-UIDH (Verizon), X-ACR (AT&T), ACR (Vodafone,
GSMA), X-ASID (Dutch networks), x-up-subno (Openwave), the i-mode, J-PHONE and EMOBILE ids, and many more that are
known by their header's name only.

Why it matters: the same token on every site makes all of them able to follow a person, with cookies deleted and in
private mode. Some tokens are the number behind a cipher, some tell the network in clear.

What counts: the form that is known for the name: confirmed. Another opaque value under a name only networks use:
probable, because operators change the form. A token that changes by design is reported as rotating and not counted
as a subscriber. A network access identifier whose user is an IMSI, or a number, is reported as that; ten digits of
North America's plan are probable.

What does not: cookies and parameters of websites and programs (`uid=`, `sid=`); words without a digit; placeholders.

Example: `X-ACR: AABBCCDDEEFF00112233;ncc=001001;type=Dynamic` (made up)

Sources: public write-ups of each scheme, named in the catalogue; Nokia 7750 SR guide for the ACR.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from leakscan.detectors import imei, imsi, msisdn
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.encodings import encoded
from leakscan.detectors.verdict import (
    ENCRYPTED,
    IS_PLACEHOLDER,
    NO,
    PLAUSIBLE,
    REJECTED,
    VALID,
    Verdict,
    digits_only,
    is_placeholder,
    opaque,
)

UIDH_BYTES = 42
UIDH_HEAD = re.compile(rb"(\d{9})\0")
_ACR = re.compile(
    r"([A-Za-z0-9+/=_-]{8,512});(?:[a-z]+=[^;]{1,64};)*?ncc=(\d{5,6})(?:;|$)(.*)", re.ASCII | re.IGNORECASE
)
_VF_ACR = re.compile(
    r"(\d{3})(\d{3})(STAT|DYNM)(RSV)?(\d{4}-\d\d-\d\dT[0-9:.]{5,12}Z)?([A-Za-z0-9+/=_-]{16,})", re.ASCII
)
_ASID = re.compile(r"(\d{2})(\d{2})[A-Za-z0-9+/]{6,}", re.ASCII)
_SUBNO = re.compile(r"([A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*)_([a-z0-9-]+(?:\.[a-z0-9-]+)+)")
_SPRINT = re.compile(r"[A-Za-z0-9+/=_-]{12,}@sprintpcs\.com", re.IGNORECASE)
_NAI = re.compile(r"([^@\s]{1,128})@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_LOGIN = re.compile(r"[!-~]{1,64}")
MIN_LOGIN_DIGITS = 5
_DCM_GUID = re.compile(r"[0-9A-Za-z]{7}")
_DOCOMO_UID = re.compile(r"(?=.*[A-Za-z])(?=.*\d)0[0-9][0-9A-Za-z]{10}", re.ASCII)
_JPHONE_UID = re.compile(r"[0-9A-Za-z]{16}")
_EM_UID = re.compile(r"u[0-9A-Za-z]{6,32}")


def check_opaque(value: str, signature: Signature) -> Verdict:
    """Any single word with a digit in it: all that is known of most tokens."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text) if opaque(text) else REJECTED


def check_uidh(value: str, signature: Signature) -> Verdict:
    """X-UIDH: base64 of 9 ASCII digits, a NUL and 32 bytes. The head stays when the rest rotates."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    head = UIDH_HEAD.match(data)
    if head and len(data) == UIDH_BYTES:
        return Verdict(VALID, text, head[1].decode(), ("42 bytes", "stable head"))
    return Verdict(PLAUSIBLE, text, evidence=("unknown form",), rotating=True) if opaque(text, 16) else REJECTED


def check_acr(value: str, signature: Signature) -> Verdict:
    """X-ACR: token;ncc=<MCC MNC>;type=Static|Dynamic. Seen in one source only, so other opaque values are plausible."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if found := _ACR.fullmatch(text):
        home = imsi.plmns(found[2]) if imsi.is_plmn(found[2]) else ()
        rotating = "type=dynamic" in found[3].lower()
        return Verdict(VALID, text, found[1], (f"ncc={found[2]}",), home=home, rotating=rotating)
    return check_vf_acr(text, signature)


def check_vf_acr(value: str, signature: Signature) -> Verdict:
    """ACR: MCC, network code padded to 3 digits, STAT (the encrypted number) or DYNM (new for each session)."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if found := _VF_ACR.fullmatch(text):
        home = imsi.realm_plmns(f"mnc{found[2]}.mcc{found[1]}")
        dynamic = found[3] == "DYNM"
        normal = text if dynamic else found[1] + found[2] + found[6]
        return Verdict(VALID, text, normal, (found[3],), home=home, rotating=dynamic)
    return Verdict(PLAUSIBLE, text, evidence=("unknown form",)) if opaque(text, 8) else REJECTED


def check_asid(value: str, signature: Signature) -> Verdict:
    """X-ASID: 2 digits for the operator, 2 for the future, base64 without padding."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    found = _ASID.fullmatch(text)
    return Verdict(VALID, text, evidence=(f"operator id {found[1]}",)) if found else REJECTED


def check_subno(value: str, signature: Signature) -> Verdict:
    """x-up-subno: <prefix>_<digits>_<gateway>; the gateway's domain names the network. Some gateways put the number."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if (found := _SUBNO.fullmatch(text)) and any(c.isdigit() for c in found[1]):
        carriers = next((plmn for domain, plmn in SUBNO_DOMAINS.items() if ("." + found[2]).endswith(domain)), ())
        return Verdict(VALID, text, evidence=("gateway in the value",), carriers=carriers)
    number = msisdn.check_strict(text, signature)
    if number.grade == VALID:
        return number._replace(identifier="msisdn")
    return Verdict(PLAUSIBLE, text, evidence=("unknown form",)) if opaque(text, 6) else REJECTED


def check_sprint(value: str, signature: Signature) -> Verdict:
    """Sprint's clientid: a token before @sprintpcs.com. The name alone is common among programs."""
    text = value.strip()
    return (
        Verdict(VALID, text, evidence=("sprintpcs.com",), carriers=("310-120",))
        if _SPRINT.fullmatch(text)
        else REJECTED
    )


def check_nai(value: str, signature: Signature) -> Verdict:
    """Network access identifier (RFC 7542), user@realm; the user part may be the number or the IMSI."""
    text = value.strip()
    found = _NAI.fullmatch(text)
    if found is None:
        return IS_PLACEHOLDER if is_placeholder(text) else REJECTED
    home = imsi.realm_plmns(found[2])
    user = found[1].rpartition("!")[2].lower()
    if home or "3gppnetwork" in found[2]:
        card = imsi.check_strict(text, signature)
        if card.grade == VALID:
            return card._replace(identifier="imsi")
        if user.startswith("imei"):  # an emergency without a card, TS 23.003 clause 19.3.6
            device = imei.check(user[4:], signature)
            return device._replace(identifier="imei", home=home) if device.grade == VALID else device
    if digits_only(user):
        number = msisdn.check_strict(user, signature)
        if number.grade != VALID:
            number = msisdn.mdn(user, signature)
        if number.grade > NO:
            return number._replace(identifier="msisdn", home=home)
    return Verdict(VALID, text, text.lower(), ("user@realm",), home=home)


def check_supi(value: str, signature: Signature) -> Verdict:
    """5G's names of a subscriber and a device: imsi-, imei-, msisdn- and the number (3GPP TS 29.571 section 5.3.2)."""
    kind, mark, number = value.strip().lower().partition("-")
    check = {"imsi": imsi.check_strict, "imei": imei.check_strict, "msisdn": msisdn.check_strict}.get(kind)
    if not mark or check is None:
        return REJECTED
    return check(number, signature)._replace(identifier=kind)


def check_login(value: str, signature: Signature) -> Verdict:
    """A login that is somebody's: user@realm, or five digits in it. Others are plausible."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    if encoded(text):
        return REJECTED  # what it is decoded to is judged
    own = _NAI.fullmatch(text) or sum("0" <= c <= "9" for c in text) >= MIN_LOGIN_DIGITS
    if not own and not _LOGIN.fullmatch(text):
        return REJECTED
    return Verdict(VALID if own and opaque(text) else PLAUSIBLE, text, text.lower())


def check_dcm_guid(value: str, signature: Signature) -> Verdict:
    """docomo's i-mode id: 7 letters and digits."""
    return _form(value, _DCM_GUID)


def check_docomo_uid(value: str, signature: Signature) -> Verdict:
    """docomo's older id, 12 letters and digits, which replaces uid=NULLGWDOCOMO in a query; begins with 00 or 01."""
    text = value.strip()
    if text.upper() == "NULLGWDOCOMO":
        return IS_PLACEHOLDER
    mixed = text.startswith(("00", "01")) and not text.islower() and not text.isupper()
    verdict = _form(text, _DOCOMO_UID)
    return verdict if mixed or verdict.grade != VALID else verdict._replace(grade=PLAUSIBLE)


def check_jphone_uid(value: str, signature: Signature) -> Verdict:
    """SoftBank's id: 16 letters and digits."""
    return _form(value, _JPHONE_UID)


def check_em_uid(value: str, signature: Signature) -> Verdict:
    """EMOBILE's id: u and letters and digits."""
    return _form(value, _EM_UID)


def check_encrypted(value: str, signature: Signature) -> Verdict:
    """An encrypted number: unreadable, and yet the same at every site."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text, form=ENCRYPTED) if opaque(text, 8) and not digits_only(text) else REJECTED


def check_guid_switch(value: str, signature: Signature) -> Verdict:
    """guid=ON: no identifier, but what asks docomo's gateway for one."""
    return Verdict(VALID, "ON", evidence=("asks the gateway for an id",)) if value.strip().upper() == "ON" else REJECTED


def _form(value: str, pattern: re.Pattern[str]) -> Verdict:
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text) if pattern.fullmatch(text) else REJECTED


#: Domain of the gateway in an x-up-subno -> its network.
SUBNO_DOMAINS: Mapping[str, tuple[str, ...]] = {
    ".ezweb.ne.jp": ("440-50",),
    ".mycingular.net": ("310-410",),
    ".tim.it": ("222-01",),
}
