"""The same units on a dask cluster: a real scheduler and real workers, on the loopback."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import Future
from urllib.parse import urljoin, urlsplit

import pytest

from leakscan.errors import UsageError
from leakscan.fleet import cluster
from leakscan.fleet.crew import Lost, Queue
from leakscan.interrupt import Gate
from leakscan.ways import travels_in_clear
from tests.fleet.captures import ROOT, result, write
from tests.fleet.dasks import KEY, SECONDS, Dask, Run, wait_for
from tests.fleet.test_crew import dies
from tests.sources.servers import Proxy
from tests.web.sites import certificate

pytest.importorskip("distributed", reason="needs the extra cluster")
pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture
def dask(tmp_path):
    folder = tmp_path / "dask"
    folder.mkdir()
    made = Dask(folder)
    yield made
    made.close()


@pytest.fixture
def common(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(KEY)
    return "-f", "jsonl", "--pseudonym-key", str(key), str(tmp_path / "in")


def test_200_captures_and_a_worker_that_is_killed(tmp_path, dask, common):
    write(tmp_path / "in", 200, 10)
    victim, _ = dask.worker(), dask.worker()
    plain = result("-j", "1", *common)
    run = Run(tmp_path, "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    wait_for(tmp_path / "state", 40)
    assert run.process.poll() is None
    victim.kill()
    assert run.result() == plain
    assert "Removing worker" in dask.logs() or "Remove worker" in dask.logs()
    logs = dask.logs()
    assert KEY.decode() not in logs
    assert "4477009" not in logs


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_found_and_leaves_nothing_to_do(tmp_path, dask, common, number):
    write(tmp_path / "in", 150, 10)
    dask.worker()
    run = Run(tmp_path, "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    wait_for(tmp_path / "state", 10)
    run.process.send_signal(number)
    code, out, err = run.result()
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 128 + number, err
    assert "Traceback" not in err
    assert [line["type"] for line in lines] == ["run", *["leak"] * (len(lines) - 2), "summary"]
    assert 100 <= lines[-1]["total"]["leaks"] == len(lines) - 2 < 1500
    assert lines[-1]["coverage"]["losses"]["unread"]["run.interrupted"] == 1
    assert tasks_left(dask) == 0
    assert result("-j", "1", "--state", str(tmp_path / "state"), *common)[1] == result("-j", "1", *common)[1]


def tasks_left(dask: Dask) -> int:
    """Of the scheduler, when it has seen that the client has gone."""
    limit = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(f"{dask.dashboard}/json/counts.json", timeout=SECONDS) as answer:
            left = json.load(answer)["tasks"]
        if not left or time.monotonic() > limit:
            return left
        time.sleep(0.1)


def pages(dask: Dask) -> str:
    """All that the dashboard says now."""
    seen, left, said = set(), {"/info/main/workers.html", "/json/counts.json", "/json/index.html"}, ""
    while left:
        path = left.pop()
        seen.add(path)
        with contextlib.suppress(urllib.error.HTTPError):  # a task that is done meanwhile has no page
            with urllib.request.urlopen(dask.dashboard + path, timeout=SECONDS) as answer:
                text = answer.read().decode(errors="replace")
            said += text
            links = (urljoin(path, link) for link in re.findall(r'href="([^"#]+)"', text) if "static" not in link)
            left |= {link for link in links if link.startswith(("/info/", "/json/"))} - seen
    return said


def test_the_key_is_nowhere_to_be_seen(tmp_path, dask, common):
    """Nor are captures: not in what the dashboard, the logs and the scheduler's memory of tasks tell."""
    folder = tmp_path / "in"
    write(folder, 100, 60)
    dask.worker()
    run = Run(tmp_path, "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    wait_for(tmp_path / "state", 3)
    said = ""
    while run.process.poll() is None:
        said += pages(dask)
    assert run.result()[0] == 1
    script = (
        "import sys; from distributed import Client\n"
        "def told(dask_scheduler): return repr([dask_scheduler.transition_log, dask_scheduler.get_events(), dask_scheduler.tasks])\n"
        "print(Client(sys.argv[1]).run_on_scheduler(told))"
    )
    done = subprocess.run([sys.executable, "-c", script, dask.address], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert "scan_unit-" in said
    assert "scan_unit-" in done.stdout
    for where in (said, done.stdout, dask.logs()):
        for secret in (KEY.decode(), KEY.hex(), "4477009", f"{folder}/"):
            assert secret not in where


def test_what_is_sent_is_encrypted_with_tls_only(tmp_path, common):
    write(tmp_path / "in", 4)
    plain = result("-j", "1", *common)
    files = dict(zip(("CERT", "KEY"), certificate(tmp_path), strict=True))
    settings = {f"DASK_DISTRIBUTED__COMM__TLS__{who}__{what}": path for what, path in files.items() for who in TLS_WHO}
    settings["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = files["CERT"]
    heard = {}
    for protocol in ("tcp", "tls"):
        folder = tmp_path / protocol
        folder.mkdir()
        dask = Dask(folder, protocol, **settings)
        dask.worker()
        there = urlsplit(dask.address)
        proxy = Proxy(str(there.hostname), there.port)
        address = f"{protocol}://127.0.0.1:{urlsplit(proxy.address).port}"
        assert Run(folder, "--cluster", address, *common, **settings).result() == plain
        heard[protocol] = bytes(proxy.heard)
        proxy.close()
        dask.close()
    assert KEY in heard["tcp"]  # else it could not be seen that it is not in the other
    assert len(heard["tls"]) > 1000
    assert KEY not in heard["tls"]


TLS_WHO = ("SCHEDULER", "WORKER", "CLIENT")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("tcp://192.0.2.1:8786", True),
        ("192.0.2.1:8786", True),
        ("tls://192.0.2.1:8786", False),
        ("tcp://127.0.0.1:8786", False),
        ("localhost:8786", False),
        ("local", False),
        ("tcp://[::1]:8786", False),
        ("tcp://[", False),
    ],
)
def test_who_sends_in_clear_is_told(address, told):
    assert travels_in_clear(address) == told


def test_a_lost_scheduler_ends_with_what_was_found(tmp_path, dask, common, monkeypatch):
    write(tmp_path / "in", 120, 10)
    dask.worker()
    arguments = ("--fail-on", "none", "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    run = Run(tmp_path, *arguments)
    wait_for(tmp_path / "state", 10)
    dask.scheduler.kill()
    code, out, err = run.result()
    assert code == 3
    assert "the scheduler was lost" in err
    assert re.search(r"run\.not-scanned \d+", err)
    assert out.count('"type":"leak"') >= 100
    assert result("-j", "2", "--state", str(tmp_path / "state"), *common)[:2] == result("-j", "1", *common)[:2]


def test_another_version_is_refused(tmp_path, dask, common):
    write(tmp_path / "in", 2)
    shutil.copytree(ROOT / "leakscan", tmp_path / "other" / "leakscan")
    changed = tmp_path / "other" / "leakscan" / "detectors" / "signatures.toml"
    changed.write_text(changed.read_text() + "\n# another one\n")
    dask.worker(python_path=str(tmp_path / "other"))
    code, _, err = result("--cluster", dask.address, *common)
    assert code == 2
    assert "--cluster: code and catalogue is" in err


def test_a_worker_that_came_later_is_refused_as_well(tmp_path, dask, common, monkeypatch):
    """Client and workers were compared, then came this one."""
    write(tmp_path / "in", 2)
    other = tmp_path / "other" / "leakscan"
    shutil.copytree(ROOT / "leakscan", other)
    (other / "one_more.py").touch()
    dask.worker(python_path=str(other.parent))
    monkeypatch.setattr(cluster.Cluster, "_compare", lambda self: None)
    code, _, err = result("--cluster", dask.address, *common)
    assert (code, "another version of leakscan, its catalogue or Python is on " in err) == (2, True), err


def test_a_task_that_its_worker_cannot_unpack(tmp_path):
    future = Future()
    future.set_exception(ModuleNotFoundError("No module named 'leakscan'"))
    with pytest.raises(UsageError, match="a worker has no leakscan"):
        cluster.Cluster.outcome(cluster.Cluster.__new__(cluster.Cluster), future)


def test_a_cluster_that_is_left_without_workers(tmp_path, dask, common, monkeypatch):
    write(tmp_path / "in", 120, 10)
    worker, started = dask.worker(), time.monotonic()
    monkeypatch.setattr(cluster, "ALONE_SECONDS", 3)
    monkeypatch.setattr(cluster, "ASK_SECONDS", 0)
    threading.Thread(target=lambda: (wait_for(tmp_path / "state", 10), worker.kill())).start()
    code, out, err = result("--fail-on", "none", "--cluster", dask.address, "--state", str(tmp_path / "state"), *common)
    assert (code, "no worker was left" in err) == (3, True), err
    assert out.count('"type":"leak"') >= 100
    assert time.monotonic() - started < SECONDS


def test_a_task_that_kills_its_workers_takes_no_other_along(tmp_path):
    """Dask gives up what waited on the same worker as well."""
    folder = tmp_path / "dask"
    folder.mkdir()
    dask = Dask(folder, python_path=str(ROOT), DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    try:
        dask.worker(python_path=str(ROOT), nanny=True)
        crew = cluster.Cluster(dask.address, 1)
        tasks = [(number, 3, str(tmp_path / "note")) for number in range(8)]
        found = dict(Queue(crew, Gate()).results(dies, tasks))
        crew.close()
    finally:
        dask.close()
    assert found.pop(3) == Lost("the workers that scanned it died")
    assert found == {number: number * 10 for number in range(8) if number != 3}
    assert len((tmp_path / "note").read_text()) == crew.attempts


def test_a_cluster_of_its_own(tmp_path, common):
    write(tmp_path / "in", 6)
    assert Run(tmp_path, "--cluster", "local", "-j", "2", *common).result() == result("-j", "1", *common)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--show-values", "--cluster", "tcp://127.0.0.1:9"), "--cluster: results are masked there"),
        (("--cluster", "tcp://127.0.0.1:9"), "--cluster tcp://127.0.0.1:9: no scheduler answers"),
        (("--cluster", "nonsense"), "--cluster nonsense"),
    ],
)
def test_what_cannot_be(tmp_path, common, monkeypatch, arguments, reason):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    write(tmp_path / "in", 2)
    code, _, err = result(*arguments, *common)
    assert (code, reason in err) == (2, True), err


def test_workers_have_another_folder(tmp_path, monkeypatch):
    write(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)
    code, _, err = result("--cluster", "tcp://127.0.0.1:9", "in")
    assert (code, "give the whole path of in/000.pcap, or a URL" in err) == (2, True)


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch, common):
    write(tmp_path / "in", 2)
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = result("--cluster", "local", *common)
    assert code == 2
    assert "pip install 'leakscan[cluster]'" in err
