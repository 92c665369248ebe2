"""The page in a real browser, with and without a network in between that enriches requests.

One Chromium for the module. What its windows look like is kept as pictures when LEAKSCAN_SCREENSHOTS names a folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from leakscan.web.server import context_of
from tests.web.sites import ENRICHED, IMSI, NUMBER, SITE, TOKEN, Site, certificate, enriching, head, need

pytestmark = pytest.mark.xdist_group("browser")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MASKED = ["44********23", "00101**********", "MTIz... (56 characters)"]
SCREENSHOTS = os.environ.get("LEAKSCAN_SCREENSHOTS")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tls=context_of(*certificate(tmp_path_factory.mktemp("tls")))) as running:
        yield running


@pytest.fixture(scope="module")
def network(site, tmp_path_factory):
    with enriching(tmp_path_factory.mktemp("nginx"), site.port, ENRICHED) as port:
        yield port


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    path = need("chromium")
    with sync_playwright() as playwright:
        # The page is "public" to the browser and the probe on loopback: a check that real visitors do not meet.
        flags = [*FLAGS, f"--host-resolver-rules=MAP {SITE} 127.0.0.1", "--disable-features=LocalNetworkAccessChecks"]
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=flags)
        yield browser
        browser.close()


def compared(page):
    """Wait until the script has said what it found."""
    page.get_by_text("Your browser has just sent").wait_for(timeout=10_000)


def given(page, address, body, headers):
    """The browser gets this answer, whatever the server would say."""
    page.route(address, lambda route: route.fulfill(body=body, headers=headers))


@pytest.fixture
def visit(chromium, site, network):
    """A visit in a window of its own; gives the page, on which nothing may go wrong."""
    contexts = []

    def open_page(enriched=True, javascript=True, width=360, wait=True, path="/", **settings):
        if enriched:
            settings["proxy"] = {"server": f"http://127.0.0.1:{network}", "bypass": "https://*"}
        context = chromium.new_context(
            viewport={"width": width, "height": 800},
            java_script_enabled=javascript,
            ignore_https_errors=True,
            **settings,
        )
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda message: page.wrong.append(message.text))
        page.on("dialog", lambda dialog: (page.wrong.append(dialog.message), dialog.dismiss()))
        page.goto(f"http://{SITE}:{site.port}{path}")
        if javascript and wait:
            compared(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_page_names_all_three_masked(visit, javascript):
    page = visit(javascript=javascript)
    assert page.inner_text("#verdict") == (
        "Your network told this website your phone number, the number of your SIM card (IMSI) and a code that stands "
        "for you."
    )
    assert page.locator("article .value").all_inner_texts() == MASKED
    assert page.locator("li mark").all_inner_texts() == list(ENRICHED)
    seen = page.inner_text("body")
    for name in ENRICHED:
        assert name in seen
    for value in (NUMBER, IMSI, TOKEN):
        assert value not in seen
    assert page.wrong == []


@pytest.mark.parametrize("javascript", [True, False])
def test_the_button_shows_the_value(visit, javascript):
    page = visit(javascript=javascript)
    for number, value in enumerate((NUMBER, IMSI, TOKEN)):
        article = page.locator("article").nth(number)
        own = article.locator("details code")
        assert not own.is_visible()
        article.locator("summary").click()
        assert own.is_visible()
        assert own.inner_text() == value


@pytest.mark.parametrize("javascript", [True, False])
def test_without_the_network_nothing_is_found(visit, javascript):
    page = visit(enriched=False, javascript=javascript)
    assert "we found nothing that we know of" in page.inner_text("#verdict")
    assert page.locator("article, mark").count() == 0
    assert "safe" not in page.inner_text("body").lower()
    assert page.wrong == []


def test_what_only_the_plain_request_carried_was_added_on_the_way(visit):
    page = visit()
    assert page.locator("#way li > code").all_inner_texts() == list(ENRICHED)
    assert "Only the plain one had these" in page.inner_text("#way")
    for who in page.locator(".who").all_inner_texts():
        assert "It was added on the way: your browser did not send it." in who
    assert page.wrong == []


def test_without_the_network_both_requests_are_alike(visit):
    page = visit(enriched=False)
    assert "Both arrived alike" in page.inner_text("#way")
    assert page.locator("#way li").count() == 0


def test_what_an_app_sends_is_not_the_network_s(visit):
    """A header that the browser sends itself comes over HTTPS, too: the script does not blame the network."""
    page = visit(enriched=False, wait=False)
    page.route("**/*", lambda route: route.continue_(headers={**route.request.headers, "X-UIDH": TOKEN}))
    page.reload()
    compared(page)
    assert "Both arrived alike" in page.inner_text("#way")
    assert page.locator("article").count() == 1
    assert page.locator("#way li").count() == 0
    assert "added on the way:" not in page.inner_text(".who")


def test_without_the_https_probe_the_script_knows_what_browsers_send(visit):
    page = visit(wait=False)
    context = page.context
    context.route(f"https://{SITE}:*/**", lambda route: route.abort())
    page.reload()
    compared(page)
    assert page.locator("#way li > code").all_inner_texts() == list(ENRICHED)
    assert "Neither this page nor browsers" in page.inner_text("#way")


def test_on_wifi_the_page_cannot_tell(site, chromium):
    """Some phones tell what they are on. The page is that of a visitor of whom nothing else is known."""
    _, lines, body = site.raw(head(path="/", host=SITE))
    verdict = b'<p class="verdict none-found" id="verdict">Nothing that we know of was added to this request.</p>'
    body = re.sub(rb'<p class="verdict.*?</p>', verdict, body)
    context = chromium.new_context()
    context.add_init_script("Object.defineProperty(navigator, 'connection', {value: {type: 'wifi'}})")
    page = context.new_page()
    given(page, re.compile("/$"), body, lines | {"Content-Length": f"{len(body)}"})
    page.goto(f"http://{SITE}:{site.port}/")
    compared(page)
    assert "your browser says that it is on Wi-Fi" in page.inner_text("#verdict")
    assert page.get_attribute("#verdict", "class") == "verdict inconclusive"
    context.close()


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "</code></title></style></script><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "${alert(1)}`{{alert(1)}}",
    "\u202e\u2066\x1b]0;x\x07\x9b31m",
]


def test_nothing_that_is_sent_runs(site, chromium, tmp_path, visit):
    """Hostile text wherever a request can hold it: in values and names, where identifiers are, in the target."""
    lines = {}
    for number, text in enumerate(HOSTILE):
        value = text.replace("\\", "").replace('"', '\\"').replace("$", "").replace("\x07", "").replace("\x1b", "")
        lines |= {f"X-Hostile-{number}": value, f"X-Hostile-{number}-MSISDN": f"{value}{NUMBER}"}
        lines[f"X-Sub-No-{number}"] = f"{NUMBER}{value}"
    lines |= {
        "X-MSISDN": f"{NUMBER}",
        "Cookie": f"msisdn={NUMBER}; <script>alert(1)</script>=<img src=x onerror=alert(1)>",
    }
    with enriching(tmp_path, site.port, lines) as port:
        context = chromium.new_context(proxy={"server": f"http://127.0.0.1:{port}"})
        page = context.new_page()
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.goto(f"http://{SITE}:{site.port}/?q=<script>alert(1)</script>&msisdn={NUMBER}")
        compared(page)
        for summary in page.locator("summary").all():
            summary.click()
        assert page.locator("article").count() >= 3
        assert page.locator("script").count() == 1
        assert page.locator("main img, main svg, main a, main iframe, main script").count() == 0
        assert "<script>alert(1)</script>" in page.inner_text("body")
        assert wrong == []
        context.close()


def test_hostile_names_run_no_more_than_values(site, chromium):
    """No proxy lets such names pass, so the answer to raw bytes is what the browser is shown."""
    data = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for text in HOSTILE:
        name = text.replace(":", "").encode("latin-1", "replace")
        data += name + b": 1\r\n" + name + b"-msisdn: " + NUMBER.encode() + b"\r\n" + name + b"\r\n"
    _, lines, body = site.raw(data + b"\r\n")
    context = chromium.new_context()
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    for headers in (lines, {"Content-Type": lines["Content-Type"]}):  # with the policy, and without it
        given(page, "**/*", body, headers)
        page.goto(f"http://{SITE}:{site.port}/")
        assert page.locator("main img, main svg, main a, main iframe, main script").count() == 0
        assert page.locator("article").count() >= len(HOSTILE) - 2
        page.unroute_all()
    assert wrong == []
    context.close()


def test_no_other_website_can_read_it(site, chromium):
    """Neither by asking for it, nor as a script, an image or a frame."""
    context = chromium.new_context()
    page = context.new_page()
    given(page, "http://evil.example/**", b"<p>evil</p>", {"Content-Type": "text/html"})
    page.goto("http://evil.example/")
    for path in ("/headers", "/probe?n=1", "/"):
        ask = f"fetch('http://{SITE}:{site.port}{path}').then(a => a.text(), () => 'refused')"
        assert page.evaluate(ask) == "refused"
    loads = f"""new Promise(done => {{ const made = document.createElement("script");
        made.src = "http://{SITE}:{site.port}/headers"; made.onload = () => done("ran");
        made.onerror = () => done("refused"); document.body.append(made) }})"""
    assert page.evaluate(loads) == "refused"
    page.evaluate(f"document.body.innerHTML = '<iframe src=\"http://{SITE}:{site.port}/\"></iframe>'; ")
    page.wait_for_timeout(300)
    assert all(frame.locator("#verdict").count() == 0 for frame in page.frames)
    context.close()


def test_the_page_is_small_and_complete_in_itself(site, visit):
    page = visit(wait=False)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    body = page.reload().body()
    compared(page)
    assert len(body) < 20_000
    assert [url for url in asked if "/probe?n=" not in url and not url.startswith("data:")] == [
        f"http://{SITE}:{site.port}/"
    ]


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_no_barrier(visit, width, scheme):
    """axe-core, all its rules, everything unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(width=width, color_scheme=scheme)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = axe.Axe().run(page)
    assert found.generate_snapshot() == ""
    assert {"color-contrast", "definition-list", "list", "document-title"} <= {
        rule["id"] for rule in found.response["passes"]
    }


