"""Writes docs/report.png, the top of the O2 case's HTML report: `python tests/tools/make_picture.py`.

Needs chromium and playwright. By hand, after the report's looks have changed: what a browser draws depends on its
version and on the fonts there are, so no test can ask for the same bytes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from leakscan.cli import run

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1040, 925


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        report = Path(folder) / "report.html"
        fixtures = ROOT / "fixtures"
        key, networks = fixtures / "golden.key", fixtures / "o2-2012.networks.toml"
        given = ["--pseudonym-key", str(key), "--networks", str(networks), str(fixtures / "o2-2012.pcap")]
        run(["analyse", "-q", "-o", str(report), *given])
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.as_uri())
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
