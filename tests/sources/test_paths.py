"""Which captures the operator means."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from leakscan.errors import CaptureUnavailable
from leakscan.losses import Losses
from leakscan.sources import expand
from leakscan.sources.paths import named_like_a_capture, natural
from tests.builders import pcap, pcapng
from tests.nobody import as_nobody


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("x.pcap2", "x.pcap", "x.pcap10", "sub/b.cap", "sub/a.pcapng.gz", "a[1].pcap"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pcap([b"1"]))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["x.pcap"], ["x.pcap"]),
        (["./x.pcap", "-"], ["./x.pcap", "-"]),
        (["x.pcap10", "x.pcap2"], ["x.pcap10", "x.pcap2"]),  # the operator's own order
        (["."], ["./a[1].pcap", "./sub/a.pcapng.gz", "./sub/b.cap", "./x.pcap", "./x.pcap2", "./x.pcap10"]),
        (["sub"], ["sub/a.pcapng.gz", "sub/b.cap"]),
        (["sub/"], ["sub/a.pcapng.gz", "sub/b.cap"]),
        (["x.*"], ["x.pcap", "x.pcap2", "x.pcap10"]),
        (["**/*.cap"], ["sub/b.cap"]),
        (["s*"], ["sub/a.pcapng.gz", "sub/b.cap"]),
        (["a[1].pcap"], ["a[1].pcap"]),
        (["x.pcap", "x.*"], ["x.pcap", "x.pcap2", "x.pcap10"]),  # each once
    ],
)
def test_expand(folder: Path, arguments: list[str], names: list[str]) -> None:
    losses = Losses()
    assert expand(arguments, losses) == names
    assert not losses


def test_a_file_under_two_names_is_read_once(folder: Path) -> None:
    (folder / "latest.pcap").symlink_to(folder / "x.pcap")
    names = ["./x.pcap", "latest.pcap", "x.pcap", str(folder / "x.pcap"), "x.pcap2"]
    assert expand(names, Losses()) == ["./x.pcap", "x.pcap2"]


@pytest.mark.parametrize("argument", ["none.pcap", "*.none", "none/", ""])
def test_nothing_there(folder: Path, argument: str) -> None:
    with pytest.raises(CaptureUnavailable, match=r"no such|nothing matches") as error:
        expand(["x.pcap", argument], Losses())
    assert str(error.value).startswith(f"{argument}: ")


def test_empty_directory(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(CaptureUnavailable, match=r"empty: no file in this directory"):
        expand(["empty"], Losses())


def test_dangling_link(folder: Path) -> None:
    (folder / "link.pcap").symlink_to("nowhere")
    with pytest.raises(CaptureUnavailable, match=r"link\.pcap: a link to nothing"):
        expand(["link.pcap"], Losses())


def test_not_permitted(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "x.pcap").chmod(0)
    (folder / "sub").chmod(0)
    assert as_nobody(lambda: _refused("x.pcap") and _refused("sub"))


def _refused(argument: str) -> bool:
    try:
        expand([argument], Losses())
    except CaptureUnavailable as error:
        return f"{argument}: permission denied" in str(error)
    return False


def test_not_permitted_by_the_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda name, mode: name != "x.pcap")
    with pytest.raises(CaptureUnavailable, match=r"x\.pcap: permission denied"):
        expand(["x.pcap"], Losses())


def test_what_is_no_capture_in_a_directory(folder: Path) -> None:
    """By content or by name, or it is left out and counted; but what is named is always taken."""
    sub = folder / "more"
    sub.mkdir()
    (sub / "notes.txt").write_text("hello, world")
    (sub / "notes.txt.gz").write_bytes(gzip.compress(b"hello, world"))
    (sub / "nothing").touch()
    (sub / "by-content").write_bytes(pcapng(frames=[b"1"]))
    (sub / "by-content.gz").write_bytes(gzip.compress(pcap([b"1"])))
    (sub / "by-name.pcap.3.gz").write_text("damaged")
    (sub / "foreign").write_bytes(b"snoop\0\0\0" + bytes(30))
    (sub / "cut.gz").write_bytes(gzip.compress(pcap([b"1"]))[:12])  # cannot be told: reading it says why
    losses = Losses()
    names = [Path(name).name for name in expand(["more"], losses)]
    assert names == ["by-content", "by-content.gz", "by-name.pcap.3.gz", "cut.gz", "foreign"]
    assert losses == {"file.skipped": 3}
    assert expand(["more/notes.txt"], losses) == ["more/notes.txt"]


def test_directories_hold_no_pipes_and_links_are_not_followed_into_others(folder: Path) -> None:
    os.mkfifo(folder / "sub/pipe.pcap")
    (folder / "sub/loop").symlink_to("..")
    (folder / "sub/c.cap").symlink_to("../x.pcap")
    assert expand(["sub"], Losses()) == ["sub/a.pcapng.gz", "sub/b.cap", "sub/c.cap"]
    assert expand(["sub/pipe.pcap"], Losses()) == ["sub/pipe.pcap"]


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("x.pcap", True),
        ("X.PCAP", True),
        ("x.pcapng.zst", True),
        ("x.pcap12", True),
        ("x.pcap.12.lz4", True),
        ("x.cap", True),
        ("x.gz", False),
        ("x.pcap.txt", False),
        ("pcap", False),
    ],
)
def test_named_like_a_capture(name: str, like: bool) -> None:
    assert named_like_a_capture(name) is like


def test_natural_order() -> None:
    names = ["x10", "x9a", "x9", "x", "10", "9", "x09", "x" + "9" * 200]
    assert sorted(names, key=natural) == ["9", "10", "x", "x09", "x9", "x9a", "x10", "x" + "9" * 200]
