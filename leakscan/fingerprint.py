"""The name of a behaviour: the same for everybody it happens to, on every run and every machine.

Comes in: rule, place, name and host. Goes out: `v1:` and 16 characters. Nothing of a person goes in: numbers in name
and host are taken out first, also when values are shown, because the hash has no key. State: the lines of the
public suffix list, the rules of the last `TOP_LEVELS` top-level domains, the last `CACHED` hosts and answers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from base64 import b32encode
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from leakscan.show import is_address, redact

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

CHARS = 16
CACHED = 4096
TOP_LEVELS = 64
#: RFC 1035 section 2.3.4; what is longer is no domain name.
MAX_HOST_CHARS = 253


def fingerprint(rule: str, place: str, name: str, host: str) -> str:
    """Of rule, place, name in lower case and registrable domain; `host` is lower case without a port."""
    known = len(name) <= MAX_HOST_CHARS and len(host) <= MAX_HOST_CHARS
    return (_fingerprint if known else _fingerprint.__wrapped__)(rule, place, name, host)


@lru_cache(maxsize=CACHED)
def _fingerprint(rule: str, place: str, name: str, host: str) -> str:
    parts = json.dumps([rule, place, redact(name).lower(), registrable_domain(host)])
    return f"v1:{b32encode(hashlib.sha256(parts.encode('ascii')).digest()).decode('ascii').lower()[:CHARS]}"


def registrable_domain(host: str) -> str:
    """The name under its public suffix (ICANN and private part); a host that has none stands for itself.

    The suffix list takes `10.0.2.2` for a name and gives `2.2`, so addresses are kept from it.
    """
    return redact(host) if len(host) > MAX_HOST_CHARS else _registrable_domain(host)


@lru_cache(maxsize=CACHED)
def _registrable_domain(host: str) -> str:
    if is_address(host):
        return redact(host)
    domain: str | None = _suffixes(host.rpartition(".")[2]).privatesuffix(host)
    return redact(host if domain is None else domain)


@lru_cache(maxsize=TOP_LEVELS)
def _suffixes(top: str) -> PublicSuffixList:
    """The rules under one top-level domain: all that a host in it can meet, and a hundredth of the list to parse."""
    from publicsuffixlist import PublicSuffixList

    tops = {top}
    if top.startswith("xn--"):
        with contextlib.suppress(UnicodeError):
            tops.add(top.encode("ascii").decode("idna"))
    endings = tuple(f".{name}".encode("utf-8", "surrogatepass") for name in tops)
    return PublicSuffixList([line for line in _rules() if (b"." + line).endswith(endings)])


@cache
def _rules() -> list[bytes]:
    """The lines of the list that comes with publicsuffixlist."""
    from publicsuffixlist import PSLFILE

    return Path(PSLFILE).read_bytes().splitlines()
