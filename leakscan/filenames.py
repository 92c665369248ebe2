"""Names of files, fit to be shown: testers name captures after the phone they used.

In: a path as the operator gave it. Out: the same, with numbers that may be somebody's as `...`. Dates, times, IP
addresses and the counters of rotated files stay: a result that cannot say which capture it means is of no use. State:
the last names shown.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from leakscan.show import HIDDEN, redact

MIN_DIGITS = 9  # shorter runs are counters and ports
_NUMBER = re.compile(r"[0-9](?:[^0-9A-Za-z/]{0,3}[0-9])+")
_ADDRESS = re.compile(r"(?<![0-9])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|(?![0-9.]))){4}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/\s?#]*@)?([^\s?#]*)(?:[?#]\S*)?")
_RUN = re.compile(r"[0-9]+")
_EPOCH = re.compile(r"1[0-9]{9}(?:[0-9]{3})?\Z")  # UNIX seconds or milliseconds, 2001 to 2033
_FORMS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@lru_cache(maxsize=1024)
def shown_name(name: str) -> str:
    """`name` without numbers of 9 digits or more, unless they are dates or times; a URL `without_secrets`."""
    name = without_secrets(name)
    return "/".join(_NUMBER.sub(_conceal, part) if "@" not in part else redact(part) for part in name.split("/"))


def without_secrets(text: str) -> str:
    """`text` with its URLs without user, password, query and fragment."""
    return _URL.sub(r"\1\2", text) if "://" in text else text


def _conceal(found: re.Match[str]) -> str:
    text = found[0]
    runs = _RUN.findall(_ADDRESS.sub("", text))
    if sum(map(len, runs)) < MIN_DIGITS or _is_date("".join(runs)):
        return text
    if any(_is_time(run) for run in runs) or _begins_with_date(runs):
        return _RUN.sub(lambda run: HIDDEN if len(run[0]) >= MIN_DIGITS and not _is_time(run[0]) else run[0], text)
    return HIDDEN


def _begins_with_date(runs: list[str]) -> bool:
    """2012-01-10, perhaps with a time or a counter behind it."""
    return len(runs) >= 3 and [len(run) for run in runs[:3]] == [4, 2, 2] and _is_date("".join(runs[:3]))


def _is_time(run: str) -> bool:
    return _EPOCH.match(run) is not None or _is_date(run)


def _is_date(digits: str) -> bool:
    form = _FORMS.get(len(digits))
    if form is None or not digits.startswith(("19", "20")):
        return False
    try:
        datetime.strptime(digits, form)
    except ValueError:
        return False
    return True
