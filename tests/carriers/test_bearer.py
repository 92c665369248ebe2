"""Cellular, Wi-Fi, or nobody can tell; and why."""

from __future__ import annotations

import pytest

from leakscan.carriers.bearer import BEARER_RULES, CORE_RULES, bearer_of, of_matches, of_path
from leakscan.detectors import builtin
from leakscan.model import Carrier, Field, Match, Origin
from leakscan.networks import NetworkEntry
from leakscan.times import ALWAYS, NEVER

ETHERNET, RADIOTAP = 1, 127
NR1 = ("--networks entry 1",)


def entry(bearer: str) -> NetworkEntry:
    return NetworkEntry(1, Carrier("Testnet", None, None, None, NR1), None, bearer, (), ALWAYS, NEVER)


def match(rule: str, value: str, place: str = "header", evidence: tuple[str, ...] = ()) -> Match:
    field = Field(place, rule, value)
    return Match(field, rule, "subscriber_profile", value, value, (), "hint", "medium", False, "unknown", evidence)


@pytest.mark.parametrize(
    ("link", "interface", "tunnel", "teid", "known", "bearer", "evidence"),
    [
        (ETHERNET, "", "", False, None, "unknown", ()),
        (ETHERNET, "", "", False, "cellular", "cellular", NR1),
        (ETHERNET, "", "", False, "wifi", "wifi", NR1),
        (ETHERNET, "", "", False, "unknown", "unknown", ()),
        (ETHERNET, "", "", True, None, "cellular", ("GTP-U tunnel",)),
        (ETHERNET, "", "gtp-u", False, None, "cellular", ("GTP-U tunnel",)),
        (ETHERNET, "", "gprs-ns", False, None, "cellular", ("GPRS Gb",)),
        (ETHERNET, "", "gre", False, None, "unknown", ()),
        (ETHERNET, "rmnet_data0", "", False, None, "cellular", ("interface rmnet*",)),
        (ETHERNET, "WLAN0", "", False, None, "wifi", ("interface wlan*",)),
        (ETHERNET, "eth0", "", False, None, "unknown", ()),
        (RADIOTAP, "", "", False, None, "wifi", ("link type 127 (802.11)",)),
        (RADIOTAP, "wlan0", "", False, None, "wifi", ("interface wlan*", "link type 127 (802.11)")),
        # Wi-Fi calling comes to the core in GTP-U.
        (ETHERNET, "", "", True, "wifi", "wifi", (*NR1, "conflict: GTP-U tunnel (cellular)")),
    ],
)
def test_by_the_path(
    link: int, interface: str, tunnel: str, teid: bool, known: str | None, bearer: str, evidence: tuple[str, ...]
) -> None:
    votes = of_path(Origin("x.pcap", link, 6, interface), tunnel, teid, entry(known) if known else None)
    assert bearer_of(votes) == (bearer, evidence)


@pytest.mark.parametrize(
    ("rule", "value", "bearer", "evidence"),
    [
        ("x-wap-3gpp-rat-type", "6", "cellular", "x-wap-3gpp-rat-type: E-UTRAN"),
        ("x-wap-3gpp-rat-type", "3", "wifi", "x-wap-3gpp-rat-type: WLAN"),
        ("x-rat-type", "51", "cellular", "x-rat-type: NR"),
        ("x-rat-type", "UTRAN", "cellular", "x-rat-type: utran"),
        ("x-nokia-musicshop-bearer", "WLAN", "wifi", "x-nokia-musicshop-bearer: wlan"),
        ("x-up-bear-type", "GPRS/EDGE", "cellular", "x-up-bear-type: gprs"),
        ("bearer-indication", "GPRS", "cellular", "bearer-indication: gprs"),
        ("x-orange-rat", "3G", "cellular", "x-orange-rat: 3g"),
        ("x-network-type", "WiFi", "wifi", "x-network-type: wifi"),
        ("user-identity-forward.network-access-type", "GPRS", "cellular", "network-access-type: gprs"),
        ("x-up-bearer-type", "6", "unknown", ""),  # a number of nobody knows which list
        ("x-network-type", "fast", "unknown", ""),
        ("x-online-host", "wap.example:80", "cellular", "header x-online-host"),
        ("sgsn-ip-address", "203.0.113.10", "cellular", "header sgsn-ip-address"),
        ("x-nokia-gateway-id", "NWG/4.1/Build4.1.04", "cellular", "header x-nokia-gateway-id"),
        # A leak is no evidence for its own bearer.
        ("x-up-calling-line-id", "447700900123", "unknown", ""),
        ("x-up-subno", "b01_0123456789_gw.tim.it", "unknown", ""),
    ],
)
def test_by_what_stands_in_the_headers(rule: str, value: str, bearer: str, evidence: str) -> None:
    assert bearer_of(of_matches([match(rule, value)])) == (bearer, (evidence,) if evidence else ())


def test_gateways_in_via() -> None:
    assert bearer_of(of_matches([match("via", "1.1 x", evidence=("known name", "WAP gateway"))])) == (
        "cellular",
        ("header via",),
    )
    assert of_matches([match("via", "1.1 x", evidence=("known name", "Bytemobile optimiser"))]) == []


def test_words_come_before_names_and_contradictions_are_shown() -> None:
    said = [match("x-nokia-gateway-id", "NWG"), match("x-rat-type", "3"), match("x-rat-type", "3")]
    assert bearer_of(of_matches(said)) == (
        "wifi",
        ("x-rat-type: WLAN", "conflict: header x-nokia-gateway-id (cellular)"),
    )


def test_where_clients_write_names_of_nodes_say_nothing() -> None:
    assert of_matches([match("apn", "cmwap", place="query")]) == []


def test_every_rule_is_in_the_catalogue() -> None:
    assert (BEARER_RULES | CORE_RULES) - builtin().signatures.keys() == set()
