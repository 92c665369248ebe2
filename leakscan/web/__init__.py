"""The check page and its kin: what a website is told of its visitors, on the same detectors.

`serve` (server.py) is the page behind `leakscan serve`; `WsgiMiddleware` and `AsgiMiddleware` watch another website.
The way of a request: server or middleware -> Head -> `visit` (what it gives away) -> `answers`, `page`, `probe` (what
the visitor sees) and `watch`, `record` (what the operator keeps).
"""

from __future__ import annotations

from leakscan.web.middleware import AsgiMiddleware, WsgiMiddleware

__all__ = ["AsgiMiddleware", "WsgiMiddleware"]
