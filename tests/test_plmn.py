"""The table of mobile networks, and what an IMSI says of its network."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from leakscan.plmn import TABLE, plmn, plmn_candidates, plmn_of


def rows() -> list[list[str]]:
    return [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def test_the_table_is_large_sorted_unique_and_says_where_it_is_from() -> None:
    head = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert "MIT" in "".join(head)
    assert re.search(r"Published: \d{4}-\d\d-\d\d\. Networks: (\d+)\.", "".join(head))[1] == str(len(rows()))  # type: ignore[index]
    assert len(rows()) >= 3000
    assert rows() == sorted(rows())
    assert len({(mcc, mnc) for mcc, mnc, *_ in rows()}) == len(rows())


def test_every_row_is_whole() -> None:
    for mcc, mnc, country, name in rows():
        assert re.fullmatch("[2-79][0-9]{2}|001", mcc)
        assert re.fullmatch("[0-9]{2,3}", mnc)
        assert re.fullmatch("[A-Z]{2}|", country)
        assert name == name.strip() != ""


@pytest.mark.parametrize(
    ("mcc", "mnc", "country", "name"),
    [
        ("234", "10", "GB", "O2 (UK)"),
        ("234", "15", "GB", "Vodafone UK"),
        ("310", "260", "US", "T-Mobile"),  # also listed for Puerto Rico and the US Virgin Islands
        ("311", "480", "US", "Verizon"),
        ("001", "01", None, "TEST"),
        ("999", "99", None, "Internal use"),
    ],
)
def test_known_networks(mcc: str, mnc: str, country: str | None, name: str) -> None:
    found = plmn(mcc, mnc)
    assert found == (mcc, mnc, country, name)
    assert found.code == f"{mcc}-{mnc}"
    assert plmn_of(found.code) == found


@pytest.mark.parametrize(("mcc", "mnc"), [("234", "010"), ("23", "410"), ("2341", "0"), ("000", "00"), ("", "")])
def test_unknown_networks(mcc: str, mnc: str) -> None:
    assert plmn(mcc, mnc) is None


@pytest.mark.parametrize("code", ["23410", "234-", "-10", "", "234-10-1"])
def test_what_is_no_code(code: str) -> None:
    assert plmn_of(code) is None


@pytest.mark.parametrize(
    ("imsi", "codes"),
    [
        ("001010000000001", ["001-01"]),
        ("999990000000001", ["999-99"]),
        ("999999000000001", ["999-999", "999-99"]),
        ("714020000000000", ["714-020", "714-02"]),
        ("310260000000000", ["310-260"]),
        ("405840000000000", ["405-840"]),  # lists that lost a digit have a 405-84
        ("000000000000000", []),
        ("0010", []),
        ("", []),
    ],
)
def test_an_imsi_belongs_to_one_of(imsi: str, codes: list[str]) -> None:
    assert [row.code for row in plmn_candidates(imsi)] == codes


def test_countries_with_codes_of_one_length_only() -> None:
    lengths = defaultdict(set)
    for mcc, mnc, *_ in rows():
        lengths[mcc].add(len(mnc))
    assert {mcc: lengths[mcc] for mcc in ("302", "311", "316", "334", "330", "708", "732")} == {
        mcc: {3} for mcc in ("302", "311", "316", "334", "330", "708", "732")
    }
    assert all(lengths[mcc] == {2} for mcc in ("234", "404", "368", "370", "372", "716", "748"))
    assert all(lengths[mcc] == {2, 3} for mcc in ("374", "405", "502"))
