"""The documentation tells the truth: its examples print what it says, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from leakscan.cli import COMMANDS, leaf_commands
from tests.docs import PAGES, PICTURE, PICTURE_COMMAND, ROOT, examples, output, picture

EXAMPLES = [(path, *example) for path in PAGES for example in examples(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("path", "command", "expected"), EXAMPLES, ids=[command for _, command, _ in EXAMPLES])
def test_example(path, command, expected):
    assert output(command) == expected


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


def test_the_picture_is_what_the_program_prints():
    assert PICTURE.read_text(encoding="utf-8") == picture()
    assert PICTURE_COMMAND in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_command_and_flag_is_documented():
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"## leakscan {name}" in page
    for words, command in leaf_commands():
        assert f"leakscan {words}" in page
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert any(flag in page for flag in parameter.opts)
        assert "Example" in (command.help or "")


def test_no_page_has_anybody_s_real_number():
    allowed = re.compile(r"4477009\d{5}|7700 ?900|555-?01\d\d|^001010\d{9}$|^(\d)\1+$")
    for path in PAGES:
        for number in re.findall(r"(?<![\w.:-])\+?\d[\d ]{9,14}\d(?![\w.:-])", path.read_text(encoding="utf-8")):
            if len(re.sub(r"\D", "", number)) >= 11:
                assert allowed.search(number), f"{path}: {number}"


def test_root_holds_only_what_tools_insist_on():
    known = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "action.yml",
        "leakscan",
        "tests",
        "fixtures",
        "docs",
    }
    assert {entry.name for entry in Path(ROOT).iterdir() if not entry.name.startswith(".")} <= known
