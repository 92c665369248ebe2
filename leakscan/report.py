"""Earlier results as one: what `leakscan report` does.

Comes in: result files. Goes out: the merged result in any format, and its exit code. State: one Summary for each key
that pseudonyms were made with, at most `MAX_KEYS`, and one for the whole.

Leaks are counted anew from their lines, so their rows are exact. Requests without a leak are known from the summaries
alone; what these hold too little of is said under `remarks`. Pseudonyms under different keys cannot be compared: then
subscribers are a range, from the most that one key tells apart to the sum of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from leakscan import __version__
from leakscan.conceal import Concealer, read_key
from leakscan.errors import FileMistake, UsageError
from leakscan.filenames import shown_name
from leakscan.formats.writer import Writer
from leakscan.interrupt import Gate, Interrupted
from leakscan.job import ResultOptions, finish, gate_rules, open_writers, wanted_outputs
from leakscan.model import CONFIDENCES
from leakscan.policy import Policy
from leakscan.progress import Progress
from leakscan.results import SCHEMA, SEVERAL, Found, Result, Settled, settled_key
from leakscan.spine import Settings
from leakscan.summary import Summary

MAX_KEYS = 256

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions(ResultOptions):
    """The flags of `report`."""

    results: Sequence[str]
    min_confidence: str
    pseudonym_key: str | None


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
            merged = Merged(results, settings, Concealer(key))
            writers = open_writers(stack, options, wanted, live=False)
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

    def __init__(self, results: Sequence[Result], settings: Settings, concealer: Concealer) -> None:
        self._results = results
        self._settings = settings
        self._concealer = concealer
        self._least = CONFIDENCES.index(settings.min_confidence)

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
            rules.update(result.rules())
            for found in self._leaks(result, part):
                for writer in writers:
                    writer.leak(found.leak)
                part.add(found.leak, time_ns=found.time_ns, rotating=found.leak.rotating)
                if found.leak.rule in rules:
                    part.explain(found.leak.rule, rules[found.leak.rule])
            groups.setdefault(result.run.key_id, Summary()).merge(part)
        return self._whole(list(groups.values()))

    def summary(self) -> Json:
        """The summary alone."""
        return self.write(())

    def _leaks(self, result: Result, part: Summary) -> Iterator[Found]:
        """The leaks of one result that are shown, under the policy that holds now."""
        policy = self._settings.policy
        for found in result.leaks(self._concealer):
            if CONFIDENCES.index(found.leak.confidence) < self._least:
                part.losses["leaks.not-shown"] += 1
            else:
                yield found if policy is None else _judged(found, policy)

    def _whole(self, groups: list[Summary]) -> Json:
        rows = [group.to_dict() for group in groups]
        whole = Summary()
        for group in groups:
            whole.merge(group)
        summary = whole.to_dict()
        for result in self._results:
            _settle(summary, result.settled())
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
        if len({run.catalogue for run in runs}) > 1:
            yield "results of different catalogues: what one looked for the other may not have"
        for key, flag in (("min_confidence", "--min-confidence"), ("since", "--since"), ("until", "--until")):
            if len({run.settings[key] for run in runs}) > 1:
                yield f"results made with different {flag}: their leaks cannot be compared"
        if summary["coverage"]["losses"]["other"].get("summary.hosts-folded"):
            yield "requests to hosts that had no row in their result are counted as (other)"
        if any(self._least > CONFIDENCES.index(run.settings["min_confidence"]) for run in runs):
            yield "leaks were left out by --min-confidence: requests with no other leak still count as leaking"
        if self._settings.policy is not None:
            yield "hosts are judged by the policy as results have them: a number in a host's name is ... there"


def _judged(found: Found, policy: Policy) -> Found:
    leak = found.leak
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
        for where, row in _counting_rows(part):
            least[where] = max(least.get(where, 0), row["subscribers"])
    for where, row in list(_counting_rows(summary)):
        row["subscribers_most"] = row["subscribers"]
        row["subscribers"] = least.get(where, 0)


#: The lists of a summary's rows -> what tells a row from the others of its list.
_ROWS: dict[str, Callable[[Json], Hashable]] = {
    "behaviours": lambda row: row["fingerprint"],
    "names": lambda row: (row["rule"], row["place"], row["name"].lower()),
    "hosts": lambda row: row["host"],
    "carriers": lambda row: _party(row["network"]) if row["network"] else row["name"],
    "identifiers": lambda row: row["identifier"],
}


def _counting_rows(summary: Json) -> Iterator[tuple[Hashable, Json]]:
    """Every row that counts subscribers, with its place in the summary."""
    yield "total", summary["total"]
    yield "outside", summary["outside"]
    if summary["folded"] is not None:
        yield from _with_parties(("folded",), summary["folded"])
    for name, key in _ROWS.items():
        for row in summary[name]:
            yield from _with_parties((name, key(row)), row)


def _with_parties(where: tuple[Hashable, ...], row: Json) -> Iterator[tuple[Hashable, Json]]:
    yield where, row
    for name in ("network", "home_operator", "home_operators"):
        parties = row.get(name)
        for party in parties if isinstance(parties, list) else ():
            yield (*where, name, _party(party)), party


def _party(party: Json) -> Hashable:
    return party["name"], party["country"], party["mcc"], party["mnc"]


def _settle(summary: Json, settled: dict[str, dict[tuple[str, ...], Settled]]) -> None:
    """Take over what a result's whole told of its behaviours: who put it there, what was raised."""
    for table, known in settled.items():
        for row in summary[table]:
            said = known.get(settled_key(row))
            if said is None:
                continue
            if row["origin"] == "unknown" and said.evidence:
                row["origin"] = said.origin
            if row["origin"] == said.origin:
                row["origin_evidence"] = [*dict.fromkeys((*row["origin_evidence"], *said.evidence))]
            row["confidence"] = max(row["confidence"], said.confidence, key=CONFIDENCES.index)
            row["raised"] = max(row["raised"], said.raised)
