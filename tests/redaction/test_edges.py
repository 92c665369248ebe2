"""Identifiers of which the capture does not hold everything, or which it holds in a way that others put together otherwise:
snapped packets, lost segments and fragments, copies that contradict each other, numbers that say how long a body is.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from fixtures.wire import SYN, ethernet, gtp_u, udp
from leakscan import cli
from leakscan.decode.walk import IPV4
from leakscan.redaction import job
from leakscan.redaction.needles import Needles
from leakscan.redaction.parts import MIN_PART, Parts
from leakscan.redaction.records import pieces
from leakscan.redaction.tracing import Tracer
from tests.builders import block, enhanced, interface, pcap, pcapng, section
from tests.decode.test_decode import OUTER
from tests.golden import KEY, ROOT
from tests.redaction.test_any_cut import _fragments, wrong_checksums
from tests.streams import frames, request
from tests.streams import tcp as segment

NUMBER, FOREIGN = "447700900123", "4915123456789"  # the second one's fake differs from its 4th digit on
NAME = "x-up-calling-line-id"
LEAK = request("/a", f"{NAME}: {NUMBER}")
FULL = request("/full", f"{NAME}: {FOREIGN}")


@pytest.fixture
def copy(tmp_path, capsys):
    """Redacts a capture given as bytes: exit code, the copy (None if there is none), stdout, stderr."""

    def make(data: bytes, *flags: str) -> tuple[int, bytes | None, str, str]:
        path, out = tmp_path / "in", tmp_path / "out"
        path.write_bytes(data)
        out.unlink(missing_ok=True)
        code = cli.run(["redact", "--pseudonym-key", str(ROOT / KEY), *flags, str(path), str(out)])
        captured = capsys.readouterr()
        return code, out.read_bytes() if out.exists() else None, captured.out, captured.err

    return make


def sent(seq: int, data: bytes, port: int = 41000, flags: int = 24) -> bytes:
    return ethernet(segment(seq, data, port=port, flags=flags), True)


def payloads(made: bytes, folder: Path) -> list[bytes]:
    """The IP packet in each frame, without Ethernet's padding."""
    (folder / "made").write_bytes(made)
    rows = [piece.frame_bytes[14:] for piece in pieces(str(folder / "made")) or () if piece.frame]
    return [row[: int.from_bytes(row[2:4])] for row in rows]


def fake_of(made: bytes) -> bytes:
    """The fake in the first request."""
    at = made.index(NAME.encode()) + len(NAME) + 2
    return made[at : at + len(FOREIGN)]


HEAD = request("/cut", f"{NAME}: {FOREIGN}")
AT = HEAD.index(FOREIGN.encode())


@pytest.mark.parametrize("size", [5, 8, len(FOREIGN) - 1])
def test_the_beginning_of_a_number_whose_rest_was_lost(copy, tmp_path, size):
    """The last segment of a stream; before a hole; snapped; and a copy of the part, cut otherwise."""
    part = HEAD[: AT + size]
    lost = [sent(999, b"", flags=SYN), sent(1000, part), sent(1000 + len(part) + 400, FULL)]
    snapped = sent(5000, HEAD, 41002)
    again = sent(1000 + AT - 4, part[AT - 4 :])
    whole = [*frames(FULL), *lost, again, sent(7000, part, 41003)]
    short = enhanced(snapped[: 54 + AT + size], wire=len(snapped))
    data = pcapng(section(), interface(), *map(enhanced, whole), short)
    code, made, _, _ = copy(data, "-q")
    assert code in (0, 3)
    held = payloads(made, tmp_path)
    parts = [held[place][40:][end - size : end] for place, end in ((-5, AT + size), (-3, 4 + size), (-2, AT + size))]
    assert parts[0] == parts[1]  # half a number is a number of its own, if it is like one
    assert all(part.isdigit() and len(part) == size for part in parts)
    assert held[-1][40:].startswith(HEAD[:AT])
    assert made.count(FOREIGN[:size].encode()) == 0
    assert [one for one in wrong_checksums(tmp_path / "out") if one[0] < len(held)] == []


