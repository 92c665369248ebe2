"""Evidence packs: what is in them, what checking one says, and what becomes of one that somebody touched."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from leakscan import cli
from leakscan.evidence import FILES
from tests.builders import pcap, pcapng
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent.parent
KEY = str(ROOT / "fixtures" / "golden.key")
FIXTURES = [str(ROOT / "fixtures" / name) for name in ("gtp-u.pcap", "lossy.pcap", "tokens-cookies-query.pcap")]
NUMBER, OTHER = "447700900123", "447700900456"
NAMES = {*FILES, "manifest.json"}


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def pack(tmp_path, capsys):
    """Makes a pack of captures; gives its folder."""

    def make(*captures: str, flags: tuple[str, ...] = ("--pseudonym-key", KEY), name: str = "pack") -> Path:
        run(capsys, "analyse", "-q", *flags, "--evidence", str(tmp_path / name), *captures)
        return tmp_path / name

    return make


def findings(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def verdict(capsys, *arguments: str) -> tuple[int, set[tuple[str, str]]]:
    """The exit code, and every line but the last as status and text."""
    code, out, _ = run(capsys, "evidence", "verify", *arguments)
    return code, {(line[:13].strip(), line[13:]) for line in out.splitlines()[:-1]}


def test_what_is_in_it(pack, capsys):
    folder = pack(*FIXTURES)
    leaks = [
        json.loads(line)
        for line in run(capsys, "analyse", "-q", "-f", "jsonl", "--pseudonym-key", KEY, *FIXTURES)[1].splitlines()
    ]
    assert {path.name for path in folder.iterdir()} == NAMES
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    found = findings(folder)
    own = {"finding", "capture_sha256", "frames", "excerpt", "type"}
    assert [{k: v for k, v in finding.items() if k not in own} for finding in found] == [
        {k: v for k, v in leak.items() if k != "type"} for leak in leaks[1:-1]
    ]
    assert json.loads((folder / "run.json").read_text()) == leaks[0]
    assert json.loads((folder / "summary.json").read_text()) == leaks[-1]
    assert {finding["rule"] for finding in found} == set(json.loads((folder / "rules.json").read_text()))
    for finding in found:
        capture = next(path for path in FIXTURES if Path(path).name == Path(finding["capture"]).name)
        data = Path(capture).read_bytes()
        assert finding["capture_sha256"] == hashlib.sha256(data).hexdigest()
        for frame in finding["frames"]:
            there = data[frame["offset"] : frame["offset"] + frame["length"]]
            assert hashlib.sha256(there).hexdigest() == frame["sha256"]
        assert [frame["frame"] for frame in finding["frames"]] == list(
            dict.fromkeys([finding["frame"], finding["frame_end"]])
        )
    for name, total in manifest(folder)["files"].items():
        data = (folder / name).read_bytes()
        assert (total["size"], total["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_excerpts_show_where_it_stood_and_nothing_else(pack, tmp_path):
    secret = ("X-Session: abcdef", "Cookie: login=karl; User-Identity-Forward-msisdn=447700900123")
    data = request("/a?msisdn=447700900123&q=karl", *secret, f"X-Up-Calling-Line-Id: {NUMBER}", f"X-{OTHER}: karl")
    (tmp_path / "a.pcap").write_bytes(pcap(frames(data)))
    found = findings(pack(str(tmp_path / "a.pcap")))
    assert [finding["excerpt"] for finding in found] == [
        [
            "GET /a HTTP/1.1  [query msisdn: 44********23]",
            "Host: www.example",
            "X-Session: (6 characters)",
            "Cookie: (53 characters)",
            "X-Up-Calling-Line-Id: (12 characters)",
            "X-...: (4 characters)",
        ],
        [
            "GET /a HTTP/1.1",
            "Host: www.example",
            "X-Session: (6 characters)",
            "Cookie: ... User-Identity-Forward-msisdn: 44********23 ...",
            "X-Up-Calling-Line-Id: (12 characters)",
            "X-...: (4 characters)",
        ],
        [
            "GET /a HTTP/1.1",
            "Host: www.example",
            "X-Session: (6 characters)",
            "Cookie: (53 characters)",
            "X-Up-Calling-Line-Id: 44********23",
            "X-...: (4 characters)",
        ],
    ]


def test_nothing_raw_is_in_it(pack, tmp_path):
    sent = request(f"/{NUMBER}?msisdn={NUMBER}", f"X-MSISDN: {NUMBER}", f"Cookie: msisdn={NUMBER}", f"X-{NUMBER}: 1")
    (tmp_path / f"sim-{NUMBER}.pcap").write_bytes(pcap(frames(sent)))
    folder = pack(str(tmp_path / f"sim-{NUMBER}.pcap"))
    assert len(findings(folder)) >= 3
    assert not [path.name for path in folder.iterdir() if NUMBER in path.read_text()]


@pytest.mark.parametrize("make", [pcap, lambda f: pcapng(frames=f), lambda f: gzip.compress(pcap(f))])
def test_a_pack_stands(pack, capsys, tmp_path, make):
    """Of every format, and of captures that are called otherwise by now."""
    parts = frames(request("/a", f"X-MSISDN: {NUMBER}") + request("/b", f"X-MSISDN: {OTHER}"), [20, 90])
    (tmp_path / "a").write_bytes(make(parts))
    folder = pack(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    code, said = verdict(capsys, str(folder), str(tmp_path / "b"), "--pseudonym-key", KEY)
    assert code == 0
    assert {status for status, _ in said} == {"ok"}
    assert ("ok", "findings: 2, the same when the captures are scanned again") in said
    assert ("ok", "frames: 4 where the findings say, with their hashes") in said


def test_a_head_over_two_captures(pack, capsys, tmp_path):
    parts = frames(request("/a", f"X-MSISDN: {NUMBER}"), [30])
    start = 1_326_153_600 * 10**9
    for name, part, at in (("x.pcap1", parts[:2], 0), ("x.pcap2", parts[2:], 2)):
        (tmp_path / name).write_bytes(pcap([(start + (at + i) * 10**9, frame) for i, frame in enumerate(part)]))
    paths = [str(tmp_path / "x.pcap1"), str(tmp_path / "x.pcap2")]
    folder = pack(*paths)
    (finding,) = findings(folder)
    assert [(frame["capture"], frame["frame"]) for frame in finding["frames"]] == [(0, 2), (1, 1)]
    assert verdict(capsys, str(folder), *paths)[0] == 0


def test_captures_whose_shown_names_are_alike(pack, capsys, tmp_path):
    paths = []
    for number in (NUMBER, OTHER):
        paths.append(str(tmp_path / f"{number}.pcap"))
        Path(paths[-1]).write_bytes(pcap(frames(request("/a", f"X-MSISDN: {number}"))))
    folder = pack(*paths)
    assert len({finding["capture_sha256"] for finding in findings(folder)}) == 2
    assert verdict(capsys, str(folder), *reversed(paths))[0] == 0


def test_several_cores_give_the_same_pack(pack):
    one = pack(*FIXTURES, flags=("-j", "1", "--pseudonym-key", KEY), name="one")
    two = pack(*FIXTURES, flags=("-j", "2", "--pseudonym-key", KEY), name="two")
    assert {name: (one / name).read_bytes() for name in NAMES} == {name: (two / name).read_bytes() for name in NAMES}


def change(folder: Path, name: str, old: str, new: str, sign: bool = False) -> None:
    """Touch a file of a pack; `sign`: and have the manifest agree."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    if sign:
        made = manifest(folder)
        data = (folder / name).read_bytes()
        made["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(made))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_touched(pack, capsys, name):
    folder = pack(*FIXTURES)
    (folder / name).write_text((folder / name).read_text() + " ")
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert code == 1
    assert ("DIFFERS", name) in said
    assert ("not checked", "findings: the pack itself is not what its manifest says") in said


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"frame":4,"offset":386', '"frame":4,"offset":387', "frames of findings 1"),
        ('"offset":386,"length":414', '"offset":386,"length":413', "frames of findings 1"),
        ('"44********23"', '"44********24"', "findings 1: not what a scan finds"),
        ('"host":"core.example"', '"host":"else.example"', "findings 1: not what a scan finds"),
        ('"User-Agent: (70 characters)"', '"User-Agent: (71 characters)"', "findings 1: not what a scan finds"),
        ('"pseudonym":"msisdn:ecjsvl6rjnab"', '"pseudonym":"msisdn:aaaaaaaaaaaa"', "findings 1: not what a scan finds"),
    ],
)
def test_a_finding_that_was_forged(pack, capsys, old, new, what):
    """Somebody has changed a finding and made the manifest agree: the captures do not."""
    folder = pack(*FIXTURES)
    change(folder, "findings.jsonl", old, new, sign=True)
    code, said = verdict(capsys, str(folder), *FIXTURES, "--pseudonym-key", KEY)
    assert (code, ("DIFFERS", what) in said) == (1, True)


