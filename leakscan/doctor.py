"""The job of `leakscan doctor`: can this machine capture, on what, and what is missing.

In: the system. Out: lines on stdout, and an exit code: 0 when capturing is permitted, 4 when it is not, 2 when the part
that captures is not installed. No state. Every interface is opened for a moment, without promiscuous mode: that alone
tells whether it can be captured. Where it cannot, its link type is what the system's own number for it makes likely.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from leakscan import __version__
from leakscan.decode import LINKS
from leakscan.errors import LeakscanError, MissingExtra, NotPermitted
from leakscan.permission import permission
from leakscan.show import show
from leakscan.sources import libpcap, sniffer
from leakscan.sources.live import Open, best_tap
from leakscan.sources.tap import Wish

EXIT_OK, EXIT_MISSING, EXIT_NOT_PERMITTED = 0, 2, 4
NETWORK = Path("/sys/class/net")
#: What an interface is likely to have; the others go by number.
LINK_NAMES = {
    0: "BSD loopback",
    1: "Ethernet",
    9: "PPP",
    101: "raw IP",
    105: "802.11",
    113: "Linux cooked",
    127: "802.11 with radiotap",
    239: "netfilter log",
    276: "Linux cooked 2",
}
HARDWARE_LINKS = {1: 1, 512: 9, 772: 1, 801: 105, 803: 127, 65534: 101}
#: Libpcap's own, which are no network that anybody browses through.
NOT_NETWORKS = re.compile(r"bluetooth|nfqueue|usbmon|dbus|nflog|ciscodump|randpkt|sshdump|udpdump|wifidump|sdjournal")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;]*;.*extra\s*==\s*['\"]([^'\"]+)['\"]")
_OLDER_PYTHON = re.compile(r"python_version\s*<\s*['\"]3\.(\d+)['\"]")
GROUPS = {"all", "dev"}  # extras made of others


class Row(NamedTuple):
    """An interface."""

    name: str
    state: str
    link: str
    capture: str  # "yes", or why not


def doctor() -> int:
    """Print what there is; gives the exit code."""
    allowed = permission()
    try:
        through, open_tap = best_tap()
    except MissingExtra as error:
        through, open_tap, missing = "", None, str(error)
    rows = [_row(name, open_tap) for name in _names()]
    lines = [f"leakscan {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}"]
    if open_tap is None:
        lines.append(f"capturing: no: {missing}")
    elif not allowed.granted:
        lines += [f"capturing: no permission: {allowed.why}", f"  {allowed.remedy}"]
    else:
        lines.append("capturing: permitted")
    lines.append(f"captured through: {_engine(through)}")
    lines += ["", *_table([Row("interface", "state", "link type", "capture"), *rows])]
    lines += ["", "optional parts", *_table(list(_extras()))]
    sys.stdout.write("\n".join(map(show, lines)) + "\n")
    if open_tap is None:
        return EXIT_MISSING
    return EXIT_OK if allowed.granted else EXIT_NOT_PERMITTED


def _engine(through: str) -> str:
    if through == "libpcap":
        return f"pcapy-ng {_version('pcapy-ng')}, {libpcap.version() or 'libpcap of an unknown version'}"
    if through == "scapy":
        return f"scapy {_version('scapy')}, slowly; pip install 'leakscan[live]' for libpcap"
    return "nothing"


def _names() -> list[str]:
    """Interfaces of the system, then what libpcap adds to them (`any`)."""
    names = sorted(entry.name for entry in NETWORK.iterdir()) if NETWORK.is_dir() else []
    known = libpcap.interfaces() if libpcap.available() else []
    if not names and not known and sniffer.available():
        known = sniffer.interfaces()
    return list(dict.fromkeys([*names, *(name for name in known if not NOT_NETWORKS.search(name))]))


def _row(name: str, open_tap: Open | None) -> Row:
    state, likely = _state(name), _likely_link(name)
    if open_tap is None:
        return Row(name, state, likely, "no")
    try:
        tap = open_tap(name, Wish(promiscuous=False, ring=1 << 20))
    except NotPermitted:
        return Row(name, state, likely, "no permission")
    except LeakscanError as error:
        return Row(name, state, likely, "no: " + str(error).removeprefix(f"{name}: ").partition(";")[0])
    tap.close()
    return Row(name, state, _link_name(tap.link), "yes")


def _link_name(link: int) -> str:
    known = "" if link in LINKS else ", which leakscan does not decode"
    return LINK_NAMES.get(link, f"number {link}") + known


def _likely_link(name: str) -> str:
    """From the ARPHRD number of the interface, linux/if_arp.h."""
    try:
        link = HARDWARE_LINKS.get(int((NETWORK / name / "type").read_text()))
    except (OSError, ValueError):
        link = None
    return "-" if link is None else _link_name(link)


def _state(name: str) -> str:
    """Up or down, as the system says it; `-` where it says nothing."""
    try:
        flags = int((NETWORK / name / "flags").read_text(), 16)
        state = (NETWORK / name / "operstate").read_text().strip()
    except (OSError, ValueError):
        return "-"
    if not flags & 1:  # IFF_UP
        return "down"
    return "up" if state in ("up", "unknown") else f"up, but {state}"


def _extras() -> Iterator[tuple[str, str]]:
    """Every extra, with what it consists of."""
    try:
        requirements = metadata.requires("leakscan") or []
    except metadata.PackageNotFoundError:
        yield "?", "leakscan itself is not installed, so its parts are not known"
        return
    parts: dict[str, list[str]] = {}
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        older = _OLDER_PYTHON.search(requirement)
        if found is None or found[2] in GROUPS:
            continue
        builtin = older is not None and sys.version_info >= (3, int(older[1]))
        parts.setdefault(found[2], []).append("part of Python" if builtin else _installed(found[1]))
    for extra, packages in sorted(parts.items()):
        missing = [package for package in packages if package.endswith("not installed")]
        install = f": pip install 'leakscan[{extra}]'" if missing else ""
        yield extra, ", ".join(packages) + install


def _installed(package: str) -> str:
    version = _version(package)
    return f"{package} {version}" if version else f"{package} not installed"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _table(rows: list[Row] | list[tuple[str, str]]) -> list[str]:
    """Rows as lines with columns of even width, indented."""
    cells = [tuple(map(show, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip() for row in cells
    ]
