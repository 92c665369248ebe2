"""Limits: the tables alone, then a thousand connections that say nothing, and one visitor who does."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leakscan.web import limits
from leakscan.web.limits import Connections, Rate, address_key
from leakscan.web.server import SPARE_FILES
from tests.web.sites import NUMBER, head, raw


class Open:
    """A connection that knows when it was dropped."""

    def __init__(self, table: Connections) -> None:
        self.table, self.dropped, self.answered = table, False, False

    def drop(self) -> None:
        self.dropped = True
        self.table.leave(self)


def entered(table: Connections, count: int, address: str | None) -> list[Open]:
    made = [Open(table) for _ in range(count)]
    for one in made:
        table.enter(one, address)
    return made


def test_the_oldest_goes_first():
    table = Connections(10)
    made = entered(table, 15, None)
    assert [one.dropped for one in made] == [True] * 5 + [False] * 10
    assert len(table) == 10


def test_an_address_that_has_too_many_pays_itself():
    table = Connections()
    visitor = entered(table, 1, "192.0.2.1")
    crowd = entered(table, limits.MAX_PER_ADDRESS + 5, "192.0.2.2")
    assert not visitor[0].dropped
    assert [one.dropped for one in crowd[:6]] == [True] * 5 + [False]
    assert not any(one.dropped for one in entered(table, limits.MAX_PER_ADDRESS + 5, None))


def test_bytes_are_bounded():
    table = Connections()
    made = entered(table, 100, None)
    for one in made:
        table.hold(one, limits.MAX_HELD_BYTES // 50)
    assert sum(not one.dropped for one in made) == 50
    assert made[-1].dropped is False
    table.hold(made[-1], 2 * limits.MAX_HELD_BYTES)
    assert len(table) == 0
    table.hold(made[0], 1)
    table.leave(made[0])
    assert len(table) == 0
    assert (table._held, table._by_address) == (0, {})


def test_dropping_all():
    table = Connections()
    made = entered(table, 3, "192.0.2.1")
    made[1].answered = True
    table.drop_all(answered=False)
    assert [one.dropped for one in made] == [True, False, True]
    table.drop_all()
    assert len(table) == 0


def test_rate():
    rate = Rate(60)
    assert [rate.wait("a", 0.0) for _ in range(15)] == [0.0] * 15
    assert rate.wait("a", 0.0) == pytest.approx(1.0)
    assert rate.wait("b", 0.0) == 0.0
    assert rate.wait("a", 1.0) == 0.0
    assert rate.wait("a", 1.0) > 0
    assert [rate.wait("a", 1000.0) for _ in range(15)] == [0.0] * 15


def test_rate_of_one_a_minute():
    rate = Rate(1)
    assert rate.wait("a", 0.0) == 0.0
    assert rate.wait("a", 59.0) > 0
    assert rate.wait("a", 120.0) == 0.0


def test_rate_remembers_so_many_addresses(monkeypatch):
    monkeypatch.setattr(limits, "MAX_ADDRESSES", 3)
    rate = Rate(1)
    for address in "abcde":
        assert rate.wait(address, 0.0) == 0.0
    assert len(rate._buckets) == 3
    assert rate.wait("e", 0.0) > 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_whose_line_it_is(address, key):
    assert address_key(address) == key


@contextlib.contextmanager
def page(*flags: str):
    """`leakscan serve` as a process; gives it and its port."""
    command = [sys.executable, "-m", "leakscan", "serve", "--port", "0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        yield process, int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def memory(process: subprocess.Popen) -> int:
    """The most bytes that it ever held."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


def files(process: subprocess.Popen) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def slow(port: int, count: int, sources: list[str], data: bytes) -> list[socket.socket]:
    made = []
    for number in range(count):
        one = socket.socket()
        one.bind((sources[number % len(sources)], 0))
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(("127.0.0.1", port))
        made.append(one)
    end = time.monotonic() + 60
    waiting = list(made)
    while waiting and time.monotonic() < end:
        still = []
        for one in waiting:
            try:
                one.send(data)
            except (BlockingIOError, ConnectionRefusedError):
                still.append(one)
            except OSError:
                continue  # dropped already: that is what the limits are for
        waiting = still
        time.sleep(0.01)
    assert not waiting
    return made


@pytest.mark.parametrize(
    ("sources", "data"),
    [
        ([f"127.0.1.{n}" for n in range(1, 33)], b"GET / HTTP/1.1\r\nX-A: "),
        ([f"127.0.1.{n}" for n in range(1, 33)], b""),
        ([f"127.0.1.{n}" for n in range(1, 33)], b"GET / HTTP/1.1\r\nX-A: " + b"a" * 30_000),
        (["127.0.0.1"], b"GET / HTTP/1.1\r\nX-A: "),
    ],
    ids=["from many", "that say nothing", "with long heads", "from the visitor's own address"],
)
def test_a_thousand_slow_connections_stop_nobody(sources, data):
    with page("--rate", "100000") as (process, port):
        raw(port, head(f"X-MSISDN: {NUMBER}".encode(), path="/"))
        before = memory(process)
        made = slow(port, 1000, sources, data)
        try:
            times = []
            for _ in range(5):
                began = time.monotonic()
                status, _, body = raw(port, head(f"X-MSISDN: {NUMBER}".encode(), path="/"))
                assert (status, b"44********23" in body) == (200, True)
                times.append(time.monotonic() - began)
            assert statistics.median(times) < 2, times
            assert memory(process) - before < limits.MAX_HELD_BYTES + (16 << 20)
        finally:
            for one in made:
                one.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


def test_more_connections_than_there_is_room_for():
    """Three thousand: the table stays as large as it may be, and a visitor still gets through."""
    with page("--rate", "100000") as (process, port):
        made = slow(port, 3000, [f"127.0.2.{n}" for n in range(1, 100)], b"GET /")
        try:
            assert raw(port, head())[0] == 200
            assert files(process) <= limits.MAX_CONNECTIONS + SPARE_FILES
            end = time.monotonic() + 30  # on a busy machine asyncio takes its time with those that are dropped
            while files(process) > limits.MAX_CONNECTIONS + 32 and time.monotonic() < end:
                time.sleep(0.05)
            assert files(process) <= limits.MAX_CONNECTIONS + 32
        finally:
            for one in made:
                one.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_stops_cleanly(tmp_path, number, code):
    """And at once, whoever is still connected; in the best of three, since the machine may be busy."""
    times = []
    for attempt in range(3):
        path = tmp_path / f"results{attempt}.jsonl"
        with page("--record", str(path)) as (process, port):
            waiting = socket.create_connection(("127.0.0.1", port))
            assert raw(port, head(f"X-MSISDN: {NUMBER}".encode()))[0] == 200
            began = time.monotonic()
            process.send_signal(number)
            assert process.wait(60) == code
            times.append(time.monotonic() - began)
            said = process.stderr.read()
            waiting.close()
        assert said == "leakscan: 1 request with a leak, of 1 examined\n"
        if times[-1] < 1.5:
            break
    assert min(times) < 1.5, times
    assert path.read_text().count('"type":"summary"') == 1
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1)
