"""Packs by somebody who wants them to stand: forged findings that a scan does not cover, names and sizes that are traps,
and settings that would have kept the check from being made. And the places of frames, found by other means.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path

import pytest

from leakscan.evidence.contents import MAX_LINE_BYTES
from leakscan.evidence.pack import Pack
from tests.builders import pcap, pcapng
from tests.evidence.test_evidence import (
    FIXTURES,
    KEY,
    NUMBER,
    OTHER,
    ROOT,
    change,
    findings,
    manifest,
    pack,
    run,
    verdict,
)
from tests.streams import frames, request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["pack"]


def sign(folder: Path, name: str, data: bytes) -> None:
    """Another content for a file, and the manifest agrees."""
    (folder / name).write_bytes(data)
    made = manifest(folder)
    made["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(made))


def touch(folder: Path, **keys: object) -> None:
    """Other keys for the first finding; None takes one away."""
    rows = findings(folder)
    rows[0] = {key: value for key, value in {**rows[0], **keys}.items() if value is not None}
    sign(folder, "findings.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())


def summary_with(folder: Path, part: str, key: str, value: object) -> None:
    made = json.loads((folder / "summary.json").read_text())
    made[part][key] = value
    sign(folder, "summary.json", json.dumps(made).encode())


# -- findings that somebody forged -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    [
        {"network": {"name": "Another", "country": "gb", "mcc": "999", "mnc": "99", "evidence": "x"}},
        {"bearer": "wifi"},
        {"recipient": {"verdict": "partner", "partner": "A", "purpose": None}},
        {"evidence": ["confirmed by the network itself"]},
        {"note": "the director knew of it"},
        {"origin": "gateway"},
        {"rotating": True},
    ],
    ids=lambda forged: next(iter(forged)),
)
def test_no_key_of_a_finding_is_anybody_s(pack, capsys, forged):
    folder = pack(*FIXTURES)
    touch(folder, **forged)
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("DIFFERS", "findings 1: not what a scan finds") in said) == (1, True)


@pytest.mark.parametrize("capture", ["o2-2012", "gateway", "wap-gateway"])
def test_with_files_of_the_operator_s_it_stands_without_them(pack, capsys, capture):
    """What depends on them is said not to be compared."""
    given = [str(ROOT / "fixtures" / f"o2-2012.{name}.toml") for name in ("networks", "policy")]
    path = str(ROOT / "fixtures" / f"{capture}.pcap")
    folder = pack(path, flags=("--networks", given[0], "--policy", given[1], "--min-confidence", "hint"))
    code, said = verdict(capsys, str(folder), path)
    assert code == 0
    assert any(status == "note" and "operator's own files" in text for status, text in said)


def test_frames_that_are_another_s(pack, capsys):
    """They lie where they say, and hash to what they say; but they are not the finding's."""
    folder = pack(*FIXTURES)
    rows = findings(folder)
    other = next(row for row in rows if row["frame"] != rows[0]["frame"])
    for frames_of in (other["frames"], [*rows[0]["frames"], *other["frames"]][:2], []):
        touch(folder, frames=frames_of)
        code, out, _ = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
        assert code in (1, 2), out
    touch(folder, frames=other["frames"], frame=other["frame"], frame_end=other["frame_end"])
    assert verdict(capsys, str(folder), *FIXTURES)[0] == 1


def test_captures_that_are_not_in_the_manifest(pack, capsys):
    """Without the capture, too."""
    folder = pack(*FIXTURES)
    touch(folder, frames=[{**findings(folder)[0]["frames"][0], "capture": 99}])
    assert ("DIFFERS", "frames of findings 1") in verdict(capsys, str(folder))[1]
    assert verdict(capsys, str(folder), *FIXTURES)[0] == 1


@pytest.mark.parametrize("key", ["capture_sha256", "frames", "excerpt", "frame", "frame_end", "time", "host"])
def test_a_finding_without_a_key(pack, capsys, key):
    folder = pack(*FIXTURES)
    touch(folder, **{key: None})
    code, _, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert code in (1, 2)
    assert "internal" not in err


def test_the_count_in_the_manifest(pack, capsys):
    folder = pack(*FIXTURES)
    made = manifest(folder)
    made["findings"] = 9999
    (folder / "manifest.json").write_text(json.dumps(made))
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, any("9,999" in text for _, text in said)) == (1, False)


@pytest.mark.parametrize(
    ("part", "key", "value"), [("total", "subscribers", 999), ("total", "leaks", 1), ("coverage", "requests", 7)]
)
def test_a_summary_that_somebody_forged(pack, capsys, part, key, value):
    folder = pack(*FIXTURES)
    summary_with(folder, part, key, value)
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("DIFFERS", f"summary: other {part}") in said) == (1, True)


# -- reasons not to look ---------------------------------------------------------------------------------------------


def test_another_version_does_not_excuse_forged_findings(pack, capsys):
    folder = pack(*FIXTURES)
    touch(folder, host="else.example")
    made = manifest(folder)
    made["tool"]["version"] = "9.9"
    (folder / "manifest.json").write_text(json.dumps(made))
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("not checked", "findings 1: this version finds something else") in said) == (3, True)


