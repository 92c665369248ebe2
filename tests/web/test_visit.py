"""What is said of one request: the verdict, who is named, what stays hidden, and that it is what `analyse` says."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan import cli, scan_headers
from leakscan.detectors import with_rules
from leakscan.detectors.catalogue import IDENTIFIERS
from leakscan.networks import Networks
from leakscan.spine import Settings
from leakscan.web.answers import visit_object
from leakscan.web.arrival import head_of
from leakscan.web.page import Facts, page, policy
from leakscan.web.visit import Visit, examine, leaks_of
from leakscan.web.words import KINDS, NOTHING, verdict, who
from tests.builders import START_NS, pcap
from tests.streams import frames
from tests.web.sites import NUMBER, TOKEN, Site, head

PUBLIC = "203.0.113.9"
SERVER = ("198.51.100.1", 80)
NETWORKS = """
[[network]]
addresses = ["203.0.113.0/24"]
name = "Testnet"
country = "GB"
mcc = "001"
mnc = "01"
bearer = "{bearer}"
"""


def visit(*lines: str, client: str = PUBLIC, target: str = "/", encrypted: bool = False, **settings) -> Visit:
    raw = head(*(line.encode("latin-1") for line in lines), path=target, host="check.example")
    made = Settings(**settings)
    arrived = head_of(raw, (client, 40000), SERVER, 1, START_NS, "check-page")
    return examine(arrived, arrived, made, leaks_of(arrived, made), encrypted)


def text_of(html: bytes) -> str:
    return re.sub(r"<(style|script)>.*?</\1>", "", html.decode(), flags=re.DOTALL)


def shown(seen: Visit, keep_days: int | None = None, secure: str = "") -> str:
    return text_of(page(seen, Facts(START_NS, keep_days, secure)))


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["x-up-calling-line-id: 447700900123"], "Your network told this website your phone number."),
        (["X-CLI: 447700900123"], "Your network probably told this website your phone number."),
        (["cli: 12025550123"], "Your network probably told this website your phone number."),
        (["X-IMSI: 001010123456789", "X-MSISDN: 447700900123"], "Your network told this website the number of your SIM card (IMSI) and your phone number."),
        (["X-Forwarded-For: 10.1.2.3"], "Your network probably told this website your address inside the network."),
        (["Cookie: android_id=9774d56d682e549c"], None),
        (["User-Agent: SoftBank/1.0/910T/TJ001/SN350000000000006 Browser/NetFront"], None),
        ([], NOTHING),
        (["X-MSISDN: unknown"], NOTHING),
        (["X-Number: 447700900123"], NOTHING),
    ],
)  # fmt: skip
def test_the_sentence(lines, sentence):
    seen = visit(*lines)
    assert sentence is None or verdict(seen) == sentence
    assert (seen.outcome == "leak") == bool(seen.findings)


def test_the_device_is_not_the_network():
    seen = visit("Cookie: android_id=9774d56d682e549d")
    assert seen.findings
    assert verdict(seen).startswith("Your device, or an app on it, ")
    assert who(seen.findings[0]) == "Your device, or an app on it; not the network."


def test_the_operator_s_own_rules_are_explained(tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(
        'date = 2026-11-25\n[x-shop-caller]\nidentifier = "msisdn"\nformats = ["msisdn"]\n'
        'explain = "Written by our own gateway."\nsource = "us"\nleaks = ["447700900123"]\nclean = ["unknown"]\n'
    )
    seen = visit(f"X-Shop-Caller: {NUMBER}", rules=with_rules(str(rules)))
    assert [found.masked.rule for found in seen.findings] == ["x-shop-caller"]
    assert "Written by our own gateway." in shown(seen)


def test_every_kind_has_words():
    assert KINDS.keys() == set(IDENTIFIERS)


@pytest.mark.parametrize(
    ("lines", "settings", "why"),
    [
        ([], {"client": "127.0.0.1"}, "private address"),
        ([], {"client": "192.168.1.2"}, "private address"),
        ([], {"client": "fd00::1"}, "private address"),
        ([], {"client": "100.64.1.2"}, None),
        ([], {"client": PUBLIC}, None),
        ([], {"encrypted": True}, "encrypted"),
        (["X-OperaMini-Phone-UA: x"], {}, "Opera Mini"),
        (["Via: 1.1 Chrome-Compression-Proxy"], {}, "data saver"),
        (["Via: 1.1 squid.example (squid/5.7)"], {}, None),
        (["User-Agent: Silk/44.1 Silk-Accelerated=true"], {}, "Silk"),
        (["X-Puffin-UA: Android/1"], {}, "Puffin"),
    ],
)
def test_what_makes_it_inconclusive(lines, settings, why):
    seen = visit(*lines, **settings)
    assert seen.outcome == ("none-found" if why is None else "inconclusive")
    assert why is None or why in verdict(seen)
    assert why is None or why in shown(seen)
    leaking = visit(*lines, "X-MSISDN: 447700900123", **settings)
    assert leaking.outcome == "leak"
    assert why is None or why in shown(leaking)


@pytest.mark.parametrize(
    ("bearer", "client", "outcome"),
    [
        ("wifi", PUBLIC, "inconclusive"),
        ("cellular", PUBLIC, "none-found"),
        ("cellular", "10.0.0.1", "none-found"),
    ],
)
def test_the_operator_knows_his_networks(tmp_path, bearer, client, outcome):
    file = tmp_path / "networks.toml"
    file.write_text(NETWORKS.format(bearer=bearer).replace("203.0.113.0/24", f"{client}/32"))
    assert visit(client=client, networks=Networks.load(str(file))).outcome == outcome


@pytest.mark.parametrize("lines", [[], ["X-MSISDN: 447700900123"], ["X-OperaMini-Phone: x"]])
def test_nobody_is_told_to_be_safe(lines):
    for client in (PUBLIC, "127.0.0.1"):
        text = shown(visit(*lines, client=client)).lower()
        for word in ("safe", "secure<", "protected", "clean", "no leak"):
            assert word not in text


def test_what_is_marked_and_hidden():
    lines = [
        "Host: a.example",
        f"X-MSISDN: {NUMBER}",
        f"Cookie: a=1; msisdn={NUMBER}",
        f"X-Other: id-{NUMBER}",
        "Accept: */*",
    ]
    seen = visit(*lines, target=f"/?msisdn={NUMBER}")
    html = shown(seen)
    outside = re.sub(r"<details.*?</details>", "", html)
    assert NUMBER in html
    assert NUMBER not in outside
    assert re.findall(r"<mark>(.*?)</mark>", html) == ["X-MSISDN", "Cookie", "X-Other"]
    assert "<b>Accept</b>: */*" in html


def test_what_the_page_says_it_keeps():
    assert "Nothing of your visit." in shown(visit())
    kept = shown(visit(), keep_days=7)
    assert "For 7 days." in kept
    assert "Nothing of your visit." not in kept


def test_nothing_that_a_visitor_sends_is_a_pseudonym():
    """Else whoever sends a number could look for its pseudonym in a published record."""
    seen = visit(f"X-MSISDN: {NUMBER}")
    assert "pseudonym" not in json.dumps(visit_object(seen))
    assert seen.findings[0].masked.pseudonym not in shown(seen) + json.dumps(visit_object(seen))
    assert seen.findings[0].masked.client not in shown(seen) + json.dumps(visit_object(seen))


TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40)
NAMES = (
    st.sampled_from(["X-MSISDN", "x-up-calling-line-id", "Cookie", "User-Agent", "Referer", "X-UIDH", "<b>", "a'\"&"])
    | TEXT
)
VALUES = TEXT | st.builds(lambda text: f"{NUMBER}{text}", TEXT) | st.just(f"msisdn={NUMBER}; a=<script>")
TAG = re.compile(r"<(/?)([a-z0-9!]+)((?:\s+[a-z-]+(?:=\"[^\"<>]*\")?)*)\s*>")


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), TEXT)
def test_no_text_becomes_markup(pairs, target):
    """Every `<` of the page begins a tag of ours, and every attribute is one of ours."""
    seen = visit(*(f"{name}: {value}" for name, value in pairs), target=f"/?{target.replace(' ', '')}")
    html = shown(seen)
    tags = TAG.findall(html)
    assert html.count("<") == len(tags)
    assert {name for _, name, _ in tags} <= {
        "!doctype",
        "html",
        "head",
        "meta",
        "title",
        "link",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "article",
        "details",
        "summary",
        "code",
        "dl",
        "dt",
        "dd",
        "div",
        "noscript",
        "ol",
        "li",
        "b",
        "mark",
        "footer",
        "script",
    }
    names = {attribute for *_, attributes in tags for attribute in re.findall(r"\s([a-z-]+)=", attributes)}
    assert names <= {"lang", "charset", "name", "content", "rel", "href", "class", "id", "data-secure", "data-name"}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", html)


def test_the_policy_names_style_and_script_by_their_content():
    html = page(visit(), Facts(START_NS, None, "https://check.example:8443")).decode()
    said = policy("https://check.example:8443")
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[1]
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in said
    assert "unsafe" not in said
    assert "connect-src 'self' https://check.example:8443;" in said


def test_the_page_is_small():
    """Also with many headers more than a browser sends, all three identifiers and a record."""
    lines = [f"X-Header-{n}: {'v' * 40}" for n in range(40)]
    lines += [f"X-MSISDN: {NUMBER}", "X-IMSI: 001010123456789", f"X-UIDH: {TOKEN}"]
    assert len(page(visit(*lines), Facts(START_NS, 30, "https://check.example:8443"))) < 20_000


# -- the page, the library and `analyse` agree ---------------------------------------------------------------------------

KEYS = ("place", "name", "rule", "identifier", "value", "encoding", "confidence", "severity", "origin", "evidence")
REQUESTS = [
    head(f"x-up-calling-line-id: {NUMBER}".encode(), b"X-IMSI: 001010123456789", f"X-UIDH: {TOKEN}".encode()),
    head(b"X-Up-Calling-Line-ID: NDQ3NzAwOTAwMTIz", b"X-MSISDN: 3434373730303930303132330a", b"X-Forwarded-For: 10.1.2.3"),
    head(b"Cookie: a=1; User-Identity-Forward-msisdn=447700900123", b"Referer: http://a.example/?msisdn=447700900124"),
    head(b"X-MSISDN: 4477\r\n 00900123", b": nothing", b"no colon", b"X-MSISDN : 447700900125"),
    head(b"X-Network-Info: msisdn=447700900123,imsi=001010123456789", b"X-Nokia-MSISDN: unknown"),
    head(path="/headers?msisdn=447700900123&imei=350000000000006"),
    head(path="/headers"),
    b"GET /headers HTTP/1.0\nHost: 127.0.0.1\nX_MSISDN: +44 7700 900123\n\n",
]  # fmt: skip


def findings(lines: list[dict]) -> list[tuple]:
    """Without what only the bearer adds to the evidence, in one order."""
    found = []
    for line in lines:
        evidence = tuple(word for word in line["evidence"] if not word.startswith("bearer: "))
        found.append(tuple(str({**line, "evidence": evidence}[key]) for key in KEYS))
    return sorted(found)


def analysed(tmp_path, capsys, raw: bytes) -> list[dict]:
    (tmp_path / "a.pcap").write_bytes(pcap(frames(raw)))
    cli.run(["analyse", "-q", "-f", "jsonl", str(tmp_path / "a.pcap")])
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line for line in lines if line["type"] == "leak"]


@pytest.fixture(scope="module")
def site():
    with Site() as running:
        yield running


@pytest.mark.parametrize("raw", REQUESTS, ids=range(len(REQUESTS)))
def test_the_page_and_analyse_agree(site, tmp_path, capsys, raw):
    status, _, body = site.raw(raw)
    assert status == 200
    page_says = json.loads(body)
    captured = analysed(tmp_path, capsys, raw)
    assert findings(page_says["findings"]) == findings(captured)
    assert (page_says["outcome"] == "leak") == bool(captured)


@pytest.mark.parametrize("raw", REQUESTS, ids=range(len(REQUESTS)))
def test_the_page_and_the_library_agree(site, raw):
    """About header lines: the library is given nothing else."""
    said = json.loads(site.raw(raw)[2])
    library = scan_headers([tuple(pair) for pair in said["headers"]])
    page_says = [found for found in said["findings"] if found["place"] not in ("query", "path")]
    assert findings(page_says) == findings([{**asdict(found), "encoding": list(found.encoding)} for found in library])


def test_there_is_something_to_agree_on(site):
    counts = [len(json.loads(site.raw(raw)[2])["findings"]) for raw in REQUESTS]
    assert sum(counts) >= 12
    assert counts[6] == 0
