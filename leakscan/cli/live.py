"""`leakscan live`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from leakscan.cli.analyse import command as analyse
from leakscan.cli.options import DURATION, Job, max_drops_option, size

#: Flags of `analyse` that mean nothing here. All others are the same, and the same objects.
NOT_HERE = {"captures", "jobs", "progress", "since", "until", "max_drops", "evidence"}


@click.command(
    "live",
    params=[parameter for parameter in analyse.params if parameter.name not in NOT_HERE],
    epilog="Exit codes: 0 nothing that counts, 1 a leak, 2 usage, 3 something was not read, 4 no permission, "
    "70 internal error, 130 and 143 ended by a signal.",
)
@click.option(
    "-i", "--interface", "captures", multiple=True, required=True, metavar="IFACE",
    help="What to capture on: a name (leakscan doctor lists them), any, or - for a capture on stdin. Repeatable.",
)  # fmt: skip
@click.option("--bpf", default="", metavar="EXPR", help="Capture only what passes this filter (pcap-filter(7)).")
@click.option(
    "-s", "--snap-length", type=size(64, 262_144), default=None, metavar="SIZE",
    help="Capture so many bytes of each packet, not all.",
)  # fmt: skip
@click.option("-p", "--no-promiscuous", is_flag=True, default=False, help="Only packets from and to this machine.")
@click.option(
    "-B", "--buffer", type=size(1 << 20, 1 << 30), default="64MiB", show_default=True, metavar="SIZE",
    help="Room in the kernel, for each interface, for packets that wait.",
)  # fmt: skip
@click.option(
    "--duration", type=DURATION, default=None, metavar="TIME", help="Stop after so long: 90, 30s, 10m, 2h, 7d."
)
@click.option("--packets", type=click.IntRange(1), default=None, metavar="N", help="Stop after so many packets.")
@click.option("--fail-fast", is_flag=True, default=False, help="Stop at the first leak that counts (--fail-on).")
@max_drops_option("Exit with 3 when more than this share of the packets was dropped.", 1.0)
@click.option(
    "--reopen", is_flag=True, default=False, help="Wait for an interface that goes away, instead of stopping."
)
@click.option("--write", default=None, metavar="FILE", help="Keep the packets in a pcapng file. It is personal data.")
@click.option("--write-leaks-only", is_flag=True, default=False, help="Keep only streams that leaked.")
@click.option(
    "--write-rotate-size", type=size(10_000, 1 << 46), default=None, metavar="SIZE",
    help="Begin the next file at this size.",
)  # fmt: skip
@click.option(
    "--write-rotate-time", type=DURATION, default=None, metavar="TIME", help="Begin the next file after so long."
)
@click.option(
    "--write-max", type=size(100_000, 1 << 46), default="1GB", show_default=True, metavar="SIZE",
    help="Never more disk than this: the oldest of several files goes, a single one ends.",
)  # fmt: skip
@click.option(
    "--progress", type=click.Choice(["auto", "never"]), default="auto", show_default=True,
    help="With the table on a terminal: draw what comes and who leaks, instead of a line for each leak.",
)  # fmt: skip
def command(
    captures: Sequence[str],
    bpf: str,
    snap_length: int | None,
    no_promiscuous: bool,
    buffer: int,
    write_rotate_size: int | None,
    write_rotate_time: float | None,
    verbose: bool,
    **flags: Any,
) -> Job:
    """Find leaked identifiers on an interface, while it happens.

    Until Ctrl-C, --duration or --packets. Then the summary, as from files.

    \b
    Examples:
      leakscan live -i wlan0
      leakscan live -i any --bpf 'tcp port 80' -f jsonl --duration 1h
      leakscan live -i eth0 -o leaks.jsonl --write leaks.pcapng --write-leaks-only
    """
    from leakscan.flags import Options
    from leakscan.live import Capture, live
    from leakscan.recorder import Rotation
    from leakscan.sources.tap import MAX_SNAP_BYTES, Wish

    own = {name: flags.pop(name) for name in Capture.__slots__ if name in flags}
    wish = Wish(bpf, MAX_SNAP_BYTES if snap_length is None else snap_length, not no_promiscuous, buffer)
    capture = Capture(wish=wish, write_rotation=Rotation(write_rotate_size, write_rotate_time), **own)
    return partial(live, Options(captures=captures, jobs=1, **flags), capture)


command.params.sort(key=lambda parameter: parameter in analyse.params)  # its own first
