"""Every fixture gives what stands beside it, byte for byte; and nothing is lost unless the fixture is about that."""

from __future__ import annotations

import json

import pytest

from tests.golden import CAPTURES, golden_file, result

#: Fixtures about a loss: the unread ones they have.
UNREAD = {
    "cut": {"file.cut": 1, "http.head-cut": 1},
    "lossy": {"http.head-torn": 1},
}
#: Fixtures about something else that is not HTTP or not sound: the other losses they have, by name.
OTHER = {
    "lossy": {"tcp.gap", "tcp.gap-bytes", "tcp.overlap-conflict", "http.resynchronised", "http.body-skipped"},
    "o2-2012": {"tls", "udp"},
    "tls-only": {"tls", "udp"},
}


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_golden(capture):
    text = result(capture)
    assert text == golden_file(capture).read_text(encoding="ascii")
    losses = json.loads(text.splitlines()[-1])["coverage"]["losses"]
    assert losses["unread"] == UNREAD.get(capture.stem, {})
    assert set(losses["other"]) <= OTHER.get(capture.stem, set()) | {"leaks.not-shown", "value.placeholder"}


def test_no_golden_without_its_fixture():
    assert {golden_file(path) for path in CAPTURES} == set(CAPTURES[0].parent.glob("*.leaks.jsonl"))
