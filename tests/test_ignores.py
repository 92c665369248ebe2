"""What nobody wants to hear of: what an entry fits, when it expires, every mistake in the file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from leakscan import ignores as module
from leakscan.errors import FileMistake
from leakscan.ignores import Ignores
from leakscan.summary import Summary
from tests.leaks import add, leak

NEWS = leak(host="www.news.example", name="X-Up-Calling-Line-Id")


def load(tmp_path: Path, text: str) -> Ignores:
    path = tmp_path / "ignore.toml"
    path.write_text(text, encoding="utf-8")
    return Ignores.load(str(path))


#: keys of an entry, hosts of the behaviour, fits
FITS = [
    (f'fingerprint = "{NEWS.fingerprint}"', ["www.news.example"], True),
    ('fingerprint = "v1:aaaaaaaaaaaaaaaa"', ["www.news.example"], False),
    ('rule = "x-up-calling-line-id"', ["www.news.example"], True),
    ('rule = "x-acr"', ["www.news.example"], False),
    ('name = "x-up-calling-line-ID"', ["www.news.example"], True),
    ('name = "x-up"', ["www.news.example"], False),
    ('host = "www.news.example"', ["www.news.example"], True),
    ('host = "*.news.example"', ["www.news.example", "a.news.example"], True),
    ('host = "www.news.example"', ["www.news.example", "a.news.example"], False),
    ('host = "*.news.example"', ["www.news.example", "news.example"], False),
    ('host = "*.news.example"', [f"h{n}.news.example" for n in range(100)], True),
    ('host = "*.news.example"', [f"h{n}.news.example" for n in range(101)], False),  # not all are named
    ('rule = "x-up-calling-line-id"', [f"h{n}.news.example" for n in range(101)], True),
    ('rule = "x-up-calling-line-id"\nhost = "*.news.example"\nname = "x-up-calling-line-id"', ["a.news.example"], True),
    ('rule = "x-up-calling-line-id"\nhost = "*.shop.example"', ["a.news.example"], False),
]


@pytest.mark.parametrize(("keys", "hosts", "fits"), FITS)
def test_fits(tmp_path: Path, keys: str, hosts: list[str], fits: bool) -> None:
    made = Summary()
    for host in hosts:
        add(made, leak(host=host, name="X-Up-Calling-Line-Id"))
    (row,) = made.to_dict()["behaviours"]
    found = list(load(tmp_path, f'[[ignore]]\nreason = "ticket 1"\n{keys}\n').fitting(row))
    assert bool(found) == fits


def test_expires_after_its_last_day(tmp_path: Path) -> None:
    (entry,) = load(tmp_path, '[[ignore]]\nrule = "r"\nreason = "x"\nexpires = 2012-03-31\n').entries
    assert not entry.has_expired(date(2012, 3, 31))
    assert entry.has_expired(date(2012, 4, 1))


ENTRY = '[[ignore]]\nrule = "x-acr"\nreason = "ticket 1"\nexpires = 2012-03-31\nowner = "us"\n'
MISTAKES = [
    (ENTRY, "", ["there is no [[ignore]]"]),
    ("[[ignore]]", "[[ignores]]", ["ignores: unknown key; did you mean ignore?"]),
    ('rule = "x-acr"', "", ["ignore 1", "fingerprint: missing; or give rule, host or name"]),
    ('reason = "ticket 1"', "", ["ignore 1", "reason: missing"]),
    ('"ticket 1"', '""', ["reason: must be text"]),
    ("reason", "reasons", ["reasons: unknown key; did you mean reason?"]),
    ("expires", "expiry", ["expiry: unknown key; did you mean expires?"]),
    ("2012-03-31", '"2012-03-31"', ["expires: must be a date"]),
    ("2012-03-31", "2012-03-31T00:00:00Z", ["expires: must be a date"]),
    ('"us"', "7", ["owner: must be text"]),
    ('rule = "x-acr"', 'fingerprint = "x-acr"', ["fingerprint: must be"]),
    ('rule = "x-acr"', 'host = "*"', ["host:", "is no host name"]),
    ("rule", 'fingerprint = "v1:aaaaaaaaaaaaaaaa"\nrule', ["rule: the fingerprint says it already"]),
]


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES, ids=[words[-1] for *_, words in MISTAKES])
def test_a_mistake_names_file_entry_and_key(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    assert old in ENTRY
    with pytest.raises(FileMistake) as caught:
        load(tmp_path, ENTRY.replace(old, new, 1))
    assert caught.value.exit_code == 2
    assert all(word in str(caught.value) for word in ["ignore.toml", *words])


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "gate.md").read_text(encoding="utf-8")
    assert [key for key in module.KEYS if f"`{key}`" not in page] == []
