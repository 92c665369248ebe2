"""The one verdict: which behaviours count, which are covered and by what, and the exit code that follows.

Comes in: the summary (its `behaviours` and losses, nothing else) and the rules: policy, baseline, ignore file,
thresholds. Goes out: the same summary in which every behaviour has `counts`, `covered_by` and `why`, with the sum under
`gate`. Exit code, formats, `--explain` (explain.py) and the lines on stderr read that. State: none.

Policy verdicts are given to each leak when it is made (policy.py); what became of all leaks of a behaviour is read
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from leakscan import ignores as ignore_file
from leakscan.baseline import DEFAULT as BASELINE_FILE
from leakscan.baseline import Baseline
from leakscan.errors import UsageError
from leakscan.filenames import shown_name
from leakscan.ignores import Ignore, Ignores
from leakscan.losses import UNREAD
from leakscan.model import SEVERITIES
from leakscan.policy import ALLOWED, Policy
from leakscan.show import redact
from leakscan.tomlfile import is_there

Json = dict[str, Any]

EXIT_LEAK, EXIT_UNUSED, EXIT_UNREAD = 1, 2, 3
#: Entries named in a result; there is no bound to how many a file may have.
MAX_NAMED = 100
#: Why a request to an MMSC is allowed without an entry (origin.py).
TO_OWN_CENTRE = "allowed: MMS to the operator's own centre"


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides. Files are read already; beside each stands its name."""

    fail_on: str = "medium"
    strict: bool = False
    allow_inconclusive: bool = False
    exit_zero: bool = False
    policy: Policy | None = None
    policy_name: str | None = None
    baseline: Baseline | None = None
    baseline_name: str | None = None
    baseline_mode: str = "new"
    ignores: Ignores | None = None
    ignores_name: str | None = None
    fail_on_unused_ignores: bool = False
    today: date | None = None  # for what expires; None: the day it is, UTC


def found_files(baseline: str | None, ignores: str | None) -> Json:
    """Rules: the baseline and the ignore file, those of the usual name when none is given and they are there.

    "" means none. Raises FileMistake.
    """
    baseline_name = _found(baseline, BASELINE_FILE)
    ignores_name = _found(ignores, ignore_file.DEFAULT)
    return {
        "baseline": None if baseline_name is None else Baseline.load(baseline_name),
        "baseline_name": baseline_name,
        "ignores": None if ignores_name is None else Ignores.load(ignores_name),
        "ignores_name": ignores_name,
    }


