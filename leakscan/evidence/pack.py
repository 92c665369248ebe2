"""Writes an evidence pack while a scan runs: every finding with its frames, and hashes of everything.

In: what a Writer is told (run, leaks, summary), and from the spine the request that each leak was made of. Out: a
folder. State: the excerpts of leaks that wait for their turn in the spine; the findings lie on the disk, masked like
any result.

A finding is the leak line of schema 1 with `frames` (where its head begins and ends: capture, number, offset, hash) and
`excerpt`: the head's lines in their order with everything but names hidden, so that one sees where the identifier stood
and not what else was said. When the scan is done the captures are read once more, for the places of the frames and the
hashes of the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TextIO

from leakscan import __version__
from leakscan.detectors import builtin
from leakscan.errors import UsageError
from leakscan.evidence import FILES, FINDINGS, KIND, MANIFEST, README, RULES, RUN, SCHEMA, SUMMARY
from leakscan.evidence.folder import NewFolder, Sum
from leakscan.evidence.places import Place, Places, capture_sum
from leakscan.filenames import shown_name
from leakscan.formats.rows import json_text, leak_object
from leakscan.formats.writer import Writer
from leakscan.model import Leak, Match, Message
from leakscan.protocols import host_of
from leakscan.show import redact, show

Json = dict[str, Any]

MAX_EXCERPT_LINES = 100
MAX_NAME_CHARS = 200
_DRAFT = "findings.draft"
#: Place of a field -> the header line that holds it; others are in the line of their own name.
_LINES = {"cookie": "cookie", "referer": "referer", "user-agent": "user-agent"}

_READ_ME = """\
This folder is an evidence pack of leakscan.

manifest.json   what this was made with and of, and the SHA-256 of every other file here
findings.jsonl  one line a finding: what leaked where, in which frames of which capture, and the head it stood in
summary.json    the findings added up, how much was examined, what could not be read
run.json        versions, settings and captures of the run
rules.json      the rules that found something, in words

{values} Pseudonyms (msisdn:...) are keyed hashes: whoever has the key can tell whether a number is among
them, and nobody else can.