@pytest.mark.parametrize("size", [5, 8, len(FOREIGN) - 1])
def test_the_end_of_a_number_whose_beginning_was_lost(copy, tmp_path, size):
    rest = HEAD[AT + len(FOREIGN) - size :]
    data = pcap([*frames(FULL), sent(1000, HEAD[:AT]), sent(1000 + AT + len(FOREIGN) - size, rest)])
    _, made, _, _ = copy(data, "-q")
    assert payloads(made, tmp_path)[-1][40:].startswith(fake_of(made)[-size:] + b"\r\n")


@pytest.mark.parametrize("line", ["\nX-MSISDN: {}", "\nCookie: a=b; msisdn={}", "?a=b&msisdn={}"])
@pytest.mark.parametrize("size", [1, 4, 6])
def test_a_torn_value_of_which_only_the_name_tells_whose_it_is(copy, tmp_path, line, size):
    """It is found nowhere as a whole; the same under a name that says nothing stays."""
    value = FOREIGN[-size:]
    if line[0] == "?":
        torn, plain = (f"GET /{text.format(value)}".encode() for text in (line, line.replace("msisdn", "page")))
    else:
        head = "GET / HTTP/1.1\r\nHost: a.example\r"
        torn, plain = (f"{head}{text.format(value)}".encode() for text in (line, "\nX-Page: {}"))
    code, made, _, _ = copy(pcap([*frames(request("/")), sent(1000, torn), sent(1000, plain, 41001)]), "-q")
    assert code in (0, 3)
    before, after = payloads(made, tmp_path)[-2:]
    assert after[40:] == plain
    assert before[40:-size] == torn[:-size]
    if size > 1:  # one digit may become itself
        assert before[-size:] != value.encode()


