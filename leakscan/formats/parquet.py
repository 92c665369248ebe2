"""Parquet: one row per leak, typed columns, for DuckDB, Polars, Spark. Written in groups of rows as it goes.

The columns are those of the flat row (rows.COLUMNS). The run and the summary stand in the metadata of the file, under
`leakscan.run` and `leakscan.summary`, as JSON; in a folder, which has a part for each day (`day=2012-01-10`), in
`_leakscan.json` beside the parts. State: one group of at most GROUP_ROWS rows for each open part, at most MAX_OPEN.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, TextIO

from leakscan.errors import MissingExtra
from leakscan.formats.rows import COLUMNS, Json, json_text, leak_row
from leakscan.formats.writer import Look, Writer
from leakscan.model import Leak
from leakscan.show import show
from leakscan.times import rfc3339_ns

GROUP_ROWS = 10_000
MAX_OPEN = 16
ABOUT = "_leakscan.json"
#: The columns that are no text.
_NUMBERS = ("frame", "frame_end", "client_port", "server_port", "teid")
_FLAGS = ("partial", "rotating")
_LISTS = ("encoding", "evidence", "network_evidence", "home_operator_evidence")


class Parquet(Writer):
    """One file."""

    def __init__(self, stream: TextIO, look: Look = Look()) -> None:  # noqa: B008  (a NamedTuple cannot change)
        super().__init__(stream, look)
        stream.flush()
        self._part = _Part(stream.buffer)

    def begin(self, run: Json) -> None:
        self._run = run

    def leak(self, leak: Leak) -> None:
        self._part.add(leak)

    def end(self, summary: Json) -> None:
        self._part.end({"leakscan.run": json_text(self._run), "leakscan.summary": json_text(summary)})


class Days(Writer):
    """A folder: hive partitions by day, in UTC. `new` gives a file for a part, by its path within the folder."""

    def __init__(self, new: Callable[[str], BinaryIO]) -> None:
        super().__init__(io.StringIO())
        self._new = new
        self._open: dict[str, _Part] = {}  # the day used last comes last
        self._count: dict[str, int] = {}
        _pyarrow()

    def begin(self, run: Json) -> None:
        self._run = run

    def leak(self, leak: Leak) -> None:
        day = leak.time[:10]
        part = self._open.pop(day, None)
        if part is None:
            if len(self._open) >= MAX_OPEN:
                self._close(next(iter(self._open)))
            number = self._count[day] = self._count.get(day, -1) + 1
            part = _Part(self._new(f"day={day}/leaks-{number}.parquet"))
        self._open[day] = part
        part.add(leak)

    def end(self, summary: Json) -> None:
        for day in list(self._open):
            self._close(day)
        with self._new(ABOUT) as file:
            file.write(f'{{"run":{json_text(self._run)},\n"summary":{json_text(summary)}}}\n'.encode())

    def _close(self, day: str) -> None:
        part = self._open.pop(day)
        part.end({"leakscan.run": json_text(self._run)})
        part.close()


class _Part:
    """One Parquet file: rows that wait to be a group, and what is written."""

    def __init__(self, file: BinaryIO) -> None:
        arrow, parquet = _pyarrow()
        self._arrow = arrow
        self._file = file
        self._schema = _schema(arrow)
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._writer = parquet.ParquetWriter(_Sink(file), self._schema, compression="zstd")

    def add(self, leak: Leak) -> None:
        for (name, value), cells in zip(leak_row(leak), self._columns.values(), strict=True):
            cells.append(_typed(name, value))
        if len(cells) >= GROUP_ROWS:
            self._flush()

    def end(self, about: dict[str, str]) -> None:
        self._flush()
        self._writer.add_key_value_metadata(about)
        self._writer.close()
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _flush(self) -> None:
        table = self._arrow.table(self._columns, schema=self._schema)
        if table.num_rows:
            self._writer.write_table(table)
        for cells in self._columns.values():
            cells.clear()


class _Sink(io.RawIOBase):
    """Where Parquet is written to: anything that takes bytes, also a pipe, which cannot tell its place."""

    def __init__(self, file: BinaryIO) -> None:
        self._to = file
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._to.write(data)
        self._at += len(memoryview(data).cast("B"))
        return len(memoryview(data).cast("B"))

    def tell(self) -> int:
        return self._at


def _typed(name: str, value: Any) -> Any:
    if name == "time":
        return rfc3339_ns(value)[0]
    if isinstance(value, str):
        return show(value)
    if name in _LISTS:
        return [] if value is None else [show(item) for item in value]
    return value


def _schema(arrow: Any) -> Any:
    def kind(name: str) -> Any:
        if name == "time":
            return arrow.timestamp("ns", "UTC")
        if name in _NUMBERS:
            return arrow.int64()
        if name in _FLAGS:
            return arrow.bool_()
        return arrow.list_(arrow.string()) if name in _LISTS else arrow.string()

    return arrow.schema([(name, kind(name)) for name in COLUMNS])


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra("parquet", "parquet") from None
