"""One request seen by its recipient: what it gives away, and what can be said of it.

Comes in: a Head and settings. Goes out: `Visit`: the message as received, its findings (masked, and with the values
that belong to the visitor and to nobody else), and the outcome. State: none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

from leakscan.conceal import Concealer
from leakscan.detectors.catalogue import Catalogue
from leakscan.fields import SPECIAL
from leakscan.model import CONFIDENCES, SEVERITIES, Head, Leak, Message, Pair
from leakscan.networks import WIFI
from leakscan.protocols import message_of
from leakscan.spine import Scan, Settings
from leakscan.summary import INCONCLUSIVE, LEAK, NONE_FOUND
from leakscan.web.arrival import Arrivals

#: A shorter value may stand in another header by chance.
MIN_SAME_CHARS = 6

#: Why a request says nothing of the visitor's mobile network: what it did.
PRIVATE = "came from a private address, so it did not cross a mobile network on its way here"
ENCRYPTED = "was encrypted on its way, so nobody could read it or add to it"
ON_WIFI = "came over Wi-Fi, so it did not cross a mobile network on its way here"
PROXIED = "came through {}, to which your phone speaks encrypted, so your network could not add to it"

#: Services that fetch pages for a phone which speaks to them encrypted -> how they give themselves away: the beginning
#: of a header's name, in lower case, and what stands in its value.
FETCHERS = (
    ("Opera Mini", "x-operamini-", ""),
    ("Puffin", "x-puffin-", ""),
    ("UC Browser's cloud", "x-ucbrowser-", ""),
    ("Chrome's data saver", "via", "Chrome-Compression-Proxy"),
    ("Amazon Silk's cloud", "user-agent", "Silk-Accelerated=true"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One identifier in the request."""

    masked: Leak  # as anybody may see it
    own: Leak  # the same with the value in it: for the visitor alone
    explain: str  # what the catalogue says of it; "" when it does not know the name
    added_by: str  # who writes such a name: network, app, device, proxy; "" when unknown


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, examined."""

    message: Message  # as received, header lines of trusted proxies included
    findings: tuple[Finding, ...]  # the worst first
    outcome: str  # leak, inconclusive, none-found
    because: tuple[str, ...]  # what it did that makes it inconclusive; also said beside a leak

    def is_suspicious(self, pair: Pair) -> bool:
        """Whether a header line holds something that was found, or the same value once more."""
        name, value = pair
        if value is None:
            return False
        place = SPECIAL.get(name.lower(), "header")
        for finding in self.findings:
            own = finding.own
            if own.place == place and (own.name == name if place == "header" else own.name.strip() in value):
                return True
            if own.place == place == "user-agent" or (len(own.value) >= MIN_SAME_CHARS and own.value in value):
                return True
        return False

    def is_target_suspicious(self) -> bool:
        return any(
            finding.own.place in ("query", "path")
            or (len(finding.own.value) >= MIN_SAME_CHARS and finding.own.value in self.message.target)
            for finding in self.findings
        )


def examine(head: Head, received: Head, settings: Settings, masked: Sequence[Leak], encrypted: bool) -> Visit:
    """What `head` gives away. `received` is the same with the lines of trusted proxies; `masked`: its leaks, as the
    spine makes them for everybody; `encrypted`: it came over HTTPS as far as a trusted proxy.
    """
    own = leaks_of(head, replace(settings, show_values=True, pseudonym_key=None))
    findings = [_finding(one, other, settings.catalogue) for one, other in zip(masked, own, strict=True)]
    findings.sort(key=lambda found: (-_worth(found.masked)[0], -_worth(found.masked)[1]))
    message = message_of(received)
    because = tuple(_doubts(message_of(head), masked, settings, encrypted))
    leaked = any(found.masked.confidence != CONFIDENCES[0] for found in findings)
    outcome = LEAK if leaked else INCONCLUSIVE if because else NONE_FOUND
    return Visit(message, tuple(findings), outcome, because)


def leaks_of(head: Head, settings: Settings) -> list[Leak]:
    """The leaks of one request, of which nothing is remembered."""
    arrivals = Arrivals()
    arrivals.put(head)
    scan = Scan(arrivals, (), settings, Concealer(settings.pseudonym_key, settings.show_values))
    return list(scan.leaks(live=True))


def _worth(leak: Leak) -> tuple[int, int]:
    return SEVERITIES.index(leak.severity), CONFIDENCES.index(leak.confidence)


def _finding(masked: Leak, own: Leak, catalogue: Catalogue) -> Finding:
    """Of a part of a composite value (`x-network-info.msisdn`) the part's entry says who writes it."""
    signature = catalogue.signatures.get(masked.rule) or catalogue.signatures.get(masked.rule.rpartition(".")[2])
    return Finding(masked, own, catalogue.explain(masked.rule), "" if signature is None else signature.added_by)


def _doubts(message: Message, leaks: Sequence[Leak], settings: Settings, encrypted: bool) -> list[str]:
    """Why a request in which nothing is found says nothing of the visitor's mobile network."""
    entry = settings.networks.lookup(message.client, message.time_ns) if settings.networks else None
    bearer = entry.bearer if entry is not None else ""
    found = []
    if encrypted:
        found.append(ENCRYPTED)
    if bearer == WIFI or any(leak.bearer == WIFI for leak in leaks):
        found.append(ON_WIFI)
    elif entry is None and _is_private(message.client):
        found.append(PRIVATE)
    for product, start, inside in FETCHERS:
        if any(value and name.lower().startswith(start) and inside in value for name, value in message.headers):
            found.append(PROXIED.format(product))
    return found


def _is_private(address: str) -> bool:
    """An address that no mobile network routes to here: loopback, link-local, RFC 1918, RFC 4193; not 100.64.0.0/10,
    which is behind a carrier's own address translation.
    """
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in _PRIVATE if network.version == parsed.version)


_PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "0.0.0.0/32"),
        *("::1/128", "::/128", "fe80::/10", "fc00::/7"),
    )
]
