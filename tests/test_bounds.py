"""What is remembered of a capture has a bound in bytes, too: what a capture makes long is answered and forgotten."""

from __future__ import annotations

import pytest

from leakscan import conceal, fingerprint, tally
from leakscan.protocols import heads
from tests.leaks import START_NS, leak

LONG = "a" * 5000


@pytest.mark.parametrize(
    ("ask", "cache"),
    [
        (lambda text: conceal.Concealer().redact(text), conceal._redacted),
        (lambda text: fingerprint.fingerprint("rule", "header", "name", text), fingerprint._fingerprint),
        (lambda text: fingerprint.fingerprint("rule", "header", text, "host.example"), fingerprint._fingerprint),
        (fingerprint.registrable_domain, fingerprint._registrable_domain),
        (heads.host_of, heads._host_of),
    ],
)
def test_long_strings_are_not_remembered(ask, cache):
    cache.cache_clear()
    ask("short.example")
    assert cache.cache_info().currsize == 1
    assert ask(LONG) == ask(LONG)
    assert cache.cache_info().currsize == 1


def test_long_values_have_pseudonyms_that_are_not_remembered():
    concealer = conceal.Concealer()
    assert concealer.pseudonym("token", LONG) == concealer.pseudonym("token", LONG) != concealer.pseudonym("token", "a")
    assert list(concealer._known) == [("token", "a")]


def test_long_strings_are_clipped_in_leaks_that_wait_for_the_whole():
    seen = tally.sighting(leak(target="/" + LONG, host=LONG, name=LONG, value=LONG), START_NS, False, tally.Around())
    kept = (seen.leak.target, seen.leak.host, seen.leak.name, seen.leak.value, seen.host)
    assert max(map(len, kept)) == tally.MAX_CHARS
