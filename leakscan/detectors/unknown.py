"""Headers that nobody knows and that may name a person: the first look, before statistics (trackers.py).

In: a header's name and value. Out: whether the name is worth watching: no standard and no usual name, and a value that
looks like a token: an unbroken run of letters and digits that no word and no number has. A value alone proves nothing,
and most such headers belong to one program or are new with every request; only the whole tells. No state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import log2

from leakscan.detectors.catalogue import Catalogue
from leakscan.model import Pair

MIN_RUN = 12
MAX_CHARS = 512
MIN_BITS_A_CHAR = 2.8  # Shannon's entropy; 16 hex digits of a random value have 3.2 in the mean

_TOKEN = re.compile(r"[!-~]+")
_RUN = re.compile(rf"[A-Za-z0-9]{{{MIN_RUN},}}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: Words in names of headers that are new with every request, or belong to one program and one site.
_PASSING = re.compile(
    r"trace|span|request-?id|correlation|nonce|csrf|xsrf|signature|timestamp|checksum|digest|-md5|etag"
)


def may_track(name: str, value: str) -> bool:
    """Whether a header that no catalogue knows is worth watching."""
    lower = name.strip().lower()
    if lower in STANDARD or lower.startswith(FAMILIES) or _PASSING.search(lower):
        return False
    text = value.strip()
    if not MIN_RUN <= len(text) <= MAX_CHARS or not _TOKEN.fullmatch(text):
        return False
    if _UUID.fullmatch(text):
        text = text.replace("-", "")
    return any(_random(run) for run in _RUN.findall(text))


def unknown_tokens(headers: Iterable[Pair], catalogue: Catalogue) -> list[tuple[str, str]]:
    """The headers of a request that are worth watching: (name, value)."""
    return [
        (name, value)
        for name, value in headers
        if value and len(value) >= MIN_RUN and not catalogue.lookup(name) and may_track(name, value)
    ]


def _random(run: str) -> bool:
    """Digits and letters mixed as in tokens, or many digits; not a word, and no row of equal ones."""
    digits = sum(char.isdigit() for char in run)
    if digits < 2 or (digits == len(run) and digits < MIN_RUN + 2):
        return False
    shares = [run.count(char) / len(run) for char in set(run)]
    return -sum(share * log2(share) for share in shares) >= MIN_BITS_A_CHAR


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


#: Names that begin like these are their makers' own, and go to their makers' hosts.
FAMILIES = (
    "sec-",
    "cf-",
    "x-amz-",
    "x-goog-",
    "x-ms-",
    "x-apple-",
    "x-datadog-",
    "x-newrelic-",
    "x-firebase-",
    "x-b3-",
)
#: Request headers of the standards (IANA's registry), and what programs, proxies and networks for content usually add.
STANDARD = _set(
    "a-im accept accept-charset accept-datetime accept-encoding accept-features accept-language accept-patch "
    "accept-post accept-ranges access-control-request-headers access-control-request-method age allow alt-used "
    "authorization b3 baggage cache-control connection content-disposition content-encoding content-language "
    "content-length content-location content-md5 content-range content-type cookie cookie2 date depth destination "
    "device-memory dnt downlink dpr early-data ect expect forwarded from host http2-settings if if-match if- "
    "modified-since if-none-match if-range if-schedule-tag-match if-unmodified-since keep-alive last-event-id lock- "
    "token max-forwards mime-version negotiate ntlm origin overwrite pragma prefer priority proxy-authenticate "
    "proxy-authorization proxy-connection range referer rtt save-data sentry-trace te timeout trailer transfer- "
    "encoding translate upgrade upgrade-insecure-requests user-agent via viewport-width want-digest warning width "
    "www-authenticate x-access-token x-api-key x-apikey x-app-id x-app-key x-auth-token x-client-data x-client- "
    "transaction-id x-client-version x-cluster-client-ip x-forwarded-for x-forwarded-host x-forwarded-port "
    "x-forwarded-proto x-forwarded-server x-http-method-override x-moz x-playback-session-id x-purpose x-real-ip "
    "x-request-start x-requested-with x-requestid x-session-id x-sessionid x-uri x-varnish x-wap-profile x-xsrf- "
    "token"
)
