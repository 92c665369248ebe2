"""The record: a result of schema 1 that grows, a file a day, no longer than the operator said, and nothing raw in it."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import UTC, date, datetime, timedelta
from unittest import mock

import pytest

from leakscan import cli
from leakscan.errors import UsageError
from leakscan.networks import Networks
from leakscan.spine import Settings
from leakscan.web import record as record_module
from leakscan.web import watch as watch_module
from leakscan.web.arrival import head_of
from leakscan.web.record import Record
from leakscan.web.watch import Watch
from tests.leaks import leak, run
from tests.web.sites import NUMBER, Site, head

DAY_NS = 86_400 * 10**9
NOON = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()) * 10**9
LEAKING = head(f"X-MSISDN: {NUMBER}".encode(), f"X-{NUMBER}-MSISDN: {NUMBER}".encode())
CLEAN = head()


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def watch(path, keep: int = 30, sample: int | None = None, **settings) -> Watch:
    made = Watch("check-page", Settings(**settings), Record(str(path), keep), sample)
    with mock.patch("leakscan.web.watch.time.time_ns", return_value=NOON):
        made.begin()
    return made


def see(made: Watch, raw: bytes = LEAKING, time_ns: int = NOON, client: str = "203.0.113.9") -> None:
    made.seen(head_of(raw, (client, 40000), ("198.51.100.1", 80), 1, time_ns, "check-page"))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_a_result_of_schema_1(tmp_path):
    path = tmp_path / "results.jsonl"
    with Site(record=path) as site:
        for raw in (LEAKING, CLEAN, LEAKING.replace(b"/headers", b"/")):
            site.raw(raw)
        site.watch._next_flush = 0.0
        site.watch.tick()
        assert [line["type"] for line in lines(path)] == ["run", *["leak"] * 4, "summary"]
    first, *leaks, last = lines(path)
    assert [line["type"] for line in lines(path)] == ["run", *["leak"] * 4, "summary"]
    assert (first["schema"], first["values"], len(first["captures"])) == (1, "masked", 1)
    assert re.fullmatch(r"check-page-\d{8}-\d{6}-\d{6}", first["captures"][0]["name"])
    assert {leak["capture"] for leak in leaks} == {first["captures"][0]["name"]}
    assert first["settings"]["record"]["keep_days"] == 30
    assert leaks[0].keys() == json.loads(json.dumps({"type": "leak", **_keys()})).keys()
    assert (leaks[0]["value"], leaks[0]["host"], leaks[0]["frame"]) == ("44********23", "127.0.0.1", 1)
    assert leaks[0]["client"].startswith("ip:")
    assert last["outcome"] == "leak"
    assert last["total"]["requests"] == last["coverage"]["requests"] == 3
    assert (last["total"]["leaks"], last["total"]["leaking_requests"], last["total"]["subscribers"]) == (4, 2, 1)
    assert last["coverage"]["losses"] == {"unread": {}, "other": {}}


def _keys() -> dict:
    return dict.fromkeys(leak().__slots__)


def test_report_reads_it_day_by_day_and_while_it_grows(tmp_path, capsys):
    networks = tmp_path / "networks.toml"
    networks.write_text('[[network]]\naddresses = ["203.0.113.0/24"]\nname = "Testnet"\nmcc = "001"\nmnc = "01"\n')
    made = watch(tmp_path / "results.jsonl", networks=Networks.load(str(networks)), networks_name=str(networks))
    for day in range(3):
        for raw in (LEAKING, CLEAN, CLEAN):
            see(made, raw, time_ns=NOON + day * DAY_NS)
    made._next_flush = 0.0
    with mock.patch("leakscan.web.watch.time.time_ns", return_value=NOON + 2 * DAY_NS):
        made.tick()
    assert cli.run(["report", "-q", "-f", "json", *map(str, sorted(tmp_path.glob("*.jsonl")))]) == 1
    summary = json.loads(capsys.readouterr().out)["summary"]
    total = summary["total"]
    assert (total["requests"], total["leaks"], total["subscribers"], total["leaking_requests"]) == (9, 6, 1, 3)
    assert (total["first_seen"][:10], total["last_seen"][:10]) == ("2026-11-25", "2026-11-27")
    carriers = [(row["name"], row["requests"], row["leaks"]) for row in summary["carriers"] if row["requests"]]
    assert carriers == [("Testnet", 9, 6)]
    assert len(summary["timeline"]["cells"]) == 3
    assert "remarks" not in summary
    made.end()


def test_nothing_raw_is_in_it(tmp_path):
    path = tmp_path / "results.jsonl"
    with Site(record=path) as site:
        site.raw(
            head(f"X-MSISDN: {NUMBER}".encode(), f"X-{NUMBER}-Y: 1".encode(), path=f"/?n={NUMBER}", host="localhost")
        )
        site.raw(head(f"X-{NUMBER}-MSISDN: {NUMBER}".encode(), b"Cookie: msisdn=" + NUMBER.encode()))
    text = path.read_text()
    assert NUMBER not in text
    assert "127.0.0.1:" not in text
    assert '"client":"127' not in text
    assert text.count('"leak"') >= 3


def test_nothing_is_kept_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Site() as site:
        site.raw(LEAKING)
        assert site.watch is None
        assert (site.server.requests, site.server.leaking) == (1, 1)
    assert names(tmp_path) == []


def test_only_the_owner_may_read_it(tmp_path):
    see(watch(tmp_path / "results.jsonl"))
    assert stat.S_IMODE((tmp_path / "results.jsonl").stat().st_mode) == 0o600


def test_a_file_a_day(tmp_path):
    made = watch(tmp_path / "results.jsonl")
    for days in range(3):
        see(made, time_ns=NOON + days * DAY_NS)
        see(made, CLEAN, time_ns=NOON + days * DAY_NS)
    made.end()
    dated = [f"results-{date(2026, 11, 25) + timedelta(days)}.jsonl" for days in (0, 1)]
    assert names(tmp_path) == [*dated, "results.jsonl"]
    for name in (*dated, "results.jsonl"):
        said = lines(tmp_path / name)
        assert [line["type"] for line in said] == ["run", "leak", "leak", "summary"]
        assert said[-1]["total"]["requests"] == 2
    runs = [lines(tmp_path / name)[0] for name in (*dated, "results.jsonl")]
    assert len({run["key_id"] for run in runs}) == 1
    assert len({run["captures"][0]["name"] for run in runs}) == 3


def test_retention(tmp_path):
    """Also of what a process left that is gone; never of what somebody writes to, or of anything else."""
    made = watch(tmp_path / "results.jsonl", keep=2)
    for days in range(5):
        see(made, time_ns=NOON + days * DAY_NS)
    made.end()
    kept = [f"results-{date(2026, 11, 25) + timedelta(3)}.jsonl", "results.jsonl"]
    assert names(tmp_path) == kept
    (tmp_path / "results.7.jsonl").write_bytes((tmp_path / kept[0]).read_bytes())
    foreign = ["results-2020-01-01.jsonl", "other-2020-01-01.jsonl", "results-2020-01-02.jsonl"]
    (tmp_path / foreign[0]).write_text(json.dumps(run()) + "\n")
    (tmp_path / foreign[1]).write_bytes((tmp_path / kept[0]).read_bytes())
    (tmp_path / foreign[2]).symlink_to(tmp_path / kept[0])
    later = watch(tmp_path / "results.jsonl", keep=2)
    see(later, time_ns=NOON + 9 * DAY_NS)
    later.end()
    assert set(foreign) <= set(names(tmp_path))
    assert "results.7.jsonl" not in names(tmp_path)


def test_a_restart_puts_the_old_one_aside(tmp_path):
    path = tmp_path / "results.jsonl"
    for _ in range(3):
        watch(path).end()
    assert names(tmp_path) == ["results-2026-11-25.2.jsonl", "results-2026-11-25.jsonl", "results.jsonl"]


def test_it_is_whole_at_any_time(tmp_path, monkeypatch):
    """Leaks are written with the summary that counts them, and soon: what a crash leaves is a result."""
    monkeypatch.setattr(watch_module, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(watch_module, "FLUSH_SHARE", 1e9)
    path = tmp_path / "results.jsonl"
    made = watch(path)
    assert [line["type"] for line in lines(path)] == ["run", "summary"]
    for count in range(1, 4):
        see(made)
        see(made, CLEAN)
        said = lines(path)
        assert [line["type"] for line in said] == ["run", *["leak"] * 2 * count, "summary"]
        assert (said[-1]["total"]["leaks"], said[-1]["total"]["requests"]) == (2 * count, 2 * count)
    made._record.close()
    watch(path).end()
    assert len(names(tmp_path)) == 2


def test_writing_waits_a_little(tmp_path):
    path = tmp_path / "results.jsonl"
    made = watch(path)
    see(made)
    assert [line["type"] for line in lines(path)] == ["run", "summary"]
    made._next_flush = 0.0
    see(made)
    assert [line["type"] for line in lines(path)] == ["run", *["leak"] * 4, "summary"]


def test_what_waits_has_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(record_module, "MAX_WAITING_BYTES", 5000)
    made = watch(tmp_path / "results.jsonl")
    for _ in range(20):
        see(made)
        assert made._record._waiting <= 5000 + 2000
    assert len(lines(tmp_path / "results.jsonl")) > 20


def test_two_processes_under_one_name(tmp_path):
    one, other = watch(tmp_path / "results.jsonl"), watch(tmp_path / "results.jsonl")
    see(one)
    see(other)
    assert names(tmp_path) == ["results.2.jsonl", "results.jsonl"]
    one.end()
    other.end()


def test_a_fork_counts_for_itself(tmp_path):
    made = watch(tmp_path / "results.jsonl")
    see(made, time_ns=NOON)
    child = os.fork()
    if not child:
        code = 1
        try:
            see(made, time_ns=NOON)
            code = 0 if made.summary()["total"]["requests"] == 1 else 2
            made.end()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    see(made, time_ns=NOON)
    assert made.summary()["total"]["requests"] == 2
    made.end()
    assert [line["type"] for line in lines(tmp_path / "results.2.jsonl")] == ["run", "leak", "leak", "summary"]
    assert [line["type"] for line in lines(tmp_path / "results.jsonl")] == ["run", *["leak"] * 4, "summary"]


@pytest.mark.parametrize("what", ["text", "link", "folder", "missing", "fifo", "result"])
def test_mistakes(tmp_path, what):
    path = tmp_path / "results.jsonl"
    if what == "text":
        path.write_text("somebody's notes\n")
    elif what == "link":
        (tmp_path / "else").write_text("")
        path.symlink_to(tmp_path / "else")
    elif what == "folder":
        path.mkdir()
    elif what == "missing":
        path = tmp_path / "no" / "results.jsonl"
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.write_text(json.dumps(run()) + "\n")
    before = names(tmp_path)
    with pytest.raises(UsageError, match=r"results\.jsonl"):
        watch(path)
    assert names(tmp_path) == before


def test_a_name_that_says_something_else(tmp_path):
    with pytest.raises(UsageError, match=r"results\.txt: a record is JSON Lines"):
        watch(tmp_path / "results.txt")
    assert not names(tmp_path)


def test_sampling(tmp_path):
    made = watch(tmp_path / "results.jsonl", sample=3)
    for number in range(10):
        see(made, head(f"X-MSISDN: 4477009001{number:02}".encode()))
    see(made, head(b"X-IMSI: 001010123456789"))
    made.end()
    said = lines(tmp_path / "results.jsonl")
    assert [line["rule"] for line in said if line["type"] == "leak"] == ["x-msisdn"] * 3 + ["x-imsi"]
    assert said[0]["settings"]["sample"] == 3
    assert said[-1]["total"]["leaks"] == 11
    assert said[-1]["total"]["identifiers"] == {"imsi": 1, "msisdn": 10}
    assert said[-1]["coverage"]["losses"]["other"]["record.not-kept"] == 7


def test_a_file_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(record_module, "MAX_BYTES", 5000)
    said = []
    made = Watch("check-page", Settings(), Record(str(tmp_path / "results.jsonl"), 1), None, said.append)
    for _ in range(20):
        see(made)
    made.end()
    kept = lines(tmp_path / "results.jsonl")
    assert (tmp_path / "results.jsonl").stat().st_size < 20_000
    assert kept[-1]["total"]["leaks"] == 40
    assert kept[-1]["coverage"]["losses"]["other"]["record.not-kept"] == 40 - len(kept) + 2
    assert len(said) == 1


def test_a_full_disk_tears_no_line(tmp_path, monkeypatch):
    """Some bytes of a line find room, then none: what was written is taken back, and the page goes on."""
    monkeypatch.setattr(watch_module, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(watch_module, "FLUSH_SHARE", 1e9)
    made = watch(tmp_path / "results.jsonl")
    see(made)
    write, size = os.pwrite, (tmp_path / "results.jsonl").stat().st_size

    def short(file, data, offset):
        room = size + 300 - offset
        if room <= 0:
            raise OSError(28, "No space left on device")
        return write(file, data[:room], offset)

    monkeypatch.setattr(os, "pwrite", short)
    for _ in range(3):
        see(made)
        assert [line["type"] for line in lines(tmp_path / "results.jsonl")] == ["run", "leak", "leak", "summary"]
    monkeypatch.setattr(os, "pwrite", write)
    see(made)
    made.end()
    said = lines(tmp_path / "results.jsonl")
    assert [line["type"] for line in said] == ["run", *["leak"] * 4, "summary"]
    assert said[-1]["total"]["leaks"] == 10
    assert said[-1]["coverage"]["losses"]["other"]["record.not-kept"] == 6


def test_a_day_that_cannot_be_begun_is_counted(tmp_path):
    """The folder vanishes: visitors are answered, and nothing is torn."""
    folder = tmp_path / "folder"
    folder.mkdir()
    made = watch(folder / "results.jsonl")
    see(made, time_ns=NOON)
    (folder / "results.jsonl").unlink()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    see(made, time_ns=NOON + DAY_NS)
    assert made.summary()["coverage"]["losses"]["other"]["record.not-kept"] == 2
    folder.mkdir()
    see(made, time_ns=NOON + DAY_NS)
    made.end()
    assert [line["type"] for line in lines(folder / "results.jsonl")] == ["run", "leak", "leak", "summary"]


def test_a_day_is_closed_without_visitors(tmp_path, monkeypatch):
    made = watch(tmp_path / "results.jsonl")
    see(made, time_ns=NOON)
    monkeypatch.setattr("leakscan.web.watch.time.time_ns", lambda: NOON + DAY_NS)
    made.tick()
    assert [line["type"] for line in lines(tmp_path / "results-2026-11-25.jsonl")] == ["run", "leak", "leak", "summary"]
    made.end()


def test_faults_are_counted_as_unread(tmp_path):
    made = watch(tmp_path / "results.jsonl")
    made.failed()
    made.end()
    said = lines(tmp_path / "results.jsonl")[-1]
    assert said["coverage"]["losses"]["unread"] == {"request.failed": 1}
    assert said["outcome"] == "inconclusive"
