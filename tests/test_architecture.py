"""The house holds: imports run downwards, stages do not know each other, tables and folders agree, starting is fast."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from leakscan import formats, model
from leakscan.cli import COMMANDS, options
from leakscan.losses import LOSSES
from leakscan.protocols import PROTOCOLS

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "leakscan"

#: Rooms from the ground up: a room may use what stands before it in this list, and nothing else.
ROOMS = [
    "errors",
    "losses",
    "model",
    "times",
    "pieces",
    "checksum",
    "nested",
    "newfile",
    "bodies",
    "tomlfile",
    "show",
    "filenames",
    "plmn",
    "operators",
    "masks",
    "distinct",
    "timeline",
    "networks",
    "neighbours",
    "verdicts",
    "permission",
    "sources",
    "series",
    "decode",
    "columns",
    "sieve",
    "directions",
    "reassembly",
    "protocols",
    "reading",
    "fields",
    "detectors",
    "known",
    "glance",
    "echoes",
    "fingerprint",
    "conceal",
    "carriers",
    "origin",
    "policy",
    "tally",
    "joins",
    "summary",
    "around",
    "baseline",
    "ignores",
    "gate",
    "files",
    "interrupt",
    "spine",
    "library",
    "streams",
    "standby",
    "grouped",
    "relay",
    "fleet",
    "split",
    "rulebook",
    "formats",
    "output",
    "recorder",
    "progress",
    "web",
    "results",
    "rules",
    "evidence",
    "explain",
    "flags",
    "ways",
    "job",
    "unlined",
    "report",
    "keeper",
    "config",
    "compare",
    "redaction",
    "liveview",
    "live",
    "doctor",
    "cli",
    "__main__",
]

#: What of the way of a packet may know what else of it: the sieve goes faster than decode and reads its tables.
STAGES = {
    "sources": set(),
    "decode": set(),
    "columns": {"decode"},
    "sieve": {"decode", "columns"},
    "reassembly": set(),
    "protocols": set(),
    "fields": set(),
    "detectors": set(),
    "conceal": set(),
    "carriers": set(),
    "summary": set(),
    "formats": set(),
}

FILES = sorted(HOUSE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The rooms that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "leakscan":
            found |= {alias.name for alias in node.names if alias.name in ROOMS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leakscan."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("leakscan.")}
    return found - {room(path)}


@pytest.mark.parametrize("path", [f for f in FILES if room(f) != "__init__"], ids=lambda f: str(f.relative_to(HOUSE)))
def test_imports_run_downwards(path):
    above = {name for name in imports(path) if ROOMS.index(name) > ROOMS.index(room(path))}
    assert not above
    assert room(path) not in STAGES or imports(path) & set(STAGES) <= STAGES[room(path)]


def test_every_room_is_in_the_plan():
    assert {room(path) for path in FILES} - {"__init__"} == set(ROOMS)
    plan = (ROOT / "docs" / "architecture.md").read_text()
    assert [name for name in ROOMS if f"`{name}" not in plan] == []


@pytest.mark.parametrize("path", FILES, ids=lambda f: str(f.relative_to(HOUSE)))
def test_nobody_imports_scapy_and_every_file_says_what_it_is(path):
    """But for one file, inside of its functions: scapy's licence is the GPL, and it takes half a second."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if path == HOUSE / "sources" / "sniffer.py" else list(ast.walk(tree))
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] == "scapy"}
    assert ast.get_docstring(tree)


def test_tables_and_folders_agree():
    helpers = {"__init__", "charts", "compared", "places", "rows", "sections", "sparkline", "words", "writer"}
    files = {path.stem for path in (HOUSE / "formats").glob("*.py")} - helpers
    assert files == set(formats.FILE_FORMATS)
    assert {path.stem for path in (HOUSE / "protocols").glob("*.py")} - {"__init__", "heads", "responses"} == set(
        PROTOCOLS
    )
    assert {path.stem for path in (HOUSE / "cli").glob("*.py")} - {"__init__", "options", "streams"} == set(COMMANDS)


def test_the_command_line_knows_the_tables():
    assert tuple(formats.FORMATS) == options.FORMATS
    assert options.SEVERITIES == model.SEVERITIES
    assert options.CONFIDENCES == model.CONFIDENCES


def test_every_loss_is_explained_and_used():
    page = (ROOT / "docs" / "losses.md").read_text()
    assert [name for name in LOSSES if f"`{name}`" not in page] == []
    source = "".join(path.read_text() for path in FILES if path.name != "losses.py")
    assert [name for name in LOSSES if f'"{name}"' not in source] == []


HEAVY = [
    "fsspec",
    "distributed",
    "pyarrow",
    "numpy",
    "scapy",
    "phonenumbers",
    "rich",
    "dpkt",
    "publicsuffixlist",
    "jinja2",
]


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        (["analyse", "--help"], HEAVY),
        (["live", "--help"], [*HEAVY, "pcapy"]),
        (["doctor", "--help"], [*HEAVY, "pcapy"]),
        (["serve", "--help"], [*HEAVY, "asyncio"]),
        (["analyse", "-f", "jsonl", "fixtures/clean.pcap"], ["scapy", "pcapy", "rich", "jinja2"]),
        (["report", "-f", "jsonl", "fixtures/clean.leaks.jsonl"], ["scapy", "rich", "phonenumbers", "jinja2"]),
        (["policy", "check", "fixtures/o2-2012.policy.toml"], ["scapy", "rich", "phonenumbers", "publicsuffixlist"]),
        (["config", "show"], ["scapy", "rich", "phonenumbers", "publicsuffixlist"]),
        (["requests", "fixtures/clean.pcap"], ["scapy", "rich", "phonenumbers", "publicsuffixlist"]),
    ],
    ids=" ".join,
)
def test_starting_is_fast(arguments, unwanted):
    script = (
        "import json, sys; from leakscan.cli import run; code = run(sys.argv[1:]); "
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert [name for name in unwanted if name in modules] == []
