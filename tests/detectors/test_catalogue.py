"""The catalogue: its examples, its mistakes, its names. Folder and table of the detectors agree."""

from __future__ import annotations

import pkgutil
from importlib import resources

import pytest

import leakscan.detectors
from leakscan.detectors import DETECTORS, FORMATS, SEVERITY_OF, builtin
from leakscan.detectors.catalogue import IDENTIFIERS, MAX_NAMES, PLACE_CLASSES, Catalogue, Signature, parse
from leakscan.errors import FileMistake
from leakscan.rules import examples

#: Modules of the folder that hold no check.
SHARED = {"catalogue", "encodings", "judging", "ladder", "names", "scan", "table", "unknown", "verdict"}
#: Rules of many names; they stand behind the others of their identifier.
GENERAL = ("name-says-", "value-")
SIGNATURES = list(builtin().signatures.values())


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.id)
def test_a_signature_treats_its_own_examples_as_it_says(signature: Signature) -> None:
    assert [str(fault) for fault in examples(signature, builtin())] == []


def test_every_identifier_has_a_severity_and_a_signature() -> None:
    assert set(SEVERITY_OF) == set(IDENTIFIERS)
    assert {signature.identifier for signature in SIGNATURES} == set(IDENTIFIERS)


def test_folder_and_table_agree() -> None:
    in_folder = {module.name for module in pkgutil.iter_modules(leakscan.detectors.__path__)} - SHARED
    in_table = {detector.check.__module__.rpartition(".")[2] for detector in DETECTORS.values()}
    assert in_folder == in_table


def test_every_check_of_a_module_is_in_the_table() -> None:
    in_table = {detector.check for detector in DETECTORS.values()}
    for module in {detector.check.__module__ for detector in DETECTORS.values()}:
        checks = {value for name, value in vars(__import__(module, fromlist=["*"])).items() if name.startswith("check")}
        missing = {check.__qualname__ for check in checks if callable(check)} - {"check_digit"}
        assert missing <= {check.__qualname__ for check in in_table}, module


def test_every_format_is_used() -> None:
    assert {name for signature in SIGNATURES for name in signature.formats} == FORMATS


def test_entries_are_sorted_and_ids_have_no_dot() -> None:
    ids = [signature.id for signature in SIGNATURES]
    assert not [name for name in ids if "." in name]
    for identifier in IDENTIFIERS:
        own = [s for s in SIGNATURES if s.identifier == identifier]
        assert [s.id for s in own] == sorted((s.id for s in own), key=lambda name: (name.startswith(GENERAL), name))


def test_no_two_signatures_claim_one_name_in_one_place() -> None:
    for signature in SIGNATURES:
        if signature.pattern is not None:
            continue
        for name in signature.names:
            for other in builtin().lookup(name):
                shared = other.places & signature.places
                assert other.id == signature.id or not shared, f"{other.id} and {signature.id} share {name}"


@pytest.mark.parametrize(
    "name", ["x-msisdn", "msisdn", "x-up-calling-line-id", "x-nokia-msisdn", "x-nokia-imsi", "x-imsi"]
)
def test_names_of_vendors_are_no_evidence_for_a_carrier(name: str) -> None:
    assert builtin().signatures[name].carriers == ()


@pytest.mark.parametrize(
    "spelling",
    [
        "x-up-calling-line-id",
        "X-Up-Calling-Line-ID",
        "HTTP_X_UP_CALLING_LINE_ID",
        "X_UP_CALLING_LINE_ID",
        "http-x-up-calling-line-id",
        "x.up.calling.line.id",
        "X%2DUp%2DCalling%2DLine%2DId",
        " x-up-calling-line-id ",
    ],
)
def test_all_spellings_are_one_name(spelling: str) -> None:
    assert [found.id for found in builtin().lookup(spelling)] == ["x-up-calling-line-id"]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("X-Acme-MSISDN", "name-says-msisdn"),
        ("wapmsisdn", "name-says-msisdn"),
        ("userMsisdn", "name-says-msisdn"),
        ("X-Acme-Calling-Line-Identity", "name-says-calling-line"),
        ("deviceIMEINumber", "name-says-imei"),
        ("imei2", "name-says-imei"),
        ("sim_imsi", "name-says-imsi"),
        ("Acme-Subscriber", "name-says-subscriber"),
    ],
)
def test_telling_words(name: str, rule: str) -> None:
    assert rule in [found.id for found in builtin().lookup(name)]