def test_an_interruption_does_not_either(pack, capsys):
    folder = pack(*FIXTURES)
    touch(folder, host="else.example")
    summary_with(folder, "coverage", "losses", {"unread": {"run.interrupted": 1}, "other": {}})
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert code == 3
    assert any(status == "not checked" and "interrupted" in text for status, text in said)
    summary_with(folder, "coverage", "losses", {"unread": {}, "other": {}})
    summary_with(folder, "rules", "run.interrupted", "a word somewhere else")
    assert verdict(capsys, str(folder), *FIXTURES)[0] == 1


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000])
def test_a_summary_that_is_none(pack, capsys, text):
    folder = pack(*FIXTURES)
    sign(folder, "summary.json", text)
    code, _, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, "summary.json" in err) == (2, True)


@pytest.mark.parametrize("since", ["yesterday", "", 5, "2012-13-45T00:00:00Z"])
def test_times_that_are_none(pack, capsys, since):
    folder = pack(*FIXTURES)
    made = manifest(folder)
    made["settings"]["since"] = since
    (folder / "manifest.json").write_text(json.dumps(made))
    code, _, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, "internal" in err) in ((2, False), (1, False))


# -- names and sizes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["\ud800", "a\0b", "C:\\x", "\\\\host\\x", "x" * 5000, "..\\x", "./findings.jsonl", "\x1b[2J"]
)
def test_names_that_no_file_can_have(pack, capsys, name):
    folder = pack(*FIXTURES)
    made = manifest(folder)
    made["files"][name] = {"size": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(made))
    code, out, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, err) == (1, "")
    assert "DIFFERS" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    "text", ['"findings": 1,"findings": 14', '"type":"leakscan-evidence","type":"leakscan-evidence"']
)
def test_one_name_twice_is_two_packs(pack, capsys, text):
    folder = pack(*FIXTURES)
    whole = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text("{" + text + "," + whole.lstrip()[1:])
    code, _, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, "manifest.json: no JSON" in err) == (2, True)


def test_one_name_twice_in_a_finding(pack, capsys):
    folder = pack(*FIXTURES)
    change(folder, "findings.jsonl", '"host":', '"host":"else.example","host":', sign=True)
    code, _, err = run(capsys, "evidence", "verify", str(folder), *FIXTURES)
    assert (code, "findings.jsonl: line 1" in err) == (2, True)


def test_a_file_of_another_size_is_not_read(pack, capsys, monkeypatch):
    """A sparse one could be as large as it likes."""
    folder = pack(*FIXTURES)
    (folder / "big").touch()
    with (folder / "big").open("r+b") as file:
        file.truncate(1 << 40)
    made = manifest(folder)
    made["files"]["big"] = {"size": 1, "sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(made))
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("DIFFERS", "big") in said) == (1, True)


def test_many_files_that_nobody_knows(pack, capsys):
    folder = pack(*FIXTURES)
    for number in range(150):
        (folder / f"more{number}").touch()
    code, said = verdict(capsys, str(folder), *FIXTURES)
    assert (code, ("DIFFERS", "50 more files: not in the manifest") in said) == (1, True)


def test_heads_as_long_as_they_may_be(pack, capsys, tmp_path):
    """What a pack is written with it is read with, too."""
    line = b"GET /" + b"\xff" * 60_000 + b" HTTP/1.1\r\nHost: www.example\r\nX-MSISDN: " + NUMBER.encode() + b"\r\n\r\n"
    (tmp_path / "a.pcap").write_bytes(pcap(frames(line, range(1000, 60_000, 1000))))
    folder = pack(str(tmp_path / "a.pcap"))
    assert len(findings(folder)) == 1
    assert max(map(len, (folder / "findings.jsonl").read_bytes().splitlines())) < MAX_LINE_BYTES
    assert verdict(capsys, str(folder), str(tmp_path / "a.pcap"), "--pseudonym-key", KEY)[0] == 0


# -- captures --------------------------------------------------------------------------------------------------------


def test_the_same_capture_twice(pack, capsys, tmp_path):
    paths = [str(tmp_path / name) for name in ("a.pcap", "b.pcap")]
    for path in paths:
        Path(path).write_bytes(pcap(frames(request("/a", f"X-MSISDN: {NUMBER}"))))
    folder = pack(*paths)
    code, said = verdict(capsys, str(folder), *paths)
    assert (code, {status for status, _ in said}) == (0, {"ok"})


