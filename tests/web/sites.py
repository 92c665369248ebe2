"""A check page that runs for a test, and ways to speak to it: raw bytes, and a proxy that enriches as networks do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakscan.spine import Settings
from leakscan.web.proxies import Proxies
from leakscan.web.record import Record
from leakscan.web.server import NAME, Options, Server
from leakscan.web.watch import Watch

NUMBER = "447700900123"
IMSI = "001010123456789"
TOKEN = "MTIzNDU2Nzg5AAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#: What the proxy adds, as three networks did.
ENRICHED = {"x-up-calling-line-id": NUMBER, "X-IMSI": IMSI, "X-UIDH": TOKEN}
SITE = "check.example"


class Site:
    """A running check page in a thread of its own."""

    def __init__(
        self,
        record: Path | None = None,
        keep: int = 30,
        tls: ssl.SSLContext | None = None,
        proxies: tuple[str, ...] = (),
        rate: float = 1e6,
        **settings: Any,
    ) -> None:
        self.said: list[str] = []
        options = Options("127.0.0.1", 0, 0, tls, frozenset({SITE}), Proxies(proxies), rate, True, self.said.append)
        made = Settings(**settings)
        self.watch = None if record is None else Watch(NAME, made, Record(str(record), keep), warn=self.said.append)
        self.server = Server(options, made, self.watch, None if record is None else keep)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Site:
        if self.watch is not None:
            self.watch.begin()
        self._thread.start()
        self._do(self.server.start())
        self.port, self.tls_port = self.server.site.port, self.server.site.secure_port
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self.watch is not None:
            self.watch.end()

    def _do(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def raw(self, data: bytes, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        return raw(self.port, data, source)

    def headers(self, *lines: bytes, path: str = "/headers") -> Any:
        """What `/headers` says of a request with these lines."""
        status, _, body = self.raw(head(*lines, path=path))
        assert status == 200
        return json.loads(body)


def head(*lines: bytes, path: str = "/headers", host: str = "127.0.0.1") -> bytes:
    return b"\r\n".join([f"GET {path} HTTP/1.1".encode(), f"Host: {host}".encode(), *lines, b"", b""])


def raw(port: int, data: bytes, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
    """Status, header lines and body of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", port), 10, (source, 0)) as connection:
        connection.sendall(data)
        return answer(connection)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            got += piece
    top, _, body = got.partition(b"\r\n\r\n")
    if not top:
        return 0, {}, b""
    first, *lines = top.decode("ascii").split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines), body


def need(program: str) -> str:
    """A program of the system, or a skip that says which."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextlib.contextmanager
def enriching(folder: Path, port: int, added: dict[str, str]) -> Iterator[int]:
    """nginx as a network's proxy in front of `port`, which adds headers to every request; gives its own port."""
    nginx = need("nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    lines = "".join(f'proxy_set_header {name} "{value}";\n' for name, value in added.items())
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{paths}server {{ listen 127.0.0.1:{own};\n"
        f"location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host;\n{lines}}} }} }}\n"
    )
    process = subprocess.Popen([nginx, "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf"])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", own), 1):
                break
            time.sleep(0.02)
        yield own
    finally:
        process.terminate()
        process.wait(10)


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate for SITE and 127.0.0.1, and its key."""
    paths = str(folder / "certificate.pem"), str(folder / "key.pem")
    names = f"subjectAltName=DNS:{SITE},IP:127.0.0.1"
    command = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-out", paths[0], "-keyout", paths[1], "-days", "2", "-subj", f"/CN={SITE}", "-addext", names]
    subprocess.run(command, check=True, capture_output=True)
    return paths
