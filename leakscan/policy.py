"""Who may receive what: the operator's list of trusted partners, the file of `--policy` (docs/policy.md).

Comes in: a TOML file; then, for each leak, the host it went to, the address behind it, what it gave away and when.
Goes out: a `Recipient` with the verdict. State: the partners, and the answers for the last hosts asked about, at most
`MAX_REMEMBERED`.

The Host header is the client's word: an entry with `addresses` also asks where the request really went.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from leakscan.model import Recipient
from leakscan.show import HIDDEN, redact
from leakscan.times import days_ns
from leakscan.tomlfile import TomlFile, nearest

MAX_REMEMBERED = 4096
KEYS = (
    "name",
    "hosts",
    "addresses",
    "purpose",
    "identifiers",
    "cleartext",
    "valid_from",
    "valid_until",
    "reference",
)
NO_POLICY, ALLOWED, IN_CLEAR = "no-policy", "allowed", "allowed-but-clear"
NOT_ALLOWED, EXPIRED = "not-allowed", "expired"
#: Verdicts, the best first: of several entries that match, the best one's counts.
VERDICTS = (ALLOWED, IN_CLEAR, EXPIRED, NOT_ALLOWED, NO_POLICY)

Prefix = IPv4Network | IPv6Network
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")

_LABELS = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


class Partner(NamedTuple):
    """One `[[partner]]` of the file."""

    number: int  # its place in the file, from 1
    name: str
    hosts: tuple[str, ...]  # lower case: exact, or `*.` and the labels behind it
    addresses: tuple[Prefix, ...]  # () for any
    purpose: str
    identifiers: frozenset[str]
    cleartext: bool
    from_ns: int  # valid from this time on, nanoseconds since 1970 UTC
    until_ns: int  # and before this one
    reference: str | None

    def is_at(self, address: str) -> bool:
        """Whether the server's address is one of the partner's."""
        if not self.addresses:
            return True
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed.version == prefix.version and parsed in prefix for prefix in self.addresses)

    def judge(self, address: str, identifier: str, time_ns: int) -> tuple[str, str]:
        """The verdict on a leak to one of the partner's hosts, and why."""
        if not self.is_at(address):
            return NOT_ALLOWED, "addresses: the server is none of them"
        if identifier not in self.identifiers:
            return NOT_ALLOWED, f"identifiers: {identifier} is none of them"
        if time_ns < self.from_ns:
            return NOT_ALLOWED, "valid_from: not yet valid"
        if time_ns >= self.until_ns:
            return EXPIRED, "valid_until: no longer valid"
        if not self.cleartext:
            return IN_CLEAR, "cleartext: plain HTTP is not allowed"
        return ALLOWED, "host, identifier and time fit"


class Policy:
    """All partners of a file."""

    def __init__(self, partners: tuple[Partner, ...]) -> None:
        self.partners = partners
        self._remembered: dict[str, tuple[Partner, ...]] = {}

    @classmethod
    def load(cls, path: str) -> Policy:
        """Reads the file at `path`. Raises FileMistake, which names file, entry and key."""
        return cls(tuple(_Reader(path).partners()))

    def recipient(self, host: str, address: str, identifier: str, time_ns: int) -> Recipient:
        """The verdict on one leak. A host that no entry names is not allowed anything."""
        best = min(
            (
                (VERDICTS.index(partner.judge(address, identifier, time_ns)[0]), partner.number, partner)
                for partner in self.naming(host)
            ),
            default=None,
        )
        if best is None:
            return Recipient(NOT_ALLOWED)
        return Recipient(VERDICTS[best[0]], best[2].name, best[2].purpose)

    def turns(self, first_ns: int, last_ns: int) -> list[int]:
        """Moments that stand for a span of time: its ends, and whenever an entry's validity begins or ends in it."""
        edges = {edge for partner in self.partners for edge in (partner.from_ns, partner.until_ns)}
        return sorted({first_ns, last_ns, *(edge for edge in edges if first_ns < edge <= last_ns)})

    def naming(self, host: str) -> tuple[Partner, ...]:
        """The partners of which a host pattern fits; `host` is lower case without a port."""
        found = self._remembered.get(host)
        if found is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            found = tuple(
                partner for partner in self.partners if any(host_fits(pattern, host) for pattern in partner.hosts)
            )
            self._remembered[host] = found
        return found


def host_fits(pattern: str, host: str) -> bool:
    """`a.example` fits itself; `*.a.example` fits with one or more whole labels before, never `a.example`."""
    host = host.removesuffix(".")
    if not pattern.startswith("*."):
        return host == pattern
    before = host[: 1 - len(pattern)].replace(HIDDEN, "x")  # where a number was taken out
    return host.endswith(pattern[1:]) and _LABELS.fullmatch(before) is not None


def host_pattern(text: str) -> str:
    """`text` as host pattern, in lower case. Raises ValueError, which says what is wrong."""
    lower = text.lower()
    if not lower.isascii():
        try:
            coded = lower.encode("idna").decode()
        except UnicodeError:
            raise ValueError("is no host name") from None
        raise ValueError(f'write it as it is on the wire: "{coded}"')
    if "://" in lower or "/" in lower:
        raise ValueError("is a URL; give the host alone")
    try:
        return str(ip_address(lower.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    if ":" in lower:
        raise ValueError("give the host without a port")
    if not _HOST.fullmatch(lower) or ".." in lower:
        raise ValueError('is no host name, nor "*." and one')
    return lower


class _Reader(TomlFile):
    """One reading of a policy file."""

    def partners(self) -> Iterator[Partner]:
        for number, table in enumerate(self.tables("partner"), 1):
            yield self.partner(number, table)

    def partner(self, number: int, table: dict[str, Any]) -> Partner:
        name = self.text(table, "name")
        if name is not None:
            self.where += f' ("{name}")'
        self.known(table, KEYS)
        first, last = self.day(table, "valid_from"), self.day(table, "valid_until")
        if first is not None and last is not None and last < first:
            raise self.mistake("valid_until: lies before valid_from")
        from_ns, until_ns = days_ns(first, last)
        return Partner(
            number=number,
            name=redact(self.needed(table, "name")),
            hosts=tuple(self.hosts(table)),
            addresses=tuple(self.addresses(table)),
            purpose=redact(self.needed(table, "purpose")),
            identifiers=frozenset(self.identifiers(table)),
            cleartext=self.flag(table, "cleartext"),
            from_ns=from_ns,
            until_ns=until_ns,
            reference=self.text(table, "reference"),
        )

    def hosts(self, table: dict[str, Any]) -> Iterator[str]:
        for text in self.texts(table, "hosts", '["agecheck.example", "*.agecheck.example"]'):
            try:
                yield host_pattern(text)
            except ValueError as error:
                raise self.mistake(f'hosts: "{text}" {error}') from None

    def identifiers(self, table: dict[str, Any]) -> Iterator[str]:
        from leakscan.detectors.catalogue import IDENTIFIERS  # late: whoever has no policy starts without detectors

        for text in self.texts(table, "identifiers", '["msisdn"]'):
            if text not in IDENTIFIERS:
                raise self.mistake(f'identifiers: "{text}" is no kind; {nearest(text, IDENTIFIERS)}')
            yield text

    def addresses(self, table: dict[str, Any]) -> Iterator[Prefix]:
        if "addresses" not in table:
            return
        for text in self.texts(table, "addresses", '["203.0.113.0/24"]'):
            try:
                yield ip_network(text)
            except ValueError:
                raise self.mistake(f'addresses: "{text}" is no IPv4 or IPv6 range, or begins inside one') from None
