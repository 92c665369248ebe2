"""WSGI and ASGI: does this website's server get its visitors' numbers?

Comes in: the requests of somebody else's application. Goes out: the same requests, without the headers that give
somebody away if `strip` asks for it; and a summary and a record (watch.py), never with a value in them. State: one
Watch. A fault of leakscan's never keeps a request from the application: it is counted, and the request passes as it is.

What the server before the application has already changed cannot be seen here: WSGI (PEP 3333) knows header names
without case, `-` and `_` as one, and duplicates joined; ASGI lower-cases names. Names are shown in lower case.
"""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import quote

from leakscan.conceal import read_key
from leakscan.errors import UsageError
from leakscan.fields import SPECIAL
from leakscan.formats.rows import Json
from leakscan.library import settings_from
from leakscan.model import SEVERITIES, Leak
from leakscan.show import redact
from leakscan.web.arrival import head_of
from leakscan.web.proxies import Proxies
from leakscan.web.record import KEEP_DAYS, Record
from leakscan.web.visit import leaks_of
from leakscan.web.watch import Watch, fault

#: What stands for the capture in leak lines.
NAME = "middleware"
SAMPLE = 100
#: Settings of a scan that make sense here; to show values is none of them.
SETTINGS = frozenset({"min_confidence", "networks", "asn_db", "rules", "known"})
_LOG = logging.getLogger("leakscan")
#: A path that needs no escaping in a request line; RFC 3986 section 3.3.
_PATH_SAFE = "/:@!$&'()*+,;=~"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
#: Header lines: name in lower case, value as Latin-1.
Lines = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Request:
    """As far as the server tells."""

    method: str
    target: str
    version: str  # "1.1"
    lines: Lines
    client: tuple[str, int]
    server: tuple[str, int]


class _Middleware:
    """What both have in common.

    `record`: a file, as for `leakscan serve --record`; without it there is `summary()` alone. `keep_days`: after which
    its lines are deleted. `sample`: so many leak lines of each behaviour are recorded in a file (a day); all are
    counted. `strip`: None, or the least severity ("low", "medium", "high", "critical") at which what gives somebody
    away is taken out of header lines; True is "medium". `trusted_proxies`: addresses or networks of reverse proxies
    before this server. `pseudonym_key`: a file, as for `leakscan analyse`. `settings`: those of `leakscan.scan` that
    are named in SETTINGS. Raises UsageError and FileMistake (leakscan.errors).
    """

    def __init__(
        self,
        *,
        record: str | None = None,
        keep_days: int = KEEP_DAYS,
        sample: int | None = SAMPLE,
        strip: bool | str | None = None,
        trusted_proxies: Sequence[str] = (),
        pseudonym_key: str | None = None,
        **settings: Any,
    ) -> None:
        least = "medium" if strip is True else strip or None
        if least is not None and least not in SEVERITIES:
            raise UsageError(f"strip is True or one of {', '.join(SEVERITIES)}")
        self._strip = None if least is None else SEVERITIES.index(least)
        for name in settings:
            if name not in SETTINGS:
                raise UsageError(
                    f"unknown setting {name!r}; known are {', '.join(sorted(SETTINGS))} and the middleware's"
                )
        key = None if pseudonym_key is None else read_key(pseudonym_key)
        self._settings = settings_from({"pseudonym_key": key, **settings})
        self._own = replace(self._settings, show_values=True, pseudonym_key=None)
        self._proxies = Proxies(trusted_proxies)
        kept = None if record is None else Record(record, keep_days)
        self._watch = Watch(NAME, self._settings, kept, sample, _LOG.warning)
        self._number = count(1)
        atexit.register(self.close)

    def summary(self) -> Json:
        """The summary object of a result (docs/formats.md), so far; with a record, of today. Masked, like all else."""
        return self._watch.summary()

    def close(self) -> None:
        """Write the record's summary. Is called when the interpreter ends."""
        self._watch.end()

    def _look(self, request: _Request) -> Lines | None:
        """Count what the request gives away; its header lines without that, or None when nothing is to be taken out."""
        try:
            raw = _head(request)
            visitor = self._proxies.visitor(request.client[0], raw.split(b"\n"))
            client = (visitor.address, 0) if visitor.proxied else request.client
            head = head_of(b"\n".join(visitor.lines), client, request.server, next(self._number), time.time_ns(), NAME)
            masked = self._watch.seen(head)
            if self._strip is None or not any(self._is_stripped(leak) for leak in masked):
                return None
            return _without(request.lines, [leak for leak in leaks_of(head, self._own) if self._is_stripped(leak)])
        except Exception as error:  # noqa: BLE001  (a website must not fail because leakscan does)
            self._watch.failed()
            _LOG.warning("a request could not be examined: %s", fault(error))
            return None

    def _is_stripped(self, leak: Leak) -> bool:
        return self._strip is not None and SEVERITIES.index(leak.severity) >= self._strip


