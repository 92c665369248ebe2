"""Mobile operators by what their networks write: domains of their gateways, access point names, brands in names.

Comes in: text of a value, a name. Goes out: PLMN codes ("234-10"), or a brand. Sources: the settings that operators
publish for their customers' phones, the hosts of published gateway headers (detectors/signatures.toml names them), and
3GPP TS 23.003 sections 9.1 and 14 to 19 for the domains with the code in them. No state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from leakscan.plmn import plmn

#: So many names of hosts of one value are looked at.
MAX_HOSTS = 8
MAX_CHARS = 1024

_HOST = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9][a-z0-9-]{0,62})+")
_CODE = re.compile(r"(?:^|\.)mnc([0-9]{2,3})\.mcc([0-9]{3})(?:\.|$)")


def of_hosts(text: str) -> tuple[str, tuple[str, ...]]:
    """The first operator's domain in `text` and whose it is; ("", ()) without one."""
    for count, found in enumerate(_HOST.finditer(text[:MAX_CHARS].lower())):
        if count >= MAX_HOSTS:
            break
        labels = found[0].split(".")
        for first in range(len(labels) - 1):
            domain = ".".join(labels[first:])
            if domain in DOMAINS:
                return domain, DOMAINS[domain]
    return "", ()


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


#: Domain -> networks of the operator that has it. Domains that the operator's fixed network has as well are left out.
DOMAINS: Mapping[str, tuple[str, ...]] = {
    "10086.cn": ("460-00",),
    "au-net.ne.jp": ("440-50",),
    "bouyguestelecom.fr": ("208-20",),
    "celcom.com.my": ("502-19",),
    "chinamobile.com": ("460-00",),
    "chinaunicom.com": ("460-01",),
    "claro.com.br": ("724-05",),
    "dialog.lk": ("413-02",),
    "digi.com.my": ("502-16",),
    "docomo.ne.jp": ("440-10",),
    "ee.co.uk": ("234-30", "234-33"),
    "ezweb.ne.jp": ("440-50",),
    "jp-t.ne.jp": ("440-20",),
    "maxis.com.my": ("502-12",),
    "megafon.ru": ("250-02",),
    "mobile.att.net": ("310-410",),
    "monternet.com": ("460-00",),
    "mopera.net": ("440-10",),
    "movistar.es": ("214-07",),
    "msg.eng.t-mobile.com": ("310-260",),
    "mtn.co.za": ("655-10",),
    "mts.ru": ("250-01",),
    "mycingular.com": ("310-410",),
    "mycingular.net": ("310-410",),
    "myuni.com.cn": ("460-01",),
    "myvzw.com": ("311-480",),
    "o2.co.uk": ("234-10",),
    "o2.de": ("262-03", "262-07"),
    "orange.co.uk": ("234-33",),
    "orange.es": ("214-03",),
    "orange.fr": ("208-01",),
    "safaricom.co.ke": ("639-02",),
    "safaricom.com": ("639-02",),
    "sfr.fr": ("208-10",),
    "singtel.com": ("525-01",),
    "softbank.ne.jp": ("440-20",),
    "sprintpcs.com": ("310-120",),
    "t-mobile.co.uk": ("234-30",),
    "t-mobile.de": ("262-01",),
    "t-mobile.nl": ("204-16",),
    "telcel.com": ("334-020",),
    "three.co.uk": ("234-20",),
    "tim.com.br": ("724-02", "724-03", "724-04"),
    "tim.it": ("222-01",),
    "tmodns.net": ("310-260",),
    "tre.it": ("222-99",),
    "turkcell.com.tr": ("286-01",),
    "vnet.mobi": ("460-03",),
    "vodacom.co.za": ("655-01",),
    "vodafone.co.uk": ("234-15",),
    "vodafone.de": ("262-02",),
    "vodafone.es": ("214-01",),
    "vodafone.it": ("222-10",),
    "vodafone.ne.jp": ("440-20",),
    "vodafone.nl": ("204-04",),
    "vtext.com": ("311-480",),
    "vzwnet.com": ("311-480",),
    "wind.it": ("222-88",),
    "wireless.att.com": ("310-410",),
}

#: Access point name -> networks that use it; names that many use (internet, wap, ims) are left out.
APNS: Mapping[str, tuple[str, ...]] = {
    "3gnet": ("460-01",),
    "3gwap": ("460-01",),
    "cmnet": ("460-00",),
    "cmwap": ("460-00",),
    "ctlte": ("460-03",),
    "ctnet": ("460-03",),
    "ctwap": ("460-03",),
    "epc.tmobile.com": ("310-260",),
    "everywhere": ("234-30", "234-33"),
    "fast.t-mobile.com": ("310-260",),
    "giffgaff.com": ("234-10",),
    "ibox.tim.it": ("222-01",),
    "idata.o2.co.uk": ("234-10",),
    "internet.telecel": ("268-01",),
    "internet.t-mobile": ("262-01",),
    "internet.wind": ("222-88",),
    "isp.cingular": ("310-410",),
    "jionet": ("405-840",),
    "mobile.o2.co.uk": ("234-10",),
    "movistar.es": ("214-07",),
    "nxtgenphone": ("310-410",),
    "orangeworld": ("214-03",),
    "payandgo.o2.co.uk": ("234-10",),
    "pinternet.interkom.de": ("262-07",),
    "pp.vodafone.co.uk": ("234-15",),
    "prepay.tesco-mobile.com": ("234-10",),
    "sl2sfr": ("208-10",),
    "spmode.ne.jp": ("440-10",),
    "three.co.uk": ("234-20",),
    "uninet": ("460-01",),
    "uniwap": ("460-01",),
    "vzwinternet": ("311-480",),
    "wap.cingular": ("310-410",),
    "wap.o2.co.uk": ("234-10",),
    "wap.tim.it": ("222-01",),
    "wap.vodafone.co.uk": ("234-15",),
    "web.vodafone.de": ("262-02",),
    "websfr": ("208-10",),
    "wonet": ("460-01",),
}

#: Begin of a header's name -> brand of a group of operators in several countries: which of them, the name does not say.
BRANDS: Mapping[str, str] = {
    "x-h3g-": "3",
    "x-orange-": "Orange",
    "x-telenor-": "Telenor",
    "x-three-": "3",
    "x-vf-": "Vodafone",
    "x-vodafone-": "Vodafone",
    "x-zain-": "Zain",
}
