"""The list of known behaviours: the same for everybody, what people wrote in it stays, every mistake is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from leakscan import cli
from leakscan.baseline import KEYS, Baseline
from leakscan.errors import FileMistake
from leakscan.summary import Summary
from tests.builders import pcap
from tests.leaks import add, leak
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent


def rows(*leaks: Any) -> list[dict[str, Any]]:
    made = Summary()
    for one in leaks:
        add(made, one)
    return made.to_dict()["behaviours"]


def load(tmp_path: Path, document: object) -> Baseline:
    path = tmp_path / "known.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return Baseline.load(str(path))


def test_what_stands_in_it() -> None:
    text = Baseline.of(rows(leak(host="a.news.example"), leak(host="b.news.example"), leak(host="shop.example"))).text()
    first, second = json.loads(text)["behaviours"]
    assert first == {
        "rule": "x-up-calling-line-id",
        "place": "header",
        "name": "x-up-calling-line-id",
        "domain": "news.example",
        "fingerprint": leak(host="a.news.example").fingerprint,
        "reviewed": False,
        "reason": "",
    }
    assert second["domain"] == "shop.example"
    assert tuple(first) == KEYS
    assert text.isascii()
    assert text.endswith("}\n")


def test_order_and_counts_make_no_difference() -> None:
    leaks = [leak(name=name, host=host) for name in ("X-A", "x-b") for host in ("b.example", "a.example")]
    text = Baseline.of(rows(*leaks)).text()
    assert Baseline.of(rows(*reversed(leaks), *leaks)).text() == text
    assert Baseline.of(rows(*(leak(name=one.name.lower(), host=one.host) for one in leaks))).text() == text


def test_it_is_sorted_whatever_came_first() -> None:
    found = [rows(leak(host=f"{name}.example"))[0] for name in ("m", "z", "a")]
    assert Baseline.of(found).text() == Baseline.of(reversed(found)).text()
    domains = [row["domain"] for row in json.loads(Baseline.of(found).text())["behaviours"]]
    assert domains == ["a.example", "m.example", "z.example"]


def test_what_people_wrote_survives(tmp_path: Path) -> None:
    document = json.loads(Baseline.of(rows(leak(host="a.example"), leak(host="b.example"))).text())
    document["behaviours"][0] |= {"reviewed": True, "reason": "ticket 7"}
    before = load(tmp_path, document)
    made = Baseline.of(rows(leak(host="a.example", name="X-UP-CALLING-LINE-ID"), leak(host="c.example")), before)
    known, new = json.loads(made.text())["behaviours"]
    assert known == document["behaviours"][0]
    assert (new["domain"], new["reviewed"], new["reason"]) == ("c.example", False, "")
    assert [entry.domain for entry in before.gone(made.entries)] == ["b.example"]


def capture(folder: Path, number: str, client: str, order: int) -> Path:
    """Two behaviours of one subscriber, and one of another: by another phone, from another address, in another order."""
    other = str(int(number) + 1)
    messages = [
        request("/a", f"x-up-calling-line-id: {number}", host="www.news.example"),
        request("/b", f"X-Up-Calling-Line-Id: {other}", host="shop.example"),
        request(f"/c?msisdn={number}", host=f"u{number}.shop.example"),
    ]
    path = folder / f"{number}.pcap"
    path.write_bytes(pcap(frames(b"".join(messages[order:] + messages[:order]), client=client)))
    return path


def test_the_same_for_another_phone_key_and_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts, fingerprints = set(), set()
    for index, number in enumerate(("447700900123", "447700900456", "447700900789")):
        path = capture(tmp_path, number, f"192.0.2.{7 + index}", index)
        key = tmp_path / f"{index}.key"
        key.write_bytes(bytes([index + 1]) * 16)
        known = tmp_path / f"{index}.json"
        assert cli.run(["baseline", "write", "-q", "-o", str(known), str(path)]) == 0
        texts.add(known.read_text())
        capsys.readouterr()
        cli.run(["analyse", "-q", "-f", "jsonl", "--pseudonym-key", str(key), str(path)])
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        fingerprints.add(tuple(sorted(row["fingerprint"] for row in summary["behaviours"])))
    assert len(texts) == len(fingerprints) == 1
    (text,) = texts
    assert len(json.loads(text)["behaviours"]) == 3
    assert not re.search(r"[0-9]{7,}|4477|192\.0", re.sub(r"v1:[a-z2-7]{16}", "", text))


def test_from_a_result_as_from_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    texts = []
    for source in ("fixtures/o2-2012.pcap", "fixtures/o2-2012.leaks.jsonl"):
        assert cli.run(["baseline", "write", "-q", "-o", str(tmp_path / "b.json"), source]) == 0
        texts.append((tmp_path / "b.json").read_text())
    assert texts[0] == texts[1]
    assert len(json.loads(texts[0])["behaviours"]) == 10


def test_what_expires_is_not_made_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What policy or ignore file cover would still be known when they no longer do."""
    monkeypatch.chdir(ROOT)
    ignores = tmp_path / "ignore.toml"
    ignores.write_text('[[ignore]]\nhost = "shop.example"\nreason = "ticket 1"\n')
    flags = ["--policy", "fixtures/o2-2012.policy.toml", "--ignore-file", str(ignores)]
    assert cli.run(["baseline", "write", "-q", *flags, "-o", str(tmp_path / "b.json"), "fixtures/o2-2012.pcap"]) == 0
    domains = {entry["domain"] for entry in json.loads((tmp_path / "b.json").read_text())["behaviours"]}
    assert len(domains) == 6
    assert domains.isdisjoint({"agecheck.example", "billing.example", "operator-a.example", "shop.example"})


