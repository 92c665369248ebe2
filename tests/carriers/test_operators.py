"""The tables of operators' domains, access points and brands."""

from __future__ import annotations

import pytest

from leakscan.detectors import builtin
from leakscan.operators import (
    APN_ROWS,
    APNS,
    BRANDS,
    DOMAIN_ROWS,
    DOMAINS,
    SOURCES,
    brand_in,
    of_apn,
    of_brands,
    of_hosts,
)
from leakscan.plmn import plmn_of


@pytest.mark.parametrize("codes", [*DOMAINS.values(), *APNS.values()], ids=" ".join)
def test_every_code_is_assigned(codes: tuple[str, ...]) -> None:
    assert codes
    assert all(plmn_of(code) for code in codes)


def test_tables_are_written_as_they_are_looked_up() -> None:
    assert all(key == key.lower().strip() for table in (DOMAINS, APNS, BRANDS) for key in table)
    assert list(DOMAINS) == sorted(DOMAINS)


def test_every_row_names_its_source() -> None:
    named = {source for rows in (DOMAIN_ROWS, APN_ROWS) for _, source in rows.values()}
    assert named == set(SOURCES)


@pytest.mark.parametrize("begin", BRANDS)
def test_a_brand_has_headers_in_the_catalogue(begin: str) -> None:
    """Their entries name the sources."""
    assert any(name.startswith(begin) for entry in builtin().signatures.values() for name in entry.names)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("1.1 gw1.TIM.it:8080 (WAP)", "tim.it"),
        ("tim.it", "tim.it"),
        ("1.0 a.example, 1.1 b.o2.co.uk", "o2.co.uk"),
        ("notim.it", ""),
        ("tim.it.evil.example", ""),
        ("", ""),
        ("1.1 x.example " * 20 + "gw.tim.it", ""),  # past the bound
    ],
)
def test_hosts(text: str, domain: str) -> None:
    assert of_hosts(text) == (domain, DOMAINS.get(domain, ()))


@pytest.mark.parametrize(
    ("apn", "codes"),
    [
        ("cmwap", ("460-00",)),
        (" VZWINTERNET ", ("311-480",)),
        ("internet.mnc010.mcc234.gprs", ("234-10",)),
        ("x.mnc410.mcc310.gprs", ("310-410",)),
        ("internet", ()),
        ("x.mnc999.mcc234.gprs", ()),
    ],
)
def test_access_points(apn: str, codes: tuple[str, ...]) -> None:
    assert of_apn(apn) == codes


def test_brands() -> None:
    assert brand_in("X-Vodafone-MSISDN") == "Vodafone"
    assert brand_in("x-msisdn") == ""


@pytest.mark.parametrize(
    ("text", "domain", "codes"),
    [
        ("1.1 wap.turkcell.com.tr (WAP gateway)", "turkcell.com.tr", ("286-01",)),
        ("HTTP/1.1 gw1.o2.cz:8080", "o2.cz", ("230-02",)),
        ("gw.mtn.com.gh", "mtn.com.gh", ("620-01",)),
        ("1.1 varnish.example, 1.1 wap.three.co.uk", "", ()),  # a name that the table writes "3"
        ("1.1 turkcell.example.tr", "", ()),  # somebody's host of that name
        ("1.1 turkcell.com", "", ()),  # no country
        ("1.1 o2.cc", "", ()),
        ("1.1 10.0.0.1", "", ()),
        ("", "", ()),
    ],
)
def test_domains_called_like_an_operator_of_their_country(text: str, domain: str, codes: tuple[str, ...]) -> None:
    assert of_brands(text) == (domain, codes)
