"""Any cut, same answer, end to end: however a capture was segmented, fragmented, reordered, repeated, wrapped, packed and
split over files, the same requests come out of it.
"""

from __future__ import annotations

import gzip
import lzma
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.wire import SYN, ethernet, gtp_u
from leakscan.losses import Losses
from leakscan.reading import Reading
from leakscan.series import series
from tests.builders import pcap, pcapng
from tests.decode.test_decode import OUTER, fragmented
from tests.streams import START_NS, cut, request, tcp

PEOPLE = [("192.0.2.1", 1000), ("192.0.2.2", 1000), ("192.0.2.2", 1001)]
MESSAGES = [
    request("/a", "x-up-calling-line-id: 447700900123"),
    request("/b?c=d", "Cookie: a=b; c=d", "Accept: */*"),
    request("/p", method="POST", body=b"GET /no HTTP/1.1\r\n\r\n" * 20),
    b"POST /c HTTP/1.1\r\nHost: c.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
]
BODIES = {"/p": b"GET /no HTTP/1.1\r\n\r\n" * 20, "/c": b"hello"}
FILES = {"plain": lambda data: data, "gzip": gzip.compress, "xz": lzma.compress}


def read(folder: str, files: list[bytes]) -> tuple[set, Losses]:
    for number, data in enumerate(files):
        (Path(folder) / f"x.pcap{number}").write_bytes(data)
    losses = Losses()
    names = [str(Path(folder) / f"x.pcap{number}") for number in range(len(files))]
    reading = Reading(series(names, losses), losses)
    return {
        (m.client, m.client_port, m.method, m.target, m.host, m.headers, m.partial) for m in reading.messages()
    }, losses


@st.composite
def capture(draw: st.DrawFn) -> tuple[list[bytes], set]:
    """Files, and the requests that are in them."""
    random = draw(st.randoms(use_true_random=False))
    mtu = draw(st.sampled_from([0, 4, 9]))
    tunnel = draw(st.sampled_from([None, gtp_u(*OUTER, 1, 2)]))
    packets: list[bytes] = []
    expected = set()
    for address, port in draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True)):
        chosen = draw(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=3, unique=True))
        expected |= {(address, port, *message.split(b" ")[:2]) for message in chosen}
        data = b"".join(chosen)
        isn = draw(st.sampled_from([5, 2**32 - 50]))
        pieces = cut(data, draw(st.lists(st.integers(1, len(data)), max_size=12)))
        pieces += [random.choice(pieces) for _ in range(draw(st.integers(0, 2)))]
        if draw(st.booleans()):
            random.shuffle(pieces)
        sent = [tcp(isn - 1, flags=SYN, client=address, port=port)]
        sent += [tcp(isn + at, piece, client=address, port=port) for at, piece in pieces]
        packets = _interleaved(packets, sent, random)
    if mtu:
        packets = [part for number, packet in enumerate(packets) for part in _fragments(packet, mtu, number)]
    frames = [ethernet(tunnel(packet, True) if tunnel else packet, True) for packet in packets]
    timed = [(START_NS + number * 10**6, frame) for number, frame in enumerate(frames)]
    edges = sorted({0, len(timed), *draw(st.lists(st.integers(1, len(timed)), max_size=3))})
    make = draw(st.sampled_from([pcap, lambda part: pcapng(frames=part)]))
    pack = FILES[draw(st.sampled_from(sorted(FILES)))]
    return [pack(make(timed[low:high])) for low, high in pairwise(edges)], expected


def _interleaved(one: list[bytes], other: list[bytes], random) -> list[bytes]:
    """Two streams in one capture, each in its own order."""
    out, queues = [], [list(one), list(other)]
    while any(queues):
        out.append(random.choice([queue for queue in queues if queue]).pop(0))
    return out


def _fragments(packet: bytes, units: int, number: int) -> list[bytes]:
    pieces = fragmented(packet, [units] * 200)
    return [piece[:4] + number.to_bytes(2, "big") + piece[6:] for piece in pieces]


@settings(max_examples=50)
@given(capture(), st.booleans())
def test_any_cut_same_bodies(what, sieve):
    """With their bodies the requests are the same, and no body lacks anything."""
    files, expected = what
    with tempfile.TemporaryDirectory() as folder:
        plain, _ = read(folder, files)
        losses = Losses()
        names = [str(Path(folder) / f"x.pcap{number}") for number in range(len(files))]
        found = list(Reading(series(names, losses), losses, sieve, bodies=True).messages())
    assert {(m.client, m.client_port, m.method, m.target, m.host, m.headers, m.partial) for m in found} == plain
    assert len(found) == len(expected)
    assert all(m.body == BODIES.get(m.target, b"") for m in found)
    assert not [name for name in losses if name.startswith("http.body")]


@settings(max_examples=150)
@given(capture())
def test_any_cut_same_answer(what):
    files, expected = what
    with tempfile.TemporaryDirectory() as folder:
        found, losses = read(folder, files)
    assert {(client, port, method.encode(), target.encode()) for client, port, method, target, *_ in found} == expected
    assert not losses.of_kind("unread")
    assert not any(partial for *_, partial in found)
