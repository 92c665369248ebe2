"""The corpus's decoys: what looks like an identifier, in requests as browsers and programs send them, and is none.

In: a seed's generator. Out: cases that give nothing away, `PER_FAMILY` of each family.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from random import Random
from urllib.parse import quote
from uuid import UUID

from tests.accuracy.cases import Case, case
from tests.accuracy.values import PLANS, digits, hexadecimal, imei, imsi, msisdn, number, octets, text

PER_FAMILY = 650

EMPTY_NAMES = (
    "msisdn", "X-MSISDN", "x-up-calling-line-id", "User-Identity-Forward-msisdn", "imsi", "X-Nokia-IMSI", "imei", "X-IMEI",
    "iccid", "meid", "x-up-subno", "X-UIDH", "X-Subscriber", "X-ACR",
)  # fmt: skip
NOTHING = (
    "", "unknown", "null", "(null)", "undefined", "0", "-", "n/a", "none", "void", "not_available", "anonymous",
    "000000000000000", "99999999999", "${msisdn}", "{{imei}}", "true", "no", "hidden", "NA", "xxx",
)  # fmt: skip

Field = tuple[str, str, str]  # place, name, value
Maker = Callable[[Random], Field]


def seconds(random: Random) -> str:
    return str(random.randrange(1_262_304_000, 1_790_000_000))


def milliseconds(random: Random) -> str:
    return seconds(random) + digits(random, 3)


def uuid(random: Random) -> str:
    return str(UUID(bytes=random.randbytes(16), version=4))


def decimals(random: Random, limit: int) -> str:
    return f"{random.uniform(-limit, limit):.{random.choice((4, 5, 6, 7, 14))}f}"


def ean(random: Random) -> str:
    """EAN-13 with its check digit, GS1 General Specifications section 7.9."""
    body = random.choice(("40", "50", "978", "761", "690", "87", "57")) + digits(random, 9)
    body = (body + digits(random, 12))[:12]
    return body + str(-sum(int(digit) * (1, 3)[at % 2] for at, digit in enumerate(body)) % 10)


def _place(random: Random, *places: str) -> str:
    return random.choice(places or ("query", "cookie", "header"))


def _analytics(random: Random) -> Field:
    name, value = random.choice(
        (
            ("_ga", f"GA1.2.{number(random, 10)}.{seconds(random)}"),
            ("_gid", f"GA1.2.{number(random, 9)}.{seconds(random)}"),
            ("_fbp", f"fb.1.{milliseconds(random)}.{number(random, random.choice((9, 10)))}"),
            ("__utma", ".".join([number(random, 9), number(random, 10), *(seconds(random) for _ in range(3)), "4"])),
            ("__utmz", f"{number(random, 9)}.{seconds(random)}.1.1.utmcsr=(direct)|utmccn=(direct)|utmcmd=(none)"),
            ("_gcl_au", f"1.1.{number(random, 9)}.{seconds(random)}"),
            ("_ym_uid", seconds(random) + number(random, 9)),
            ("yandexuid", number(random, random.choice((17, 18, 19)))),
            ("AMCV_0123", f"MCMID%7C{number(random, 38)}%7CMCAAMLH-{seconds(random)}%7C9"),
            ("mbox", f"PC#{milliseconds(random)}-{number(random, 6)}.28_14#{seconds(random)}"),
            ("guest_id", "v1%3A" + number(random, 18)),
            ("uuid2", number(random, 19)),
            ("c_user", "1000" + digits(random, 11)),
            ("Hm_lvt_0a1b", f"{seconds(random)},{seconds(random)}"),
            ("CNZZDATA7", f"{number(random, 9)}-{seconds(random)}-http%253A%252F%252Fx.example%7C{seconds(random)}"),
            ("optimizelyEndUserId", f"oeu{milliseconds(random)}r0.{number(random, 16)}"),
            ("mp_mixpanel", quote(json.dumps({"distinct_id": f"{hexadecimal(random, 14)}-{number(random, 6)}"}))),
        )
    )
    return "cookie", name, value


def _times(random: Random) -> Field:
    value = random.choice(
        (
            seconds(random),
            milliseconds(random),
            milliseconds(random) + digits(random, 3),
            f"{seconds(random)}.{digits(random, 6)}",
            f"20{random.randrange(10, 27)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}{digits(random, 6)}",
            f"-{seconds(random)}",
        )
    )
    return _place(random), random.choice(("t", "ts", "_", "time", "last_visit", "X-Timestamp", "expires", "cb")), value


def _orders(random: Random) -> Field:
    name = random.choice(
        ("order", "orderNo", "invoice", "cart_id", "X-Order", "ref", "customer", "ticket", "id", "txn")
    )
    return _place(random), name, number(random, random.choice((8, 9, 10, 11, 12, 13, 14, 15, 16)))


def _parcels(random: Random) -> Field:
    made = random.choice(
        (
            number(random, 12),
            number(random, 15),
            "94001" + digits(random, 17),
            "00" + number(random, 18),
            "1Z" + text(random, 16, "0123456789ABCDEFGH"),
            "89" + digits(random, 17),
        )
    )
    return _place(random, "query", "path"), random.choice(("tracking", "parcel", "shipment", "awb")), made


def _hashes(random: Random) -> Field:
    value = hexadecimal(random, random.choice((32, 40, 56, 64)))
    name = random.choice(("hash", "md5", "sig", "etag", "h", "X-Signature", "checksum", "cache_key"))
    return _place(random), name, random.choice((value, value.upper(), f'"{value}"'))


def _digit_runs(random: Random) -> Field:
    """Hexadecimal with a run of digits that is as long as an identifier."""
    run = number(random, random.choice((11, 12, 15, 19)))
    value = hexadecimal(random, 3) + random.choice("abcdef") + run + random.choice("abcdef") + hexadecimal(random, 8)
    return _place(random), random.choice(("sid", "token", "k", "X-Token", "session")), value


def _coordinates(random: Random) -> Field:
    latitude, longitude = decimals(random, 90), decimals(random, 180)
    name, value = random.choice(
        (
            ("lat", latitude),
            ("lng", longitude),
            ("ll", f"{latitude},{longitude}"),
            ("bbox", ",".join(decimals(random, 180) for _ in range(4))),
            ("center", f"{latitude}%2C{longitude}"),
            ("X-Location", f"{latitude};{longitude}"),
        )
    )
    return _place(random, "query", "header"), name, value


def _articles(random: Random) -> Field:
    return _place(random, "query", "path", "cookie"), random.choice(("ean", "isbn", "gtin", "sku", "upc")), ean(random)


def _traces(random: Random) -> Field:
    name, value = random.choice(
        (
            ("traceparent", f"00-{hexadecimal(random, 32)}-{hexadecimal(random, 16)}-01"),
            ("X-B3-TraceId", hexadecimal(random, 16)),
            ("X-Amzn-Trace-Id", f"Root=1-{hexadecimal(random, 8)}-{hexadecimal(random, 24)}"),
            ("X-Cloud-Trace-Context", f"{hexadecimal(random, 32)}/{number(random, random.choice((15, 18, 19)))};o=1"),
            ("X-Request-Id", number(random, random.choice((15, 16, 20)))),
            ("X-Correlation-Id", uuid(random)),
            ("X-Trace-Id", number(random, 19)),
            ("uber-trace-id", f"{hexadecimal(random, 16)}:{hexadecimal(random, 16)}:0:1"),
        )
    )
    return "header", name, value


def _uuids(random: Random) -> Field:
    value = random.choice((str, str.upper, lambda made: made.replace("-", ""), lambda made: "{" + made + "}"))(
        uuid(random)
    )
    return _place(random), random.choice(("uuid", "guid", "uid", "device", "X-Session", "visitor", "did")), value


def _versions(random: Random) -> Field:
    value = random.choice(
        (
            ".".join(number(random, random.choice((1, 2, 3))) for _ in range(4)),
            f"4.{random.randrange(20)}.20{digits(random, 10)}",
            f"build-{number(random, 10)}",
            f"{number(random, 2)}.{number(random, 12)}",
            f"v{number(random, 11)}",
        )
    )
    return _place(random), random.choice(("v", "ver", "version", "build", "X-App-Version", "rev")), value


def _sessions(random: Random) -> Field:
    name, value = random.choice(
        (
            ("JSESSIONID", hexadecimal(random, 32).upper()),
            ("PHPSESSID", number(random, 26)),
            ("ASP.NET_SessionId", text(random, 24).lower()),
            ("session", number(random, random.choice((12, 15, 16, 20)))),
            ("sid", text(random, 24)),
            ("uid", random.choice((number(random, 16), number(random, 19), text(random, 16), hexadecimal(random, 12)))),
            ("token", octets(random, 32)),
            ("Authorization", f"Bearer {text(random, 36)}.{text(random, 60)}.{text(random, 43)}"),
        )
    )
    return ("header" if name == "Authorization" else _place(random, "cookie", "query")), name, value


def _placeholders(random: Random) -> Field:
    """A known name, and nothing under it."""
    return _place(random), random.choice(EMPTY_NAMES), random.choice(NOTHING)


def _other_ids(random: Random) -> Field:
    """A known name, and something else under it: what programs send, and what an address is."""
    name, value = random.choice(
        (
            ("imei", uuid(random)),
            ("imei", random.choice(("1", "2", "004999010640000", "358240051111110"))),
            ("imei", hexadecimal(random, 16)),
            ("device_id", uuid(random)),
            ("deviceId", hexadecimal(random, 16)),
            ("device_id", number(random, random.choice((10, 13, 17, 19)))),
            ("msisdn", random.choice(("yes", "wifi", "12", "4711"))),
            ("x-wap-msisdn", f"10.{random.randrange(256)}.2.3"),
            ("clid", number(random, 7)),
            ("X-CLI-Version", f"{number(random, 2)}.{number(random, 1)}.{number(random, 8)}"),
            ("subscriber_count", number(random, random.choice((10, 11, 12)))),
            ("subscriberId", "1" + number(random, 11)),
            ("cli", random.choice(("php", hexadecimal(random, 8)))),
            ("subscriber", random.choice((uuid(random), number(random, 7), "premium"))),
            ("newsletter_subscriber", number(random, 8)),
            ("phone", random.choice(("iphone", "1", "samsung", "0"))),
            ("mobile", random.choice(("true", "1", "no"))),
            ("tel", random.choice(("%2B" + msisdn(random, "GB")[:6], "n/a"))),
            ("clientid", f"{number(random, 10)}.{seconds(random)}"),
            ("acr", random.choice(("0", "1", "urn:mace:incommon:iap:silver"))),
            ("mdn", random.choice(("web", "1"))),
        )
    )
    return _place(random), name, value


def _models(random: Random) -> Field:
    """What describes thousands of devices."""
    name, value = random.choice(
        (
            ("x-wap-profile", f'"http://wap.example/UAprof/{number(random, 4)}r100.xml"'),
            ("19-Profile", f'"http://wap.example/{number(random, 8)}.xml"'),
            ("X-Up-Devcap-Screenpixels", f"{number(random, 3)},{number(random, 3)}"),
            ("X-Up-Devcap-Max-Pdu", number(random, 6)),
            ("X-OperaMini-Phone", f"Maker # Model {number(random, 4)}"),
            ("UA-pixels", f"{number(random, 3)}x{number(random, 3)}"),
            ("X-Device-User-Agent", f"Phone{number(random, 4)}/2.0 (05.{number(random, 2)})"),
            ("User-Agent", f"Program/4.1.{number(random, 10)} CFNetwork/711.3.18 Darwin/14.0.0"),
        )
    )
    return ("user-agent" if name == "User-Agent" else "header"), name, value


def _bait(random: Random) -> Field:
    """Digits that are an identifier by every rule, under names that say otherwise: nobody can tell, so they are hints."""
    value = random.choice(
        (msisdn(random, random.choice(PLANS)), imsi(random)[0], imei(random), b64encode(imei(random).encode()).decode())
    )
    return _place(random), random.choice(("order", "article", "X-Order", "counter", "seq", "page_id", "account")), value


def _clicks(random: Random) -> Field:
    """What advertisers count clicks and campaigns by."""
    name, value = random.choice(
        (
            ("gclid", "Cj0KCQ" + text(random, 50)),
            ("yclid", number(random, random.choice((18, 19)))),
            ("clid", number(random, random.choice((6, 7)))),
            ("msclkid", hexadecimal(random, 32)),
            ("fbclid", "IwAR" + text(random, 57)),
            ("utm_id", number(random, random.choice((11, 14, 17)))),
            ("campaignid", number(random, 11)),
            ("adgroupid", number(random, 12)),
            ("creative", number(random, 12)),
            ("targetid", f"kwd-{number(random, 12)}"),
            ("_fbc", f"fb.1.{milliseconds(random)}.{text(random, 60)}"),
        )
    )
    return "cookie" if name == "_fbc" else "query", name, value


def _payments(random: Random) -> Field:
    """Amounts, accounts, cards, codes of tax and post."""
    name, value = random.choice(
        (
            ("amount", f"{random.uniform(1, 1e9):.2f}"),
            ("total", number(random, random.choice((10, 11)))),
            ("iban", "DE" + digits(random, 20)),
            ("iban", f"GB{digits(random, 2)}BARC{digits(random, 14)}"),
            ("card", random.choice(("4", "5")) + digits(random, 15)),
            ("pan", random.choice(("34", "37")) + digits(random, 13)),
            ("siret", digits(random, 14)),
            ("vat", "DE" + digits(random, 9)),
            ("zip", f"{digits(random, 5)}-{digits(random, 4)}"),
            ("booking", number(random, random.choice((10, 13)))),
            ("ticket", f"{number(random, 3)}-{digits(random, 10)}"),
        )
    )
    return _place(random, "query", "cookie"), name, value


def _validators(random: Random) -> Field:
    """ETags, signatures, nonces, tokens against forgery, keys."""
    name, value = random.choice(
        (
            ("If-None-Match", f'"{number(random, 12)}"'),
            ("If-None-Match", f'W/"{number(random, 11)}-{milliseconds(random)}"'),
            ("If-None-Match", f'"{hexadecimal(random, 6)}-{hexadecimal(random, 13)}"'),
            ("X-Signature", octets(random, 32)),
            ("X-CSRF-Token", text(random, 64)),
            ("X-Timestamp", milliseconds(random) + digits(random, 3)),
            ("X-Api-Key", text(random, 32)),
            ("X-Client-Id", number(random, 12)),
            ("X-Nonce", number(random, 15)),
            ("x-datadog-trace-id", number(random, 19)),
        )
    )
    return "header", name, value


def _contacts(random: Random) -> Field:
    """Numbers that shops publish, in addresses of pages."""
    name = random.choice(("shop", "call", "contact", "firm", "hotline"))
    value = random.choice(("+4420794600", "+1202555010", "0800", "004930")) + digits(random, 2)
    return random.choice(("path", "query")), name, value


def _pages(random: Random) -> Field:
    """Pages about a number: whose it is, how to call a shop."""
    return (
        "path",
        random.choice(("tel", "phone", "call", "number", "phone-number")),
        msisdn(random, random.choice(PLANS)),
    )


#: Family -> how one of it is made.
FAMILIES: Mapping[str, Maker] = {
    "analytics cookies": _analytics,
    "times": _times,
    "order numbers": _orders,
    "parcel numbers": _parcels,
    "hashes": _hashes,
    "hex with a run of digits": _digit_runs,
    "coordinates": _coordinates,
    "article numbers (EAN)": _articles,
    "trace ids": _traces,
    "UUIDs": _uuids,
    "versions": _versions,
    "session ids": _sessions,
    "placeholders": _placeholders,
    "other values under known names": _other_ids,
    "descriptions of devices": _models,
    "clicks and campaigns": _clicks,
    "payments, taxes, bookings": _payments,
    "validators, signatures, keys": _validators,
    "published contacts": _contacts,
    "pages about numbers": _pages,
    "valid digits under other names": _bait,
}


def decoys(random: Random) -> Iterator[Case]:
    """All of them."""
    for family, make in FAMILIES.items():
        for _ in range(PER_FAMILY):
            place, name, value = make(random)
            if place in ("query", "path"):
                value = quote(value, safe="%,;:+._-{}")
            yield case(random, "", family, place, name, value.replace(";", "%3B") if place == "cookie" else value)
