"""Sizes and times on the command line."""

from __future__ import annotations

import click
import pytest

from leakscan.cli.options import DURATION, size

SIZE = size(64, 1 << 40)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (DURATION, "90", 90),
        (DURATION, "1.5s", 1.5),
        (DURATION, "10m", 600),
        (DURATION, "2 h", 7200),
        (DURATION, " 7D ", 604800),
        (SIZE, "1000", 1000),
        (SIZE, "64kB", 64_000),
        (SIZE, "64 KiB", 65_536),
        (SIZE, "1.5MB", 1_500_000),
        (SIZE, "2GiB", 2 << 30),
    ],
)
def test_what_is_understood(kind, text, value):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((DURATION, text) for text in ("", "soon", "-1", "1e3", "1w", "0", "0.5", "9999999d", "٣", "1" * 40)),
        *((SIZE, text) for text in ("", "63", "1TB", "-5MB", "1 M B", "0x40", "2000GB")),
    ],
)
def test_what_is_refused(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)
