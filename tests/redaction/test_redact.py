"""`leakscan redact`: what becomes of every corner of a capture, and of what cannot be replaced."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path

import pytest

from fixtures.wire import ACK, PSH, SYN, TCP, Connection, Trace, ethernet, ip, over_ip, udp
from leakscan import cli
from leakscan.redaction import job
from leakscan.redaction.records import pieces
from tests.builders import block, enhanced, interface, option, pcap, pcapng, section
from tests.golden import CAPTURES, KEY, ROOT
from tests.redaction.test_any_cut import wrong_checksums
from tests.streams import SERVER, frames, request
from tests.streams import tcp as segment

NUMBER, OTHER, IMSI = "447700900123", "447700900456", "001010123456789"
LEAK = request("/a", f"x-up-calling-line-id: {NUMBER}")


@pytest.fixture
def copy(tmp_path, capsys):
    """Redacts a capture given as bytes: exit code, the copy (None if there is none), stdout, stderr."""

    def make(data: bytes, *flags: str, name: str = "in") -> tuple[int, bytes | None, str, str]:
        path, out = tmp_path / name, tmp_path / "out"
        path.write_bytes(data)
        out.unlink(missing_ok=True)
        code = cli.run(["redact", *flags, str(path), str(out)])
        captured = capsys.readouterr()
        return code, out.read_bytes() if out.exists() else None, captured.out, captured.err

    return make


def read(capsys, *arguments: str) -> list[dict]:
    cli.run(list(arguments))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def leaks(capsys, path: Path, *flags: str) -> list[dict]:
    return read(capsys, "analyse", "-q", "-f", "jsonl", "--show-values", *flags, str(path))[1:-1]


# -- the fixtures ----------------------------------------------------------------------------------------------------


#: One has a body that is compressed. Words of a gateway (Prepaid, GPRS, a node's name) are scrambled into ones that nobody
#: knows, so the copy of another leaks its numbers again, and not these.
WHOLE = [path for path in CAPTURES if path.stem not in ("disguises", "wap-gateway")]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_the_copy_of_a_fixture_leaks_as_much_and_only_fakes(path, tmp_path, capsys):
    """The same requests but for the values; the same leaks, of as many people, and none of their numbers."""
    out = tmp_path / path.name
    assert cli.run(["redact", "-q", str(path), str(out)]) in (0, 3)
    capsys.readouterr()
    before, after = (read(capsys, "requests", "-q", str(one)) for one in (path, out))
    for old, new in zip(before, after, strict=True):
        different = {key for key in old if old[key] != new[key]}
        assert different <= {"target", "headers", "capture"}
        assert [name for name, _ in old["headers"]] == [name for name, _ in new["headers"]]
        assert [len(value or "") for _, value in old["headers"]] == [len(value or "") for _, value in new["headers"]]
    found, again = leaks(capsys, path), leaks(capsys, out)
    same = ("time", "frame", "host", "place", "name", "rule", "identifier", "confidence", "encoding")
    assert [[leak[key] for key in same] for leak in found] == [[leak[key] for key in same] for leak in again]
    values = {(leak["identifier"], leak["value"]) for leak in found}
    fakes = {(leak["identifier"], leak["value"]) for leak in again}
    assert len(values) == len(fakes)
    assert not values & fakes
    assert wrong_checksums(path) == wrong_checksums(out)
    data = out.read_bytes()
    assert not [value for _, value in values if value.encode() in data]
    assert len(data) <= path.stat().st_size
    assert out.stat().st_mode & 0o777 == 0o600


def test_the_copy_of_a_gateways_capture_has_as_many_people(tmp_path, capsys):
    path, out = ROOT / "fixtures" / "wap-gateway.pcap", tmp_path / "out"
    assert cli.run(["redact", "-q", str(path), str(out)]) == 0
    capsys.readouterr()
    found, again = (
        [(leak["frame"], leak["name"], leak["value"]) for leak in leaks(capsys, one) if leak["severity"] == "critical"]
        for one in (path, out)
    )
    assert [leak[:2] for leak in found] == [leak[:2] for leak in again]
    assert len({leak[2] for leak in found}) == len({leak[2] for leak in again}) == 6
    assert not {leak[2] for leak in found} & {leak[2] for leak in again}


def test_disguises_are_put_on_again(tmp_path, capsys):
    """Every encoding around the fake that was around the number; the request with the compressed body is left out."""
    path, out = ROOT / "fixtures" / "disguises.pcap", tmp_path / "out"
    assert cli.run(["redact", str(path), str(out)]) == 1
    assert "a body compressed with deflate" in capsys.readouterr().err
    assert cli.run(["redact", "-q", "--drop-unredactable", str(path), str(out)]) == 0
    found, again = leaks(capsys, path), leaks(capsys, out)
    same = ("time", "frame", "place", "name", "rule", "confidence", "encoding")
    assert [[leak[key] for key in same] for leak in found] == [[leak[key] for key in same] for leak in again]
    assert {tuple(leak["encoding"]) for leak in again} >= {
        ("base64", "hex"),
        ("reversed",),
        ("percent", "json"),
        ("jwt",),
    }
    assert not {leak["value"] for leak in found} & {leak["value"] for leak in again}
    assert len({leak["value"] for leak in found}) == len({leak["value"] for leak in again})


def test_bodies_of_requests(copy, tmp_path, capsys):
    """A form and JSON: what is in them is found, and replaced; a short value where it stands."""
    form = request(
        "/f",
        "Content-Type: application/x-www-form-urlencoded",
        method="POST",
        body=b"mcc=234&msisdn=447700900123&x=234",
    )
    text = request("/j", "Content-Type: application/json", method="POST", body=b'{"imsi":"001010123456789","n":234}')
    code, made, _, _ = copy(pcap(frames(form + text)), "-q")
    assert code == 0
    assert not any(value in made for value in (NUMBER.encode(), IMSI.encode(), b"mcc=234"))
    assert b"&x=234" in made
    assert b'"n":234}' in made
    found = leaks(capsys, tmp_path / "out", "--bodies", "--min-confidence", "hint")
    assert {leak["identifier"] for leak in found} >= {"msisdn", "imsi"}


def test_the_same_key_gives_the_same_copy(copy):
    whole = pcap(frames(LEAK))
    one, two = (copy(whole, "-q", "--pseudonym-key", str(ROOT / KEY))[1] for _ in range(2))
    assert one == two
    assert copy(whole, "-q")[1] != copy(whole, "-q")[1]


# -- where a number may stand ----------------------------------------------------------------------------------------


def server(data: bytes, seq: int = 7000) -> bytes:
    """A segment of the server's."""
    head = struct.pack("!HHIIBBHHH", 80, 40000, seq, 1, 0x50, ACK | PSH, 65535, 0, 0)
    return ethernet(ip(SERVER, "192.0.2.1", TCP, over_ip(SERVER, "192.0.2.1", TCP, head + data, 16)), False)


