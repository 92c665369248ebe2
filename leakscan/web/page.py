"""The check page: one visit as HTML.

Comes in: a Visit and what the site says of itself. Goes out: the page, complete in itself, which works without
JavaScript, and the policy that lets nothing else into it. Whatever the visitor sent passes `_text`: `show`, then HTML's
escaping. State: none.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import NamedTuple

from leakscan.model import Pair
from leakscan.show import show
from leakscan.summary import LEAK
from leakscan.times import rfc3339
from leakscan.web.visit import Finding, Visit
from leakscan.web.words import TITLE, capital, kind, sureness, verdict, who


def _shortened(file: str) -> str:
    """A file beside this one, without indentation and comment lines: it is part of every page."""
    lines = (line.strip() for line in (resources.files(__package__) / file).read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if not line.startswith("//"))


STYLE, SCRIPT = _shortened("page.css"), _shortened("probe.js")


class Facts(NamedTuple):
    """What the page says of the site it is on."""

    time_ns: int
    keep_days: int | None  # None: nothing is recorded
    secure: str  # where the same host answers over HTTPS, "https://check.example:8443"; "" if nowhere


def page(visit: Visit, facts: Facts) -> bytes:
    """The whole page, UTF-8."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{TITLE}</title><link rel="icon" href="data:,"><style>{STYLE}</style></head><body><main>',
        f'<h1>{TITLE}</h1><p class="verdict {visit.outcome}" id="verdict">{_text(verdict(visit))}</p>',
        *_beside(visit),
        *_findings(visit),
        _way(facts),
        *_headers(visit),
        *_next(visit),
        _kept(facts),
        f"<footer>{_time(facts)} UTC. Made by leakscan.</footer></main><script>{SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts).encode("utf-8")


def policy(secure: str) -> str:
    """The Content-Security-Policy of the page: its own style and script by their hashes, its own two probes."""
    return (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; img-src data:; "
        f"connect-src 'self'{f' {secure}' if secure else ''}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _text(text: str) -> str:
    return escape(show(text))


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _hidden(button: str, value: str) -> str:
    return f'<details class="button"><summary>{button}</summary><p>{_code(value)}</p></details>'


def _beside(visit: Visit) -> Iterable[str]:
    """What the verdict means."""
    if visit.outcome == LEAK:
        yield (
            "<p>Every website that you visit without encryption may be told the same, and so is whoever listens on the "
            "way. Values are hidden below until you ask for them.</p>"
        )
        for why in visit.because:
            yield f"<p>Note that this request {_text(why)}.</p>"
        return
    for why in visit.because[1:]:
        yield f"<p>Besides, it {_text(why)}.</p>"
    yield (
        "<p>That is no proof that nothing is added. On Wi-Fi, or through a VPN or an encrypted proxy, this page says "
        "nothing of your mobile network; and a network may add what nobody has seen before, to some websites only, or "
        "at some times only.</p>"
    )


def _findings(visit: Visit) -> Iterable[str]:
    if visit.findings:
        yield "<h2>What this website was told</h2>"
    for found in visit.findings:
        yield _finding(found)


def _finding(found: Finding) -> str:
    leak, own = found.masked, found.own
    shown = [f"{sureness(found)}: {'; '.join(leak.evidence)}"]
    if leak.encoding:
        shown.append(f"written as {' in '.join(leak.encoding)}")
    what = found.explain or capital(kind(leak.identifier)) + "."
    return (
        f'<article data-name="{_text(own.name.strip().lower())}"><h3>{_text(capital(kind(leak.identifier)))}</h3>'
        f'<p class="value">{_code(leak.value)}</p>{_hidden("Show my value", own.value)}'
        f"<dl><dt>What it is</dt><dd>{_text(what)}</dd>"
        f"<dt>Where it stood</dt><dd>{_text(leak.place)} {_code(own.name)}</dd>"
        f'<dt>Who may have added it</dt><dd class="who">{_text(who(found))}</dd>'
        f"<dt>Evidence</dt><dd>{_text('; '.join(shown))}</dd></dl></article>"
    )


def _way(facts: Facts) -> str:
    return (
        f'<h2>Was it added on the way?</h2><div id="way" data-secure="{_text(facts.secure)}"><noscript><p>With '
        "JavaScript this page asks twice more and compares. Without it: reload over another network, and compare the "
        "headers below.</p></noscript></div>"
    )


def _headers(visit: Visit) -> Iterable[str]:
    message = visit.message
    yield "<h2>All headers, as received</h2>"
    if any(map(visit.is_suspicious, message.headers)) or visit.is_target_suspicious():
        yield "<p>Marked: what was found stands there.</p>"
    line = f"{message.method} {message.target} {message.protocol.upper()}"
    first = _opened(line) if visit.is_target_suspicious() else _text(line)
    yield f'<p class="headers">{first}</p><ol class="headers">'
    for pair in message.headers:
        yield f"<li>{_header(pair, visit.is_suspicious(pair))}</li>"
    yield "</ol>"


def _header(pair: Pair, suspicious: bool) -> str:
    name, value = pair
    if value is None:
        return f"{_text(name)} (a line without a colon)"
    if suspicious:
        return f"<mark>{_text(name)}</mark>: {_opened(value)}"
    return f"<b>{_text(name)}</b>: {_text(value)}"


def _opened(value: str) -> str:
    return f"<details><summary>show</summary>{_text(value)}</details>"


def _next(visit: Visit) -> Iterable[str]:
    yield "<h2>What to do next</h2><ol>"
    yield (
        "<li>Turn Wi-Fi and any VPN off and reload this page over mobile data. Then reload it over Wi-Fi, and compare: "
        "what only mobile data brings, the mobile network adds.</li>"
        "<li>If your phone has another access point name (APN, in the settings for mobile networks), try that one, "
        "too: networks treat them differently.</li>"
    )
    if visit.outcome == LEAK:
        yield (
            "<li>Ask your operator since when it adds this, to which websites, and how to have it stopped. Name the "
            "header and the time below.</li>"
            "<li>Tell the regulator: your data protection authority (in the United Kingdom the ICO, in the United "
            "States the FCC).</li>"
        )
    yield "<li>Prefer addresses that begin with https: a network can neither read them nor add to them.</li></ol>"


def _kept(facts: Facts) -> str:
    said = "Nothing of your visit."
    if facts.keep_days is not None:
        said = (
            "Of each identifier found: time, name, kind, the masked value as above, and what network it points to; and "
            "two codes, made with a secret key, that tell this value and your address from others but do not give them "
            f"away. Of a visit in which nothing is found: that there was one. For {_days(facts.keep_days)}. Not kept "
            "are the values, your address and all other headers."
        )
    return (
        f"<h2>What this page keeps</h2><p>{said}</p><p>This page comes over plain HTTP on purpose: networks add "
        "only to what they can read. So whoever is on the way can read it, as they could your request.</p>"
    )


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _time(facts: Facts) -> str:
    return rfc3339(facts.time_ns, 0).replace("T", " ").rstrip("Z")
