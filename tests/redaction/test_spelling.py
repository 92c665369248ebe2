"""A field's text with another value in it: every encoding, the same length, and the detectors find the fake in it."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakscan.detectors import detect
from leakscan.losses import Losses
from leakscan.model import Field
from leakscan.redaction.spelling import ENCODERS, _decoders, rewritten, substituted

OLD, NEW = "447700900123", "447700900777"


def found(text: str) -> tuple[str, str, tuple[str, ...]]:
    (match,) = detect([Field("header", "X-MSISDN", text)], Losses())
    return match.value, match.normal, match.encoding


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


JWT = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"HS256"}', json.dumps({"msisdn": OLD}), "a signature of it")
)
WRAPPED = [
    OLD,
    f"+{OLD}",
    f"00{OLD}",
    "+44 (0) 7700-900 123".replace("(0) ", ""),
    f"tel:+{OLD}",
    f"{OLD}, 192.0.2.1",
    f'"{OLD}"',
    f"{OLD};1326153600",
    "".join(f"%{ord(char):02X}" for char in OLD),
    f"%2B{OLD}",
    "%253" + "4" + OLD[1:],
    b64(OLD),
    b64(f"+{OLD}"),
    b64(OLD).rstrip("="),
    b64(b64(OLD)),
    OLD.encode().hex(),
    OLD.encode().hex().upper(),
    "0x" + OLD.encode().hex(),
    ":".join(f"{ord(char):02x}" for char in OLD),
    b64(OLD.encode().hex()),
    json.dumps({"a": 1, "msisdn": OLD}),
    json.dumps({"msisdn": b64(OLD)}),
    json.dumps({"msisdn": "\u0434" + OLD})[:-2].replace("\\u0434", "") + '"}',
    '{"msisdn":"\\u0034' + OLD[1:] + '"}',
    JWT,
    f"msisdn={OLD};imsi=x",
    "x&msisdn=%34" + OLD[1:],
    OLD[::-1],
]


@pytest.mark.parametrize("text", WRAPPED)
def test_the_fake_is_found_where_the_number_was(text):
    value, normal, chain = found(text)
    assert normal == OLD
    made = rewritten(text, value, NEW[-len(value) :], chain)
    assert made is not None
    assert len(made) == len(text)
    assert found(made) == (value.replace(OLD[-3:], NEW[-3:]), NEW, chain)
    assert OLD not in made


def test_tbcd_with_and_without_what_stands_before_it():
    old, new = "44770090012", "44770090099"
    for text in ("44770009" + "10F2", "91" + "4477000910F2", "4477000910f2"):
        chain = ("tbcd",)
        plain = next(plain for decode in _decoders("tbcd") if (plain := decode(text)))
        made = rewritten(text, plain, plain[:-2] + "99", chain)
        assert made is not None
        assert (len(made), made[-2].isupper(), old in made, new in made) == (
            len(text),
            text[-2].isupper(),
            False,
            False,
        )


def test_every_encoding_has_a_way_back():
    from leakscan.detectors.encodings import DECODERS, GUESSES

    assert {name for name, _ in (*DECODERS, *GUESSES)} <= set(ENCODERS)


@given(
    st.text("0123456789", min_size=11, max_size=15),
    st.text("0123456789", min_size=15, max_size=15),
    st.lists(st.sampled_from(["percent", "base64", "hex", "reversed"]), max_size=3),
    st.sampled_from(["{}", "+{}", "id={};x=y", "<{}>"]),
)
def test_any_encodings_inside_each_other(old, new, chain, around):
    new = new[: len(old)]
    text = around.format(old)
    for name in reversed(chain):
        if name == "percent":
            text = "".join(f"%{ord(char):02x}" for char in text)
        elif name == "base64":
            text = b64(text)
        elif name == "hex":
            text = text.encode().hex()
        else:
            text = text[::-1]
    if plainly(text, chain) is None:  # a decoder does not take the text for its own (a reversed list, say)
        return
    made = rewritten(text, old, new, tuple(chain))
    if made is None:
        return
    assert len(made) == len(text)
    assert plainly(made, chain) == around.format(new)


def plainly(text, chain):
    """The text without its encodings; None when one of them is not seen."""
    for name in chain:
        if name == "reversed":  # the decoder takes words alone, and this may have brackets around them
            text = text[::-1]
        else:
            text = next((plain for decode in _decoders(name) if (plain := decode(text)) is not None), None)
        if text is None:
            return None
    return text


@pytest.mark.parametrize(
    ("text", "value", "fake", "expected"),
    [
        ("a=1;b=11;c=1", "1", "7", "a=7;b=11;c=7"),
        ("GB", "GB", "XQ", "XQ"),
        ("gb", "GB", "XQ", "xq"),
        ("00:1B:21:A0:B1:C2", "001b21a0b1c2", "02ffffffffff", "02:FF:FF:FF:FF:FF"),
        ("4477******23", "4477******23", "4499******88", "4499******88"),
        ("4477xxxxxx23", "4477******23", "4499******88", "4499******88"),
        ("35-890810-123456-7", "358908101234567", "001122334455667", "00-112233-445566-7"),
    ],
)
def test_substituted(text, value, fake, expected):
    assert substituted(text, value, fake) == expected


def test_what_cannot_be_seen_is_replaced_as_a_whole():
    made = rewritten("FD00:0:0::12AB", "fd00::12ab", "fd00::99cd", ())
    assert made is not None
    assert len(made) == len("FD00:0:0::12AB")
    assert "12AB" not in made
    assert substituted("FD00:0:0::12AB", "fd00::12ab", "fd00::99cd") is None
    assert rewritten("12", "12", "345", ()) is None


def test_a_piece_that_decodes_but_does_not_hold_it_is_left_alone():
    text = '{"path":"\\/a\\/b","msisdn":"447700900123"}'
    assert rewritten(text, OLD, NEW, ("json",)) == text.replace(OLD, NEW)
    assert (
        rewritten(f"{b64('something else')} {b64(OLD)}", OLD, NEW, ("base64",)) == f"{b64('something else')} {b64(NEW)}"
    )
