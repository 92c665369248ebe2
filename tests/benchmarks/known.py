"""What known values cost: detection of clean requests with none of them, one, a thousand, ten thousand.

    python -m tests.benchmarks.known [ROUNDS]      some minutes

In: nothing. Out: a table of processor time a request, from the head to the summary, the least of all rounds; the
settings take turns within a round. Two kinds of clean requests: those of the generated traffic (traffic.py), and
requests full of ids: session cookies, time stamps, tokens in base64, none of which comes twice.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
import tracemalloc
from collections import deque
from pathlib import Path
from random import Random

from leakscan.known import Known
from leakscan.known.file import Entry
from leakscan.losses import Losses
from leakscan.model import Coverage, Head
from leakscan.protocols import Http1
from leakscan.spine import Scan, Settings
from tests.benchmarks.bench_stages import Recorded
from tests.benchmarks.breakdown import Given
from tests.streams import chunk, request

COUNTS = (0, 1, 1000, 10_000)
REQUESTS = 2000


def entries(count: int) -> tuple[Entry, ...]:
    """Phone numbers, IMSIs, IMEIs and e-mail addresses, from reserved ranges as far as these go."""
    random, made = Random(count), {}
    while len(made) < count:
        number = len(made) + 1
        kind = ("msisdn", "msisdn", "msisdn", "imsi", "imei", "email")[number % 6]
        digits = f"{random.randrange(10**10):010d}"
        value = {"msisdn": f"447700{digits[:6]}", "imsi": f"00101{digits}", "imei": f"0010{digits}"}.get(kind, "")
        value = value or f"user{number}@mail.example"
        made.setdefault((kind, value), Entry(number, kind, value, value, "", (), ()))
    return tuple(made.values())


def clean(kind: str) -> list[Head]:
    if kind == "full of ids":
        random = Random(2012)
        raw = b"".join(
            request(
                f"/ads/{random.randrange(10**8)}/view.gif?cb={random.randrange(10**12, 10**13)}&u=http%3A%2F%2Fwww.example%2F",
                "User-Agent: Mozilla/5.0 (Linux; Android 4.0.3; GT-I9100) AppleWebKit/534.30 (KHTML, like Gecko)",
                "Accept-Encoding: gzip, deflate",
                f"Referer: http://www.example/{random.randbytes(8).hex()}/index.html",
                f"Cookie: _ga=GA1.2.{random.randrange(10**9)}.1326153600; PHPSESSID={random.randbytes(16).hex()}; "
                f"id={base64.b64encode(random.randbytes(24)).decode()}; t={random.randrange(10**9, 10**10)}",
            )
            for _ in range(REQUESTS)
        )
        return list(Http1(Coverage(), Losses()).heads([chunk(raw)]))
    with tempfile.TemporaryDirectory() as folder:
        heads = Recorded(Path(folder) / "x.pcap", "http").heads
    return [head for head in heads if b"\nx-up" not in head.raw]


def seconds(heads: list[Head], known: Known | None) -> float:
    settings = Settings(pseudonym_key=bytes(16), known=known)
    scan = Scan(Given(heads, Losses(), Coverage()), [], settings)
    began = time.process_time()
    deque(scan.leaks(), maxlen=0)
    taken = time.process_time() - began
    assert not scan.summary.total.leaks
    return taken


def main(rounds: int) -> None:
    known: dict[int, Known | None] = {0: None}
    for count in COUNTS[1:]:
        values = entries(count)
        began = time.process_time()
        known[count] = Known(values)
        taken = time.process_time() - began
        tracemalloc.start()
        again = Known(values)
        print(f"{count:,} values: compiled in {taken:.2f} s, {tracemalloc.get_traced_memory()[0] / 1e6:.1f} MB")
        tracemalloc.stop()
        del again
    for kind in ("generated", "full of ids"):
        heads = clean(kind)
        least = dict.fromkeys(COUNTS, 1e9)
        for _ in range(rounds):
            for count in COUNTS:
                least[count] = min(least[count], seconds(heads, known[count]))
        size = sum(len(head.raw) for head in heads) / len(heads)
        print(f"\n{kind}: {len(heads):,} clean requests of {size:,.0f} bytes\n")
        print("| known values | a request | more |\n| ---: | ---: | ---: |")
        for count in COUNTS:
            more = least[count] / least[0] - 1
            print(f"| {count:,} | {least[count] / len(heads) * 1e6:.1f} us | {more:+.0%} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
