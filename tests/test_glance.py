"""A glance says no more and no less than the detectors, only sooner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import detect
from leakscan.fields import fields
from leakscan.glance import Glance
from leakscan.losses import Losses
from leakscan.model import Head, Origin
from leakscan.protocols import message_of
from tests.streams import KEY, request

NUMBER = "447700900123"
TARGETS = [
    "/",
    "/a/b.html?page=2&sort=date",
    f"/x?msisdn={NUMBER}",
    f"/msisdn/{NUMBER}",
    f"/a;imsi=001010123456789/b={NUMBER}",
    f"/msisdn={NUMBER}",
    f"/#msisdn={NUMBER}",
    f"/a?b#c;msisdn={NUMBER}",
    f"http://u@other.example/?msisdn={NUMBER}",
    f"/{NUMBER}?" + "x" * 5000 + f"&msisdn={NUMBER}",
    "/a b",
    "/ads?cb=5212345678901&t=3326153600",
    f"/ads?cb=5212345678901&u={NUMBER}",
    "/?" + "&".join(f"a{n}=52123456789{n:02}" for n in range(20)) + f"&b={NUMBER}",
    f"/?a=%2B&{NUMBER}=1&imei-=001010012345672",
    f"/?u=http%3A%2F%2Fa%2F%3Fimei%3D00101001234567{2}",
    "/?d={%22imei%22:%22001010012345672%22}",
]
LINES = [
    f"Referer: http://a.example/msisdn/{NUMBER}/x",
    f"Referer: /a/msisdn/{NUMBER}",
    f"Referer: http://a.example/x;msisdn={NUMBER}?a=b",
    f"Referer: http://a.example/user/{NUMBER}/",
    "Accept: */*",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-For: 10.1.2.3",
    "User-Agent: Mozilla/5.0",
    f"User-Agent: X/1.0 IMEI/{'1' * 14}",
    "Cookie: a=b; theme=light",
    f"Cookie: a=5212345678901; b={NUMBER}",
    "Cookie: " + "; ".join(f"a{n}=52123456789{n:02}" for n in range(20)) + f"; b={NUMBER}",
    f"Referer: http://www.example/a?b=5212345678901&c=+{NUMBER}",
    f"Cookie: a=b; msisdn={NUMBER}; c",
    f"Cookie: a=b;\tmsisdn ={NUMBER}",
    "Cookie: " + "a=b; " * 1500 + f"msisdn={NUMBER}",
    "Referer: http://www.example/a?b=c",
    f"Referer: http://www.example/a?b=c;msisdn={NUMBER}",
    f"referer: /?a#msisdn={NUMBER}",
    f"X-MSISDN: {NUMBER}",
    "X-MSISDN: unknown",
    f"x_up_calling_line_id : {NUMBER}",
    f"X-Some-Msisdn: {NUMBER}",
    f'Cookie: u={{"msisdn":"{NUMBER}"}}',
    f"Cookie: u=%7B%22msisdn%22%3A%22{NUMBER}%22%7D; a=b",
    "Authorization: Bearer eyJhIjoxfQ.eyJtc2lzZG4iOiI0NDc3MDA5MDAxMjMifQ.c2ln",
    f"Referer: http://www.example/?u=http%3A%2F%2Fa%2F%3Fmsisdn%3D{NUMBER}",
    "no colon here",
    f" folded msisdn={NUMBER}",
    "X-Up-Subno: ab\r\n c",
    "Host: second.example",
    "Host:",
    ": no name",
    "X-Long: " + "9" * 5000,
]


def head(raw: bytes) -> Head:
    return Head(KEY, raw, raw.split(b"\n"), Origin("x", 1, 6, ""), 0, 1, 1, "x", None, False)


def agrees(glance: Glance, raw: bytes) -> bool:
    """Whether the glance has nothing against it that the detectors have not; gives what it says."""
    message, losses = message_of(head(raw)), Losses()
    matches = detect(fields(message, losses), losses)
    host = glance.plain_host(head(raw))
    if host is None:
        return False
    assert (matches, dict(losses)) == ([], {})
    assert (host or message.server) == message.host
    return True


@given(st.lists(st.tuples(st.sampled_from(TARGETS), st.lists(st.sampled_from(LINES), max_size=5), st.booleans())))
def test_the_same_as_the_detectors(requests):
    glance = Glance()
    for target, lines, bare in requests:
        raw = request(target, *lines)
        agrees(glance, raw.replace(b"\r\n", b"\n") if bare else raw)


@given(st.lists(st.text("abmsiden=;/?&#% :\t09", max_size=30), max_size=6))
def test_whatever_is_in_it(texts):
    glance = Glance()
    for text in texts:
        agrees(
            glance, request("/" + text.replace(" ", "").replace("\t", ""), f"Cookie: {text}", f"Referer: {text}", text)
        )


def test_what_is_plain_is_seen_to_be():
    glance = Glance()
    for _ in range(2):
        assert agrees(
            glance, request("/a/b.html?page=2", "Accept: */*", "Cookie: a=b", "Referer: http://x.example/?a=b")
        )
        assert not agrees(glance, request("/", f"X-MSISDN: {NUMBER}"))
        assert not agrees(glance, request("/", "X-MSISDN: unknown"))


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("leakscan.glance.MAX_LINES", 10)
    glance = Glance()
    for number in range(100):
        agrees(glance, request(f"/{number}?a{number}=b", f"X-Any: {number}", "X-Long: " + str(number) * 300))
    assert max(len(glance._lines), len(glance._targets), len(glance._silent)) <= 10
