"""Who did it: votes, agreement, conflict. Reserved numbers and networks, and the public codes of real operators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leakscan import carriers
from leakscan.carriers import Attributor, Place
from leakscan.model import Carrier, Field, Match, Message, Origin
from leakscan.networks import NetworkEntry, Networks
from leakscan.plmn import plmn_candidates
from leakscan.times import ALWAYS, NEVER

NR1 = ("--networks entry 1",)
O2 = Carrier("O2", "GB", "234", "10", NR1)
GIFFGAFF = Carrier("giffgaff", "GB", None, None, NR1)
HOTSPOT = Carrier("Home broadband", None, None, None, NR1)


def message(host: str = "news.example") -> Message:
    ends = ("192.0.2.1", 40000, "203.0.113.1", 80)
    return Message(
        Origin("x.pcap", 1, 6, ""), 0, 1, 1, "x.pcap", *ends, None, "", "http/1.1", "GET", "/", host, (), partial=False
    )


def match(carriers: tuple[str, ...] = (), home: tuple[str, ...] = (), **given: Any) -> Match:
    field = Field(given.pop("place", "header"), "x-test", "secret")
    values: dict[str, Any] = {
        "identifier": "subscriber_token",
        "value": "secret",
        "confidence": "confirmed",
        "rule": "x-test",
    }
    values |= {"origin": "unknown", "evidence": (), **given}
    values.setdefault("normal", values["value"])
    return Match(field=field, encoding=(), severity="high", rotating=False, carriers=carriers, home=home, **values)


def msisdn(number: str, **given: str) -> Match:
    return match(identifier="msisdn", value=number, **given)


def entry(network: Carrier, home: Carrier | None = None) -> NetworkEntry:
    return NetworkEntry(1, network, home, "cellular", (), ALWAYS, NEVER)


def who(
    *found: Match, place: NetworkEntry | None = None, host: str = "news.example", system: Carrier | None = None
) -> tuple[Carrier | None, Carrier | None]:
    """Of the first of the matches in one request."""
    attributor = Attributor(Networks((place,)) if place else None)
    return tuple(attributor.attribute(message(host), found, found[0], Place(place, system)))  # type: ignore[return-value]


def test_nothing_is_known_without_evidence() -> None:
    assert who(match()) == (None, None)


def test_the_file_names_network_and_home_operator() -> None:
    assert who(match(), place=entry(O2, GIFFGAFF)) == (O2, GIFFGAFF)
    assert who(match(), place=entry(O2)) == (O2, None)


def test_codes_in_name_and_value_are_two_questions() -> None:
    network, home = who(match(carriers=("234-15",), home=("001-01",)))
    assert network == Carrier("Vodafone UK", "GB", "234", "15", ("x-test: PLMN 234-15",))
    assert home == Carrier("TEST", None, "001", "01", ("subscriber_token: PLMN 001-01",))


def test_a_code_that_nobody_has_stands_for_itself() -> None:
    assert who(match(home=("999-01",)))[1] == Carrier("999-01", None, "999", "01", ("subscriber_token: PLMN 999-01",))


def test_the_file_names_a_code_as_the_operator_does() -> None:
    home = who(match(home=("234-10",)), place=entry(O2))[1]
    assert home == replace(O2, evidence=("subscriber_token: PLMN 234-10",))


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
    assert who(match(carriers=carriers), place=entry(place))[0] == replace(place, evidence=evidence)


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
    network, found = who(match(home=home, identifier="imsi"), place=entry(O2, filed))
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
        (
            "12025550123",
            ("conflict: msisdn: country code +1 (roaming?)",),
            ("conflict: msisdn: country code +1 (a number of another country?)",),
        ),
        ("00", (), ()),
        ("4²", (), ()),
        ("", (), ()),
    ],
)
def test_a_country_code_supports_or_contradicts_but_names_nobody(
    number: str, network: tuple[str, ...], home: tuple[str, ...]
) -> None:
    place = entry(O2, GIFFGAFF)
    assert who(msisdn(number), place=place) == (
        replace(O2, evidence=NR1 + network),
        replace(GIFFGAFF, evidence=NR1 + home),
    )
    assert who(msisdn(number)) == (None, None)
    assert who(msisdn(number, confidence="hint"), place=place) == (O2, GIFFGAFF)


def test_a_national_number_has_no_country() -> None:
    """+20 is Egypt, and 202 is Washington."""
    number = replace(msisdn("2025550123"), evidence=("national number",))
    assert who(number, place=entry(O2, GIFFGAFF)) == (O2, GIFFGAFF)


def test_all_of_a_requests_headers_speak_for_all_of_its_leaks() -> None:
    """A gateway that writes number, card and its own name: each leak is of this subscriber on this network."""
    request = (
        msisdn("447700900123"),
        match(identifier="imsi", rule="x-imsi", home=("234-10",)),
        match(identifier="apn_or_network_node", rule="via", value="1.1 gw3.wap.o2.co.uk (Nokia WAP Gateway)"),
    )
    network, home = who(*request)
    assert network == Carrier("O2 (UK)", "GB", "234", "10", ("via: o2.co.uk, PLMN 234-10",))
    assert home == Carrier("O2 (UK)", "GB", "234", "10", ("imsi: PLMN 234-10", "msisdn: country code +44"))


@pytest.mark.parametrize("other", [{"place": "query"}, {"place": "referer"}, {"origin": "client-sent"}])
def test_what_the_client_wrote_speaks_for_itself_only(other: dict[str, str]) -> None:
    written = match(("234-15",), ("234-15",), **other)
    assert who(msisdn("447700900123"), written) == (None, None)
    assert who(written, match(home=("234-10",)))[1].name == "Vodafone UK"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rule", "value", "name", "evidence"),
    [
        ("via", "WTP/1.1 BJ-GW01-WAP.bj.chinamobile.com (Nokia WAP Gateway 4.1)", "China Mobile", "via: chinamobile.com, PLMN 460-00"),
        ("via", "1.1 wap.turkcell.com.tr", "Turkcell", "via: turkcell.com.tr, PLMN 286-01"),
        ("via", "1.1 proxy.example", None, ""),
        ("via", "1.1 gw.notchinamobile.com", None, ""),
        ("x-operator-domain", "tim.it", "TIM", "x-operator-domain: tim.it, PLMN 222-01"),
        ("x-nai-id", "user@gw.sprintpcs.com", "T-Mobile", "x-nai-id: sprintpcs.com, PLMN 310-120"),
        ("x-up-uplink", "up1.vodafone.co.uk", "Vodafone UK", "x-up-uplink: vodafone.co.uk, PLMN 234-15"),
        ("apn", "CMWAP", "China Mobile", "apn: access point of PLMN 460-00"),
        ("called-station-id", "internet.mnc010.mcc234.gprs", "O2 (UK)", "called-station-id: access point of PLMN 234-10"),
        ("apn", "internet", None, ""),
        ("x-test", "tim.it", None, ""),  # a rule whose values are no hosts
    ],
)  # fmt: skip
def test_domains_and_access_points(rule: str, value: str, name: str | None, evidence: str) -> None:
    network, _ = who(match(identifier="apn_or_network_node", rule=rule, value=value))
    assert (network.name if network else None) == name
    assert network is None or network.evidence == (evidence,)


def test_a_sites_own_balancer_is_no_gateway() -> None:
    via = match(identifier="apn_or_network_node", rule="via", value="1.1 lb2.o2.co.uk")
    assert who(via, host="shop.o2.co.uk")[0] is None
    assert who(via, host="shop.example")[0] is not None


@pytest.mark.parametrize(
    ("rule", "number", "name", "mnc"),
    [
        ("x-vodafone-msisdn", "447700900123", "Vodafone UK", "15"),
        ("x-h3g-msisdn", "447700900123", "3", "20"),
        ("x-vodafone-msisdn", "12025550123", "Vodafone", None),  # no network of theirs there
        ("x-vf-acr", "", "Vodafone", None),
        ("x-msisdn", "447700900123", None, None),
    ],
)
def test_a_brand_in_a_name_and_the_country_of_the_number(
    rule: str, number: str, name: str | None, mnc: str | None
) -> None:
    found = msisdn(number, rule=rule) if number else match(rule=rule)
    network, _ = who(found)
    assert (network.name if network else None) == name
    assert network is None or network.mnc in (mnc, None)


def test_a_groups_name_that_was_seen_in_another_country() -> None:
    """The catalogue knows x-h3g-msisdn from Italy; the number is of another country where the group has a network."""
    network, _ = who(msisdn("447700900123", rule="x-h3g-msisdn", carriers=("222-99",)))
    assert network is not None
    assert (network.name, network.mcc, network.evidence) == ("3", "234", ("x-h3g-msisdn: 3 in GB",))
    network, _ = who(match(rule="x-h3g-msisdn", carriers=("222-99",)))
    assert network is not None
    assert (network.mcc, network.evidence) == ("222", ("x-h3g-msisdn: PLMN 222-99",))


def test_a_gateways_product_that_names_its_operators_group() -> None:
    via = match(
        identifier="apn_or_network_node", rule="via", value="1.1 XMG-31_VODAFONE", evidence=("Vodafone gateway",)
    )
    network, _ = who(via, msisdn("447700900123"))
    assert network is not None
    assert (network.name, network.evidence) == ("Vodafone UK", ("via: Vodafone in GB",))


def test_all_leaks_of_a_request_came_over_one_network() -> None:
    one, other = (
        match(("262-01",), identifier="cell_location", rule="a"),
        match(("234-10",), identifier="cell_location", rule="b"),
    )
    attributor = Attributor(None)
    names = [attributor.attribute(message(), (one, other), leak, Place(None, None)).network for leak in (one, other)]
    assert names[0] == names[1] is not None


def test_a_token_with_a_code_is_made_by_that_operator() -> None:
    network, home = who(match(home=("001-01",)))
    assert network is not None and home is not None
    assert (network.name, home.name) == ("TEST", "TEST")
    assert who(match(home=("001-01",), place="query"))[0] is None


def test_the_holder_of_the_range_is_the_weakest(monkeypatch: pytest.MonkeyPatch) -> None:
    number = msisdn("447700900123")
    assert who(number) == (None, None)  # nobody's: kept for fiction
    monkeypatch.setattr(carriers, "range_holder", lambda digits: ("O2", "GB"))
    assert who(number)[1] == Carrier("O2", "GB", None, None, ("range of O2", "msisdn: country code +44"))
    _, home = who(number, match(identifier="imsi", home=("234-10",)))
    assert home is not None
    assert (home.name, home.evidence) == ("O2 (UK)", ("imsi: PLMN 234-10", "range of O2", "msisdn: country code +44"))
    monkeypatch.setattr(carriers, "range_holder", lambda digits: ("Three", "GB"))
    ported = "conflict: range of Three (ported, or a virtual operator?)"
    for others, place, name, evidence in (
        ([match(identifier="imsi", home=("234-10",))], None, "O2 (UK)", ("imsi: PLMN 234-10", ported)),
        ([match(identifier="imsi", home=("234-20",))], None, "3", ("imsi: PLMN 234-20", "range of Three")),
        ([], entry(O2, GIFFGAFF), "giffgaff", (*NR1, ported)),
    ):
        _, home = who(number, *others, place=place)
        assert home is not None
        assert (home.name, home.evidence[:2]) == (name, evidence)


def test_a_mobile_gateway_is_its_subscribers_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    imsi = match(identifier="imsi", home=("001-01",))
    core = match(identifier="apn_or_network_node", rule="x-nokia-gateway-id")
    network, home = who(imsi, core)
    assert (network, home) == (
        Carrier("TEST", None, "001", "01", ("a gateway of the subscriber's operator: imsi: PLMN 001-01",)),
        Carrier("TEST", None, "001", "01", ("imsi: PLMN 001-01",)),
    )
    assert who(imsi)[0] is None  # nothing says that a mobile network wrote it
    assert who(replace(imsi, origin="client-sent"), core)[0] is None
    roaming, _ = who(imsi, core, match(identifier="cell_location", carriers=("234-15",)))
    assert roaming is not None
    assert roaming.name == "Vodafone UK"
    monkeypatch.setattr(carriers, "range_holder", lambda digits: ("Testnet", "GB"))
    number = msisdn("447700900123")
    assert who(number, core)[0] is None  # numbers are ported there
    monkeypatch.setattr(carriers, "may_be_ported", lambda country: False)
    network, _ = who(number, core)
    assert network is not None
    assert network.name == "Testnet"


def test_equal_votes_that_contradict_each_other_name_both() -> None:
    network, _ = who(match(("234-15",), rule="a"), match(("234-10",), rule="b"))
    assert network == Carrier(
        "Vodafone UK or O2 (UK)", "GB", "234", None, ("a: PLMN 234-15", "conflict: b: PLMN 234-10")
    )


def test_an_autonomous_system_names_a_network_if_nothing_else_does() -> None:
    system = Carrier("Example Telecom Ltd", None, None, None, ("AS64500 Example Telecom Ltd: client in 192.0.0.0/16",))
    assert who(match(), system=system)[0] == system
    network, _ = who(match(("234-10",)), system=system)
    assert network is not None
    assert (network.name, network.evidence) == ("O2 (UK)", ("x-test: PLMN 234-10", *system.evidence))
    abroad = replace(system, country="DE")
    assert who(msisdn("447700900123"), system=abroad)[0] == replace(
        abroad, evidence=(*system.evidence, "conflict: msisdn: country code +44 (roaming?)")
    )


def test_evidence_holds_nothing_that_was_captured() -> None:
    via = match(identifier="apn_or_network_node", rule="via", value="1.1 secret.o2.co.uk", place="header")
    found = who(msisdn("447700900123"), via, place=entry(O2, GIFFGAFF))
    assert "secret" not in repr(found)
    assert "7700" not in repr(found)
