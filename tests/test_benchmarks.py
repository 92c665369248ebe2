"""The benchmarks can be trusted: traffic is the same every time, what is planted is found, and a miss is noticed."""

from __future__ import annotations

import io
import json
import sys

import pytest

from leakscan import Summary, scan
from tests.benchmarks import run, traffic
from tests.benchmarks.breakdown import breakdown
from tests.benchmarks.traffic import KINDS, generate, parse_size

SIZE = 3_000_000
FORMS = {"pcap": {}, "pcapng": {"pcapng": True}, "gtp-u": {"gtp_u": True}}


@pytest.fixture
def leaky(monkeypatch):
    """Half of the streams HTTP, and all of them leaking: small captures are enough."""
    monkeypatch.setattr(traffic, "HTTP_SHARE", 0.5)
    monkeypatch.setattr(traffic, "LEAKING_SHARE", 1.0)
    monkeypatch.setattr(traffic, "QUIET_SHARE", 1.0)


def made(kind, size=SIZE, **options):
    """A capture in memory, and what is in it."""
    out = io.BytesIO()
    return generate(kind, size, out, **options), out.getvalue()


def found(path):
    """The leaks, and the summary."""
    *leaks, summary = scan([path], min_confidence="hint")
    assert isinstance(summary, Summary)
    return leaks, summary


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_every_time(kind):
    assert made(kind, 300_000) == made(kind, 300_000)
    assert made(kind, 300_000, seed=1)[1] != made(kind, 300_000, seed=2)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_planted_is_found(kind, tmp_path, leaky):
    holds, data = made(kind)
    (tmp_path / "a.pcap").write_bytes(data)
    leaks, summary = found(tmp_path / "a.pcap")
    frames = {leak.frame for leak in leaks}
    assert len(holds.whole) > 20
    assert set(holds.whole) <= frames <= {*holds.whole, *holds.torn}
    assert {leak.rule for leak in leaks} == {run.RULE}
    coverage = summary.to_dict()["coverage"]
    assert coverage["frames"] == holds.frames
    assert "frame.malformed" not in coverage["losses"]["other"]
    assert "tcp.checksum" not in coverage["losses"]["other"]


@pytest.mark.parametrize("kind", ["mixed", "http", "quiet", "tiny"])
def test_without_loss_every_request_is_read(kind, tmp_path):
    holds, data = made(kind)
    (tmp_path / "a.pcap").write_bytes(data)
    summary = found(tmp_path / "a.pcap")[1]
    assert holds.requests - 10 <= summary.requests <= holds.requests  # the last ones of the open streams are cut


def test_lossy_traffic_loses_heads(leaky):
    holds, _ = made("lossy", 30_000_000)
    assert holds.torn
    assert len(holds.whole) > 20 * len(holds.torn)


def test_every_form_holds_the_same(tmp_path, leaky):
    results = []
    for form, options in FORMS.items():
        holds, data = made("mixed", **options)
        (tmp_path / form).write_bytes(data)
        leaks, _ = found(tmp_path / form)
        seen = [(leak.frame, leak.time, leak.host, leak.target, leak.client_port, leak.value) for leak in leaks]
        results.append((holds, seen))
        assert all((leak.teid is not None) == (form == "gtp-u") for leak in leaks)
    assert results[0][1]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    ("text", "size"), [("1GB", 10**9), ("0.5 gb", 5 * 10**8), ("250MB", 25 * 10**7), ("7", 7), ("2kb", 2000), ("9B", 9)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.fixture
def result(tmp_path):
    """A capture with whole and torn leaks, and what leakscan would say about them."""

    def write(frames, rule=run.RULE):
        lines = [{"type": "run"}, *({"type": "leak", "rule": rule, "frame": frame} for frame in frames)]
        (tmp_path / "out").write_text("\n".join(map(json.dumps, lines)))
        return str(tmp_path / "out")

    return write


CAPTURE = run.Capture("", 0, 9, 2, frozenset({1, 5}), frozenset({7}))


@pytest.mark.parametrize("frames", [[1, 5], [1, 5, 7]])
def test_a_full_result_passes(result, frames):
    run.check(result(frames), CAPTURE)


@pytest.mark.parametrize("frames", [[1], [], [1, 5, 6]])
def test_a_missed_or_invented_leak_is_noticed(result, frames):
    with pytest.raises(run.Missed):
        run.check(result(frames), CAPTURE)


def test_a_leak_of_another_kind_is_noticed(result):
    with pytest.raises(run.Missed):
        run.check(result([1, 5], rule="imsi"), CAPTURE)


def test_a_small_round_from_end_to_end(tmp_path):
    bench = run.Bench(str(tmp_path), runs=1)
    text = run.peers_table(bench, "http", 500_000, [run.LEAKSCAN, run.Program("python", "python -c pass")])
    head, *rows = text.splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["---", "leakscan", "python"]
    assert len({row.count("|") for row in [head, *rows]}) == 1
    assert not list(tmp_path.glob("*.pcap"))


def test_the_breakdown_takes_the_whole_way(tmp_path, leaky):
    holds, data = made("http", 1_000_000)
    (tmp_path / "a.pcap").write_bytes(data)
    stages = breakdown(str(tmp_path / "a.pcap"))
    assert list(stages) == ["tables", "walk", "sieve", "reassembly", "parse", "detect", "write"]
    assert all(seconds > 0 for seconds, _, _ in stages.values())
    assert stages["walk"][1:] == ("frame", holds.frames)
    assert stages["write"][1:] == ("leak", len(holds.whole))


def test_a_program_that_fails_stops_the_benchmark(tmp_path):
    with pytest.raises(run.subprocess.CalledProcessError):
        run.measure([sys.executable, "-c", "raise SystemExit(3)"], str(tmp_path))


def test_what_is_missing_is_named_with_its_package():
    absent = run.Program("nettle", "no-such-program-anywhere CAPTURE", "nettle-tools")
    there, missing = run.installed([run.LEAKSCAN, absent])
    assert there == [run.LEAKSCAN]
    assert missing == ["nettle is not installed (Debian package nettle-tools)"]


def test_the_page_has_a_place_for_the_tables():
    page = run.PAGE.read_text(encoding="utf-8")
    again = run.written(page, "TABLES\n")
    assert "TABLES" in again
    assert run.written(again, "TABLES\n") == again
    assert page.split(run.BEGIN)[0] == again.split(run.BEGIN)[0]
