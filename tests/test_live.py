"""`leakscan live` as people run it: a process of its own, in networks made for the test."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from fixtures.wire import ethernet
from leakscan import cli
from leakscan.times import rfc3339_ns
from tests.builders import pcap
from tests.network import COMMAND, ROOT, Live, Network, needs, until
from tests.streams import frames, request, tcp

NUMBER, IMSI = "447700900123", "001010123456789"
LEAK = request("/a", f"x-up-calling-line-id: {NUMBER}")
CLEAN = request("/a", "Accept: */*")
HANDSET, SHOP = "198.51.100.2", "203.0.113.80"


def capture(data: bytes = LEAK, port: int = 40000) -> bytes:
    """A pcap file of one connection."""
    return pcap(frames(data, port=port))


def many(count: int, data: bytes = LEAK) -> bytes:
    """A pcap file of many connections."""
    return pcap([frame for number in range(count) for frame in frames(data, port=20000 + number)])


@pytest.fixture
def cable(network: Network):
    """Two namespaces with a link between them: what one sends, the other can capture."""
    near, far = network.space("near"), network.space("far")
    network.link(near, far, ("192.0.2.1/24", "192.0.2.2/24"))
    return near, far


@pytest.fixture
def live(network: Network, cable, tmp_path: Path):
    """Starts `leakscan live -i eth0` at the far end, as JSON Lines unless the flags say otherwise."""

    def start(*arguments: str, interface: str = "eth0", **more: object) -> Live:
        return Live(network, cable[1], tmp_path, "-i", interface, "-f", "jsonl", *arguments, **more)

    return start


def of_kind(lines: list[str], kind: str) -> list[dict]:
    return [row for row in map(json.loads, lines) if row["type"] == kind]


def summary(run: Live) -> dict:
    return json.loads(run.lines()[-1])


# -- the whole, with real programs -------------------------------------------------------------------------------------

WEB_SERVER = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr; user root;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 80;
    location / {{ {what} }}
  }}
}}
"""
ENRICHES = """
proxy_pass http://203.0.113.80;
proxy_set_header Host $host;
proxy_set_header x-up-calling-line-id 447700900123;
proxy_set_header X-IMSI 001010123456789;
"""


def web_server(network: Network, space: str, folder: Path, what: str) -> None:
    folder.mkdir()
    (folder / "conf").write_text(WEB_SERVER.format(folder=folder, what=what))
    network.start(space, "nginx", "-p", str(folder), "-c", str(folder / "conf"))
    until(lambda: (folder / "pid").exists(), "web server")


def test_a_carrier_that_enriches_is_seen_behind_its_gateway_and_not_before(network, tmp_path):
    needs("nginx", "curl")
    handset, gateway, shop = (network.space(name) for name in ("handset", "gateway", "shop"))
    network.link(handset, gateway, (f"{HANDSET}/24", "198.51.100.1/24"))
    network.link(gateway, shop, ("203.0.113.1/24", f"{SHOP}/24"), ("eth1", "eth0"))
    web_server(network, shop, tmp_path / "shop", 'return 200 "hello\\n";')
    web_server(network, gateway, tmp_path / "gateway", ENRICHES)
    before = Live(network, handset, tmp_path, "-i", "eth0", "-f", "jsonl")
    behind = Live(network, shop, tmp_path, "-i", "eth0", "-f", "jsonl")
    browser = ("curl", "-sS", "--resolve", "shop.example:80:198.51.100.1", "http://shop.example/basket?item=7")
    assert network.run(handset, *browser).stdout == b"hello\n"
    behind.prints(3)
    leaks = of_kind(behind.lines(), "leak")
    assert {(leak["identifier"], leak["name"], leak["value"]) for leak in leaks} == {
        ("msisdn", "x-up-calling-line-id", "44********23"),
        ("imsi", "X-IMSI", "00101**********"),
    }
    assert {(leak["host"], leak["target"], leak["capture"]) for leak in leaks} == {("shop.example", "/basket", "eth0")}
    assert behind.ends(signal.SIGINT) == 130
    assert before.ends(signal.SIGINT) == 130
    assert (summary(behind)["outcome"], summary(before)["outcome"]) == ("leak", "none-found")
    assert summary(before)["coverage"]["requests"] == summary(behind)["coverage"]["requests"] == 1
    seen = behind.out.read_text() + behind.err.read_text()
    assert NUMBER not in seen
    assert IMSI not in seen


