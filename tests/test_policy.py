"""Who may receive what: which hosts an entry names, every verdict, every mistake in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan import policy as module
from leakscan.errors import FileMistake
from leakscan.policy import Policy, host_fits, host_pattern
from leakscan.times import moment_ns

ENTRY = """
[[partner]]
name = "Age Check Ltd"
hosts = ["agecheck.example", "*.agecheck.example"]
purpose = "age-verification"
identifiers = ["msisdn"]
cleartext = true
"""
NOW = moment_ns("2012-01-10T12:00Z")


def load(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "partners.toml"
    path.write_text(text, encoding="utf-8")
    return Policy.load(str(path))


#: pattern, host, fits
HOSTS = [
    ("agecheck.example", "agecheck.example", True),
    ("agecheck.example", "agecheck.example.", True),  # the root's dot
    ("agecheck.example", "www.agecheck.example", False),
    ("agecheck.example", "agecheck.example.evil.example", False),
    ("*.agecheck.example", "www.agecheck.example", True),
    ("*.agecheck.example", "a.b.agecheck.example", True),
    ("*.agecheck.example", "xn--bcher-kva.agecheck.example", True),
    ("*.agecheck.example", "....agecheck.example", True),  # a number was taken out
    ("*.agecheck.example", "id-....agecheck.example", True),
    ("*.agecheck.example", "agecheck.example", False),
    ("*.agecheck.example", ".agecheck.example", False),
    ("*.agecheck.example", "evilagecheck.example", False),
    ("*.agecheck.example", "evil-agecheck.example", False),
    ("*.agecheck.example", "www.agecheck.example.evil.example", False),
    ("*.agecheck.example", "evil.example/.agecheck.example", False),
    ("*.agecheck.example", "evil.example@www.agecheck.example", False),
    ("*.agecheck.example", "evil.example?.agecheck.example", False),
    ("*.agecheck.example", "evil.example\\.agecheck.example", False),
    ("*.agecheck.example", "a..agecheck.example", False),
    ("*.agecheck.example", "www.agecheck.examplé", False),
    ("203.0.113.7", "203.0.113.7", True),
    ("203.0.113.7", "203.0.113.77", False),
    ("2001:db8::1", "2001:db8::1", True),
]


@pytest.mark.parametrize(("pattern", "host", "fits"), HOSTS)
def test_hosts(pattern: str, host: str, fits: bool) -> None:
    assert host_fits(host_pattern(pattern), host) == fits


@given(st.text(st.sampled_from("a.-*x"), max_size=60), st.text(st.sampled_from("a."), max_size=4))
def test_a_star_stands_for_whole_labels_and_at_least_one(before: str, between: str) -> None:
    host = f"{before}{between}agecheck.example"
    labels = f"{before}{between}".replace("...", "x").split(".")
    whole = labels[-1] == "" and len(labels) > 1 and all(labels[:-1]) and "*" not in before
    assert host_fits("*.agecheck.example", host) == whole


def test_a_hostile_host_takes_no_time() -> None:
    assert not host_fits("*.agecheck.example", "." * 200_000 + "!.agecheck.example")


#: more lines of the entry, host, address, identifier, time, verdict
VERDICTS = [
    ("", "agecheck.example", "203.0.113.7", "msisdn", "2012-01-10", "allowed"),
    ("", "other.example", "203.0.113.7", "msisdn", "2012-01-10", "not-allowed"),
    ("", "agecheck.example", "203.0.113.7", "imsi", "2012-01-10", "not-allowed"),
    ("valid_from = 2012-01-10", "agecheck.example", "203.0.113.7", "msisdn", "2012-01-10T00:00Z", "allowed"),
    ("valid_from = 2012-01-10", "agecheck.example", "203.0.113.7", "msisdn", "2012-01-09T23:59:59Z", "not-allowed"),
    ("valid_until = 2012-01-10", "agecheck.example", "203.0.113.7", "msisdn", "2012-01-10T23:59:59Z", "allowed"),
    ("valid_until = 2012-01-10", "agecheck.example", "203.0.113.7", "msisdn", "2012-01-11", "expired"),
    ('addresses = ["203.0.113.0/24"]', "agecheck.example", "203.0.113.7", "msisdn", "2012-01-10", "allowed"),
    ('addresses = ["203.0.113.0/24"]', "agecheck.example", "198.51.100.7", "msisdn", "2012-01-10", "not-allowed"),
    ('addresses = ["2001:db8::/32"]', "agecheck.example", "198.51.100.7", "msisdn", "2012-01-10", "not-allowed"),
    ('addresses = ["2001:db8::/32"]', "agecheck.example", "2001:db8::7", "msisdn", "2012-01-10", "allowed"),
]


@pytest.mark.parametrize(("more", "host", "address", "identifier", "time", "verdict"), VERDICTS)
def test_verdicts(tmp_path: Path, more: str, host: str, address: str, identifier: str, time: str, verdict: str) -> None:
    recipient = load(tmp_path, ENTRY + more).recipient(host, address, identifier, moment_ns(time))
    assert recipient.verdict == verdict
    known = host == "agecheck.example"
    assert (recipient.partner, recipient.purpose) == (("Age Check Ltd", "age-verification") if known else (None, None))


def test_plain_http_is_not_allowed_unless_it_says_so(tmp_path: Path) -> None:
    policy = load(tmp_path, ENTRY.replace("cleartext = true", ""))
    assert policy.recipient("agecheck.example", "203.0.113.7", "msisdn", NOW).verdict == "allowed-but-clear"


def test_the_best_of_several_entries_counts(tmp_path: Path) -> None:
    clear, old = ENTRY.replace("cleartext = true", ""), f"{ENTRY}valid_until = 2011-01-01\n"
    for text in (old + clear + ENTRY, ENTRY + clear + old):
        assert load(tmp_path, text).recipient("agecheck.example", "", "msisdn", NOW).verdict == "allowed"
    assert load(tmp_path, old + clear).recipient("agecheck.example", "", "msisdn", NOW).verdict == "allowed-but-clear"
    assert load(tmp_path, old).recipient("agecheck.example", "", "msisdn", NOW).verdict == "expired"


def test_many_hosts_are_no_memory(tmp_path: Path) -> None:
    policy = load(tmp_path, ENTRY)
    for number in range(3 * module.MAX_REMEMBERED):
        policy.recipient(f"h{number}.example", "203.0.113.7", "msisdn", NOW)
    assert len(policy._remembered) <= module.MAX_REMEMBERED


#: what is changed in the entry, into what, words of the message
MISTAKES = [
    (ENTRY, "", ["there is no [[partner]]"]),
    ("[[partner]]", "[[partners]]", ["partners: unknown key; did you mean partner?"]),
    ("[[partner]]", "[partner]", ["there is no [[partner]]"]),
    ('name = "Age Check Ltd"', "", ["partner 1", "name: missing"]),
    ('name = "Age Check Ltd"', "name = 7", ["partner 1", "name: must be text"]),
    ('name = "Age Check Ltd"', 'name = " "', ["partner 1", "name: must be text"]),
    ("purpose", "purpos", ['partner 1 ("Age Check Ltd")', "purpos: unknown key; did you mean purpose?"]),
    ('purpose = "age-verification"', "", ["purpose: missing"]),
    ("cleartext = true", 'cleartext = "yes"', ["cleartext: must be true or false"]),
    ("cleartext = true", "clear_text = true", ["clear_text: unknown key; did you mean cleartext?"]),
    ('["msisdn"]', '["msisdm"]', ['identifiers: "msisdm" is no kind; did you mean msisdn?']),
    ('["msisdn"]', "[]", ["identifiers: must be a list of strings"]),
    ('["msisdn"]', '"msisdn"', ["identifiers: must be a list of strings"]),
    ('identifiers = ["msisdn"]', "", ["identifiers: missing"]),
    ('"agecheck.example"', '"http://agecheck.example/"', ["hosts:", "is a URL"]),
    ('"agecheck.example"', '"agecheck.example:80"', ["hosts:", "without a port"]),
    ('"agecheck.example"', '"*agecheck.example"', ["hosts:", "is no host name"]),
    ('"agecheck.example"', '"www.*.example"', ["hosts:", "is no host name"]),
    ('"agecheck.example"', '"*"', ["hosts:", "is no host name"]),
    ('"agecheck.example"', '"a..example"', ["hosts:", "is no host name"]),
    ('"agecheck.example"', '"bücher.example"', ["hosts:", "xn--bcher-kva.example"]),
    ('"agecheck.example"', "7", ["hosts: must be a list of strings"]),
    ("cleartext = true", 'addresses = ["203.0.113.7/24"]', ["addresses:", "begins inside one"]),
    ("cleartext = true", 'addresses = ["everywhere"]', ["addresses:", "is no IPv4 or IPv6 range"]),
    ("cleartext = true", "valid_from = 2012-01-01T00:00:00", ["valid_from: must be a date"]),
    ("cleartext = true", 'valid_until = "2012-01-01"', ["valid_until: must be a date"]),
    ("cleartext = true", "valid_from = 2012-02-01\nvalid_until = 2012-01-01", ["valid_until: lies before valid_from"]),
    ("cleartext = true", "cleartext = ", ["is not TOML"]),
]


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES, ids=[new for _, new, _ in MISTAKES])
def test_a_mistake_names_file_entry_and_key(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    assert old in ENTRY
    with pytest.raises(FileMistake) as caught:
        load(tmp_path, ENTRY.replace(old, new, 1))
    assert caught.value.exit_code == 2
    assert all(word in str(caught.value) for word in ["partners.toml", *words])


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for path, word in ((tmp_path / "none.toml", "cannot be read"), (tmp_path, "cannot be read")):
        with pytest.raises(FileMistake, match=word):
            Policy.load(str(path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FileMistake, match="is not UTF-8 text"):
        Policy.load(str(tmp_path / "binary"))


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "policy.md").read_text(encoding="utf-8")
    assert [key for key in module.KEYS if f"`{key}`" not in page] == []
    assert [verdict for verdict in module.VERDICTS if f"| `{verdict}` |" not in page] == []
