"""Whether the system lets this process capture, and the exact line that makes it.

In: what the system says of this process and its interpreter. Out: `Permission`. No state. On Linux a raw packet socket
takes CAP_NET_RAW and nothing else (packet(7)); a capability stands on the interpreter's file, so that is what `setcap`
names, links followed: the `python` of a virtual environment is a link.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple

CAP_NET_RAW = 13  # capabilities(7)
ADMIN_PATH = ":/usr/sbin:/sbin"  # where setcap lies, and ordinary users do not look
#: What engines leave in a container for programs to see.
MARKS = ("/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io")


class Permission(NamedTuple):
    granted: bool
    why: str  # "" when granted
    remedy: str  # the line that grants it, as a sentence of its own; "" when granted


def permission() -> Permission:
    """Whether this process may open a raw packet socket. Opens one, which receives nothing."""
    if not hasattr(socket, "AF_PACKET"):
        if os.geteuid() == 0:
            return Permission(True, "", "")
        return Permission(False, "capturing takes root here", f"run: sudo {_command()}")
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        named = os.environ.get("container")  # noqa: SIM112  (as systemd and podman write it)
        contained = named is not None or any(map(os.path.exists, MARKS))
        return _refused(_status("/proc/self/status"), os.path.realpath(sys.executable), contained)
    except OSError as error:
        return Permission(False, f"no packet socket: {os.strerror(error.errno or 0)}", "a kernel with CONFIG_PACKET")
    return Permission(True, "", "")


def _refused(status: dict[str, str], interpreter: str, contained: bool = False) -> Permission:
    """Why, and what helps: a capability of the file only where it would take effect. `contained`: this is a container;
    there engines give capabilities to the superuser alone, who needs no other.
    """
    as_root = "--user 0 " if os.geteuid() else ""
    bounding, effective = (int(status.get(name, "0"), 16) >> CAP_NET_RAW & 1 for name in ("CapBnd", "CapEff"))
    why = "the process lacks CAP_NET_RAW"
    if effective:
        return Permission(
            False,
            "CAP_NET_RAW has no effect: the network belongs to another user namespace, or a sandbox refuses",
            "run it outside of the container or user namespace, or in one that has a network of its own",
        )
    if not bounding:
        return Permission(
            False,
            f"{why}, and no process in this container can have it",
            f"start the container with it: docker run {as_root}--cap-add=NET_RAW ... (Kubernetes: "
            "securityContext.capabilities.add: [NET_RAW])",
        )
    if contained and as_root:
        return Permission(
            False,
            f"{why}, which engines give to no other user of a container than root",
            "start the container as that, with no other capability: docker run --user 0 --cap-drop=ALL "
            "--cap-add=NET_RAW ... (Kubernetes: securityContext.runAsUser: 0)",
        )
    if status.get("NoNewPrivs", "0") != "0":
        return Permission(
            False,
            f"{why}, and may not gain it (no_new_privs)",
            "run it as root, or without no_new_privs (docker run --security-opt=no-new-privileges, "
            "systemd NoNewPrivileges=)",
        )
    if _is_nosuid(interpreter):
        return Permission(
            False, f"{why}, and {interpreter} lies on a file system mounted nosuid", f"run: sudo {_command()}"
        )
    return Permission(False, why, f"run: {_setcap(interpreter)}")


def _is_nosuid(path: str) -> bool:
    """Whether capabilities of this file have no effect."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_NOSUID)
    except OSError:  # this user may not look there
        return False


def _setcap(interpreter: str) -> str:
    """The least that suffices. Promiscuous mode takes no capability of its own."""
    setcap = shutil.which("setcap", path=os.environ.get("PATH", "") + ADMIN_PATH)
    line = f"setcap cap_net_raw=ep {shlex.quote(interpreter)}"
    if setcap is None:
        return f"{_sudo()}apt-get install libcap2-bin && {_sudo()}{line}"
    return f"{_sudo()}{line}"


def _sudo() -> str:
    return "sudo " if os.geteuid() else ""


def _command() -> str:
    return f"{shlex.quote(sys.executable)} -m leakscan live ..."


def _status(path: str) -> dict[str, str]:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r"(?m)^(\w+):\s*(\S*)", text))
