"""Addresses, locations, nodes, profiles, charging and device ids: one table each."""

from __future__ import annotations

import pytest

from leakscan.detectors import DETECTORS, builtin, location
from leakscan.detectors.verdict import NO, PLACEHOLDER, PLAUSIBLE, VALID, Verdict


def judge(rule: str, value: str) -> Verdict:
    signature = builtin().signatures[rule]
    return DETECTORS[signature.formats[-1]].check(value, signature)


@pytest.mark.parametrize(
    ("rule", "value", "address", "word"),
    [
        ("x-wap-client-ip", "10.1.2.3", "10.1.2.3", "RFC 1918"),
        ("x-wap-client-ip", "172.16.0.1", "172.16.0.1", "RFC 1918"),
        ("x-wap-client-ip", "172.32.0.1", "", ""),
        ("x-wap-client-ip", "192.168.255.255", "192.168.255.255", "RFC 1918"),
        ("x-wap-client-ip", "100.64.0.1", "100.64.0.1", "carrier-grade NAT"),
        ("x-wap-client-ip", "100.128.0.1", "", ""),
        ("x-wap-client-ip", "192.0.0.4", "192.0.0.4", "DS-Lite or 464XLAT"),
        ("x-wap-client-ip", "169.254.1.1", "169.254.1.1", "link-local"),
        ("x-wap-client-ip", "fd00::1", "fd00::1", "unique local"),
        ("x-wap-client-ip", "fe80::1%rmnet0", "fe80::1", "link-local"),
        ("x-wap-client-ip", "64:ff9b::c000:201", "64:ff9b::c000:201", "NAT64"),
        ("x-wap-client-ip", "::ffff:10.1.2.3", "10.1.2.3", "RFC 1918"),
        ("x-wap-client-ip", "192.0.2.1", "", ""),
        ("x-wap-client-ip", "203.0.113.9", "", ""),
        ("x-wap-client-ip", "2001:db8::1", "", ""),
        ("x-wap-client-ip", "127.0.0.1", "", ""),
        ("x-wap-client-ip", "0.0.0.0", "", ""),
        ("x-wap-client-ip", "10.1.2", "", ""),
        ("x-wap-client-ip", "10.1.2.3.4", "", ""),
        ("x-wap-client-ip", "10.1.2.\u00b3", "", ""),
        ("x-nokia-remotesocket", "10.1.2.3:4000", "10.1.2.3", "RFC 1918"),
        ("x-forwarded-for", "192.0.2.7, 10.1.2.3", "10.1.2.3", "RFC 1918"),
        ("x-forwarded-for", "127.0.0.1, 192.0.2.7", "", ""),
        ("x-forwarded-for", "unknown, 10.1.2.3", "10.1.2.3", "RFC 1918"),
        ("forwarded", 'for="[fd00::17]:4711";proto=http;by=192.0.2.1', "fd00::17", "unique local"),
        ("forwarded", "for=192.0.2.60;by=10.0.0.1", "", ""),
    ],
)
def test_address(rule: str, value: str, address: str, word: str) -> None:
    verdict = judge(rule, value)
    assert verdict.value == address
    assert word in (*verdict.evidence, "")


@pytest.mark.parametrize(
    ("rule", "value", "grade", "severity", "carriers"),
    [
        ("x-user-location-info", "8200f110123400f11001234567", VALID, "critical", ("001-01",)),
        ("x-user-location-info", "82 00F110 1234 00F110 01234567", VALID, "critical", ("001-01",)),
        ("x-user-location-info", "0x8032f4011234", VALID, "medium", ("234-10",)),
        ("x-user-location-info", "0013001412345678", VALID, "critical", ("310-410",)),
        ("x-user-location-info", "8200f1101234", NO, "", ()),  # too short for TAI and ECGI
        ("x-user-location-info", "0011223344556677", PLAUSIBLE, "critical", ("112-332",)),
        ("x-user-location-info", "1800f110123400f11001234567", VALID, "critical", ("001-01",)),  # GTPv2: TAI and ECGI
        ("x-user-location-info", "0800f1101234", VALID, "medium", ("001-01",)),
        ("x-user-location-info", "1800f1101234", NO, "", ()),
        ("x-user-location-info", "deadbeef", NO, "", ()),
        ("p-access-network-info", "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=001010001000019B", VALID, "", ("001-01",)),
        ("p-access-network-info", '3GPP-GERAN;cgi-3gpp="001010001019B"', VALID, "", ("001-01",)),
        ("p-access-network-info", "3GPP-E-UTRAN;utran-cell-id-3gpp=C359A0001234567", PLAUSIBLE, "", ()),
        ("p-access-network-info", "IEEE-802.11; i-wlan-node-id=000000000000", NO, "", ()),
        ("x-wap-3gpp-sgsn-mcc-mnc", "23410", VALID, "", ("234-10",)),
        ("x-wap-3gpp-sgsn-mcc-mnc", "234-10", VALID, "", ("234-10",)),
        ("x-wap-3gpp-sgsn-mcc-mnc", "100-10", NO, "", ()),
        ("lbs-zoneid", "12034", VALID, "", ()),
        ("lbs-eventtime", "20141012093011", VALID, "", ()),
    ],
)
def test_location(rule: str, value: str, grade: int, severity: str, carriers: tuple[str, ...]) -> None:
    verdict = judge(rule, value)
    assert (verdict.grade, verdict.severity) == (grade, severity)
    assert set(carriers) <= set(verdict.carriers)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        ("32F401", "234-10"),
        ("130014", "310-410"),
        ("64F010", "460-01"),
        ("00f110", "001-01"),
        ("zzzzzz", ""),
        ("32F4", ""),
    ],
)
def test_plmn_of_octets(octets: str, code: str) -> None:
    assert location.plmn_of_octets(octets) == code


