"""Mobile operators by what their networks write: domains of their gateways, access point names, brands in names.

Comes in: text of a value, a name. Goes out: PLMN codes ("234-10"), or a brand. Every row names the source that has the
domain or the access point beside that operator; `SOURCES` says what they are. The codes are the operator's usual ones
in plmn.tsv, not all that the source repeats the row for. Domains with a code in them are read by 3GPP TS 23.003
sections 9.1 and 14 to 19; a domain of a country that is called like one of its operators (`turkcell.com.tr`) needs no
row, because plmn.tsv names both. No state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice

from leakscan.plmn import plmn, plmns_in

#: So many names of hosts of one value are looked at.
MAX_HOSTS = 8
MAX_CHARS = 1024

_HOST = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9][a-z0-9-]{0,62})+")
_WORDS = re.compile(r"[^a-z0-9]+")
_CODE = re.compile(r"(?:^|\.)mnc([0-9]{2,3})\.mcc([0-9]{3})(?:\.|$)")


def of_hosts(text: str) -> tuple[str, tuple[str, ...]]:
    """The first operator's domain in `text` and whose it is; ("", ()) without one."""
    for labels in _hosts(text):
        for first in range(len(labels) - 1):
            domain = ".".join(labels[first:])
            if domain in DOMAINS:
                return domain, DOMAINS[domain]
    return "", ()


def of_brands(text: str) -> tuple[str, tuple[str, ...]]:
    """The same for domains that no row has: the first one of a country that is called like an operator there."""
    for labels in _hosts(text):
        country = COUNTRY_OF.get(labels[-1], labels[-1].upper())
        if len(labels[-1]) != 2 or labels[-1] in ANYBODYS_COUNTRIES:
            continue
        first = -3 if len(labels) > 2 and labels[-2] in SECOND_LEVEL else -2
        codes = _called(labels[first], country)
        if codes:
            return ".".join(labels[first:]), codes
    return "", ()


def _hosts(text: str) -> Iterator[list[str]]:
    """The names of hosts in `text`, by their labels."""
    for found in islice(_HOST.finditer(text[:MAX_CHARS].lower()), MAX_HOSTS):
        yield found[0].split(".")


@lru_cache(maxsize=1024)
def _called(label: str, country: str) -> tuple[str, ...]:
    """The operator of a country whose name is that label, but for words that say nothing: its networks."""
    wanted = _WORDS.sub("", label)
    if not wanted or wanted.isdigit():
        return ()
    rows = [(row, _WORDS.split(row.name.lower())) for row in plmns_in(country)]
    return tuple(
        row.code
        for row, (first, *rest) in rows
        if "".join((first, *rest)) == wanted or (first == wanted and SAYING_NOTHING.issuperset(rest))
    )


def of_apn(text: str) -> tuple[str, ...]:
    """Whose access point name it is: by the operator identifier in it, else by the name, TS 23.003 section 9.1."""
    apn = text.strip().lower()[:MAX_CHARS]
    coded = _CODE.search(apn)
    if coded is not None:
        mnc, mcc = coded[1], coded[2]
        spellings = (mnc, mnc[1:]) if len(mnc) == 3 and mnc[0] == "0" else (mnc,)  # two digits are padded to three
        return tuple(found.code for spelling in spellings if (found := plmn(mcc, spelling)))
    return APNS.get(apn, ())


@lru_cache(maxsize=1024)
def brand_in(name: str) -> str:
    """The brand of an operators' group that a header's name, or a rule's, begins with; "" without one."""
    return next((brand for begin, brand in BRANDS.items() if name.lower().startswith(begin)), "")


#: Name of a source -> what it is.
SOURCES: Mapping[str, str] = {
    "settings": "GNOME mobile-broadband-provider-info 20230416: access points, message centres, proxies by MCC and MNC",
    "android": "CyanogenMod android_vendor_cm, prebuilt/common/etc/apns-conf.xml at 0028cfc: the same of Android",
    "headers": "hosts in headers that networks wrote, published where detectors/signatures.toml says (Via, x-up-subno)",
    "audiences": "Adobe Target's documentation, Audiences > Network: reverse names of addresses by operator",
    "boards": "google/personfinder, app/jp_mobile_carriers.py: message boards of the operators of Japan",
}

