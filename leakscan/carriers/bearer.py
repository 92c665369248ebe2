"""Which bearer a request came over: cellular, Wi-Fi, or nobody can tell; and why.

Comes in: where a request was captured, the operator's word on its address, and what was found in it. Goes out: votes,
the strongest first. The operator knows best (Wi-Fi calling also comes in GTP-U); then tunnels, interfaces and link
types; then words that gateways write about the bearer, and headers that only a mobile core writes.

A number or a token is no evidence for its own bearer, though gateways add it: else "all leaks were on cellular" would
be true by definition. No state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from leakscan.carriers.votes import conflict, words
from leakscan.model import Match, Origin
from leakscan.networks import CELLULAR, UNKNOWN, WIFI, NetworkEntry

#: Link types with addresses of stations, where ARP and its like can be seen: Ethernet, Linux cooked (1 and 2).
LINKS_WITH_NEIGHBOURS = frozenset({1, 113, 276})

Votes = list[tuple[str, str]]  # bearer, why


def bearer_of(votes: Votes) -> tuple[str, tuple[str, ...]]:
    """The strongest vote's bearer, and all evidence."""
    if not votes:
        return UNKNOWN, ()
    bearer = votes[0][0]
    return bearer, tuple(why if voted == bearer else conflict(why, voted) for voted, why in votes)


def of_path(origin: Origin, tunnel: str, in_gtp_u: bool, entry: NetworkEntry | None) -> Votes:
    """What is known of a request before its head is read."""
    votes: Votes = []
    if entry is not None and entry.bearer != UNKNOWN:
        votes.append((entry.bearer, entry.network.evidence[0]))
    if in_gtp_u or tunnel == "gtp-u":
        votes.append((CELLULAR, "GTP-U tunnel"))
    elif tunnel == "gprs-ns":
        votes.append((CELLULAR, "GPRS Gb"))
    name = origin.interface.lower()
    for start, bearer in INTERFACES:
        if name.startswith(start):
            votes.append((bearer, f"interface {start}*"))
            break
    if origin.link in WIFI_LINKS:
        votes.append((WIFI, f"link type {origin.link} (802.11)"))
    return votes


def of_matches(matches: Iterable[Match]) -> Votes:
    """What gateways and devices say of the bearer in the request's headers: each thing once, words before names."""
    said = list(dict.fromkeys(_spoken(matches)))
    wrote = [(CELLULAR, f"header {match.rule}") for match in matches if by_the_core(match)]
    return [*said, *dict.fromkeys(wrote)]


def _spoken(matches: Iterable[Match]) -> Iterator[tuple[str, str]]:
    for match in matches:
        rule = match.rule.rpartition(".")[2]  # of a composite value the part's
        if rule not in BEARER_RULES:
            continue
        value = match.value.strip().lower()
        if rule in RAT_RULES and value in RATS:
            word, bearer = RATS[value]
            yield bearer, f"{rule}: {word}"
        else:
            for word in _WORD.findall(value):
                if word in WORDS:
                    yield WORDS[word], f"{rule}: {word}"
                    break


def by_the_core(match: Match) -> bool:
    """Whether only a node of a mobile core writes this."""
    if match.field.place not in ("header", "cookie") and match.origin != "injected":
        return False
    if match.rule == "via":
        return any(word in _GATEWAY_WORDS for word in match.evidence)
    return match.rule.rpartition(".")[2] in CORE_RULES


_WORD = re.compile(r"[a-z0-9]+(?:[-.+][a-z0-9]+)*\+?")
#: Evidence of the Via check (detectors/node.py) that names a gateway between the core and the Internet. Optimisers and
#: transcoders also serve fixed lines, and an operator's domain may be its fixed network's.
_GATEWAY_WORDS = frozenset(
    {"WAP gateway", "mobile gateway", "GGSN", "China Mobile gateway", "Vodafone gateway", "Huawei gateway"}
    | {"WAP gateway by its host's name", "ZTE gateway", "Openwave gateway", "724 Solutions gateway"}
)