class WsgiMiddleware(_Middleware):
    """`app = WsgiMiddleware(app, strip=True)`; with Flask `app.wsgi_app = WsgiMiddleware(app.wsgi_app)`."""

    def __init__(self, app: WsgiApp, **settings: Any) -> None:
        super().__init__(**settings)
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = _wsgi_request(environ)
        kept = self._look(request)
        if kept is not None:
            left, seen = dict(kept), dict(request.lines)
            for key in [key for key in environ if _wsgi_name(key) in seen]:
                name = _wsgi_name(key)
                if name in left:
                    environ[key] = left[name]
                else:
                    del environ[key]
        return self._app(environ, start_response)


class AsgiMiddleware(_Middleware):
    """`app = AsgiMiddleware(app, strip=True)`; with Starlette `app.add_middleware(AsgiMiddleware, strip=True)`."""

    def __init__(self, app: AsgiApp, **settings: Any) -> None:
        super().__init__(**settings)
        self._app = app

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] in ("http", "websocket"):
            kept = self._look(_asgi_request(scope))
            if kept is not None:
                headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
                scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)


def _wsgi_name(key: str) -> str:
    """The header of a key of the environment, in lower case; "" when it is none."""
    if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return key.lower().replace("_", "-")
    return key[5:].lower().replace("_", "-") if key.startswith("HTTP_") else ""


def _wsgi_request(environ: Environ) -> _Request:
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")  # gunicorn and uWSGI, werkzeug
    if not target:
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}" or "/"
        query = environ.get("QUERY_STRING", "")
        target = quote(path.encode("latin-1"), safe=_PATH_SAFE) + (f"?{query}" if query else "")
    names = ((_wsgi_name(key), value) for key, value in environ.items() if isinstance(value, str))
    return _Request(
        method=str(environ.get("REQUEST_METHOD", "GET")),
        target=str(target),
        version=str(environ.get("SERVER_PROTOCOL", "HTTP/1.1")).rpartition("/")[2],
        lines=[(name, value) for name, value in names if name and value],
        client=(str(environ.get("REMOTE_ADDR", "")), _number(environ.get("REMOTE_PORT"))),
        server=(str(environ.get("SERVER_NAME", "")), _number(environ.get("SERVER_PORT"))),
    )


def _asgi_request(scope: Scope) -> _Request:
    raw_path = scope.get("raw_path") or quote(scope.get("path") or "/", safe=_PATH_SAFE).encode("ascii")
    query = scope.get("query_string") or b""
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("", 0)
    return _Request(
        method=str(scope.get("method", "GET")),
        target=(raw_path.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1"),
        version=str(scope.get("http_version", "1.1")),
        lines=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        client=(str(client[0]), _number(client[1])),
        server=(str(server[0]), _number(server[1])),
    )


def _number(text: Any) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0


def _head(request: _Request) -> bytes:
    """The request's head, written anew; a version that HTTP/1 does not have (HTTP/2 and 3 come here, too) is 1.1."""
    version = request.version if request.version in ("1.0", "1.1") else "1.1"
    lines = [f"{request.method} {request.target} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in request.lines]
    clean = ("".join(" " if char in "\r\n" else char for char in line) for line in lines)
    return "\r\n".join([*clean, "", ""]).encode("latin-1", "replace")


def _without(lines: Lines, leaks: Sequence[Leak]) -> Lines:
    """The header lines without what `leaks` (with their values) found in them: the line of a header, the pair of a
    cookie; out of a line that is needed (User-Agent, Referer) the value alone.
    """
    kept: Lines = []
    for name, value in lines:
        place = SPECIAL.get(name.lower(), "header")
        here = [leak for leak in leaks if leak.place == place]
        if place == "header":
            if any(leak.name == name for leak in here):
                continue
        elif place == "cookie" and here:
            names = {leak.name for leak in here}
            pairs = value.split(";")
            value = ";".join(pair for pair in pairs if pair.partition("=")[0].strip() not in names).strip()
            if not value:
                continue
        elif here:
            value = redact(value, [leak.value for leak in here])
        kept.append((name, value))
    return kept
