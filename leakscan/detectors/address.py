"""Subscriber addresses: the private address behind the network's translator.

What: an address of the ranges that are used inside networks only: RFC 1918, carrier-grade NAT (RFC 6598), DS-Lite and
464XLAT (RFC 6333, RFC 7335), link-local, unique local IPv6 (RFC 4193), NAT64 prefixes (RFC 6052, RFC 8215).

Why it matters: together with the time it singles out one subscriber behind a shared public address, and it tells
sites how the network is built inside.

What counts: such an address under a name that mobile gateways use is confirmed; under a name that any proxy writes
(X-Forwarded-For, Forwarded, X-Real-IP, Client-IP) it is probable at most, because a site's own load balancer writes the
same. Severity is low.

What does not: public addresses, loopback, unspecified and multicast addresses; ports and names.

Example: `x-wap-client-ip: 100.64.7.9`

Sources: IANA's registries of special-purpose addresses; the RFCs named above; RFC 7239 for Forwarded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from leakscan.detectors.catalogue import Signature
from leakscan.detectors.verdict import IS_PLACEHOLDER, REJECTED, VALID, Verdict, is_placeholder

MAX_MEMBERS = 32
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FORWARDED = re.compile(r"\bfor=([^;,\s]+)", re.IGNORECASE)
_LABEL = re.compile(r"(?:ip|addr|address)\s*[=:]\s*", re.IGNORECASE)


def check(value: str, signature: Signature) -> Verdict:
    """The first address of a comma list that lies in one of RANGES."""
    members = value.split(",", MAX_MEMBERS)[:MAX_MEMBERS]
    for member in members:
        if found := _private(member):
            text, word = found
            return Verdict(VALID, text, evidence=(word, *(("one of several",) if len(members) > 1 else ())))
    return IS_PLACEHOLDER if is_placeholder(value.strip()) else REJECTED


def check_forwarded(value: str, signature: Signature) -> Verdict:
    """The `for=` nodes of RFC 7239 section 5.2."""
    return check(",".join(found[1] for found in _FORWARDED.finditer(value)), signature)


def parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as gateways write it: with quotes, brackets, a port, a zone, or a label before it."""
    text = _LABEL.sub("", text.strip().strip("\"'")).partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if not 2 <= len(text) <= 45 or not text.isascii():
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _private(text: str) -> tuple[str, str] | None:
    address = parse(text)
    if address is None:
        return None
    for network, word in RANGES.items():
        if address.version == network.version and address in network:
            return str(address), word
    return None


#: Python's own is_private changed its mind between versions and leaves out 100.64.0.0/10, so the ranges stand here.
RANGES: Mapping[_Network, str] = {
    ipaddress.IPv4Network("10.0.0.0/8"): "RFC 1918",
    ipaddress.IPv4Network("172.16.0.0/12"): "RFC 1918",
    ipaddress.IPv4Network("192.168.0.0/16"): "RFC 1918",
    ipaddress.IPv4Network("100.64.0.0/10"): "carrier-grade NAT",
    ipaddress.IPv4Network("192.0.0.0/29"): "DS-Lite or 464XLAT",
    ipaddress.IPv4Network("169.254.0.0/16"): "link-local",
    ipaddress.IPv6Network("fc00::/7"): "unique local",
    ipaddress.IPv6Network("fe80::/10"): "link-local",
    ipaddress.IPv6Network("64:ff9b::/96"): "NAT64",
    ipaddress.IPv6Network("64:ff9b:1::/48"): "NAT64",
}
