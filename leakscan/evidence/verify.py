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
from leakscan.errors import UsageError
from leakscan.evidence import FILES, MANIFEST
from leakscan.evidence.contents import findings, read_manifest, read_summary
from leakscan.evidence.folder import Folder, Sum
from leakscan.evidence.pack import excerpt
from leakscan.evidence.places import Places, capture_sum
from leakscan.filenames import shown_name
from leakscan.formats.rows import leak_object
from leakscan.known import Known
from leakscan.losses import Losses
from leakscan.model import Leak, Match, Message
from leakscan.reading import Reading
from leakscan.series import series
from leakscan.spine import Scan, Settings
from leakscan.times import between

Json = dict[str, Any]
OnBytes = Callable[[int], None] | None

MAX_NAMED = 100  # files that the manifest does not know

OK, DIFFERS, UNCHECKED, NOTE = "ok", "DIFFERS", "not checked", "note"
#: What must be the same when the captures are scanned again ...
COMPARED = (
    *("time", "frame", "frame_end", "client_port", "server", "server_port", "teid", "host", "method", "target"),
    *("place", "name", "rule", "identifier", "value", "encoding", "confidence", "severity", "fingerprint", "partial"),
    "rotating",
)
#: ... what only with the key, and what only where no file of the operator's bears on it; captures may be renamed.
KEYED = ("pseudonym", "client")
ATTRIBUTED = ("origin", "bearer", "network", "home_operator", "recipient", "evidence")
OPERATOR = ("networks", "asn_db", "policy")
OWN = frozenset({"finding", "capture_sha256", "frames", "excerpt"})  # keys that a leak does not have
#: The same of the summary.
SUMMED = {
    "total": ("requests", "leaks", "leaking_requests", "host_count", "first_seen", "last_seen", "severity"),
    "coverage": ("frames", "bytes", "requests"),
}
COUNTED = ("subscribers", "identifiers")  # of `total`: estimates depend on the key


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
        self.manifest, self.manifest_sha256 = read_manifest(folder)
        self._concealer = Concealer(key, self.manifest["values"] == "shown")
        if key is not None and self._concealer.key_id != self.manifest["key_id"]:
            raise UsageError(f"{folder.path}: made with another key ({self.manifest['key_id']})")
        self._keyed = key is not None
        self._summed: Json = {}  # of the scan that was made again
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
                same = self._folder.holds(name, Sum(**files[name]))
            except UsageError as error:
                yield Check(DIFFERS, shown_name(str(error)))
            else:
                yield Check(OK if same else DIFFERS, shown_name(name))
        more = sorted(set(self._folder.names()) - {*files, MANIFEST})
        for name in more[:MAX_NAMED]:
            yield Check(DIFFERS, f"{shown_name(name)}: not in the manifest")
        if len(more) > MAX_NAMED:
            yield Check(DIFFERS, f"{len(more) - MAX_NAMED:,} more files: not in the manifest")

    def _known_captures(self) -> Iterator[Check]:
        """Which of the captures that were given is which."""
        given: dict[Sum, list[str]] = {}
        for path in self._captures:
            given.setdefault(capture_sum(path), []).append(path)
        for number, capture in enumerate(self.manifest["captures"]):
            same = given.get(Sum(capture["size"], capture["sha256"]))
            if not same:
                yield Check(UNCHECKED, f"capture {shown_name(capture['name'])}: none that was given has its SHA-256")
            else:
                self._paths[number] = same.pop(0)
                yield Check(OK, f"capture {shown_name(capture['name'])}")
        for path in (path for paths in given.values() for path in paths):
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
            if not self._fits(finding):
                wrong.append(finding["finding"])
                continue
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

    def _fits(self, finding: Json) -> bool:
        """Whether its frames are those that its leak names, in captures of the pack."""
        frames, captures = finding["frames"], self.manifest["captures"]
        return (
            (frames[0]["frame"], frames[-1]["frame"]) == (finding["frame"], finding["frame_end"])
            and all(frame["capture"] < len(captures) for frame in frames)
            and captures[frames[-1]["capture"]]["sha256"] == finding["capture_sha256"]
        )

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
        summary = read_summary(self._folder)
        if "run.interrupted" in json.dumps(summary.get("coverage")):
            yield Check(UNCHECKED, "findings: the run was interrupted, so a whole one may find more")
            return
        wrong = [number for number, same in self._compared() if not same]
        there = _summed(summary, self._keyed)
        other = [] if wrong else [part for part in SUMMED if self._summed[part] != there[part]]
        if not wrong and not other:
            yield Check(OK, f"findings: {self.manifest['findings']:,}, the same when the captures are scanned again")
            yield Check(OK, f"summary: the same {' and '.join(SUMMED)}")
        if wrong and tool == here:
            yield Check(DIFFERS, f"findings {_some(wrong)}: not what a scan finds")
        elif wrong:
            yield Check(UNCHECKED, f"findings {_some(wrong)}: this version finds something else")
        if other:
            yield Check(DIFFERS if tool == here else UNCHECKED, f"summary: other {' and '.join(other)}")
        if any(self._made_with(name) for name in OPERATOR):
            depends = "network, home operator, bearer, origin, recipient"
            yield Check(NOTE, f"what depends on the operator's own files ({depends}) is not compared")

    def _compared(self) -> Iterator[tuple[int, bool]]:
        """Number of each finding, and whether the scan gives the same at its place."""
        paths = [self._paths[number] for number in range(len(self._paths))]
        numbers = {path: number for number, path in enumerate(paths)}
        settings, losses = self._settings(), Losses()
        batches = series(paths, losses, self._on_bytes)
        reading = Reading(batches, losses, responses=settings.responses, bodies=settings.bodies)
        scan = Scan(reading, paths, settings, self._concealer)
        seen: dict[int, tuple[list[tuple[int, int]], list[str]]] = {}

        def watch(message: Message, match: Match, leak: Leak) -> None:
            ends = (numbers[message.begins_in], leak.frame), (numbers[message.origin.capture], leak.frame_end)
            seen[id(leak)] = list(dict.fromkeys(ends)), excerpt(message, match, leak)

        def leaks() -> Iterator[Leak]:
            yield from scan.leaks()
            yield from scan.rest()

        scan.watch = watch
        number = 0
        for number, (finding, leak) in enumerate(zip_longest(self._findings(), leaks()), 1):
            if leak is None or finding is None:
                yield number, False
                continue
            ends, lines = seen.pop(id(leak))
            again = json.loads(json.dumps(leak_object(leak)))
            same = again.keys() | OWN == finding.keys() and all(again[key] == finding[key] for key in self._keys())
            frames = [(frame["capture"], frame["frame"]) for frame in finding["frames"]]
            yield number, same and (ends, lines) == (frames, finding["excerpt"])
        if number != self.manifest["findings"]:
            yield number + 1, False
        self._summed = _summed(scan.summary.to_dict(), self._keyed)

    def _keys(self) -> tuple[str, ...]:
        """What of a finding is compared."""
        operator = () if any(self._made_with(name) for name in OPERATOR) else ATTRIBUTED
        return (*COMPARED, *operator, *(KEYED if self._keyed else ()))

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


def _some(numbers: list[int], most: int = 10) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most:,} more"


def _summed(summary: Json, keyed: bool) -> Json:
    """What is compared of a summary."""
    made: Json = {}
    for part, keys in SUMMED.items():
        row = summary.get(part)
        made[part] = {key: row.get(key) for key in keys} if isinstance(row, dict) else None
    total = summary.get("total")
    if isinstance(total, dict) and (keyed or not total.get("estimated")):
        made["total"] |= {key: total.get(key) for key in COUNTED}
    return made
