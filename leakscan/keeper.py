"""The gate's files on the command line: a baseline is written or shown, a policy checked, the configuration printed.

Comes in: names of files, values. Goes out: a file, or lines on stdout; the exit code. State: none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from leakscan.baseline import Baseline
from leakscan.conceal import Concealer
from leakscan.detectors.catalogue import IDENTIFIERS
from leakscan.errors import UsageError
from leakscan.filenames import shown_name
from leakscan.gate import Rules, blind, day, found_files, judge
from leakscan.interrupt import Gate, Interrupted
from leakscan.losses import Losses, Problem
from leakscan.output import OutputFile
from leakscan.policy import Partner, Policy, host_fits
from leakscan.progress import Progress
from leakscan.reading import Reading
from leakscan.report import Merged, opened
from leakscan.results import is_result
from leakscan.series import series
from leakscan.show import is_address, redact, show
from leakscan.sources import expand
from leakscan.spine import Scan, Settings
from leakscan.times import moment_ns
from leakscan.tomlfile import is_there, nearest

Json = dict[str, Any]


def write_baseline(
    sources: Sequence[str],
    output: str,
    policy: str | None,
    ignore_file: str | None,
    today: str | None,
    min_confidence: str,
    quiet: bool,
) -> int:
    """Write the behaviours that nothing else covers; gives the exit code."""
    judging = None if policy is None else Policy.load(policy)
    settings = Settings(min_confidence=min_confidence, policy=judging, policy_name=policy)
    rules = Rules(policy=judging, policy_name=policy, today=day(today), **found_files("", ignore_file))
    before = Baseline.load(output) if is_there(output) else Baseline({})
    with Progress(False) as progress:
        gate = Gate()
        try:
            with gate.interruptible():
                summaries = list(_summaries(sources, settings, progress))
        except Interrupted as signal:
            return signal.exit_code  # half a baseline would be a wrong one
        rows = [row for summary in summaries for row in judge(summary, rules)["behaviours"] if not row["covered_by"]]
        made = Baseline.of(rows, before)
        with OutputFile(output) as file:
            file.stream.write(made.text())
        if not quiet:
            for line in _changes(before, made):
                progress.say(line)
            if any(blind(summary, False) or summary["folded"] for summary in summaries):
                progress.say("warning: not everything could be read: the baseline may lack what was there")
            progress.say(f"{shown_name(output)}: {_behaviours(len(made.entries))}")
    return 0


def show_baseline(path: str) -> int:
    """Print a baseline, one line each."""
    entries = sorted(Baseline.load(path).entries.values())
    for entry in entries:
        state = "reviewed" if entry.reviewed else "not reviewed"
        reason = f": {entry.reason}" if entry.reason else ""
        what = redact(f"{entry.place} {entry.name} to {entry.domain} ({entry.rule}), {state}{reason}")
        _print(f"{entry.fingerprint}  {what}")
    _print(_behaviours(len(entries)))
    return 0


def check_policy(path: str, hosts: Sequence[str], address: str | None, identifier: str | None, at: str | None) -> int:
    """Print what a policy says, or what it says of hosts. A file that is wrong raises FileMistake."""
    policy = Policy.load(path)
    if identifier is not None and identifier not in IDENTIFIERS:
        raise UsageError(f"--identifier: {identifier!r} is no kind; {nearest(identifier, IDENTIFIERS)}")
    if address is not None and not is_address(address):
        raise UsageError(f"--address: {address!r} is no address")
    try:
        time_ns = moment_ns(at) if at is not None else int(datetime.now(UTC).timestamp()) * 10**9
    except ValueError:
        raise UsageError(f"--at: {at!r} is no time such as 2012-01-25T14:00Z or 2012-01-25") from None
    if not hosts:
        for partner in policy.partners:
            _print(_entry(partner))
    for host in hosts:
        for line in _explained(policy, host.lower(), address, identifier, time_ns):
            _print(line)
    _print(
        f"{shown_name(path)}: {len(policy.partners):,} partner{'' if len(policy.partners) == 1 else 's'}, no mistake"
    )
    return 0


def show_config(defaults: Mapping[str, Any], values: Mapping[str, tuple[Any, str]]) -> int:
    """Print every value as TOML, and where it comes from."""
    for key, default in defaults.items():
        value, origin = values.get(key, (default, "default"))
        if value == () or not isinstance(value, str | int | float | list | tuple):  # click marks what has no default
            _print(f"# {key} is not set")
        else:
            _print(f"{key} = {_toml(value)}  # {origin}")
    return 0


def _summaries(sources: Sequence[str], settings: Settings, progress: Progress) -> Iterator[Json]:
    """Of the results and of the captures among `sources`, without what their leaks say of people."""
    results = [source for source in sources if is_result(source)]
    captures = [source for source in sources if source not in results]
    if results:
        yield Merged(opened(results), settings, Concealer()).summary()
    if captures:
        losses = Losses(partial(_warn, progress))
        names = expand(captures, losses)
        scan = Scan(Reading(series(names, losses), losses), names, settings)
        for _ in scan.leaks():
            pass
        for _ in scan.rest():
            pass
        yield scan.summary.to_dict()


def _warn(progress: Progress, problem: Problem) -> None:
    progress.say(f"warning: {problem._replace(capture=shown_name(problem.capture))}")


def _changes(before: Baseline, made: Baseline) -> Iterator[str]:
    for word, one, other in (("new", made, before), ("no longer there", before, made)):
        for entry in one.gone(other.entries):
            yield f"{word}: {entry.fingerprint} ({redact(f'{entry.place} {entry.name} to {entry.domain}')})"


def _entry(partner: Partner) -> str:
    kinds, hosts = ", ".join(sorted(partner.identifiers)), redact(", ".join(partner.hosts))
    clear = "" if partner.cleartext else ", but not over plain HTTP"
    return f"partner {partner.number} ({partner.name}): {kinds} for {partner.purpose} to {hosts}{clear}"


def _explained(policy: Policy, host: str, address: str | None, identifier: str | None, time_ns: int) -> Iterator[str]:
    """What each entry that names the host says, and the verdict when there is enough to give one."""
    naming, shown = policy.naming(host), redact(host)
    if not naming:
        yield f"{shown}: no entry names it: not-allowed"
    for partner in naming:
        pattern = next(pattern for pattern in partner.hosts if host_fits(pattern, host))
        kinds = partner.identifiers if identifier is None else [identifier]
        for kind in sorted(kinds):
            verdict, why = _without_address(partner, address, kind, time_ns)
            how = f"partner {partner.number} ({partner.name}) by {redact(pattern)}"
            yield f"{shown}: {how}: {kind}: {verdict} ({why})"


def _without_address(partner: Partner, address: str | None, identifier: str, time_ns: int) -> tuple[str, str]:
    """The verdict; an address that is not given is taken for one of the partner's, and that is said."""
    if address is not None or not partner.addresses:
        return partner.judge(address or "", identifier, time_ns)
    verdict, why = partner.judge(str(partner.addresses[0].network_address), identifier, time_ns)
    return verdict, f"{why}; if the server is one of its addresses"


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(show(value) if isinstance(value, str) else value, ensure_ascii=False)


def _behaviours(count: int) -> str:
    return f"{count:,} behaviour{'' if count == 1 else 's'}"


def _print(text: str) -> None:
    """One line on stdout, harmless to a terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(f"{show(text)}\n".encode(encoding, "backslashreplace").decode(encoding))
