"""Real captures: as many frames as tshark finds in them, or a reason.

`LEAKSCAN_CORPORA` names the folder: `manifest.tsv` with the columns `file`, `packets` (tshark's count, `?` where it
refuses the file) and `format`, and the captures in `files/`.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from leakscan.losses import Losses
from leakscan.sources import open_capture

CORPORA = os.environ.get("LEAKSCAN_CORPORA")
pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not CORPORA, reason="needs LEAKSCAN_CORPORA to name a folder of captures"),
]

#: Formats that are recognised at most, never read: no frame, and `file.not-a-capture`.
NOT_READ = {"erf", "hcidump", "i4btrace", "mime", "ngsniffer", "ngwsniffer_2_0", "pppd", "snoop"}

#: file -> frames and losses, where tshark counts otherwise, and why.
DIFFERENT: dict[str, tuple[int, dict[str, int], str]] = {
    "pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5766899836387328": (
        1,
        {},
        "a fuzzed file of one record; tshark guesses Red Hat's longer record header, and then finds it cut",
    ),
    "tcpdump__juniper_es_oobr.pcap": (1, {}, "tshark refuses the reserved bits of the link type field"),
    "tcpdump__vtp_asan-2.pcap": (1, {}, "tshark refuses the link type"),
    "tcpdump__vtp_asan-3.pcap": (1, {}, "tshark refuses the link type"),
    "wireshark-wiki__Development__PcapNg__test007.ntar": (
        1,
        {},
        "both lengths of the packet block are 139, padded to 140; tshark looks for the second one too early",
    ),
}

#: Files that tshark refuses for damage; the frames before it are read all the same.
DAMAGED = {
    "gopacket__pcapgo__tests__be__test901.pcapng": 1,
    "gopacket__pcapgo__tests__le__test901.pcapng": 1,
    "libpcap__pcap-invalid-version-1.pcap": 0,
    "libpcap__pcapng-invalid-vers-1.pcapng": 0,
    "libpcap__pcapng-invalid-vers-2.pcapng": 0,
    "pcapdroid__app__src__main__jni__tests__pcap__crash-593ec6ead7a1bf23faa96d03cbd74c315bcf67fc": 1,
    "pcapplusplus__clusterfuzz-testcase-FuzzTarget-5188876846235648": 1,
    "pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5717750942269440": 2,
    "pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5723611632762880": 1,
    "pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5755755617189888": 2,
    "pcapplusplus__radiuslayer": 5,
    "suricata-verify__bug-1450-04__tls_DER-incomplete-header.pcap": 6,
    "suricata-verify__bug-6875-01__fuzz.pcap": 1,
    "wireshark-wiki__Development__PcapNg__http.bigendian.ntar": 0,
}


def rows() -> list[dict[str, str]]:
    with (Path(CORPORA or "") / "manifest.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def read(row: dict[str, str]) -> tuple[int, Losses]:
    losses = Losses()
    count = last = 0
    for batch in open_capture(str(Path(CORPORA or "") / "files" / row["file"]), losses):
        assert batch.first_frame > last
        count += len(batch.start)
        last = batch.first_frame + len(batch.start) - 1
        assert int((batch.start + batch.captured).max()) <= len(batch.buffer)
        assert (batch.captured <= batch.wire).all()
    return count, losses


def expected(row: dict[str, str]) -> tuple[int, dict[str, int] | None]:
    """Frames, and losses where they are known beforehand."""
    if row["file"] in DIFFERENT:
        return DIFFERENT[row["file"]][:2]
    if row["file"] in DAMAGED:
        return DAMAGED[row["file"]], {"file.damaged": 1}
    if row["format"] in NOT_READ:
        return 0, {"file.not-a-capture": 1}
    return int(row["packets"]), None


def test_as_many_frames_as_tshark() -> None:
    wrong = {}
    found = rows()
    assert len(found) > 100
    for row in found:
        count, losses = read(row)
        wanted, wanted_losses = expected(row)
        if count != wanted or (wanted_losses is not None and losses != wanted_losses):
            wrong[row["file"]] = (count, wanted, dict(losses))
    assert not wrong


def test_what_is_lost() -> None:
    """Only what the tables above say and, of the captures that tshark reads, cut ends and blocks without packets."""
    total: Counter[str] = Counter()
    for row in rows():
        losses = read(row)[1]
        if expected(row)[1] is None:
            total.update(losses)
            cut = "cut short" in row["notes"]
            assert (losses["file.cut"] == 1) == cut, row["file"]
    assert set(total) <= {"file.cut", "block.unknown", "time.out-of-range", "capture.dropped"}
