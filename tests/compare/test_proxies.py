"""Captures taken at both sides of real proxies that enrich: squid and nginx, in network namespaces of their own.

A client, a proxy and a server in three namespaces; dumpcap listens on both links. The proxies write what operators'
proxies write, and leakscan must name it: all of it, and nothing else that would name a subscriber.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from leakscan import cli
from tests.network import Network, needs, network, until

__all__ = ["network"]

CLIENT, PROXY, BEHIND, SERVER = "192.0.2.2", "192.0.2.1", "198.51.100.1", "198.51.100.2"
NUMBER = "447700900123"
REQUESTS = 40

SQUID = f"""
http_port {PROXY}:8080
acl all_of_them src all
http_access allow all_of_them
cache deny all
request_header_add x-up-calling-line-id "{NUMBER}" all
request_header_add X-Nokia-IMSI "001010123456789" all
cache_log {{folder}}/cache.log
access_log none
pid_filename {{folder}}/squid.pid
coredump_dir {{folder}}
netdb_filename none
shutdown_lifetime 0 seconds
"""
NGINX = f"""
daemon off;
user root;
pid {{folder}}/nginx.pid;
error_log {{folder}}/error.log;
events {{{{ worker_connections 64; }}}}
http {{{{
  access_log off;
  client_body_temp_path {{folder}}; proxy_temp_path {{folder}}; fastcgi_temp_path {{folder}};
  uwsgi_temp_path {{folder}}; scgi_temp_path {{folder}};
  server {{{{
    listen {PROXY}:8080;
    location / {{{{
      proxy_pass http://{SERVER}:80;
      proxy_set_header Host $http_host;
      proxy_set_header x-up-calling-line-id {NUMBER};
      proxy_set_header Cookie "$http_cookie; User-Identity-Forward-msisdn={NUMBER}";
      proxy_set_header X-Forwarded-For $remote_addr;
    }}}}
  }}}}
}}}}
"""

#: What the programs of the phone and of the website are: requests on connections of their own, and answers to them.
ASK = f"""
import http.client, sys
proxy = sys.argv[1]
for n in range({REQUESTS}):
    link = http.client.HTTPConnection("{PROXY}", 8080, timeout=10)
    path = f"/page-{{n % 7}}?n={{n * 7919 % 1000:03}}"
    target = "http://{SERVER}" + path if proxy == "squid" else path
    link.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
    for name, value in (("Host", "{SERVER}"), ("User-Agent", "Phone/1"), ("Accept", "*/*"), ("Cookie", f"visit={{n}}")):
        link.putheader(name, value)
    link.endheaders()
    assert link.getresponse().read() == b"hello", n
    link.close()
"""
ANSWER = f"""
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_): pass
ThreadingHTTPServer(("{SERVER}", 80), Site).serve_forever()
"""


class Ways:
    """The three namespaces, with captures of both links."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network, self.folder = network, folder
        self.phone, self.proxy, self.site = (network.space(name) for name in ("phone", "proxy", "site"))
        network.link(self.phone, self.proxy, [f"{CLIENT}/24", f"{PROXY}/24"])
        network.link(self.proxy, self.site, [f"{BEHIND}/24", f"{SERVER}/24"], names=("eth1", "eth0"))
        network.start(self.site, sys.executable, "-c", ANSWER)
        self.captures = folder / "client.pcap", folder / "server.pcap"
        self._sniffers = [
            network.start(
                space, "dumpcap", "-q", "-P", "-i", "eth0", "-f", "tcp", "-w", str(path), stderr=subprocess.PIPE
            )
            for space, path in zip((self.phone, self.site), self.captures, strict=True)
        ]

    def ready(self, space: str, address: str, port: int) -> None:
        """Wait until somebody listens."""
        test = f"import socket; socket.create_connection(('{address}', {port}), 1).close()"

        def listens() -> bool:
            command = ["ip", "netns", "exec", space, sys.executable, "-c", test]
            return not subprocess.run(command, capture_output=True, check=False, timeout=20).returncode

        until(listens, f"listener on {address}:{port}")

    def ask(self, kind: str) -> tuple[str, str]:
        """All the requests, then the captures, whole."""
        self.ready(self.proxy, SERVER, 80)
        self.ready(self.phone, PROXY, 8080)
        until(lambda: all(path.exists() for path in self.captures), "captures")
        self.network.run(self.phone, sys.executable, "-c", ASK, kind)
        time.sleep(0.5)  # what the kernel still holds for the sniffers
        for sniffer in self._sniffers:
            sniffer.send_signal(signal.SIGINT)
            sniffer.wait(20)
        return str(self.captures[0]), str(self.captures[1])


