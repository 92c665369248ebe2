"""Was it added on the way? The page's script asks twice more, plainly and over HTTPS, and shows the difference.

Comes in: a request to `/probe?n=WORD`. Goes out: its headers as received, as JSON. What only the plain request carried
was added on the way: the browser sends both, and nobody but the browser can write into the encrypted one. Without HTTPS
the script (probe.js) can only leave out what it sent itself and what browsers are known to send. State: none.
"""

from __future__ import annotations

import re

from leakscan.formats.rows import json_text
from leakscan.model import Message

_NONCE = re.compile(r"n=([0-9a-z]{1,32})")


def probe(message: Message) -> bytes:
    """What `/probe` answers: `nonce`, the word that was asked with, and `headers` as in `leakscan requests`."""
    found = _NONCE.fullmatch(message.target.partition("?")[2])
    nonce = found[1] if found else ""
    return json_text({"nonce": nonce, "headers": message.headers}).encode("ascii")
