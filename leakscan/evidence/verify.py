"""Checks an evidence pack: its own files against the manifest, its findings against the captures.

In: a pack, which may be anybody's, and captures. Out: `Check`s, as they are made. State: the places of its frames
(places.py); files are read line by line.

The captures are told by their hashes, not by their names. Of each finding the frames must lie where it says and hash to
what it says; and the captures are scanned again, with the settings of the pack: what comes out must be the findings,
in their order. Another version of leakscan or of its catalogue may find something else: then that is said, and is no
fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from leakscan import __version__
from leakscan.conceal import Concealer
from leakscan.detectors.catalogue import Catalogue
from leakscan.errors import FileMistake, UsageError
from leakscan.evidence import FILES, FINDINGS, KIND, MANIFEST, SCHEMA, SUMMARY
from leakscan.evidence.folder import Folder
from leakscan.evidence.pack import excerpt
from leakscan.evidence.places import Places, capture_sum
from leakscan.filenames import shown_name
from leakscan.formats.rows import leak_object
from leakscan.known import Known
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, Leak, Match, Message
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.spine import Scan, Settings
from leakscan.times import between

Json = dict[str, Any]
OnBytes = Callable[[int], None] | None

MAX_MANIFEST_BYTES = 16 << 20
MAX_LINE_BYTES = 1 << 20

OK, DIFFERS, UNCHECKED, NOTE = "ok", "DIFFERS", "not checked", "note"
#: What must be the same when the captures are scanned again; the rest depends on names, networks files and keys.
COMPARED = (
    *("time", "frame", "frame_end", "client_port", "server", "server_port", "teid", "host", "method", "target"),
    *("place", "name", "rule", "identifier", "value", "encoding", "confidence", "severity", "fingerprint", "partial"),
)
KEYED = ("pseudonym", "client")


class Check(NamedTuple):
    status: str  # OK, DIFFERS, UNCHECKED or NOTE
    what: str


class Files(NamedTuple):
    """Files of the operator's that bore on the findings."""

    known: Known | None = None
    rules: Catalogue | None = None


