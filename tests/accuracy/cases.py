"""One request of the corpus, and whole requests around a field."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from leakscan.model import Message, Origin, Pair
from tests.accuracy.values import hexadecimal, number

AGENTS = (
    "Mozilla/5.0 (Linux; U; Android 2.3.4; en-gb; GT-I9100 Build/GINGERBREAD) AppleWebKit/533.1 Mobile Safari/533.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 5_0_1 like Mac OS X) AppleWebKit/534.46 Mobile/9A405 Safari/7534.48.3",
    "Nokia6288/2.0 (05.92) Profile/MIDP-2.0 Configuration/CLDC-1.1 UP.Link/6.3.0.0.0",
    "BlackBerry8310/4.2.2 Profile/MIDP-2.0 Configuration/CLDC-1.1 VendorID/123",
    "Dalvik/1.6.0 (Linux; U; Android 4.4.2; SM-G900F Build/KOT49H)",
)


class Case(NamedTuple):
    """A request, and what it gives away."""

    identifier: str  # "" for nothing
    group: str  # form of a leak, family of a decoy
    place: str
    alone: bool  # under a name that says nothing: a hint is all that can be asked for
    target: str
    headers: tuple[Pair, ...]
    value: str = ""  # what is to be found, where the case says so

    def message(self) -> Message:
        return Message(
            origin=Origin("corpus", 1, 6, ""),
            time_ns=0,
            frame=1,
            frame_end=1,
            begins_in="corpus",
            client="192.0.2.1",
            client_port=40000,
            server="203.0.113.80",
            server_port=80,
            teid=None,
            tunnel="",
            protocol="http/1.1",
            method="GET",
            target=self.target,
            host="www.site.example",
            headers=self.headers,
            partial=False,
        )


def case(
    random: Random,
    identifier: str,
    group: str,
    place: str,
    name: str,
    value: str,
    alone: bool = False,
    hidden: str = "",
) -> Case:
    """The field in an ordinary request; `hidden` is the identifier in it."""
    target, cookies = f"/{random.choice(('', 'news', 'a/b.gif', 'index.php'))}", [f"sid={hexadecimal(random, 26)}"]
    headers: list[Pair] = [("Host", "www.site.example"), ("User-Agent", random.choice(AGENTS)), ("Accept", "*/*")]
    if place == "header":
        headers.insert(random.choice((1, len(headers))), (name, value))
    elif place == "user-agent":
        headers[1] = ("User-Agent", value)
    elif place == "cookie":
        cookies.insert(random.randrange(2), f"{name}={value}")
    elif place == "query":
        target += f"?page={random.randrange(9)}&{name}={value}&v=3"
    elif place == "path":
        target = f"/service/{name}/{value}/view"
    elif place == "referer":
        headers.append(("Referer", f"http://portal.example/start?lang=en&{name}={value}"))
    if place == "cookie" or random.random() < 0.5:
        headers.append(("Cookie", "; ".join(cookies)))
    if random.random() < 0.3:
        headers.append(("X-Request-Id", number(random, 8)))
    return Case(identifier, group, place, alone, target, tuple(headers), hidden)
