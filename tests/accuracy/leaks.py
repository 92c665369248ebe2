"""The corpus's leaks: every kind of identifier, in every form and place that a published source tells of.

In: a seed's generator. Out: cases. Names are those of the catalogue (a name that is not in it cannot be found) and, for
names that tell by a word only, a list of their own.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from random import Random
from urllib.parse import quote

from phonenumbers import PhoneNumberFormat

from leakscan.detectors import ATTRIBUTES, builtin
from leakscan.detectors.catalogue import Signature
from tests.accuracy.cases import Case, case
from tests.accuracy.values import (
    PLANS,
    country,
    digits,
    hexadecimal,
    iccid,
    imei,
    imeisv,
    imsi,
    meid,
    msisdn,
    number,
    octets,
    text,
    written,
)

PER_PLAN = 26
PER_KIND = 160
PER_TOKEN = 12

TELLING: Mapping[str, tuple[str, ...]] = {
    "msisdn": (
        "X-Acme-MSISDN", "msisdn1", "userMsisdn", "subscriber_msisdn", "X-GW-Msisdn-Hdr", "wapmsisdn", "calling_line_id",
        "X-Gw-Calling-Line", "X-Acme-CLID", "x-carrier-mdn", "Subscriber-Number", "X-Subscriber", "mobileNumber",
        "X-Phone-Number", "caller-id", "X-Acme-Calling-Number",
    ),
    "imsi": ("X-Acme-IMSI", "sim_imsi", "userImsi", "imsi2", "deviceimsi", "X-SUPI"),
    "imei": ("X-Acme-IMEI", "deviceImei", "imei_number", "imei2", "X-Device-IMEISV", "phoneimei"),
    "iccid": ("X-Acme-ICCID", "sim_iccid2", "iccid1", "userIccid"),
    "meid_esn": ("X-Acme-MEID", "device_meid", "phone-esn"),
}  # fmt: skip
QUIET = ("u", "id", "ref", "value", "x", "X-Info", "data", "k1")
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.title,
    lambda name: name.replace("-", "_"),
    lambda name: "HTTP_" + name.upper().replace("-", "_"),
)

#: What gateways write: name of the form -> the value for a number, digits from the country code on.
MSISDN_FORMS: Mapping[str, Callable[[Random, str], str]] = {
    "digits": lambda _, value: value,
    "plus": lambda _, value: "+" + value,
    "00": lambda _, value: "00" + value,
    "international": lambda _, value: written(value, PhoneNumberFormat.INTERNATIONAL),
    "tel URI": lambda _, value: written(value, PhoneNumberFormat.RFC3966),
    "sip URI": lambda _, value: f"<sip:+{value}@ims.mnc001.mcc001.3gppnetwork.org;user=phone>",
    "national": lambda _, value: written(value, PhoneNumberFormat.NATIONAL),
    "trunk zero": lambda _, value: f"+{country(value)} (0) {value[len(country(value)) :]}",
    "quoted": lambda _, value: f'"{value}"',
    "number, address": lambda random, value: f"{value}, 10.{random.randrange(256)}.{random.randrange(256)}.7",
    "address, number": lambda _, value: f"100.64.3.9,{value}",
    "number; attribute": lambda _, value: f"{value};type=prepaid",
    "number and time": lambda random, value: value + str(random.randrange(1_300_000_000, 1_790_000_000)),
    "multimedia address": lambda _, value: f"+{value}/TYPE=PLMN",
    "labelled": lambda _, value: f"msisdn={value}",
    "percent": lambda _, value: quote("+" + value, safe=""),
    "percent, nested": lambda _, value: quote(quote("+" + value, safe="")),
    "base64": lambda _, value: b64encode(value.encode()).decode(),
    "base64url": lambda _, value: urlsafe_b64encode(f"+{value}".encode()).decode().rstrip("="),
    "hex of text": lambda _, value: value.encode().hex(),
    "base64 of hex": lambda _, value: b64encode(value.encode().hex().encode()).decode(),
    "base64, three times": lambda _, value: b64encode(b64encode(b64encode(value.encode()))).decode(),
    "base64 of JSON": lambda _, value: b64encode(json.dumps({"msisdn": value, "rat": 6}).encode()).decode(),
    "JWT": lambda random, value: ".".join(
        urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"HS256"}', json.dumps({"sub": "x", "msisdn": value}).encode(), random.randbytes(32))
    ),
}
#: Digits that can be read two ways are believed as they stand: the value may be another one.
PACKED = "base64 of swapped digits"
#: Forms that only a network writes: in a parameter they may be anything.
OF_NETWORKS = ("national", "trunk zero")
HIDDEN_FORMS: Mapping[str, Callable[[Random, str], str]] = {
    "MD5": lambda _, value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda _, value: hashlib.sha256(value.encode()).hexdigest(),
    "cipher": lambda random, _: random.randbytes(16).hex(),
    "masked": lambda _, value: value[:4] + "*" * (len(value) - 6) + value[-2:],
}
IMEI_FORMS: Mapping[str, Callable[[Random, str], str]] = {
    "digits": lambda _, value: value,
    "hyphens": lambda _, value: f"{value[:2]}-{value[2:8]}-{value[8:14]}-{value[14]}",
    "IMEISV": lambda random, _: imeisv(random),
    "IMEISV, hyphens": lambda random, value: f"{value[:8]}-{value[8:14]}-{random.randrange(99):02}",
    "spare zero": lambda _, value: value[:14] + "0",
    "no check digit": lambda _, value: value[:14],
    "URN": lambda _, value: f"urn:gsma:imei:{value[:8]}-{value[8:14]}-{value[14]}",
    "swapped digits": lambda _, value: swapped(value + "F"),
    "base64": lambda _, value: b64encode(value.encode()).decode(),
    "hex of text": lambda _, value: value.encode().hex(),
}
TOKENS: Mapping[str, Callable[[Random], str]] = {
    "x-uidh": lambda r: b64encode((digits(r, 9) + "\0").encode() + r.randbytes(32)).decode(),
    "x-acr": lambda r: f"{hexadecimal(r, 20).upper()};ncc=001001;type={r.choice(('Static', 'Dynamic'))}",
    "x-vf-acr": lambda r: f"001001{r.choice(('STAT', 'DYNM'))}RSV2015-07-09T15:51:15Z{octets(r, 256)}",
    "x-asid": lambda r: "0400" + octets(r, 15).rstrip("="),
    "x-up-subno": lambda r: f"{text(r, 3)}_{digits(r, 10)}_gw{digits(r, 2)}.carrier.example",
    "x-dcmguid": lambda r: text(r, 6) + digits(r, 1),
    "x-jphone-uid": lambda r: text(r, 15) + digits(r, 1),
    "x-em-uid": lambda r: "u" + digits(r, 16),
    "clientid": lambda r: f"{text(r, 24)}-@sprintpcs.com",
    "x-up-nai": lambda r: f"user{digits(r, 6)}@carrier.example",
    "x-nokia-alias": lambda r: hexadecimal(r, 23) + "a",
    "x-amobee-1": lambda r: hexadecimal(r, 32),
    "x-orange-id": lambda r: text(r, 11) + digits(r, 1),
    "x-msisdn-alias": lambda r: text(r, 11) + digits(r, 1),
    "x-subscriber-id": lambda r: text(r, 9) + digits(r, 1),
    "tm-user-id": lambda r: "ES00" + hexadecimal(r, 10).upper(),
}
AGENT_FORMS: Mapping[str, Callable[[Random], str]] = {
    "imei": lambda r: f"DoCoMo/2.0 X01(c500;TB;W24H16;ser{imei(r)};icc8981{digits(r, 15)}F)",
    "imei ": lambda r: f"SoftBank/1.0/910T/TJ001/SN{imei(r)} Browser/1.0",
    "imei  ": lambda r: f"Phone100/1.0 Profile/MIDP-2.0 IMEI/{imei(r)}",
    "imei   ": lambda r: f"Player/2.1 (imei/{imei(r)}; en)",
    "meid_esn": lambda r: f"J-PHONE/4.3/V603T/SNJTUA{number(r, 7)} TS/1.00",
}


def leaks(random: Random) -> Iterator[Case]:
    """All of them."""
    yield from _numbers(random)
    yield from _of_kind(random, "imsi", _imsi_forms)
    yield from _of_kind(random, "imei", lambda r: {form: make(r, imei(r)) for form, make in IMEI_FORMS.items()})
    yield from _of_kind(random, "iccid", _iccid_forms)
    yield from _of_kind(random, "meid_esn", _meid_forms)
    for name, make in TOKENS.items():
        for _ in range(PER_TOKEN):
            yield case(random, "subscriber_token", name, "header", random.choice(SPELLINGS)(name), make(random))
    for identifier, agent in AGENT_FORMS.items():
        for _ in range(PER_TOKEN):
            yield case(random, identifier.strip(), "User-Agent", "user-agent", "User-Agent", agent(random))


def _numbers(random: Random) -> Iterator[Case]:
    """Every form under a known name, telling names, hidden forms, composite values, and numbers alone; in every plan."""
    names, forms = _names("msisdn"), list(MSISDN_FORMS.items())
    for at, plan in enumerate(PLANS):
        for index in range(PER_PLAN):
            form, make = forms[(at + index) % len(forms)]
            digits_of = msisdn(random, plan)
            value = make(random, digits_of)
            place = random.choice(("header", "header", "cookie", "query", "referer", "path"))
            if form in OF_NETWORKS:
                place = "header"
            if place in ("path", "referer", "query"):
                value = quote(value, safe="")
            elif place == "cookie":
                value = value.replace(";", "%3B")
            name = random.choice(SPELLINGS)(random.choice(names))
            hidden = "" if form in OF_NETWORKS else digits_of
            yield case(random, "msisdn", form, place, name, value, hidden=hidden)
        for _ in range(5):
            name = random.choice(TELLING["msisdn"])
            digits_of = msisdn(random, plan)
            value, place = random.choice(("", "", "+", "00")) + digits_of, random.choice(("header", "cookie"))
            yield case(random, "msisdn", "telling name", place, name, value, hidden=digits_of)
        yield _packed(random, random.choice(names), msisdn(random, plan))
        form, make = random.choice(list(HIDDEN_FORMS.items()))
        yield case(random, "msisdn", form, "header", random.choice(names), make(random, msisdn(random, plan)))
        yield _composite(random, msisdn(random, plan))
        yield _inside(random, msisdn(random, plan))
        yield _national(random)
        name, place = random.choice(QUIET), random.choice(("header", "cookie", "query", "referer"))
        if len(value := msisdn(random, plan)) >= 10:  # a shorter one says nothing at all
            yield case(random, "msisdn", "value alone", place, name, value, alone=True)


def _packed(random: Random, name: str, value: str) -> Case:
    octets_of = bytes.fromhex(swapped(value + "F" * (len(value) % 2)))
    return case(random, "msisdn", PACKED, "header", name, b64encode(octets_of).decode())


def _composite(random: Random, value: str) -> Case:
    address = f"10.{random.randrange(256)}.{random.randrange(256)}.9"
    name, packed = random.choice(
        (
            ("X-Network-Info", f"GPRS,{value},{address},wap,unsecured"),
            ("x-subscriber-info", f"IP={address};MSISDN={value}"),
            ("X-OPWV-DDM-Identity", b64encode(f"msisdn={value};station=1".encode()).decode()),
            ("x-wap-fh-subscriber-info", f"msisdn={value}|plan=7"),
            ("X-Acme-Context", f'{{"bearer":"GPRS","msisdn":"{value}"}}'),
        )
    )
    return case(random, "msisdn", "composite", "header", name, packed, hidden=value)


def _inside(random: Random, value: str) -> Case:
    """Somewhere inside a value whose name says nothing, with a telling name before it."""
    place, packed = random.choice(
        (
            ("cookie", quote(json.dumps({"user": 7, "msisdn": value}))),
            ("cookie", f"msisdn:{value}|lang:en"),
            ("query", quote(f"http://portal.example/?a=1&msisdn={value}", safe="")),
            ("referer", quote(f"/pay?subscriberMsisdn={value}&x=2", safe="")),
            ("header", b64encode(json.dumps({"msisdn": value}).encode()).decode()),
            ("header", f"lang=en; msisdn={value}; tz=0"),
        )
    )
    return case(random, "msisdn", "labelled, inside", place, random.choice(QUIET), packed, hidden=value)


def _national(random: Random) -> Case:
    """Ten digits, as CDMA networks know a subscriber, or a number that lost its code."""
    name = random.choice(("x-mdn", "rapmdn", "_rapmin", "x-wap-sesiones3g-mdn", "msisdn-without-cc", "msisdn-no-cc"))
    return case(random, "msisdn", "national by its name", "header", name, "9" + digits(random, 9))


def _of_kind(random: Random, kind: str, forms: Callable[[Random], Mapping[str, str]]) -> Iterator[Case]:
    names = _names(kind)
    for _ in range(PER_KIND):
        for known in (True, True, False):
            form, value = random.choice(list(forms(random).items()))
            name = random.choice(SPELLINGS)(random.choice(names)) if known else random.choice(TELLING[kind])
            place = random.choice(("header", "cookie", "query", "referer"))
            if place != "header":
                value = quote(value, safe="")
            if known or form not in ("spare zero", "no check digit"):
                yield case(random, kind, form if known else "telling name", place, name, value)
    for _ in range(PER_KIND // 4 if kind != "meid_esn" else 0):  # MEIDs have no form of their own
        plain = next(iter(forms(random).values()))
        yield case(
            random, kind, "value alone", random.choice(("cookie", "query")), random.choice(QUIET), plain, alone=True
        )


def _imsi_forms(random: Random) -> dict[str, str]:
    value, network = imsi(random)
    realm = f"mnc{network.mnc.zfill(3)}.mcc{network.mcc}.3gppnetwork.org"
    return {
        "digits": value,
        "NAI": f"0{value}@nai.epc.{realm}",
        "private identity": f"{value}@ims.{realm}",
        "SUPI": f"imsi-{value}",
        "labelled": f"IMSI={value}",
        "parts": f"{network.mcc}-{network.mnc}-{value[3 + len(network.mnc) :]}",
        "swapped digits": swapped(value + "F"),
        "base64": b64encode(value.encode()).decode(),
        "hex of text": value.encode().hex(),
        "before a list": f"{value}, Bearer-Type=WCDMA, lang=en",
    }


def _iccid_forms(random: Random) -> dict[str, str]:
    value = iccid(random, random.choice(PLANS), random.choice((19, 20)))
    return {
        "digits": value,
        "filler": value + "F" if len(value) == 19 else value,
        "groups": " ".join(value[at : at + 4] for at in range(0, len(value), 4)),
        "swapped digits": swapped(value if len(value) == 20 else value + "F"),
        "base64": b64encode(value.encode()).decode(),
    }


def _meid_forms(random: Random) -> dict[str, str]:
    value = meid(random)
    return {
        "hex": value,
        "lower case": value.lower(),
        "decimal": f"{int(value[:8], 16):010}{int(value[8:], 16):08}",
        "groups": f"{value[:2]} {value[2:8]} {value[8:14]}",
        "beside an address": f"{value},192.0.2.7",
    }


def swapped(value: str) -> str:
    """Digits swapped in pairs, TS 29.002 section 17.7.8."""
    return "".join(value[at + 1] + value[at] for at in range(0, len(value), 2))


def _names(identifier: str) -> list[str]:
    """Names of the catalogue under which nothing but this is sent."""
    return [name for entry in builtin().signatures.values() if _is_plain(entry, identifier) for name in entry.names]


def _is_plain(entry: Signature, identifier: str) -> bool:
    return (
        entry.identifier == identifier
        and entry.confidence == "confirmed"
        and {"header", "cookie", "query"} <= entry.places
        and not {ATTRIBUTES, "msisdn-national", "msisdn-without-code"} & set(entry.formats)
    )