class Verification:
    """One check of one pack. `key` lets pseudonyms be compared as well."""

    def __init__(
        self,
        folder: Folder,
        captures: Sequence[str],
        key: bytes | None = None,
        files: Files = Files(),  # noqa: B008  (a NamedTuple cannot change)
        on_bytes: OnBytes = None,
    ) -> None:
        self._folder = folder
        self._captures = captures
        self._files_given = files
        self._on_bytes = on_bytes
        self.manifest = read_manifest(folder)
        self._concealer = Concealer(key, self.manifest["values"] == "shown")
        if key is not None and self._concealer.key_id != self.manifest["key_id"]:
            raise UsageError(f"{folder.path}: made with another key ({self.manifest['key_id']})")
        self._keyed = key is not None
        self._paths: dict[int, str] = {}  # number of a capture in the manifest -> the file that is it

    def checks(self) -> Iterator[Check]:
        """All of them, from the pack's own files to the findings."""
        intact = True
        for check in self._files():
            intact = intact and check.status == OK
            yield check
        if not intact:
            yield Check(UNCHECKED, "findings: the pack itself is not what its manifest says")
            return
        yield from self._known_captures()
        places = Places()
        try:
            yield from self._frames(places)
        finally:
            places.close()
        yield from self._again()

    def _files(self) -> Iterator[Check]:
        files = self.manifest["files"]
        for name in sorted({*files, *FILES}):
            if name not in files:
                yield Check(DIFFERS, f"{shown_name(name)}: not in the manifest")
                continue
            try:
                same = self._folder.sum(name)._asdict() == files[name]
            except UsageError as error:
                yield Check(DIFFERS, shown_name(str(error)))
            else:
                yield Check(OK if same else DIFFERS, shown_name(name))
        for name in sorted(set(self._folder.names()) - {*files, MANIFEST}):
            yield Check(DIFFERS, f"{shown_name(name)}: not in the manifest")

    def _known_captures(self) -> Iterator[Check]:
        """Which of the captures that were given is which."""
        given = {capture_sum(path).sha256: path for path in self._captures}
        for number, capture in enumerate(self.manifest["captures"]):
            path = given.pop(capture["sha256"], None)
            if path is None:
                yield Check(UNCHECKED, f"capture {shown_name(capture['name'])}: none that was given has its SHA-256")
            else:
                self._paths[number] = path
                yield Check(OK, f"capture {shown_name(capture['name'])}")
        for path in given.values():
            yield Check(NOTE, f"{shown_name(path)}: no capture of this pack")

    def _frames(self, places: Places) -> Iterator[Check]:
        """Whether the frames of all findings are where they should be."""
        for finding in self._findings():
            for frame in finding["frames"]:
                if frame["capture"] in self._paths:
                    places.want(frame["capture"], frame["frame"])
        for number, path in sorted(self._paths.items()):
            places.find(number, path, self._on_bytes)
        wrong: list[int] = []
        seen = unseen = 0
        for finding in self._findings():
            for frame in finding["frames"]:
                if frame["capture"] not in self._paths:
                    unseen += 1
                    continue
                seen += 1
                place = places.at(frame["capture"], frame["frame"])
                if place is None or {"capture": frame["capture"], **place._asdict()} != frame:
                    wrong.append(finding["finding"])
        if wrong:
            yield Check(DIFFERS, f"frames of findings {_some(wrong)}")
        elif seen:
            yield Check(OK, f"frames: {seen:,} where the findings say, with their hashes")
        if unseen:
            yield Check(UNCHECKED, f"frames: {unseen:,} in captures that were not given")

    def _again(self) -> Iterator[Check]:
        """Scan the captures once more and compare."""
        captures = self.manifest["captures"]
        if len(self._paths) < len(captures) or not captures:
            yield Check(UNCHECKED, "findings: a scan of all captures is needed to compare them")
            return
        missing = [flag for flag in Files._fields if self._made_with(flag) and getattr(self._files_given, flag) is None]
        if missing:
            flags = " and ".join(f"--{flag}" for flag in missing)
            yield Check(UNCHECKED, f"findings: made with {flags}; give the same to compare them")
            return
        tool = self.manifest["tool"]
        here = {"name": "leakscan", "version": __version__, "catalogue": self._settings().catalogue.version}
        if tool != here:
            text = f"leakscan {tool['version']} with catalogue {tool['catalogue']}"
            yield Check(NOTE, f"made by {text}; this is {__version__} with {here['catalogue']}")
        with self._folder.open(SUMMARY) as file:
            if "run.interrupted" in file.read(MAX_MANIFEST_BYTES).decode("utf-8", "replace"):
                yield Check(NOTE, "findings: the run was interrupted, so a whole one may find more")
                return
        wrong = [number for number, same in self._compared() if not same]
        if not wrong:
            yield Check(OK, f"findings: {self.manifest['findings']:,}, the same when the captures are scanned again")
        elif tool == here:
            yield Check(DIFFERS, f"findings {_some(wrong)}: not what a scan finds")
        else:
            yield Check(NOTE, f"findings {_some(wrong)}: this version finds something else")

    def _compared(self) -> Iterator[tuple[int, bool]]:
        """Number of each finding, and whether the scan gives the same at its place."""
        paths = [self._paths[number] for number in range(len(self._paths))]
        numbers = {path: number for number, path in enumerate(paths)}
        settings, losses = self._settings(), Losses()
        batches = series(paths, losses, self._on_bytes)
        reading = Reading(batches, losses, responses=settings.responses, bodies=settings.bodies)
        scan = Scan(reading, paths, settings, self._concealer)
        seen: dict[int, tuple[int, list[str]]] = {}

        def watch(message: Message, match: Match, leak: Leak) -> None:
            seen[id(leak)] = numbers[message.origin.capture], excerpt(message, match, leak)

        def leaks() -> Iterator[Leak]:
            yield from scan.leaks()
            yield from scan.rest()

        scan.watch = watch
        for number, (finding, leak) in enumerate(zip_longest(self._findings(), leaks()), 1):
            if leak is None or finding is None:
                yield number, False
                continue
            capture, lines = seen.pop(id(leak))
            again = json.loads(json.dumps(leak_object(leak)))
            keys = (*COMPARED, *KEYED) if self._keyed else COMPARED
            same = all(again[key] == finding.get(key) for key in keys)
            sha256 = self.manifest["captures"][capture]["sha256"]
            yield number, same and (sha256, lines) == (finding["capture_sha256"], finding["excerpt"])

    def _made_with(self, setting: str) -> Any:
        return self.manifest["settings"].get(setting)

    def _settings(self) -> Settings:
        """Those of the pack, as far as they bear on what is compared."""
        since_ns, until_ns = between(self._made_with("since"), self._made_with("until"))
        return Settings(
            min_confidence=self._made_with("min_confidence"),
            show_values=self.manifest["values"] == "shown",
            known=self._files_given.known if self._made_with("known") else None,
            rules=self._files_given.rules if self._made_with("rules") else None,
            responses=bool(self._made_with("responses")),
            bodies=bool(self._made_with("bodies")),
            since_ns=since_ns,
            until_ns=until_ns,
        )

    def _findings(self) -> Iterator[Json]:
        yield from findings(self._folder)