# -- when it ends, and what is left ------------------------------------------------------------------------------------


def test_duration_ends_it_and_nothing_readable_is_inconclusive(live):
    run = live("--duration", "1")
    assert "consent or another legal basis" in run.err.read_text().splitlines()[0]
    assert run.ends() == 3
    assert summary(run)["outcome"] == "inconclusive"
    assert "inconclusive in 0 readable requests" in run.err.read_text()


def test_packets_ends_it_at_that_packet(live, network, cable):
    run = live("--packets", "5")
    network.send(cable[0], many(10))
    assert run.ends() == 1
    assert summary(run)["coverage"]["frames"] == 5
    assert [leak["frame"] for leak in of_kind(run.lines(), "leak")] == [2, 4]


def test_fail_fast_ends_it_at_the_first_leak_that_counts(live, network, cable):
    low = request("/a", "x-up-subno: 1", "X-Nokia-ipaddress: 10.0.0.1")
    run = live("--fail-fast", "--fail-on", "critical")
    network.send(cable[0], capture(low + CLEAN))
    run.prints(2)
    network.send(cable[0], capture(port=40001))
    assert run.ends() == 1
    found = [leak["severity"] for leak in of_kind(run.lines(), "leak")]
    assert found[-1] == "critical"
    assert set(found[:-1]) == {"low"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_all_that_had_come(live, network, cable, tmp_path, number, code):
    """Also one that was ignored at the start, as with nohup and in the background of a shell."""
    result = tmp_path / "result.json"
    run = live("-o", str(result), preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    network.send(cable[0], many(20))
    assert run.ends(number) == code  # at once: the packets are still in the kernel's hands
    assert summary(run)["total"]["leaks"] == 20
    assert summary(run)["coverage"]["losses"]["unread"] == {}
    assert len(json.loads(result.read_text())["leaks"]) == 20


def test_usr1_shows_the_summary_so_far_and_results_stay_as_they_are(live, network, cable):
    run = live()
    network.send(cable[0], capture())
    run.prints(2)
    run.process.send_signal(signal.SIGUSR1)
    run.says("LEAK: MSISDN")
    run.says("What was examined")
    network.send(cable[0], capture(port=40001))
    run.prints(3)
    assert run.ends(signal.SIGTERM) == 143
    assert [row["type"] for row in map(json.loads, run.lines())] == ["run", "leak", "leak", "summary"]


def test_kill_9_leaves_every_leak_that_was_printed(live, network, cable, tmp_path):
    result = tmp_path / "leaks.jsonl"
    result.write_text("an older one\n")
    run = live("-o", str(result))
    network.send(cable[0], many(50))
    printed = run.prints(51)
    assert run.ends(signal.SIGKILL) == -signal.SIGKILL
    assert result.read_text().splitlines() == printed
    assert result.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".leakscan-*")) == []


def test_a_leak_is_printed_within_a_second_and_only_once(live, network, cable, tmp_path):
    """From the kernel's time of its last packet to that of the write, whatever sending and looking take; in half of the
    cases at least, since the machine may be busy.
    """
    result = tmp_path / "leaks.jsonl"
    run = live("-o", str(result))
    delays = []
    for number in range(5):
        network.send(cable[0], capture(port=41000 + number))
        line = run.prints(2 + number)[-1]
        arrived_ns = rfc3339_ns(json.loads(line)["time"])[0]
        delays += [(path.stat().st_mtime_ns - arrived_ns) / 10**9 for path in (run.out, result)]
    assert 0 < statistics.median(delays) < 1, delays
    assert run.ends(signal.SIGTERM) == 143
    assert summary(run)["total"]["leaks"] == 5


