"""The tool does not leak: from the wire to every format and every message, nothing raw and nothing alive.

Numbers stand in every place of a request and in the names of files; hostile names and values in every place that can
hold them. Read through the command line, as users do.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leakscan import cli
from leakscan.formats import FORMATS
from tests.builders import pcap
from tests.streams import frames

NUMBERS = st.integers(447700900000, 447700900999).map(str)
SPELLINGS = [
    lambda n: n,
    lambda n: f"+{n}",
    lambda n: f"00{n}",
    lambda n: f"{n[:2]}-{n[2:6]}-{n[6:]}",
    lambda n: f"{n[:2]} {n[2:6]} {n[6:]}",
    lambda n: "".join(f"%{ord(c):02x}" for c in n),
    lambda n: n.encode().hex(),
    lambda n: f'"{n}"',
    lambda n: f"tel:+{n}",
    lambda n: f"{n}, 192.0.2.1",
]
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "[bold]markup[/bold]",
    "[/b]",
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "@SUM(1)",
    "|a|b|",
    "a\x00b\x07",
    "9" * 5000,
    "\xb2\xb3\xb9" * 5,
]
ALIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def run(*arguments: str) -> str:
    """Everything that a command prints, on stdout and stderr."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        cli.run(list(arguments))
    return (out.buffer.getvalue() + err.buffer.getvalue()).decode()


