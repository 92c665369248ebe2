"""Value -> Verdict: the best that the checks of a signature say over all readings of a value.

No state. Bounds: those of encodings.py, for each value; `MAX_PIECES` of one reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from leakscan.detectors import encodings, msisdn
from leakscan.detectors.catalogue import Signature
from leakscan.detectors.table import ATTRIBUTES, DETECTORS, TAKE_ANYTHING, Detector
from leakscan.detectors.verdict import GUESSED, NO, PLACEHOLDER, VALID, Verdict

MAX_PIECES = 64
_PIECES = re.compile(r"[;,|\s]+")


class Value:
    """One value and its readings, each worked out once, when it is asked for."""

    __slots__ = ("_found", "_more", "depth", "effort")

    def __init__(self, text: str, effort: encodings.Effort | None = None, depth: int = encodings.MAX_DEPTH) -> None:
        self.effort = encodings.Effort() if effort is None else effort
        self.depth = depth
        self._found: list[encodings.Reading] = []
        self._more = encodings.readings(text, self.effort, depth)

    def __iter__(self) -> Iterator[encodings.Reading]:
        yield from self._found
        for reading in self._more:
            self._found.append(reading)
            yield reading

    def guesses(self) -> Iterator[encodings.Reading]:
        return encodings.guesses(self, self.effort, self.depth)


def judge(value: Value, signature: Signature) -> tuple[Verdict, tuple[str, ...]]:
    """The best verdict over all readings, and the encodings undone for it. Formats that take anything come last."""
    best = Verdict(NO)
    best_chain: tuple[str, ...] = ()
    for detectors in _in_turn(signature.formats):
        for text, chain in value:
            for detector in detectors:
                verdict = checked(detector, text, signature)
                if verdict.grade == VALID and not (detector.is_doubtful and detector.is_doubtful(verdict)):
                    return verdict, chain
                if verdict.grade == PLACEHOLDER and not chain:
                    return verdict, chain
                if verdict.grade > best.grade:
                    best, best_chain = verdict, chain
    return _second_look(value, signature, best.grade) or (best, best_chain)


def _second_look(value: Value, signature: Signature, grade: int) -> tuple[Verdict, tuple[str, ...]] | None:
    """What fits better than the readings as they are: a piece of one, or its digits backwards or swapped."""
    careful = [DETECTORS[name] for name in signature.formats if name != ATTRIBUTES and DETECTORS[name].is_sure]
    if not careful:
        return None
    for text, chain in value if grade < VALID else ():
        pieces = _PIECES.split(text, MAX_PIECES)
        for piece in pieces if len(pieces) > 1 else ():
            inner = encodings.trim(piece.rpartition("=")[2]).strip("<>()")
            for detector in careful:
                verdict = checked(detector, inner, signature)
                if verdict.grade == VALID:
                    return verdict._replace(evidence=(*verdict.evidence, "beside another value")), chain
    if any(msisdn.is_national(text) for text, _ in value):
        return None
    for text, chain in value.guesses():
        for detector in careful:
            verdict = checked(detector, text, signature)
            if verdict.grade == VALID and detector.is_sure and detector.is_sure(verdict):
                return verdict._replace(evidence=(*verdict.evidence, GUESSED)), chain
    return None


def checked(detector: Detector, text: str, signature: Signature) -> Verdict:
    verdict = detector.check(text, signature)
    if not verdict.identifier and detector.identifier:
        return verdict._replace(identifier=detector.identifier)
    return verdict


@cache
def _in_turn(formats: tuple[str, ...]) -> tuple[tuple[Detector, ...], ...]:
    """The checks of a signature: those that ask for a form, then those that take anything."""
    turns: tuple[list[Detector], list[Detector]] = ([], [])
    for name in formats:
        if name != ATTRIBUTES:  # has no check
            turns[name in TAKE_ANYTHING].append(DETECTORS[name])
    return tuple(tuple(turn) for turn in turns if turn)
