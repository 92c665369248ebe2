"""Earlier results as one: what `leakscan report` does.

Comes in: result files. Goes out: the merged result in any format, and its exit code. State: one Summary for each key
that pseudonyms were made with, at most `MAX_KEYS`, and one for the whole; of each result its first line, and of one its
summary.

Leaks are counted anew from their lines, so their rows are exact. Requests without a leak are known from the summaries
alone; what these hold too little of is said under `remarks`. Pseudonyms under different keys cannot be compared: then
subscribers are a range, from the most that one key tells apart to the sum of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from leakscan import __version__
from leakscan.conceal import Concealer, read_key
from leakscan.errors import FileMistake, UsageError
from leakscan.filenames import shown_name
from leakscan.flags import ResultOptions, gate_rules
from leakscan.formats.writer import Writer
from leakscan.interrupt import Gate, Interrupted
from leakscan.job import finish, open_writers, wanted_outputs
from leakscan.model import CONFIDENCES
from leakscan.policy import Policy
from leakscan.progress import Progress
from leakscan.results import SCHEMA, SEVERAL, Found, Result, row_places
from leakscan.spine import OWN_CENTRE, Settings
from leakscan.summary import Summary
from leakscan.tally import PERSONAL, Around
from leakscan.unlined import Unlined

MAX_KEYS = 256

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions(ResultOptions):
    """The flags of `report`."""

    results: Sequence[str]
    min_confidence: str
    pseudonym_key: str | None
    max_drops: float | None = None


def report(options: ReportOptions) -> int:
    """Merge, show and judge; gives the exit code."""
    key = None if options.pseudonym_key is None else read_key(options.pseudonym_key)
    rules = gate_rules(options)
    settings = Settings(min_confidence=options.min_confidence, policy=rules.policy, policy_name=rules.policy_name)
    wanted = wanted_outputs(options)
    gate = Gate()
    try:
        with Progress(False) as progress, ExitStack() as stack, gate.interruptible():
            results = opened(options.results)
            merged = Merged(results, settings, Concealer(key), options.max_drops)
            writers = open_writers(stack, options, wanted, live=False, read=options.results)
            summary = merged.write(writers)
            for remark in summary.get("remarks", ()):
                progress.say(f"warning: {remark}")
            finish(summary, rules, writers, options, progress.say)
    except Interrupted as signal:  # unfinished files are not put in place
        return signal.exit_code
    return int(summary["gate"]["exit_code"])


def opened(paths: Iterable[str]) -> list[Result]:
    """The results, each once. Raises FileMistake, UsageError."""
    results = [Result(path) for path in paths]
    seen: dict[bytes, str] = {}
    for result in results:
        if result.digest in seen:
            raise UsageError(f"{result.path} holds the same result as {seen[result.digest]}: it would count twice")
        if result.run.key_id == SEVERAL:
            raise FileMistake(
                result.path, "line 1", "was put together under different keys; give those results instead"
            )
        seen[result.digest] = result.path
    keys = {result.run.key_id for result in results}
    if len(keys) > MAX_KEYS:
        raise UsageError(f"the results have {len(keys):,} different keys, {MAX_KEYS} is the limit: use --pseudonym-key")
    return results


class Merged:
    """Several results as one."""

    def __init__(
        self, results: Sequence[Result], settings: Settings, concealer: Concealer, max_drops: float | None = None
    ) -> None:
        """`max_drops` None: what each result says of it holds."""
        self._results = results
        self._settings = settings
        self._concealer = concealer
        self._max_drops = max_drops
        self._least = CONFIDENCES.index(settings.min_confidence)
        self._unlined_leaks = 0
        self._all_shown = True
        self._origins: dict[Hashable, tuple[str, list[str]] | None] = {}  # None: results differ
        self._most: Counter[Hashable] = Counter()  # subscribers of each row, of all results together

    def run(self) -> Json:
        """The `run` line."""
        runs = [result.run for result in self._results]
        settings = self._settings
        policy = None if settings.policy_name is None else shown_name(settings.policy_name)
        return {
            "type": "run",
            "schema": SCHEMA,
            "version": __version__,
            "catalogue": _only(run.catalogue for run in runs),
            "captures": [capture for run in runs for capture in run.captures],
            "key_id": _only(run.key_id for run in runs),
            "values": "masked",
            "settings": {"min_confidence": settings.min_confidence, "networks": None, "asn_db": None, "policy": policy}
            | {"known": None, "rules": None, "since": None, "until": None, "responses": False, "bodies": False},
            "results": [
                {
                    "name": shown_name(result.path),
                    "version": result.run.version,
                    "catalogue": result.run.catalogue,
                    "key_id": result.run.key_id,
                    "settings": result.run.settings,
                }
                for result in self._results
            ],
        }

    def write(self, writers: Sequence[Writer]) -> Json:
        """The run and all leaks into the writers; gives the summary, with which they are to be ended."""
        run = self.run()
        for writer in writers:
            writer.begin(run)
        groups: dict[str, Summary] = {}
        rules: dict[str, str] = {}
        for result in self._results:
            part = result.counted()
            if self._max_drops is not None:
                part.losses["capture.drops-over"] = 0
            rules.update(result.rules())
            unlined = Unlined(result)
            for found, shown in self._leaks(result, unlined):
                if shown:
                    for writer in writers:
                        writer.leak(found.leak)
                self._add(part, found, shown)
                if found.leak.rule in rules:
                    part.explain(found.leak.rule, rules[found.leak.rule])
            for seen in unlined.sightings(part, self._settings.min_confidence, self._settings.policy):
                part.take(seen)
                if seen.leak.rule in rules:
                    part.explain(seen.leak.rule, rules[seen.leak.rule])
            self._unlined_leaks += unlined.leaks
            for where, said in result.origins().items():
                self._origins[where] = said if self._origins.get(where, said) == said else None
            self._most.update(result.subscribers())
            result.forget()
            groups.setdefault(result.run.key_id, Summary()).merge(part)
        return self._whole(list(groups.values()))

    def summary(self) -> Json:
        """The summary alone."""
        return self.write(())

    def _leaks(self, result: Result, unlined: Unlined) -> Iterator[tuple[Found, bool]]:
        """The leaks of one result under the policy that holds now, and whether they are shown."""
        policy = self._settings.policy
        for found in result.leaks(self._concealer):
            shown = CONFIDENCES.index(found.leak.confidence) >= self._least
            unlined.line(found.leak, shown)
            self._all_shown &= shown
            yield found if policy is None else _judged(found, policy), shown

    def _add(self, part: Summary, found: Found, shown: bool) -> None:
        """Count it; what is not shown waits, as in a scan, for the whole to make more of it."""
        leak = found.leak
        if not shown:
            part.losses["leaks.not-shown"] += 1
            if leak.identifier not in PERSONAL:
                return
            part.resume_request(alone=False)
        part.add(leak, time_ns=found.time_ns, rotating=leak.rotating, around=Around(shown=shown))

    def _whole(self, groups: list[Summary]) -> Json:
        rows = [group.to_dict() for group in groups]
        whole = Summary()
        whole.max_drops = self._max_drops
        for group in groups:
            whole.merge(group)
        summary = whole.to_dict()
        for where, row in row_places(summary) if self._all_shown else ():
            row["subscribers"] = min(row["subscribers"], self._most.get(where, row["subscribers"]))
        for where, row in row_places(summary):
            said = self._origins.get(where)
            if said is not None and said[1]:
                row["origin"], row["origin_evidence"] = said
        if len(groups) > 1:
            _as_ranges(summary, rows)
        remarks = list(self._remarks(summary))
        return summary | {"remarks": remarks} if remarks else summary

    def _remarks(self, summary: Json) -> Iterator[str]:
        """What the merged result cannot say exactly, and why."""
        runs = [result.run for result in self._results]
        if len({run.key_id for run in runs}) > 1:
            yield "results under different keys: nobody can be followed from one to another, so subscribers are ranges"
        captures = Counter((capture["name"], capture["size"]) for run in runs for capture in run.captures)
        twice = sum(count > 1 for count in captures.values())
        if twice:
            yield f"captures of the same name and size in several results: {twice:,}; their leaks may count twice"
        if self._unlined_leaks:
            yield (
                f"leaks that only the whole of their result told, without a line: {self._unlined_leaks:,}; "
                "counted as its summary has them"
            )
        if len({run.catalogue for run in runs}) > 1:
            yield "results of different catalogues: what one looked for the other may not have"
        for key, flag in (("min_confidence", "--min-confidence"), ("since", "--since"), ("until", "--until")):
            if len({run.settings[key] for run in runs}) > 1:
                yield f"results made with different {flag}: their leaks cannot be compared"
        if summary["coverage"]["losses"]["other"].get("summary.hosts-folded"):
            yield "requests to hosts that had no row in their result are counted as (other)"
        if any(self._least < CONFIDENCES.index(run.settings["min_confidence"]) for run in runs):
            yield "results were made with a higher --min-confidence: what is less sure is not in them"
        if any(self._least > CONFIDENCES.index(run.settings["min_confidence"]) for run in runs):
            yield "leaks were left out by --min-confidence: requests with no other leak still count as leaking"
        if self._settings.policy is not None:
            yield "hosts are judged by the policy as results have them: a number in a host's name is ... there"
            if self._unlined_leaks:
                yield "of leaks without a line the server's address is not known: no entry with addresses allows them"


def _judged(found: Found, policy: Policy) -> Found:
    """The operator's own centre for multimedia messages needs no policy."""
    leak = found.leak
    if leak.recipient == OWN_CENTRE:
        return found
    recipient = policy.recipient(leak.host, leak.server, leak.identifier, found.time_ns)
    return found._replace(leak=replace(leak, recipient=recipient))


def _only(values: Iterable[str]) -> str:
    """What all have in common, or that they have not."""
    different = set(values)
    return different.pop() if len(different) == 1 else SEVERAL


def _as_ranges(summary: Json, parts: list[Json]) -> None:
    """Turn `subscribers`, now the sum over keys, into the least there can be, with the sum as `subscribers_most`."""
    least: dict[Hashable, int] = {}
    for part in parts:
        for where, row in row_places(part):
            least[where] = max(least.get(where, 0), row["subscribers"])
    for where, row in list(row_places(summary)):
        row["subscribers_most"] = row["subscribers"]
        row["subscribers"] = least.get(where, 0)
