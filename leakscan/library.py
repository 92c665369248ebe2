"""leakscan as a library: what `leakscan.scan` and `leakscan.scan_headers` do.

In: captures or header lines, and settings by name. Out: leaks and the summary; findings. State: that of a scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakscan.conceal import Concealer
from leakscan.detectors import detect
from leakscan.errors import UsageError
from leakscan.fields import everything, pairs_fields
from leakscan.files import read_files
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, Leak, Pair
from leakscan.policy import Policy
from leakscan.spine import Scan, Settings, raw_of
from leakscan.summary import Summary

#: What the library's functions can be told.
PLAIN = ("min_confidence", "show_values", "responses", "bodies")
SETTINGS = frozenset((*PLAIN, "pseudonym_key", "networks", "asn_db", "known", "rules", "since", "until", "policy"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One identifier in a list of header lines: what `scan_headers` gives."""

    place: str
    name: str
    rule: str
    identifier: str
    value: str
    pseudonym: str
    encoding: tuple[str, ...]
    confidence: str
    severity: str
    origin: str
    evidence: tuple[str, ...]


def scan(captures: str | Path | Iterable[str | Path], **settings: Any) -> Iterator[Leak | Summary]:
    """Leaks of the captures as they are found, then the Summary.

    `captures` as on the command line, one or many: files, directories, globs, "-". Settings: `min_confidence`
    ("probable"), `show_values` (False), `pseudonym_key` (bytes, at least 16; random by default), `networks`, `asn_db`,
    `known`, `rules` and `policy` (paths of those files), `responses` and `bodies` (False), `since` and `until` (RFC
    3339: only requests from the one on and before the other). Raises CaptureUnavailable, FileMistake, UsageError
    (leakscan.errors).
    """
    from leakscan.reading import Reading  # late: numpy and dpkt, which `scan_headers` does not need
    from leakscan.series import series
    from leakscan.sources import expand

    made = settings_from(settings)
    losses = Losses()
    given = [captures] if isinstance(captures, str | Path) else captures
    names = expand([str(capture) for capture in given], losses)
    found = Scan(Reading(series(names, losses), losses, responses=made.responses, bodies=made.bodies), names, made)
    yield from found.leaks()
    yield from found.rest()
    yield found.summary


def scan_headers(pairs: Iterable[Pair], **settings: Any) -> list[Finding]:
    """What a list of header lines (name, value) gives away. Settings as for `scan`, but for files and times."""
    made = settings_from(settings)
    pairs = list(pairs)
    concealer, losses = Concealer(made.pseudonym_key, made.show_values), Losses()
    least = CONFIDENCES.index(made.min_confidence)
    matches = detect(pairs_fields(pairs, losses), losses, made.catalogue)
    if made.known is not None:
        matches = made.known.matches(everything("", pairs), matches)
    return [
        Finding(
            place=match.field.place,
            name=concealer.redact(match.field.name, raw_of(match)),
            rule=match.rule,
            identifier=match.identifier,
            value=concealer.value(match.identifier, match.value, match.normal),
            pseudonym=concealer.pseudonym(match.identifier, match.normal),
            encoding=match.encoding,
            confidence=match.confidence,
            severity=match.severity,
            origin=match.origin,
            evidence=match.evidence,
        )
        for match in matches
        if CONFIDENCES.index(match.confidence) >= least
    ]


def settings_from(given: dict[str, Any]) -> Settings:
    """Settings by the names of SETTINGS, files read. Raises UsageError and FileMistake."""
    for name in given:
        if name not in SETTINGS:
            raise UsageError(f"unknown setting {name!r}; known are {', '.join(sorted(SETTINGS))}")
    if given.get("min_confidence", "probable") not in CONFIDENCES:
        raise UsageError(f"min_confidence is one of {', '.join(CONFIDENCES)}")
    key = given.get("pseudonym_key")
    if key is not None and len(key) < 16:
        raise UsageError("pseudonym_key has at least 16 bytes")
    named = [given.get(name) for name in ("networks", "asn_db", "known", "rules", "since", "until")]
    files = read_files(key, *named)
    policy = None if given.get("policy") is None else str(given["policy"])
    return Settings(
        policy=None if policy is None else Policy.load(policy),
        policy_name=policy,
        **files._asdict(),
        **{name: given[name] for name in PLAIN if given.get(name) is not None},
    )
