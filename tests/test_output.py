"""Files are whole, private and where they were asked for, or not there at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from leakscan.errors import UsageError
from leakscan.formats import FORMATS
from leakscan.output import Output, OutputFile, parse_output
from tests.nobody import as_nobody

SPECS = [
    # -o, format, file
    ("report.txt", "table", "report.txt"),
    ("report.jsonl", "jsonl", "report.jsonl"),
    ("report.json", "json", "report.json"),
    ("report.csv", "csv", "report.csv"),
    ("report.md", "markdown", "report.md"),
    ("report.html", "html", "report.html"),
    ("incident=report.md", "incident", "report.md"),
    ("report.sarif", "sarif", "report.sarif"),
    ("report.xml", "junit", "report.xml"),
    ("github=annotations", "github", "annotations"),
    ("REPORT.JSON", "json", "REPORT.JSON"),
    ("a.b/report.x.md", "markdown", "a.b/report.x.md"),
    ("jsonl=report", "jsonl", "report"),
    ("json=/dev/stdout", "json", "/dev/stdout"),
    ("csv=a=b.txt", "csv", "a=b.txt"),
    ("./x=y.json", "json", "./x=y.json"),
]


@pytest.mark.parametrize(("spec", "name", "path"), SPECS)
def test_parse(spec: str, name: str, path: str) -> None:
    assert parse_output(spec) == Output(name, path)


@pytest.mark.parametrize("spec", ["report", "report.htm", "-", "", "nothing=report.md", "json=", ".json", "json"])
def test_what_cannot_be_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match=r"jsonl"):
        parse_output(spec)


def test_every_format_has_a_suffix_of_its_own() -> None:
    suffixes = [suffix for writer in FORMATS.values() for suffix in writer.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert [name for name, writer in FORMATS.items() if not writer.suffixes] == ["incident", "github"]


def only(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    before = os.umask(0)
    try:
        with OutputFile(str(path)) as file:
            file.stream.write("é one\n")
            assert not path.exists()
    finally:
        os.umask(before)
    assert path.read_bytes() == "é one\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert only(tmp_path) == ["report.txt"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")
    path.chmod(0o644)
    with OutputFile(str(path)) as file:
        file.stream.write("new")
        file.stream.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_what_failed(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")

    def fail() -> None:
        with OutputFile(str(path)) as file:
            file.stream.write("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert only(tmp_path) == ["report.txt"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "report.txt"
    victim.write_text("precious")
    link.symlink_to(victim)
    with OutputFile(str(link)) as file:
        file.stream.write("new")
    assert victim.read_text() == "precious"
    assert not link.is_symlink()
    assert link.read_text() == "new"


def test_a_link_to_a_fifo_is_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "report.txt").symlink_to(tmp_path / "fifo")
    with OutputFile(str(tmp_path / "report.txt")) as file:
        assert not file.through


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    path = tmp_path / "fifo.txt"
    os.mkfifo(path)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(path.read_text()))
    reader.start()
    with OutputFile(str(path)) as file:
        assert file.through
        file.stream.write("line\n")
    reader.join(10)
    assert got == ["line\n"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert only(tmp_path) == ["fifo.txt"]


def test_an_open_file_of_the_system_is_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with target.open("wb") as opened, OutputFile(f"/dev/fd/{opened.fileno()}") as file:
        assert file.through
        file.stream.write("line\n")
    assert target.read_text() == "line\n"


def test_a_full_disk_names_the_file() -> None:
    def fill() -> None:
        with OutputFile("/dev/full") as file:
            file.stream.write("x" * 100_000)

    with pytest.raises(UsageError, match="cannot write /dev/full: No space left on device"):
        fill()


def test_a_full_disk_at_the_very_end_names_the_file() -> None:
    file = OutputFile("/dev/full")
    file.stream.write("x")
    with pytest.raises(UsageError, match="/dev/full: No space"):
        file.commit()
    file.discard()


def test_a_reader_that_left_names_the_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo.txt"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = OutputFile(str(path))
    os.close(reader)
    with pytest.raises(UsageError, match=r"fifo\.txt: Broken pipe"):
        file.stream.write("line\n")
    file.discard()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/report.txt", "No such file or directory"),
        ("file/report.txt", "Not a directory"),
        ("folder", "is a direct"),
    ],
)
def test_what_the_system_refuses(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=f"{path}: {reason}"):
        OutputFile(str(tmp_path / path))
    assert only(tmp_path) == ["file", "folder"]


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o555)

    def refused() -> bool:
        with pytest.raises(UsageError, match="Permission denied"):
            OutputFile("report.txt")
        return True

    assert as_nobody(refused)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with OutputFile(str(tmp_path / "report.txt")) as file:
            file.stream.write("x")
        OutputFile(str(tmp_path / "report.txt")).discard()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert only(tmp_path) == ["report.txt"]


def test_a_file_that_grows_is_there_from_the_beginning_and_stays(tmp_path):
    path = tmp_path / "leaks.jsonl"
    path.write_text("older")
    with pytest.raises(KeyError), OutputFile(str(path), grow=True) as file:
        assert path.read_text() == ""
        file.stream.write("a line\n")
        file.stream.flush()
        assert path.read_text() == "a line\n"
        raise KeyError
    assert path.read_text() == "a line\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_grows_replaces_a_link_and_does_not_follow_it(tmp_path):
    victim, link = tmp_path / "victim", tmp_path / "leaks.jsonl"
    victim.write_text("whole")
    link.symlink_to(victim)
    with OutputFile(str(link), grow=True) as file:
        file.stream.write("a line\n")
    assert (victim.read_text(), link.is_symlink(), link.read_text()) == ("whole", False, "a line\n")


def test_a_file_that_cannot_take_its_name_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("leakscan.output.os.replace", refuse)
    with pytest.raises(UsageError, match=r"leaks\.jsonl: Operation not permitted"):
        OutputFile(str(tmp_path / "leaks.jsonl"), grow=True)
    assert list(tmp_path.iterdir()) == []
