"""The same exchange twice: as the check page received it, and as a capture of it says."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from leakscan import cli
from tests.web.sites import ENRICHED, SITE, Site, enriching, need
from tests.web.test_visit import findings


@pytest.fixture
def tcpdump(tmp_path):
    """Starts tcpdump on the loopback interface; gives what ends it and returns the capture."""
    program = need("tcpdump")
    if os.geteuid() != 0:
        pytest.skip("tcpdump on lo needs root")
    running = []

    def start(port: int):
        path = tmp_path / "exchange.pcap"
        command = [program, "-i", "lo", "--immediate-mode", "-U", "-Z", "root", "-w", str(path), f"tcp port {port}"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        running.append(process)
        assert "listening on lo" in process.stderr.readline()

        def stop():
            end = time.monotonic() + 30
            while b"HTTP/1.1 200" not in path.read_bytes() and time.monotonic() < end:
                time.sleep(0.02)
            process.terminate()
            process.wait(10)
            return path

        return stop

    yield start
    for process in running:
        process.terminate()
        process.wait(10)
        process.stderr.close()


def test_analyse_of_a_capture_says_what_the_page_says(tmp_path, tcpdump, capsys):
    folder = tmp_path / "nginx"
    folder.mkdir()
    with (
        Site(record=tmp_path / "record.jsonl", pseudonym_key=b"a key for tests, no other use") as site,
        enriching(folder, site.port, ENRICHED) as proxy,
    ):
        stop = tcpdump(site.port)
        command = [need("curl"), "-sS", "--max-time", "10", "-x", f"http://127.0.0.1:{proxy}"]
        command += ["-b", "msisdn=447700900124", f"http://{SITE}:{site.port}/headers?imei=350000000000006"]
        said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        capture = stop()
    (tmp_path / "key").write_bytes(b"a key for tests, no other use")
    code = cli.run(["analyse", "-q", "-f", "jsonl", "--pseudonym-key", str(tmp_path / "key"), str(capture)])
    assert code == 1
    captured = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recorded = [json.loads(line) for line in (tmp_path / "record.jsonl").read_text().splitlines()]
    leaks = [[line for line in lines if line["type"] == "leak"] for lines in (captured, recorded)]
    assert len(leaks[0]) >= 4
    assert findings(said["findings"]) == findings(leaks[0]) == findings(leaks[1])
    for key in ("pseudonym", "client", "host", "target", "server_port", "fingerprint", "network", "home_operator"):
        assert [leak[key] for leak in leaks[0]] == [leak[key] for leak in leaks[1]], key
    for one, other in zip(captured[-1]["behaviours"], recorded[-1]["behaviours"], strict=True):
        same = ("fingerprint", "leaks", "subscribers", "severity", "confidence", "origin", "example")
        assert [one[key] for key in same] == [other[key] for key in same]
