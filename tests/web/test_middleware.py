"""A Flask and a Starlette application behind the middleware, on real servers, with and without stripping."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from leakscan.errors import UsageError
from leakscan.web import AsgiMiddleware, WsgiMiddleware
from leakscan.web import middleware as middleware_module
from tests.web.sites import IMSI, NUMBER, raw
from tests.web.test_visit import findings

flask = pytest.importorskip("flask")
starlette_applications = pytest.importorskip("starlette.applications")
uvicorn = pytest.importorskip("uvicorn")

LINES = [
    b"x-up-calling-line-id: " + NUMBER.encode(),
    b"X-IMSI: " + IMSI.encode(),
    b"X-Forwarded-For: 10.1.2.3",
    b"Cookie: theme=dark; User-Identity-Forward-msisdn=" + NUMBER.encode() + b"; lang=en",
    b"Accept-Language: en",
]
REQUEST = b"\r\n".join(
    [b"GET /path?msisdn=447700900199 HTTP/1.1", b"Host: shop.example:8000", *LINES, b"Connection: close"]
)
REQUEST += b"\r\n\r\n"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def flask_site(**settings):
    app = flask.Flask("shop")

    @app.route("/path")
    def say():
        return flask.jsonify(
            {"headers": [list(pair) for pair in flask.request.headers], "cookies": flask.request.cookies}
        )

    app.wsgi_app = WsgiMiddleware(app.wsgi_app, **settings)
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, app.wsgi_app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.wsgi_app.close()


@contextlib.contextmanager
def starlette_site(**settings):
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def say(request: Request) -> JSONResponse:
        return JSONResponse({"headers": [list(pair) for pair in request.headers.items()], "cookies": request.cookies})

    app = AsgiMiddleware(starlette_applications.Starlette(routes=[Route("/path", say)]), **settings)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on", http="h11", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    end = time.monotonic() + 10
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1], app
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        app.close()


SITES = {"flask": flask_site, "starlette": starlette_site}


def asked(port: int, data: bytes = REQUEST) -> dict:
    """What the application saw."""
    status, _, body = raw(port, data)
    assert status == 200
    said = json.loads(body)
    return {"headers": {name.lower(): value for name, value in said["headers"]}, "cookies": said["cookies"]}


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_without_stripping_nothing_changes(site, tmp_path):
    with site(record=str(tmp_path / "leaks.jsonl")) as (port, middleware):
        seen = asked(port)
        assert seen["headers"]["x-up-calling-line-id"] == NUMBER
        assert seen["headers"]["x-imsi"] == IMSI
        assert seen["cookies"] == {"theme": "dark", "User-Identity-Forward-msisdn": NUMBER, "lang": "en"}
        total = middleware.summary()["total"]
        assert (total["requests"], total["leaking_requests"], total["identifiers"]["msisdn"]) == (1, 1, 2)


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_with_stripping_the_application_sees_none_of_it(site):
    with site(strip=True) as (port, middleware):
        seen = asked(port)
        assert NUMBER not in str(seen)
        assert IMSI not in str(seen)
        assert seen["cookies"] == {"theme": "dark", "lang": "en"}
        assert seen["headers"]["accept-language"] == "en"
        assert seen["headers"]["host"] == "shop.example:8000"
        assert seen["headers"]["x-forwarded-for"] == "10.1.2.3"  # of low severity: other middleware needs it
        assert middleware.summary()["total"]["leaks"] >= 4


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
@pytest.mark.parametrize(
    ("strip", "gone"), [("low", {"x-imsi", "x-forwarded-for"}), ("critical", {"x-imsi"}), (False, set())]
)
def test_how_much_is_stripped(site, strip, gone):
    with site(strip=strip) as (port, _):
        seen = asked(port)["headers"]
        assert {"x-imsi", "x-forwarded-for"} - seen.keys() == gone


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_the_record_is_a_result_and_has_no_value_in_it(site, tmp_path):
    path = tmp_path / "leaks.jsonl"
    with site(record=str(path), strip=True) as (port, _):
        asked(port)
        asked(port, REQUEST.replace(NUMBER.encode(), b"447700900177"))
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["type"] for line in lines] == ["run", *["leak"] * (len(lines) - 2), "summary"]
    assert not [value for value in (NUMBER, IMSI, "447700900177", "447700900199", "10.1.2.3") if value in text]
    leak = next(line for line in lines if line.get("rule") == "x-up-calling-line-id")
    assert (leak["name"], leak["host"], leak["target"], leak["value"]) == (
        "x-up-calling-line-id",
        "shop.example",
        "/path",
        "44********23",
    )
    assert lines[-1]["total"]["requests"] == 2
    assert lines[-1]["total"]["identifiers"]["msisdn"] == 3
    assert lines[-1]["coverage"]["losses"] == {"unread": {}, "other": {}}


def test_both_find_the_same(tmp_path):
    found = []
    for name, site in SITES.items():
        path = tmp_path / f"{name}.jsonl"
        with site(record=str(path)) as (port, _):
            asked(port)
        found.append(
            findings([line for line in map(json.loads, path.read_text().splitlines()) if line["type"] == "leak"])
        )
    assert found[0] == found[1]
    assert len(found[0]) == 5


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_clean_requests_pass_and_are_counted(site):
    with site(strip=True) as (port, middleware):
        before = asked(port, b"GET /path HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nConnection: close\r\n\r\n")
        assert before["headers"]["x-a"] == "1"
        total = middleware.summary()["total"]
        assert (total["requests"], total["leaks"]) == (1, 0)


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_a_fault_of_ours_is_not_the_website_s(site, monkeypatch, caplog):
    def broken(*_, **__):
        raise KeyError(f"{NUMBER} in {NUMBER}")

    monkeypatch.setattr(middleware_module, "head_of", broken)
    with site(strip=True) as (port, middleware), caplog.at_level(logging.WARNING, "leakscan"):
        assert asked(port)["headers"]["x-up-calling-line-id"] == NUMBER
        assert middleware.summary()["coverage"]["losses"]["unread"] == {"request.failed": 1}
    assert "KeyError at" in caplog.text
    assert NUMBER not in caplog.text


def test_behind_a_trusted_proxy(tmp_path):
    path = tmp_path / "leaks.jsonl"
    data = b"GET /path HTTP/1.1\r\nHost: a\r\nX-MSISDN: 447700900123\r\nX-Forwarded-For: 10.9.9.9, 203.0.113.9\r\n"
    clients = []
    for trusted in ((), ("127.0.0.1",)):
        with flask_site(record=str(path), trusted_proxies=trusted, pseudonym_key="fixtures/golden.key") as (port, _):
            asked(port, data + b"Connection: close\r\n\r\n")
        leaks = [line for line in map(json.loads, path.read_text().splitlines()) if line["type"] == "leak"]
        assert [leak["rule"] for leak in leaks] == ["x-msisdn", "x-forwarded-for"]
        clients.append({leak["client"] for leak in leaks})
    assert len(clients[0]) == len(clients[1]) == 1
    assert clients[0] != clients[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strip": "everything"}, "strip"),
        ({"min_confidence": "certain"}, "min_confidence"),
        ({"trusted_proxies": ["localhost"]}, "localhost"),
        ({"pseudonym_key": "no-such.key"}, "no-such.key"),
        ({"networks": "no-such.toml"}, "no-such.toml"),
        ({"rules": "no-such.toml"}, "no-such.toml"),
        ({"colour": "red"}, "colour"),
        ({"show_values": True}, "show_values"),
        ({"record": "fixtures"}, "fixtures"),
    ],
)
def test_mistakes(settings, words):
    with pytest.raises(Exception, match=words) as caught:
        WsgiMiddleware(lambda *_: [], **settings)
    assert isinstance(caught.value, UsageError) or type(caught.value).__name__ == "FileMistake"


def wsgi(environ: dict, **settings) -> dict:
    """The environment that the application gets."""
    got = {}

    def app(environ, start_response):
        got.update(environ)
        return []

    made = WsgiMiddleware(app, **settings)
    made(environ, None)
    made.close()
    return got


def test_wsgi_without_a_server_around_it():
    """What servers leave out, and what they make of odd values."""
    assert wsgi({}, strip=True) == {}
    assert wsgi({"REQUEST_METHOD": "GET", "PATH_INFO": "/\xe9", "wsgi.input": None}, strip=True)["PATH_INFO"] == "/\xe9"
    folded = {"HTTP_X_MSISDN": "4477\r\n 00900123", "HTTP_X_A": "\xe9", "REMOTE_ADDR": "unix:", "SERVER_PORT": "http"}
    assert wsgi(dict(folded), strip=True) == {key: value for key, value in folded.items() if key != "HTTP_X_MSISDN"}
    empty = {"CONTENT_TYPE": "", "CONTENT_LENGTH": "", "HTTP_X_A": "", "HTTP_X_MSISDN": NUMBER}
    assert wsgi(dict(empty), strip=True) == dict.fromkeys(list(empty)[:3], "")
    agent = {"HTTP_USER_AGENT": "SoftBank/1.0/910T/TJ001/SN350000000000006 Browser/NetFront/3.3"}
    stripped = wsgi(dict(agent), strip="low")
    assert stripped["HTTP_USER_AGENT"].startswith("SoftBank/1.0/910T/TJ001/SN")
    assert "350000000000006" not in stripped["HTTP_USER_AGENT"]
    referer = {"HTTP_REFERER": "http://a.example/?msisdn=447700900123&b=1"}
    assert wsgi(dict(referer), strip=True) == {"HTTP_REFERER": "http://a.example/?msisdn=...&b=1"}
    assert wsgi({"HTTP_COOKIE": "msisdn=447700900123"}, strip=True) == {}


def test_raw_uris_are_read_as_they_came():
    made = WsgiMiddleware(lambda *_: [])
    made({"RAW_URI": "/a?msisdn=%34%34%37%37%30%30%39%30%30%31%32%33", "PATH_INFO": "/a"}, None)
    assert made.summary()["total"]["identifiers"] == {"msisdn": 1}


def test_many_threads_at_once(tmp_path):
    made = WsgiMiddleware(lambda *_: [], record=str(tmp_path / "leaks.jsonl"), sample=None)

    def visit():
        for number in range(50):
            made({"HTTP_X_MSISDN": f"4477009001{number:02}", "HTTP_HOST": "a.example"}, None)

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.close()
    lines = [json.loads(line) for line in (tmp_path / "leaks.jsonl").read_text().splitlines()]
    assert (len(lines), lines[-1]["total"]["leaks"], lines[-1]["total"]["subscribers"]) == (402, 400, 50)


def test_websockets_and_lifespans_pass():
    import asyncio

    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    made = AsgiMiddleware(app, strip=True)
    headers = [(b"x-msisdn", NUMBER.encode()), (b"x-a", b"1"), (b"x-a", b"2")]
    asyncio.run(made({"type": "lifespan"}, None, None))
    asyncio.run(made({"type": "websocket", "path": "/", "headers": headers, "http_version": "2"}, None, None))
    assert seen[0] == {"type": "lifespan"}
    assert seen[1]["headers"] == [(b"x-a", b"1"), (b"x-a", b"2")]
    assert headers[0] == (b"x-msisdn", NUMBER.encode())
    assert made.summary()["total"]["requests"] == 1
