"""The pages of docs/detectors are what the docstrings and the catalogue say."""

from __future__ import annotations

import re

import pytest

from leakscan.detectors import DETECTORS, SEVERITY_OF, builtin, detect
from leakscan.detectors.catalogue import ADDED_BY, KEYS, PLACES
from leakscan.detectors.encodings import DECODERS, GUESSES
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, SEVERITIES, Field
from tests.detectors.pages import FOLDER, HEADINGS, modules, page

README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", modules())
def test_page_is_current(name: str) -> None:
    written = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert written == page(name, modules()[name]), "run: python -m tests.detectors.pages"
    assert f"({name}.md)" in README


def test_no_page_is_left_over() -> None:
    assert {file.stem for file in FOLDER.glob("*.md")} == {*modules(), "README"}


@pytest.mark.parametrize("name", modules())
def test_a_docstring_has_all_parts_and_its_example_leaks(name: str) -> None:
    docstring = modules()[name].__doc__ or ""
    labels = re.findall(r"^([A-Z][a-z ]+): ", docstring.partition("\n\n")[2], re.MULTILINE)
    assert [label for label in labels if label in HEADINGS] == list(HEADINGS)
    example = re.search(r"^Example: `([^`:=]+)[:=] ?([^`]+)`", docstring, re.MULTILINE)
    assert example is not None
    places = ("header", "query")
    assert any(detect([Field(place, example[1], example[2])], Losses()) for place in places)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_check_says_what_it_takes(name: str) -> None:
    assert DETECTORS[name].check.__doc__


@pytest.mark.parametrize(
    "word",
    [
        *KEYS,
        *PLACES,
        *ADDED_BY,
        *SEVERITY_OF,
        *SEVERITIES,
        *CONFIDENCES,
        *dict((*DECODERS, *GUESSES)),
        "value.placeholder",
    ],
)
def test_the_readme_explains(word: str) -> None:
    assert f"`{word}`" in README


def test_the_readme_tells_the_severities() -> None:
    for identifier, severity in SEVERITY_OF.items():
        assert re.search(rf"^\| `{identifier}` \| `{severity}` \|", README, re.MULTILINE), identifier


def test_the_readme_counts_the_signatures() -> None:
    assert f"{len(builtin().signatures)} signatures" in README
