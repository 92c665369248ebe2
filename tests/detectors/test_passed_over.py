"""A request that the glance lets pass holds nothing: the detectors, asked about all of it, say so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import builtin, detect
from leakscan.fields import fields
from leakscan.glance import Glance
from leakscan.losses import Losses
from leakscan.model import Head, Origin
from leakscan.protocols.heads import message_of

GLANCE = Glance()
KEY = bytes([0, 192, 0, 2, 1, 203, 0, 113, 80, 156, 64, 0, 80])

names = st.sampled_from(["u", "id", "X-A", "msisdn", "X-Acme-Imei", "uid", "phone", "mx", "mcc", "mnc", "x-msisdn"])
values = st.sampled_from(
    [
        *("447700900123", "+447700900123", "001010123456789", "001010012345672", "8944101234567890128", "1700000000"),
        *("%7B%22msisdn%22%3A%22447700900123%22%7D", "imsi-001010123456789", "unknown", "01AbCdEf2345", "GB", ""),
        "q83vASNFZ4mrze8BI0VniQ==",
    ]
)
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=6)
value = st.lists(values | texts, max_size=3).map("".join)
pairs = st.lists(st.tuples(names | texts, value).map("=".join), max_size=4)
queries, cookies = pairs.map("&".join), pairs.map("; ".join)


@given(texts, queries, cookies, queries, st.lists(st.tuples(names, value).map(": ".join), max_size=3))
def test_a_request_that_is_passed_over_holds_nothing(
    path: str, query: str, cookie: str, referer: str, lines: list[str]
) -> None:
    head_lines = [
        f"GET /{path}?{query} HTTP/1.1",
        "Host: www.site.example",
        f"Cookie: {cookie}",
        f"Referer: http://www.site.example/?{referer}",
        *lines,
        "",
        "",
    ]
    raw = "\r\n".join(head_lines).encode("latin-1")
    head = Head(KEY, raw, raw.split(b"\n"), Origin("a.pcap", 1, 6, ""), 0, 1, 1, "a.pcap", None, False)
    if GLANCE.plain_host(head) is not None:
        losses = Losses()
        assert detect(fields(message_of(head), losses), losses, builtin()) == []
        assert dict(losses) == {}