def test_a_whole_value_like_a_torn_one_has_its_own_fake(copy, tmp_path):
    """A torn value is a beginning of whole ones, in the same header: there it is not sought."""
    torn = HEAD[: AT + 4]
    data = pcap([sent(1000, torn), *frames(FULL)])
    (tmp_path / "one").write_bytes(pcap(frames(FULL)))
    assert (
        cli.run(["redact", "-q", "--pseudonym-key", str(ROOT / KEY), str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    )
    assert fake_of(copy(data, "-q")[1][200:]) == fake_of((tmp_path / "two").read_bytes())


def test_a_snapped_datagram(copy, tmp_path):
    whole = ethernet(udp("192.0.2.1", 5000, "203.0.113.53", 53, b"you are " + FOREIGN.encode()), True)
    data = pcapng(section(), interface(), *map(enhanced, frames(FULL)), enhanced(whole[:-4], wire=len(whole)))
    code, made, _, _ = copy(data, "-q")
    assert code in (0, 3)
    assert payloads(made, tmp_path)[-1].endswith(b"you are " + fake_of(made)[:-4])


def test_parts_at_edges_only():
    needles = Needles()
    needles.add(b"447700900123", b"447700900999")
    needles.add(b"4915123456789", b"4915999999999")
    parts = Parts(needles, [(b"\nX: 44", b"\nX: 77")])
    assert parts.at_end(b"..49151234") == (2, b"49151234", b"49159999")
    assert parts.at_end(b"..49151234.") is None
    assert parts.at_end(b"..4915") is None
    assert MIN_PART == 5
    assert parts.at_start(b"56789..") == (0, b"56789", b"99999")
    assert parts.at_start(b".56789") is None
    assert parts.at_end(b"\nX: 44") is None  # three letters and digits
    assert Parts(Needles()).at_end(b"447700900") is None


# -- fragments -------------------------------------------------------------------------------------------------------


def datagram(text: bytes, units: int = 4) -> list[bytes]:
    packet = udp("192.0.2.1", 5000, "203.0.113.53", 53, text)
    return [ethernet(part, True) for part in _fragments(packet, units, 77)]


@pytest.mark.parametrize("before", range(8))
@pytest.mark.parametrize("turned", [False, True])
def test_a_number_over_the_fragments_of_a_datagram(copy, tmp_path, before, turned):
    text = b"." * (14 + before) + FOREIGN.encode() + b"." * 40 + NUMBER.encode()
    parts = datagram(text, 2)
    code, made, _, _ = copy(
        pcap([*frames(FULL + request("/", f"{NAME}: {NUMBER}")), *parts[:: -1 if turned else 1]]), "-q"
    )
    assert code == 0
    held = [payload[20:] for payload in payloads(made, tmp_path)[-len(parts) :]]
    whole = b"".join(held[::-1] if turned else held)[8:]
    assert whole.startswith(b"." * (14 + before) + fake_of(made))
    assert NUMBER.encode() not in whole
    assert wrong_checksums(tmp_path / "out") == []


def test_a_number_in_the_last_fragment_and_its_checksum_in_the_first(copy, tmp_path):
    """UDP, GTP, IP and TCP headers fill the first one to the last byte."""
    wrapped = gtp_u(*OUTER, 1, 2)
    packets = [wrapped(segment(1000 + at, HEAD[at : at + 50]), True) for at in range(0, len(HEAD), 50)]
    at = AT - 20
    packets.append(wrapped(segment(1000 + at, HEAD[at : at + 50]), True))
    parts = [ethernet(part, True) for n, packet in enumerate(packets) for part in _fragments(packet, 7, n)]
    code, made, _, _ = copy(pcap([*frames(FULL), *parts]), "-q")
    assert (code, FOREIGN.encode() in made) == (0, False)
    assert wrong_checksums(tmp_path / "out") == []


def test_fragments_whose_others_did_not_come(copy, tmp_path):
    """Both ends of a hole, and over two that follow each other."""
    text = b"." * 20 + FOREIGN.encode() + b"." * 23 + FOREIGN.encode() + b"." * 8
    parts = datagram(text, 2)
    gone = parts[:2] + parts[3:-1]  # the second number's end and the first one's middle are there
    _, made, _, _ = copy(pcap([*frames(FULL), *gone]), "-q")
    fake, held = fake_of(made), payloads(made, tmp_path)[-len(gone) :]
    assert FOREIGN[:4].encode() in held[1] or fake[:4] in held[1]
    left = b"".join(payload[20:] for payload in held)
    assert FOREIGN.encode() not in left
    assert left.count(fake) == 1
    assert FOREIGN[-5:].encode() not in left


@pytest.mark.parametrize("make", [pcap, lambda rows: pcap(rows, ns=True), lambda rows: pcapng(frames=rows)])
def test_an_identification_that_comes_again(copy, tmp_path, make):
    """A fragment of which the others were lost; two minutes later the same number is another packet's."""
    first, second = (
        [ethernet(part, True) for part in _fragments(segment(1000, head, port=41001), 11, 77)]
        for head in (request("/other", f"X-Nothing: {'at all ' * 30}"), HEAD)
    )
    assert AT < 11 * 8 - 20 < AT + len(FOREIGN)  # the number is cut
    start, minute = 1_326_153_600 * 10**9, 60 * 10**9
    rows = [(start, frame) for frame in frames(FULL)] + [(start + 10, first[0]), (start + 10, first[1])]
    assert len(first) > 2
    rows += [(start + 2 * minute, part) for part in second]
    code, made, _, err = copy(make(rows), "-q")
    assert (code, err) == (3, "")  # the first packet was lost
    assert payloads(made, tmp_path)[-len(second) :] != [part[14:] for part in second]
    whole = b"".join(payload[20:] for payload in payloads(made, tmp_path)[-len(second) :])
    assert FOREIGN.encode() not in whole
    assert fake_of(made) in whole


# -- copies that contradict each other -------------------------------------------------------------------------------


def test_segments_that_contradict_each_other(copy, tmp_path, capsys):
    """The number is there for who believes the first copy, or the last one: for neither in the copy."""
    at = HEAD.index(FOREIGN.encode())
    other = bytearray(HEAD)
    other[at + 2 : at + 7] = b"00000"
    cases = [
        [(0, HEAD[: at + 7]), (at + 2, bytes(other[at + 2 :]))],  # the first copy's beginning, the last one's end
        [(0, bytes(other[: at + 7])), (at + 2, HEAD[at + 2 :])],
        [(0, HEAD[: at + 3]), (at + 9, HEAD[at + 9 :]), (at, bytes(other[at : at + 4]) + HEAD[at + 4 : at + 10])],
        [(at + 5, HEAD[at + 5 :]), (at + 2, bytes(other[at + 2 :])), (0, HEAD[: at + 5])],
    ]
    for case in cases:
        packets = [sent(999, b"", flags=SYN), *(sent(1000 + start, data) for start, data in case)]
        code, made, _, err = copy(pcap([*frames(FULL), *packets]), "-q")
        assert (code, err) == (0, "")
        assert FOREIGN.encode() not in made
        capsys.readouterr()
        cli.run(["analyse", "-q", "-f", "jsonl", "--show-values", str(tmp_path / "out")])
        assert FOREIGN not in capsys.readouterr().out
        for first in (False, True):
            stream = bytearray(len(HEAD))
            for (start, data), payload in list(zip(case, payloads(made, tmp_path)[-len(case) :], strict=True))[
                :: -1 if first else 1
            ]:
                stream[start : start + len(data)] = payload[40 : 40 + len(data)]
            assert FOREIGN.encode() not in stream


def test_a_contradiction_that_cannot_be_followed_is_named(copy, monkeypatch):
    """Exit code 1 with file, frames and the reason; without a contradiction it is redact's mistake."""
    other = bytearray(HEAD)
    other[AT : AT + 2] = b"00"
    packets = [sent(1000, HEAD[: AT + 7]), sent(1000 + AT, bytes(other[AT:]))]
    monkeypatch.setattr(job.Edits, "by_piece", lambda self: iter(()))
    code, made, out, err = copy(pcap([*frames(FULL), *packets]))
    assert (code, made, out) == (1, None, "")
    assert f"in: cannot be replaced: frame {len(frames(FULL)) + 2}: says something else than others" in err
    assert "nothing was written" in err
    assert FOREIGN not in err
    code, made, _, err = copy(pcap(frames(FULL)))
    assert (code, made, "please report this" in err) == (70, None, True)


# -- lengths ---------------------------------------------------------------------------------------------------------


def known(folder: Path, value: str) -> tuple[str, str]:
    (folder / "known.toml").write_text(f'[[known]]\nkind = "subscriber_token"\nvalue = "{value}"\n')
    return "--known", str(folder / "known.toml")


@pytest.mark.parametrize("cut", [10_000, 20, 40])
def test_a_number_that_says_how_long_a_body_is(copy, tmp_path, cut):
    """Replaced it would break what follows: it stops the copy, or goes with its packets."""
    flags = known(tmp_path, "1048577")
    long = b"POST /long HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1048577\r\n\r\n"
    parts = [(at, long[at : at + cut]) for at in range(0, len(long), cut)]
    data = pcap([*frames(request("/", "X-Account: 1048577")), *(sent(1000 + at, part) for at, part in parts)])
    code, made, _, err = copy(data, *flags)
    assert (code, made) == (1, None)
    assert "the length of a body" in err
    code, made, out, _ = copy(data, "--drop-unredactable", *flags)
    assert code == 0
    assert "the length of a body" in out
    assert b"1048577" not in made
    assert len(payloads(made, tmp_path)) == len(frames(request("/")))


def test_a_number_that_says_how_long_a_chunk_is(copy, tmp_path):
    flags = known(tmp_path, "0100001")
    long = b"POST /long HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0100001\r\nabc"
    data = pcap([*frames(request("/", "X-Account: 0100001")), sent(1000, long)])
    code, made, _, err = copy(data, *flags)
    assert (code, made, "the length of a chunk" in err) == (1, None, True)
    code, made, _, _ = copy(data, "--drop-unredactable", *flags)
    assert (code, b"0100001" in made) == (0, False)


def test_a_copy_with_other_requests_is_not_given_away(copy, monkeypatch, tmp_path):
    """Were a length replaced all the same, the request behind the body would be gone."""
    monkeypatch.setattr("leakscan.redaction.bodies.Bodies.feed", lambda *_: iter(()))
    data = request("/", "X-Account: 0000003", "Content-Length: 0000003", method="POST") + b"abc" + request("/b")
    code, made, _, err = copy(pcap(frames(data)), *known(tmp_path, "0000003"))
    assert (code, made, "2 requests became 1" in err) == (70, None, True)


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("data", [LEAK, b""], ids=["request", "bare"])
def test_addresses_in_a_tunnel_in_fragments(copy, tmp_path, units, data):
    """The inner header is in the second fragment, or in both; with and without payload, and of a datagram."""
    wrapped = gtp_u(*OUTER, 1, 2)
    inner = [
        segment(999, b"", flags=SYN),
        segment(1000, data[:3]),
        segment(1003, data[3:]),
        udp("192.0.2.1", 5000, "203.0.113.53", 53, b"x" * 9),
    ]
    parts = [
        ethernet(part, True)
        for number, packet in enumerate(inner)
        for part in _fragments(wrapped(packet, True), units, number)
    ]
    whole = pcap([*frames(FULL), *parts])
    code, made, _, _ = copy(whole, "-q", "--addresses")
    assert code == 0
    tracer = Tracer()
    (tmp_path / "made").write_bytes(made)
    seen = []
    for piece in pieces(str(tmp_path / "made")) or ():
        if piece.frame:
            layers = tracer.trace(piece.frame_bytes, piece.wire, piece.link, piece.frame).layers
            seen += [bytes(layer.data[12:20]) for layer in layers if layer.kind == IPV4]
    assert len(seen) >= len(parts) + len(inner)
    assert bytes([192, 0, 2, 1]) not in b"".join(seen)
    assert wrong_checksums(tmp_path / "out") == []


@pytest.mark.parametrize("left", ["_header", "_arp", "resolution"])
def test_addresses_that_are_left_are_seen(copy, monkeypatch, left):
    """The check of the copy asks for them in headers, in ARP and in name resolution, not only as text."""
    arp = b"\xff" * 6 + bytes(6) + b"\x08\x06\0\x01\x08\0\x06\x04\0\x01" + bytes(6) + bytes([192, 0, 2, 1]) + bytes(10)
    names = block(4, struct.pack("<HH", 1, 12) + bytes([192, 0, 2, 1]) + b"a.x.org\0" + bytes(4))
    data = pcapng(section(), interface(), names, *(enhanced(frame) for frame in [*frames(FULL), arp]))
    code, made, _, _ = copy(data, "-q", "--addresses")
    assert (code, bytes([192, 0, 2, 1]) in made) == (0, False)
    whole = getattr(job.Addresses, left)
    calls = iter([True])

    def once(self, new, *more):
        """The first time nothing is replaced; the check asks again."""
        data = bytes(new)
        whole(self, new, *more)
        if data != new and next(calls, False):
            new[:] = data

    monkeypatch.setattr(job.Addresses, left, once)
    code, made, _, err = copy(data, "-q", "--addresses")
    assert (code, made) == (70, None)
    assert "an address in frame" in err or "addresses that sent requests" in err