def test_a_finding_that_was_left_out(pack, capsys):
    folder = pack(*FIXTURES)
    lines = (folder / "findings.jsonl").read_text().splitlines(keepends=True)
    change(folder, "findings.jsonl", lines[-1], "", sign=True)
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("DIFFERS", "findings 14: not what a scan finds") in said) == (1, True)


def test_a_capture_that_was_touched_or_is_missing(pack, capsys, tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames(request("/a", f"X-MSISDN: {NUMBER}"))))
    folder = pack(str(path))
    assert verdict(capsys, str(folder))[0] == 3
    path.write_bytes(path.read_bytes().replace(NUMBER.encode(), OTHER.encode()))
    code, said = verdict(capsys, str(folder), str(path))
    assert code == 3
    assert [text for status, text in said if status == "note"] == [f"{path}: no capture of this pack"]
    assert any(status == "not checked" and "SHA-256" in text for status, text in said)


def test_another_catalogue_is_said_and_no_fault(pack, capsys, monkeypatch):
    folder = pack(*FIXTURES)
    made = manifest(folder)
    made["tool"]["catalogue"] = "2012-01-10 0123456789ab"
    (folder / "manifest.json").write_text(json.dumps(made))
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert code == 0
    assert any(status == "note" and "2012-01-10" in text for status, text in said)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "..", "a/b", "link", "pipe", "folder", "missing", ""])