@pytest.fixture
def ways(network):
    needs("dumpcap")
    with tempfile.TemporaryDirectory(prefix="leakscan-") as folder:
        Path(folder).chmod(0o777)  # squid gives up the superuser's rights, and refuses to start with them
        yield Ways(network, Path(folder))


def through_squid(ways: Ways) -> tuple[str, str]:
    needs("squid")
    config = ways.folder / "squid.conf"
    config.write_text(SQUID.format(folder=ways.folder))
    # A name of its own for what it keeps in /dev/shm; told to stop, it takes that away.
    squid = ways.network.start(
        ways.proxy, "squid", "-N", "-n", f"leakscan{os.getpid()}", "-f", str(config), stderr=subprocess.DEVNULL
    )
    try:
        return ways.ask("squid")
    finally:
        squid.terminate()
        squid.wait(20)


def through_nginx(ways: Ways) -> tuple[str, str]:
    needs("nginx")
    config = ways.folder / "nginx.conf"
    config.write_text(NGINX.format(folder=ways.folder))
    ways.network.start(ways.proxy, "nginx", "-c", str(config), "-p", str(ways.folder), stderr=subprocess.DEVNULL)
    return ways.ask("nginx")


def shifted(path: str, seconds: int = 0, without: int = 0) -> str:
    """The capture on a clock that is ahead, and without the frame of every n-th request."""
    data, at, out, requests = Path(path).read_bytes(), 24, [], 0
    while at < len(data):
        time_s, micro, size, wire = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + size]
        requests += b"GET /" in frame or b"GET http:" in frame
        if not (without and b"GET " in frame and requests % without == 1):
            out.append(struct.pack("<IIII", time_s + seconds, micro, size, wire) + frame)
        at += 16 + size
    changed = f"{path}.{seconds}.{without}"
    Path(changed).write_bytes(data[:24] + b"".join(out))
    return changed


def result(capsys, *captures: str) -> tuple[int, dict, list[dict]]:
    code = cli.run(["compare", "-q", "-f", "json", "--show-values", *captures])
    made = json.loads(capsys.readouterr().out)
    return code, made["summary"]["comparison"], made["leaks"]


EXPECTED = {
    through_squid: {("header", "x-up-calling-line-id", "msisdn"), ("header", "X-Nokia-IMSI", "imsi")},
    through_nginx: {
        ("header", "x-up-calling-line-id", "msisdn"),
        ("cookie", "User-Identity-Forward-msisdn", "msisdn"),
    },
}


@pytest.mark.parametrize("through", list(EXPECTED), ids=["squid", "nginx"])
def test_every_injected_header_is_named(ways, capsys, through):
    client, server = through(ways)
    expected = EXPECTED[through]

    code, compared, leaks = result(capsys, client, server)
    assert (code, compared["pairs"], compared["addresses_translated"]) == (1, REQUESTS, REQUESTS)
    assert {(leak["place"], leak["name"], leak["identifier"]) for leak in leaks} == expected
    assert {leak["origin"] for leak in leaks} == {"injected"}
    assert len(leaks) == len(expected) * REQUESTS

    # A clock that is five seconds ahead, and one request in ten missing on the server's side, or on the client's.
    for pair, unpaired in (
        ((client, shifted(server, 5, 10)), "client"),
        ((shifted(client, 0, 10), shifted(server, 5)), "server"),
    ):
        code, compared, leaks = result(capsys, *pair)
        found = {(leak["place"], leak["name"], leak["identifier"]) for leak in leaks if leak["origin"] == "injected"}
        assert (code, found) == (1, expected)
        assert compared[unpaired]["unpaired"] == REQUESTS - compared["pairs"] > 0
        assert compared["clock"]["offset_ms"] == pytest.approx(5000, abs=100)
        injected = [leak for leak in leaks if leak["origin"] == "injected"]
        assert len(injected) == len(expected) * compared["pairs"]
