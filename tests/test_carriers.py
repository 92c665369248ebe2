"""Who did it: votes, agreement, conflict. Reserved numbers and networks, and the public codes of real operators."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leakscan.carriers import attribute, bearer_of
from leakscan.model import Carrier, Field, Match, Message, Origin
from leakscan.networks import NetworkEntry, Networks
from leakscan.plmn import plmn_candidates
from leakscan.times import ALWAYS, NEVER

ETHERNET, RADIOTAP, NR1 = 1, 127, ("--networks entry 1",)
O2 = Carrier("O2", "GB", "234", "10", NR1)
GIFFGAFF = Carrier("giffgaff", "GB", None, None, NR1)
HOTSPOT = Carrier("Home broadband", None, None, None, NR1)


def message(link: int = ETHERNET, interface: str = "", teid: int | None = None, tunnel: str = "") -> Message:
    origin = Origin("x.pcap", link, 6, interface)
    ends = ("192.0.2.1", 40000, "203.0.113.1", 80)
    return Message(
        origin, 0, 1, 1, "x.pcap", *ends, teid, tunnel, "http/1.1", "GET", "/", "news.example", (), partial=False
    )


def match(carriers: tuple[str, ...] = (), home: tuple[str, ...] = (), **given: str) -> Match:
    field = Field("header", "x-test", "secret")
    values = {"identifier": "subscriber_token", "value": "secret", "normal": "secret", "confidence": "confirmed"}
    values |= given
    return Match(
        field=field,
        rule="x-test",
        encoding=(),
        severity="high",
        rotating=False,
        origin="unknown",
        evidence=(),
        carriers=carriers,
        home=home,
        **values,
    )


def msisdn(number: str, **given: str) -> Match:
    return match(identifier="msisdn", value=number, normal=number, **given)


def entry(network: Carrier, home: Carrier | None = None, bearer: str = "cellular") -> NetworkEntry:
    return NetworkEntry(1, network, home, bearer, (), ALWAYS, NEVER)


def who(found: Match, place: NetworkEntry | None = None) -> tuple[Carrier | None, Carrier | None]:
    networks = Networks((place,)) if place else None
    network, home, *_ = attribute(message(), found, networks, place)
    return network, home


def test_nothing_is_known_without_evidence() -> None:
    assert attribute(message(), match(), None, None) == (None, None, "unknown", ())


def test_the_file_names_network_and_home_operator() -> None:
    assert who(match(), entry(O2, GIFFGAFF)) == (O2, GIFFGAFF)
    assert who(match(), entry(O2)) == (O2, None)


def test_codes_in_name_and_value_are_two_questions() -> None:
    network, home = who(match(carriers=("234-15",), home=("001-01",)))
    assert network == Carrier("Vodafone UK", "GB", "234", "15", ("x-test: PLMN 234-15",))
    assert home == Carrier("TEST", None, "001", "01", ("subscriber_token: PLMN 001-01",))


def test_a_code_that_nobody_has_stands_for_itself() -> None:
    assert who(match(home=("999-01",)))[1] == Carrier("999-01", None, "999", "01", ("subscriber_token: PLMN 999-01",))


def test_the_file_names_a_code_as_the_operator_does() -> None:
    assert who(match(home=("234-10",)), entry(O2))[1] == replace(O2, evidence=("subscriber_token: PLMN 234-10",))


@pytest.mark.parametrize(
    ("place", "carriers", "evidence"),
    [
        (O2, ("234-10",), ("--networks entry 1", "x-test: PLMN 234-10")),
        (O2, ("234-10", "234-15"), ("--networks entry 1", "x-test: PLMN 234-10 or 234-15")),
        (O2, ("234-15",), ("--networks entry 1", "conflict: x-test: PLMN 234-15")),
        (HOTSPOT, ("234-15",), ("--networks entry 1", "x-test: PLMN 234-15")),  # says nothing that could contradict
    ],
)
def test_agreement_and_conflict_about_the_network(
    place: Carrier, carriers: tuple[str, ...], evidence: tuple[str, ...]
) -> None:
    assert who(match(carriers=carriers), entry(place))[0] == replace(place, evidence=evidence)


@pytest.mark.parametrize(
    ("filed", "home", "name", "evidence"),
    [
        # A virtual operator's subscriber has the host's code: the file alone knows the name.
        (GIFFGAFF, ("234-10",), "giffgaff", ("--networks entry 1", "imsi: PLMN 234-10")),
        (O2, ("234-10",), "O2", ("--networks entry 1", "imsi: PLMN 234-10")),
        # A roamer in the range: what is about this subscriber comes before what is about all of them.
        (O2, ("208-01",), "Orange", ("imsi: PLMN 208-01", "conflict: --networks entry 1")),
        (GIFFGAFF, ("208-01",), "Orange", ("imsi: PLMN 208-01", "conflict: --networks entry 1")),
    ],
)
def test_agreement_and_conflict_about_the_home_operator(
    filed: Carrier, home: tuple[str, ...], name: str, evidence: tuple[str, ...]
) -> None:
    network, found = who(match(home=home, identifier="imsi"), entry(O2, filed))
    assert network == O2  # whoever is at home elsewhere
    assert found is not None
    assert (found.name, found.evidence) == (name, evidence)


def test_an_ambiguous_imsi_keeps_what_its_candidates_share() -> None:
    codes = tuple(row.code for row in plmn_candidates("714020000000000"))
    assert who(match(home=codes, identifier="imsi"))[1] == Carrier(
        "Tigo", "PA", "714", None, ("imsi: PLMN 714-020 or 714-02",)
    )
    _, home = who(match(home=("001-01", "234-10")))
    assert home is not None
    assert (home.name, home.country, home.mcc, home.mnc) == ("TEST or O2 (UK)", None, None, None)


def test_the_same_mnc_of_two_countries_is_no_mnc() -> None:
    _, home = who(match(home=("234-10", "001-01", "202-10")))
    assert home is not None
    assert (home.mcc, home.mnc) == (None, None)


def test_too_many_candidates_name_nobody() -> None:
    assert who(match(carriers=("234-10", "234-15", "234-20", "234-33")))[0] is None


@pytest.mark.parametrize(
    ("number", "network", "home"),
    [
        ("447700900123", (), ("msisdn: country code +44",)),
        ("12025550123", ("conflict: msisdn: country code +1",), ("conflict: msisdn: country code +1",)),
        ("00", (), ()),
        ("4²", (), ()),
        ("", (), ()),
    ],
)
def test_a_country_code_supports_or_contradicts_but_names_nobody(
    number: str, network: tuple[str, ...], home: tuple[str, ...]
) -> None:
    place = entry(O2, GIFFGAFF)
    assert who(msisdn(number), place) == (
        replace(O2, evidence=NR1 + network),
        replace(GIFFGAFF, evidence=NR1 + home),
    )
    assert who(msisdn(number)) == (None, None)
    assert who(msisdn(number, confidence="hint"), place) == (O2, GIFFGAFF)


@pytest.mark.parametrize(
    ("seen", "place", "bearer", "evidence"),
    [
        (message(), None, "unknown", ()),
        (message(), entry(O2), "cellular", NR1),
        (message(), entry(HOTSPOT, bearer="wifi"), "wifi", NR1),
        (message(), entry(O2, bearer="unknown"), "unknown", ()),
        (message(teid=7), None, "cellular", ("GTP-U tunnel",)),
        (message(tunnel="gtp-u"), None, "cellular", ("GTP-U tunnel",)),
        (message(tunnel="gre"), None, "unknown", ()),
        (message(interface="rmnet_data0"), None, "cellular", ("interface rmnet*",)),
        (message(interface="WLAN0"), None, "wifi", ("interface wlan*",)),
        (message(interface="eth0"), None, "unknown", ()),
        (message(RADIOTAP), None, "wifi", ("link type 127 (802.11)",)),
        (message(RADIOTAP, "wlan0"), None, "wifi", ("interface wlan*", "link type 127 (802.11)")),
        (  # Wi-Fi calling comes to the core in GTP-U
            message(teid=7),
            entry(HOTSPOT, bearer="wifi"),
            "wifi",
            (*NR1, "conflict: GTP-U tunnel (cellular)"),
        ),
    ],
)
def test_bearer(seen: Message, place: NetworkEntry | None, bearer: str, evidence: tuple[str, ...]) -> None:
    assert bearer_of(seen, place) == (bearer, evidence)
    assert attribute(seen, match(), None, place)[2:] == (bearer, evidence)


def test_evidence_holds_nothing_that_was_captured() -> None:
    found = attribute(
        message(interface="wlan-secret"), msisdn("447700900123", confidence="confirmed"), None, entry(O2, GIFFGAFF)
    )
    assert "secret" not in repr(found)
    assert "7700" not in repr(found)
