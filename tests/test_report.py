"""Earlier results: what is read back is what was written, two halves give the whole, and a hostile file gives exit 2."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakscan import cli
from leakscan.cli.report import TOO_LATE
from leakscan.errors import FileMistake, LeakscanError
from leakscan.formats import FORMATS
from leakscan.formats.rows import json_text
from leakscan.masks import MASKS, mask, remask
from tests.builders import enhanced, interface, pcap, pcapng, section, statistics
from tests.golden import CAPTURES, FIXTURES, golden_file
from tests.leaks import DAY_NS, START_NS
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
NUMBER = "447700900123"
Json = dict[str, Any]


def run(*arguments: str) -> tuple[int, str, str]:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(list(arguments))
    return code, out.buffer.getvalue().decode(), err.getvalue()


def result(text: str) -> tuple[Json, list[Json], Json]:
    head, *leaks, summary = map(json.loads, text.splitlines())
    return head, leaks, summary


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_what_was_written_is_read_back(capture: Path) -> None:
    """Run, leaks and summary, all of it, of every fixture."""
    golden = golden_file(capture)
    head, leaks, summary = result(golden.read_text())
    code, out, _ = run("report", "-f", "jsonl", str(golden))
    new_head, new_leaks, new_summary = result(out)
    assert new_leaks == leaks
    assert new_summary == summary
    assert code == summary["gate"]["exit_code"]
    assert new_head.pop("results")[0]["settings"] == head["settings"]
    new_head["settings"] |= {key: head["settings"][key] for key in ("networks", "known", "rules", "bodies")}
    assert new_head == head


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_as_of_the_capture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    key = ("--pseudonym-key", "fixtures/golden.key")
    _, direct, _ = run("analyse", "-q", "-f", name, *key, "fixtures/lossy.pcap")
    _, again, _ = run("report", "-q", "-f", name, "fixtures/lossy.leaks.jsonl")
    assert re.sub(r',"results":\[\{.*?\}\}\]', "", again) == direct


DAYS = 5


def recordings(folder: Path) -> list[str]:
    """A capture a day: the same people, other hosts, one without a leak."""
    paths = []
    for day in range(DAYS):
        messages = [request(f"/{n}", host=f"clean{n}.example") for n in range(3)]
        if day != 2:
            messages += [
                request("/", f"x-up-calling-line-id: {447700900100 + n}", host=f"h{(day + n) % 4}.example")
                for n in range(4)
            ]
            messages.append(request("/", f"X-UIDH: {'OTgxNTk2NDk0ADJVquRu5NS5' * 2}{day}", host="ads.example"))
        path = folder / f"day{day}.pcap"
        path.write_bytes(pcap([(START_NS + day * DAY_NS + i, f) for i, f in enumerate(frames(b"".join(messages)))]))
        paths.append(str(path))
    return paths


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], list[str], list[str], str]]:
    """Captures; a result of each, under one key; the same under other keys; the result of all at once."""
    folder = tmp_path_factory.mktemp("parts")
    captures = recordings(folder)
    key = folder / "key"
    key.write_bytes(b"k" * 16)
    same, other = [], []
    for number, capture in enumerate(captures):
        for names, flags in ((same, ["--pseudonym-key", str(key)]), (other, [])):
            names.append(str(folder / f"{number}-{len(flags)}.jsonl"))
            run("analyse", "-q", *flags, "-o", names[-1], capture)
    whole = run("analyse", "-q", "-f", "jsonl", "--pseudonym-key", str(key), *captures)[1]
    yield captures, same, other, whole


def test_parts_give_the_whole(parts: tuple[list[str], list[str], list[str], str]) -> None:
    _, same, _, whole = parts
    head, leaks, summary = result(whole)
    code, out, err = run("report", "-f", "jsonl", *same)
    merged_head, merged_leaks, merged = result(out)
    assert (code, merged_leaks, merged) == (1, leaks, summary)
    assert [result["name"] for result in merged_head.pop("results")] == same
    assert merged_head == head
    assert "warning" not in err
    backwards = result(run("report", "-f", "jsonl", *reversed(same))[1])
    assert backwards[2] == summary


def test_a_report_of_reports(parts: tuple[list[str], list[str], list[str], str], tmp_path: Path) -> None:
    _, same, _, whole = parts
    run("report", "-q", "-o", str(tmp_path / "a.jsonl"), *same[:2])
    _, out, _ = run("report", "-f", "jsonl", str(tmp_path / "a.jsonl"), *same[2:])
    assert result(out)[1:] == result(whole)[1:]


def test_under_different_keys_subscribers_are_a_range(parts: tuple[list[str], list[str], list[str], str]) -> None:
    """Four people every day: nobody can say whether they are the same ones."""
    _, same, other, whole = parts
    code, out, err = run("report", "-f", "jsonl", *other)
    head, _, merged = result(out)
    assert (code, head["key_id"]) == (1, "several")
    assert "warning: results under different keys" in err
    assert merged["remarks"][0].startswith("results under different keys")
    assert (merged["total"]["subscribers"], merged["total"]["subscribers_most"]) == (4, 16)
    truth = result(whole)[2]
    rows = {row["host"]: row for row in truth["hosts"]}
    for row in merged["hosts"]:
        assert row["subscribers"] <= rows[row["host"]]["subscribers"] <= row["subscribers_most"]
        assert row["leaks"] == rows[row["host"]]["leaks"]
    behaviours = {row["fingerprint"]: row for row in truth["behaviours"]}
    for row in merged["behaviours"]:
        assert row["subscribers"] <= behaviours[row["fingerprint"]]["subscribers"] <= row["subscribers_most"]
    _, table, _ = run("report", *other)
    assert "of at least 4 to 16 subscribers" in " ".join(table.split())
    assert "What to bear in mind" in table
    two = run("report", "-f", "jsonl", same[0], same[1], other[3])[1]
    assert result(two)[2]["total"]["subscribers_most"] == 8  # one key for two of them: four people there


def test_a_report_under_different_keys_is_not_read_again(
    parts: tuple[list[str], list[str], list[str], str], tmp_path: Path
) -> None:
    path = tmp_path / "several.jsonl"
    run("report", "-q", "-o", str(path), *parts[2])
    code, _, err = run("report", str(path))
    assert (code, "line 1: was put together under different keys" in err) == (2, True)


def test_the_same_result_twice(parts: tuple[list[str], list[str], list[str], str], tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(Path(parts[1][0]).read_bytes())
    code, out, err = run("report", parts[1][0], str(copy))
    assert (code, out, "it would count twice" in err) == (2, "", True)
    assert "captures of the same name and size in several results: 1" in run("report", parts[1][0], parts[2][0])[2]


def test_the_gate_judges_anew(parts: tuple[list[str], list[str], list[str], str], tmp_path: Path) -> None:
    _, same, _, _ = parts
    policy, ignores, known = tmp_path / "p.toml", tmp_path / "i.toml", tmp_path / "b.json"
    entry = '[[partner]]\nname = "All"\nhosts = ["{}"]\npurpose = "test"\ncleartext = true\n'
    kinds = 'identifiers = ["msisdn", "subscriber_token"]\n'
    policy.write_text("".join(entry.format(f"h{n}.example") + kinds for n in range(4)))
    flags = ("--policy", str(policy))
    code, out, _ = run("report", "-f", "jsonl", *flags, *same)
    assert code == 1
    verdicts = {(leak["host"], leak["recipient"]["verdict"]) for leak in result(out)[1]}
    assert verdicts == {*((f"h{n}.example", "allowed") for n in range(4)), ("ads.example", "not-allowed")}
    ignores.write_text('[[ignore]]\nhost = "ads.example"\nreason = "ticket 1"\n')
    assert run("report", *flags, "--ignore-file", str(ignores), *same)[0] == 0
    assert run("baseline", "write", "-q", "-o", str(known), *same)[0] == 0
    assert run("report", "--baseline", str(known), *same)[0] == 0
    assert run("report", "--fail-on", "none", *same)[0] == 0
    assert run("report", "--show-values", *same)[0] == 2


def test_what_only_the_whole_told_is_not_lost(tmp_path: Path) -> None:
    """A tracker, or a hint that was confirmed elsewhere, has no line of its own and counts all the same."""
    lines = [line for line in LINES if line.get("frame") != LINES[1]["frame"]]
    assert len(lines) == len(LINES) - 1
    gone = LINES[1]
    path, policy = tmp_path / "r.jsonl", tmp_path / "p.toml"
    path.write_text("\n".join(map(json_text, lines)))
    code, out, err = run("report", "-f", "jsonl", str(path))
    _, leaks, summary = result(out)
    assert (code, len(leaks)) == (1, len(LINES) - 3)
    assert "without a line: 1; counted as its summary has them" in err
    rows = {row["fingerprint"]: row for row in summary["behaviours"]}
    assert rows.keys() == {row["fingerprint"] for row in LINES[-1]["behaviours"]}
    row = rows[gone["fingerprint"]]
    assert (row["leaks"], row["severity"], row["confidence"], row["hosts"]) == (
        1,
        "critical",
        "confirmed",
        [gone["host"]],
    )
    for key in ("leaks", "subscribers", "host_count", "first_seen", "last_seen"):
        assert summary["total"][key] == LINES[-1]["total"][key], key
    entry = '[[partner]]\nname = "N"\nhosts = ["{}"]\npurpose = "x"\nidentifiers = ["msisdn"]\ncleartext = true\n'
    policy.write_text("".join(entry.format(leak["host"]) for leak in leaks))
    _, out, _ = run("report", "-f", "jsonl", "--policy", str(policy), str(path))
    counting = [row["fingerprint"] for row in result(out)[2]["behaviours"] if row["counts"]]
    assert counting == [gone["fingerprint"]]


@pytest.mark.parametrize("name", TOO_LATE)
def test_what_belongs_to_the_scan_is_refused_with_the_reason(name: str) -> None:
    flag = name in ("bodies", "responses", "show-values")
    code, out, err = run("report", f"--{name}", *([] if flag else ["x"]), str(golden_file(CAPTURES[0])))
    assert (code, out) == (2, "")
    assert f"--{name} belongs to analyse: {TOO_LATE[name]}" in err


def test_drops_of_all_results_together(tmp_path: Path) -> None:
    """By what each scan was told, or by what the report is told now."""
    paths = []
    for number, dropped in enumerate((0, 2)):
        captured = [enhanced(frame) for frame in frames(request("/"), port=40000 + number)]
        path = tmp_path / f"{number}.pcapng"
        path.write_bytes(pcapng(section(), interface(), *captured, statistics(dropped)))
        paths.append(str(tmp_path / f"{number}.jsonl"))
        assert run("analyse", "-q", "--max-drops", "40", "-o", paths[-1], str(path))[0] == (3 if dropped else 0)
    assert run("report", "-q", *paths)[0] == 3
    assert run("report", "-q", "--max-drops", "34", *paths)[0] == 0
    assert run("report", "-q", "--max-drops", "33", *paths)[0] == 3
    assert run("report", "-q", "--max-drops", "0", paths[0])[0] == 0


def test_a_comparison_is_refused(tmp_path: Path) -> None:
    """Its verdict is of pairs of requests, which a result does not have."""
    for name, lines in (("client", ()), ("server", (f"x-up-calling-line-id: {NUMBER}",))):
        message = request("/", "User-Agent: Browser/1.0", *lines, host="shop.example")
        (tmp_path / f"{name}.pcap").write_bytes(pcap(frames(message)))
    path = str(tmp_path / "compared.jsonl")
    captures = (str(tmp_path / "client.pcap"), str(tmp_path / "server.pcap"))
    assert run("compare", "-q", "-o", path, *captures)[0] == 1
    code, _, err = run("report", path)
    assert (code, "is of two capture points" in err) == (2, True)


def test_hints_are_left_out_unless_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    path = tmp_path / "hints.jsonl"
    run("analyse", "-q", "--min-confidence", "hint", "-o", str(path), "fixtures/o2-2012.pcap")
    with_hints = result(path.read_text())
    code, out, err = run("report", "-f", "jsonl", str(path))
    _, leaks, summary = result(out)
    direct = result((FIXTURES / "o2-2012.leaks.jsonl").read_text())[2]
    assert code == 1
    assert len(leaks) == direct["total"]["leaks"] < len(with_hints[1])
    assert summary["coverage"]["losses"] == direct["coverage"]["losses"]
    assert [row["fingerprint"] for row in summary["behaviours"]] == [row["fingerprint"] for row in direct["behaviours"]]
    assert "still count as leaking" in err
    assert result(run("report", "-f", "jsonl", "--min-confidence", "hint", str(path))[1])[2] == with_hints[2]


# -- masks again -----------------------------------------------------------------------------------------------------

TOKEN = "Zm9vYmFyMTIzNDU2Nzg5MA"


def test_shown_values_are_masked_again(tmp_path: Path) -> None:
    capture, shown = tmp_path / "a.pcap", tmp_path / "shown.jsonl"
    message = request(
        f"/{TOKEN}/x?msisdn={NUMBER}",
        f"x-up-calling-line-id: {NUMBER}",
        f"X-Acr: {TOKEN}",
        f"X-Nokia-MSISDN: {NUMBER.encode().hex()}",
        f"Cookie: msisdn={NUMBER}; a={TOKEN}",
        host=f"u{NUMBER}.example",
    )
    capture.write_bytes(pcap(frames(message)))
    run("analyse", "-q", "--show-values", "--min-confidence", "hint", "-o", str(shown), str(capture))
    raw = shown.read_text()
    assert NUMBER in raw
    assert TOKEN in raw
    assert '"client":"192.0.2.1"' in raw
    for name in FORMATS:
        code, out, err = run("report", "-f", name, "--min-confidence", "hint", str(shown))
        assert code == 1
        for secret in (NUMBER, TOKEN, NUMBER.encode().hex(), "192.0.2.1"):
            assert secret not in out + err, (name, secret)
    leaks = result(run("report", "-f", "jsonl", str(shown))[1])[1]
    assert {leak["client"][:3] for leak in leaks} == {"ip:"}
    assert "44********23" in {leak["value"] for leak in leaks}


VALUES = (
    st.text(max_size=40)
    | st.from_regex(r"[0-9a-fA-F:@.x-]{0,40}", fullmatch=True)
    | st.from_regex(r"[0-9]{1,22}|89[0-9]{17}F?|234-?10[0-9]{8}", fullmatch=True)
    | st.from_regex(r"[a-z.]{1,9}@[a-z0-9.]{1,20}|([0-9a-f]{2}:){5}[0-9a-f]{2}", fullmatch=True)
    | st.ip_addresses().map(str)
)


@given(st.sampled_from([*sorted(MASKS), "unknown"]), VALUES)
def test_a_mask_of_a_mask_is_the_mask(kind: str, value: str) -> None:
    assert remask(kind, mask(kind, value)) == mask(kind, value)


@given(st.sampled_from(sorted(MASKS)), st.integers(447700900000, 447700900999).map(str))
def test_a_number_is_not_taken_for_a_mask(kind: str, number: str) -> None:
    for value in (number, f"+{number}", f"{number} (3 characters)", f"***@{number}.example", f"{number[:6]}*{number}"):
        assert number not in remask(kind, value)


# -- hostile files ---------------------------------------------------------------------------------------------------

LINES = [json.loads(line) for line in (FIXTURES / "lossy.leaks.jsonl").read_text().splitlines()]
JUNK = [
    None,
    True,
    -1,
    1.5,
    2**70,
    "",
    "x",
    "\x1b[31m",
    [],
    [[]],
    {},
    {"a": 1},
    NUMBER,
    "9" * 5000,
    f"+{NUMBER}@a.example",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], junk)
    return copy


@settings(max_examples=120)
@given(st.data())
def test_a_changed_result_is_read_or_refused(data: st.DataObject) -> None:
    """Never an internal error, never a raw number, and what is refused is refused by file, line and key."""
    number = data.draw(st.integers(0, len(LINES) - 1))
    path = data.draw(st.sampled_from(list(places(LINES[number]))))
    lines = [*LINES]
    lines[number] = changed(lines[number], path, data.draw(st.sampled_from(JUNK)))
    with tempfile_result("\n".join(map(json_text, lines)) + "\n") as name:
        code, out, err = run("report", "-f", data.draw(st.sampled_from(["jsonl", "table", "sarif", "junit"])), name)
    assert code in (1, 2, 3)
    assert NUMBER not in out + err
    assert "\x1b" not in out + err
    if code == 2:
        assert f"{name}: line {number + 1}: " in err


@contextlib.contextmanager
def tempfile_result(text: str) -> Iterator[str]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        path.write_text(text, encoding="utf-8")
        yield str(path)


GOOD = [json_text(line) for line in LINES]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n", "line 1: is not JSON"),
        ("[]\n", "line 1: must be an object"),
        (GOOD[1], "line 1: type: a result begins with a run"),
        (GOOD[0], "line 1: the result has no summary"),
        ("\n".join(GOOD[:-1]), f"line {len(GOOD) - 1}: the result has no summary"),
        ("\n".join(GOOD)[:-40], f"line {len(GOOD)}: is not JSON"),
        ("\n".join([*GOOD[:-1], GOOD[0], GOOD[-1]]), f"line {len(GOOD)}: type: only leaks stand between"),
        ("\n".join([*GOOD[:2], "", *GOOD[2:]]), "line 3: is not JSON"),
        ("\n".join(GOOD).replace('"schema":1', '"schema":2'), "line 1: schema: is 2"),
        ("\n".join(GOOD).replace('"frame":', '"frame":NaN,"x":', 1), "line 2: is not JSON"),
        ("\n".join(GOOD).replace('"place":"header"', '"place":"head er"', 1), "line 2: place: must be one of"),
        (
            "\n".join(GOOD).replace('"http.head-torn"', '"http.head-worn"'),
            "losses: unread: http.head-worn is not known",
        ),
        ("[" * 100_000, "line 1: is not JSON"),
        ("\xff\xfe", "line 1: is not JSON"),
    ],
)
def test_a_file_that_is_no_result(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text, encoding="latin-1")
    code, _, err = run("report", "-f", "jsonl", str(path))
    assert code == 2
    assert f"{path}: " in err
    assert words in err


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for name in (tmp_path / "none.jsonl", tmp_path):
        code, _, err = run("report", str(name))
        assert (code, "cannot be read" in err) == (2, True)
    assert issubclass(FileMistake, LeakscanError)


def test_later_keys_are_ignored_and_earlier_results_are_read(tmp_path: Path) -> None:
    """New keys may come; `rotating` and `problems` came."""
    lines = [dict(line) for line in LINES]
    for line in lines:
        line["of a later version"] = {"x": [1]}
        line.pop("rotating", None)
    lines[-1]["coverage"] = {key: value for key, value in lines[-1]["coverage"].items() if key != "problems"}
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json_text, lines)))
    code, out, _ = run("report", "-f", "jsonl", str(path))
    assert code == 1
    assert result(out)[2]["total"] == LINES[-1]["total"]


def test_a_result_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("\n".join(GOOD).replace('"severity":"critical"', '"severity":"worst"', 1))
    code, _, err = run("report", "-q", "-o", str(tmp_path / "out.sarif"), str(bad))
    assert (code, "line 2: severity: must be one of" in err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]
