"""Fixtures and real captures against their copies: requests, bytes, and tshark's word. whole.py says how."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest

from leakscan.losses import Losses
from leakscan.redaction.finding import Findings
from leakscan.redaction.job import Wanted, find
from tests.builders import pcap
from tests.conftest import CORPORA
from tests.golden import CAPTURES
from tests.redaction import whole
from tests.streams import frames, request

FILES = sorted((Path(CORPORA) / "files").iterdir()) if CORPORA else []
#: Real captures in which something is found, and replaced.
WITH_FINDINGS = [
    "arkime__arkime_synthetic.pcap",
    "ndpi__fuzz-2006-09-29-28586.pcap",
    "pcapplusplus__many-protocols.pcap",
]
SAMPLED = 40
NUMBER = "447700900123"

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark: apt install tshark")


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_fixtures(path, tmp_path):
    word, said, differs = whole.examined(path, tmp_path)
    assert said == []
    assert differs == (", 0 identifiers" not in word)


@pytest.mark.corpora
@pytest.mark.parametrize("name", WITH_FINDINGS)
def test_real_captures_with_identifiers(name, corpora, tmp_path):
    word, said, differs = whole.examined(corpora / "files" / name, tmp_path)
    assert (word.startswith("copied"), said, differs) == (True, [], True)


@pytest.mark.corpora
def test_real_captures(tmp_path):
    """Some; all of them are `python -m tests.redaction.whole`'s."""
    for path in Random(7).sample(FILES, SAMPLED):
        word, said, _ = whole.examined(path, tmp_path)
        assert (path.name, word, said) == (path.name, word, [])


# -- that it would be seen -------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path) -> tuple[Path, Path, Findings]:
    """A capture, a path for a copy, and what is in the capture."""
    path = tmp_path / "in"
    path.write_bytes(pcap(frames(request("/a", f"X-MSISDN: {NUMBER}", "X-Other: 1"))))
    return path, tmp_path / "copy", find(str(path), Losses(), Wanted())


@pytest.mark.parametrize("number", sorted(set(whole.encodings(NUMBER))))
def test_a_number_that_is_left(pair, number):
    path, out, findings = pair
    out.write_bytes(path.read_bytes().replace(NUMBER.encode(), b"447700900999") + number)
    assert len(list(whole.left(findings, out))) == 1


@pytest.mark.parametrize(
    ("old", "new"), [(b"X-Other: 1", b"X-Other: 2"), (b"GET /a", b"GET /b"), (b"X-Other", b"X-other")]
)
def test_a_request_that_became_another(pair, old, new):
    path, out, findings = pair
    data = path.read_bytes().replace(NUMBER.encode(), b"447700900999")
    out.write_bytes(data)
    assert list(whole.different(path, out, findings)) == []
    out.write_bytes(data.replace(old, new))
    assert len(list(whole.different(path, out, findings))) == 1


def test_a_checksum_that_became_wrong(pair):
    path, out, _ = pair
    out.write_bytes(path.read_bytes().replace(NUMBER.encode(), b"447700900999"))
    assert any("checksum" in one for one in whole.new_complaints(path, out))