def day(text: str | None) -> date | None:
    """The value of `--today`. Raises UsageError."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--today: {text!r} is no date such as 2012-01-31") from None


def judge(summary: Json, rules: Rules) -> Json:
    """Write into the summary which behaviours count, and why. Gives it back."""
    today = rules.today or datetime.now(UTC).date()
    rows = [*summary["behaviours"], *filter(None, [summary["folded"]])]
    used: set[int] = set()
    for row in rows:
        _judge_row(row, rules, today, used)
    gate: Json = {
        "exit_code": 0,
        "fail_on": rules.fail_on,
        "allow_inconclusive": rules.allow_inconclusive,
        "counting": sum(row["counts"] for row in rows),
        "covered": {kind: sum((row["covered_by"] or {}).get("kind") == kind for row in rows) for kind in KINDS},
        "below": sum(not row["counts"] and row["covered_by"] is None for row in rows),
        "policy": _policy(rules),
        "baseline": _baseline(rules, rows),
        "ignores": _ignores(rules, today, used),
    }
    summary["gate"] = gate
    gate["exit_code"] = _exit_code(summary, rules)
    return summary


def in_use(summary: Json) -> bool:
    """Whether a policy, baseline or ignore file had a say."""
    gate = summary.get("gate")
    return gate is not None and any(gate[kind] is not None for kind in ("policy", "baseline", "ignores"))


def says_more(summary: Json) -> bool:
    """Whether what counts is not all that was found, or a file had a say."""
    gate = summary.get("gate")
    return in_use(summary) or (gate is not None and gate["counting"] < _behaviours(summary))


def how_many_count(summary: Json) -> str:
    return f"{summary['gate']['counting']:,} of {_behaviours(summary):,} behaviours count"


def _behaviours(summary: Json) -> int:
    """All that is judged: the rows, and the one for those past the bound."""
    return len(summary["behaviours"]) + (summary.get("folded") is not None)


def blind(summary: Json, allow_inconclusive: bool) -> bool:
    """Whether something that should have been read was not, or there was nothing that could be."""
    compared = summary.get("comparison")
    seen = summary["total"]["requests"] if compared is None else compared["pairs"]
    nothing = not seen and not allow_inconclusive
    return bool(summary["coverage"]["losses"][UNREAD]) or nothing


def notes(summary: Json) -> Iterator[str]:
    """What the operator should know of the files: entries that no longer fit anything, and those that expired."""
    gate = summary["gate"]
    if gate["baseline"] is not None:
        yield from _named(gate["baseline"], "gone", "no longer seen: {fingerprint} ({place} {name} to {domain})")
    if gate["ignores"] is not None:
        yield from _named(gate["ignores"], "unused", "entry {number} fits nothing ({what})")
        yield from _named(gate["ignores"], "expired", "entry {number} expired on {expires} ({what})")


#: What may cover a behaviour, in the order in which they are asked.
KINDS = ("policy", "ignore", "baseline")


def _judge_row(row: Json, rules: Rules, today: date, used: set[int]) -> None:
    reasons: list[str] = []  # why nothing covers it, as far as it needs saying
    cover = _by_policy(row, rules, reasons) or _by_ignore(row, rules, today, used, reasons)
    row["covered_by"] = cover = cover or _by_baseline(row, rules, reasons)
    threshold = len(SEVERITIES) if rules.fail_on == "none" else SEVERITIES.index(rules.fail_on)
    severe = SEVERITIES.index(row["severity"]) >= threshold
    row["counts"] = severe and cover is None
    if cover is not None:
        row["why"] = f"{cover['kind']}: {cover['reason']}"
    elif not severe:
        row["why"] = f"{row['severity']} is below --fail-on {rules.fail_on}"
    else:
        row["why"] = "; ".join(reasons) or "nothing covers it"


def _by_policy(row: Json, rules: Rules, reasons: list[str]) -> Json | None:
    """Covered only when all its leaks are."""
    bad = {verdict: count for verdict, count in row["verdicts"].items() if verdict != ALLOWED}
    if not bad:
        names = f" for {_names(row)}" if row["partners"] else ""
        reason = f"allowed{names}" if names else TO_OWN_CENTRE
        return {"kind": "policy", "entry": ", ".join(_partners(row)), "reason": reason}
    if rules.policy is not None or set(bad) != {"no-policy"}:
        counts = [f"{verdict}{'' if count == row['leaks'] else f' {count:,}'}" for verdict, count in bad.items()]
        of = f" of {row['leaks']:,} leaks" if len(row["verdicts"]) > 1 else ""
        to = f" ({_names(row)})" if row["partners"] else ""
        reasons.append(f"policy{to}: {', '.join(counts)}{of}")
    return None


def _partners(row: Json) -> list[str]:
    return list(dict.fromkeys(partner["partner"] for partner in row["partners"]))


def _names(row: Json) -> str:
    names = _partners(row)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _by_ignore(row: Json, rules: Rules, today: date, used: set[int], reasons: list[str]) -> Json | None:
    """The first entry that fits and has not expired. All that fit are used: they are there for something."""
    if rules.ignores is None or row["fingerprint"] is None:
        return None
    fitting = list(rules.ignores.fitting(row))
    used.update(entry.number for entry in fitting)
    for entry in fitting:
        if not entry.has_expired(today):
            return {"kind": "ignore", "entry": entry.number, "reason": _why_ignored(entry)}
    reasons += [f"ignore entry {entry.number} expired on {entry.expires}" for entry in fitting[:1]]
    return None


def _why_ignored(entry: Ignore) -> str:
    until = f", until {entry.expires}" if entry.expires else ""
    owner = f" ({entry.owner})" if entry.owner else ""
    return redact(f"{entry.reason}{owner}") + until


def _by_baseline(row: Json, rules: Rules, reasons: list[str]) -> Json | None:
    if rules.baseline is None or row["fingerprint"] is None:
        return None
    entry = rules.baseline.entries.get(row["fingerprint"])
    if entry is None:
        reasons.append("not in the baseline")
        return None
    if rules.baseline_mode == "all":
        reasons.append("in the baseline, and --baseline-mode is all")
        return None
    return {"kind": "baseline", "entry": entry.fingerprint, "reason": redact(entry.reason) or "known"}


def _policy(rules: Rules) -> Json | None:
    if rules.policy is None:
        return None
    return {"file": shown_name(rules.policy_name or ""), "entries": len(rules.policy.partners)}


def _baseline(rules: Rules, rows: list[Json]) -> Json | None:
    if rules.baseline is None:
        return None
    gone = [
        {"fingerprint": entry.fingerprint}
        | {"place": redact(entry.place), "name": redact(entry.name), "domain": redact(entry.domain)}
        for entry in rules.baseline.gone(row["fingerprint"] for row in rows)
    ]
    return {
        "file": shown_name(rules.baseline_name or ""),
        "mode": rules.baseline_mode,
        "entries": len(rules.baseline.entries),
        "gone_count": len(gone),
        "gone": gone[:MAX_NAMED],
    }


def _ignores(rules: Rules, today: date, used: set[int]) -> Json | None:
    if rules.ignores is None:
        return None
    unused = [_ignored(entry) for entry in rules.ignores.entries if entry.number not in used]
    expired = [_ignored(entry) for entry in rules.ignores.entries if entry.has_expired(today)]
    return {
        "file": shown_name(rules.ignores_name or ""),
        "entries": len(rules.ignores.entries),
        "unused_count": len(unused),
        "unused": unused[:MAX_NAMED],
        "expired_count": len(expired),
        "expired": expired[:MAX_NAMED],
    }


def _ignored(entry: Ignore) -> Json:
    return {
        "number": entry.number,
        "what": entry.what(),
        "expires": None if entry.expires is None else str(entry.expires),
    }


def _named(part: Json, key: str, form: str) -> Iterator[str]:
    for entry in part[key]:
        yield f"{part['file']}: {form.format(**entry)}"
    left_out = part[f"{key}_count"] - len(part[key])
    if left_out:
        yield f"{part['file']}: and {left_out:,} more"


def _exit_code(summary: Json, rules: Rules) -> int:
    """1 for a behaviour that counts; 3 when something was not read, or nothing could be. docs/cli.md has the table."""
    if rules.exit_zero:
        return 0
    leak = _injected(summary["comparison"], rules) if "comparison" in summary else summary["gate"]["counting"] > 0
    if blind(summary, rules.allow_inconclusive) and (rules.strict or not leak):
        return EXIT_UNREAD
    if leak:
        return EXIT_LEAK
    ignores = summary["gate"]["ignores"]
    return EXIT_UNUSED if rules.fail_on_unused_ignores and ignores is not None and ignores["unused_count"] else 0


def _injected(compared: Json, rules: Rules) -> bool:
    """Of two capture points only what was added between them counts."""
    severity = compared["injected"]["severity"]
    return severity is not None and rules.fail_on != "none" and _at_least(severity, rules.fail_on)


def _at_least(severity: str, least: str) -> bool:
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)


def _found(given: str | None, usual: str) -> str | None:
    if given is not None:
        return given or None
    return usual if is_there(usual) else None
