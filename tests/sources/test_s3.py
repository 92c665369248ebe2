"""Captures on an S3 server that is started here, behind a proxy that breaks connections."""

from __future__ import annotations

import gzip
import json
import logging
import os
import random
import subprocess
import sys

import pytest

from leakscan.errors import CaptureUnavailable
from leakscan.losses import Losses
from leakscan.sources import expand, open_capture, remote
from leakscan.sources.stream import BUFFER_BYTES
from tests.builders import START_NS, pcap
from tests.fleet.captures import ROOT, capture, result
from tests.sources.servers import Proxy
from tests.sources.test_remote import big, frames_of, local
from tests.streams import frames, request

moto = pytest.importorskip("moto.server", reason="needs moto")
pytest.importorskip("s3fs", reason="needs the extra remote")
pytestmark = pytest.mark.xdist_group("s3")

MIB = 1 << 20
BUCKET = "captures"
#: What a broken connection may cost: the blocks that were on their way.
IN_FLIGHT = (remote.BLOCKS_AHEAD + 1) * BUFFER_BYTES


class Store:
    """A bucket, and the way to it."""

    def __init__(self, proxy: Proxy, client) -> None:
        self.proxy = proxy
        self._client = client

    def put(self, key: str, data: bytes) -> str:
        """The URL."""
        self._client.put_object(Bucket=BUCKET, Key=key, Body=data)
        return f"s3://{BUCKET}/{key}"


@pytest.fixture(scope="module")
def store():
    """One for all tests: clients are kept, with the address that they know."""
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it tells of every request
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = Proxy(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "Wh1sper"), ("DEFAULT_REGION", "us-east-1")):
            patch.setenv(f"AWS_{name}", value)
        patch.setenv("AWS_ENDPOINT_URL", proxy.address)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield Store(proxy, client)
    proxy.close()
    server.stop()


@pytest.fixture
def s3(store, monkeypatch):
    monkeypatch.setattr(remote, "_stamps", {})
    monkeypatch.setattr(remote, "FIRST_WAIT_SECONDS", 0.01)
    yield store
    store.proxy.breaks = 0


