"""What the flags of a command say, and what stands in the files that they name.

Comes in: the flags, as docs/cli.md explains them. Go out: the files read, the gate's rules, a scan's settings. No
state. What is heavy is imported when a flag asks for it, and `spine` when settings are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leakscan.conceal import read_key
from leakscan.files import Files, read_files
from leakscan.gate import Rules, day, found_files
from leakscan.policy import Policy

if TYPE_CHECKING:
    from leakscan.spine import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """The flags of every command that shows a result and judges it, as docs/cli.md explains them."""

    format: str
    outputs: Sequence[str]
    color: str
    quiet: bool
    show_values: bool = False
    policy: str | None = None
    baseline: str | None = None
    baseline_mode: str = "new"
    ignore_file: str | None = None
    fail_on_unused_ignores: bool = False
    fail_on: str = "medium"
    strict: bool = False
    exit_zero: bool = False
    allow_inconclusive: bool = False
    today: str | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ResultOptions):
    """The flags of `analyse`."""

    captures: Sequence[str]
    min_confidence: str
    pseudonym_key: str | None
    networks: str | None
    asn_db: str | None
    responses: bool
    known: str | None
    rules: str | None
    bodies: bool
    jobs: int | None
    progress: str
    sieve: bool
    since: str | None = None
    until: str | None = None
    max_drops: float | None = None
    evidence: str | None = None
    state: str | None = None
    cluster: str | None = None
    verbose: bool = False


def gate_rules(options: ResultOptions) -> Rules:
    """What decides, its files read. Raises FileMistake, UsageError."""
    return Rules(
        fail_on=options.fail_on,
        strict=options.strict,
        allow_inconclusive=options.allow_inconclusive,
        exit_zero=options.exit_zero,
        policy=None if options.policy is None else Policy.load(options.policy),
        policy_name=options.policy,
        baseline_mode=options.baseline_mode,
        fail_on_unused_ignores=options.fail_on_unused_ignores,
        today=day(options.today),
        **found_files(options.baseline, options.ignore_file),
    )


def files_of(options: Options) -> Files:
    """Raises FileMistake, UsageError."""
    key = None if options.pseudonym_key is None else read_key(options.pseudonym_key)
    named = options.networks, options.asn_db, options.known, options.rules
    return read_files(key, *named, options.since, options.until)


def settings_of(options: Options, files: Files, rules: Rules) -> Settings:
    from leakscan.spine import Settings  # late: see ways.py

    return Settings(
        min_confidence=options.min_confidence,
        show_values=options.show_values,
        responses=options.responses,
        bodies=options.bodies,
        policy=rules.policy,
        policy_name=rules.policy_name,
        **files._asdict(),
    )
