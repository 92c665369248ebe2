"""The operator's files that bear on the result, read.

In: their names, and times. Out: `Files`. What is heavy is imported when such a file is named. No state.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from leakscan.networks import Networks
from leakscan.times import between

if TYPE_CHECKING:
    from leakscan.carriers import AsnDatabase
    from leakscan.detectors.catalogue import Catalogue
    from leakscan.known import Known

Name = str | Path | None


class Files(NamedTuple):
    """What stands in them, named like the fields of spine.Settings."""

    pseudonym_key: bytes | None
    networks: Networks | None
    networks_name: str | None
    systems: AsnDatabase | None
    known: Known | None
    known_name: str | None
    rules: Catalogue | None
    rules_name: str | None
    since_ns: int
    until_ns: int


def read_files(
    key: bytes | None, networks: Name, asn_db: Name, known: Name, rules: Name, since: str | None, until: str | None
) -> Files:
    """Raises FileMistake, UsageError."""
    names = [None if name is None else str(name) for name in (networks, asn_db, known, rules)]
    networks_name, asn_name, known_name, rules_name = names
    systems, values, catalogue = None, None, None
    if asn_name is not None:
        from leakscan.carriers import AsnDatabase  # late, as the next: not many want it

        systems = AsnDatabase(asn_name)
    if known_name is not None:
        from leakscan.known import Known

        values = Known.load(known_name)
    if rules_name is not None:
        from leakscan.detectors import with_rules

        catalogue = with_rules(rules_name)
    since_ns, until_ns = between(since, until)
    return Files(
        pseudonym_key=key,
        networks=None if networks_name is None else Networks.load(networks_name),
        networks_name=networks_name,
        systems=systems,
        known=values,
        known_name=known_name,
        rules=catalogue,
        rules_name=rules_name,
        since_ns=since_ns,
        until_ns=until_ns,
    )
