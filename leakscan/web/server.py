"""The check page's server: HTTP/1 of our own, because it must keep what it is sent as it was sent.

Comes in: connections. Goes out: one answer each, then the connection is closed: no body is read, so nothing can hide
behind one. A head is looked at when its empty line has come; bytes go to the detectors as they stood on the wire, by
the way that captures go. State: a Connection each, bounded in number, bytes and time by limits.py.

docs/decisions/0031-own-server.md says why it is not a framework.
"""

from __future__ import annotations

import asyncio
import re
import resource
import signal
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

from leakscan.errors import UsageError
from leakscan.model import Head
from leakscan.protocols import message_of
from leakscan.spine import Settings
from leakscan.verdicts import MORE, REQUEST, REQUEST_LINE, classify
from leakscan.web.answers import Answer, Site, refusal
from leakscan.web.arrival import head_of
from leakscan.web.limits import (
    ANSWER_SECONDS,
    HEAD_SECONDS,
    MAX_CONNECTIONS,
    MAX_HEAD_BYTES,
    MAX_HEADER_LINES,
    MAX_IGNORED_BYTES,
    Connections,
    Rate,
    address_key,
)
from leakscan.web.proxies import Proxies, Visitor
from leakscan.web.visit import Visit, examine, leaks_of
from leakscan.web.watch import FLUSH_SECONDS, Watch, fault

#: What stands for the capture in leak lines.
NAME = "check-page"
#: The system's queue of connections, and how many asyncio takes at once.
BACKLOG = 256
#: Files besides connections: listeners, record, the event loop's own; and connections accepted but not yet counted, or
#: dropped but not yet closed, for which asyncio takes a few rounds of its loop.
SPARE_FILES = 4 * BACKLOG + 32
STOP_SECONDS = 2.0
_HEAD_END = re.compile(rb"\n\r*\n")


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `serve`, as docs/cli.md explains them."""

    host: str
    port: int
    tls_port: int
    tls: ssl.SSLContext | None
    names: frozenset[str]
    proxies: Proxies
    rate: float  # requests a minute and address
    verbose: bool
    say: Callable[[str], None]  # to the operator


class Server:
    """Listens, and answers. `watch`: who records, or None; `keep_days`: for how long."""

    def __init__(self, options: Options, settings: Settings, watch: Watch | None, keep_days: int | None) -> None:
        self.options = options
        self.settings = settings
        self.watch = watch
        self.keep_days = keep_days
        self.connections = Connections(_most_connections())
        self.rate = Rate(options.rate)
        self.number = count(1)
        self.requests = 0  # examined
        self.leaking = 0  # of which with a leak
        self._listeners: list[asyncio.Server] = []
        self.site = Site(options.names, options.port, None, keep_days)

    async def start(self) -> None:
        """Open both listeners; UsageError when the system refuses."""
        loop = asyncio.get_running_loop()
        options = self.options
        plain = await self._listen(loop, options.port, None)
        secure_port = None
        if options.tls is not None:
            secure_port = _port(await self._listen(loop, options.tls_port, options.tls))
        self.site = Site(options.names, _port(plain), secure_port, self.keep_days)

    async def _listen(
        self, loop: asyncio.AbstractEventLoop, port: int, context: ssl.SSLContext | None
    ) -> asyncio.Server:
        try:
            listener = await loop.create_server(
                lambda: Connection(self, context), self.options.host, port, backlog=BACKLOG
            )
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"cannot listen on {self.options.host} port {port}: {reason}") from error
        self._listeners.append(listener)
        return listener

    async def stop(self) -> None:
        """No more connections; those that are being answered have STOP_SECONDS to end."""
        for listener in self._listeners:
            listener.close()
        self.connections.drop_all(answered=False)
        end = time.monotonic() + STOP_SECONDS
        while len(self.connections) and time.monotonic() < end:
            await asyncio.sleep(0.02)
        self.connections.drop_all()
        await asyncio.sleep(0)  # lets transports close

    def answer(self, raw: bytes, peer: tuple[str, int], local: tuple[str, int], encrypted: bool) -> Answer:
        """To one whole head."""
        visitor = self.options.proxies.visitor(peer[0], raw.split(b"\n"))
        wait = self.rate.wait(address_key(visitor.address), time.monotonic())
        if wait:
            return refusal(429, "Too many requests from your address.", ("Retry-After", str(int(wait) + 1)))
        received = head_of(raw, peer, local, next(self.number), time.time_ns(), NAME)
        return self.site.answer(received, partial(self._visit, received, visitor), encrypted)

    def _visit(self, received: Head, visitor: Visitor) -> Visit:
        head = received
        if visitor.proxied:
            message = message_of(received)
            head = head_of(
                b"\n".join(visitor.lines),
                (visitor.address, 0),
                (message.server, message.server_port),
                received.frame,
                received.time_ns,
                NAME,
            )
        masked = leaks_of(head, self.settings) if self.watch is None else self.watch.seen(head)
        self.requests += 1
        self.leaking += bool(masked)
        return examine(head, received, self.settings, masked, visitor.encrypted)

    def failed(self, error: BaseException) -> None:
        if self.watch is not None:
            self.watch.failed()
        what = fault(error) if self.options.verbose else type(error).__name__
        self.options.say(f"error: internal error: {what}")


class Connection(asyncio.Protocol):
    """One connection: a head comes in, an answer goes out."""

    def __init__(self, server: Server, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        self._is_open = context is None
        self._transport: asyncio.Transport | None = None
        self._peer = self._local = ("", 0)
        self._head = bytearray()
        self.answered = False
        self._ignored = 0
        self._timer: asyncio.TimerHandle | None = None
        self._handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if not peer or not local:  # gone before we could look
            transport.abort()
            return
        self._peer, self._local = peer[:2], local[:2]
        trusted = self._server.options.proxies.trusts(self._peer[0])
        self._timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._late)
        self._server.connections.enter(self, None if trusted else address_key(self._peer[0]))
        if self._context is not None:
            transport.pause_reading()
            self._handshake = asyncio.create_task(self._encrypt(transport, self._context))

    async def _encrypt(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """The TLS handshake, within the time and the bounds of every other beginning."""
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=HEAD_SECONDS
            )
        except (OSError, asyncio.CancelledError):  # ssl.SSLError and TimeoutError are kinds of OSError
            self.drop()
            return
        self._transport, self._is_open = encrypted, True
        early, self._head = bytes(self._head), bytearray()
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self.answered:
            self._ignored += len(data)
            if self._ignored > MAX_IGNORED_BYTES:
                self.drop()
            return
        before = len(self._head)
        self._head += data
        if not self._is_open:  # the client's first bytes came before asyncio told us of the handshake's end
            if len(self._head) > MAX_HEAD_BYTES:
                self.drop()
            return
        if not before:
            self._head = self._head.lstrip(b"\r\n")
        end = _HEAD_END.search(self._head, max(0, before - 3))
        if end is not None and end.end() <= MAX_HEAD_BYTES:
            self._answer(bytes(self._head[: end.end()]))
        elif len(self._head) > MAX_HEAD_BYTES:
            self._send(refusal(431, f"A request may have {MAX_HEAD_BYTES} bytes before its empty line."))
        elif classify(bytes(self._head[:MAX_HEAD_BYTES])) not in (REQUEST, MORE):
            self._send(refusal(400, "This is no HTTP/1 request."))
        else:
            self._server.connections.hold(self, len(self._head))

    def _answer(self, raw: bytes) -> None:
        if REQUEST_LINE.match(raw) is None:
            self._send(refusal(400, "This is no HTTP/1 request."))
            return
        if raw.count(b"\n") > MAX_HEADER_LINES + 2:
            self._send(refusal(431, f"A request may have {MAX_HEADER_LINES} header lines."))
            return
        try:
            answer = self._server.answer(raw, self._peer, self._local, self._context is not None)
        except Exception as error:  # noqa: BLE001  (one visitor's request must not end the page for all others)
            self._server.failed(error)
            answer = refusal(500, "Something went wrong here.")
        self._send(answer, with_body=not raw.startswith(b"HEAD "))

    def _send(self, answer: Answer, with_body: bool = True) -> None:
        """The answer, and an end of ours. The other side's end is waited for: closing before the rest of a body has
        come would reset the connection, and take the answer with it.
        """
        if self.answered or self._transport is None:
            return
        self.answered = True
        data = answer.encode(with_body)
        self._head = bytearray()
        self._reset_timer(ANSWER_SECONDS, self.drop)
        self._server.connections.hold(self, len(data))
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _late(self) -> None:
        """The head has taken too long."""
        if self._handshake is not None and not self._handshake.done():
            self.drop()
        elif self._head:
            self._send(refusal(408, "The request took too long."))
        else:
            self.drop()

    def _reset_timer(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def eof_received(self) -> bool:
        """The client has said all. Without an answer there is nothing to wait for; with one, the rest of it is sent."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._head = bytearray()
        self._server.connections.leave(self)

    def drop(self) -> None:
        self._server.connections.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._handshake is not None:
            self._handshake.cancel()
        if self._transport is not None:
            self._transport.abort()


