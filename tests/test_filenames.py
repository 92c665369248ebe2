"""Captures keep their names, people keep their numbers."""

from __future__ import annotations

import pytest

from leakscan.filenames import shown_name


@pytest.mark.parametrize(
    "name",
    [
        "capture.pcap",
        "-",
        "/var/tmp/day1/x.pcap12",
        "2012-01-10.pcap",
        "2012-01-10T09:30:00.pcap",
        "20120110.pcap",
        "20120110093000.pcap",
        "dump_00012_20120110093000.pcapng.gz",
        "2012-01-10_00001.pcap",
        "ring-1326153600.pcap",
        "192.0.2.1_80.pcap",
        "203.0.113.180.pcap",
        "203.0.113.180-8080.pcap",
    ],
)
def test_stays(name):
    assert shown_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("447700900123.pcap", "....pcap"),
        ("+44 7700 900123.pcap", "+....pcap"),
        ("sim_447-700-900-123_a.pcap", "sim_..._a.pcap"),
        ("447700900123/2012-01-10.pcap", ".../2012-01-10.pcap"),
        ("20120110-447700900123.pcap", "20120110-....pcap"),
        ("001010000000012.pcap", "....pcap"),
        ("1-447700900123.pcap", "....pcap"),
        ("447.700.900.123.pcap", "....pcap"),
        ("192.0.2.1-447700900123.pcap", "....pcap"),
    ],
)
def test_is_hidden(name, expected):
    assert shown_name(name) == expected
