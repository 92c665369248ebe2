"""The operator's file of address ranges: what it says, and every mistake in it."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan import networks as module
from leakscan import times
from leakscan.errors import FileMistake
from leakscan.model import Carrier
from leakscan.networks import NetworkEntry, Networks

ENTRY = """
[[network]]
name = "Testnet"
addresses = ["192.0.2.0/26"]
"""


def load(tmp_path: Path, text: str) -> Networks:
    path = tmp_path / "networks.toml"
    path.write_text(text, encoding="utf-8")
    return Networks.load(str(path))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def name(entry: NetworkEntry | None) -> str | None:
    return entry.network.name if entry else None


def test_everything_an_entry_can_say(tmp_path: Path) -> None:
    networks = load(
        tmp_path,
        """
        [[network]]
        name = "Testnet"
        mcc = "001"
        mnc = "01"
        country = "GB"
        home_operator = "Virtual"
        bearer = "cellular"
        addresses = ["192.0.2.0/26", "2001:db8::/32"]
        valid_from = 2012-01-10
        valid_until = 2012-01-25
        """,
    )
    entry = networks.lookup("192.0.2.63", at("2012-01-10"))
    assert entry is networks.entries[0]
    assert entry.network == Carrier("Testnet", "GB", "001", "01", ("--networks entry 1",))
    assert entry.home == Carrier("Virtual", "GB", None, None, ("--networks entry 1",))
    assert entry.bearer == "cellular"
    assert networks.lookup("2001:db8::1", at("2012-01-25")) is entry
    assert networks.carrier("001", "01") == entry.network
    assert networks.carrier("001", "02") is None


def test_little_is_enough(tmp_path: Path) -> None:
    entry = load(tmp_path, ENTRY).entries[0]
    assert (entry.home, entry.bearer, entry.network.country) == (None, "unknown", None)


def test_the_country_follows_from_the_code(tmp_path: Path) -> None:
    entry = load(tmp_path, ENTRY + 'mcc = "234"\nmnc = "10"\nhome_operator = "Testnet"').entries[0]
    assert entry.network.country == "GB"
    assert entry.home == entry.network  # its own subscribers have its code


@pytest.mark.parametrize(
    ("time", "valid"),
    [
        ("2012-01-09T23:59:59", False),
        ("2012-01-10T00:00:00", True),
        ("2012-01-25T23:59:59", True),
        ("2012-01-26T00:00:00", False),
    ],
)
def test_validity_is_inclusive_in_utc(tmp_path: Path, time: str, valid: bool) -> None:
    networks = load(tmp_path, ENTRY + "valid_from = 2012-01-10\nvalid_until = 2012-01-25")
    for _ in range(2):  # the second time from memory
        assert (networks.lookup("192.0.2.1", at(time)) is not None) is valid


def test_the_longest_prefix_that_is_valid_wins(tmp_path: Path) -> None:
    networks = load(
        tmp_path,
        """
        [[network]]
        name = "all"
        addresses = ["192.0.2.0/24"]
        [[network]]
        name = "one"
        addresses = ["192.0.2.7"]
        [[network]]
        name = "half"
        addresses = ["192.0.2.0/25"]
        valid_until = 2011-12-31
        """,
    )
    found = [name(networks.lookup(f"192.0.2.{n}", at("2012-01-01"))) for n in (7, 8, 200)]
    assert found == ["one", "all", "all"]
    assert name(networks.lookup("192.0.2.8", at("2011-12-31"))) == "half"


def test_a_range_may_change_hands(tmp_path: Path) -> None:
    later = ENTRY.replace("Test", "Next") + "valid_from = 2012-02-01"
    networks = load(tmp_path, ENTRY + "valid_until = 2012-01-31" + later)
    assert name(networks.lookup("192.0.2.1", at("2012-01-31"))) == "Testnet"
    assert name(networks.lookup("192.0.2.1", at("2012-02-01"))) == "Nextnet"


@pytest.mark.parametrize("address", ["192.0.2.64", "198.51.100.1", "2001:db8::1", "::c000:201", "", "capture.example"])
def test_addresses_of_nobody(tmp_path: Path, address: str) -> None:
    assert load(tmp_path, ENTRY).lookup(address, 0) is None


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 10)
    networks = load(tmp_path, ENTRY)
    for n in range(64):
        assert name(networks.lookup(f"192.0.2.{n}", 0)) == "Testnet"
        assert len(networks._remembered) <= 10


@given(st.integers(0, 255), st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), min_size=1, unique=True))
def test_lookup_agrees_with_a_search_of_all_ranges(host: int, ranges: list[tuple[int, int]]) -> None:
    nets = list(dict.fromkeys(ip_network(f"192.0.2.{start}/{length}", strict=False) for start, length in ranges))
    entries = tuple(
        NetworkEntry(n, Carrier(str(net), None, None, None, ()), None, "unknown", (net,), times.ALWAYS, times.NEVER)
        for n, net in enumerate(nets, 1)
    )
    address = ip_address(f"192.0.2.{host}")
    holding = sorted((net for net in nets if address in net), key=lambda net: -net.prefixlen)
    assert name(Networks(entries).lookup(str(address), 0)) == (str(holding[0]) if holding else None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no [[network]] in it"),
        ('network = "x"', "there is no [[network]] in it"),
        ("network = []", "there is no [[network]] in it"),
        ("[[networks]]", "networks: unknown key; did you mean network?"),
        ("[[network]\n", "is not TOML: "),
        ("[[network]]", "network 1: name: missing"),
        ('[[network]]\nname = " "', "network 1: name: must be text"),
        ("[[network]]\nname = 7", "network 1: name: must be text"),
        ('[[network]]\nnam = "x"', "network 1: nam: unknown key; did you mean name?"),
        ('[[network]]\nname = "x"', 'network 1 ("x"): addresses: must be a list of ranges'),
        ('[[network]]\nname = "x"\naddresses = "192.0.2.0/24"', "addresses: must be a list of ranges"),
        ('[[network]]\nname = "x"\naddresses = [7]', "addresses: 7 must be a range in quotes"),
        ('[[network]]\nname = "x"\naddresses = ["192.0.2.0/33"]', 'addresses: "192.0.2.0/33" is no IPv4 or IPv6 range'),
        ('[[network]]\nname = "x"\naddresses = ["192.0.2.1/26"]', 'did you mean "192.0.2.0/26"?'),
        (ENTRY + "adresses = []", 'network 1 ("Testnet"): adresses: unknown key; did you mean addresses?'),
        (ENTRY + "x = 1", "x: unknown key; known are name, mcc"),
        (ENTRY + 'mcc = 234\nmnc = "10"', "mcc: must be three digits in quotes"),
        (ENTRY + 'mcc = "23²"\nmnc = "10"', "mcc: must be three digits in quotes"),
        (ENTRY + 'mcc = "234"\nmnc = "1"', "mnc: must be two or three digits in quotes"),
        (ENTRY + 'mcc = "234"', "mcc, mnc: give both or none"),
        (ENTRY + 'country = "uk"', "country: must be two capital letters"),
        (ENTRY + 'bearer = "wlan"', "bearer: must be one of cellular, wifi, unknown"),
        (ENTRY + "home_operator = true", "home_operator: must be text"),
        (ENTRY + 'valid_from = "2012-01-01"', "valid_from: must be a date without quotes"),
        (ENTRY + "valid_until = 2012-01-25T14:00:00Z", "valid_until: must be a date without quotes or time"),
        (ENTRY + "valid_from = 2012-02-01\nvalid_until = 2012-01-01", "valid_until: lies before valid_from"),
        (ENTRY + ENTRY, 'network 2 ("Testnet"): addresses: 192.0.2.0/26 is in network 1 too'),
    ],
)
def test_mistakes_name_file_entry_and_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(FileMistake) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "networks.toml") + ": ")
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_range_twice_in_one_entry(tmp_path: Path) -> None:
    with pytest.raises(FileMistake, match="is in network 1 too"):
        load(tmp_path, '[[network]]\nname = "x"\naddresses = ["192.0.2.0/26", "192.0.2.0/26"]')


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileMistake, match="cannot be read: No such file"):
        Networks.load(str(tmp_path / "none.toml"))
    with pytest.raises(FileMistake, match="cannot be read"):
        Networks.load(str(tmp_path))
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(FileMistake, match="is not UTF-8 text"):
        Networks.load(str(tmp_path / "latin.toml"))


def test_the_example_of_the_page_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "networks.md").read_text(encoding="utf-8")
    networks = load(tmp_path, page.split("```toml\n")[1].split("```")[0])
    assert len(networks.entries) >= 3
    for key in module.KEYS:
        assert f"| `{key}` |" in page
