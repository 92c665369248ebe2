"""Known values: the operator's own identifiers, found wherever a request holds them, however they are dressed.

Comes in: the file of `--known` (file.py), then requests. Goes out: matches. What the catalogue found is raised to
confirmed and told whose value it is; what it did not find becomes a match of the rule `known-value`. A hash gives the
value that was hashed. State: that of the Finder.

    file -> entries -> spellings -> index
                                      v
    request -> fields.everything -> finder -> hits -> matches
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from leakscan.detectors import SEVERITY_OF, VALUE_EVIDENCE
from leakscan.fields import MAX_VALUE_CHARS
from leakscan.known.file import Entry, load
from leakscan.known.finder import HINT, Finder, Hit
from leakscan.known.index import HASHES, Index
from leakscan.known.spellings import shown
from leakscan.model import CONFIDENCES, Field, Match

RULE = "known-value"


class Known:
    """The values of one file."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self._finder = Finder(Index(entries))

    @classmethod
    def load(cls, path: str) -> Known:
        """Reads the file at `path`. Raises FileMistake, which names file, entry and key."""
        return _compiled(load(path))

    def __reduce__(self) -> tuple[Callable[[tuple[Entry, ...]], Known], tuple[Any, ...]]:
        """A worker compiles the entries itself: the index is a hundred times as large."""
        return _compiled, (self.entries,)

    def search(self, raw: bytes) -> bool:
        """Whether a known value is in there: of a head, of lines of one, of a body. Never false where `matches` finds
        one in a field of it.
        """
        return self._finder.search(raw)

    def matches(self, fields: Iterable[Field], found: list[Match]) -> list[Match]:
        """`found`, what the catalogue says of the same request, with what is known added to it."""
        matches = list(found)
        for field in fields:
            for hit in _best(self._finder.hits(field.value.encode("latin-1", "replace"))):
                same = [at for at, match in enumerate(matches) if match.field == field and _is_of(match, hit)]
                for at in same:
                    alone = VALUE_EVIDENCE in matches[at].evidence  # its name said nothing
                    matches[at] = _match(field, hit) if alone else _raised(matches[at], hit)
                if not same and not (field[:2] == ("body", "") and _is_in_body(matches, hit)):
                    matches.append(_match(field, hit))
        return matches


@lru_cache(maxsize=1)
def _compiled(entries: tuple[Entry, ...]) -> Known:
    """Once for a process: a worker gets the settings anew with every series."""
    return Known(entries)


def _raised(match: Match, hit: Hit) -> Match:
    """A finding of the catalogue that is known. Under a hash the value is the one that was hashed."""
    evidence = tuple(dict.fromkeys((*match.evidence, *_evidence(hit))))
    if match.normal == hit.entry.normal:
        better = max(match.confidence, hit.confidence, key=CONFIDENCES.index)
        return replace(match, confidence=better, evidence=evidence)
    return replace(
        match,
        identifier=hit.entry.kind,
        value=shown(hit.entry.kind, hit.entry.value, hit.entry.normal),
        normal=hit.entry.normal,
        encoding=hit.chain,
        confidence=max(match.confidence, hit.confidence, key=CONFIDENCES.index),
        rotating=False,
        evidence=evidence,
        home=hit.entry.home or match.home,
        spans=(*match.spans, match.value, match.field.value),
    )


def _match(field: Field, hit: Hit) -> Match:
    entry = hit.entry
    usual = SEVERITY_OF[entry.kind]
    return Match(
        field=field,
        rule=RULE,
        identifier=entry.kind,
        value=shown(entry.kind, entry.value, entry.normal),
        normal=entry.normal,
        encoding=hit.chain,
        confidence=hit.confidence,
        severity="high" if usual == "critical" and hit.chain[-1:] in HASHED else usual,
        rotating=False,
        origin="unknown",
        evidence=_evidence(hit),
        home=entry.home,
        spans=(hit.token.decode("latin-1"), *([field.value] if len(field.value) <= MAX_VALUE_CHARS else [])),
    )


def _best(hits: Iterable[Hit]) -> list[Hit]:
    """One for each value: the surest, then the one with the fewest encodings, then as it is usually written."""
    ranked = sorted(hits, key=lambda hit: (-CONFIDENCES.index(hit.confidence), len(hit.chain), hit.words != ""))
    best: dict[int, Hit] = {}
    for hit in ranked:
        best.setdefault(hit.entry.number, hit)
    return list(best.values())


def _is_of(match: Match, hit: Hit) -> bool:
    """Whether a match of the same field is this value, or takes its disguise for a value."""
    if match.identifier == hit.entry.kind and match.normal == hit.entry.normal:
        return True
    if not hit.chain or hit.confidence == HINT:
        return False
    return match.value.lower() == hit.token.lower().decode("latin-1")


def _is_in_body(matches: list[Match], hit: Hit) -> bool:
    """A body is searched piece by piece, and once more as a whole."""
    return any(
        match.field.place == "body" and (match.identifier, match.normal) == (hit.entry.kind, hit.entry.normal)
        for match in matches
    )


def _evidence(hit: Hit) -> tuple[str, ...]:
    label = f" ({hit.entry.label})" if hit.entry.label else ""
    return (f"known value {hit.entry.number}{label}", *([hit.words] if hit.words else []))


#: Ends of chains that are no encodings.
HASHED = frozenset((name,) for name in HASHES)

__all__ = ["RULE", "Known"]
