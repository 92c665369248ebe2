"""Behind a reverse proxy of one's own: who the visitor is, and which header lines are the proxy's own work.

Comes in: a request head and the address it came from. Goes out: the visitor's address, and the head without what the
trusted proxies wrote. Only an address that the operator named is believed; for everybody else X-Forwarded-For is just
another header, and evidence. State: the networks named.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from leakscan.errors import UsageError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: A proxy that chains more than that is a loop.
MAX_HOPS = 16


class Visitor(NamedTuple):
    """Who asks."""

    address: str
    lines: list[bytes]  # of the head, without the proxies' own
    proxied: bool  # through a trusted proxy
    encrypted: bool  # as far as that proxy: X-Forwarded-Proto: https


class Proxies:
    """The trusted ones: addresses or networks, "192.0.2.1" or "192.0.2.0/24". Another word raises UsageError."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._networks: list[_Network] = []
        for name in names:
            try:
                self._networks.append(ipaddress.ip_network(name))
            except ValueError as error:
                raise UsageError(f"trusted proxy {name!r}: an address or a network is needed, {error}") from error

    def trusts(self, address: str) -> bool:
        return self._trusts(_parsed(address))

    def _trusts(self, address: _Address | None) -> bool:
        return address is not None and any(
            address.version == network.version and address in network for network in self._networks
        )

    def visitor(self, peer: str, lines: list[bytes]) -> Visitor:
        """Who is behind `peer`. X-Forwarded-For is read from its end, where the proxy next to us wrote, as long as it
        was written by a trusted one; what was in it before stays: that is what the visitor's network said.
        """
        at = _parsed(peer)
        if at is None or not self._trusts(at):
            return Visitor(peer, lines, False, False)
        kept = list(lines)
        written = {str(at)}
        for index in range(len(kept) - 1, 0, -1):
            name, colon, value = kept[index].partition(b":")
            if not colon or name.strip().lower() != b"x-forwarded-for":
                continue
            members = value.split(b",")
            for _ in range(MAX_HOPS):
                before = _parsed(members[-1].decode("latin-1")) if members and self._trusts(at) else None
                if before is None:
                    break
                members.pop()
                at = before
                written.add(str(at))
            if members:
                kept[index] = name + colon + b",".join(members)
            else:
                del kept[index]
            if not self._trusts(at):
                break
        encrypted = any(_is(line, b"x-forwarded-proto", {"https"}) for line in kept)
        return Visitor(str(at), [line for line in kept if not _is(line, b"x-real-ip", written)], True, encrypted)


def _is(line: bytes, name: bytes, values: set[str]) -> bool:
    start, _, value = line.partition(b":")
    return start.strip().lower() == name and value.decode("latin-1").strip().lower() in values


def _parsed(text: str) -> _Address | None:
    """An address as proxies write it, perhaps with brackets or a port; v4 in v6 as v4."""
    text = text.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
