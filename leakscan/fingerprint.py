"""The name of a behaviour: the same for everybody it happens to, on every run and every machine.

Comes in: rule, place, name and host. Goes out: `v1:` and 16 characters. Nothing of a person goes in: numbers in name
and host are taken out first, also when values are shown, because the hash has no key. State: the public suffix list,
read when first asked for, and the last `CACHED` hosts and answers.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from leakscan.show import is_address, redact

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

CHARS = 16
CACHED = 4096
#: RFC 1035 section 2.3.4; what is longer is no domain name.
MAX_HOST_CHARS = 253


@lru_cache(maxsize=CACHED)
def fingerprint(rule: str, place: str, name: str, host: str) -> str:
    """Of rule, place, name in lower case and registrable domain; `host` is lower case without a port."""
    parts = json.dumps([rule, place, redact(name).lower(), registrable_domain(host)])
    return f"v1:{b32encode(hashlib.sha256(parts.encode('ascii')).digest()).decode('ascii').lower()[:CHARS]}"


@lru_cache(maxsize=CACHED)
def registrable_domain(host: str) -> str:
    """The name under its public suffix (ICANN and private part); a host that has none stands for itself.

    The suffix list takes `10.0.2.2` for a name and gives `2.2`, so addresses are kept from it.
    """
    if len(host) > MAX_HOST_CHARS or is_address(host):
        return redact(host)
    domain: str | None = _suffixes().privatesuffix(host)
    return redact(host if domain is None else domain)


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
