"""Autonomous systems from a database of the operator's own; mistakes are said in its words."""

from __future__ import annotations

import builtins
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from leakscan import scan
from leakscan.carriers import AsnDatabase, Attributor
from leakscan.carriers.asn import System
from leakscan.cli import run
from leakscan.errors import FileMistake, MissingExtra
from tests.mmdb import mmdb

NETWORK = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Mobile"}
RANGES = {
    "192.0.2.0/25": NETWORK,
    "192.0.2.128/25": {"asn": "AS64501", "as_name": "Other Telecom", "country_code": "DE"},
    "198.51.100.0/24": {"autonomous_system_number": 64502},
}


@pytest.fixture
def database(tmp_path: Path) -> AsnDatabase:
    path = tmp_path / "asn.mmdb"
    path.write_bytes(mmdb(RANGES))
    return AsnDatabase(str(path))


@pytest.mark.parametrize(
    ("address", "system"),
    [
        ("192.0.2.1", System(64500, "Example Mobile", None)),
        ("192.0.2.200", System(64501, "Other Telecom", "DE")),
        ("198.51.100.7", System(64502, "AS64502", None)),
        ("203.0.113.9", None),
        ("2001:db8::1", None),
        ("", None),
    ],
)
def test_lookup(database: AsnDatabase, address: str, system: System | None) -> None:
    assert database.lookup(address) == system
    assert pickle.loads(pickle.dumps(database)).lookup(address) == system


def test_what_the_address_says(database: AsnDatabase) -> None:
    network = Attributor(None, database).place("192.0.2.1", 0).network
    assert network is not None
    assert (network.name, network.mcc) == ("Example Mobile", None)
    assert network.evidence == ("AS64500 Example Mobile: client in 192.0.0.0/16",)  # never the address itself


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is no MMDB database, or a damaged one"),
        (b"a list of systems", "is no MMDB database, or a damaged one"),
        (mmdb(RANGES)[:-40], "is no MMDB database, or a damaged one"),
        (mmdb({"192.0.2.0/24": {"city": "Reading"}}, "Test-City"), "is no database of autonomous systems"),
        (mmdb({"192.0.2.0/24": "AS64500"}), "is no database of autonomous systems"),
        (mmdb({}), "is no database of autonomous systems"),
    ],
)
def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, reason: str) -> None:
    path = tmp_path / "asn.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileMistake) as mistake:
        AsnDatabase(str(path))
    assert str(mistake.value) == f"{path}: {reason}"
    assert run(["analyse", "--asn-db", str(path), "fixtures/clean.pcap"]) == 2
    assert reason in capsys.readouterr().err


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "maxminddb":
            raise ImportError
        return wanted(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'leakscan\[asn\]'"):
        AsnDatabase("asn.mmdb")


def test_requests_count_for_the_system(database: AsnDatabase, capsys: pytest.CaptureFixture[str]) -> None:
    run(["analyse", "-q", "-f", "json", "--asn-db", database.path, "fixtures/tokens-cookies-query.pcap"])
    result = json.loads(capsys.readouterr().out)
    assert result["run"]["settings"]["asn_db"] == database.path
    rows = {row["name"]: row for row in result["summary"]["carriers"]}
    assert rows["Example Mobile"]["requests"] == result["summary"]["total"]["requests"]
    assert rows["unattributed"]["requests"] == 0
    assert rows["Verizon"]["network"]["evidence"] == [
        "AS64500 Example Mobile: client in 192.0.0.0/16",
        "x-uidh: PLMN 311-480",
    ]


def test_the_library_takes_it_too(database: AsnDatabase) -> None:
    *leaks, summary = scan(["fixtures/tokens-cookies-query.pcap"], asn_db=database.path)
    assert len(leaks) == 9
    assert {row["name"] for row in summary.to_dict()["carriers"]} == {"Verizon", "Example Mobile", "unattributed"}