def test_show(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["baseline", "write", str(ROOT / "fixtures" / "gtp-u.pcap")]) == 0
    assert "new: v1:2upqd3dondktzygj" in capsys.readouterr().err
    assert cli.run(["baseline", "show"]) == 0
    line, last = capsys.readouterr().out.splitlines()
    assert line.startswith("v1:2upqd3dondktzygj  header x-up-calling-line-id to core.example")
    assert last == "1 behaviour"


ENTRY = {"rule": "r", "place": "header", "name": "n", "domain": "a.example", "fingerprint": "v1:2upqd3dondktzygj"}
MISTAKES = [
    ("", ["is not JSON"]),
    ("[" * 100_000, ["is not JSON"]),
    ([], ["is no baseline"]),
    ({"schema": 1}, ["is no baseline"]),
    ({"behaviours": []}, ["schema: must be 1"]),
    ({"schema": 2, "behaviours": []}, ["schema: must be 1"]),
    ({"schema": 1, "behaviors": [], "behaviours": []}, ["behaviors: unknown key; did you mean behaviours?"]),
    ({"schema": 1, "behaviours": {}}, ["behaviours: must be a list"]),
    ({"schema": 1, "behaviours": [7]}, ["behaviour 1", "must be an object"]),
    ({"schema": 1, "behaviours": [ENTRY, ENTRY]}, ["behaviour 2", "fingerprint:", "is there twice"]),
    ({"schema": 1, "behaviours": [ENTRY | {"value": "x"}]}, ["behaviour 1", "value: unknown key"]),
    ({"schema": 1, "behaviours": [ENTRY | {"review": True}]}, ["review: unknown key; did you mean reviewed?"]),
    ({"schema": 1, "behaviours": [ENTRY | {"reviewed": "yes"}]}, ["reviewed: must be true or false"]),
    ({"schema": 1, "behaviours": [ENTRY | {"reason": None}]}, ["reason: must be text"]),
    ({"schema": 1, "behaviours": [ENTRY | {"fingerprint": "v2:x"}]}, ["fingerprint: must be"]),
    ({"schema": 1, "behaviours": [{"rule": "r"}]}, ["place: missing"]),
]


@pytest.mark.parametrize(("document", "words"), MISTAKES, ids=[words[-1] for _, words in MISTAKES])
def test_a_mistake_names_file_entry_and_key(tmp_path: Path, document: object, words: list[str]) -> None:
    with pytest.raises(FileMistake) as caught:
        load(tmp_path, document)
    assert caught.value.exit_code == 2
    assert all(word in str(caught.value) for word in ["known.json", *words])