# -- interfaces come and go --------------------------------------------------------------------------------------------


def test_an_interface_that_goes_away_ends_it(live, network, cable):
    run = live()
    network.send(cable[0], capture(CLEAN))
    network.run(cable[1], "ip", "link", "delete", "eth0")
    assert run.ends() == 3
    assert "eth0: The interface" in run.err.read_text()
    assert summary(run)["coverage"]["losses"]["unread"] == {"capture.interface-gone": 1}
    assert summary(run)["coverage"]["requests"] == 1


def test_an_interface_that_goes_away_is_awaited(live, network, cable):
    run = live("--reopen")
    network.send(cable[0], capture())
    run.prints(2)
    network.run(cable[1], "ip", "link", "delete", "eth0")
    run.says("waiting for it")
    network.link(*cable)
    run.says("captured again")
    network.send(cable[0], capture(port=40001))
    run.prints(3)
    assert run.ends(signal.SIGTERM) == 143
    leaks = of_kind(run.lines(), "leak")
    assert [leak["frame"] for leak in leaks] == sorted({leak["frame"] for leak in leaks})
    assert summary(run)["coverage"]["losses"]["other"]["capture.reopened"] == 1


def test_several_interfaces_at_once_and_any(network, cable, tmp_path):
    near, far = cable
    network.link(near, far, names=("eth1", "eth1"))
    both = Live(network, far, tmp_path, "-i", "eth0", "-i", "eth1", "-f", "jsonl")
    all_of_them = Live(network, far, tmp_path, "-i", "any", "-f", "jsonl")
    network.send(near, capture(), "eth0")
    network.send(near, capture(port=40001), "eth1")
    for run in (both, all_of_them):
        run.prints(3)
        assert run.ends(signal.SIGTERM) == 143
    assert sorted(leak["capture"] for leak in of_kind(both.lines(), "leak")) == ["eth0", "eth1"]
    assert [leak["capture"] for leak in of_kind(all_of_them.lines(), "leak")] == ["any", "any"]
    assert json.loads(both.lines()[0])["captures"] == [{"name": "eth0", "size": None}, {"name": "eth1", "size": None}]


def test_the_loopback_shows_each_packet_once(network, tmp_path):
    space = network.space()
    run = Live(network, space, tmp_path, "-i", "lo", "-f", "jsonl")
    network.send(space, many(5), "lo")
    run.prints(6)
    assert run.ends(signal.SIGTERM) == 143
    assert summary(run)["coverage"]["frames"] == 10


# -- what is captured --------------------------------------------------------------------------------------------------


def test_a_filter_holds_back_what_does_not_pass(live, network, cable):
    run = live("--bpf", "tcp port 40001")
    network.send(cable[0], capture(port=40000))
    network.send(cable[0], capture(port=40001))
    run.prints(2)
    assert run.ends(signal.SIGTERM) == 143
    assert [leak["client_port"] for leak in of_kind(run.lines(), "leak")] == [40001]
    assert json.loads(run.lines()[0])["settings"]["bpf"] == "tcp port 40001"


@pytest.mark.parametrize(("flags", "count"), [([], 1), (["-p"], 0)])
def test_promiscuous_or_not(live, network, cable, flags, count):
    run = live(*flags)
    shown = network.run(cable[1], "ip", "-details", "-json", "link", "show", "eth0").stdout
    assert json.loads(shown)[0]["promiscuity"] == count
    assert run.ends(signal.SIGTERM) == 143