def test_names_that_leave_the_folder_are_refused(pack, capsys, name):
    folder = pack(*FIXTURES)
    (folder.parent / "outside").write_text("x")
    (folder / "link").symlink_to(folder.parent / "outside")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    made = manifest(folder)
    made["files"][name] = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(made))
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert code == 1
    assert not any(status == "ok" and name and text == name for status, text in said)
    assert any(status == "DIFFERS" and str(folder) in text for status, text in said)


def test_what_the_manifest_does_not_know_is_said(pack, capsys):
    folder = pack(*FIXTURES)
    (folder / "more.txt").write_text("x")
    assert verdict(capsys, str(folder), *FIXTURES) > (0, {("DIFFERS", "more.txt: not in the manifest")})
    made = manifest(folder)
    del made["files"]["rules.json"]
    (folder / "manifest.json").write_text(json.dumps(made))
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("DIFFERS", "rules.json: not in the manifest") in said) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"type":"leakscan-evidence"}',
        '{"type":"leakscan-evidence","schema":2}',
        '{"type":"leakscan-evidence","schema":1,"tool":3}',
        "\x00" * (17 << 20),
    ],
    ids=lambda text: text[:40],
)
def test_a_manifest_that_is_none(pack, capsys, text):
    folder = pack(*FIXTURES)
    (folder / "manifest.json").write_text(text)
    code, out, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, out) == (2, "")
    assert "manifest.json" in err


@pytest.mark.parametrize(
    "line", ["{}", "[]", "x", '{"finding":1,"frames":[{"capture":-1}],"excerpt":[]}', "[" * 99_999]
)
def test_findings_that_are_none(pack, capsys, line):
    folder = pack(*FIXTURES)
    first = (folder / "findings.jsonl").read_text().splitlines()[0]
    change(folder, "findings.jsonl", first, line, sign=True)
    code, _, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, "findings.jsonl: line 1: no finding" in err) == (2, True)


