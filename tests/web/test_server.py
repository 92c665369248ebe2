"""The server: what it is sent it gives back as it was, and what it does not want it refuses in so many words."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time

import pytest

from leakscan.web import limits, server
from leakscan.web.server import context_of
from tests.web.sites import NUMBER, SITE, Site, answer, certificate, head, need, raw


@pytest.fixture(scope="module")
def site():
    with Site() as running:
        yield running


#: Header lines as sent -> pairs as received.
AS_SENT = {
    "plain": ([b"X-A: 1"], [["X-A", "1"]]),
    "duplicates": ([b"X-A: 1", b"x-a: 2", b"X-A: 1"], [["X-A", "1"], ["x-a", "2"], ["X-A", "1"]]),
    "odd case": ([b"x-UP-CALLING-line-ID: " + NUMBER.encode()], [["x-UP-CALLING-line-ID", NUMBER]]),
    "underscores": ([b"_rapmin: 1", b"X_B: 2"], [["_rapmin", "1"], ["X_B", "2"]]),
    "folded": ([b"X-A: one", b" two", b"\tthree", b"X-B: 1"], [["X-A", "one\r\n two\r\n\tthree"], ["X-B", "1"]]),
    "not ASCII": ([b"X-A: caf\xe9 \xff", b"X-\xe9: 1"], [["X-A", "caf\xe9 \xff"], ["X-\xe9", "1"]]),
    "UTF-8": (["X-A: \u20ac".encode()], [["X-A", "\xe2\x82\xac"]]),
    "controls": ([b"X-A: a\0b\x1b[31m"], [["X-A", "a\0b\x1b[31m"]]),
    "spaces": ([b"X-A :   a  ", b"X B: 1"], [["X-A ", "a"], ["X B", "1"]]),
    "no colon": ([b"just a line"], [["just a line", None]]),
    "no name": ([b": x"], [["", "x"]]),
    "no value": ([b"X-A:"], [["X-A", ""]]),
    "two hosts": ([b"Host: other.example"], [["Host", "other.example"]]),
    "lengths": ([b"Content-Length: 0", b"Content-Length: 0"], [["Content-Length", "0"]] * 2),
    "300 headers": ([b"X-%d: %d" % (n, n) for n in range(300)], [[f"X-{n}", f"{n}"] for n in range(300)]),
}


@pytest.mark.parametrize(("lines", "pairs"), AS_SENT.values(), ids=AS_SENT)
def test_headers_come_back_as_sent(site, lines, pairs):
    assert site.headers(*lines)["headers"] == [["Host", "127.0.0.1"], *pairs]


@pytest.mark.parametrize(("lines", "pairs"), AS_SENT.values(), ids=AS_SENT)
def test_in_any_cut(site, lines, pairs):
    data = b"\r\n" + head(*lines)
    with socket.create_connection(("127.0.0.1", site.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = max(1, len(data) // 40)
        for start in range(0, len(data), step):
            connection.sendall(data[start : start + step])
        assert json.loads(answer(connection)[2])["headers"][1:] == pairs


def test_bare_line_feeds(site):
    _, _, body = site.raw(b"GET /headers HTTP/1.0\nHost: 127.0.0.1\nX-A: 1\n\n")
    assert json.loads(body)["headers"] == [["Host", "127.0.0.1"], ["X-A", "1"]]


def test_curl(site):
    """As a visitor with a shell would."""
    lines = [
        "X-A: 1",
        "x-a: 2",
        f"x-UP-calling-line-id: {NUMBER}",
        "X-Name: Jos\xe9",
        *(f"X-{n}: {n}" for n in range(300)),
    ]
    command = [need("curl"), "-sS", "--max-time", "10", f"http://127.0.0.1:{site.port}/headers"]
    for line in lines:
        command += ["-H", line]
    done = subprocess.run([word.encode("latin-1") for word in command], capture_output=True, check=True)
    said = json.loads(done.stdout)
    assert said["headers"][3:] == [line.split(": ") for line in lines]
    assert [found["value"] for found in said["findings"]] == ["44********23"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(*[b"X-%d: 1" % n for n in range(limits.MAX_HEADER_LINES + 1)]), 431),
        (head(b"X-A: " + b"a" * limits.MAX_HEAD_BYTES), 431),
        (b"GET /" + b"a" * limits.MAX_HEAD_BYTES, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * (limits.MAX_HEAD_BYTES - 60) + b"\r\n\r\n", 200),
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"HTTP/1.1 200 OK\r\n\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        (b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n", 405),
        (head(path="/", host="evil.example"), 421),
        (head(path="/headers", host="127.0.0.1.evil.example"), 421),
        (head(path="/headers", host="localhost.evil.example"), 421),
        (b"GET http://evil.example/headers HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 421),
        (head(path="/headers", host=f"{SITE.upper()}.:8080"), 200),
        (head(path="/headers", host="localhost:1"), 200),
        (head(path="/headers", host="[::1]:1"), 200),
        (b"GET http://127.0.0.1/headers HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (head(path="/healthz", host="10.0.0.1"), 200),
        (head(path="/healthz", host="whatever.balancer"), 200),
    ],
)
def test_statuses(site, data, status):
    assert site.raw(data)[0] == status


@pytest.mark.parametrize("path", ["/", "/headers", "/healthz", "/probe", "/nothing"])
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_nothing_is_cached_shared_or_framed(site, path, host):
    _, lines, body = site.raw(head(b"Origin: http://evil.example", path=path, host=host))
    assert lines["Cache-Control"] == "no-store, private"
    assert "default-src 'none'" in lines["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in lines["Content-Security-Policy"]
    assert lines["Cross-Origin-Resource-Policy"] == "same-origin"
    assert lines["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in lines if name.lower().startswith("access-control")]
    assert int(lines["Content-Length"]) == len(body)
    assert lines["Connection"] == "close"


def test_refusals_reflect_nothing(site):
    for data in (
        head(path="/<script>alert(1)</script>"),
        head(path="/", host="<script>alert(1)</script>"),
        b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n",
    ):
        status, lines, body = site.raw(data)
        assert status in (400, 404, 421)
        assert "script" not in f"{lines}{body}"


def test_head_has_the_same_lines_and_no_body(site):
    _, got, body = site.raw(head(path="/healthz"))
    status, lines, empty = site.raw(head(path="/healthz").replace(b"GET", b"HEAD", 1))
    assert (status, empty) == (200, b"")
    assert lines | {"Date": ""} == got | {"Date": ""}
    assert int(lines["Content-Length"]) == len(body)


def test_a_body_is_no_request(site):
    """What stands in a body is not answered: the connection ends."""
    inner = head(path="/headers")
    status, _, body = site.raw(head(b"Content-Length: %d" % len(inner)) + inner)
    assert status == 200
    assert body.count(b'"outcome"') == 1


def test_an_answer_survives_a_long_body(site):
    data = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n\r\n" + b"a" * 500_000
    assert site.raw(data)[0] == 405


def test_half_closed_connections_are_answered(site):
    with socket.create_connection(("127.0.0.1", site.port), 10) as connection:
        connection.sendall(head())
        connection.shutdown(socket.SHUT_WR)
        assert answer(connection)[0] == 200


def test_a_page_is_no_cross_origin_script(site):
    """`/headers` cannot be a script or style of another website: its type is checked."""
    _, lines, _ = site.raw(head())
    assert lines["Content-Type"] == "application/json"


def test_rate():
    with Site(rate=60) as site:
        statuses = [site.raw(head(), source="127.0.0.9")[0] for _ in range(20)]
        assert statuses[:15] == [200] * 15
        assert set(statuses[16:]) == {429}
        status, lines, _ = site.raw(head(), source="127.0.0.9")
        assert (status, int(lines["Retry-After"]) >= 1) == (429, True)
        assert site.raw(head(), source="127.0.0.10")[0] == 200


def test_too_slow(monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    with Site() as site, socket.create_connection(("127.0.0.1", site.port), 10) as connection:
        began = time.monotonic()
        for byte in b"GET / HTTP/1.1\r\n"[:8]:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)
        assert answer(connection)[0] == 408
        assert time.monotonic() - began < server.HEAD_SECONDS + 5


def test_an_answer_that_nobody_takes_is_dropped(monkeypatch):
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.3)
    with Site() as site, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", site.port))
        connection.sendall(head(b"X-A: " + b"\xe9" * 30_000))
        end = time.monotonic() + 30
        time.sleep(0.2)
        assert len(site.server.connections) == 1
        while len(site.server.connections) and time.monotonic() < end:
            time.sleep(0.02)
        assert len(site.server.connections) == 0


def test_a_fault_of_ours_is_told_without_what_was_sent(monkeypatch):
    def broken(*_):
        raise KeyError(f"{NUMBER} in {NUMBER}")

    with Site() as site:
        monkeypatch.setattr(server, "examine", broken)
        status, _, body = site.raw(head(f"X-MSISDN: {NUMBER}".encode()))
        assert (status, body) == (500, b"Something went wrong here.\n")
        assert site.raw(head(path="/healthz"))[0] == 200
    assert len(site.said) == 1
    assert "KeyError at" in site.said[0]
    assert NUMBER not in site.said[0]


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    paths = certificate(folder)
    with Site(tls=context_of(*paths)) as running:
        running.trust = ssl.create_default_context(cafile=paths[0])
        yield running


def https(site, data: bytes) -> tuple[int, dict[str, str], bytes]:
    with (
        socket.create_connection(("127.0.0.1", site.tls_port), 10) as plain,
        site.trust.wrap_socket(plain, server_hostname=SITE) as connection,
    ):
        connection.sendall(data)
        return answer(connection)


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        (SITE, f"http://{SITE}:PORT", True),
        ("127.0.0.1", "http://127.0.0.1:PORT", True),
        (SITE, f"http://{SITE}", False),
        (SITE, f"http://{SITE}:1", False),
        (SITE, f"https://{SITE}:PORT", False),
        (SITE, "http://127.0.0.1:PORT", False),
        (SITE, "http://evil.example", False),
        (SITE, f"http://{SITE}.evil.example:PORT", False),
        (SITE, "null", False),
        (SITE, "*", False),
    ],
)
def test_the_https_probe_is_for_its_own_page(secure, host, origin, allowed):
    origin = origin.replace("PORT", str(secure.port))
    line = f"Origin: {origin}".encode()
    status, lines, body = https(secure, head(line, path="/probe?n=abc", host=f"{host}:{secure.tls_port}"))
    assert status == 200
    assert lines.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert lines["Vary"] == "Origin"
    assert json.loads(body) == {
        "nonce": "abc",
        "headers": [["Host", f"{host}:{secure.tls_port}"], ["Origin", origin]],
    }


@pytest.mark.parametrize(("path", "to"), [("/", "/"), ("/headers", "/headers"), ("/x?y=//evil.example", "/")])
def test_https_sends_visitors_to_the_plain_page(secure, path, to):
    status, lines, _body = https(secure, head(path=path, host=f"{SITE}:{secure.tls_port}"))
    assert (status, lines["Location"]) == (307, f"http://{SITE}:{secure.port}{to}")
    assert "Strict-Transport-Security" not in lines
    assert https(secure, head(path=path, host="evil.example"))[0] == 421


def test_probes_say_only_what_was_asked_with(secure):
    for query in ("", "?n=<script>", "?n=" + "a" * 33, "?m=abc"):
        assert json.loads(raw(secure.port, head(path=f"/probe{query}"))[2])["nonce"] == ""


def test_a_request_in_one_segment_with_the_end_of_the_handshake(secure):
    """TLS 1.3 lets a client do that; asyncio hands the request on before it says that the handshake is over."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = secure.trust.wrap_bio(incoming, outgoing, server_hostname=SITE)
    with socket.create_connection(("127.0.0.1", secure.tls_port), 10) as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(1 << 16))
        tls.write(head(path="/probe?n=early", host=SITE))
        connection.sendall(outgoing.read())
        got = b""
        while b'"nonce":"early"' not in got:
            try:
                got += tls.read(1 << 16)
            except ssl.SSLWantReadError:
                piece = connection.recv(1 << 16)
                assert piece, "closed without an answer"
                assert b"HTTP/1.1" not in piece, "answered in plain text"
                incoming.write(piece)
        assert got.startswith(b"HTTP/1.1 200 OK")


def test_handshakes_that_never_come_block_nobody(secure):
    waiting = [socket.create_connection(("127.0.0.1", secure.tls_port), 10) for _ in range(100)]
    for connection in waiting[::2]:
        connection.sendall(b"\x16\x03\x01")
    assert https(secure, head(path="/probe?n=1", host=SITE))[0] == 200
    assert len(secure.server.connections) <= limits.MAX_PER_ADDRESS + 1
    for connection in waiting:
        connection.close()


def test_tls_that_is_none(secure):
    status, _, _ = raw(secure.tls_port, head())
    assert status == 0
    assert https(secure, head(path="/probe", host=SITE))[0] == 200
    assert secure.said == []