def test_a_snap_length_cuts_requests_and_says_so(live, network, cable):
    run = live("--snap-length", "100")
    network.send(cable[0], capture())
    network.send(cable[0], capture(CLEAN, 40001))
    assert run.ends(signal.SIGINT) == 130
    assert summary(run)["coverage"]["losses"]["other"]["tcp.cut"] == 2
    assert summary(run)["coverage"]["bytes"] == sum(map(len, [*frames(LEAK), *frames(CLEAN)]))  # as on the wire


def test_stdin_is_a_live_source_too(network, tmp_path):
    """Also while nothing comes."""
    space = network.space()
    data = capture()
    run = Live(network, space, tmp_path, "-i", "-", "-f", "jsonl", "--duration", "4", ready=False, stdin=-1)
    run.process.stdin.write(data)
    run.process.stdin.flush()
    run.prints(2)
    assert run.process.poll() is None
    assert run.ends() == 1  # the pipe is still open
    assert summary(run)["coverage"]["losses"]["unread"] == {}
    again = Live(network, space, tmp_path, "-i", "-", "-f", "jsonl", "--packets", "1", ready=False, stdin=-1)
    again.process.stdin.write(data)
    again.process.stdin.flush()
    assert (again.ends(), summary(again)["coverage"]["frames"]) == (3, 1)


# -- drops -------------------------------------------------------------------------------------------------------------


def test_at_a_gentle_rate_nothing_is_dropped_and_everything_found(live, network, cable):
    run = live()
    network.send(cable[0], many(4000), "eth0", "--rate", "10000")
    assert run.ends(signal.SIGTERM) == 143
    assert summary(run)["total"]["leaks"] == 4000
    assert not {name for name in summary(run)["coverage"]["losses"]["other"] if name.startswith("capture.")}


@pytest.mark.parametrize(("flags", "code"), [([], 3), (["--max-drops", "100"], 0)])
def test_what_is_dropped_is_counted_and_explains_what_is_missing(live, network, cable, flags, code):
    """Stopped for a while, with hardly any room in the kernel."""
    run = live("--buffer", "1MiB", "--fail-on", "none", "--packets", "2000", *flags)
    padded = request("/a", f"x-up-calling-line-id: {NUMBER}", "X-Padding: " + "x" * 1200)
    run.process.send_signal(signal.SIGSTOP)
    network.send(cable[0], many(3000, padded))
    run.process.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    network.send(cable[0], many(1000))
    assert run.ends() == code
    losses = summary(run)["coverage"]["losses"]
    dropped = losses["other"]["capture.dropped"]
    assert dropped > 1000
    assert losses["unread"].get("capture.drops-over", 0) == (dropped if code else 0)


# -- keeping the packets -----------------------------------------------------------------------------------------------