def _port(listener: asyncio.Server) -> int:
    return int(listener.sockets[0].getsockname()[1])


def _most_connections() -> int:
    """As many as limits.py says, or as the system gives us files for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(MAX_CONNECTIONS, soft - SPARE_FILES)) if soft != resource.RLIM_INFINITY else MAX_CONNECTIONS


async def run(server: Server) -> int:
    """Serve until SIGINT or SIGTERM; gives the number of the signal."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _failed(server, context))
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(number: int) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    await server.start()
    server.options.say(_greeting(server))
    ticker = asyncio.create_task(_tick(server))
    try:
        return await stopped
    finally:
        ticker.cancel()
        await server.stop()


def _failed(server: Server, context: dict[str, object]) -> None:
    error = context.get("exception")
    if isinstance(error, BaseException) and not isinstance(error, OSError | asyncio.CancelledError):
        server.failed(error)


async def _tick(server: Server) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        if server.watch is not None:
            server.watch.tick()


def _greeting(server: Server) -> str:
    site, host = server.site, server.options.host
    shown = f"[{host}]" if ":" in host else host
    secure = f", and for the probe https://{shown}:{site.secure_port}/" if site.secure_port else ""
    return f"the check page is at http://{shown}:{site.port}/{secure}"


def context_of(certificate: str, key: str) -> ssl.SSLContext:
    """The server's side of TLS, from PEM files; UsageError when they are none, or no pair."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")  # a key with a password: no prompt
    except ssl.SSLError as error:
        raise UsageError(f"{certificate}, {key}: no certificate with its key: {error.reason or 'not PEM'}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{certificate}, {key}: {reason}") from error
    return context


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(str(entry[4][0]).startswith("127.") or entry[4][0] == "::1" for entry in found)
