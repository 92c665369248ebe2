"""`leakscan evidence verify`: what is checked, said line by line, and the exit code. State: none."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from leakscan.conceal import read_key
from leakscan.detectors import with_rules
from leakscan.errors import UsageError
from leakscan.evidence.confirm import confirm
from leakscan.evidence.folder import Folder
from leakscan.evidence.verify import DIFFERS, UNCHECKED, Files, Verification
from leakscan.known import Known
from leakscan.losses import Losses
from leakscan.progress import Progress
from leakscan.show import show
from leakscan.sources import expand

EXIT_DIFFERS, EXIT_UNCHECKED = 1, 3
WIDTH = 13
_NATIONAL = re.compile(r"\(?0(?!0)[0-9 ()/.-]{6,20}")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The flags of `evidence verify`, as docs/cli.md explains them."""

    directory: str
    captures: Sequence[str]
    pseudonym_key: str | None
    value: str | None
    known: str | None
    rules: str | None
    quiet: bool
    progress: str


def verify(options: VerifyOptions) -> int:
    """Check a pack, or ask it for one value; gives the exit code."""
    key = None if options.pseudonym_key is None else read_key(options.pseudonym_key)
    with Folder(options.directory) as folder:
        if options.value is not None:
            if key is None:
                raise UsageError("--value needs --pseudonym-key")
            return _confirm(folder, key, sys.stdin.readline().strip() if options.value == "-" else options.value)
        if "-" in options.captures:
            raise UsageError("captures are read twice: save standard input to a file first")
        captures = expand(options.captures, Losses()) if options.captures else []
        with Progress(options.progress == "auto" and not options.quiet) as progress:
            progress.start(captures)
            known = None if options.known is None else Known.load(options.known)
            files = Files(known, None if options.rules is None else with_rules(options.rules))
            checked = Verification(folder, captures, key, files, lambda count: progress.advance(count // 2))
            statuses = set()
            for check in checked.checks():
                statuses.add(check.status)
                _say(f"{check.status:{WIDTH}}{check.what}")
    if DIFFERS in statuses:
        outcome, code = "does not stand: see what differs above", EXIT_DIFFERS
    elif UNCHECKED in statuses:
        outcome, code = "stands as far as it was checked", EXIT_UNCHECKED
    else:
        outcome, code = "stands", 0
    _say(f"The pack {outcome}. Its manifest has the SHA-256 {checked.manifest_sha256}")
    return code


def _confirm(folder: Folder, key: bytes, value: str) -> int:
    seen = confirm(folder, key, value)
    if seen is None:
        _say("not in this pack")
        if _NATIONAL.fullmatch(value.strip()):
            _say("as it is written; phone numbers are kept with their country code: +44 7700 900123, not 07700 900123")
        return EXIT_DIFFERS
    _say(f"{'in this pack':{WIDTH}} as {', '.join(sorted(seen.pseudonyms))}")
    more = "" if seen.findings == len(seen.numbers) else " ..."
    _say(f"{'findings':{WIDTH}} {seen.findings:,}: {', '.join(map(str, seen.numbers))}{more}")
    _say(f"{'from, until':{WIDTH}} {seen.first}, {seen.last}")
    _say(f"{'hosts':{WIDTH}} {', '.join(sorted(seen.hosts))}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(show(text).encode("ascii", "backslashreplace").decode() + "\n")
