"""`leakscan redact`: the passes over the capture, what is said of them, and the exit code.

State: the plan and the edits; the copy is a new file beside its final place until it has passed its checks.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from leakscan.conceal import read_key
from leakscan.detectors import builtin, detect, with_rules
from leakscan.detectors.catalogue import Catalogue
from leakscan.errors import UsageError
from leakscan.filenames import shown_name
from leakscan.formats.words import label, plural
from leakscan.glance import Glance
from leakscan.known import Known
from leakscan.losses import LOSSES, UNREAD, Losses, Problem
from leakscan.model import CONFIDENCES, Field, Match, endpoints
from leakscan.output import OutputFile
from leakscan.progress import Progress
from leakscan.protocols import message_of
from leakscan.reading import Reading
from leakscan.redaction.addresses import Addresses
from leakscan.redaction.checking import Leftovers, refusal
from leakscan.redaction.edits import Edits
from leakscan.redaction.fakes import Identity
from leakscan.redaction.finding import Findings
from leakscan.redaction.parts import Parts
from leakscan.redaction.plan import Plan, plan
from leakscan.redaction.records import DECRYPTION_SECRETS, Piece, pieces
from leakscan.redaction.searching import Search
from leakscan.redaction.writing import Writing
from leakscan.series import joined
from leakscan.show import redact as without_numbers
from leakscan.show import show
from leakscan.sources import expand
from leakscan.spine import Scan, Settings

EXIT_REFUSED, EXIT_UNREAD = 1, 3
PASSES = 5  # over IN and the copy
MAX_NAMED = 20
WIDTH = 14
#: Losses of what cannot be read, and therefore passes as it is; the needles are sought in it all the same.
PASSED = ("tls", "tcp.other", "http.tunnel", "udp", "ip.not-tcp", "ip.encrypted", "frame.protected", "frame.not-ip")
STOPS = ("file.cut", "file.damaged", "file.unreadable", "file.bomb")
#: What tells a model, not a person, stays.
KEPT = frozenset({"device_model"})
OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RedactOptions:
    """The flags of `redact`, as docs/cli.md explains them."""

    input: str
    output: str
    known: str | None
    rules: str | None
    pseudonym_key: str | None
    min_confidence: str
    addresses: bool
    drop_unredactable: bool
    quiet: bool
    progress: str


def redact(options: RedactOptions) -> int:
    """Write the copy; gives the exit code."""
    key = secrets.token_bytes(32) if options.pseudonym_key is None else read_key(options.pseudonym_key)
    name = _input(options)
    wanted = Wanted(
        None if options.known is None else Known.load(options.known),
        None if options.rules is None else with_rules(options.rules),
        options.min_confidence,
    )
    with Progress(options.progress == "auto" and not options.quiet) as progress:
        losses = Losses(partial(_warn, progress))
        progress.start([name])

        def on_bytes(count: int) -> None:
            progress.advance(count // PASSES)

        findings = find(name, losses, wanted, on_bytes)
        copied = _Pieces(name, _end(losses))
        if copied.row() is None:
            raise UsageError(f"{options.input}: neither pcap nor pcapng; convert it with editcap -F pcapng")
        addresses = Addresses(key, findings.clients, findings.servers) if options.addresses else None
        planned = plan(findings, key, addresses, wanted.said)
        edits = Edits()
        search = Search(planned.needles, Parts(planned.needles, planned.torn), addresses)
        for edit in search.edits(copied.row(on_bytes) or ()):
            edits.add(edit)
        refused = _refused(planned, search, copied)
        if refused and not options.drop_unredactable:
            _say_refused(progress, refused)
            return EXIT_REFUSED
        writing = Writing(edits, addresses)
        with OutputFile(options.output) as file:
            if file.through:
                raise UsageError(f"{options.output}: the copy is read again before it is given away; name a file")
            for data in writing.copy(copied.row(on_bytes) or ()):
                file.write(data)
            file.flush()
            again = find(str(file.temporary), Losses(), wanted, on_bytes)
            left = Leftovers(file.temporary, planned, addresses).found(again, on_bytes)
            if not writing.written.dropped and again.requests != findings.requests:
                left.append(f"{findings.requests:,} requests became {again.requests:,}")
            if left:
                raise refusal(shown_name(options.input), left, search.conflicts)
        progress.stop()
        _report(options, findings, writing, search, losses, refused)
        unread = losses.of_kind(UNREAD)
        if unread and not options.quiet:
            progress.say("not read, and not in the copy or not searched: " + ", ".join(sorted(unread)))
    return EXIT_UNREAD if unread else 0


class _Pieces:
    """The pieces of the input, as often as they are asked for."""

    def __init__(self, name: str, end: int | None) -> None:
        self._name = name
        self._end = end

    def row(self, on_bytes: OnBytes | None = None) -> Iterator[Piece] | None:
        return pieces(self._name, self._end, on_bytes)


def _input(options: RedactOptions) -> str:
    """The one file that is read, several times. Raises UsageError, CaptureUnavailable."""
    if options.input == "-" or (Path(options.input).exists() and not Path(options.input).is_file()):
        raise UsageError(f"{options.input}: redact reads a file, several times")
    names = expand([options.input], Losses())
    if len(names) != 1:
        raise UsageError(f"{options.input}: {plural(len(names), 'capture')}; redact takes one")
    output = Path(options.output)
    if output.exists() and output.samefile(names[0]):
        raise UsageError("IN and OUT are the same file")
    return names[0]


class Wanted(NamedTuple):
    """What is looked for."""

    known: Known | None = None
    rules: Catalogue | None = None
    min_confidence: str = "hint"

    def said(self, pieces: list[Field]) -> list[Match]:
        """What is found in fields."""
        matches = detect(pieces, Losses(), self.rules)
        return matches if self.known is None else self.known.matches(pieces, matches)


def find(name: str, losses: Losses, wanted: Wanted, on_bytes: OnBytes | None = None) -> Findings:
    """Every identifier in the requests of a capture, and every known one, which may be elsewhere in it."""
    findings, glance = Findings(), Glance(wanted.rules, wanted.known)
    least = CONFIDENCES.index(wanted.min_confidence)
    for entry in wanted.known.entries if wanted.known is not None else ():
        findings.identities[Identity(entry.kind, entry.normal)] = 0
    reading = Reading([joined([name], losses, on_bytes)], losses, bodies=True)
    scan = Scan(reading, [name], Settings(known=wanted.known, rules=wanted.rules))
    for head in reading.heads():
        client, _, server, _ = endpoints(head.key)
        findings.meet(client, server)
        if head.partial:
            findings.tear(head.raw, wanted.rules or builtin())
        if glance.plain_host(head) is None:
            message = message_of(head)
            matches = [one for one in scan.matches(message, head.raw) if one.identifier not in KEPT]
            findings.add(head, message, [one for one in matches if CONFIDENCES.index(one.confidence) >= least])
    return findings


def _end(losses: Losses) -> int | None:
    """Where reading stopped, in bytes; None when it came to the end."""
    if any(losses[name] for name in STOPS):
        return losses.problems[-1].offset or 0
    return None


def _refused(planned: Plan, search: Search, copied: _Pieces) -> list[str]:
    """What cannot be replaced, in words and without values."""
    words = [
        f"frame {one.frame}, {one.place} {without_numbers(one.name)} ({label(one.identifier)}): {one.why}"
        for one in planned.refused
    ]
    for body in search.bodies.found:
        frames = f"frame {body.first}" if body.first == body.last else f"frames {body.first} to {body.last}"
        words.append(f"{frames}: an identifier in {body.what}")
    if search.bodies.count > len(search.bodies.found):
        words.append(f"{search.bodies.count - len(search.bodies.found):,} more bodies with identifiers")
    secret = sum(1 for piece in copied.row() or () if piece.kind == DECRYPTION_SECRETS and not piece.frame)
    if secret:
        words.append(f"{plural(secret, 'block')} of decryption secrets: with them others read what leakscan cannot")
    return words


def _say_refused(progress: Progress, refused: list[str]) -> None:
    for words in refused[:MAX_NAMED]:
        progress.say(f"cannot be replaced: {words}")
    if len(refused) > MAX_NAMED:
        progress.say(f"and {len(refused) - MAX_NAMED:,} more that cannot be replaced")
    progress.say("nothing was written; --drop-unredactable leaves out the packets that hold them")


def _report(
    options: RedactOptions, findings: Findings, writing: Writing, search: Search, losses: Losses, refused: list[str]
) -> None:
    if options.quiet:
        return
    kinds: dict[str, list[int]] = {}
    for identity, times in findings.identities.items():
        row = kinds.setdefault(identity.kind, [0, 0])
        row[0] += 1
        row[1] += times
    for kind, (count, times) in sorted(kinds.items()):
        _print("replaced", f"{label(kind)}: {plural(count, 'identifier')}, found {plural(times, 'time')}")
    if options.addresses:
        _print("replaced", f"addresses of subscribers: {len(findings.clients):,}")
    _print("changed", plural(writing.written.changed, "packet"))
    for words in refused:
        _print("left out", words)
    if writing.written.dropped:
        _print("left out", plural(writing.written.dropped, "packet"))
    for name in PASSED:
        if losses[name]:
            _print("passed", f"{name} {losses[name]:,}: {LOSSES[name][1]}")
    if search.bodies.closed:
        _print("passed", f"{plural(search.bodies.closed, 'HTTP body')} compressed so that they cannot be looked into")


def _print(status: str, text: str) -> None:
    sys.stdout.write(f"{status:{WIDTH}}{show(text)}\n")


def _warn(progress: Progress, problem: Problem) -> None:
    progress.say(f"warning: {problem._replace(capture=shown_name(problem.capture))}")
