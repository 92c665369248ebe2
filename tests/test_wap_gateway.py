"""Requests as the WAP gateways of several makers write them: every leak, every subscriber once, the carrier named, cellular,
and the descriptions of devices left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leakscan import scan
from leakscan.carriers import numbers
from tests.builders import pcap
from tests.streams import frames, request

FIXTURE = Path(__file__).parents[1] / "fixtures" / "wap-gateway.pcap"
PEOPLE = 3
OWN, SHARED, KEPT = "own addresses", "one address", "connections kept open"
HOSTS = ("news.example", "shop.example")
#: What the phone itself says of itself and its user's wishes.
PHONE = (
    "User-Agent: Nokia6288/2.0 (05.94) Profile/MIDP-2.0 Configuration/CLDC-1.1",
    "Accept: text/html, application/vnd.wap.xhtml+xml, application/vnd.wap.mms-message",
    'x-wap-profile: "http://nds1.nds.nokia.com/uaprof/N6288r100.xml"',
    "19-Profile: http://nds1.nds.nokia.com/uaprof/N6288r100.xml",
    "X-Up-Devcap-Screenpixels: 240,320",
    "X-Up-Devcap-Charset: utf-8",
)
#: Maker -> what its gateway adds; {n} is the subscriber.
GATEWAYS: Mapping[str, tuple[str, ...]] = {
    "Openwave": (
        "x-up-calling-line-id: 44770090010{n}",
        "x-up-subno: b01_01234567890{n}_wap.operator.example",
        "x-imsi: 00101000000010{n}",
        "x-up-bearer-type: GPRS",
        "Via: 1.1 up1.operator.example (Openwave Mobile Access Gateway)",
    ),
    "Nokia": (
        "X-Nokia-MSISDN: +44770090010{n}",
        "X-Nokia-IMSI: 00101000000010{n}",
        "X-Nokia-alias: 8f3a5b7c9d1e2f4a6b8c0d1e2f3a4b5{n}",
        "X-Nokia-Bearer: GPRS",
        "X-Nokia-ipaddress: 10.1.2.3",
        "X-Nokia-Gateway-Id: NWG/4.1/Build4.1.04",
        "Via: HTTP/1.1 gw01 (Nokia WAP Gateway 4.1/CD3/4.1.79)",
    ),
    "Nokia, in cookies": (  # as U Mobile's wrote them; a phone's own cookie stands before
        "Cookie: sid=5f2b; User-Identity-Forward-msisdn=44770090010{n}; Network-access-type=WCDMA; Charging-ID=123456789{n}; "
        "Called-Station-Id=wap.example; IMSI=00101000000010{n}; Accounting-Session-Id=001122334455667{n}; Bearer-Type=UDP; "
        "Charging-Characteristics=Postpaid; SGSN-IP-Address=203.0.113.10; IP-Address=10.0.0.{n}; "
        "User-Identity-Forward-ppp-username=void; WTLS-Security-Level=none; Roaming-Information=no",
        "X-Nokia-SGSN: 203.0.113.10",
        "X-Nokia-GGSN: 203.0.113.11",
        "X-Nokia-CHARGING_ID: 123456789{n}",
        "X-Nokia-CONNECTION_MODE: TCP",
        "X-Network-Info: UDP,security=0",
        "Via: Nokia WAP Server 1.1.1 (build 2271A)",
    ),
    "NowWAP": (
        "X-MSISDN: 44770090010{n}",
        "X-WAP-3GPP-SGSN-MCC-MNC: 00101",
        "X-WAP-3GPP-SGSN-ADDRESS: 203.0.113.10",
        "X-WAP-3GPP-IMSI: 00101000000010{n}",
        "X-WAP-Client-IP: 10.7.8.{n}",
    ),
    "FortiOS": ("Cookie: id=0123jf!a;x-up-calling-line-id=44770090010{n}", "Via: 1.1 gw (Openwave)"),
    "Kannel": ("X-WAP-Network-Client-MSISDN: 44770090010{n}", "Via: WTP/1.1 gw (Kannel/1.4.3)"),
    "Jataayu": (
        "x-msisdn: 0770090010{n}",
        "x-up-calling-line-id: 44770090010{n}",
        "X-Nokia-Roaming: 0",
        "Via: HTTP/1.1 gw (Jataayu CWS Gateway Version 4.2.0.CL_P1)",
    ),
    "Comverse": ("x-up-calling-line-id: 44770090010{n}", "x-up-subno: 1000120{n}", "Via: 1.1 wap3 (Comverse)"),
    "3GPP": (
        "x-wap-3gpp-msisdn: 44770090010{n}",
        "x-wap-3gpp-imsi: 00101000000010{n}",
        "x-wap-3gpp-rat-type: 1",
        "x-wap-3gpp-sgsn-mcc-mnc: 00101",
        "x-wap-3gpp-charging-id: 0A0B0C0{n}",
    ),
    "Huawei": (
        "x-up-calling-line-id: 44770090010{n}",
        "x-huawei-IMSI: 00101000000010{n}",
        "x-source-id: 203.0.113.4",
        "Via: WTP/1.1 BJ-GW01-WAP.bj.monternet.com (infoX-WISG, Huawei Technologies)",
    ),
}
#: Maker -> whose network it is: by a code or a domain, by the subscribers' IMSI, or because all three subscribers are this
#: operator's. What adds nothing but one name could be anybody's.
NETWORKS: Mapping[str, str] = {
    **dict.fromkeys(GATEWAYS, "TEST"),
    "Huawei": "China Mobile",
    **dict.fromkeys(("Jataayu", "Comverse"), "Testnet"),
    **dict.fromkeys(("FortiOS", "Kannel"), "unattributed"),
}
#: Evidence for the bearer, words for nothing, the phone's own, and no more.
SILENT = {
    "x-up-bearer-type", "x-nokia-bearer", "x-wap-3gpp-rat-type", "x-nokia-connection_mode", "bearer-type", "sid", "id",
    "x-network-info", "network-access-type", "user-identity-forward-ppp-username", "wtls-security-level",
}  # fmt: skip
DESCRIPTIONS = {
    "x-wap-profile",
    "19-profile",
    "x-up-devcap-screenpixels",
    "x-up-devcap-charset",
    "user-agent",
    "accept",
}


def capture(path: Path, added: tuple[str, ...], way: str) -> None:
    """Each subscriber asks each host: all through the gateway's address, each from their own, or in turns over connections
    that the gateway keeps open."""
    packets = []
    kept: dict[str, bytes] = dict.fromkeys(HOSTS, b"")
    for number in range(PEOPLE):
        lines = [line.format(n=number) for line in added]
        for port, host in enumerate(HOSTS, 40_000 + 10 * number):
            client = f"192.0.2.{number + 1}" if way == OWN else "192.0.2.1"
            asked = request("/", *PHONE, *lines, host=host)
            kept[host] += asked
            packets += frames(asked, client=client, port=port) if way != KEPT else []
    for port, host in enumerate(HOSTS if way == KEPT else (), 40_000):
        packets += frames(kept[host], client="192.0.2.1", port=port)
    path.write_bytes(pcap(packets))


def names(line: str) -> list[str]:
    """The names that a line gives to what the gateway knows: its own, or those of its cookies."""
    name, _, value = line.partition(":")
    return [pair.partition("=")[0].strip() for pair in value.split(";")] if name == "Cookie" else [name]


def analysed(path: Path, **settings: Any) -> tuple[list[Any], dict[str, Any]]:
    *leaks, summary = scan([path], **settings)
    return leaks, summary.to_dict()


@pytest.mark.parametrize("way", [OWN, SHARED, KEPT])
@pytest.mark.parametrize("maker", list(GATEWAYS))
def test_a_gateways_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maker: str, way: str) -> None:
    monkeypatch.setattr("leakscan.carriers.range_holder", lambda digits: ("Testnet", "GB"))
    path = tmp_path / "a.pcap"
    capture(path, GATEWAYS[maker], way)
    leaks, summary = analysed(path)
    found = {leak.name.lower() for leak in leaks}
    added = {name.lower() for line in GATEWAYS[maker] for name in names(line)}
    assert found == added - SILENT
    assert not found & DESCRIPTIONS
    assert summary["total"]["subscribers"] == PEOPLE
    assert all(row["subscribers"] == PEOPLE for row in summary["hosts"])
    assert {leak.bearer for leak in leaks} == {"cellular"}
    assert summary["total"]["requests"] == summary["total"]["leaking_requests"] == PEOPLE * len(HOSTS)
    homes = {leak.home_operator.name for leak in leaks if leak.home_operator}
    assert homes == ({"TEST"} if any("imsi" in name for name in added) else {"Testnet"})
    assert {row["name"] for row in summary["carriers"] if row["leaks"]} == {NETWORKS[maker]}
    assert {row["subscribers"] for row in summary["behaviours"] if row["identifier"] in ("msisdn", "imsi")} == {PEOPLE}


def test_connections_that_many_share() -> None:
    """The fixture: four subscribers on a gateway's two connections a host, of one of whom it knows no number."""
    leaks, summary = analysed(FIXTURE)
    assert summary["total"]["requests"] == summary["total"]["leaking_requests"] == 12
    assert summary["coverage"]["streams"] == 4
    assert summary["total"]["subscribers"] == 3
    assert {row["host"]: row["subscribers"] for row in summary["hosts"]} == {"wap.news.example": 3, "m.shop.example": 3}
    persons = [leak for leak in leaks if leak.identifier in ("msisdn", "imsi")]
    assert len(persons) == 2 * (12 - 2)
    assert len({leak.pseudonym for leak in persons}) == 2 * 3
    assert {leak.home_operator.name for leak in persons} == {"TEST"}
    assert not {leak.name.lower() for leak in leaks} & DESCRIPTIONS
    assert {leak.bearer for leak in leaks} == {"cellular"}


def test_a_phone_alone_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    capture(path, (), OWN)
    leaks, summary = analysed(path)
    assert leaks == []
    assert summary["outcome"] == "none-found"
    assert numbers.range_holder("447700900100") == ("", None)
