"""Known values end to end: where they are found, what becomes of the catalogue's findings, and that nothing gets out."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import leakscan
from leakscan.cli import run
from leakscan.conceal import Concealer
from leakscan.detectors import detect
from leakscan.fields import everything, fields
from leakscan.formats import FORMATS
from leakscan.glance import Glance
from leakscan.known import Known
from leakscan.known.file import Entry
from leakscan.losses import Losses
from leakscan.model import Coverage, Field, Match
from leakscan.protocols import Http1, message_of
from tests.builders import START_NS, pcap
from tests.detectors.disguises import b64, hexed, percent, tbcd
from tests.streams import chunk, frames, request

NUMBER = "447700900123"
MD5 = hashlib.md5(NUMBER.encode()).hexdigest()
ENTRIES = (
    Entry(1, "msisdn", NUMBER, NUMBER, "test phone", (), ()),
    Entry(2, "imei", "001010012345672", "00101001234567", "", (), ()),
    Entry(3, "email", "alice@mail.example", "alice@mail.example", "", (), ()),
)
KNOWN = Known(ENTRIES)
FILE = f"""
[[known]]
kind = "msisdn"
value = "+44 7700 900123"
label = "test phone {NUMBER}"

[[known]]
kind = "imei"
value = "001010012345672"