def swapped(digits: str) -> bytes:
    return bytes.fromhex("".join(digits[at + 1] + digits[at] for at in range(0, len(digits), 2)))


@pytest.mark.parametrize(
    "place",
    [
        server(f"<p>You are {NUMBER}</p>".encode()),
        server(f'{{"msisdn":"+{NUMBER}"}}'.encode()),
        ethernet(udp("192.0.2.1", 5000, "203.0.113.53", 53, NUMBER.encode()), True),
        ethernet(udp("192.0.2.1", 2123, "203.0.113.1", 2123, b"\x48\x20" + swapped(NUMBER)), True),
        ethernet(ip("192.0.2.1", "203.0.113.1", 1, b"\x08\0\0\0" + NUMBER.encode()), True),
        ethernet(segment(5000, b"not HTTP at all " + NUMBER.encode(), port=555), True),
        b"\xff" * 12 + b"\x88\xb5" + NUMBER.encode() + bytes(40),
        ethernet(b"\x47" + ip("192.0.2.1", "203.0.113.1", 17, b"")[1:20] + b"\x94\x08" + NUMBER.encode()[:6], True),
    ],
    ids=["answer", "JSON", "DNS port", "GTP-C", "ping", "other TCP", "no IP at all", "cut options"],
)
def test_wherever_it_stands(copy, place):
    code, made, _, _ = copy(pcap([*frames(LEAK), place]), "-q")
    assert code == 0
    assert made is not None
    assert NUMBER.encode() not in made
    assert swapped(NUMBER) not in made
    assert len(made) == len(pcap([*frames(LEAK), place]))


