"""Makes docs/detectors/*.md, a page per kind of identifier, from the docstrings and the catalogue.

    python -m tests.detectors.pages

A test compares. README.md in that folder is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

from leakscan.detectors import ATTRIBUTES, DETECTORS, builtin
from leakscan.detectors.catalogue import NAMED_PLACES, Signature

FOLDER = Path(__file__).parents[2] / "docs" / "detectors"
HEADINGS = {
    "What": "What it is",
    "Why it matters": "Why it matters",
    "What counts": "What counts",
    "What does not": "What does not",
    "Example": "Example",
    "Sources": "Sources",
}
NOTE = "<!-- Made by tests/detectors/pages.py from leakscan/detectors/{name}.py and signatures.toml; do not edit. -->"


def modules() -> dict[str, ModuleType]:
    """The detectors, in the order of their table."""
    return {
        detector.check.__module__.rpartition(".")[2]: sys.modules[detector.check.__module__]
        for detector in DETECTORS.values()
    }


def page(name: str, module: ModuleType) -> str:
    """The page of one detector."""
    title, _, body = (module.__doc__ or "").strip().partition("\n\n")
    head, _, rest = title.partition(": ")
    lines = [NOTE.format(name=name), "", f"# {head}", "", rest[:1].upper() + rest[1:]]
    for paragraph in body.split("\n\n"):
        label, _, text = paragraph.partition(": ")
        lines += ["", f"## {HEADINGS[label]}", "", text[:1].upper() + text[1:]]
    lines += ["", "## Formats", "", "| `formats` | takes |", "|---|---|"]
    for form, detector in DETECTORS.items():
        if detector.check.__module__ == module.__name__:
            lines.append(f"| `{form}` | {_cell(_first_sentences(detector.check.__doc__))} |")
    lines += [
        "",
        "## Names",
        "",
        "| rule | places | at most | severity | what | seen in |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        _row(signature) for signature in builtin().signatures.values() if _module_of(signature) == module.__name__
    ]
    return "\n".join(lines) + "\n"


def _module_of(signature: Signature) -> str:
    """Lists of attributes have no check of their own: the first other format decides, else they stand with msisdn."""
    forms = [form for form in signature.formats if form != ATTRIBUTES] or ["msisdn"]
    return DETECTORS[forms[0]].check.__module__


def _row(signature: Signature) -> str:
    spelled = [f"words `{word}`" for word in signature.words] or [
        f"`{name}`" for name in signature.names if name not in (signature.id, "user-agent")
    ]
    rule = f"`{signature.id}`" + (f" ({', '.join(spelled)})" if spelled else "")
    places = "all named" if signature.places == set(NAMED_PLACES) else ", ".join(sorted(signature.places))
    severity = signature.severity or "usual"
    cells = (rule, places, signature.confidence, severity, signature.explain, signature.source)
    return "| " + " | ".join(_cell(text) for text in cells) + " |"


def _first_sentences(docstring: str | None) -> str:
    return re.sub(r"\s+", " ", docstring or "").strip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    for name, module in modules().items():
        (FOLDER / f"{name}.md").write_text(page(name, module), encoding="utf-8")


if __name__ == "__main__":
    main()
