"""Names of headers, cookies and parameters: one key for all spellings, and the words a name is made of.

`HTTP_X_MSISDN` (a CGI variable that became a header), `X_MSISDN`, `X-Msisdn` and `x.msisdn` are one name. No state.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

#: Longer names are cut: no known name comes near.
MAX_NAME_CHARS = 128

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_CGI_PREFIX = re.compile(r"http[-_]", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LAST_DIGITS = re.compile(r"[0-9]+(?=-)")
#: Part of no word in any language we know, so they also count when glued to other words (`wapmsisdn`). The others are
#: part of words (`timein`, `whimsical`, `mdns`, `fmdn`), but at the edge where they stand here of none.
_GLUED = re.compile(r"(msisdn|imeisv|iccid|(?<=-)imei|(?<=-)imsi|imei(?=-)|imsi(?=-)|(?<=[a-z]{2})mdn(?=-))")


def key(name: str) -> str:
    """The name without case, separators, percent-encoding and CGI prefix; "" when nothing is left."""
    return _SEPARATORS.sub("", _bare(name).lower())


def words(name: str) -> str:
    """The words of a name between hyphens, `-client-android-id-`: split at separators and humps, counters cut off."""
    spread = _SEPARATORS.sub("-", _CAMEL.sub("-", _bare(name)).lower())
    return _SEPARATORS.sub("-", _LAST_DIGITS.sub("", _GLUED.sub(r"-\1-", f"-{spread}-")))


def _bare(name: str) -> str:
    name = name[:MAX_NAME_CHARS].strip()
    if "%" in name:
        name = unquote(name, encoding="latin-1")
    return _CGI_PREFIX.sub("", name, count=1) if name[:4].lower() == "http" else name