To check it against the captures:  leakscan evidence verify DIR CAPTURE...
Offsets count from the beginning of a capture; of a compressed one, from the beginning of what is in it. The SHA-256 of
a capture is that of the file as it lies on the disk.
"""


_VALUES = {
    "masked": "Values are masked.",
    "shown": "Values are as they were captured: keep this folder as you keep the captures.",
}


class Pack(Writer):
    """One pack. `watch` is for spine.Scan; used as a context, so that nothing is left of one that is not whole."""

    def __init__(self, path: str, names: Sequence[str], on_bytes: Callable[[int], None] | None = None) -> None:
        if "-" in names:
            raise UsageError("--evidence reads its captures twice: save standard input to a file first")
        self._exit = ExitStack()
        self._folder = self._exit.enter_context(NewFolder(path))
        self._draft: TextIO = self._exit.enter_context(self._folder.create(_DRAFT))
        super().__init__(self._draft)
        self._names = list(names)
        self._number = {name: number for number, name in enumerate(names)}
        self._on_bytes = on_bytes
        self._places = Places()
        self._exit.callback(self._places.close)
        self._seen: dict[int, tuple[int, int, list[str]]] = {}  # by id of the leak, which is alive until `leak`
        self._rules: set[str] = set()
        self._count = 0
        self.manifest_sha256 = ""

    def __enter__(self) -> Pack:
        return self

    def __exit__(self, *error: Any) -> None:
        self._exit.__exit__(*error)

    def watch(self, message: Message, match: Match, leak: Leak) -> None:
        captures = self._number[message.begins_in], self._number[message.origin.capture]
        self._seen[id(leak)] = (*captures, excerpt(message, match, leak))

    def begin(self, run: Json) -> None:
        self._run = run

    def leak(self, leak: Leak) -> None:
        first, last, lines = self._seen.pop(id(leak))
        self._places.want(first, leak.frame)
        self._places.want(last, leak.frame_end)
        self._rules.add(leak.rule)
        self._count += 1
        self._draft.write(json_text([first, last, leak_object(leak), lines]) + "\n")

    def end(self, summary: Json) -> None:
        """Everything is known: read the captures for the places, write the files, give the folder its name."""
        self._draft.close()
        sums = []
        for number, name in enumerate(self._names):
            sums.append(capture_sum(name))
            size = self._run["captures"][number]["size"]
            if sums[-1].size != size:
                raise UsageError(
                    f"{shown_name(name)}: had {size:,} bytes when it was scanned, and has {sums[-1].size:,} now: no "
                    f"evidence was written; scan a capture that is whole"
                )
            self._places.find(number, name, self._on_bytes)
        self._write_findings(sums)
        self._file(RUN, json_text(self._run) + "\n")
        self._file(SUMMARY, json_text(summary) + "\n")
        self._file(RULES, json.dumps(self._rules_in_words(summary), indent=1) + "\n")
        self._file(README, _READ_ME.format(values=_VALUES[self._run["values"]]))
        manifest = json.dumps(self._manifest(sums), indent=1) + "\n"
        self._file(MANIFEST, manifest)
        self.manifest_sha256 = self._folder.sum(MANIFEST).sha256
        self._folder.commit()

    def _file(self, name: str, text: str) -> None:
        with self._folder.create(name) as file:
            file.write(text)

    def _write_findings(self, sums: list[Sum]) -> None:
        draft = self._folder.take(_DRAFT)
        with draft, self._folder.create(FINDINGS) as file:
            for number, line in enumerate(draft, 1):
                first, last, leak, lines = json.loads(line)
                ends = [(first, leak["frame"]), (last, leak["frame_end"])]
                frames = [
                    {"capture": capture, **_place(self._places.at(capture, frame), frame)}
                    for capture, frame in dict.fromkeys(ends)
                ]
                leak["type"] = "finding"
                finding = {"finding": number, "capture_sha256": sums[last].sha256, "frames": frames, "excerpt": lines}
                file.write(json_text({**leak, **finding}) + "\n")

    def _rules_in_words(self, summary: Json) -> Json:
        """What each rule that found something means; of leakscan's own also who adds it, and its source."""
        known = builtin().signatures
        rules: Json = {}
        for rule in sorted(self._rules):
            rules[rule] = {"explain": summary["rules"].get(rule, "")}
            signature = known.get(rule) or known.get(rule.partition(".")[0])
            if signature is not None:
                rules[rule] |= {"added_by": signature.added_by, "source": signature.source}
        return rules

    def _manifest(self, sums: list[Sum]) -> Json:
        captures = [
            {"name": shown["name"], "size": total.size, "sha256": total.sha256}
            for shown, total in zip(self._run["captures"], sums, strict=True)
        ]
        return {
            "type": KIND,
            "schema": SCHEMA,
            "tool": {"name": "leakscan", "version": __version__, "catalogue": self._run["catalogue"]},
            "key_id": self._run["key_id"],
            "values": self._run["values"],
            "settings": self._run["settings"],
            "captures": captures,
            "findings": self._count,
            "files": {name: self._folder.sum(name)._asdict() for name in sorted(FILES)},
        }


def _place(place: Place | None, frame: int) -> Json:
    return {"frame": frame, "offset": None} if place is None else place._asdict()


def excerpt(message: Message, match: Match, leak: Leak) -> list[str]:
    """The lines of a head, safe to be seen: names in their order, the finding masked, of all else how long it is."""
    field = match.field
    holder = _LINES.get(field.place, field.name.lower() if field.place == "header" else "")
    lines = [f"{leak.method} {leak.target} {message.protocol.upper()}".rstrip()]
    if field.place in ("query", "path"):
        lines[0] += f"  [{field.place} {leak.name}: {leak.value}]"
    for name, value in message.headers[:MAX_EXCERPT_LINES]:
        shown = redact(name, (match.value, match.normal, *match.spans))[:MAX_NAME_CHARS]
        if value is None:
            lines.append(f"({len(name)} characters)")
        elif name.lower() == holder and field.value in value:
            lines.append(f"{shown}: {leak.value if field.place == 'header' else f'... {leak.name}: {leak.value} ...'}")
        elif name.strip().lower() == "host" and host_of(value) == message.host:
            lines.append(f"{shown}: {leak.host}")
        else:
            lines.append(f"{shown}: ({len(value)} characters)")
    if len(message.headers) > MAX_EXCERPT_LINES:
        lines.append(f"({len(message.headers) - MAX_EXCERPT_LINES} more lines)")
    return [show(line) for line in lines]