def read_manifest(folder: Folder) -> Json:
    """The manifest, with everything in it that is needed. Raises FileMistake."""
    where = f"{folder.path}/{MANIFEST}"
    with folder.open(MANIFEST) as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    try:
        made = json.loads(data) if len(data) <= MAX_MANIFEST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise FileMistake(where, "", "no JSON") from error
    if not isinstance(made, dict) or made.get("type") != KIND:
        raise FileMistake(where, "type", f"{KIND!r} is needed here")
    if made.get("schema") != SCHEMA:
        raise FileMistake(where, "schema", f"this version reads schema {SCHEMA}")
    for key, right in _SHAPE.items():
        if not right(made.get(key)):
            raise FileMistake(where, key, "missing, or of another form")
    return made


def findings(folder: Folder) -> Iterator[Json]:
    """The findings, one by one. Raises FileMistake."""
    where = f"{folder.path}/{FINDINGS}"
    with folder.open(FINDINGS) as file:
        for number in range(1, 1 << 62):
            line = file.readline(MAX_LINE_BYTES)
            if not line:
                return
            try:
                made = json.loads(line)
                right = (
                    made["finding"] == number and _frames_right(made["frames"]) and isinstance(made["excerpt"], list)
                )
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                raise FileMistake(where, f"line {number}", "no finding") from error
            if not right:
                raise FileMistake(where, f"line {number}", "no finding")
            yield made


def _frames_right(frames: object) -> bool:
    return isinstance(frames, list) and all(
        isinstance(frame, dict) and all(type(frame.get(key)) is int and 0 <= frame[key] < 1 << 62 for key in _NUMBERS)
        for frame in frames
    )


def _some(numbers: list[int], most: int = 10) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most:,} more"


def _are(values: object, form: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(form, values))


def _is_sum(value: object) -> bool:
    return isinstance(value, dict) and type(value.get("size")) is int and isinstance(value.get("sha256"), str)


_NUMBERS = ("capture", "frame")
_SHAPE: dict[str, Callable[[Any], bool]] = {
    "tool": lambda value: isinstance(value, dict) and {"name", "version", "catalogue"} <= value.keys(),
    "key_id": lambda value: isinstance(value, str),
    "values": lambda value: value in ("masked", "shown"),
    "settings": lambda value: (
        isinstance(value, dict)
        and value.get("min_confidence") in CONFIDENCES
        and all(value.get(key) is None or isinstance(value[key], str) for key in ("since", "until"))
    ),
    "captures": lambda value: _are(value, lambda one: _is_sum(one) and isinstance(one.get("name"), str)),
    "findings": lambda value: type(value) is int,
    "files": lambda value: isinstance(value, dict) and all(map(_is_sum, value.values())),
}
