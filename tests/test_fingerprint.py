"""The fingerprint names a behaviour, not a person."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from publicsuffixlist import PSLFILE, PublicSuffixList

from leakscan.fingerprint import fingerprint, registrable_domain
from leakscan.show import redact

DOMAINS = [
    # host, what it counts as
    ("www.news.example", "news.example"),
    ("a.b.example.co.uk", "example.co.uk"),
    ("someone.github.io", "someone.github.io"),  # the private part of the list
    ("github.io", "github.io"),
    ("10.0.2.2", "10.0.2.2"),
    ("[2001:db8::1]", "[2001:db8::1]"),
    ("2001:db8::1", "2001:db8::1"),
    ("localhost", "localhost"),
    ("", ""),
    ("..", ".."),
    ("447700900123.news.example", "news.example"),
    ("447700900123", "..."),
    ("x" * 300 + ".example", "x" * 300 + ".example"),
]


@pytest.mark.parametrize(("host", "domain"), DOMAINS)
def test_registrable_domain(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain


def test_shape_and_stability() -> None:
    found = fingerprint("msisdn", "header", "X-MSISDN", "www.news.example")
    assert re.fullmatch(r"v1:[a-z2-7]{16}", found)
    assert found == "v1:iv5cgwh2ocxvw4sl"  # baselines depend on it: a change here breaks them


def test_what_makes_no_difference() -> None:
    found = fingerprint("r", "header", "X-MSISDN", "www.news.example")
    assert found == fingerprint("r", "header", "x-msisdn", "m.news.example")
    assert fingerprint("r", "query", "u447700900123", "h") == fingerprint("r", "query", "u447700900999", "h")


def test_what_makes_a_difference() -> None:
    all_of_them = {
        fingerprint("r", "header", "n", "a.example"),
        fingerprint("s", "header", "n", "a.example"),
        fingerprint("r", "cookie", "n", "a.example"),
        fingerprint("r", "header", "m", "a.example"),
        fingerprint("r", "header", "n", "b.example"),
    }
    assert len(all_of_them) == 5


def test_hostile_names() -> None:
    assert fingerprint("r", "header", "\ud800\x00é" * 1000, "\ud800.example").startswith("v1:")


def test_the_rules_of_one_top_level_domain_suffice():
    whole = PublicSuffixList()
    rules = [line.decode() for line in Path(PSLFILE).read_bytes().splitlines() if line[:1] not in (b"", b"/")]
    names = [rule.lstrip("!").replace("*", "any") for rule in rules[::7]]
    names += [name.encode("idna").decode() for name in names if not name.isascii()]
    for name in names:
        for host in (name, f"a.{name}", f"a.b.{name}"):
            assert registrable_domain(host) == redact(whole.privatesuffix(host) or host), host
