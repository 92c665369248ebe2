"""Network nodes: the gateways and access points that carried the request.

What: addresses or names of GGSN, SGSN, NAS and proxies, access point names (APN), product names of gateways.

Why it matters: it tells outsiders how the network is built, which of its nodes serves a customer, and sometimes the
province. It is also the best evidence for which network a leak came from.

What counts: a value of the right form under a known name. In Via, only entries that name a mobile gateway; a host's
name that sounds like one, or lies in an operator's domain, is a hint. Low.

What does not: Via entries of ordinary proxies and content networks; headers of corporate proxies are hints.

Example: `sgsn-ip-address: 203.0.113.10`

Sources: vendors' manuals and published header lists, named in the catalogue; RFC 9110 section 7.6.3 for Via.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from leakscan.detectors import address
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import IS_PLACEHOLDER, PLAUSIBLE, REJECTED, VALID, Verdict, digits_only, is_placeholder
from leakscan.operators import of_brands, of_hosts

MAX_TEXT_CHARS = 256
_APN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}\.)*[A-Za-z0-9_-]{1,62}")
_WAP_HOST = re.compile(r"\bwap[-_]?gw|\bwapproxy|\bgw[-_]?wap")
_TEXT = re.compile(r"[ -~]+")


def check_address(value: str, signature: Signature) -> Verdict:
    """The address of a node, public or private, with or without a port."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    found = address.parse(text)
    if found is None or found.is_unspecified or found.is_loopback:
        return REJECTED
    return Verdict(VALID, str(found))


def check_apn(value: str, signature: Signature) -> Verdict:
    """An access point name, 3GPP TS 23.003 section 9."""
    text = value.strip()
    if is_placeholder(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text, text.lower()) if len(text) <= 100 and _APN.fullmatch(text) else REJECTED


def check_text(value: str, signature: Signature) -> Verdict:
    """A name, product or number of a node."""
    text = value.strip()
    if is_placeholder(text) and not digits_only(text):
        return IS_PLACEHOLDER
    return Verdict(VALID, text) if len(text) <= MAX_TEXT_CHARS and _TEXT.fullmatch(text) else REJECTED


def check_via(value: str, signature: Signature) -> Verdict:
    """A Via entry that names a mobile gateway. By its host's name alone it is evidence for the network, and a hint."""
    text = value.strip()[:MAX_TEXT_CHARS]
    for word, (what, carriers) in GATEWAYS.items():
        if word in text.lower():
            return Verdict(VALID, text, evidence=(what,), carriers=carriers)
    if _WAP_HOST.search(text.lower()):
        return Verdict(PLAUSIBLE, text, evidence=("WAP gateway by its host's name",))
    named = of_hosts(text)[0] or of_brands(text)[0]
    return Verdict(PLAUSIBLE, text, evidence=("operator's domain",)) if named else REJECTED


def check_carrier_mode(value: str, signature: Signature) -> Verdict:
    """Novarra's `product (carrier; mode)`."""
    verdict = check_text(value, signature)
    if verdict.grade == VALID and "(vf-uk;" in value.lower():
        return verdict._replace(carriers=("234-15",))
    return verdict


#: Word in a Via entry, lower case -> (what it is, PLMNs of the network it names).
GATEWAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "chinamobile.com": ("China Mobile gateway", ("460-00",)),
    "monternet.com": ("China Mobile gateway", ("460-00",)),
    "xmg-31_vodafone": ("Vodafone gateway", ()),
    "wap gateway": ("WAP gateway", ()),
    "wap-gateway": ("WAP gateway", ()),
    "wap proxy": ("WAP gateway", ()),
    "wap server": ("WAP gateway", ()),
    "wtp/1": ("WAP gateway", ()),  # the protocol on the phone's side
    "wsp/1": ("WAP gateway", ()),
    "kannel": ("WAP gateway", ()),
    "jataayu": ("WAP gateway", ()),
    "nowwap": ("WAP gateway", ()),
    "comverse": ("WAP gateway", ()),
    "openwave": ("Openwave gateway", ()),
    "infox-wisg": ("Huawei gateway", ()),
    "zxwap": ("ZTE gateway", ()),
    "bytemobile": ("Bytemobile optimiser", ()),
    "724solutions": ("724 Solutions gateway", ()),
    "novarra": ("Novarra transcoder", ()),
    "up.link": ("Openwave gateway", ()),
    "mobile gateway": ("mobile gateway", ()),
    "ggsn": ("GGSN", ()),
}