def test_ip_options_are_no_obstacle(copy, tmp_path):
    """A time stamp option before the TCP header, and the header's checksum with it."""
    packets = []
    for frame in frames(LEAK):
        packet = frame[14 : 14 + int.from_bytes(frame[16:18])]
        head = (
            bytes([0x48]) + packet[1:2] + struct.pack("!H", len(packet) + 12) + packet[4:10] + b"\0\0" + packet[12:20]
        )
        head += b"\x44\x0c\x05\x00" + bytes(8)
        packets.append(ethernet(head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + packet[20:], True))
    assert copy(pcap(packets), "-q")[0] == 0
    assert wrong_checksums(tmp_path / "out") == []
    assert NUMBER.encode() not in (tmp_path / "out").read_bytes()


def _checksum(data: bytes) -> int:
    from fixtures.wire import checksum

    return checksum(data)


def test_a_number_over_two_segments_and_the_copies_of_either_half(copy, tmp_path):
    """Cut inside the number, out of order, and each half sent again later, cut otherwise."""
    at = LEAK.index(NUMBER.encode()) + 5
    parts = [(at, LEAK[at:]), (0, LEAK[:at]), (at - 3, LEAK[at - 3 : at + 2]), (at, LEAK[at : at + 4])]
    packets = [segment(999, flags=SYN), *(segment(1000 + offset, data) for offset, data in parts)]
    code, made, _, _ = copy(pcap([ethernet(packet, True) for packet in packets]), "-q")
    assert code == 0
    (fake,) = {row["headers"][1][1] for row in _requests(tmp_path / "out")}
    head = LEAK.replace(NUMBER.encode(), fake.encode())
    payloads = [
        piece.frame_bytes[54:][: len(data)] for piece, (_, data) in zip(_frames(tmp_path)[1:], parts, strict=True)
    ]
    assert payloads == [head[offset : offset + len(data)] for offset, data in parts]
    assert made is not None


def _frames(folder: Path) -> list:
    return [piece for piece in pieces(str(folder / "out")) or () if piece.frame]


def _requests(path: Path) -> list[dict]:
    from leakscan.losses import Losses
    from leakscan.reading import Reading
    from leakscan.series import series

    losses = Losses()
    return [{"headers": m.headers, "target": m.target} for m in Reading(series([str(path)], losses), losses).messages()]


def test_comments_names_and_other_blocks(copy):
    """pcapng says much beside the packets."""
    packets = [enhanced(frame) for frame in frames(LEAK)]
    data = pcapng(
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1, f"phone {NUMBER}".encode()) + option(0, b"")),
        interface(name=f"rmnet-{NUMBER}"),
        block(4, struct.pack("<HH", 1, 30) + bytes([192, 0, 2, 1]) + f"sim-{NUMBER}.example\0".encode().ljust(26, b"\0") + bytes(2) + bytes(4)),
        *packets[:-1],
        enhanced(frames(LEAK)[-1], options=option(1, f"here is {NUMBER}".encode()) + option(0, b"")),
        block(0x0BAD, struct.pack("<I", 32473) + NUMBER.encode()),
        block(9, f"MESSAGE=modem {NUMBER}".encode()),
    )  # fmt: skip
    code, made, _, _ = copy(data, "-q")
    assert code == 0
    assert made is not None
    assert (len(made), NUMBER.encode() in made) == (len(data), False)
    kinds = [struct.unpack_from("<I", piece.data)[0] for piece in pieces_of(made)]
    assert kinds == [struct.unpack_from("<I", piece.data)[0] for piece in pieces_of(data)]


def pieces_of(data: bytes) -> list:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return list(pieces(file.name) or ())


def test_a_short_value_is_replaced_where_it_stands_and_nowhere_else(copy, tmp_path):
    data = request("/?a=1&b=1", "x-roaming: 1", "X-Other: 1", "Content-Length: 1", method="POST") + b"1"
    assert copy(pcap(frames(LEAK + data)), "-q")[0] == 0
    row = _requests(tmp_path / "out")[1]
    headers = dict(row["headers"])
    assert (row["target"], headers["X-Other"], headers["Content-Length"]) == ("/?a=1&b=1", "1", "1")
    assert headers["x-roaming"] != "1"


