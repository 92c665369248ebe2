"""The HTML report in a real browser: it works, it is quiet, everybody can use it, and nothing captured comes alive.

Debian's chromium, headless, with an empty profile; one for all tests. Pages come from files, and whatever else a page
asks for is noted and refused.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leakscan import cli
from leakscan.formats import Look
from tests.formats.test_hostile import HOSTILE, dirty, rendered
from tests.formats.test_html import captures, report, some

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'leakscan[dev]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install 'leakscan[dev]'")

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
SWITCHES = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, LAPTOP, PAPER = (360, 740), (1280, 800), (794, 1123)
SIZES = pytest.mark.parametrize("size", [PHONE, LAPTOP], ids=["phone", "laptop"])

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt install chromium"),
    pytest.mark.xdist_group("browser"),
]

Page = Any
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports: the O2 case, a hostile result, and a long one."""
    made = tmp_path_factory.mktemp("reports")
    networks, capture = ROOT / "fixtures" / "o2-2012.networks.toml", ROOT / "fixtures" / "o2-2012.pcap"
    cli.run(["analyse", "-q", "-o", str(made / "o2.html"), "--networks", str(networks), str(capture)])
    attacks = [*HOSTILE, *ATTACKS]
    leaks = [one for text in attacks for one in (dirty(text),)]
    names = [{"name": text, "size": 1} for text in attacks]
    (made / "hostile.html").write_text(
        rendered("html", leaks, Look(), captures=names, settings=dict(zip(*[attacks] * 2, strict=True)))
    )
    (made / "large.html").write_text(report(some(2_000), captures=captures()))
    return made


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Visit]:
    """`visit(name, size)` opens a report; at the end nothing may have been said on the console or asked of anybody."""
    opened = []
    said: list[str] = []

    def opens(name: str, size: tuple[int, int] = LAPTOP, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        own = (folder / f"{name}.html").as_uri()
        page.on("request", lambda request: None if request.url == own else said.append(f"request: {request.url}"))
        page.goto(own)
        page.said = said
        return page

    yield opens
    for context in opened:
        context.close()
    assert said == []


def column(page: Page, number: int) -> list[str]:
    """The cells of a column that are shown, in their order."""
    return [
        cell.strip()
        for cell in page.locator(f"#leak-table tbody tr:not([hidden]) td:nth-child({number})").all_text_contents()
    ]


def open_list(page: Page) -> None:
    if not page.locator("#leak-table").is_visible():
        page.get_by_text("The list", exact=True).click()


@SIZES
def test_it_is_quiet_and_fits_the_screen(visit: Visit, size: tuple[int, int]) -> None:
    for name in ("o2", "hostile"):
        page = visit(name, size)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        open_list(page)
        page.get_by_text("The same as a table").click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_sorting(visit: Visit) -> None:
    page = visit("o2")
    open_list(page)
    head = page.locator("#leak-table th", has_text="frame")
    assert head.get_attribute("aria-sort") is None
    for direction, backwards in (("ascending", False), ("descending", True)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        frames = [int(cell) for cell in column(page, page.locator("#leak-table th").count())]
        assert len(frames) == 256
        assert frames == sorted(frames, reverse=backwards)
    page.locator("#leak-table th", has_text="host").get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None, "one column at a time"
    hosts = column(page, 4)
    assert hosts == sorted(hosts)
    assert hosts[0] == "agecheck.example"


def test_sorting_by_severity_and_by_number(visit: Visit) -> None:
    page = visit("large")
    page.get_by_text("The list", exact=True).click()
    page.locator("#leak-table th", has_text="severity").get_by_role("button").click()
    assert {cell.split(" ")[0] for cell in column(page, 2)} == {"low"}
    page.get_by_label("Show only rows").fill(":1000 www1")
    playwright.expect(page.get_by_role("status")).to_have_text("275 of 2,000 leaks")
    words = [cell.split(" ")[0] for cell in column(page, 2)]
    order = ["low", "medium", "high", "critical"]
    assert words == sorted(words, key=order.index)
    assert set(words) == set(order)
    page.locator("section[aria-labelledby=hosts] th", has_text="leaks").get_by_role("button").click()
    leaks = page.locator("section[aria-labelledby=hosts] tbody td:nth-child(3)").all_text_contents()
    assert leaks == sorted(leaks, key=lambda cell: int(cell.replace(",", "")))


def test_sorting_by_keyboard(visit: Visit) -> None:
    page = visit("o2")
    page.locator("#leaks + p ~ details > summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Show only rows").focus()
    page.keyboard.press("Tab")  # the table's box, which scrolls by the arrows
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("#leak-table th").first.get_attribute("aria-sort") == "ascending"
    times = column(page, 1)
    assert times == sorted(times)


def test_filtering(visit: Visit) -> None:
    page = visit("o2")
    open_list(page)
    status = page.get_by_role("status")
    assert status.inner_text() == "256 of 256 leaks"
    page.get_by_label("Show only rows that hold these words").fill("SHOP  giffgaff")
    playwright.expect(status).not_to_have_text("256 of 256 leaks")
    hosts, networks = column(page, 4), column(page, 5)
    assert set(hosts) == {"shop.example"}
    assert set(networks) == {"O2, giffgaff"}
    assert status.inner_text() == f"{len(hosts)} of 256 leaks"
    page.locator("#leak-table th").first.get_by_role("button").click()
    assert len(column(page, 1)) == len(hosts), "sorting keeps the filter"
    page.get_by_label("Show only rows").fill("<script>")
    playwright.expect(status).to_have_text("0 of 256 leaks")
    page.get_by_label("Show only rows").fill("")
    playwright.expect(status).to_have_text("256 of 256 leaks")


def test_a_long_list_comes_in_pieces(visit: Visit) -> None:
    page = visit("large")
    page.get_by_text("The list", exact=True).click()
    status, more = page.get_by_role("status"), page.get_by_role("button", name="Show more")
    assert status.inner_text() == "2,000 of 2,000 leaks, the first 500 of them shown"
    more.click()
    assert status.inner_text() == "2,000 of 2,000 leaks, the first 1,000 of them shown"
    assert len(column(page, 1)) == 1000
    page.get_by_label("Show only rows").fill("day7.pcap")
    playwright.expect(status).to_have_text("0 of 2,000 leaks")
    assert not more.is_visible()


def test_without_javascript_everything_is_there(visit: Visit) -> None:
    page = visit("o2", java_script_enabled=False)
    open_list(page)
    assert page.locator("#leak-table tbody tr").count() == 256
    assert page.locator("#leak-table tbody tr").last.is_visible()
    assert not page.locator("#filter").is_visible()
    assert page.get_by_role("button").count() == 0, "nothing that does nothing"


def test_dark_and_light(visit: Visit) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    assert visit("o2", color_scheme="light").evaluate(background) == "rgb(255, 255, 255)"
    dark = visit("o2", color_scheme="dark")
    assert dark.evaluate(background) == "rgb(20, 23, 27)"
    dark.emulate_media(media="print", color_scheme="dark")
    assert dark.evaluate(background) == "rgb(255, 255, 255)", "paper is white"


def test_paper(visit: Visit) -> None:
    page = visit("o2", PAPER)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.get_by_role("navigation").is_visible()
    assert page.get_by_text("The list is printed when it is open.").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_charts_have_words(visit: Visit) -> None:
    page = visit("o2")
    assert page.get_by_role("img", name="Leaks and requests by day", exact=False).is_visible()
    assert page.get_by_role("img", name="Leaks: cellular 100 %").is_visible()
    bars = page.locator("svg.time rect.outside")
    assert bars.count() == 24, "days with leaks"
    boxes = [bar.bounding_box() for bar in (bars.first, bars.last)]
    assert boxes[0]["x"] < boxes[1]["x"]
    assert all(box["width"] > 10 and box["height"] >= 2 for box in boxes)


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (LAPTOP, "light")], ids=["phone", "laptop"])
def test_no_barrier(visit: Visit, size: tuple[int, int], scheme: str) -> None:
    """axe-core, all its rules, everything unfolded."""
    page = visit("o2", size, color_scheme=scheme)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = axe.Axe().run(page)
    assert found.generate_snapshot() == ""
    passed = {rule["id"] for rule in found.response["passes"]}
    assert {"color-contrast", "svg-img-alt", "label", "button-name", "th-has-data-cells"} <= passed


