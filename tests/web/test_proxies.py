"""Who the visitor is behind a reverse proxy, and that nobody else is believed."""

from __future__ import annotations

import json

import pytest

from leakscan.errors import UsageError
from leakscan.web.proxies import Proxies
from tests.web.sites import NUMBER, SITE, Site, enriching, head

TRUSTED = Proxies(["192.0.2.0/24", "2001:db8::1", "127.0.0.1"])


@pytest.mark.parametrize(
    ("peer", "lines", "address", "kept"),
    [
        ("203.0.113.1", [b"X-Forwarded-For: 198.51.100.1\r"], "203.0.113.1", [b"X-Forwarded-For: 198.51.100.1\r"]),
        ("192.0.2.1", [b"X-Forwarded-For: 198.51.100.1\r"], "198.51.100.1", []),
        ("192.0.2.1", [b"x-forwarded-FOR: 10.1.2.3, 198.51.100.1\r"], "198.51.100.1", [b"x-forwarded-FOR: 10.1.2.3"]),
        ("192.0.2.1", [b"X-Forwarded-For: 10.1.2.3, 198.51.100.1, 192.0.2.7\r"], "198.51.100.1", [b"X-Forwarded-For: 10.1.2.3"]),
        ("192.0.2.1", [b"X-Forwarded-For: 10.1.2.3\r", b"X-Forwarded-For: 198.51.100.1\r"], "198.51.100.1", [b"X-Forwarded-For: 10.1.2.3\r"]),
        ("192.0.2.1", [b"X-Forwarded-For: nonsense\r"], "192.0.2.1", [b"X-Forwarded-For: nonsense\r"]),
        ("192.0.2.1", [b"X-Forwarded-For: 198.51.100.1, nonsense\r"], "192.0.2.1", [b"X-Forwarded-For: 198.51.100.1, nonsense\r"]),
        ("192.0.2.1", [], "192.0.2.1", []),
        ("192.0.2.1", [b"X-Forwarded-For: 192.0.2.9\r"], "192.0.2.9", []),
        ("192.0.2.1", [b"X-Real-IP: 198.51.100.1\r", b"X-Forwarded-For: 198.51.100.1\r"], "198.51.100.1", []),
        ("192.0.2.1", [b"X-Real-IP: 10.1.2.3\r", b"X-Forwarded-For: 198.51.100.1\r"], "198.51.100.1", [b"X-Real-IP: 10.1.2.3\r"]),
        ("2001:db8::1", [b"X-Forwarded-For: [2001:db8:5::1]:4711\r"], "2001:db8:5::1", []),
        ("::ffff:192.0.2.1", [b"X-Forwarded-For: 198.51.100.1:4711\r"], "198.51.100.1", []),
        ("2001:db8::2", [b"X-Forwarded-For: 198.51.100.1\r"], "2001:db8::2", [b"X-Forwarded-For: 198.51.100.1\r"]),
    ],
)  # fmt: skip
def test_the_visitor(peer, lines, address, kept):
    seen = TRUSTED.visitor(peer, [b"GET / HTTP/1.1\r", *lines, b"\r", b""])
    assert seen.address == address
    assert seen.lines == [b"GET / HTTP/1.1\r", *kept, b"\r", b""]
    assert not seen.encrypted


def test_a_chain_without_an_end():
    seen = TRUSTED.visitor(
        "192.0.2.1", [b"GET / HTTP/1.1\r", b"X-Forwarded-For: " + b"192.0.2.2, " * 5000 + b"10.0.0.1"]
    )
    assert seen.address == "10.0.0.1" or seen.address.startswith("192.0.2.")


@pytest.mark.parametrize("name", ["", "localhost", "192.0.2.1/24", "192.0.2.0/33"])
def test_mistakes(name):
    with pytest.raises(UsageError, match="trusted proxy"):
        Proxies([name])


def test_without_trust_it_is_just_another_header():
    with Site() as site:
        said = site.headers(b"X-Forwarded-For: 10.1.2.3", b"X-Forwarded-Proto: https")
    assert [found["rule"] for found in said["findings"]] == ["x-forwarded-for"]
    assert "encrypted" not in str(said["because"])


def test_behind_a_real_reverse_proxy(tmp_path):
    """nginx with the lines that its documentation gives: the visitor's own header is found, the proxy's are not."""
    record = tmp_path / "record.jsonl"
    lines = {
        "X-Forwarded-For": "$proxy_add_x_forwarded_for",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
    }
    with Site(record=record, proxies=("127.0.0.1",)) as site, enriching(tmp_path, site.port, lines) as port:
        site.port = port
        sent = [f"X-MSISDN: {NUMBER}".encode(), b"X-Forwarded-For: 10.1.2.3", b"Connection: close"]
        status, _, body = site.raw(head(*sent, host=SITE), source="127.0.0.3")
        assert status == 200
        said = json.loads(body)
        assert site.raw(head(*sent, host="evil.example"))[0] == 421
    assert sorted(found["rule"] for found in said["findings"]) == ["x-forwarded-for", "x-msisdn"]
    assert ["X-Forwarded-For", "10.1.2.3, 127.0.0.3"] in said["headers"]
    assert record.read_text().count('"client_port":0') == 2


def test_https_as_far_as_the_proxy_is_inconclusive():
    with Site(proxies=("127.0.0.1",)) as site:
        said = site.headers(b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-Proto: https")
        assert (said["outcome"], said["findings"]) == ("inconclusive", [])
        assert "encrypted" in said["because"][0]
        said = site.headers(b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-Proto: http")
        assert said["outcome"] == "none-found"


def test_the_rate_is_the_visitor_s_and_not_the_proxy_s():
    with Site(proxies=("127.0.0.1",), rate=60) as site:
        one, other = (head(f"X-Forwarded-For: 203.0.113.{n}".encode()) for n in (1, 2))
        statuses = [site.raw(one)[0] for _ in range(17)]
        assert (statuses[0], statuses[-1]) == (200, 429)
        assert site.raw(other)[0] == 200
