"""The HTML report as text: what it says, its bounds, its policy. What a browser makes of it: test_browser.py."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from leakscan.errors import MissingExtra
from leakscan.formats import html as module
from leakscan.formats.html import MAX_BYTES, Html
from leakscan.losses import Losses
from leakscan.model import SEVERITIES, Carrier, Coverage, Leak, Recipient
from leakscan.summary import Summary
from leakscan.times import rfc3339
from tests.leaks import DAY_NS, HERE, HOME, MINUTE_NS, START_NS, add, leak, run

PARTNER = Recipient("allowed-but-clear", "Age Check", "age-verification")


def report(leaks: list[Leak], summary: Summary | None = None, **changes: Any) -> str:
    """The report of these leaks, one every hour."""
    summary = summary or Summary(coverage=Coverage(tcp_payload_bytes=100, examined_bytes=75, tls_streams=2))
    stream = io.StringIO()
    writer = Html(stream)
    writer.begin(run(**changes))
    for hour, one in enumerate(leaks):
        time_ns = START_NS + 60 * hour * MINUTE_NS
        one = replace(one, time=rfc3339(time_ns, 6))
        add(summary, one, time_ns)
        summary.explain(one.rule, "what it means")
        writer.leak(one)
    writer.end(summary.to_dict())
    return stream.getvalue()


def text(page: str) -> str:
    """What is read, without tags."""
    body = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)))


def rows(page: str) -> list[list[str]]:
    """The list of leaks."""
    table = page.partition('id="leak-table"')[2].partition("</table>")[0].partition("<tbody>")[2]
    return [[unescape(cell.strip()) for cell in row.split("<td>")[1:]] for row in table.split("<tr>")[1:]]


def test_the_sentence_is_on_top() -> None:
    page = text(report([leak()]))
    sentence = (
        "LEAK MSISDN of at least 1 subscriber went in plain HTTP to 1 host at 2012-01-10 00:00 UTC, from Testnet "
        "(GB 001-01), also subscribers of Virtual Mobile (GB 999-99), on cellular: 1 leak in 1 of 1 readable request. "
        "Readable HTTP was 75 % of the TCP payload; 2 TLS connections could not be read."
    )
    assert sentence in page
    assert page.index(sentence) < page.index("From which carrier")


def test_what_the_words_mean_stands_below_it() -> None:
    """Nobody has to know what an MSISDN is; and where nothing leaked nothing is explained."""
    assert '<p class="meanings">MSISDN: the subscriber&#39;s phone number. ' in report(some(3))
    assert 'class="meanings"' not in report([])


def test_with_a_policy_it_speaks_of_what_went_outside() -> None:
    page = text(
        report(
            [
                leak("447700900001", host="agecheck.example", recipient=PARTNER),
                leak("447700900002", host="shop.example", recipient=Recipient("not-allowed")),
                leak("447700900003", host="shop.example", recipient=Recipient("not-allowed"), home_operator=None),
                leak("447700900001", host="agecheck.example", recipient=PARTNER),
            ]
        )
    )
    assert "at least 2 subscribers went in plain HTTP to 1 host outside the policy from 2012-01-10 01:00" in page
    assert "2 leaks outside the policy, 4 in all, in 4 of 4 readable requests" in page
    assert "Hosts outside the policy 1 and 1 host of partners" in page
    assert "agecheck.example 1 2 2 partner, but in the clear Age Check (age-verification)" in page
    assert "shop.example 2 2 2 not allowed" in page
    assert "Outside the policy: first seen 2012-01-10T01:00:00.000000Z , last seen 2012-01-10T02:00" in page
    assert "All leaks: first seen 2012-01-10T00:00:00.000000Z" in page


def test_partners_only() -> None:
    page = text(report([leak(recipient=PARTNER)]))
    assert "went in plain HTTP to 1 host of partners only" in page
    assert "Hosts 1 all of partners" in page


def test_nothing_found_and_nothing_seen() -> None:
    clean = Summary(coverage=Coverage(tcp_payload_bytes=10, examined_bytes=10))
    clean.add_request(host="a.example", network=HERE, bearer="wifi", time_ns=START_NS)
    for summary, words in (
        (clean, "NONE FOUND No leak in 1 readable request"),
        (Summary(), "INCONCLUSIVE There was no"),
    ):
        page = report([], summary)
        assert words in text(page)
        assert "Every leak" not in page
        assert ("From which carrier" in page) == (summary is clean)
        assert "What we could not see" in page


def test_header_by_header() -> None:
    page = report(
        [leak(), leak(place="cookie", name="uid", rule="uid", severity="medium"), leak(place="query", name="m")]
    )
    assert '<code class="wire">x-up-calling-line-id: 44********23</code>' in page
    assert '<code class="wire">Cookie: uid=44********23</code>' in page
    assert '<code class="wire">m=44********23</code>' in page
    assert "what it means Rule uid" in text(page)


def test_networks_by_identifiers() -> None:
    page = text(report([leak(), leak(identifier="imsi", home_operator=None), leak(network=None, home_operator=HOME)]))
    assert "network requests leaks subscribers MSISDN IMSI bearer known by" in page
    assert "Testnet (GB 001-01) 2 2 1 1 1 cellular networks file of Virtual Mobile (GB 999-99) 1 1 IMSI" in page


def test_timeline_has_words_and_a_table() -> None:
    page = report([leak(), leak(), leak()])
    words = text(page)
    assert "First leak 2012-01-10 00:00, last 2012-01-10 02:00 UTC. There were leaks in 3 of 3 bars" in words
    assert "2012-01-10 01:00 1 1 2012-01-10 02:00 1 1" in words
    assert '<svg class="time" role="img" aria-labelledby="time-title time-desc"' in page
    assert "<figure>" not in report([leak()]).partition('id="carriers"')[0], "one bar is no drawing"


def test_bearers() -> None:
    page = text(report([leak(), leak(bearer="unknown"), leak(bearer="wifi"), leak()]))
    assert "Leaks: cellular 50 %, Wi-Fi 25 %, unknown bearer 25 %" in page
    assert "cellular 2 2 1.00 Wi-Fi 1 1 1.00 unknown 1 1 1.00" in page


def test_what_could_not_be_seen() -> None:
    losses = Losses()
    losses["http.head-cut"] += 3
    page = text(report([leak()], Summary(losses, Coverage(frames=7, bytes=700))))
    assert "unread http.head-cut 3 request heads cut short" in page
    assert "frames 7 (700 bytes)" in page
    assert "Nothing is missing" in text(report([leak()], Summary()))


def test_how_it_was_found() -> None:
    captures = [{"name": "a.pcap", "size": 1000}, {"name": "-", "size": None}]
    page = text(report([leak()], captures=captures, settings={"min_confidence": "probable", "networks": None}))
    for words in (
        "leakscan 0.1.0",
        "catalogue 2026-01-01",
        "key:",
        "min confidence probable networks none",
        "1 a.pcap 1,000 bytes 2 - not known",
    ):
        assert words in page
    assert "personal data." in text(report([leak()], values="shown"))


def test_what_is_the_same_in_all_is_said_once() -> None:
    page = report([leak("447700900001"), leak("447700900002", severity="high")])
    assert "The same in all of them: what MSISDN , where x-up-calling-line-id ," in text(page)
    assert "added by unknown" not in text(page)
    assert rows(page)[0][:3] == ["2012-01-10 00:00:00", "critical", "44********01"]
    assert len(rows(report([leak()]))[0]) == 11, "of a single leak every column stands"


def test_where_and_how_it_was_encoded() -> None:
    page = rows(report([leak(place="cookie", name="uid", encoding=("base64", "hex"))]))
    assert page[0][5] == "cookie uid (base64 > hex)"


ONE = leak()


def some(count: int, dirt: str = "") -> list[Leak]:
    """Leaks in which no column is the same throughout, as long as those of real life, or with `dirt` in every string."""
    names = ["x-up-calling-line-id", "X-MSISDN", "x-nokia-msisdn", "X-UIDH", "X-Network-Info", "x-vf-acr", "imsi"]
    carriers = [
        Carrier(f"{name} Mobile{dirt}", "GB", "001", "01", ("networks file",))
        for name in ("Northern", "Blue", "Island")
    ]
    made = []
    for n in range(count):
        changes = {
            "host": f"www{n % 40}.{'publisher' if n % 3 else 'ad-exchange'}{n % 7}.example{dirt}",
            "name": names[n % len(names)] + dirt,
            "identifier": ("msisdn", "imsi", "subscriber_token", "private_ip")[n % 4],
            "severity": SEVERITIES[n % 4],
            "confidence": ("confirmed", "probable")[n % 2],
            "origin": ("unknown", "consistent-with-injection", "client-sent")[n % 3],
            "bearer": ("cellular", "wifi")[n % 2],
            "network": carriers[n % 3],
            "home_operator": carriers[n % 2],
            "recipient": Recipient(("not-allowed", "allowed-but-clear", "expired")[n % 3], f"Partner{dirt}", None),
            "capture": f"day{n % 30}.pcap{dirt}",
            "frame": 1_000_000 + n,
            "encoding": ("base64",) if n % 5 == 0 else (),
        }
        made.append(replace(ONE, pseudonym=f"msisdn:{n:012d}", fingerprint=f"v1:{n % 280}", **changes))
    return made


def captures(dirt: str = "") -> list[dict[str, Any]]:
    return [{"name": f"day{n}.pcap{dirt}", "size": 1000} for n in range(30)]


def test_ten_thousand_leaks_fit() -> None:
    page = report(some(10_000), captures=captures())
    assert len(rows(page)) == 10_000
    assert len(page) < MAX_BYTES
    assert "All 10,000 leaks, the worst first. For want of room left out: added by, bearer and network;" in text(page)


def test_ten_thousand_leaks_of_one_header_fit_with_all_columns() -> None:
    leaks = [replace(ONE, pseudonym=f"msisdn:{n:012d}", host=f"www{n % 500}.publisher.example") for n in range(10_000)]
    page = report(leaks)
    assert len(rows(page)) == 10_000
    assert len(page) < MAX_BYTES
    assert "All 10,000 leaks, the worst first. The same" in text(page)


def test_the_worst_ten_thousand_and_it_says_so() -> None:
    page = report([leak(severity="low")] * 5 + [leak(severity="critical")] * 10_000)
    assert len(rows(page)) == 10_000
    assert "The worst 10,000 of 10,005 leaks; JSON Lines, JSON and CSV hold all." in text(page)
    assert "severity critical" in text(page)


@pytest.mark.parametrize("dirt", ["<&\"'>" * 400, "\x00\x1b" * 1000, "\xe9" * 2000, "\U0010ffff" * 500])
def test_hostile_lengths_do_not_make_it_longer(dirt: str) -> None:
    page = report(some(2500, dirt), captures=captures(dirt) * 100, settings={"networks": dirt})
    assert len(page) <= MAX_BYTES
    shown = len(rows(page))
    assert 1000 < shown <= 2500
    assert ("All 2,500" if shown == 2500 else f"The worst {shown:,} of 2,500") in text(page)


def test_only_its_own_style_and_script_are_allowed() -> None:
    page = report([leak()])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in unescape(policy[1])
    assert "unsafe" not in policy[1]
    assert not re.search(r"https?:|//[a-z]", re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL))


def test_the_same_result_gives_the_same_bytes() -> None:
    assert report(some(50)) == report(some(50))


def test_it_is_ascii_whatever_the_names_are() -> None:
    page = report([leak(host="caf\xe9.example")])
    assert page.isascii()
    assert "caf\xe9.example" in text(page)


def test_without_jinja_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    module._template.cache_clear()
    try:
        with pytest.raises(MissingExtra, match=r"pip install 'leakscan\[report\]'"):
            Html(io.StringIO())
    finally:
        module._template.cache_clear()


def test_days() -> None:
    summary = Summary()
    for day in range(40):
        add(summary, leak(), START_NS + day * DAY_NS)
    page = text(report([], summary))
    assert "Leaks and requests by day" in page