def test_what_describes_a_device_stays(copy, tmp_path):
    line = 'x-wap-profile: "http://uaprof.handsets.example/p.xml"'
    assert copy(pcap(frames(request("/a", line))), "-q")[0] == 0
    assert dict(_requests(tmp_path / "out")[0]["headers"])["x-wap-profile"] == line.partition(": ")[2]


def test_somebody_else_s_value_where_nobody_looks_for_it(copy, tmp_path):
    """Found under one name; beside another's in a cookie that is replaced as a whole, and as the cookie's name."""
    data = request("/a", f"X-MSISDN: {NUMBER}", f"Cookie: msisdn={OTHER}-{NUMBER}-1; {NUMBER}={OTHER}; imsi={IMSI}")
    code, made, _, _ = copy(pcap(frames(data)), "-q")
    assert code == 0
    assert not any(number.encode() in made for number in (NUMBER, OTHER, IMSI))
    assert wrong_checksums(tmp_path / "out") == []


# -- known values ----------------------------------------------------------------------------------------------------


def test_known_values_are_replaced_wherever_they_are(copy, tmp_path):
    """One under a name that nobody knows, one hashed, one in an answer only."""
    import hashlib

    (tmp_path / "known.toml").write_text(
        f'[[known]]\nkind = "msisdn"\nvalue = "+{NUMBER}"\n[[known]]\nkind = "imsi"\nvalue = "{IMSI}"\n'
        f'[[known]]\nkind = "msisdn"\nvalue = "+{OTHER}"\n'
    )
    digest = hashlib.sha1(OTHER.encode()).hexdigest()
    data = [
        *frames(request("/a", f"X-Nobody: a{NUMBER[:0]} {NUMBER}", f"X-Hash: {digest}")),
        server(b"hello " + IMSI.encode()),
    ]
    code, made, _, _ = copy(pcap(data), "--known", str(tmp_path / "known.toml"))
    assert code == 0
    assert made is not None
    assert not any(text.encode() in made for text in (NUMBER, IMSI, OTHER, digest))
    headers = dict(_requests(tmp_path / "out")[0]["headers"])
    assert len(headers["X-Hash"]) == 40
    assert headers["X-Nobody"].startswith("a 447700900")
    made = copy(pcap(data), "-q")[1]  # without the file the hash and the answer are not known
    assert IMSI.encode() in made
    assert digest.encode() in made


# -- addresses -------------------------------------------------------------------------------------------------------


def test_addresses_if_that_is_asked_for(copy, tmp_path):
    arp = (
        b"\xff" * 6
        + bytes(6)
        + b"\x08\x06\0\x01\x08\0\x06\x04\0\x01"
        + bytes(6)
        + bytes([192, 0, 2, 1])
        + bytes(6)
        + bytes([203, 0, 113, 80])
    )
    names = block(4, struct.pack("<HH", 1, 12) + bytes([192, 0, 2, 1]) + b"a.x.org\0" + bytes(4))
    text = server(b"your address is 192.0.2.1, not 192.0.2.10")
    data = pcapng(section(), interface(), names, *(enhanced(frame) for frame in [*frames(LEAK), arp, text]))
    assert copy(data, "-q")[1].count(bytes([192, 0, 2, 1])) == data.count(bytes([192, 0, 2, 1])) > 3
    code, made, out, _ = copy(data, "--addresses")
    assert code == 0
    assert "addresses of subscribers: 1" in out
    assert bytes([192, 0, 2, 1]) not in made
    assert b"192.0.2.1," not in made
    assert b"not 192.0.2.10" in made
    assert made.count(bytes([203, 0, 113, 80])) == data.count(bytes([203, 0, 113, 80]))
    assert wrong_checksums(tmp_path / "out") == []
    assert len(_requests(tmp_path / "out")) == 1


