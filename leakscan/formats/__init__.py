"""One result, many views. A format reads leaks and the summary and nothing else: one file, one row in `FORMATS`.

Comes in: the run, each leak, the summary (all objects of schema 1). Goes out: text on a stream. The command line's
choices and the suffixes that `-o` knows come from the table.
"""

from __future__ import annotations

from collections.abc import Mapping

from leakscan.formats.csv import Csv
from leakscan.formats.github import GitHub
from leakscan.formats.html import Html
from leakscan.formats.incident import Incident
from leakscan.formats.json import JsonObject
from leakscan.formats.jsonl import JsonLines
from leakscan.formats.junit import Junit
from leakscan.formats.markdown import Markdown
from leakscan.formats.sarif import Sarif
from leakscan.formats.table import Table
from leakscan.formats.writer import Look, Writer

__all__ = ["FORMATS", "SHARED", "Look", "Writer"]

#: Name -> class. The first is the default.
FORMATS: Mapping[str, type[Writer]] = {
    "table": Table,
    "jsonl": JsonLines,
    "json": JsonObject,
    "csv": Csv,
    "markdown": Markdown,
    "html": Html,
    "incident": Incident,
    "sarif": Sarif,
    "junit": Junit,
    "github": GitHub,
}

#: Formats made to be handed on to others' machines: values are never shown in them.
SHARED = frozenset({"sarif", "junit", "github"})
