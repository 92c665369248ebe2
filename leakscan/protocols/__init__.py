"""Protocols above TCP: chunks in, messages out. `PROTOCOLS` names them."""

from __future__ import annotations

from leakscan.protocols.heads import host_of, message_of
from leakscan.protocols.http1 import Http1

__all__ = ["PROTOCOLS", "Http1", "host_of", "message_of"]

PROTOCOLS = {"http1": Http1}