#: Domain -> networks of the operator that has it, and the source. Domains that the operator's fixed network has as well
#: are left out.
DOMAIN_ROWS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "au-net.ne.jp": (("440-50",), "android"),
    "bouyguestelecom.fr": (("208-20",), "settings"),
    "chinamobile.com": (("460-00",), "headers"),
    "cingular.com": (("310-410",), "android"),
    "claro.com.br": (("724-05",), "settings"),
    "dialog.lk": (("413-02",), "settings"),
    "digi.com.my": (("502-16",), "settings"),
    "docomo.ne.jp": (("440-10",), "boards"),
    "ezweb.ne.jp": (("440-50",), "headers"),
    "itelcel.com": (("334-020",), "android"),
    "mobile.att.net": (("310-410",), "settings"),
    "monternet.com": (("460-00",), "settings"),
    "mopera.net": (("440-10",), "settings"),
    "movistar.es": (("214-07",), "settings"),
    "msg.eng.t-mobile.com": (("310-260",), "settings"),
    "mtn.co.za": (("655-10",), "settings"),
    "mts.ru": (("250-01",), "settings"),
    "mycingular.net": (("310-410",), "headers"),
    "myuni.com.cn": (("460-01",), "settings"),
    "myvzw.com": (("311-480",), "audiences"),
    "o2.co.uk": (("234-10",), "settings"),
    "orange.es": (("214-03",), "android"),
    "orange.fr": (("208-01",), "settings"),
    "safaricom.com": (("639-02",), "settings"),
    "singtel.com": (("525-01",), "settings"),
    "softbank.ne.jp": (("440-20",), "android"),
    "spmode.ne.jp": (("440-10",), "android"),
    "sprintpcs.com": (("310-120",), "android"),
    "t-mobile.de": (("262-01",), "settings"),
    "three.co.uk": (("234-20",), "settings"),
    "tim.it": (("222-01",), "settings"),
    "tre.it": (("222-99",), "settings"),
    "turkcell.com.tr": (("286-01",), "settings"),
    "vnet.mobi": (("460-03", "460-11"), "settings"),
    "vodafone.co.uk": (("234-15",), "settings"),
    "vodafone.de": (("262-02",), "settings"),
    "vodafone.es": (("214-01",), "settings"),
    "vodafone.it": (("222-10",), "settings"),
    "vodafone.nl": (("204-04",), "settings"),
    "vtext.com": (("311-480",), "settings"),
    "wind.it": (("222-88",), "settings"),
}
#: Access point name -> networks that use it, and the source; names that many use (internet, wap, ims) are left out.
APN_ROWS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "3gnet": (("460-01",), "settings"),
    "3gwap": (("460-01",), "settings"),
    "cmnet": (("460-00",), "settings"),
    "cmwap": (("460-00",), "settings"),
    "ctlte": (("460-03", "460-11"), "settings"),
    "ctnet": (("460-03", "460-11"), "settings"),
    "ctwap": (("460-03", "460-11"), "settings"),
    "epc.tmobile.com": (("310-260",), "settings"),
    "everywhere": (("234-30", "234-33"), "settings"),
    "fast.t-mobile.com": (("310-260",), "settings"),
    "giffgaff.com": (("234-10",), "settings"),
    "ibox.tim.it": (("222-01",), "settings"),
    "idata.o2.co.uk": (("234-10",), "settings"),
    "internet.t-mobile": (("262-01",), "settings"),
    "internet.wind": (("222-88",), "settings"),
    "isp.cingular": (("310-410",), "android"),
    "mobile.o2.co.uk": (("234-10",), "settings"),
    "movistar.es": (("214-07",), "settings"),
    "nxtgenphone": (("310-410",), "settings"),
    "orangeworld": (("214-03",), "settings"),
    "payandgo.o2.co.uk": (("234-10",), "settings"),
    "pinternet.interkom.de": (("262-07",), "settings"),
    "pp.vodafone.co.uk": (("234-15",), "settings"),
    "prepay.tesco-mobile.com": (("234-10",), "settings"),
    "sl2sfr": (("208-10",), "settings"),
    "spmode.ne.jp": (("440-10",), "android"),
    "three.co.uk": (("234-20",), "settings"),
    "vzwinternet": (("311-480",), "settings"),
    "wap.cingular": (("310-410",), "android"),
    "wap.o2.co.uk": (("234-10",), "settings"),
    "wap.tim.it": (("222-01",), "settings"),
    "wap.vodafone.co.uk": (("234-15",), "android"),
    "web.vodafone.de": (("262-02",), "settings"),
    "websfr": (("208-10",), "settings"),
}
#: Domains of countries: those that are not written like the country, and those that anybody in the world takes.
COUNTRY_OF: Mapping[str, str] = {"uk": "GB"}
ANYBODYS_COUNTRIES = frozenset({"ai", "cc", "co", "fm", "gg", "io", "ly", "me", "to", "tv", "ws"})
#: What stands before the country where domains are given out one level further down.
SECOND_LEVEL = frozenset({"ac", "co", "com", "gov", "ltd", "mobi", "ne", "net", "or", "org", "plc"})
#: Words behind an operator's name that may be missing in its domain.
SAYING_NOTHING = frozenset({"", "communications", "gsm", "mobile", "telecom", "uk", "wireless"})
DOMAINS: Mapping[str, tuple[str, ...]] = {domain: codes for domain, (codes, _) in DOMAIN_ROWS.items()}
APNS: Mapping[str, tuple[str, ...]] = {apn: codes for apn, (codes, _) in APN_ROWS.items()}

#: Begin of a header's name -> brand of a group of operators in several countries: which of them, the name does not say.
#: The catalogue's entries of these names say where they were seen, and at whom.
BRANDS: Mapping[str, str] = {
    "x-h3g-": "3",
    "x-orange-": "Orange",
    "x-telenor-": "Telenor",
    "x-three-": "3",
    "x-vf-": "Vodafone",
    "x-vodafone-": "Vodafone",
    "x-zain-": "Zain",
}