@pytest.mark.parametrize("units", [1, 2, 3])
def test_addresses_in_fragments_and_ipv6(copy, tmp_path, units):
    """Of 8 or 16 octets, too: then TCP's checksum is not in the first one."""
    from tests.redaction.test_any_cut import _fragments

    fragments = [
        ethernet(part, True)
        for n, frame in enumerate(frames(LEAK))
        for part in _fragments(frame[14 : 14 + int.from_bytes(frame[16:18])], units, n)
    ]
    code, made, _, _ = copy(pcap(fragments), "-q", "--addresses")
    assert code == 0
    assert bytes([192, 0, 2, 1]) not in made
    assert wrong_checksums(tmp_path / "out") == []
    six = (ROOT / "fixtures" / "ipv6.pcap").read_bytes()
    code, made, _, _ = copy(six, "-q", "--addresses")
    assert code == 0
    assert bytes.fromhex("20010db8000100000000000000000077") not in made
    assert wrong_checksums(tmp_path / "out") == []


# -- what cannot be replaced -----------------------------------------------------------------------------------------


def answer(body: bytes, *lines: bytes) -> list[bytes]:
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *lines, b"", b""])
    whole = head + body
    return [server(whole[at : at + 50], 7000 + at) for at in range(0, len(whole), 50)]


