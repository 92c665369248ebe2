"""Parquet: typed rows of the same leaks as JSON Lines, and the queries of docs/scale.md."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import pytest

from leakscan.cli import run as run_cli
from leakscan.errors import UsageError
from leakscan.formats import parquet as parquet_module
from leakscan.formats.rows import COLUMNS
from leakscan.output import OutputFolder
from tests.fleet.captures import HOUR, write
from tests.leaks import leak, run

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.fixture
def captures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two and a half days of captures, an hour apart."""
    write(tmp_path / "in", 60, 5)
    monkeypatch.chdir(tmp_path)
    assert HOUR
    return tmp_path


def analyse(*arguments: str) -> int:
    return run_cli(["analyse", "-q", *arguments])


def test_the_rows_are_those_of_json_lines(captures: Path) -> None:
    assert analyse("-o", "leaks.parquet", "-o", "leaks.jsonl", "in") == 1
    lines = [json.loads(line) for line in (captures / "leaks.jsonl").read_text().splitlines()]
    table = pq.read_table("leaks.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert str(table.schema.field("frame").type) == "int64"
    assert str(table.schema.field("evidence").type).startswith("list<")
    assert str(table.schema.field("partial").type) == "bool"
    rows = table.drop(["time"]).to_pylist()
    assert len(rows) == len(lines) - 2 == 300
    for row, line in zip(rows, lines[1:-1], strict=True):
        assert row["capture"] == line["capture"]
        assert row["pseudonym"] == line["pseudonym"]
        assert row["evidence"] == line["evidence"]
        assert row["recipient_verdict"] == line["recipient"]["verdict"]
        assert row["network_name"] == (line["network"] or {}).get("name")
    metadata = pq.read_metadata("leaks.parquet").metadata
    assert json.loads(metadata[b"leakscan.run"]) == lines[0]
    assert json.loads(metadata[b"leakscan.summary"]) == lines[-1]
    assert (captures / "leaks.parquet").stat().st_mode & 0o777 == 0o600
    assert b"4477009" not in (captures / "leaks.parquet").read_bytes()


def test_a_folder_has_a_part_for_each_day(captures: Path) -> None:
    assert analyse("-o", "parquet=leaks/", "-o", "leaks.jsonl", "in") == 1
    lines = [json.loads(line) for line in (captures / "leaks.jsonl").read_text().splitlines()]
    days = sorted({line["time"][:10] for line in lines[1:-1]})
    assert len(days) >= 3
    parts = sorted(path.relative_to(captures / "leaks") for path in (captures / "leaks").rglob("*.parquet"))
    assert [str(part) for part in parts] == [f"day={day}/leaks-0.parquet" for day in days]
    assert sum(pq.read_metadata(captures / "leaks" / part).num_rows for part in parts) == len(lines) - 2
    about = json.loads((captures / "leaks" / "_leakscan.json").read_text())
    assert about == {"run": lines[0], "summary": lines[-1]}
    assert {path.stat().st_mode & 0o777 for path in (captures / "leaks").rglob("*.*") if path.is_file()} == {0o600}
    assert analyse("-o", "parquet=leaks/", "in") == 2  # it is not empty
    assert not list(captures.glob(".leakscan-*"))


def test_many_days_have_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "MAX_OPEN", 2)
    with OutputFolder(str(tmp_path / "leaks")) as folder:
        writer = parquet_module.Days(folder.new)
        writer.begin(run())
        for number in range(30):
            writer.leak(leak(time=f"2012-01-{1 + number % 5:02d}T00:00:00Z"))
            assert len(writer._open) <= 2
        writer.end({})
    parts = list((tmp_path / "leaks").rglob("*.parquet"))
    assert len(parts) == 30
    assert sum(pq.read_metadata(part).num_rows for part in parts) == 30


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), OutputFolder(str(tmp_path / "leaks")) as folder:
        parquet_module.Days(folder.new).begin(run())
        folder.new("x").close()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(UsageError), OutputFolder(str(tmp_path / "file" / "leaks")):
        pass


def test_memory_is_that_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "GROUP_ROWS", 1000)
    peaks = []
    for count in (3000, 12_000):
        with (tmp_path / f"{count}.parquet").open("w") as file:
            writer = parquet_module.Parquet(file)
            writer.begin(run())
            one = leak()
            tracemalloc.start()
            for _ in range(count):
                writer.leak(one)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            writer.end({})
        metadata = pq.read_metadata(tmp_path / f"{count}.parquet")
        assert metadata.num_row_groups == count / 1000
    assert peaks[1] < 1.2 * peaks[0]


def test_hostile_text_is_harmless(tmp_path: Path) -> None:
    dirt = "\x1b[31m\ud800\u202e\0=cmd"
    with (tmp_path / "x.parquet").open("w") as file:
        writer = parquet_module.Parquet(file)
        writer.begin(run())
        writer.leak(leak(host=dirt, name=dirt, evidence=(dirt,)))
        writer.end({})
    (row,) = pq.read_table(tmp_path / "x.parquet").drop(["time"]).to_pylist()
    for text in (row["host"], row["name"], *row["evidence"]):
        assert not set("\x1b\u202e\0") & set(text)


def test_it_is_no_text(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["analyse", "-f", "parquet", "in"]) == 2
    assert "parquet" in capsys.readouterr().err


def test_report_writes_it_too(captures: Path) -> None:
    analyse("-o", "leaks.jsonl", "in")
    assert run_cli(["report", "-q", "-o", "again.parquet", "leaks.jsonl"]) == 1
    assert pq.read_metadata("again.parquet").num_rows == 300


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)


@pytest.mark.parametrize("query", blocks("sql"))
def test_duckdb_queries_of_the_page(captures: Path, query: str) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    analyse("-o", "parquet=leaks/", "in")
    rows = duckdb.sql(query).fetchall()
    assert sum(row[2] if "rule" in query else row[1] for row in rows) == 300
    assert len(rows) == (3 if "rule" in query else 1)


@pytest.mark.parametrize("query", blocks("python"))
def test_polars_query_of_the_page(captures: Path, query: str) -> None:
    pytest.importorskip("polars", reason="needs polars")
    analyse("-o", "parquet=leaks/", "in")
    names: dict[str, object] = {}
    exec(query, names)
    assert names["answer"]["leaks"].sum() == 300  # type: ignore[index]


def test_there_are_queries() -> None:
    assert len(blocks("sql")) == 2
    assert len(blocks("python")) == 1
