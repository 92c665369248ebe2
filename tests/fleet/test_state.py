"""A run that goes on where another one ended."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time

import pytest

from leakscan import fleet
from leakscan.conceal import Concealer
from leakscan.fleet import state as state_module
from leakscan.fleet import stored
from leakscan.fleet.unit import keepable
from leakscan.losses import Losses
from leakscan.summary import Summary
from tests.builders import START_NS, pcap
from tests.fleet.captures import ROOT, result, spoil, write
from tests.streams import frames, request

KEY = b"k" * 16
LEAK = "x-up-calling-line-id: 447700900123"


def key_file(tmp_path):
    path = tmp_path / "the-key"
    path.write_bytes(KEY)
    return str(path)


def units(folder):
    """Finished results -> which file that is, and when it was written."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*.unit")}


def test_the_second_run_reads_nothing_and_says_the_same(tmp_path):
    paths = write(tmp_path / "in", 5)
    arguments = ("-j", "2", "-f", "jsonl", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    first = result(*arguments)
    assert first[0] == 1
    assert len(units(tmp_path / "state")) == 5
    for path in paths:
        spoil(path)
    assert result(*arguments) == first
    plain = result("-j", "1", "-f", "jsonl", "--pseudonym-key", str(tmp_path / "state" / "key"), str(tmp_path / "in"))
    assert plain[0] == 3  # spoilt indeed


def test_the_answer_is_that_of_a_run_without_state(tmp_path):
    write(tmp_path / "in", 5)
    common = ("-f", "jsonl", "--pseudonym-key", key_file(tmp_path), str(tmp_path / "in"))
    plain = result("-j", "1", *common)
    with_state = ("-j", "2", "--state", str(tmp_path / "state"), *common)
    assert result(*with_state) == plain
    assert result(*with_state) == plain
    assert not (tmp_path / "state" / "key").exists()


def test_only_what_is_new_or_changed_is_scanned(tmp_path):
    paths = write(tmp_path / "in", 4)
    common = ("-f", "jsonl", "--pseudonym-key", key_file(tmp_path), str(tmp_path / "in"))
    with_state = ("-j", "2", "--state", str(tmp_path / "state"), *common)
    result(*with_state)
    before = units(tmp_path / "state")
    write(tmp_path / "in", 6)  # the first four anew: other times
    for path in paths[1:]:
        os.utime(path, ns=(0, 5))
    changed = result(*with_state)
    assert changed == result("-j", "1", *common)
    after = units(tmp_path / "state")
    assert before.items() <= after.items()
    assert len(after) == 4 + 6


def test_other_settings_another_key_or_another_version_are_another_result(tmp_path, monkeypatch):
    write(tmp_path / "in", 2)
    common = ("-j", "2", "-f", "jsonl", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    policy = tmp_path / "policy.toml"
    policy.write_text('[[partner]]\nname = "A"\nhosts = ["a.example"]\nidentifiers = ["msisdn"]\npurpose = "p"\n')
    seen = []
    for more in ((), ("--bodies",), ("--policy", str(policy)), ("--pseudonym-key", key_file(tmp_path))):
        result(*more, *common)
        seen.append(len(units(tmp_path / "state")))
    policy.write_text('[[partner]]\nname = "A"\nhosts = ["b.example"]\nidentifiers = ["msisdn"]\npurpose = "p"\n')
    result("--policy", str(policy), *common)
    seen.append(len(units(tmp_path / "state")))
    assert seen == [2, 4, 6, 8, 10]
    monkeypatch.setattr(state_module, "versions", lambda: ("another", "3.11", ""))
    result(*common)
    assert len(units(tmp_path / "state")) == 12


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_a_damaged_result_is_made_again(tmp_path, damage):
    write(tmp_path / "in", 3)
    arguments = ("-j", "2", "-f", "jsonl", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    first = result(*arguments)
    victim = min((tmp_path / "state").glob("*.unit"))
    data = victim.read_bytes()
    if damage == "foreign":  # sealed under a key that is not this folder's: what is in it is never unpickled
        with victim.open("wb") as file:
            writing = stored.Writing(file, b"another key", victim.name)
            writing._write(pickle.dumps(_Evil()))
            writing.end(Summary())
    else:
        victim.write_bytes(data[:-40] if damage == "cut" else data[:100] + bytes([data[100] ^ 1]) + data[101:])
    assert result(*arguments) == first
    assert victim.read_bytes() == data


def test_a_result_of_another_unit_is_none(tmp_path):
    """Though it is sealed under the same key: a capture without leaks would take those of another away."""
    write(tmp_path / "in", 2)
    arguments = ("-j", "2", "-f", "jsonl", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    first = result(*arguments)
    one, other = sorted((tmp_path / "state").glob("*.unit"))
    mine = one.read_bytes()
    one.write_bytes(other.read_bytes())
    assert result(*arguments) == first
    assert one.read_bytes() == mine


def test_what_is_known_of_captures_cannot_be_changed(tmp_path):
    """Two captures that are one series, of which a request begins in the first and ends in the second."""
    timed = [(START_NS + i * 10**6, f) for i, f in enumerate(frames(request("/", LEAK, f"X-Any: {'x' * 2000}"), [900]))]
    (tmp_path / "in").mkdir()
    for number, part in enumerate((timed[:2], timed[2:])):
        (tmp_path / "in" / f"{number}.pcap").write_bytes(pcap(part))
    arguments = ("-j", "2", "-f", "jsonl", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    first = result(*arguments)
    assert first[0] == 1
    extents = tmp_path / "state" / "extents"
    lines = extents.read_text()
    for path in (tmp_path / "state").glob("*.unit"):
        path.unlink()
    extents.write_text(lines.replace("[1]", "[101]", 1))  # another link type: no series
    assert extents.read_text() != lines
    assert result(*arguments) == first


def test_a_result_that_goes_meanwhile_is_not_taken_for_none(tmp_path, monkeypatch):
    paths = write(tmp_path / "in", 3)
    arguments = ("-j", "2", "-f", "jsonl", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    result(*arguments)
    find = fleet.Fleet._find

    def found_and_removed(self):
        find(self)
        self._paths[1].unlink()

    monkeypatch.setattr(fleet.Fleet, "_find", found_and_removed)
    code, out, err = result("--fail-on", "none", *arguments)
    assert (code, out.count('"type":"leak"')) == (3, 40)
    assert f"{paths[1]}: its result was removed or changed meanwhile" in err


class _Evil:
    def __reduce__(self):
        return os._exit, (99,)


def test_nothing_raw_is_kept_and_nobody_else_may_read_it(tmp_path):
    write(tmp_path / "in", 2)
    result("-j", "2", "--state", str(tmp_path / "state"), str(tmp_path / "in"))
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert b"4477009" not in kept
    assert b"msisdn" in kept
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_what_may_pass_is_not_kept(tmp_path):
    """A capture that is cut stays cut; one that could not be read may be readable tomorrow."""
    paths = write(tmp_path / "in", 3)
    (tmp_path / "in" / "009.pcap").write_bytes(paths[0].read_bytes()[:-3])
    common = ("-f", "jsonl", "--pseudonym-key", key_file(tmp_path), str(tmp_path / "in"))
    assert "file.cut" in result("-j", "2", "--state", str(tmp_path / "state"), *common)[2]
    assert len(units(tmp_path / "state")) == 4
    losses = Losses()
    losses["file.unreadable"] += 1
    assert not keepable(losses)
    losses = Losses()
    losses["file.cut"] += 1
    assert keepable(losses)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--show-values",), "--state: results are masked there: --show-values cannot be had with it"),
        (("--evidence", "pack"), "--state: --evidence needs the requests, which stay where they are scanned"),
    ],
)
def test_what_cannot_be_had_with_it(tmp_path, arguments, reason):
    write(tmp_path / "in", 1)
    code, _, err = result("--state", str(tmp_path / "state"), *arguments, str(tmp_path / "in"))
    assert (code, reason in err) == (2, True)


def test_standard_input_is_not_kept(tmp_path):
    code, _, err = result("--state", str(tmp_path / "state"), "-")
    assert (code, "- can be read only once" in err) == (2, True)


def test_a_folder_that_others_may_write_to_or_that_is_in_use_is_refused(tmp_path):
    write(tmp_path / "in", 1)
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    arguments = ("--state", str(folder), str(tmp_path / "in"))
    assert result(*arguments)[0] == 2
    folder.chmod(0o700)
    with state_module.State(str(folder)):
        code, _, err = result(*arguments)
    assert (code, "another run has it" in err) == (2, True)
    assert result(*arguments)[0] == 1
    (folder / "key").chmod(0o644)
    code, _, err = result(*arguments)
    assert (code, "others may read this key" in err) == (2, True)


def test_an_interrupted_unit_is_not_taken_for_a_finished_one(tmp_path):
    write(tmp_path / "in", 30, 60)
    common = ("-f", "jsonl", "--pseudonym-key", key_file(tmp_path), str(tmp_path / "in"))
    command = [sys.executable, "-m", "leakscan", "analyse", "-j", "2", "--state", str(tmp_path / "state"), *common]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True) as process:
        for _ in range(70):
            process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(60) == 143
    assert json.loads(rest.splitlines()[-1])["coverage"]["losses"]["unread"]["run.interrupted"] >= 1
    assert result("--state", str(tmp_path / "state"), *common) == result("-j", "1", *common)


def test_killed_at_ten_moments_nothing_finished_is_done_twice(tmp_path):
    """After each kill the captures whose result is there are spoilt: whoever read them again would be found out."""
    paths = write(tmp_path / "in", 56, 60)
    seal = Concealer(KEY).seal_key()
    folder = tmp_path / "state"
    common = ("-f", "jsonl", "--pseudonym-key", key_file(tmp_path), str(tmp_path / "in"))
    plain = result("-j", "1", *common)
    command = [sys.executable, "-m", "leakscan", "analyse", "-j", "2", "--state", str(folder), *common]
    chance, done, killed = random.Random(9), {}, 0
    for _ in range(10):
        target = len(done) + chance.randint(1, 5)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
            limit = time.monotonic() + 60
            while len(units(folder)) < target and process.poll() is None and time.monotonic() < limit:
                time.sleep(0.002)
            time.sleep(chance.random() * 0.02)
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        now = units(folder)
        assert done.items() <= now.items()
        done = now
        for path in folder.glob("*.unit"):
            stored.Stored(path, seal, path.name)  # whole, all of them
            for leak in stored.Stored(path, seal, path.name).leaks():
                spoil(paths[int(leak.capture[-8:-5])])
                break
    assert killed == 10
    assert 10 <= len(done) < 56
    assert result("-j", "2", "--state", str(folder), *common) == plain
    assert done.items() <= units(folder).items()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
