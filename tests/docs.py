"""The examples of the documentation, and the picture in the README. `python -m tests.docs` writes both anew.

An example is a fenced `console` block: a line that begins with `$ leakscan`, then what it prints on stdout.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tempfile
from pathlib import Path
from unittest import mock

from leakscan.cli import run

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PICTURE = ROOT / "docs" / "o2-2012.svg"
PICTURE_COMMAND = "leakscan analyse --networks fixtures/o2-2012.networks.toml fixtures/o2-2012.pcap"
WIDTH = 96
EXAMPLE = re.compile(r"(?ms)^```console\n\$ (leakscan[^\n]*)\n(.*?)^```$")

#: The drawing's frame: no fonts or files from anywhere else.
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="Terminal">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def output(command: str) -> str:
    """What a command prints on stdout, run where everything of the project's root is, and what it writes is let go."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    quiet = contextlib.redirect_stderr(io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        for entry in ROOT.iterdir():
            (Path(folder) / entry.name).symlink_to(entry)
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), quiet:
            run(shlex.split(command)[1:])
    return out.buffer.getvalue().decode()


def examples(page: str) -> list[tuple[str, str]]:
    """The commands of a page and what it says they print."""
    return EXAMPLE.findall(page)


def refreshed(page: str) -> str:
    """The page with what its commands print now."""
    return EXAMPLE.sub(lambda found: f"```console\n$ {found[1]}\n{output(found[1])}```", page)


def picture() -> str:
    """What the README's first command prints, as an SVG."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    key = "--pseudonym-key fixtures/golden.key --color always"
    with mock.patch("leakscan.job.width", return_value=WIDTH):
        text = Text.from_ansi(output(PICTURE_COMMAND.replace("analyse", f"analyse {key}")))
    console = Console(record=True, width=WIDTH, file=io.StringIO(), legacy_windows=False)
    console.print(Text(f"$ {PICTURE_COMMAND}", "bold"), soft_wrap=False)
    console.print(text)
    svg = console.export_svg(title="", theme=MONOKAI, code_format=SVG, unique_id="leakscan")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
