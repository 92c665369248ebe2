"""A capture that is cut anywhere gives what it gives whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.wire import ethernet, gtp_u
from leakscan.split import scan as split_scan
from tests.builders import enhanced, interface, option, pcap, pcapng, section, simple, statistics
from tests.decode.test_decode import OUTER, fragmented
from tests.split.here import in_parts, whole
from tests.streams import START_NS, frames, request, tcp
from tests.test_any_cut import capture as any_capture

ROOT = Path(__file__).parent.parent.parent
LEAK = "x-up-calling-line-id: 4477009{:05d}"
TAGGED = b"\x81\x00\x00\x05"


def keep_alive(count: int = 12, **more) -> list[bytes]:
    """Requests of one connection that end and begin anywhere in its segments; one body looks like requests."""
    lines = [request(f"/{i}", LEAK.format(i)) for i in range(count)]
    lines.insert(3, request("/p", method="POST", body=request("/no", LEAK.format(99)) * 30))
    return frames(b"".join(lines), range(0, 9999, 97), **more)


def mixed() -> list[tuple[int, bytes]]:
    """Two connections, one joined in the middle, one with VLAN tags, one in GTP-U; fragments; holes, repetitions."""
    chance = random.Random(9)
    plain = [keep_alive(port=1), keep_alive(port=2)[5:], [f[:12] + TAGGED + f[12:] for f in keep_alive(port=3)]]
    inner = [gtp_u(*OUTER, 7, 8)(frame[14:], True) for frame in keep_alive(4, port=4)]
    plain.append([ethernet(packet, True) for packet in inner])
    pieces = [
        piece[:4] + number.to_bytes(2, "big") + piece[6:]
        for number, frame in enumerate(keep_alive(3, port=5))
        for piece in fragmented(frame[14:], [3] * 40)
    ]
    plain.append([ethernet(piece, True) for piece in pieces])
    tls = [tcp(i * 50, b"\x16\x03\x01\0\x30\x01" + bytes(44), port=6) for i in range(20)]
    plain.append([ethernet(packet, True) for packet in tls])
    torn = keep_alive(port=7)
    del torn[20:23]
    plain.append(torn + torn[3:9])
    out: list[bytes] = []
    while any(plain):
        stream = chance.choice([stream for stream in plain if stream])
        out += stream[:3]
        del stream[:3]
    arp = bytes(12) + b"\x08\x06\0\1\x08\0\6\4\0\1" + bytes(6) + bytes((192, 0, 2, 1)) + bytes(10)
    out.insert(len(out) // 2, arp)
    return [(START_NS + i * 10**7, frame) for i, frame in enumerate(out)]


def several_interfaces() -> bytes:
    """Blocks of every kind between packets; interfaces described late, one with another clock; two sections."""
    blocks = [section(), interface(name="one"), interface(link=101, name="two", tsresol=9)]
    for number, frame in enumerate(keep_alive(port=1)):
        blocks.append(enhanced(frame, (START_NS + number * 10**6) // 1000, options=option(1, b"a comment") * 2))
        if number % 7 == 3:
            blocks.append(enhanced(tcp(number * 100, request("/x", LEAK.format(number)), port=9), START_NS, 1))
        if number % 11 == 4:
            blocks += [statistics(number), simple(frame), b"\4\0\0\0\x10\0\0\0\0\0\0\0\x10\0\0\0"]
        if number == 20:
            blocks.append(interface(name="late"))
        if number > 20 and number % 3 == 0:
            blocks.append(enhanced(frame, START_NS // 1000, 2))
    again = [section(), interface(link=101), *(enhanced(f[14:], START_NS // 1000) for f in keep_alive(port=3))]
    return b"".join(blocks + again)


CAPTURES = {
    "keep-alive": pcap(keep_alive()),
    "mixed": pcap(mixed()),
    "nanoseconds": pcap(mixed(), ns=True, order=">"),
    "old lengths": pcap(keep_alive(), version=(2, 2)),
    "either length": pcap(keep_alive(), version=(2, 3)),
    "kuznetzov": pcap(keep_alive(), magic=0xA1B2CD34, extra=bytes(8)),
    "pcapng": pcapng(frames=mixed()),
    "big-endian pcapng": pcapng(frames=keep_alive(), order=">"),
    "interfaces": several_interfaces(),
    "odd link": pcap([frame[14:] for frame in keep_alive()], link=12),
    "cut": pcap(keep_alive())[:-7],
    "damaged": pcap(keep_alive()[:30]) + b"\xff" * 40 + pcap(keep_alive())[24:],
    "a capture inside": pcap(frames(request("/up", method="POST", body=pcap(keep_alive(3))), range(0, 9999, 1400))),
    "empty": pcap([]),
}


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(split_scan, "GROUP_HEADS", 1)


def written(folder: Path, data: bytes) -> list[str]:
    (folder / "some.pcap").write_bytes(data)
    return [str(folder / "some.pcap")]


@pytest.mark.parametrize("name", CAPTURES)
def test_cut_everywhere(name, tmp_path, monkeypatch, small_groups):
    """At every place where a record begins."""
    names = written(tmp_path, CAPTURES[name])
    here = whole(names)
    for step in (16, 256, 1000):
        parts, scan = in_parts(monkeypatch, names, lambda size, step=step: range(step, size, step))
        assert parts == here
        assert scan.divided.again < scan.divided.stretches / 2 or name not in ("keep-alive", "mixed", "pcapng")


@pytest.mark.parametrize("name", ["keep-alive", "mixed", "pcapng", "interfaces", "damaged"])
def test_cut_once(name, tmp_path, monkeypatch, small_groups):
    """In two parts, at one place after the other; every place lies in another record, or two do in one."""
    names = written(tmp_path, CAPTURES[name])
    here = whole(names)
    for place in range(40, len(CAPTURES[name]), 120):
        parts, _ = in_parts(monkeypatch, names, lambda size, place=place: [place & -4])
        assert parts == here


def test_a_wrong_guess_costs_time_and_no_more(tmp_path, monkeypatch):
    """A cut within a segment that holds records of another capture."""
    names = written(tmp_path, CAPTURES["a capture inside"])
    here, wrong = whole(names), 0
    for place in range(100, len(CAPTURES["a capture inside"]), 60):
        parts, scan = in_parts(monkeypatch, names, lambda size, place=place: [place & -4])
        assert parts == here
        wrong += scan.divided.again
    assert wrong > 5


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_capture(), st.sampled_from([16, 64, 300]), st.booleans())
def test_whatever_was_captured(tmp_path, monkeypatch, what, step, bodies):
    files, _ = what
    for number, data in enumerate(files):
        (tmp_path / f"x.pcap{number}").write_bytes(data)
    names = [str(tmp_path / f"x.pcap{number}") for number in range(len(files))]
    parts, _ = in_parts(monkeypatch, names, lambda size: range(step, size, step), bodies=bodies)
    assert parts == whole(names, bodies=bodies)


@pytest.mark.parametrize("path", sorted((ROOT / "fixtures").glob("*.pcap")), ids=lambda path: path.stem)
def test_fixtures(path, monkeypatch, small_groups):
    more = {"min_confidence": "hint"}
    parts, _ = in_parts(monkeypatch, [str(path)], lambda size: range(16, size, 16), **more)
    assert parts == whole([str(path)], **more)


@pytest.mark.corpora
@pytest.mark.parametrize("part", range(8))
def test_real_captures(part, corpora, monkeypatch):
    """All of them, in two parts and in three, and in many."""
    for path in sorted((corpora / "files").iterdir())[part::8]:
        names = [str(path)]
        here = whole(names, min_confidence="hint")
        for parts in (2, 3, 16):
            there, _ = in_parts(
                monkeypatch,
                names,
                lambda size, parts=parts: [size * i // parts & -4 for i in range(1, parts)],
                min_confidence="hint",
            )
            assert there == here, path.name
