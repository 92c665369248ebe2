"""`leakscan serve`: mistakes of the operator, and that starting is fast."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from leakscan import cli
from leakscan.web import limits, record
from tests.nobody import as_nobody
from tests.web.sites import certificate

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "65536"], "65536"),
        (["--host", "192.0.2.77"], "cannot listen on 192.0.2.77 port 8080"),
        (["--host", "no such host"], "cannot listen on no such host"),
        (["--tls-cert", "a.pem"], "go together"),
        (["--tls-key", "a.pem"], "go together"),
        (["--tls-cert", "no-such.pem", "--tls-key", "no-such.pem"], "no-such.pem"),
        (["--tls-cert", "fixtures/golden.key", "--tls-key", "fixtures/golden.key"], "no certificate with its key"),
        (["--allow-host", "http://check.example"], "without scheme and port"),
        (["--allow-host", "check.example:80"], "without scheme and port"),
        (["--allow-host", "*.example"], "without scheme and port"),
        (["--trusted-proxy", "localhost"], "localhost"),
        (["--record", "no/such/folder/r.jsonl"], "no/such/folder"),
        (["--record", "fixtures/make.py"], "fixtures/make.py"),
        (["--record", "fixtures/clean.leaks.jsonl"], "something else than a record"),
        (["--keep", "0"], "--keep"),
        (["--rate", "0"], "--rate"),
        (["--pseudonym-key", "no-such.key"], "no-such.key"),
        (["--networks", "fixtures/make.py"], "fixtures/make.py"),
        (["--min-confidence", "certain"], "certain"),
        (["capture.pcap"], "capture.pcap"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_exit_2(capsys, monkeypatch, flags, words):
    monkeypatch.chdir(ROOT)
    before = there()
    assert cli.run(["serve", *flags]) == 2
    assert words in capsys.readouterr().err
    assert there() == before


def there() -> list[str]:
    """Files beside the fixtures, but for what another test may be writing at the moment."""
    return sorted(path.name for path in (ROOT / "fixtures").iterdir() if not path.name.endswith(".tmp"))


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.run(["serve", "--port", str(port)]) == 2
    assert f"port {port}" in capsys.readouterr().err


def test_a_certificate_of_another_key(capsys, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    flags = ["--tls-cert", certificate(one)[0], "--tls-key", certificate(other)[1]]
    assert cli.run(["serve", *flags]) == 2
    assert "no certificate with its key" in capsys.readouterr().err


def test_what_it_imports():
    """A check page decodes no packets; a website behind the middleware imports no server."""
    script = (
        "import json, sys; sys.argv = sys.argv[1:]; exec(sys.argv[0]); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} | set(sys.modules))))"
    )
    unwanted = {"numpy", "dpkt", "scapy", "rich", "multiprocessing"}
    for statement, more in (("import leakscan.web.serve", set()), ("import leakscan.web", {"asyncio", "ssl", "click"})):
        done = subprocess.run([sys.executable, "-c", script, statement], capture_output=True, text=True, check=True)
        assert not (unwanted | more) & set(json.loads(done.stdout)), statement


def test_it_runs_as_anybody(tmp_path, monkeypatch):
    """No privilege, and a folder that may not be written to."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    monkeypatch.chdir(tmp_path)

    def ask() -> bool:
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return cli.run(["serve", "--port", "0"]) == 143

    assert cli.run(["serve", "--tls-cert", "a"]) == 2  # what it imports is imported now: nobody may not read our files
    assert as_nobody(ask)


def test_the_documented_limits_are_the_real_ones():
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", page, re.MULTILINE))
    assert rows["bytes of a request's head"] == f"{limits.MAX_HEAD_BYTES >> 10} KiB"
    assert rows["header lines"] == f"{limits.MAX_HEADER_LINES}"
    assert rows["time for the head (and the TLS handshake)"] == f"{limits.HEAD_SECONDS:.0f} s"
    assert rows["time to take the answer"] == f"{limits.ANSWER_SECONDS:.0f} s"
    assert rows["connections"].startswith(f"{limits.MAX_CONNECTIONS:,},")
    assert rows["of one address (IPv6: /64)"] == f"{limits.MAX_PER_ADDRESS}"
    assert rows["bytes held for all of them"] == f"{limits.MAX_HELD_BYTES >> 20} MiB"
    assert f"beyond {record.MAX_BYTES >> 20} MiB a day" in page
    assert limits.BURST_SECONDS * 4 == 60
