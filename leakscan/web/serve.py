"""`leakscan serve`: from the flags to a running check page, and to the last line on stderr.

Comes in: the flags. Goes out: an exit code. State: the server's.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from leakscan.conceal import read_key
from leakscan.errors import UsageError
from leakscan.filenames import shown_name
from leakscan.library import settings_from
from leakscan.show import show
from leakscan.web.proxies import Proxies
from leakscan.web.record import Record
from leakscan.web.server import NAME, Options, Server, context_of, is_loopback, run
from leakscan.web.watch import Watch

_HOST_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Flags:
    """As docs/cli.md explains them."""

    host: str
    port: int
    allow_host: Sequence[str]
    tls_cert: str | None
    tls_key: str | None
    tls_port: int
    trusted_proxy: Sequence[str]
    rate: int
    record: str | None
    keep: int
    min_confidence: str
    networks: str | None
    asn_db: str | None
    rules: str | None
    known: str | None
    pseudonym_key: str | None
    quiet: bool
    verbose: bool


def serve(flags: Flags) -> int:
    """Serve until a signal; gives 128 and the signal's number."""
    if (flags.tls_cert is None) != (flags.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    settings = settings_from(
        {
            "min_confidence": flags.min_confidence,
            "pseudonym_key": None if flags.pseudonym_key is None else read_key(flags.pseudonym_key),
            "networks": flags.networks,
            "asn_db": flags.asn_db,
            "rules": flags.rules,
            "known": flags.known,
        }
    )

    def say(text: str) -> None:
        if not flags.quiet:
            print(f"leakscan: {show(shown_name(text))}", file=sys.stderr, flush=True)  # noqa: T201

    options = Options(
        host=flags.host,
        port=flags.port,
        tls_port=flags.tls_port,
        tls=None if flags.tls_cert is None or flags.tls_key is None else context_of(flags.tls_cert, flags.tls_key),
        names=frozenset(map(_host_name, flags.allow_host)),
        proxies=Proxies(flags.trusted_proxy),
        rate=flags.rate,
        verbose=flags.verbose,
        say=say,
    )

    watch = None if flags.record is None else Watch(NAME, settings, Record(flags.record, flags.keep), warn=say)
    server = Server(options, settings, watch, None if watch is None else flags.keep)
    if watch is not None:
        watch.begin()
    if not options.names and not is_loopback(flags.host):
        say("warning: only requests to an IP address are answered: name the website with --allow-host")
    try:
        number = asyncio.run(run(server))
    finally:
        if watch is not None:
            watch.end()
    say(f"{_count(server.leaking, 'request')} with a leak, of {server.requests:,} examined")
    return 128 + number


def _host_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if not _HOST_NAME.fullmatch(name):
        raise UsageError(f"--allow-host {text}: the name of a host is needed, without scheme and port")
    return name


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