def again(capsys, path: Path) -> dict:
    """The summary of the kept packets, read as a file."""
    capsys.readouterr()
    cli.run(["analyse", "-q", "-f", "jsonl", str(path)])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_what_is_kept_gives_the_same_result_again(live, network, cable, tmp_path, capsys):
    kept = tmp_path / "kept.pcapng"
    run = live("--write", str(kept))
    network.send(cable[0], many(30))
    run.prints(31)
    assert run.ends(signal.SIGTERM) == 143
    first, second = summary(run), again(capsys, kept)
    assert first["coverage"] == second["coverage"]
    assert first["total"] == second["total"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "personal data" in run.err.read_text()


def test_only_streams_that_leaked_are_kept_from_their_beginning_to_their_end(live, network, cable, tmp_path, capsys):
    kept = tmp_path / "kept.pcapng"
    run = live("--write", str(kept), "--write-leaks-only")
    clean = [frame for port in range(50001, 50050) for frame in frames(CLEAN, port=port)]
    network.send(cable[0], pcap([*clean[:40], *frames(LEAK, [9, 40]), *clean[40:]]))
    run.prints(2)
    later = [ethernet(tcp(1000 + len(LEAK), CLEAN), True), ethernet(tcp(1000 + len(LEAK + CLEAN), b"", 17), True)]
    network.send(cable[0], pcap([*clean, *later]))
    assert run.ends(signal.SIGTERM) == 143
    result = again(capsys, kept)
    assert (result["total"]["leaks"], result["coverage"]["requests"], result["coverage"]["streams"]) == (1, 2, 1)
    assert result["coverage"]["frames"] == 6
    assert not {name for name in summary(run)["coverage"]["losses"]["other"] if name.startswith("write.")}


def test_never_more_disk_than_allowed(live, network, cable, tmp_path, capsys):
    rotated, single = tmp_path / "rotated", tmp_path / "single"
    rotated.mkdir()
    single.mkdir()
    most = 100_000
    flags = ("--write-max", str(most))
    run = live("--write", str(rotated / "a.pcapng"), "--write-rotate-size", "64kB", *flags)
    one = live("--write", str(single / "a.pcapng"), *flags)
    network.send(cable[0], many(1500))
    for each in (run, one):
        each.prints(1501)
        assert each.ends(signal.SIGTERM) == 143
    names = sorted(path.name for path in rotated.iterdir())
    sizes = [path.stat().st_size for path in rotated.iterdir()]
    assert sum(sizes) <= most
    assert sum(sizes) > most / 2
    assert len(names) >= 3
    assert all(re.fullmatch(r"a-000\d\d-\d{8}T\d{6}Z\.pcapng", name) for name in names)
    assert again(capsys, rotated)["coverage"]["losses"]["unread"] == {}
    assert most - 200 < (single / "a.pcapng").stat().st_size <= most
    assert "--write-max is reached" in one.err.read_text()
    lost = summary(one)["coverage"]["losses"]["other"]["write.not-kept"]
    assert again(capsys, single / "a.pcapng")["coverage"]["frames"] + lost == 3000


# -- where pcapy-ng is not installed -----------------------------------------------------------------------------------


def without(folder: Path, *modules: str) -> dict[str, str]:
    """An environment in which these modules cannot be imported."""
    hidden = folder / "hidden"
    hidden.mkdir(exist_ok=True)
    for module in modules:
        (hidden / f"{module}.py").write_text("raise ImportError\n")
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        f"u.find_spec = lambda name, *more: None if name in {modules!r} else find(name, *more)\n"
    )
    return {**os.environ, "PYTHONPATH": f"{hidden}:{ROOT}"}


def test_scapy_captures_where_libpcap_cannot_and_it_says_so(network, cable, tmp_path):
    near, far = cable
    run = Live(network, far, tmp_path, "-i", "eth0", "-i", "lo", "-f", "jsonl", env=without(tmp_path, "pcapy"))
    network.send(near, many(20))
    network.send(far, capture(port=50000), "lo")
    run.prints(22)
    assert run.ends(signal.SIGTERM) == 143
    assert (summary(run)["coverage"]["frames"], summary(run)["total"]["leaks"]) == (42, 21)
    assert "without pcapy-ng scapy captures, which is slower" in run.err.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-i", "eth9"], 2, "no such interface"),
        (["-i", "any"], 2, "leakscan[live]"),
        (["-i", "lo", "--bpf", "tcp prt 80"], 2, "--bpf tcp prt 80: "),
        (["-i", "lo", "--snap-length", "100"], 2, "leakscan[live]"),
    ],
)
def test_scapy_s_mistakes(network, tmp_path, arguments, code, words):
    run = Live(network, network.space(), tmp_path, *arguments, ready=False, env=without(tmp_path, "pcapy"))
    assert run.ends() == code
    assert words in run.err.read_text().splitlines()[-1]


def test_without_either_it_names_the_extra(network, tmp_path):
    environment = without(tmp_path, "pcapy", "scapy")
    run = Live(network, network.space(), tmp_path, "-i", "lo", ready=False, env=environment)
    assert run.ends() == 2
    assert "pip install 'leakscan[live]'" in run.err.read_text()
    done = subprocess.run([*COMMAND, "doctor"], capture_output=True, cwd=ROOT, timeout=60, env=environment)
    assert done.returncode == 2
    assert b"pip install 'leakscan[live]'" in done.stdout


