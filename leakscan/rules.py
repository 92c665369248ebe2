"""What is looked for: the rules of the catalogue, listed, shown and tried on their own examples.

Comes in: the catalogue, with the operator's rules or without. Goes out: text or JSON on stdout, an exit code. State:
none. Everything printed passes `show`: a file of rules may come from anywhere.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from leakscan.detectors import ATTRIBUTES, DETECTORS, FORMATS, SEVERITY_OF, builtin, detect, examine, with_rules
from leakscan.detectors.catalogue import PLACES, Catalogue, Signature, parse_rules
from leakscan.errors import UsageError
from leakscan.losses import Losses
from leakscan.model import Field, Match
from leakscan.show import show

EXIT_FAULT = 1
#: A name that no rule knows, and a list that may hold any part.
UNKNOWN_NAME, LIST_NAME = "x", "x-subscriber-info"


class Fault(NamedTuple):
    """An example that its rule does not treat as it says."""

    rule: str
    key: str  # leaks, clean
    value: str
    field: str  # "header x-msisdn"

    def __str__(self) -> str:
        does = "misses" if self.key == "leaks" else "takes"
        return f"{self.rule}: {does} its example {self.value!r} ({self.key}) under {self.field}"


def list_rules(rules: str | None, form: str) -> int:
    """Print all rules, one a line or as JSON."""
    catalogue = _catalogue(rules)
    entries = [_as_dict(signature) for signature in catalogue.signatures.values()]
    if form == "json":
        return _print_json({"catalogue": catalogue.version, "rules": entries})
    rows = [("rule", "finds", "severity", "at most", "where")]
    for entry in entries:
        places = " ".join(entry["places"])
        rows.append((entry["id"], entry["identifier"], entry["severity"], entry["confidence"], places))
    _print_table(rows)
    _print(f"\n{len(entries)} rules, catalogue {catalogue.version}")
    return 0


def show_rule(name: str, rules: str | None, form: str) -> int:
    """Print one rule: what, why, names, formats, examples, source. Raises UsageError for a rule that is not there."""
    catalogue = _catalogue(rules)
    signature = catalogue.signatures.get(name)
    if signature is None:
        near = difflib.get_close_matches(name, catalogue.signatures, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `leakscan rules list` lists them"
        raise UsageError(f"there is no rule {name!r}{hint}")
    entry = _as_dict(signature)
    if form == "json":
        return _print_json(entry)
    lines = [("rule", entry.pop("id")), ("what", entry.pop("explain")), ("why", entry.pop("why"))]
    for key, value in entry.items():
        if isinstance(value, dict):
            lines += [(key if not at else "", f"{form}: {takes}") for at, (form, takes) in enumerate(value.items())]
        elif key in ("leaks", "clean"):
            lines += [(key if not at else "", example) for at, example in enumerate(value)]
        else:
            lines.append((key, ", ".join(value) if isinstance(value, list) else str(value)))
    _print_table([(key.replace("_", " "), value) for key, value in lines if value])
    return 0


def try_rules(path: str | None) -> int:
    """Run the examples of the operator's file, or of the built-in catalogue; 1 when one is not as it says."""
    catalogue = builtin() if path is None else with_rules(path)
    tested = builtin() if path is None else parse_rules(path, FORMATS)
    count, faults = 0, 0
    for signature in tested.signatures.values():
        count += len(signature.leaks) + len(signature.clean)
        for fault in examples(signature, catalogue):
            faults += 1
            _print(show(f"{path or 'built-in'}: {fault}"))
    failed = f", {faults} failed" if faults else ", all as they say"
    _print(f"{len(tested.signatures)} rules, {count} examples{failed}")
    return EXIT_FAULT if faults else 0


def examples(signature: Signature, catalogue: Catalogue) -> Iterator[Fault]:
    """Tries every example of a rule in every place and under every name it has; gives those that fail."""
    for name in signature.names or [f"X-Example-{word.title()}" for word in signature.words] or [UNKNOWN_NAME]:
        for place in sorted(signature.places):
            if place == "part" and len(signature.places) > 1:
                continue
            for key, values in (("leaks", signature.leaks), ("clean", signature.clean)):
                for value in values:
                    if bool(_found(signature, place, name, value, catalogue)) != (key == "leaks"):
                        yield Fault(signature.id, key, value, f"{place} {name}")


def _found(signature: Signature, place: str, name: str, value: str, catalogue: Catalogue) -> list[Match]:
    """The matches of this one rule: others may know the name, too, and say more of it."""
    if place == "part":
        found = detect([Field("header", LIST_NAME, f"{name}={value}")], Losses(), catalogue)
        return [match for match in found if match.rule.endswith(f".{signature.id}")]
    if signature.alone:
        found = detect([Field(place, name, value)], Losses(), catalogue)
        return [match for match in found if match.rule.partition(".")[0] == signature.id]
    entries = [entry for entry in catalogue.lookup(name) if entry.id == signature.id]
    return examine(Field(place, name, value), entries, Losses(), catalogue)


def _catalogue(rules: str | None) -> Catalogue:
    return builtin() if rules is None else with_rules(rules)


def _as_dict(signature: Signature) -> dict[str, Any]:
    """A rule as it is shown: what stands in the file, with the defaults filled in and the checks explained."""
    return {
        "id": signature.id,
        "explain": signature.explain,
        "why": _why(signature),
        "identifier": signature.identifier,
        "severity": signature.severity or SEVERITY_OF[signature.identifier],
        "confidence": signature.confidence,
        "names": [] if signature.pattern else list(signature.names),
        "words": list(signature.words),
        "unless": list(signature.unless),
        "alone": signature.alone,
        "beside": list(signature.beside),
        "pattern": signature.pattern.pattern if signature.pattern else "",
        "places": [place for place in PLACES if place in signature.places],
        "added_by": signature.added_by,
        "parameter_by": signature.parameter_by,
        "carriers": list(signature.carriers),
        "parts": list(signature.parts),
        "formats": {name: _takes(name) for name in signature.formats},
        "leaks": list(signature.leaks),
        "clean": list(signature.clean),
        "source": signature.source,
    }


def _takes(form: str) -> str:
    if form == ATTRIBUTES:
        return "A list of `name=value`, each part looked up by its own name."
    return _one_line(DETECTORS[form].check.__doc__)


def _why(signature: Signature) -> str:
    """From the docstring of the detector, as in docs/detectors."""
    form = next((form for form in signature.formats if form != ATTRIBUTES), "msisdn")
    text = sys.modules[DETECTORS[form].check.__module__].__doc__ or ""
    return _one_line(text.partition("Why it matters: ")[2].partition("\n\n")[0])


def _one_line(text: str | None) -> str:
    text = re.sub(r"\s+", " ", text or "").strip()
    return text[:1].upper() + text[1:]


def _print_json(value: object) -> int:
    _print(json.dumps(value, indent=2))
    return 0


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns two spaces apart; the last is as long as it is."""
    shown = [[show(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in shown) for at in range(len(shown[0]) - 1)]
    for row in shown:
        _print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
