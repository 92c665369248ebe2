"""What others drop into their repositories: the action runs, the hook catches, the container holds no rights."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from leakscan import cli
from leakscan.sources.paths import CAPTURE_NAME
from tests.builders import pcap
from tests.streams import frames, request

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
LEAK = request("/", "x-up-calling-line-id: 447700900123", host="www.news.example")
EXPRESSION = re.compile(r"\$\{\{\s*([a-z._-]+)\s*\}\}")


# -- the action ------------------------------------------------------------------------------------------------------


def test_the_action_has_what_it_promises() -> None:
    assert {"path", "fail-on", "baseline", "policy", "sarif"} <= set(ACTION["inputs"])
    assert {"outcome", "counting", "behaviours", "leaks", "subscribers", "requests"} <= set(ACTION["outputs"])
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert [name for name in ACTION["outputs"] if f"`{name}`" not in page] == []


def test_no_input_can_become_a_script() -> None:
    """Expressions stand in `env` alone, where they are values."""
    for step in ACTION["runs"]["steps"]:
        assert not EXPRESSION.search(step["run"])
        assert step["shell"] == "bash"


class Runner:
    """GitHub's runner, as far as a composite action of shell steps needs one."""

    def __init__(self, action: Path, folder: Path, temporary: Path) -> None:
        self.action = action
        self.folder = folder
        self.temporary = temporary

    def run(self, identity: str, **inputs: str) -> tuple[int, dict[str, str], str, str]:
        """Exit code, outputs, stdout and job summary of one step."""
        steps = yaml.safe_load((self.action / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
        (step,) = [step for step in steps if step["id"] == identity]
        known = {f"inputs.{name}": str(entry.get("default", "")) for name, entry in ACTION["inputs"].items()}
        known |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        known |= {"inputs.python": sys.executable, "github.action_path": str(self.action)}
        output, summary = self.temporary / "output", self.temporary / "summary"
        output.write_text("")
        summary.write_text("")
        environment = {
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.temporary),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            **{key: EXPRESSION.sub(lambda found: known[found[1]], value) for key, value in step["env"].items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done.returncode, outputs, done.stdout + done.stderr, summary.read_text()


def fresh_clone(folder: Path) -> Path:
    """What is committed here, and nothing that lies beside it."""
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", str(folder)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """The action in a fresh clone, installed; its dependencies are taken from here instead of from an index."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs git and a checkout: this tree is none")
    temporary = tmp_path_factory.mktemp("runner")
    action = fresh_clone(tmp_path_factory.mktemp("action") / "leakscan")
    site = Path(sysconfig.get_path("purelib", vars={"base": str(temporary / "leakscan")}))
    site.mkdir(parents=True)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Runner(action, tmp_path_factory.mktemp("repository"), temporary)


@pytest.mark.xdist_group("action")
def test_the_action_in_a_fresh_clone(runner: Runner) -> None:
    """Installed from the clone, then run over a repository that is clean, leaks, is covered, is cut, is a mistake."""
    code, _, said, _ = runner.run("install")
    assert code == 0, said
    package = subprocess.run(
        [runner.temporary / "leakscan/bin/python", "-c", "import leakscan; print(leakscan.__file__)"],
        capture_output=True,
        text=True,
        cwd="/",
        timeout=60,
    ).stdout
    assert package.startswith(str(runner.temporary))

    recordings = runner.folder / "my recordings"
    recordings.mkdir()
    path = recordings / "a.pcap"
    path.write_bytes(pcap(frames(request("/", host="www.news.example"))))
    code, outputs, said, page = runner.run("scan", path="my recordings\n")
    assert (code, outputs["outcome"], outputs["exit-code"]) == (0, "none-found", "0"), said
    assert outputs["requests"] == "1"
    assert page.startswith("## leakscan: none-found")

    path.write_bytes(pcap(frames(LEAK)))
    code, outputs, said, page = runner.run("scan", path="my recordings/*.pcap", sarif="out.sarif")
    assert code == 1
    assert outputs == {
        "exit-code": "1",
        "outcome": "leak",
        "behaviours": "1",
        "counting": "1",
        "leaks": "1",
        "subscribers": "1",
        "requests": "1",
    }
    assert "::error file=my%2520recordings/a.pcap,title=leakscan" in said
    assert "447700900123" not in said + page
    assert "x-up-calling-line-id" in (runner.folder / "out.sarif").read_text()

    (runner.folder / "p.toml").write_text(
        '[[partner]]\nname = "N"\nhosts = ["www.news.example"]\npurpose = "x"\nidentifiers = ["msisdn"]\n'
    )
    assert runner.run("scan", path="my recordings", policy="p.toml")[0] == 1  # allowed, but not in the clear
    with (runner.folder / "p.toml").open("a") as file:
        file.write("cleartext = true\n")
    code, outputs, _, _ = runner.run("scan", path="my recordings", policy="p.toml")
    assert (code, outputs["outcome"], outputs["counting"]) == (0, "leak", "0")
    assert runner.run("scan", path="my recordings", fail_on="none")[0] == 0
    assert runner.run("scan", path="my recordings", arguments="--exit-zero --quiet")[0] == 0

    path.write_bytes(path.read_bytes()[:-9])
    code, outputs, _, _ = runner.run("scan", path="my recordings")
    assert (code, outputs["outcome"], outputs["exit-code"]) == (3, "inconclusive", "3")
    for wrong in ({"path": "nowhere"}, {"path": ""}, {"path": "my recordings", "policy": "none.toml"}):
        code, outputs, _, _ = runner.run("scan", **wrong)
        assert (code, outputs) == (2, {"exit-code": "2", "outcome": "error"})
    harmless = runner.run("scan", path="$(touch pwned)`touch pwned`;touch pwned\n--help")
    assert harmless[0] == 2
    assert not (runner.folder / "pwned").exists()


# -- the hook --------------------------------------------------------------------------------------------------------

NAMES = ["a.pcap", "a.pcapng", "a.cap", "x/A.PCAP", "a.pcap.gz", "a.pcap7", "a.pcap.7", "a.pcapng.zst", "a.cap.xz"]


def test_the_hook_is_given_captures() -> None:
    for name in NAMES:
        assert re.search(HOOK["files"], name), name
        assert CAPTURE_NAME.search(name), name
    for name in ("a.txt", "pcap", "a.pcap.txt", "capture.py"):
        assert not re.search(HOOK["files"], name), name


@pytest.mark.parametrize(
    ("data", "cut", "code"),
    [(LEAK, 0, 1), (request("/"), 0, 0), (LEAK, 9, 3), (b"\x16\x03\x01\x00\x40\x01" + bytes(64), 0, 0)],
    ids=["leaking", "clean", "cut", "encrypted"],
)
def test_the_hook_catches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, cut: int, code: int) -> None:
    monkeypatch.chdir(tmp_path)
    whole = pcap(frames(data))
    (tmp_path / "a.pcap").write_bytes(whole[: len(whole) - cut])
    program, *arguments = shlex.split(HOOK["entry"])
    assert program == "leakscan"
    assert cli.run([*arguments, "a.pcap"]) == code


def test_the_hook_installs_what_captures_may_need() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert HOOK["language"] == "python"
    for dependency in HOOK["additional_dependencies"]:
        assert f'"{dependency}"' in project


# -- the container ---------------------------------------------------------------------------------------------------


def test_the_container_has_no_rights() -> None:
    """What can be seen in the file; tests/tools/try_container.sh builds and runs it."""
    lines = (ROOT / "docs" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    steps = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    words = {word for word, _ in steps}
    assert words <= {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    last_from = max(index for index, (word, _) in enumerate(steps) if word == "FROM")
    final = steps[last_from:]
    (user,) = [value for word, value in final if word == "USER"]
    assert user.split(":")[0] not in ("root", "0")
    assert final.index(["USER", user]) > max(index for index, (word, _) in enumerate(final) if word == "RUN")
    assert "setcap" not in " ".join(lines)
    for word, value in steps:
        if word == "COPY" and not value.startswith("--from"):
            *sources, _ = value.split()
            assert all((ROOT / source).exists() for source in sources), value


def test_what_is_in_the_container_installs() -> None:
    """The files that it copies are enough to build the package."""
    lines = (ROOT / "docs" / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = {source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.findall(r'(?m)^readme = "(.*)"$|^license-files = \["(.*)"\]$', project)
    assert {name for pair in needed for name in pair if name} <= copied
    assert {"pyproject.toml", "./leakscan".removeprefix("./")} <= copied


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_examples_are_yaml() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    workflow, gitlab, hook = (yaml.safe_load(text) for text in re.findall(r"(?ms)^```yaml\n(.*?)^```$", page))
    (step,) = [step for step in workflow["jobs"]["leakscan"]["steps"] if step.get("id") == "leakscan"]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert gitlab["leakscan"]["artifacts"]["reports"]["junit"] == "leakscan.xml"
    assert hook["repos"][0]["hooks"] == [{"id": HOOK["id"]}]


def commands() -> list[str]:
    """Every call of leakscan on the page, without what the shell adds."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?ms)^```(?:sh|yaml|make)\n(.*?)^```$", page)
    calls = re.findall(r"(?m)^[\s-]*(leakscan (?:analyse|report|baseline|requests|policy)[^#\n]*)", "\n".join(blocks))
    return [call.strip() for call in calls]


@pytest.mark.parametrize("command", commands())
def test_the_flags_of_the_examples_are_there(command: str) -> None:
    """Parsed as the command line parses them; nothing is run."""
    arguments = shlex.split(command.replace("$(", "").replace(")", ""))[1:]
    assert callable(cli.cli.main(arguments, prog_name="leakscan", standalone_mode=False))


def test_there_are_examples() -> None:
    assert len(commands()) >= 8