#: Beside those for every format: what is made for HTML, for SVG, for the template and for the script.
ATTACKS = [
    "</script><script>window.pwned=1</script>",
    "</style><style>*{display:none}</style>",
    "</title><img src=http://192.0.2.1/x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "'\" autofocus onfocus=window.pwned=1 x='",
    "</td></tr></table><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<base href=http://192.0.2.1/><a href=javascript:window.pwned=1>x</a>",
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>",
    "<!--",
    "<![CDATA[",
    "</svg><math><mi xlink:href=javascript:window.pwned=1>",
    "{% raw %}{{ ''.__class__ }}",
    "${window.pwned=1}`;window.pwned=1//",
    "]]><script>window.pwned=1</script>",
    "<details open ontoggle=window.pwned=1>",
]


def test_nothing_hostile_comes_alive(visit: Visit) -> None:
    page = visit("hostile")
    open_list(page)
    page.get_by_label("Show only rows").fill("<img")
    playwright.expect(page.get_by_role("status")).to_contain_text("of 41 leaks")
    page.locator("#leak-table th").first.get_by_role("button").click()
    page.get_by_label("Show only rows").fill("")
    playwright.expect(page.get_by_role("status")).to_have_text("41 of 41 leaks")
    assert page.evaluate("window.pwned") is None
    count = "selector => document.querySelectorAll(selector).length"
    for selector, expected in (("script", 1), ("style", 1), ("title", None), ("iframe, img, base, math, object", 0)):
        assert expected is None or page.evaluate(count, selector) == expected, selector
    assert page.evaluate(count, "meta[http-equiv]") == 1
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => a.getAttribute('href').startsWith('#'))")
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every(e => [...e.attributes].every(a => !/^on|^style$/.test(a.name)))"
    )
    assert "</script><script>window.pwned=1</script>" in page.locator("#leak-table").inner_text()
    assert page.title() == "leakscan report: leak"


def test_the_policy_stops_what_would_get_in_all_the_same(visit: Visit) -> None:
    page = visit("o2")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        page.evaluate(
            """address => {
                const script = document.createElement('script'); script.textContent = 'window.pwned = 1';
                const image = document.createElement('img'); image.src = address;
                const sheet = document.createElement('style'); sheet.textContent = 'body { display: none }';
                document.body.append(script, image, sheet);
            }""",
            address,
        )
        page.wait_for_timeout(200)
        with pytest.raises(TimeoutError):
            server.accept()
    assert page.evaluate("window.pwned") is None
    assert page.locator("h1").is_visible()
    blocked = [line for line in page.said if "Content Security Policy" in line]
    assert len(blocked) == 3
    assert set(page.said) - set(blocked) <= {f"request: {address}"}, "noted before the policy is asked"
    page.said.clear()
