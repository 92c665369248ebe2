"""Whether one number is in a pack: to be told by whoever has the key, and of this number alone.

In: a pack, the key of its pseudonyms, a value as anybody would write it. Out: `Sighting`, or None. State: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from leakscan.conceal import Concealer
from leakscan.detectors import DETECTORS
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import PLAUSIBLE
from leakscan.errors import FileMistake, UsageError
from leakscan.evidence import FINDINGS
from leakscan.evidence.contents import findings, read_manifest
from leakscan.evidence.folder import Folder, Sum

#: Checks that tell a kind of identifier by its value alone, and give its normal form.
FORMATS = ("msisdn", "imsi", "imei", "iccid", "meid", "mac", "email", "uuid", "android-id")
MAX_NAMED = 10


@dataclass(slots=True)
class Sighting:
    """What a pack says of one value."""

    pseudonyms: set[str] = field(default_factory=set)
    findings: int = 0
    first: str = ""
    last: str = ""
    numbers: list[int] = field(default_factory=list)  # of the first MAX_NAMED findings
    hosts: set[str] = field(default_factory=set)  # at most MAX_NAMED


def confirm(folder: Folder, key: bytes, value: str) -> Sighting | None:
    """The findings of `value`; None when there are none. Raises UsageError when the pack was made with another
    key, FileMistake when its findings are not those of its manifest."""
    concealer = Concealer(key)
    manifest, _ = read_manifest(folder)
    if FINDINGS not in manifest["files"] or not folder.holds(FINDINGS, Sum(**manifest["files"][FINDINGS])):
        raise FileMistake(f"{folder.path}/{FINDINGS}", "", "not what the manifest says")
    if concealer.key_id != manifest["key_id"]:
        raise UsageError(f"{folder.path}: made with another key ({manifest['key_id']})")
    wanted: dict[str, set[str]] = {}
    for identifier, normal in _normals(value):
        wanted.setdefault(identifier, set()).add(concealer.pseudonym(identifier, normal))
    plain = {value, value.strip(), value.strip().lower(), value.strip().upper()}
    seen = Sighting()
    for finding in findings(folder):
        kind, pseudonym = str(finding.get("identifier")), finding.get("pseudonym")
        if kind not in wanted:
            wanted[kind] = set()
        if "" not in wanted[kind]:  # forms of no rule of their own: tokens, ids, addresses
            wanted[kind] |= {"", *(concealer.pseudonym(kind, text) for text in plain)}
        if pseudonym in wanted[kind]:
            _add(seen, finding)
    return seen if seen.findings else None


def _add(seen: Sighting, finding: dict[str, object]) -> None:
    time = str(finding.get("time"))
    seen.findings += 1
    seen.pseudonyms.add(str(finding["pseudonym"]))
    seen.first = min(seen.first or time, time)
    seen.last = max(seen.last, time)
    if len(seen.numbers) < MAX_NAMED:
        seen.numbers.append(int(str(finding["finding"])))
    if len(seen.hosts) < MAX_NAMED:
        seen.hosts.add(str(finding.get("host")))


def _normals(value: str) -> Iterator[tuple[str, str]]:
    for name in FORMATS:
        detector = DETECTORS[name]
        signature = Signature("value", detector.identifier or name, (name,), "", "", (), ())
        verdict = detector.check(value, signature)
        if verdict.grade >= PLAUSIBLE:
            identifier = verdict.identifier or detector.identifier or _KINDS[name]
            yield identifier, verdict.normal or verdict.value


_KINDS = {"mac": "mac", "email": "email", "uuid": "advertising_id", "android-id": "device_id"}
