"""Real captures that nobody here wrote, against what tshark read in them.

tshark is an oracle with limits; every difference stands in a table here, with the reason and who is right.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import pytest

from leakscan.detectors import detect
from leakscan.fields import fields
from leakscan.losses import Losses
from leakscan.model import Message
from leakscan.reading import Reading
from leakscan.series import series
from tests.conftest import CORPORA

pytestmark = [pytest.mark.corpora, pytest.mark.xdist_group("corpora")]
FILES = sorted((Path(CORPORA) / "files").iterdir()) if CORPORA else []

MIN_OF_ALL = 0.995
MIN_MEAN = 0.98
MAX_SECONDS = 10
MAX_MEGABYTES = 300
DAMAGED = 3000
MAX_DAMAGED_BYTES = 100_000

#: capture -> (requests of tshark's that leakscan does not give, who is right and why)
DIFFERENT = {
    "zeek__http__261__variant-09-te_obs_fold.pcap": (1, "leakscan: RFC 9112 5.2, a folded line belongs to its header"),
}

#: Identifiers of subscribers that are really in a request. (The fuzzed capture's whole cookie with an MSISDN stands in a
#: segment whose source address is damaged, so that it belongs to no head; the damaged ones are no numbers.)
SUBSCRIBERS: dict[str, set[str]] = {}
SUBSCRIBER_KINDS = {"msisdn", "imsi", "imei", "iccid", "meid_esn", "subscriber_token"}


@cache
def read(path: Path, sieve: bool = True) -> tuple[tuple[Message, ...], Losses, float]:
    start, losses = time.monotonic(), Losses()
    reading = Reading(series([str(path)], losses), losses, sieve)
    return tuple(reading.messages()), reading.losses, time.monotonic() - start


def truth(corpora: Path, path: Path) -> list[dict]:
    """tshark's HTTP/1 requests: not SSDP, not decrypted, not quoted in ICMP."""
    file = corpora / "truth" / f"{path.name}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [
        row
        for row in rows
        if row["app"] == "http" and not row["tls"] and not row["icmp"] and (row["version"] or "").startswith("HTTP/1")
    ]


def test_the_requests_that_tshark_reads(corpora):
    missing, shares, total = {}, [], 0
    for path in FILES:
        expected = truth(corpora, path)
        found = Counter((m.method, m.target, json.dumps(m.headers)) for m in read(path)[0])
        wanted = Counter((row["method"], row["uri"], json.dumps(row["headers"])) for row in expected)
        lacking = (wanted - found).total()
        if lacking:
            missing[path.name] = lacking
        if expected:
            total += len(expected)
            shares.append(1 - lacking / len(expected))
    assert missing == {name: count for name, (count, _) in DIFFERENT.items()}
    assert 1 - sum(missing.values()) / total >= MIN_OF_ALL
    assert sum(shares) / len(shares) >= MIN_MEAN


def test_the_sieve_changes_nothing():
    for path in FILES:
        fast, slow = read(path), read(path, sieve=False)
        assert fast[:2] == slow[:2], path.name


def test_damaged_captures(tmp_path):
    """Octets changed, the end cut off: no error, and the sieve still changes nothing."""
    random, path = Random(2012), tmp_path / "damaged"
    small = [file for file in FILES if file.stat().st_size < MAX_DAMAGED_BYTES]
    for _ in range(DAMAGED):
        file = random.choice(small)
        data = bytearray(file.read_bytes())
        for _ in range(random.choice([1, 3, 20, 100]) if data else 0):
            data[random.randrange(len(data))] = random.choice([0, 255, random.randrange(256)])
        path.write_bytes(data[: random.choice([len(data), random.randrange(len(data) + 1)])])
        assert read.__wrapped__(path)[:2] == read.__wrapped__(path, sieve=False)[:2], file.name


def test_nothing_takes_long():
    assert {path.name: seconds for path in FILES if (seconds := read(path)[2]) > MAX_SECONDS} == {}


def test_what_is_not_read_is_said(corpora):
    """A capture without one readable frame has a problem with a reason, and a loss that leads to exit code 3."""
    for path in FILES:
        losses = read(path)[1]
        assert all(problem.capture == str(path) and problem.reason for problem in losses.problems), path.name
        assert bool(losses.problems) <= bool(losses.of_kind("unread")), path.name


@pytest.mark.parametrize("own", [False, True], ids=["", "rules"])
def test_all_of_them_in_one_run(corpora, tmp_path, own):
    """One process over all captures: no traceback, flat memory, and no subscriber by what only the whole can tell: no
    unknown tracker, and nothing raised from a hint. With rules of one's own as without, and with bodies."""
    (tmp_path / "rules.toml").write_text(OWN_RULE)
    options = ["--bodies", "--rules", str(tmp_path / "rules.toml")] if own else []
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "analyse", "-j", "1", "-f", "jsonl", *options, str(corpora / "files")],
        capture_output=True,
        text=True,
        timeout=170,
    )
    *said, peak = done.stderr.splitlines()
    assert done.returncode == 3
    assert not any("Traceback" in line or "internal error" in line for line in said)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["type"] == "summary"
    found = {row["identifier"] for row in summary["behaviours"] if row["confidence"] != "hint"}
    assert found & SUBSCRIBER_KINDS == set()
    assert {row["rule"] for row in summary["behaviours"]} & {"unknown-token"} == set()
    assert int(peak) < MAX_MEGABYTES * 1024


OWN_RULE = """
[x-own-line]
identifier = "msisdn"
formats = ["msisdn"]
explain = "The number of the line, added by the gateway we test."
source = "our gateway's manual, section 4"
leaks = ["447700900123"]
clean = ["unknown"]
"""

#: Runs the command line, then prints its peak memory in kB. (The kernel's ru_maxrss is no less than that of whoever
#: started the process.)
MEASURED = """
import re, sys
from leakscan.cli import run
code = run(sys.argv[1:])
print(re.search(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(code)
"""


def test_no_subscriber_where_there_is_none():
    found: dict[str, set[str]] = {}
    for path in FILES:
        for message in read(path)[0]:
            for match in detect(fields(message, Losses()), Losses()):
                if match.identifier in SUBSCRIBER_KINDS and match.confidence != "hint":
                    found.setdefault(path.name, set()).add(match.identifier)
    assert found == SUBSCRIBERS
