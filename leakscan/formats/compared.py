"""The comparison of two capture points in words and tables: what `table` and `markdown` show before everything else.

Comes in: the summary's `comparison` object. Goes out: a sentence, and sections with captured strings as they are: a
format passes every cell through `show` and its own escaping. State: none.
"""

from __future__ import annotations

from leakscan.formats.rows import Json
from leakscan.formats.words import label, listed, number, plural


def outcome(compared: Json) -> str:
    """What came of it, in one line: for stderr, and above the tables."""
    if not compared["pairs"]:
        return "no request was seen at both points: nothing can be said"
    injected = compared["injected"]
    ambiguous = compared["how"]["ambiguous"]
    words = [
        f"{plural(injected['leaks'], 'identifier')} injected in {number(injected['requests'])} of "
        f"{plural(compared['pairs'], 'request')} seen at both points",
        f"{number(compared['client']['unpaired'])} seen at the client's only",
        f"{number(compared['server']['unpaired'])} at the server's only",
    ]
    if ambiguous:
        words.append(f"{plural(ambiguous, 'pair')} ambiguous")
    return ", ".join(words) + f"; {clocks(compared['clock'])}"


def clocks(clock: Json | None) -> str:
    """How far the clocks are apart, and what that rests on."""
    if clock is None:
        return "the clocks cannot be compared"
    ms = clock["offset_ms"]
    size = f"{abs(ms) / 1000:.3f} s" if abs(ms) >= 1000 else f"{abs(ms):.3f} ms"
    ahead = "ahead of" if ms >= 0 else "behind"
    sample = f"half of {plural(clock['pairs'], 'request')} within {clock['spread_ms']:.3f} ms"
    return f"the server's clock is {size} {ahead} the client's ({sample}, transit included)"


def rows(compared: Json, most: int) -> tuple[list[tuple[str, ...]], int]:
    """The changes, the injected ones first, and how many there are beyond `most`."""
    changes = compared["changes"]
    if not changes:
        return [("none", "", number(compared["pairs"]), "-", "", "", "")], 0
    return [
        (
            row["change"],
            row["name"],
            _pairs(row),
            number(row["injected"]) if row["injected"] else "-",
            listed([label(kind) for kind in row["identifiers"]]),
            row["example"] or "",
            "" if row["client_frame"] is None else f"{row['client_frame']} > {row['server_frame']}",
        )
        for row in changes[:most]
    ], len(changes) - most


def _pairs(row: Json) -> str:
    return f"{number(row['pairs'])} ({number(row['ambiguous'])}?)" if row["ambiguous"] else number(row["pairs"])