# -- one number ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [NUMBER, f"+{NUMBER}", f"00{NUMBER}", "+44 7700 900-123", f"tel:+{NUMBER}"])
def test_one_number_can_be_confirmed(pack, capsys, value):
    folder = pack(*FIXTURES)
    code, out, _ = run(capsys, "evidence", "verify", str(folder), "--pseudonym-key", KEY, "--value", value)
    assert code == 0
    assert "9: 1, 2, 3" in out
    assert NUMBER not in out
    assert "core.example" in out
    assert len({finding["pseudonym"] for finding in findings(folder)} & set(out.split())) == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [("001010123456789", "imsi"), ("001010012345672", "imei"), ("00101001234567", "imei")],
)
def test_other_kinds(pack, capsys, value, kind):
    code, out, _ = run(capsys, "evidence", "verify", str(pack(*FIXTURES)), "--pseudonym-key", KEY, "--value", value)
    assert (code, f"as {kind}:" in out) == (0, True)


def test_a_token_as_it_stands(pack, capsys, tmp_path):
    (tmp_path / "a.pcap").write_bytes(pcap(frames(request("/a", "X-Nokia-Alias: 1a2b3c4d5e6f"))))
    folder = pack(str(tmp_path / "a.pcap"), flags=("--pseudonym-key", KEY, "--min-confidence", "hint"))
    kinds = {finding["identifier"] for finding in findings(folder)}
    code, _, _ = run(capsys, "evidence", "verify", str(folder), "--pseudonym-key", KEY, "--value", "1a2b3c4d5e6f")
    assert (code, kinds) == (0, {"subscriber_token"})


def test_another_number_is_not_in_it(pack, capsys):
    folder = pack(*FIXTURES)
    code, out, _ = run(capsys, "evidence", "verify", str(folder), "--pseudonym-key", KEY, "--value", OTHER[:-1] + "7")
    assert (code, out) == (1, "not in this pack\n")


def test_another_key_is_refused(pack, capsys, tmp_path):
    (tmp_path / "key").write_bytes(b"another key of some length")
    folder = pack(*FIXTURES)
    for flags in (["--value", NUMBER], FIXTURES):
        code, out, err = run(
            capsys, "evidence", "verify", str(folder), "--pseudonym-key", str(tmp_path / "key"), *flags
        )
        assert (code, out, "another key" in err) == (2, "", True)
    assert run(capsys, "evidence", "verify", str(folder), "--value", NUMBER)[0] == 2


def test_the_number_may_come_from_stdin(pack, capsys, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NUMBER}\n"))
    code, out, _ = run(capsys, "evidence", "verify", str(pack(*FIXTURES)), "--pseudonym-key", KEY, "--value", "-")
    assert (code, out.startswith("in this pack")) == (0, True)


# -- making one ------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_there_is_left_alone(pack, capsys, tmp_path):
    (tmp_path / "pack").mkdir()
    assert {path.name for path in pack(*FIXTURES).iterdir()} == NAMES  # an empty one will do
    before = {path.name: path.read_bytes() for path in (tmp_path / "pack").iterdir()}
    code, out, err = run(capsys, "analyse", "--evidence", str(tmp_path / "pack"), *FIXTURES)
    assert (code, out, "no empty folder" in err) == (2, "", True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "pack").iterdir()} == before
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert run(capsys, "analyse", "--evidence", str(tmp_path / "link"), *FIXTURES)[0] == 2
    assert run(capsys, "analyse", "--evidence", str(tmp_path / "no" / "such"), *FIXTURES)[0] == 2
    assert run(capsys, "analyse", "--evidence", str(tmp_path / "new"), "-")[0] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"pack", "link"}


def test_an_error_leaves_nothing(tmp_path, capsys, monkeypatch):
    def broken(*_):
        raise ValueError(NUMBER)

    monkeypatch.setattr("leakscan.evidence.pack.capture_sum", broken)
    assert run(capsys, "analyse", "--evidence", str(tmp_path / "pack"), *FIXTURES)[0] == 70
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_s_hash_is_said(tmp_path, capsys):
    _, _, err = run(capsys, "analyse", "--evidence", str(tmp_path / "pack"), *FIXTURES)
    assert hashlib.sha256((tmp_path / "pack" / "manifest.json").read_bytes()).hexdigest() in err
    shutil.rmtree(tmp_path / "pack")
