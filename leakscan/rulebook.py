"""What a rule is, in words: for formats that explain a finding to somebody who has never heard of leakscan.

Comes in: the `rule` of a leak. Goes out: what it finds and how bad that is when it stands there plainly. State: the
built-in catalogue, read once. A rule that is not in it (of another version, of the operator's own) is described by its
name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

UNKNOWN_SEVERITY = "medium"


class Rule(NamedTuple):
    """One row."""

    id: str
    identifier: str  # "" when it is not known
    explain: str  # a sentence
    severity: str
    source: str  # where it was seen, or ""


def every_rule() -> Iterator[Rule]:
    """All of the catalogue, in its order."""
    from leakscan.detectors import builtin  # late, as below: not every result is explained

    return (describe(name) for name in builtin().signatures)


def describe(name: str) -> Rule:
    """The rule of that name. `x-network-info.msisdn` is the part `msisdn` of `x-network-info`."""
    from leakscan.detectors import SEVERITY_OF, builtin

    signatures = builtin().signatures
    entry = signatures.get(name) or signatures.get(name.rpartition(".")[2])
    if entry is None:
        return Rule(name, "", f"An identifier found by the rule {name}.", UNKNOWN_SEVERITY, "")
    severity = entry.severity or SEVERITY_OF.get(entry.identifier, UNKNOWN_SEVERITY)
    return Rule(name, entry.identifier, builtin().explain(name), severity, entry.source)