def chunked(*parts: bytes) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [server(head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")]


def in_fragments(packets: list[bytes]) -> list[bytes]:
    from tests.redaction.test_any_cut import _fragments

    return [ethernet(part, False) for n, frame in enumerate(packets, 500) for part in _fragments(frame[14:], 3, n)]


PAGE = b"<p>You are " + NUMBER.encode() + b"</p>" * 9
GZIP = answer(gzip.compress(PAGE, mtime=0), b"Content-Encoding: gzip")
STOPS = {
    "gzip": (GZIP, "a body compressed with gzip"),
    "deflate": (answer(zlib.compress(PAGE), b"Content-Encoding: deflate"), "a body compressed with deflate"),
    "bare deflate": (answer(zlib.compress(PAGE)[2:-4], b"Content-Encoding: deflate"), "a body compressed with deflate"),
    "out of order": ([GZIP[0], *reversed(GZIP[1:])], "a body compressed with gzip"),
    "sent again": ([GZIP[0], *GZIP[:3], *GZIP], "a body compressed with gzip"),
    "in fragments": (in_fragments(GZIP), "a body compressed with gzip"),
    "chunks": (chunked(b"you are 4477009", b"00123, it seems"), "cut in two by the chunks"),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_cannot_be_replaced_stops_it(copy, case):
    packets, why = STOPS[case]
    code, made, out, err = copy(pcap([*frames(LEAK), *packets]))
    assert (code, made, out) == (1, None, "")
    assert why in err
    assert "nothing was written" in err
    assert NUMBER not in err


@pytest.mark.parametrize("case", STOPS)
def test_or_its_packets_are_left_out(copy, case, tmp_path):
    packets, why = STOPS[case]
    data = pcap([*frames(LEAK), *packets, server(b"more", 9000)])
    code, made, out, _ = copy(data, "--drop-unredactable")
    assert code == 0
    assert why in out
    assert made is not None
    left = [piece.frame_bytes for piece in pieces_of(made)[1:]]
    kept = [piece.frame_bytes for piece in pieces_of(data)[1:]]
    assert left[-1] == kept[-1]
    assert len(frames(LEAK)) + 1 <= len(left) < len(kept)
    if "compressed" in why:  # nobody puts the beginning of it together from what is left
        assert b"\x1f\x8b\x08" not in made
    assert len(_requests(tmp_path / "out")) == 1


def test_plain_bodies_are_edited_also_in_chunks(copy):
    code, made, _, _ = copy(pcap([*frames(LEAK), *answer(PAGE), *chunked(b"you are ", NUMBER.encode())]), "-q")
    assert (code, NUMBER.encode() in made) == (0, False)


def test_bodies_that_cannot_be_looked_into_are_said(copy):
    packets = answer(b"\x1b\x0c\0\0 brotli or what", b"Content-Encoding: br")
    code, _, out, _ = copy(pcap([*frames(LEAK), *packets]))
    assert code == 0
    assert "1 HTTP body compressed so that they cannot be looked into" in out


def test_a_bomb_is_not_looked_into_for_long(copy):
    packets = answer(gzip.compress(bytes(60_000_000), 9), b"Content-Encoding: gzip")
    code, _, out, _ = copy(pcap([*frames(LEAK), *packets]))
    assert (code, "1 HTTP body" in out) == (0, True)


def test_decryption_secrets_give_away_what_leakscan_cannot_see(copy):
    secrets = block(10, struct.pack("<II", 0x544C534B, 9) + b"CLIENT_RA\0\0\0")
    data = pcapng(section(), interface(), secrets, *(enhanced(frame) for frame in frames(LEAK)))
    code, made, _, err = copy(data)
    assert (code, made, "decryption secrets" in err) == (1, None, True)
    code, made, out, _ = copy(data, "--drop-unredactable")
    assert (code, b"CLIENT_RA" in made, "decryption secrets" in out) == (0, False, True)


def test_the_check_of_the_copy_is_a_real_one(copy, tmp_path, monkeypatch, capsys):
    """With an edit left out nothing is written."""
    monkeypatch.setattr(job.Edits, "by_piece", lambda self: iter(()))
    code, made, _, err = copy(pcap(frames(LEAK)))
    assert (code, made) == (70, None)
    assert "did not pass its check" in err
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


# -- the rest --------------------------------------------------------------------------------------------------------


def test_what_it_says(copy):
    trace = Trace()
    link = Connection(trace, "192.0.2.9", 40009, "203.0.113.1", 443, 0, 1)
    link.open()
    link.ask(b"\x16\x03\x01\0\x40\x01" + bytes(64))
    data = [
        *frames(LEAK + request("/b", f"X-IMSI: {IMSI}", f"X-MSISDN: {OTHER}")),
        *(frame for _, frame in trace.frames),
    ]
    code, _, out, err = copy(pcap([*data, ethernet(udp("192.0.2.1", 1, "192.0.2.2", 2, b""), True)]))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "replaced      IMSI: 1 identifier, found 1 time",
        "replaced      MSISDN: 2 identifiers, found 2 times",
        "changed       1 packet",
        "passed        tls 1: TLS connections (ClientHellos): encrypted, not readable",
        "passed        udp 1: UDP datagrams: DNS, QUIC, VoIP ...",
    ]


def test_a_damaged_capture_is_copied_as_far_as_it_was_read(copy):
    whole = pcap(frames(LEAK + LEAK, [60, 120]))
    code, made, _, err = copy(whole[:-7])
    assert (code, "file.cut" in err) == (3, True)
    assert NUMBER.encode() not in made
    assert NUMBER[:8].encode() not in made[-60:]
    assert len(made) < len(whole) - 7


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_in_is_not_changed_and_out_is_plain(copy, tmp_path, pack):
    data = pack(pcap(frames(LEAK)))
    code, made, _, _ = copy(data, "-q")
    assert (code, (tmp_path / "in").read_bytes()) == (0, data)
    assert made[:4] == pcap([])[:4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "{d}/out"], "redact reads a file"),
        (["{d}", "{d}/out"], "redact reads a file"),
        (["{d}/missing", "{d}/out"], "missing"),
        (["{d}/in", "{d}/in"], "same file"),
        (["{d}/in", "/dev/null"], "name a file"),
        (["{d}/in", "{d}/no/such/out"], "no/such"),
        (["{d}/text", "{d}/out"], "neither pcap nor pcapng"),
        (["--known", "{d}/missing.toml", "{d}/in", "{d}/out"], "missing.toml"),
        (["--pseudonym-key", "{d}/text", "{d}/in", "{d}/out"], "text"),
        (["{d}/in"], "OUT"),
    ],
)
def test_usage(tmp_path, capsys, arguments, words):
    (tmp_path / "in").write_bytes(pcap(frames(LEAK)))
    (tmp_path / "text").write_bytes(b"no capture")
    code = cli.run(["redact", *(argument.format(d=tmp_path) for argument in arguments)])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert words in captured.err
    assert not (tmp_path / "out").exists()


def test_too_many_identifiers_are_an_error_and_no_partial_copy(copy, monkeypatch):
    monkeypatch.setattr("leakscan.redaction.finding.MAX_IDENTITIES", 1)
    code, made, _, err = copy(pcap(frames(LEAK + request("/b", f"X-MSISDN: {OTHER}"))))
    assert (code, made, "cut the capture into pieces" in err) == (2, None, True)
