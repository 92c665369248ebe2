"""One result, many views. A format reads leaks and the summary and nothing else: one file, one row in `FORMATS`.

Comes in: the run, each leak, the summary (all objects of schema 1). Goes out: text on a stream. The command line's
choices and the suffixes that `-o` knows come from the table. A format's file is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, TextIO

from leakscan.formats.writer import Look, Writer

__all__ = ["FORMATS", "SHARED", "Format", "Look", "Writer"]


class Format(NamedTuple):
    """A file of this folder, the class in it, and what `-o` recognises it by."""

    file: str
    name: str
    suffixes: tuple[str, ...] = ()

    def __call__(self, stream: TextIO, look: Look = Look()) -> Writer:  # noqa: B008  (a NamedTuple cannot change)
        writer: Writer = getattr(import_module(f"{__name__}.{self.file}"), self.name)(stream, look)
        return writer


#: Name -> where it is. The first is the default.
FORMATS: Mapping[str, Format] = {
    "table": Format("table", "Table", (".txt",)),
    "jsonl": Format("jsonl", "JsonLines", (".jsonl",)),
    "json": Format("json", "JsonObject", (".json",)),
    "csv": Format("csv", "Csv", (".csv",)),
    "markdown": Format("markdown", "Markdown", (".md",)),
    "html": Format("html", "Html", (".html",)),
    "incident": Format("incident", "Incident"),  # Markdown has the suffix: `-o incident=FILE.md`
    "sarif": Format("sarif", "Sarif", (".sarif",)),
    "junit": Format("junit", "Junit", (".xml",)),
    "github": Format("github", "GitHub"),  # annotations are for stdout; `-o github=FILE` writes them elsewhere
}

#: Formats made to be handed on to others' machines: values are never shown in them.
SHARED = frozenset({"sarif", "junit", "github"})