@pytest.mark.parametrize(
    ("rule", "value", "grade"),
    [
        ("via", "WTP/1.1 gw01-wap.example (Nokia WAP Gateway 4.1)", VALID),
        ("via", "1.1 gw.example (infoX-WISG, Huawei Technologies)", VALID),
        ("via", "1.1 gw (Kannel/1.4.5)", VALID),
        ("via", "HTTP/1.1 gw (Jataayu CWS Gateway Version 4.2.0.CL_P1)", VALID),
        ("via", "1.1 wap3.example (Comverse)", VALID),
        ("via", "1.1 proxy9.o2.co.uk", PLAUSIBLE),
        ("via", "1.1 proxy9.sonera.fi", PLAUSIBLE),
        ("via", "1.1 proxy9.example.fi", NO),
        ("via", "1.1 wapgw1.operator.example", PLAUSIBLE),
        ("via", "1.1 varnish", NO),
        ("via", "1.1 cache.example (squid/3.5)", NO),
        ("apn", "internet.carrier.example", VALID),
        ("apn", "void", PLACEHOLDER),
        ("apn", "two words", NO),
        ("sgsn-ip-address", "203.0.113.10", VALID),
        ("sgsn-ip-address", "0.0.0.0", NO),
        ("sgsn-ip-address", "internet", NO),
        ("x-nokia-roaming", "1", VALID),
        ("x-nokia-roaming", "00101", VALID),
        ("x-nokia-roaming", "perhaps", NO),
        ("x-nokia-prepaidind", "0400", VALID),
        ("x-nokia-prepaidind", "perhaps", NO),
        ("x-up-bear-type", "GPRS/EDGE", VALID),
        ("x-up-bear-type", "", PLACEHOLDER),
        ("charging-id", "1234509876", VALID),
        ("charging-id", "4294967296", NO),
        ("charging-id", "0A0B0C0D", VALID),
        ("charging-id", "0", PLACEHOLDER),
        ("accounting-session-id", "0011223344556677", VALID),
        ("accounting-session-id", "none", PLACEHOLDER),
        ("android-id", "a1b2c3d4e5f60718", VALID),
        ("android-id", "9774d56d682e549c", PLACEHOLDER),
        ("android-id", "1234509876543211", NO),  # digits only: anything
        ("android-id", "0000000000000000", PLACEHOLDER),
        ("gaid", "38400000-8cf0-11bd-b23e-10b96e40000d", VALID),
        ("gaid", "00000000-0000-0000-0000-000000000000", PLACEHOLDER),
        ("gaid", "38400000", NO),
        ("udid", "0123456789abcdef0123456789abcdef01234567", VALID),
        ("udid", "00008030-001C2D3E4F50607A", VALID),
        ("udid", "0" * 40, PLACEHOLDER),
        ("mac", "00:00:5e:00:53:01", VALID),
        ("mac", "00-00-5E-00-53-01", VALID),
        ("mac", "00:00-5e:00:53:01", NO),
        ("mac", "00005e005301", NO),
        ("mac", "02:00:00:00:00:00", PLACEHOLDER),
        ("mac", "01:00:5e:00:53:01", NO),  # a group address
        ("rim-device-id", "2a0b1c3d", VALID),
        ("x-mti-email", "someone@mail.example", VALID),
        ("x-mti-email", "someone@", NO),
    ],
)
def test_the_rest(rule: str, value: str, grade: int) -> None:
    assert judge(rule, value).grade == grade
