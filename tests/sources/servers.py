"""Servers on the loopback: HTTP with ranges, and connections that break; S3."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Files:
    """What an HTTP server has, and how it behaves."""

    files: dict[str, bytes]
    breaks: int = 0  # so many answers end in the middle of their body
    piece: int = 1 << 20  # how much of the body comes before that
    ranges: bool = True
    change_at: int = 0  # from this request for bytes on there is another version
    status: int = 0  # what is answered instead
    asked: list[str] = field(default_factory=list)  # Range lines of the requests for bytes


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        offer = self.server.offer
        data = offer.files.get(self.path.partition("?")[0])
        if data is None or offer.status:
            self.send_response(offer.status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = self.headers.get("Range", "") if offer.ranges else ""
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        if body:
            offer.asked.append(self.headers.get("Range", ""))
        version = int(bool(offer.change_at) and len(offer.asked) >= offer.change_at)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"version-{version}"')
        if self.path.endswith("/"):
            self.send_header("Content-Type", "text/html")
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            self._send(memoryview(data)[start:])

    def _send(self, data: memoryview) -> None:
        offer = self.server.offer
        with contextlib.suppress(OSError):
            if offer.breaks and len(data) > offer.piece:
                offer.breaks -= 1
                self.wfile.write(data[: offer.piece])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                self.wfile.write(data)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    offer: Files

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextlib.contextmanager
def serving(offer: Files) -> Iterator[str]:
    """The address of an HTTP server that offers these files."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.offer = offer
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