[[known]]
kind = "email"
value = "alice@mail.example"
"""


def matches(raw: bytes) -> list[Match]:
    (head,) = Http1(Coverage(), Losses()).heads([chunk(raw)])
    message = message_of(head)
    found = KNOWN.matches(everything(message.target, message.headers), detect(fields(message, Losses()), Losses()))
    assert KNOWN.search(raw) or not found
    return found


@pytest.mark.parametrize(
    ("raw", "place", "name"),
    [
        (request("/", f"X-Any: {NUMBER}"), "header", "X-Any"),
        (request("/", f"X-{NUMBER}: 1"), "header", ""),
        (request("/", f"line {NUMBER} without colon"), "header", ""),
        (request("/", f"Cookie: a=b; c={NUMBER}"), "cookie", "c"),
        (request("/", f"Cookie: {NUMBER}"), "cookie", ""),
        (request("/", f"Cookie: {NUMBER}=1"), "cookie", ""),
        (request("/", f"User-Agent: App/1.0 ({NUMBER})"), "user-agent", "User-Agent"),
        (request("/", f"Referer: http://a.example/{NUMBER}/"), "referer", "Referer"),
        (request("/", f"Referer: http://a.example/?q={NUMBER}"), "referer", "q"),
        (request(f"/?q={NUMBER}"), "query", "q"),
        (request(f"/?{NUMBER}"), "query", ""),
        (request(f"/?a=b;{NUMBER}=1"), "query", ""),
        (request(f"/?a=b#{NUMBER}"), "query", ""),
        (request(f"/users/{NUMBER}"), "path", "users"),
        (request(f"/{NUMBER}"), "path", ""),
        (request(f"/a;id={NUMBER}/b"), "path", "id"),
        (request("/", host=f"{NUMBER}.www.example"), "host", "Host"),
        (request(f"http://{NUMBER}.www.example/"), "host", ""),
        (request("/", "X-Any: 4477", " 00900123"), "", ""),
    ],
)  # fmt: skip
def test_places(raw: bytes, place: str, name: str) -> None:
    found = [(match.field.place, match.field.name, match.rule, match.value, match.confidence) for match in matches(raw)]
    assert found == ([(place, name, "known-value", NUMBER, "confirmed")] if place else [])


@pytest.mark.parametrize(
    ("line", "rule", "value", "chain", "confidence", "severity"),
    [
        # what the catalogue finds stays its finding
        (f"x-msisdn: {NUMBER}", "x-msisdn", NUMBER, (), "confirmed", "critical"),
        (f"X-Acme-Msisdn: {b64(NUMBER)}", "name-says-msisdn", NUMBER, ("base64",), "confirmed", "critical"),
        # a hash of a known value is that value
        (f"x-msisdn: {MD5}", "x-msisdn", NUMBER, ("md5",), "confirmed", "high"),
        (f"Cookie: msisdn={MD5}", "msisdn", NUMBER, ("md5",), "confirmed", "high"),
        # digits that the catalogue takes for others
        (f"x-msisdn: {tbcd(NUMBER)}", "x-msisdn", NUMBER, ("tbcd",), "confirmed", "critical"),
        # what it does not find
        (f"X-Id: {MD5}", "known-value", NUMBER, ("md5",), "confirmed", "high"),
        (f"X-Id: {MD5[:12]}", "known-value", NUMBER, ("md5",), "probable", "high"),
        (f"X-Id: {MD5[:8]}", "known-value", NUMBER, ("md5",), "hint", "high"),
        (f"X-Id: {hexed(b64(NUMBER))}", "known-value", NUMBER, ("hex", "base64"), "confirmed", "critical"),
        ("X-Id: 0010100123456703", "known-value", "001010012345672", (), "confirmed", "critical"),
        ("X-Id: ALICE@mail.example", "known-value", "alice@mail.example", (), "confirmed", "medium"),
    ],
)  # fmt: skip
def test_one_finding_of_one_value(line, rule, value, chain, confidence, severity) -> None:
    (match,) = matches(request("/", line))
    assert (match.rule, match.value, match.encoding, match.confidence, match.severity) == (
        rule,
        value,
        chain,
        confidence,
        severity,
    )
    assert any(word.startswith("known value ") for word in match.evidence)
    (entry,) = [entry for entry in ENTRIES if entry.kind == match.identifier]
    assert match.normal == entry.normal


def test_a_hint_changes_no_finding() -> None:
    """Eight hex digits of a PIN may by chance begin like a digest."""
    found = {(match.rule, match.identifier, match.confidence) for match in matches(request(f"/?pin={MD5[:8]}"))}
    assert ("known-value", "msisdn", "hint") in found
    assert all(identifier != "msisdn" for rule, identifier, _ in found if rule != "known-value")


def test_several_values_in_one_field() -> None:
    found = matches(request("/", f"X-Any: {NUMBER},alice@mail.example,{MD5}"))
    assert {(match.identifier, match.encoding) for match in found} == {("msisdn", ()), ("email", ())}


def test_evidence() -> None:
    (match,) = matches(request("/", f"X-Any: {hashlib.sha256(b'07700900123').hexdigest()[:20]}"))
    assert match.evidence == ("known value 1 (test phone)", "sha256 of the value in national form, cut to 20 digits")


latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30)
carriers = st.sampled_from(
    [NUMBER, b64(NUMBER), MD5, percent(NUMBER), "+44 7700 900123", "alice%40mail.example", "x", "eyJ"]
)


@given(
    latin, carriers, latin, st.sampled_from(["X-Any: ", "Cookie: a=", "Referer: http://a.example/?", "Host: ", "\t"])
)
def test_search_never_misses_what_matches_find(before: str, carrier: str, after: str, line: str) -> None:
    text = before + carrier + after
    for raw in (request("/", line + text), request("/" + text.replace(" ", "+"))):
        heads = list(Http1(Coverage(), Losses()).heads([chunk(raw)]))
        for head in heads:
            message = message_of(head)
            found = KNOWN.matches(everything(message.target, message.headers), [])
            assert KNOWN.search(head.raw) or not found
            assert not found or Glance(values=KNOWN).plain_host(head) is None
            glance = Glance(values=KNOWN)
            assert glance.plain_host(head) == glance.plain_host(head)


def test_a_worker_gets_entries_and_compiles_them() -> None:
    data = pickle.dumps(KNOWN)
    assert len(data) < 2000
    assert pickle.loads(data).entries == ENTRIES
    assert pickle.loads(data) is pickle.loads(data)


# -- the command line and the library ------------------------------------------------------------------------------------

RAW = b"".join(
    [
        request(f"/p/{NUMBER}?q={b64(NUMBER)}&h={MD5}", "X-Any: 07700 900123", f"User-Agent: {NUMBER}"),
        request(f"/{MD5}/{hexed(NUMBER)}", f"Cookie: {MD5}=1", host=f"{MD5}.{hexed(NUMBER)}.example"),
        request("/clean"),
        request("/", "X-Mail: alice@mail.example", f"Referer: http://{NUMBER}.example/{b64('alice@mail.example')}"),
    ]
)
SECRETS = [NUMBER, NUMBER[2:], "7700900123", b64(NUMBER), hexed(NUMBER), MD5, "alice", b64("alice@mail.example")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "known.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "key").write_bytes(b"k" * 16)
    for number in range(3):
        timed = [
            (START_NS + number * 3600 * 10**9 + i * 10**6, f) for i, f in enumerate(frames(RAW, range(0, 9999, 500)))
        ]
        (tmp_path / f"{number}.pcap").write_bytes(pcap(timed))
    return tmp_path


def result(folder: Path, *arguments: str) -> tuple[int, str, str]:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.StringIO()
    words = ["--known", str(folder / "known.toml"), "--pseudonym-key", str(folder / "key"), *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["analyse", *words])
    return code, out.buffer.getvalue().decode(), err.getvalue()


def leaks(text: str) -> list[dict]:
    return [line for line in map(json.loads, text.splitlines()) if line["type"] == "leak"]


def test_a_value_in_any_dress_is_one_subscriber(folder: Path) -> None:
    code, out, _ = result(folder, "-f", "jsonl", str(folder / "0.pcap"))
    found = leaks(out)
    numbers = [leak for leak in found if leak["identifier"] == "msisdn"]
    assert code == 1
    assert len(numbers) == 10
    assert {leak["pseudonym"] for leak in numbers} == {Concealer(b"k" * 16).pseudonym("msisdn", NUMBER)}
    assert {leak["value"] for leak in numbers} == {"44********23"}
    assert {tuple(leak["encoding"]) for leak in numbers} == {(), ("base64",), ("md5",), ("hex",)}
    assert {leak["rule"] for leak in found} == {"known-value"}
    assert json.loads(out.splitlines()[-1])["total"]["identifiers"] == {"email": 1, "msisdn": 1}
    assert json.loads(out.splitlines()[0])["settings"]["known"] == str(folder / "known.toml")


def test_any_way_gives_the_same(folder: Path) -> None:
    one = result(folder, "-q", "-f", "jsonl", "-j", "1", str(folder))
    assert len(leaks(one[1])) == 36
    assert result(folder, "-q", "-f", "jsonl", "-j", "3", str(folder)) == one
    assert result(folder, "-q", "-f", "jsonl", "--no-sieve", str(folder)) == one


@pytest.mark.parametrize("format_name", sorted(FORMATS))
def test_nothing_of_a_known_value_gets_out(folder: Path, format_name: str) -> None:
    _, out, err = result(folder, "-f", format_name, "--min-confidence", "hint", str(folder / "0.pcap"))
    seen = (out + err).lower()
    assert [secret for secret in SECRETS if secret.lower() in seen] == []
    if format_name not in ("sarif", "junit", "github"):  # those show no values at all
        assert "44\\*" in seen or "44**" in seen


def test_a_clean_capture_stays_clean(folder: Path) -> None:
    (folder / "clean.pcap").write_bytes(pcap(frames(request("/a?t=1326153600123", "Cookie: sid=" + "0f" * 16))))
    code, out, _ = result(folder, "-f", "jsonl", "--min-confidence", "hint", str(folder / "clean.pcap"))
    assert (code, leaks(out)) == (0, [])


def test_a_mistake_is_exit_2(folder: Path) -> None:
    (folder / "known.toml").write_text('[[known]]\nkind = "msisdn"\nvalue = "07700900123"\n', encoding="utf-8")
    code, out, err = result(folder, str(folder / "0.pcap"))
    assert (code, out) == (2, "")
    assert err.endswith("known.toml: known 1: value: is not a phone number with its country code\n")
    assert result(folder, "--known", "/no/such.toml", str(folder / "0.pcap"))[0] == 2


def test_the_library(folder: Path) -> None:
    key = b"k" * 16
    known = folder / "known.toml"
    found = [
        leak for leak in leakscan.scan([folder / "0.pcap"], known=known, pseudonym_key=key) if hasattr(leak, "rule")
    ]
    assert len(found) == 12
    (finding,) = leakscan.scan_headers([("X-Any", MD5)], known=known, pseudonym_key=key)
    assert (finding.rule, finding.identifier, finding.encoding) == ("known-value", "msisdn", ("md5",))
    assert finding.pseudonym == Concealer(key).pseudonym("msisdn", NUMBER)
    assert finding.value == "44********23"


def test_names_of_fields_are_those_of_the_catalogue() -> None:
    """Else one value in one field would be two findings."""
    raw = request(
        "/a;b=c/d/longer-than-7?e=f&g=h#i", "Cookie: j=k; l = m", "Referer: http://a/?n=o", "P: q", "user-agent: r"
    )
    (head,) = Http1(Coverage(), Losses()).heads([chunk(raw)])
    message = message_of(head)
    usual = [field for field in fields(message, Losses()) if field.name != "Host"]
    assert set(usual) <= set(everything(message.target, message.headers))
    assert Field("host", "Host", "www.example") in everything(message.target, message.headers)