def message(text: str, name: str = "X-MSISDN") -> bytes:
    """`text` wherever a request can hold it."""
    inner = re.sub(r"[\r\n]", "", text)
    word = re.sub(r"[\s?#/]", "", text)
    lines = [
        f"GET /p/{word}/msisdn/{word}?msisdn={word}&q={word} HTTP/1.1",
        f"Host: {word}.example",
        f"{name}: {inner}",
        f"x-up-calling-line-id: {inner}",
        f"Cookie: User-Identity-Forward-msisdn={word}; a={word}",
        f"Referer: http://{word}.example/{word}?msisdn={word}",
        f"User-Agent: SoftBank/1.0/910T/TJ001/SN{word}",
        f"X-{word}-msisdn: {inner}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def everything(folder: str, data: bytes, name: str = "test.pcap", show: bool = False) -> str:
    """Every format on stdout, and in a file."""
    path = Path(folder) / name
    path.write_bytes(pcap(frames(data, range(0, len(data), 1400))))
    seen = [run("analyse", "-f", format_name, "--min-confidence", "hint", str(path)) for format_name in FORMATS]
    for format_name in FORMATS:
        result = Path(folder) / "result"
        run("analyse", "-q", "-o", f"{format_name}={result}", str(path))
        seen.append(result.read_text(encoding="utf-8"))
    return "\n".join(seen).replace(folder, "")


def afterwards(folder: str, name: str) -> str:
    """What the gate's files and a report hold of a capture, also of a result in which values are shown."""
    capture, policy = str(Path(folder) / name), Path(folder) / "p.toml"
    policy.write_text('[[partner]]\nname = "N"\nhosts = ["*.example"]\npurpose = "x"\nidentifiers = ["msisdn"]\n')
    seen = []
    for flags in ((), ("--show-values",)):
        result, known = Path(folder) / f"r{len(flags)}.jsonl", Path(folder) / "known.json"
        run("analyse", "-q", *flags, "--min-confidence", "hint", "-o", str(result), capture)
        gate = ("--min-confidence", "hint", "--explain", "--policy", str(policy))
        seen += [run("report", "-f", format_name, *gate, str(result)) for format_name in FORMATS]
        seen.append(run("baseline", "write", "--min-confidence", "hint", "-o", str(known), str(result)))
        seen += [known.read_text(), run("baseline", "show", str(known))]
    seen.append(run("analyse", "--explain", "--policy", str(policy), "--baseline", str(known), capture))
    return "\n".join(seen).replace(folder, "")


@settings(max_examples=30)
@given(NUMBERS, st.sampled_from(SPELLINGS))
def test_no_number_gets_out(number, spell):
    with tempfile.TemporaryDirectory() as folder:
        seen = everything(folder, message(spell(number)), name=f"sim-{number}.pcap")
    digits = re.sub(r"[^0-9\n]", "", seen)
    assert number not in seen
    assert number[2:] not in digits
    assert number.encode().hex() not in seen
    assert "44********" in seen  # and yet it was found


@settings(max_examples=8)
@given(NUMBERS, st.sampled_from(SPELLINGS))
def test_no_number_gets_into_what_is_made_of_a_result(number, spell):
    with tempfile.TemporaryDirectory() as folder:
        data, name = message(spell(number)), f"sim-{number}.pcap"
        (Path(folder) / name).write_bytes(pcap(frames(data)))
        seen = afterwards(folder, name)
    assert number not in seen
    assert number[2:] not in re.sub(r"[^0-9\n]", "", seen)
    assert number.encode().hex() not in seen
    assert "44********" in seen


@settings(max_examples=40)
@given(st.sampled_from(HOSTILE) | st.text(st.characters(max_codepoint=255), max_size=30))
@example("a,b\u0085=1")
def test_nothing_is_alive(text):
    """No control, no bidirectional mark. (What each format's own reader would obey: tests/formats/test_hostile.py.)"""
    with tempfile.TemporaryDirectory() as folder:
        name = "".join(c for c in text if c not in "/\x00")[:40]
        data = message(text) + message("447700900123", name=re.sub(r"[\s:]", "", text) or "a")
        seen = everything(folder, data, name=f"{name}.pcap")
    assert not ALIVE.search(seen)


#: What goes wrong, with the number where the operator or the capture put it.
@pytest.mark.parametrize(
    "arguments",
    [
        ["analyse", "/no/such/{n}.pcap"],
        ["analyse", "{d}/{n}-not-a-capture.pcap"],
        ["analyse", "{d}/{n}-cut.pcap"],
        ["requests", "-q", "{d}/{n}-not-a-capture.pcap"],
        ["analyse", "--networks", "{d}/{n}.toml", "{d}/{n}-cut.pcap"],
        ["analyse", "--pseudonym-key", "{d}/{n}.key", "{d}/{n}-cut.pcap"],
        ["analyse", "-o", "{d}/{n}/out.json", "{d}/{n}-cut.pcap"],
        ["analyse", "--policy", "{d}/{n}.toml", "{d}/{n}-cut.pcap"],
        ["analyse", "--ignore-file", "{d}/{n}.toml", "{d}/{n}-cut.pcap"],
        ["analyse", "--baseline", "{d}/{n}.json", "{d}/{n}-cut.pcap"],
        ["analyse", "--config", "{d}/{n}.toml", "{d}/{n}-cut.pcap"],
        ["analyse", "--since", "{n}", "{d}/{n}-cut.pcap"],
        ["analyse", "--today", "{n}", "{d}/{n}-cut.pcap"],
        ["analyse", "--explain", "{d}/{n}-cut.pcap"],
        ["policy", "check", "{d}/{n}.toml"],
        ["policy", "check", "{d}/right-{n}.toml"],
        ["policy", "check", "{d}/right-{n}.toml", "--identifier", "{n}"],
        ["baseline", "show", "{d}/{n}.json"],
        ["baseline", "write", "-o", "{d}/out-{n}.json", "{d}/{n}-cut.pcap"],
        ["report", "{d}/{n}.json"],
        ["report", "{d}/{n}-cut.pcap"],
        ["analyse", "-f", "{n}", "{d}/{n}-cut.pcap"],
        ["analyse", "--{n}"],
        ["{n}"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_no_number_in_messages(tmp_path, arguments):
    number = "447700900123"
    whole = pcap(frames(message(number)))
    (tmp_path / f"{number}-cut.pcap").write_bytes(whole[:-9])
    (tmp_path / f"{number}-not-a-capture.pcap").write_bytes(message(number))
    (tmp_path / f"{number}.toml").write_text(f'[[network]]\nname = "{number}"\n"{number}" = "{number}"\n')
    (tmp_path / f"{number}.key").write_text(number)
    (tmp_path / f"{number}.json").write_text(json.dumps({"schema": 1, "behaviours": [{number: number}]}))
    partner = f'[[partner]]\nname = "{number}"\nhosts = ["a.example"]\npurpose = "{number}"\n'
    (tmp_path / f"right-{number}.toml").write_text(f'{partner}identifiers = ["msisdn"]\n')
    seen = run(*(argument.format(n=number, d=tmp_path) for argument in arguments))
    assert number not in seen
    assert seen


def test_no_number_in_a_traceback(tmp_path, monkeypatch):
    number = "447700900123"

    def broken(*_):
        raise ValueError(f"{number} in {number}")

    monkeypatch.setattr("leakscan.spine.detect", broken)
    (tmp_path / "a.pcap").write_bytes(pcap(frames(message(number))))
    seen = run("analyse", "-v", str(tmp_path / "a.pcap"))
    assert number not in seen
    assert "spine.py" in seen
    assert sys.exc_info() == (None, None, None)