MAKERS = {
    "pcap": (pcap, bytes, bytes),
    "pcapng": (lambda part: pcapng(frames=part), bytes, bytes),
    "gzip": (pcap, gzip.compress, gzip.decompress),
    "gzip of pcapng": (lambda part: pcapng(frames=part), gzip.compress, gzip.decompress),
    "zstd": (pcap, zstd.compress, zstd.decompress),
    "two gzip members": (pcap, lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]), gzip.decompress),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_offsets_are_where_the_frames_are(pack, tmp_path, kind):
    """Heads over several segments, out of order and sent again; and a capture of more than one batch."""
    make, close, opened = MAKERS[kind]
    head = request("/a", f"X-MSISDN: {NUMBER}", "X-Long: " + "y" * 300)
    parts = frames(head, [40, 90, 200])
    late = frames(request("/b", f"X-MSISDN: {OTHER}"), [30])
    moved = [*parts[:2], parts[3], parts[1], parts[2], *parts[4:]]
    filler = frames(b"\0" * 1000)[-1]
    data = make([*moved, *[filler] * 3000])
    (tmp_path / "a").write_bytes(close(data))
    (tmp_path / "b").write_bytes(close(make([*[filler] * 3000, *late])))
    for name, sent in (("a", moved), ("b", [*[filler] * 3000, *late])):
        plain = opened((tmp_path / name).read_bytes())
        (finding,) = findings(pack(str(tmp_path / name), name=f"pack-{name}"))
        for frame in finding["frames"]:
            there = sent[frame["frame"] - 1]
            assert plain[frame["offset"] : frame["offset"] + frame["length"]] == there
            assert frame["sha256"] == hashlib.sha256(there).hexdigest()
        assert b"GET /" in sent[finding["frame"] - 1]
        assert finding["frame_end"] >= finding["frame"]


def test_a_capture_that_grew_meanwhile_is_no_evidence(tmp_path, capsys, monkeypatch):
    """Its hash would be that of another capture."""
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames(request("/a", f"X-MSISDN: {NUMBER}"))))
    whole = Pack.begin

    def grown(self, made):
        whole(self, made)
        path.write_bytes(path.read_bytes() + pcap(frames(request("/b", f"X-MSISDN: {OTHER}")))[24:])

    monkeypatch.setattr(Pack, "begin", grown)
    code, _, err = run(capsys, "analyse", "-q", "--evidence", str(tmp_path / "pack"), str(path))
    assert (code, "no evidence was written" in err) == (2, True)
    assert {one.name for one in tmp_path.iterdir()} == {"a.pcap"}


# -- excerpts --------------------------------------------------------------------------------------------------------


def test_a_host_line_is_that_line_s(pack, tmp_path):
    """An address in the request line wins; what the lines say is another thing."""
    head = (
        b"GET http://one.example/a HTTP/1.1\r\nHost: two.example\r\nX-MSISDN: 447700900123\r\nHost: one.example\r\n\r\n"
    )
    (tmp_path / "a.pcap").write_bytes(pcap(frames(head)))
    (finding,) = findings(pack(str(tmp_path / "a.pcap")))
    assert finding["excerpt"][1:] == ["Host: (11 characters)", "X-MSISDN: 44********23", "Host: one.example"]


def test_values_that_are_shown_are_said_to_be(pack, tmp_path):
    (tmp_path / "a.pcap").write_bytes(pcap(frames(request("/a", f"X-MSISDN: {NUMBER}"))))
    masked = pack(str(tmp_path / "a.pcap"))
    shown = pack(str(tmp_path / "a.pcap"), flags=("--pseudonym-key", KEY, "--show-values"), name="shown")
    assert "Values are masked." in (masked / "README.txt").read_text()
    assert "Values are masked." not in (shown / "README.txt").read_text()


def test_neighbours_of_a_value_are_hidden(pack, tmp_path):
    """Beside it in its own line, and in lines of the same name."""
    lines = (f"X-MSISDN: {NUMBER}", "X-MSISDN: karl@home.example", f"X-Network-Info: GPRS,{OTHER},10.0.0.7,secretword")
    (tmp_path / "a.pcap").write_bytes(pcap(frames(request("/a", *lines))))
    text = (pack(str(tmp_path / "a.pcap")) / "findings.jsonl").read_text()
    assert not [word for word in (NUMBER, OTHER, "karl", "10.0.0.7", "secretword") if word in text]


# -- one number ------------------------------------------------------------------------------------------------------


def test_a_number_is_confirmed_by_a_pack_that_is_whole(pack, capsys):
    """Findings that are not those of the manifest confirm nothing."""
    folder = pack(*FIXTURES)
    rows = (folder / "findings.jsonl").read_text()
    (folder / "findings.jsonl").write_text(rows.replace("core.example", "else.example"))
    flags = ("--pseudonym-key", KEY, "--value", NUMBER)
    code, out, err = run(capsys, "evidence", "verify", str(folder), *flags)
    assert (code, out, "not what the manifest says" in err) == (2, "", True)


@pytest.mark.parametrize("value", ["07700900123", "07700 900123", "(07700) 900-123"])
def test_a_number_without_its_country_code_is_said_to_be_none(pack, capsys, value):
    """The pack holds it; whoever reads "not in this pack" would believe that it does not."""
    folder = pack(*FIXTURES)
    code, out, _ = run(capsys, "evidence", "verify", str(folder), "--pseudonym-key", KEY, "--value", value)
    assert (code, "with their country code" in out) == (1, True)
    _, out, _ = run(capsys, "evidence", "verify", str(folder), "--pseudonym-key", KEY, "--value", "0044" + "1" * 9)
    assert "country code" not in out