#: Rules (detectors/signatures.toml) whose value states the bearer or the radio technology.
BEARER_RULES = words(
    "bearer bearer-indication bearer-type negotiated-qos network-access-type new-bearer-header nokia-bearer "
    "p-access-network-info x-bearer-type x-huawei-networktype x-network-type x-nokia-bearer x-nokia-musicshop-bearer "
    "x-orange-rat x-rat-type x-up-bear-type x-up-bearer-type x-wap-3gpp-rat-type"
)
#: Of these the ones that may hold the number of a technology.
RAT_RULES = frozenset({"x-rat-type", "x-wap-3gpp-rat-type", "x-orange-rat"})
#: RAT type -> name and bearer: GTP (3GPP TS 29.274 section 8.17, TS 29.060 section 7.7.50), and RADIUS where it has its
#: own numbers (TS 29.061 section 16.4.7).
RATS: Mapping[str, tuple[str, str]] = {
    "1": ("UTRAN", CELLULAR),
    "2": ("GERAN", CELLULAR),
    "3": ("WLAN", WIFI),
    "4": ("GAN", WIFI),  # the cellular network over somebody's Wi-Fi, TS 43.318
    "5": ("HSPA+", CELLULAR),
    "6": ("E-UTRAN", CELLULAR),
    "8": ("NB-IoT", CELLULAR),
    "9": ("LTE-M", CELLULAR),
    "10": ("NR", CELLULAR),
    "51": ("NR", CELLULAR),
    "53": ("trusted WLAN", WIFI),
}
WORDS: Mapping[str, str] = {
    **dict.fromkeys(
        words(
            "1xrtt 2g 3g 4g 5g cdma cdma2000 csd e-utran edge eutran evdo ev-do geran gprs gsm hsdpa hspa hspa+ hsupa "
            "iden lte nb-iot nr td-scdma tdma umts utran w-cdma wcdma 3gpp-e-utran-fdd 3gpp-e-utran-tdd 3gpp-e-utran "
            "3gpp-utran-fdd 3gpp-utran-tdd 3gpp-utran 3gpp-geran 3gpp-nr-fdd 3gpp-nr-tdd 3gpp-nr"
        ),
        CELLULAR,
    ),
    **dict.fromkeys(words("wifi wi-fi wlan 802.11 ieee-802.11"), WIFI),
}
#: Rules of headers that only nodes of a mobile core write, or that only a phone behind one does (x-online-host). None
#: of them names a subscriber. Those of RADIUS (NAS-IP-Address, Called-Station-Id) are written by Wi-Fi gateways too.
CORE_RULES = words(
    "apn charging-characteristics charging-id roaming-information sgsn-ip-address x-3gpp-user-location-info x-apn-id "
    "x-called-station-id x-ggsnip x-huawei-nasip x-nokia-connection-mode x-nokia-gateway-id "
    "x-nokia-maxdownlinkbitrate x-nokia-maxuplinkbitrate x-nokia-prepaidind x-nokia-roaming x-online-host "
    "x-orange-roaming x-source-id x-up-subscriber-cos x-up-uplink x-user-location-info x-vodafone-3gpdpcontext "
    "x-vodafone-roamingind x-wap-3gpp-charging-id x-wap-3gpp-sgsn-address x-wap-3gpp-sgsn-mcc-mnc "
    "x-wap-3gpp-user-class"
)

#: Begins of interface names (pcapng) and the bearer behind them.
INTERFACES = (
    ("rmnet", CELLULAR),
    ("ccmni", CELLULAR),
    ("pdp_ip", CELLULAR),
    ("wwan", CELLULAR),
    ("wwp", CELLULAR),
    ("wlan", WIFI),
    ("wlp", WIFI),
)

#: Link types of 802.11 frames: bare, Prism, radiotap, AVS, PPI.
WIFI_LINKS = frozenset({105, 119, 127, 163, 192})
