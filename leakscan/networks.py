"""The operator's own knowledge of who uses which addresses: the file of `--networks` (docs/networks.md).

Comes in: a TOML file; then the client address and time of each request. Goes out: the `NetworkEntry` that holds the
address at that time. State: the entries, and the answers for the last addresses asked about, at most
`MAX_REMEMBERED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from leakscan.model import Carrier
from leakscan.plmn import plmn
from leakscan.times import days_ns
from leakscan.tomlfile import TomlFile

MAX_REMEMBERED = 65_536
CELLULAR, WIFI, UNKNOWN = BEARERS = ("cellular", "wifi", "unknown")
KEYS = (
    "name",
    "mcc",
    "mnc",
    "country",
    "home_operator",
    "bearer",
    "addresses",
    "valid_from",
    "valid_until",
)

Prefix = IPv4Network | IPv6Network


class NetworkEntry(NamedTuple):
    """One `[[network]]` of the file."""

    number: (
        int  # its place in the file, from 1; evidence refers to it so, since a range may be one subscriber's address
    )
    network: Carrier
    home: Carrier | None  # whose subscribers use these addresses, if the file says so
    bearer: str  # one of BEARERS
    addresses: tuple[Prefix, ...]
    from_ns: int  # valid from this time on, nanoseconds since 1970 UTC
    until_ns: int  # and before this one


class Networks:
    """All entries of a file. Longest prefix first, so an entry may carve a part out of another."""

    def __init__(self, entries: tuple[NetworkEntry, ...]) -> None:
        self.entries = entries
        self._ranges: dict[tuple[int, int], dict[int, list[NetworkEntry]]] = {}  # (address bits, prefix bits)
        for entry in entries:
            for prefix in entry.addresses:
                bits, length = prefix.max_prefixlen, prefix.prefixlen
                start = int(prefix.network_address) >> (bits - length)
                self._ranges.setdefault((bits, length), {}).setdefault(start, []).append(entry)
        self._lengths = sorted(self._ranges, reverse=True)
        self._remembered: dict[str, tuple[NetworkEntry, ...]] = {}

    @classmethod
    def load(cls, path: str) -> Networks:
        """Reads the file at `path`. Raises FileMistake, which names file, entry and key."""
        return cls(tuple(_Reader(path).entries()))

    def lookup(self, address: str, time_ns: int) -> NetworkEntry | None:
        """The entry whose range holds `address` at that time: of several the one with the longest prefix."""
        found = self._remembered.get(address)
        if found is None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[address] = tuple(self._holding(address))
        for entry in found:
            if entry.from_ns <= time_ns < entry.until_ns:
                return entry
        return None

    def _holding(self, address: str) -> Iterator[NetworkEntry]:
        try:
            parsed = ip_address(address)
        except ValueError:
            return
        for bits, length in self._lengths:
            if bits == parsed.max_prefixlen:
                yield from self._ranges[bits, length].get(int(parsed) >> (bits - length), ())

    def carrier(self, mcc: str, mnc: str) -> Carrier | None:
        """The network of that code as this file names it."""
        return next((e.network for e in self.entries if (e.network.mcc, e.network.mnc) == (mcc, mnc)), None)


class _Reader(TomlFile):
    """One reading of a networks file."""

    def entries(self) -> Iterator[NetworkEntry]:
        seen: dict[Prefix, list[NetworkEntry]] = {}
        for number, table in enumerate(self.tables("network"), 1):
            entry = self.entry(number, table)
            for prefix in entry.addresses:
                self.unclaimed(prefix, entry, seen.setdefault(prefix, []))
            yield entry

    def entry(self, number: int, table: dict[str, Any]) -> NetworkEntry:
        name = self.text(table, "name")
        if name is not None:
            self.where += f' ("{name}")'
        self.known(table, KEYS)
        if name is None:
            raise self.mistake("name: missing")
        mcc = self.text(table, "mcc", "[0-9]{3}", 'three digits in quotes, such as "234"')
        mnc = self.text(table, "mnc", "[0-9]{2,3}", 'two or three digits in quotes, such as "10"')
        if (mcc is None) != (mnc is None):
            raise self.mistake("mcc, mnc: give both or none")
        country = self.text(table, "country", "[A-Z]{2}", 'two capital letters, such as "GB"')
        if country is None and mcc is not None and mnc is not None:
            known = plmn(mcc, mnc)
            country = known.country if known else None
        first, last = self.day(table, "valid_from"), self.day(table, "valid_until")
        if first is not None and last is not None and last < first:
            raise self.mistake("valid_until: lies before valid_from")
        from_ns, until_ns = days_ns(first, last)
        network = Carrier(name, country, mcc, mnc, (f"--networks entry {number}",))
        return NetworkEntry(
            number=number,
            network=network,
            home=self.home(table, network),
            bearer=self.bearer(table),
            addresses=tuple(self.addresses(table)),
            from_ns=from_ns,
            until_ns=until_ns,
        )

    def home(self, table: dict[str, Any], network: Carrier) -> Carrier | None:
        """The network's own code holds for its own subscribers; what code a virtual operator has, we don't know."""
        name = self.text(table, "home_operator")
        if name is None or name == network.name:
            return None if name is None else network
        return Carrier(name, network.country, None, None, network.evidence)

    def bearer(self, table: dict[str, Any]) -> str:
        bearer = self.text(table, "bearer") or "unknown"
        if bearer not in BEARERS:
            raise self.mistake(f"bearer: must be one of {', '.join(BEARERS)}")
        return bearer

    def addresses(self, table: dict[str, Any]) -> Iterator[Prefix]:
        ranges = table.get("addresses")
        if not isinstance(ranges, list) or not ranges:
            raise self.mistake('addresses: must be a list of ranges, such as ["192.0.2.0/26"]')
        for text in ranges:
            if not isinstance(text, str):
                raise self.mistake(f"addresses: {text} must be a range in quotes")
            try:
                prefix = ip_network(text, strict=False)
            except ValueError:
                raise self.mistake(f'addresses: "{text}" is no IPv4 or IPv6 range') from None
            if "/" in text and ip_address(text.split("/")[0]) != prefix.network_address:
                raise self.mistake(f'addresses: "{text}" begins inside a range; did you mean "{prefix}"?')
            yield prefix

    def unclaimed(self, prefix: Prefix, entry: NetworkEntry, others: list[NetworkEntry]) -> None:
        """The same range twice is fine only at different times."""
        for other in others:
            if entry.from_ns < other.until_ns and other.from_ns < entry.until_ns:
                raise self.mistake(f"addresses: {prefix} is in network {other.number} too, at the same time")
        others.append(entry)
