"""Without the permission to capture: exit code 4, and a line that works when it is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from leakscan import permission
from tests.network import ROOT, needs
from tests.nobody import as_nobody

#: A superuser whose word counts for nothing: files keep their capabilities, the process has none of its own.
POWERLESS = ["setpriv", "--securebits=+noroot,+noroot_locked", "--inh-caps=-all", "--ambient-caps=-all"]
IN_A_CONTAINER = ["setpriv", "--bounding-set=-net_raw"]
LIVE = ["-m", "leakscan", "live", "-i", "lo", "--duration", "1"]


@pytest.fixture
def interpreter():
    """A copy of the interpreter that a test may give capabilities to, and the environment it needs."""
    if os.geteuid():
        pytest.skip("needs the superuser: it gives capabilities to a file, and takes its own away")
    needs("setpriv", "setcap")
    with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
        copy = Path(folder) / "python with a space"
        shutil.copy(os.path.realpath(sys.executable), copy)
        packages = f"{ROOT}:{sysconfig.get_path('purelib')}"
        yield copy, {**os.environ, "PYTHONHOME": sys.base_prefix, "PYTHONPATH": packages}


def run(command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, env=environment, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_line_that_is_printed_grants_it(interpreter):
    python, environment = interpreter
    code, _, err = run([*POWERLESS, str(python), *LIVE], environment)
    last = err.splitlines()[-1]
    assert code == 4
    assert last.startswith("leakscan: error: no permission to capture on lo: the process lacks CAP_NET_RAW; run: ")
    line = last.partition("run: ")[2].removeprefix("sudo ")
    assert shlex.split(line) == ["setcap", "cap_net_raw=ep", str(python)]
    subprocess.run(line, shell=True, check=True, timeout=60)
    code, _, err = run([*POWERLESS, str(python), *LIVE], environment)
    assert (code, "capturing on lo" in err) == (3, True)  # it did, and there was nothing to be read


def test_a_container_without_the_capability_says_so(interpreter):
    python, environment = interpreter
    code, _, err = run([*IN_A_CONTAINER, str(python), *LIVE], environment)
    assert code == 4
    assert "docker run --cap-add=NET_RAW" in err.splitlines()[-1]


def test_the_doctor_says_why_and_what_helps(interpreter):
    python, environment = interpreter
    doctor = [str(python), "-m", "leakscan", "doctor"]
    code, out, err = run(doctor, environment)
    assert (code, err) == (0, "")
    assert "capturing: permitted\n" in out
    assert re.search(r"(?m)^  lo +up +Ethernet +yes$", out)
    assert re.search(r"captured through: pcapy-ng [0-9.]+, libpcap version [0-9.]+", out)
    assert re.search(r"(?m)^  live +pcapy-ng [0-9.]+$", out)
    code, out, _ = run([*POWERLESS, *doctor], environment)
    assert code == 4
    assert f"\n  run: setcap cap_net_raw=ep {shlex.quote(str(python))}\n" in out
    assert re.search(r"(?m)^  lo +up +Ethernet +no permission$", out)


def test_an_ordinary_user_is_not_permitted():
    assert as_nobody(lambda: not permission.permission().granted)


STATUS = {"CapBnd": "000001ffffffffff", "CapEff": "0000000000000000", "NoNewPrivs": "0"}


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ({}, "setcap cap_net_raw=ep"),
        ({"CapBnd": "000001ffffffdfff"}, "--cap-add=NET_RAW"),
        ({"NoNewPrivs": "1"}, "no_new_privs"),
        ({"CapEff": "0000000000002000"}, "user namespace"),
    ],
)
def test_the_remedy_fits_the_reason(status, remedy):
    found = permission._refused({**STATUS, **status}, sys.executable)
    assert not found.granted
    assert remedy in found.remedy


def test_a_container_s_ordinary_user_is_told_who_may(monkeypatch):
    """Nobody can use sudo there, and engines hand capabilities to root alone."""
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    found = permission._refused(STATUS, sys.executable, contained=True)
    assert "--user 0 --cap-drop=ALL --cap-add=NET_RAW" in found.remedy
    assert "sudo" not in found.remedy
    none_at_all = permission._refused({**STATUS, "CapBnd": "0"}, sys.executable, contained=True)
    assert "docker run --user 0 --cap-add=NET_RAW" in none_at_all.remedy
    assert "sudo setcap" in permission._refused(STATUS, sys.executable).remedy


def test_a_file_system_without_capabilities_is_noticed(monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((0,) * 8 + (os.ST_NOSUID, 255)))
    found = permission._refused(STATUS, sys.executable)
    assert "nosuid" in found.why
    assert "setcap" not in found.remedy


def test_the_package_with_setcap_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "apt-get install libcap2-bin && " in permission._refused(STATUS, sys.executable).remedy
