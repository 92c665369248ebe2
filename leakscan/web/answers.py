"""What a request gets: the page, the same as JSON, a probe, a sign of life, or a plain no.

Comes in: a message as received, and over which listener. Goes out: `Answer`. No answer may be kept by a cache on the
way (a carrier's cache must not show one visitor's number to another), read by another website, or framed by one;
nothing of a request stands in an error. State: what the operator said of the site.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from ipaddress import ip_address
from typing import NamedTuple

from leakscan.formats.rows import Json, json_text, leak_object
from leakscan.model import Head, Message
from leakscan.protocols import message_of
from leakscan.web.page import Facts, page, policy
from leakscan.web.probe import probe
from leakscan.web.visit import Visit

#: Keys of a finding in `/headers`. No pseudonym: whoever may ask for the pseudonym of any number that he cares to send
#: could look for that number in a published record.
FINDING_KEYS = (
    "place",
    "name",
    "rule",
    "identifier",
    "value",
    "encoding",
    "confidence",
    "severity",
    "origin",
    "evidence",
)
PARTY_KEYS = ("network", "home_operator")

HTML, JSON, TEXT = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD")

#: Of every answer. Pragma and Expires speak to caches that know HTTP/1.0 only; RFC 9111 section 5.
ALWAYS = (
    ("Cache-Control", "no-store, private"),
    ("Pragma", "no-cache"),
    ("Expires", "0"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Connection", "close"),
)
CLOSED = "default-src 'none'; frame-ancestors 'none'"


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = TEXT
    headers: tuple[tuple[str, str], ...] = ()
    policy: str = CLOSED

    def encode(self, with_body: bool = True) -> bytes:
        """As it goes on the wire. Header values are our own words, or checked."""
        phrase = HTTPStatus(self.status).phrase
        lines = [
            f"HTTP/1.1 {self.status} {phrase}",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(self.body)}",
            f"Content-Security-Policy: {self.policy}",
            *(f"{name}: {value}" for name, value in (*ALWAYS, *self.headers)),
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (self.body if with_body else b"")


def refusal(status: int, why: str, *headers: tuple[str, str]) -> Answer:
    """A no, in our own words."""
    return Answer(status, f"{why}\n".encode("ascii"), headers=headers)


@dataclass(frozen=True, slots=True)
class Site:
    """What the operator said."""

    names: Collection[str]  # hosts it answers to, in lower case, besides addresses and localhost
    port: int  # of the plain listener
    secure_port: int | None  # of the one with TLS
    keep_days: int | None  # None: nothing is recorded

    def answer(self, received: Head, visit: Callable[[], Visit], encrypted: bool) -> Answer:
        """To a whole head. `visit` examines it, when that is wanted; `encrypted`: it came through our own TLS."""
        message = message_of(received)
        path = _path(message)
        if path == "/healthz":
            return Answer(200, b"ok\n")
        if not self._is_ours(message.host):
            return refusal(421, "This website does not go by that name.")
        if message.method not in METHODS:
            return refusal(405, "This website can be read only.", ("Allow", ", ".join(METHODS)))
        if path == "/probe":
            return Answer(200, probe(message), JSON, self._cors(message) if encrypted else ())
        if encrypted:
            plain = f"{self._plain(message.host)}{path if path in ('/', '/headers') else '/'}"
            return refusal(307, "Over HTTPS there is nothing to see: ask over plain HTTP.", ("Location", plain))
        if path == "/headers":
            return Answer(200, json_text(visit_object(visit())).encode("ascii") + b"\n", JSON)
        if path == "/":
            seen = visit()
            secure = self._secure(message.host)
            return Answer(200, page(seen, Facts(received.time_ns, self.keep_days, secure)), HTML, policy=policy(secure))
        return refusal(404, "There is nothing here. The page is at /, the same for programs at /headers.")

    def _is_ours(self, host: str) -> bool:
        """Against DNS rebinding: a page elsewhere may give its own name our address, and then reads what we answer. It
        cannot do so with an address, or with localhost.
        """
        return host in self.names or host == "localhost" or _is_address(host)

    def _plain(self, host: str) -> str:
        return f"http://{_bracketed(host)}{'' if self.port == 80 else f':{self.port}'}"

    def _secure(self, host: str) -> str:
        if self.secure_port is None:
            return ""
        return f"https://{_bracketed(host)}{'' if self.secure_port == 443 else f':{self.secure_port}'}"

    def _cors(self, message: Message) -> tuple[tuple[str, str], ...]:
        """The HTTPS probe may be read by the page of this very host, and by no other website."""
        origin = next((value for name, value in message.headers if name.lower() == "origin"), None)
        ours = self._plain(message.host)
        return (("Vary", "Origin"), *((("Access-Control-Allow-Origin", ours),) if origin == ours else ()))


def visit_object(visit: Visit) -> Json:
    """What `/headers` answers."""
    message = visit.message
    return {
        "outcome": visit.outcome,
        "because": [f"it {why}" for why in visit.because],
        "method": message.method,
        "target": message.target,
        "protocol": message.protocol,
        "headers": message.headers,
        "findings": [
            {
                **{key: value for key, value in leak_object(found.masked).items() if key in FINDING_KEYS + PARTY_KEYS},
                "name": found.own.name,
                "explain": found.explain,
            }
            for found in visit.findings
        ],
    }


def _path(message: Message) -> str:
    """Of the target, without query; of an absolute URI (RFC 9112 section 3.2.2) what is behind the host."""
    target = message.target.partition("?")[0]
    scheme, mark, rest = target.partition("://")
    if mark and "/" not in scheme:
        target = "/" + rest.partition("/")[2]
    return target


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
