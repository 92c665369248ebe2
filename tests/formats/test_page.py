"""docs/formats.md says what the formats do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from leakscan.formats import FORMATS
from leakscan.masks import mask

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
RUN, LEAK, *_, SUMMARY = map(json.loads, (ROOT / "fixtures" / "gtp-u.leaks.jsonl").read_text().splitlines())


def test_examples_are_what_the_fixture_gives() -> None:
    leak, row = map(json.loads, re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE))
    assert leak == LEAK
    assert row == {key: value for key, value in SUMMARY["hosts"][0].items() if key not in ("host", "partners")}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_in_the_table(name: str) -> None:
    suffix = "".join(f"`{suffix}`" for suffix in FORMATS[name].suffixes)
    assert f"| `{name}` | {suffix} |" in PAGE or f"| `{name}` | |" in PAGE


def keys(value: Any) -> set[str]:
    """All keys of schema 1 in a part of a result; names of losses, kinds and bearers are no keys of it."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    free = {"identifiers", "bearers", "bearer_requests", "verdicts", "rules", "settings", "unread", "other", "covered"}
    return set(value) | set().union(*(keys(inner) for key, inner in value.items() if key not in free))


@pytest.mark.parametrize("part", [RUN, LEAK, SUMMARY], ids=["run", "leak", "summary"])
def test_every_key_is_explained(part: dict[str, Any]) -> None:
    assert [key for key in sorted(keys(part) - {"type", "unread", "other"}) if f"`{key}`" not in PAGE] == []


def test_masks_are_as_shown() -> None:
    assert f"`{mask('msisdn', '447700900123')}`" in PAGE
    assert f"`{mask('imsi', '001010123456789')}`" in PAGE