@pytest.mark.parametrize("name", ["subscriber_count", "phoneVerifiedSince", "X-CLI-Version", "device-id-limit"])
def test_telling_words_beside_words_that_say_otherwise(name: str) -> None:
    assert builtin().lookup(name) == ()


@pytest.mark.parametrize(
    "name",
    [
        "timein",
        "simsize",
        "maximum",
        "client",
        "eclipse",
        "iphone",
        "newsletter-subscribe",
        "mdnt",
        "Accept",
        "If-None-Match",
        "sessionid",
    ],
)
def test_words_inside_other_words_tell_nothing(name: str) -> None:
    assert builtin().lookup(name) == ()


@pytest.mark.parametrize("name", ["", "-", "\xa0", "\u00b2", "%", "http-"])
def test_names_of_nothing_are_unknown(name: str) -> None:
    assert builtin().lookup(name) == ()


def test_the_memory_of_names_is_bounded() -> None:
    catalogue = Catalogue("test", SIGNATURES)
    for number in range(MAX_NAMES + 10):
        catalogue.lookup(f"name-{number}-a")
    assert len(catalogue.seen) <= MAX_NAMES
    assert catalogue.lookup("x-msisdn")


def test_version_is_a_date_and_a_hash() -> None:
    date, _, digest = builtin().version.partition(" ")
    assert len(date) == 10
    assert len(digest) == 12
    content = (resources.files("leakscan.detectors") / "signatures.toml").read_bytes()
    assert parse("x", content + b"\n", FORMATS).version != builtin().version


def test_place_classes_cover_every_place_of_a_leak() -> None:
    assert set(PLACE_CLASSES) >= {
        "header",
        "cookie",
        "query",
        "path",
        "referer",
        "user-agent",
        "body",
        "response-header",
    }


GOOD = """
identifier = "msisdn"
formats = ["msisdn"]
explain = "text"
source = "text"
leaks = ["447700900123"]
clean = ["unknown"]
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date = [", "rules.toml: "),
        ("[x]" + GOOD, "rules.toml: date: "),
        ("date = 2026-01-01\nx = 1", "rules.toml: x: a table"),
        ("date = 2026-01-01\n[x]" + GOOD + "colour = 1", "rules.toml: x.colour: unknown key"),
        ("date = 2026-01-01\n[x]" + GOOD.replace("source", "#"), "rules.toml: x.source: missing"),
        (
            "date = 2026-01-01\n[x]" + GOOD.replace('["msisdn"]', '["number"]'),
            "rules.toml: x.formats: 'number' is none of",
        ),
        ("date = 2026-01-01\n[x]" + GOOD.replace('["unknown"]', "[1]"), "rules.toml: x.clean: a list of strings"),
        ("date = 2026-01-01\n[x]" + GOOD.replace('["unknown"]', "[]"), "rules.toml: x.clean: a list of strings"),
        ("date = 2026-01-01\n[x]" + GOOD + 'severity = "fatal"', "rules.toml: x.severity: 'fatal' is none of"),
        ("date = 2026-01-01\n[x]" + GOOD + "rotating = 1", "rules.toml: x.rotating: a true or false"),
        ("date = 2026-01-01\n[x]" + GOOD + 'carriers = ["O2"]', "rules.toml: x.carriers: 'O2' is no MCC-MNC"),
        ("date = 2026-01-01\n[x]" + GOOD + "pattern = '('", "rules.toml: x.pattern: not a regular expression"),
        ("date = 2026-01-01\n[x]" + GOOD + "pattern = 'a'", "rules.toml: x.pattern: one group"),
    ],
)
def test_a_mistake_names_file_entry_and_key(text: str, message: str) -> None:
    with pytest.raises(FileMistake) as raised:
        parse("rules.toml", text.encode(), FORMATS)
    assert str(raised.value).startswith(message)
    assert raised.value.exit_code == 2


def test_bytes_that_are_no_text_are_a_mistake() -> None:
    with pytest.raises(FileMistake):
        parse("rules.toml", b"\xff\xfe", FORMATS)


@pytest.mark.parametrize(
    ("rule", "begins", "ends"),
    [
        ("x-up-calling-line-id", "The subscriber's phone number", ""),
        ("x-network-info.msisdn", "", "(F5 PEM iRule; Magma AGW)."),
        ("no-such-rule", "", ""),
    ],
)
def test_a_rule_is_explained(rule: str, begins: str, ends: str) -> None:
    meaning = builtin().explain(rule)
    assert meaning.startswith(begins)
    assert meaning.endswith(ends)
    assert bool(meaning) == (rule != "no-such-rule")
