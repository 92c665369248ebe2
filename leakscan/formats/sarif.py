"""SARIF 2.1.0 (OASIS), under the limits that GitHub documents for code scanning. One run, one result per behaviour.

A result's location is the capture, as a path from the root of the repository; its identity is the behaviour's
fingerprint. What a policy, baseline or ignore entry covers is there, suppressed. Everything that was not examined is a
notification. State: the places of the leaks (places.py), and the results while they are put together, at most
`MAX_RESULTS`.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Any

from leakscan.formats.places import Places, uri
from leakscan.formats.rows import Json, json_text
from leakscan.formats.words import behaviour, label, listed, plural
from leakscan.formats.writer import Writer
from leakscan.losses import LOSSES, OTHER, UNREAD
from leakscan.model import SEVERITIES, Leak
from leakscan.rulebook import Rule, describe, every_rule
from leakscan.show import show

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: GitHub takes 25,000 results and keeps 5,000; takes 1,000 locations and shows 100; takes 20 tags; takes 10 MB of gzip.
MAX_RESULTS = 5000
MAX_LOCATIONS = 100
MAX_RULES = 25_000
MAX_TAGS = 10
MAX_GZIP_BYTES = 9_500_000
MAX_HOSTS = 10
#: Severity -> SARIF level, and the number that GitHub makes Critical, High, Medium or Low of.
LEVELS = {
    "critical": ("error", "9.5"),
    "high": ("error", "8.0"),
    "medium": ("warning", "5.5"),
    "low": ("note", "3.0"),
}
NETWORK = frozenset({"subscriber_token", "subscriber_profile", "charging", "apn_or_network_node"})


class Sarif(Writer):
    def begin(self, run: Json) -> None:
        self._run = run
        self._places = Places()

    def leak(self, leak: Leak) -> None:
        self._places.add(leak)

    def end(self, summary: Json) -> None:
        rows = summary["behaviours"]
        worst = {rule.id: rule.severity for rule in every_rule()}
        for row in rows:
            severities = (worst.get(row["rule"], row["severity"]), row["severity"])
            worst[row["rule"]] = max(severities, key=SEVERITIES.index)
        index = {name: number for number, name in enumerate(list(worst)[:MAX_RULES])}
        results, left_out = self._results(rows, index)
        run = self._run
        driver = {
            "name": "leakscan",
            "version": show(run["version"]),
            "semanticVersion": show(run["version"]),
            "rules": [_rule(describe(name), worst[name]) for name in index],
            "notifications": [
                {"id": name, "shortDescription": {"text": meaning}} for name, (_, meaning) in LOSSES.items()
            ],
        }
        interrupted = "run.interrupted" in summary["coverage"]["losses"][UNREAD]
        invocation = {
            "executionSuccessful": not interrupted,
            "exitCode": summary["gate"]["exit_code"],
            "toolExecutionNotifications": self._notifications(summary, left_out),
        }
        properties = {
            "outcome": summary["outcome"],
            "requests": summary["total"]["requests"],
            "catalogue": show(run["catalogue"]),
            "behaviours": len(rows),
        }
        self._write(
            f'{{"$schema":{json_text(SCHEMA)},"version":"2.1.0","runs":[{{"tool":{json_text({"driver": driver})},'
        )
        self._write(f'"invocations":{json_text([invocation])},"columnKind":"unicodeCodePoints","results":[\n')
        self._write(",\n".join(results))
        self._write(f'],"properties":{json_text(properties)}}}]}}\n')

    def _results(self, rows: list[Json], index: dict[str, int]) -> tuple[list[str], int]:
        """The worst results that fit, and how many did not."""
        packer, size, results = zlib.compressobj(), 0, []
        for row in rows[:MAX_RESULTS]:
            if row["rule"] not in index:
                continue
            text = json_text(self._result(row, index[row["rule"]]))
            size += len(packer.compress(text.encode("ascii")))
            if size > MAX_GZIP_BYTES:
                break
            results.append(text)
        return results, len(rows) - len(results)

    def _result(self, row: Json, rule: int) -> Json:
        level, _ = LEVELS[row["severity"]]
        captures = list(self._places.of(row["fingerprint"]).items())
        first = f", first in frame {captures[0][1].frame} of {captures[0][0]}" if captures else ""
        shown = captures[:MAX_LOCATIONS]
        more = (
            f"; in {plural(len(captures), 'capture')}, the first {MAX_LOCATIONS} of which are named"
            if len(captures) > len(shown)
            else ""
        )
        names = [uri(capture, self._look) for capture, _ in shown] or [self._somewhere()]
        result: Json = {
            "ruleId": show(row["rule"]),
            "ruleIndex": rule,
            "level": level,
            "message": {"text": _text(f"{behaviour(row)}{first}{more}. {row['why']}.")},
            "locations": [_location(name, row) for name in names],
            "partialFingerprints": {
                "primaryLocationLineHash": f"{row['fingerprint'].removeprefix('v1:')}:1",
                "leakscan/v1": row["fingerprint"],
            },
            "occurrenceCount": row["leaks"],
            "properties": _properties(row),
        }
        cover = row["covered_by"]
        # Written also when there is none: SARIF section 3.27.23, an empty array says so, a missing one says nothing.
        result["suppressions"] = [{"kind": "external", "justification": show(row["why"])}] if cover else []
        return result

    def _somewhere(self) -> str:
        """A result has a location, or GitHub refuses the file."""
        captures = self._run["captures"]
        return uri(captures[0]["name"], self._look) if captures else "capture"

    def _notifications(self, summary: Json, left_out: int) -> list[Json]:
        coverage = summary["coverage"]
        made = []
        for kind, level in ((UNREAD, "warning"), (OTHER, "note")):
            for name, count in coverage["losses"][kind].items():
                meaning = LOSSES[name][1] if name in LOSSES else name
                places = [problem["capture"] for problem in coverage["problems"] if problem["loss"] == name]
                made.append(_notification(name, level, f"{count:,}: {meaning}", [uri(p, self._look) for p in places]))
        folded = summary["folded"]
        past = self._places.left_out
        more = (
            (not summary["total"]["requests"], "warning", "there was no readable request: nothing can be said"),
            (left_out, "warning", f"{plural(left_out, 'behaviour')} left out, past what GitHub takes; jsonl has all"),
            (past, "note", f"{plural(past, 'leak')} in captures past the bound of locations"),
            (folded, "error", f"leaks of behaviours past the bound: {folded['leaks'] if folded else 0:,}"),
        )
        made += [_notification("", level, text, []) for there, level, text in more if there]
        return made


@lru_cache(maxsize=1024)
def _rule(rule: Rule, worst: str) -> Json:
    level, number = LEVELS[worst]
    what = label(rule.identifier) if rule.identifier else "identifier"
    seen = f" Seen: {rule.source}." if rule.source else ""
    explain = show(f"{rule.explain}{seen}")
    return {
        "id": show(rule.id),
        "name": show(rule.id),
        "shortDescription": {"text": f"{what[:1].upper()}{what[1:]} in plain HTTP ({show(rule.id)})"},
        "fullDescription": {"text": explain},
        "help": {"text": f"{explain} {ADVICE}", "markdown": f"{_markdown(explain)}\n\n{ADVICE}"},
        "defaultConfiguration": {"level": level},
        "properties": {"security-severity": number, "precision": "high", "tags": _tags(rule)[:MAX_TAGS]},
    }


ADVICE = (
    "Find out who adds it: a gateway or proxy of the network, or the app itself. Take it out there, or use HTTPS to "
    "the recipient. If the recipient may have it, say so in the policy."
)


def _tags(rule: Rule) -> list[str]:
    kind = [rule.identifier.replace("_", "-")] if rule.identifier else []
    enriched = ["header-enrichment"] if rule.identifier in NETWORK else []
    return ["security", "privacy", "external/cwe/cwe-359", "external/cwe/cwe-319", *kind, *enriched]


def _location(name: str, row: Json) -> Json:
    what = f"{row['place']}/{row['name']}"
    hosts = [show(f"{host}/{what}") for host in row["hosts"][:1]]
    return {
        "physicalLocation": {"artifactLocation": {"uri": name}, "region": {"startLine": 1}},
        "logicalLocations": [
            {"name": show(row["name"]), "fullyQualifiedName": host, "kind": "member"} for host in hosts
        ],
    }


def _properties(row: Json) -> dict[str, Any]:
    return {
        "severity": row["severity"],
        "confidence": row["confidence"],
        "origin": show(row["origin"]),
        "identifier": show(row["identifier"]),
        "leaks": row["leaks"],
        "subscribersAtLeast": row["subscribers"],
        "hosts": [show(host) for host in row["hosts"][:MAX_HOSTS]],
        "hostCount": row["host_count"],
        "networks": show(listed([party["name"] for party in row["network"]])),
        "firstSeen": show(row["first_seen"]),
        "lastSeen": show(row["last_seen"]),
        "verdicts": {show(verdict): count for verdict, count in row["verdicts"].items()},
        "counts": row["counts"],
        "why": show(row["why"]),
    }


def _notification(name: str, level: str, text: str, places: list[str]) -> Json:
    made: Json = {"level": level, "message": {"text": _text(text)}}
    if name:
        made["descriptor"] = {"id": show(name)}
    if places:
        made["locations"] = [
            {"physicalLocation": {"artifactLocation": {"uri": place}}}
            for place in dict.fromkeys(places[:MAX_LOCATIONS])
        ]
    return made


def _text(text: str) -> str:
    """Shown, without what SARIF section 3.11.6 takes for a link."""
    return re.sub(r"[\\\[\]]", lambda found: "\\" + found[0], show(text))


def _markdown(text: str) -> str:
    from leakscan.formats.markdown import escaped

    return escaped(text)