#: Of every visible part of the page: its name and box; read in one go.
BOXES = """() => [...document.querySelectorAll("body *")].filter(part => part.getClientRects().length)
    .map(part => { const box = part.getBoundingClientRect();
                   return [part.tagName + "." + part.className, box.left, box.right, box.height] })"""


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("enriched", [True, False])
def test_it_fits_the_window(visit, enriched, javascript):
    """Nothing sticks out at the side, and what is to be pressed is large enough for a thumb."""
    page = visit(enriched=enriched, javascript=javascript)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for opened in (False, True):
            if opened and enriched and width == 360:
                for button in page.locator("summary").all():
                    button.click()
            boxes = page.evaluate(BOXES)
            assert [box for box in boxes if box[1] < 0 or box[2] > width] == []
            assert [box for box in boxes if box[0] == "SUMMARY." and box[3] < 22] == []
            for scheme in ("light", "dark") if SCREENSHOTS else ():
                page.emulate_media(color_scheme=scheme)
                words = ("enriched" if enriched else "plain", width, "js" if javascript else "nojs", scheme, opened)
                page.screenshot(path=str(Path(SCREENSHOTS) / f"{'-'.join(map(str, words))}.png"), full_page=True)
    assert all(box["height"] >= 40 for box in (b.bounding_box() for b in page.locator("article summary").all()))
