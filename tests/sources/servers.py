"""Servers on the loopback: HTTP with ranges, and connections that break; S3."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
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


class Proxy:
    """Passes connections on to a server, and cuts them in the middle of what it answers."""

    def __init__(self, host: str, port: int) -> None:
        self.breaks = 0  # so many connections are cut ...
        self.after = 0  # ... when the server has sent so many bytes through one
        self.latency = 0.0  # seconds that whatever is asked takes to the server
        self.gets = 0  # requests for bytes
        self.heard = bytearray()  # all that clients have said
        self.sent = 0  # bytes that came from the server, and went on
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No connection from here on; those that there are end with what they carry."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                self.heard += data
                self.gets += data.startswith(b"GET ")
                time.sleep(self.latency)
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        through = 0
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data)
                self.sent += len(data)
                through += len(data)
                if self.breaks and through > self.after:
                    self.breaks -= 1
                    break
        for end in (server, client):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
