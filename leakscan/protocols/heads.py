"""Head -> Message: a request head taken apart (RFC 9112), as raw as it stood on the wire.

Most heads hold nothing that anybody looks for, and are never taken apart (glance.py); so this is not the parser's
business. State: none but the last hosts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from leakscan.model import TUNNEL_KINDS, Head, Message, Pair, endpoints
from leakscan.verdicts import REQUEST_LINE

MAX_HEADER_LINES = 2000
MAX_REMEMBERED_CHARS = 256

#: The first line of a head that was cut before its end.
CUT_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32})[ \t]+([^\r\n]*)")
_LINE_END = re.compile(r"\r*\n(?![ \t])")
SPACE = " \t\r\n"


def message_of(head: Head) -> Message:
    """The request: its lines as pairs of name and value, at most MAX_HEADER_LINES."""
    client, client_port, server, server_port = endpoints(head.key)
    method, target, protocol, headers = parts(head.raw)
    return Message(
        origin=head.origin,
        time_ns=head.time_ns,
        frame=head.frame,
        frame_end=head.frame_end,
        begins_in=head.begins_in,
        client=client,
        client_port=client_port,
        server=server,
        server_port=server_port,
        teid=head.teid,
        tunnel=TUNNEL_KINDS[head.key[0]],
        protocol=protocol,
        method=method,
        target=target,
        host=_host(method, target, headers, server),
        headers=tuple(headers[:MAX_HEADER_LINES]),
        partial=head.partial,
        body=head.body,
    )


def parts(raw: bytes) -> tuple[str, str, str, list[Pair]]:
    """Method, target, protocol in lower case ("" when the first line was cut) and all header lines."""
    line = REQUEST_LINE.match(raw)
    protocol = line.group(3).decode("latin-1").lower() if line else ""
    line = line or CUT_LINE.match(raw)
    if line is None:
        raise ValueError("no head begins so")
    method, target = line.group(1).decode("latin-1"), line.group(2).decode("latin-1").rstrip(" \t")
    return method, target, protocol, pairs(raw[line.end() :].decode("latin-1"))


def pairs(text: str) -> list[Pair]:
    """Header lines: (name, value), folded lines joined as on the wire, (line, None) without a colon."""
    found: list[Pair] = []
    folded = "\n " in text or "\n\t" in text
    for line in _LINE_END.split(text) if folded else text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            found.append((name, value.strip(SPACE)))
        elif name := line.strip("\r\n"):
            found.append((name, None))
    return found


def _host(method: str, target: str, headers: list[Pair], server: str) -> str:
    """Lower case, no port: an absolute URI wins over Host, the first of several; else the server's address."""
    authority = ""
    if method == "CONNECT":
        authority = target
    elif not target.startswith("/") and "://" in target[:16]:
        authority = re.split(r"[/?#]", target.split("://", 1)[1], maxsplit=1)[0]
    if not authority:
        authority = next((v for n, v in headers if v and len(n) < 8 and n.strip(SPACE).lower() == "host"), "")
    return host_of(authority) or server


def host_of(authority: str) -> str:
    """The host of `user@host:port`, RFC 3986 section 3.2; "" when there is none."""
    return _host_of(authority) if len(authority) <= MAX_REMEMBERED_CHARS else _host_of.__wrapped__(authority)


@lru_cache(maxsize=4096)
def _host_of(authority: str) -> str:
    authority = authority.rpartition("@")[2].strip(SPACE).lower()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    name, _, port = authority.rpartition(":")
    if name and ":" not in name and (not port or (port.isascii() and port.isdigit())):
        authority = name
    return authority.rstrip(".")
