"""The table as people see it."""

from __future__ import annotations

import io

import pytest

from leakscan.formats import Look
from leakscan.formats.table import Table
from leakscan.gate import Rules, judge
from leakscan.losses import Losses
from leakscan.model import Coverage
from leakscan.summary import Summary
from tests.leaks import DAY_NS, HERE, MINUTE_NS, START_NS, add, leak, run


def o2() -> Summary:
    """A small O2 case: a partner gets numbers all the time, everybody from 10 to 25 January 2012, 14:00."""
    losses = Losses()
    losses["tls"] += 4
    losses["http.head-cut"] += 1
    made = Summary(losses, Coverage(1200, 150_000, 130, 0, 4, 120_000, 90_000))
    fixed = START_NS + 15 * DAY_NS + 14 * 60 * MINUTE_NS
    for hour in range(-7 * 24, 22 * 24, 4):
        time_ns = START_NS + hour * 60 * MINUTE_NS
        number = f"4477009000{hour % 30:02d}"
        partner = hour % 5 == 0
        host = "agecheck.example" if partner else "www.news.example"
        if partner or START_NS <= time_ns < fixed:
            add(made, leak(number, time_ns=time_ns, host=host), time_ns)
        else:
            made.add_request(host=host, network=HERE, bearer="cellular", time_ns=time_ns)
        made.add_request(host="home.example", network=None, bearer="wifi", time_ns=time_ns)
    return made


def table(summary: Summary, look: Look = Look(), encoding: str = "utf-8") -> str:  # noqa: B008
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding)
    writer = Table(stream, look)
    writer.begin(run())
    writer.end(judge(summary.to_dict(), Rules()))
    stream.flush()
    return buffer.getvalue().decode(encoding)


O2 = """\
LEAK: MSISDN of at least 15 subscribers went in plain HTTP to 2 hosts from
2012-01-03 08:00 to 2012-01-31 16:00 UTC, from Testnet (GB 001-01), also
subscribers of Virtual Mobile (GB 999-99), on cellular: 110 leaks in 110 of 348
readable requests. Readable HTTP was 75 % of the TCP payload; 4 TLS connections
could not be read; some of what should have been read was not (see below).

By network, and whose subscribers they were
network                    requests  leaks  subscribers  bearers   evidence
Testnet (GB 001-01)             174    110           15  cellular  networks file
  of Virtual Mobile (GB                110           15            IMSI
999-99)
unattributed                    174      0            -  Wi-Fi

By host, the most subscribers first
host              requests  leaks  subscribers  since       until
www.news.example       139     75           12  2012-01-10  2012-01-25
agecheck.example        35     35            3  2012-01-03  2012-01-31
1 host without a leak

By header, cookie or parameter
severity  where                        what    leaks  subscribers  example
critical  header x-up-calling-line-id  MSISDN    110           15  44********20

Leaks by day, 2012-01-03 to 2012-01-31; the highest is 6
▂▂▃▂▂▂▂███████████████▇▂▂▂▂▃▂
^                           ^
^ first leak 2012-01-03 08:00, last leak 2012-01-31 16:00 (UTC)

What was examined
frames         1,200 (150,000 bytes)
TCP streams    130, of which TLS: 4
HTTP requests  348
examined       90,000 bytes of HTTP (75 % of the TCP payload)

What could not be seen
kind    loss           count  meaning
unread  http.head-cut      1  request heads cut short by the end of the capture
                              or stream; what was there was searched
other   tls                4  TLS connections (ClientHellos): encrypted, not
                              readable
unread: should have been read and was not. other: not HTTP, or read all the
same.

leakscan 0.1.0, values masked, key:c5rgmjft
"""


def test_o2() -> None:
    assert table(o2()) == O2


@pytest.mark.parametrize("width", [1, 40, 80, 100, 500])
def test_it_fits(width: int) -> None:
    text = table(o2(), Look(width=width))
    assert max(map(len, text.splitlines())) <= min(max(width, 40), 120)
    assert "\x1b" not in text


def test_a_long_host_is_whole_in_pieces() -> None:
    made = Summary()
    add(made, leak(host=f"{'a' * 50}.{'b' * 50}.example"))
    assert f"{'a' * 50}.{'b' * 50}.example" in "".join(line.partition(" ")[0] for line in table(made).split("\n"))


def test_color_only_when_asked() -> None:
    assert "\x1b[1;31mLEAK" in table(o2(), Look(color=True))


def test_a_stream_without_blocks_gets_ascii() -> None:
    text = table(o2(), encoding="ascii")
    assert "\n2232222888" in text
    assert text.isascii()


def test_live_leaks_come_one_by_one() -> None:
    stream = io.StringIO()
    writer = Table(stream, Look(live=True))
    writer.begin(run())
    writer.leak(leak())
    assert stream.getvalue() == (
        "2012-01-10 00:00:00 critical MSISDN 44********23 in header x-up-calling-line-id to www.news.example "
        "from ip:s6mqpz7jciig (Testnet (GB 001-01), cellular)\n"
    )


def test_a_disguise_is_shown() -> None:
    made = Summary()
    add(made, leak(encoding=("base64", "hex")))
    assert "MSISDN (base64 > hex)" in table(made, Look(width=120))
    stream = io.StringIO()
    writer = Table(stream, Look(live=True))
    writer.begin(run())
    writer.leak(leak(encoding=("base64", "hex")))
    assert "critical MSISDN (base64 > hex) 44********23 in header" in stream.getvalue()


def test_the_sentence_comes_first() -> None:
    first = table(o2()).splitlines()[:5]
    assert first[0].startswith("LEAK: MSISDN of at least 15 subscribers")
    assert first[-1] == "could not be read; some of what should have been read was not (see below)."