# -- for people --------------------------------------------------------------------------------------------------------


def test_on_a_terminal_it_draws_who_leaks_and_what_is_dropped(network, cable):
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    process = network.start(cable[1], *COMMAND, "live", "-i", "eth0", stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    seen = b""

    def reads(text: bytes) -> bool:
        nonlocal seen
        with contextlib.suppress(OSError):
            if select.select([leader], [], [], 0.05)[0]:
                seen += os.read(leader, 65536)
        return text in seen

    until(lambda: reads(b"packets/s"), "drawing", tell=seen)
    hostile = request("/a", f"x-up-calling-line-id: {NUMBER}", host="a\x1b[31m\x9b[b]bold[/b].example")
    network.send(cable[0], many(40, hostile))
    until(lambda: reads(b"40 leaks"), "leaks", tell=seen)
    until(lambda: reads(b"dropped: kernel 0, interface 0"), "drops", tell=seen)
    assert b"unattributed" in seen
    assert b"44********23" in seen
    process.send_signal(signal.SIGINT)
    until(lambda: reads(b"LEAK"), "summary", tell=seen)
    assert process.wait(60) == 130
    while reads(b"\0"):
        pass
    os.close(leader)
    assert b"[b]bold" in seen
    assert b"\x9b" not in seen
    assert b"a\x1b[31m" not in seen
    assert NUMBER.encode() not in seen


def test_in_a_pipe_the_table_is_a_line_for_each_leak_and_then_the_summary(network, cable, tmp_path):
    run = Live(network, cable[1], tmp_path, "-i", "eth0")
    network.send(cable[0], many(3))
    lines = run.prints(3)
    assert [line[20:].split(" to ")[0] for line in lines] == [
        "critical MSISDN 44********23 in header x-up-calling-line-id"
    ] * 3
    assert run.ends(signal.SIGINT) == 130
    assert "LEAK: MSISDN" in run.out.read_text()


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-i", "eth9"], 2, "eth9: no such interface; leakscan doctor lists those there are"),
        (["-i", "lo", "--bpf", "tcp prt 80"], 2, "--bpf tcp prt 80: can't parse filter expression: syntax error"),
        (["-i", "lo", "-i", "-"], 2, "-i -: standard input"),
        (["-i", "-", "--bpf", "tcp"], 2, "-i -: how to capture"),
        (["-i", "lo", "--fail-fast", "--fail-on", "none"], 2, "--fail-fast needs"),
        (["-i", "lo", "--write-leaks-only"], 2, "--write FILE"),
        (["-i", "lo", "--write", "/no/such/folder/x.pcapng"], 2, "cannot write /no/such/folder"),
        (["-i", "lo", "--duration", "soon"], 2, "'soon' is no time"),
        (["-i", "lo", "--buffer", "64GB"], 2, "'64GB' is not between"),
        (["-i", "lo", "--evidence", "pack"], 2, "No such option"),
        (["-i", "lo", "--since", "2012-01-10"], 2, "No such option"),
    ],
)
def test_mistakes_are_told_in_a_line(network, tmp_path, arguments, code, words):
    run = Live(network, network.space(), tmp_path, *arguments, ready=False)
    assert run.ends() == code
    assert words in run.err.read_text().splitlines()[-1]
    assert run.out.read_text() == ""


def test_an_interface_that_is_down_says_how_to_bring_it_up(network, tmp_path):
    space = network.space()
    network.run(space, "ip", "link", "set", "lo", "down")
    run = Live(network, space, tmp_path, "-i", "lo", ready=False)
    assert run.ends() == 2
    assert "lo: the interface is not up; ip link set lo up" in run.err.read_text()