def test_globs_folders_and_compressed(s3, tmp_path):
    names = [s3.put(f"day/{number}.pcap.gz", gzip.compress(capture(number))) for number in (2, 10)]
    s3.put("day/notes.txt", b"nothing")
    assert expand(["s3://captures/day/*.pcap.gz"], Losses()) == names
    assert expand(["s3://captures/day/"], Losses()) == names
    assert expand(["s3://captures/day"], Losses()) == names
    for number, name in zip((2, 10), names, strict=True):
        assert frames_of(name) == local(tmp_path, capture(number))
    code, out, _ = result("-j", "2", "-f", "jsonl", "s3://captures/day/*.gz")
    assert code == 1
    assert json.loads(out.splitlines()[-1])["total"]["leaks"] == 40
    with pytest.raises(CaptureUnavailable, match=r"s3://captures/missing\.pcap: not found"):
        expand(["s3://captures/missing.pcap"], Losses())


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_broken_connection_is_resumed(s3, tmp_path, packed):
    """Four times in the middle of a block, which alone is asked for again."""
    data = big(20 * MIB)
    sent = gzip.compress(data, 1) if packed else data
    name = s3.put("breaks", sent)
    s3.proxy.breaks, s3.proxy.after, s3.proxy.sent = 4, MIB, 0
    losses = Losses()
    assert frames_of(name, losses) == local(tmp_path, data)
    assert not losses
    assert s3.proxy.breaks == 0
    assert len(sent) + 4 * MIB <= s3.proxy.sent < len(sent) + 4 * IN_FLIGHT


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_few_requests_are_made(s3, packed):
    """Each is some hundredths of a second in which nothing comes."""
    data = big(20 * MIB)
    name = s3.put("few", gzip.compress(data, 1) if packed else data)
    s3.proxy.gets = 0
    assert len(frames_of(name)) == 20 * MIB // 1420
    assert s3.proxy.gets == -(-len(data) // BUFFER_BYTES)


def test_connections_that_always_break(s3, monkeypatch):
    monkeypatch.setattr(remote, "MAX_RETRIES", 1)
    name = s3.put("breaks.pcap", big(9 * MIB))
    s3.proxy.breaks, s3.proxy.after = 10**6, MIB
    losses = Losses()
    assert frames_of(name, losses) == []
    assert losses.by_name[0].loss == "file.unreadable"
    assert losses.by_name[0].reason == "the connection broke again and again"


def test_an_object_that_is_replaced_meanwhile_is_an_error(s3):
    name = s3.put("changing.pcap", big(12 * MIB))
    losses = Losses()
    batches = open_capture(name, losses)
    next(batches)
    s3.put("changing.pcap", big(13 * MIB))
    list(batches)
    assert losses["file.changed"] == 1


#: What 500 MB may take of memory more than 10 MB: the blocks in flight, each twice while its parts are put together.
MEMORY = 2 * IN_FLIGHT + 8 * MIB
SIZE = 500_000_000
#: As the command does it, and then tells the highest mark of its own memory (ru_maxrss is that of its parent, too).
SCRIPT = """
import sys
from pathlib import Path
from leakscan.cli import run
code = run(["analyse", "-f", "jsonl", *sys.argv[2:]])
sys.stdout.flush()
Path(sys.argv[1]).write_text(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
sys.exit(code)
"""


def leaking(size: int) -> bytes:
    """A capture of so many bytes: frames that are no HTTP, and leaks in front of them and behind."""
    chance = random.Random(5)
    some = b"".join(chance.randbytes(1400) for _ in range(700))
    filler = pcap([(START_NS, some[at : at + 1400]) for at in range(0, len(some), 1400)])[24:]
    leaks = [
        pcap(frames(request("/", f"x-up-calling-line-id: 4477009001{port:02d}"), port=4000 + port))
        for port in range(50)
    ]
    front, behind = leaks[0] + b"".join(leak[24:] for leak in leaks[1:25]), b"".join(leak[24:] for leak in leaks[25:])
    return front + filler * ((size - len(front) - len(behind)) // len(filler)) + behind


def test_captures_are_read_once(s3, tmp_path):
    """Which are one series is told by their beginnings and ends alone."""
    size = 24_000_000
    data = leaking(size)
    names = [s3.put(f"once/{number}.pcap", data) for number in range(2)]
    (tmp_path / "key").write_bytes(b"k" * 16)
    common = "-f", "jsonl", "--pseudonym-key", str(tmp_path / "key"), *names
    s3.proxy.sent = 0
    found = result("-j", "2", *common)
    assert 2 * len(data) < s3.proxy.sent < 2 * (len(data) + 2 * MIB)
    assert found == result("-j", "1", *common)
    assert found[1].count('"type":"leak"') == 100


def analysed(tmp_path, name: str) -> tuple[list[dict], int]:
    """Lines of the result, and the memory that it took."""
    (tmp_path / "key").write_bytes(b"k" * 16)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "peak"), "--pseudonym-key", str(tmp_path / "key"), name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, env=dict(os.environ))
    assert done.returncode == 1, done.stderr
    return list(map(json.loads, done.stdout.splitlines())), int((tmp_path / "peak").read_text()) * 1024


def test_500_mb_in_bounded_memory_over_connections_that_break(s3, tmp_path, monkeypatch):
    from moto.s3.models import FakeKey

    small, data = leaking(10_000_000), leaking(SIZE)
    names = s3.put("small.pcap", small), s3.put("big.pcap", b"")
    # moto reads all of an object from the disk for each range that is asked for: here it has it at hand
    held = FakeKey.value.fget
    monkeypatch.setattr(FakeKey, "value", property(lambda key: data if key.name == "big.pcap" else held(key)))
    monkeypatch.setattr(FakeKey, "size", property(lambda key: len(key.value)))
    _, base = analysed(tmp_path, names[0])
    s3.proxy.breaks, s3.proxy.after, s3.proxy.sent = 5, 3 * MIB, 0
    lines, peak = analysed(tmp_path, names[1])
    assert s3.proxy.breaks == 0
    assert len(data) < s3.proxy.sent < len(data) + 5 * IN_FLIGHT
    *leaks, summary = lines[1:]
    assert sorted({leak["client_port"] for leak in leaks}) == list(range(4000, 4050))
    assert summary["coverage"]["losses"]["unread"] == {}
    assert peak - base < MEMORY, (peak, base)
