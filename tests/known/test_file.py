"""The file of known values: what it may hold, and that a mistake is named without its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakscan.errors import FileMistake
from leakscan.known.file import KINDS, MAX_ENTRIES, load

NUMBER = "447700900123"


def entries(folder: Path, text: str):
    path = folder / "known.toml"
    path.write_text(text, encoding="utf-8")
    return load(str(path))


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("msisdn", "+44 7700 900123", NUMBER),
        ("msisdn", "00447700900123", NUMBER),
        ("msisdn", "44 (0)7700 900123", NUMBER),
        ("imsi", "001010123456789", "001010123456789"),
        ("imei", "001010012345672", "00101001234567"),
        ("imei", "00-101001-234567-2", "00101001234567"),
        ("imei", "0010100123456703", "00101001234567"),
        ("imei", "00101001234567", "00101001234567"),
        ("iccid", "8944101234567890128", "894410123456789012"),
        ("iccid", "894410123456789012", "894410123456789012"),
        ("meid_esn", "a0000012345678", "A0000012345678"),
        ("meid_esn", "268435457803430008", "A0000012345678"),
        ("meid_esn", "80123456", "80123456"),
        ("mac", "00:00:5E:00:53:02", "00005e005302"),
        ("mac", "00005e005302", "00005e005302"),
        ("email", "Alice@Mail.example", "alice@mail.example"),
        ("device_id", "A1B2C3D4E5F60718", "a1b2c3d4e5f60718"),
        ("device_id", "0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567"),
        ("advertising_id", "5ED8C096-7D50-434F-A015-0E70FA445E36", "5ed8c096-7d50-434f-a015-0e70fa445e36"),
        ("subscriber_token", "AbC-dEf_12345678", "AbC-dEf_12345678"),
        ("subscriber_token", "OTgxNTk2NDk0ADJVquRu5NS5+rSbBANlrp+13QL7CXLGsFHpMi4LsUHw", "981596494"),
    ],
)  # fmt: skip
def test_a_value_has_the_normal_form_of_a_finding(tmp_path, kind, value, normal):
    (entry,) = entries(tmp_path, f'[[known]]\nkind = "{kind}"\nvalue = "{value}"\n')
    assert (entry.kind, entry.normal, entry.label, entry.salts) == (kind, normal, "", ())


def test_labels_and_salts(tmp_path):
    text = f'salt = "all"\n[[known]]\nkind = "msisdn"\nvalue = "{NUMBER}"\nlabel = "phone {NUMBER}"\nsalt = ["a", "b", "a"]\n'
    (entry,) = entries(tmp_path, text)
    assert (entry.number, entry.label, entry.salts) == (1, "phone ...", ("all", "a", "b"))


ENTRY = f'[[known]]\nkind = "msisdn"\nvalue = "+{NUMBER}"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no [[known]] in it"),
        ("known = 1", "there is no [[known]] in it"),
        ("known = [1]", "there is no [[known]] in it"),
        ("x", "is not TOML: "),
        ("knwon = 1", "knwon: unknown key; did you mean known?"),
        (ENTRY + 'lable = "x"', "known 1: lable: unknown key; did you mean label?"),
        ('[[known]]\nvalue = "447700900123"', "known 1: kind: missing; there are msisdn, imsi,"),
        ('[[known]]\nkind = "phone"\nvalue = "447700900123"', "known 1: kind: unknown; there are msisdn, imsi,"),
        ('[[known]]\nkind = 1\nvalue = "447700900123"', "known 1: kind: unknown; there are msisdn, imsi,"),
        ('[[known]]\nkind = "msisdn"', "known 1: value: missing, or no text in quotes"),
        (f'[[known]]\nkind = "msisdn"\nvalue = {NUMBER}', "known 1: value: missing, or no text in quotes"),
        ('[[known]]\nkind = "msisdn"\nvalue = "4477"', "known 1: value: must have 7 to 1024 ASCII characters"),
        ('[[known]]\nkind = "email"\nvalue = "\u00e9lise@mail.example"', "known 1: value: must have 7 to 1024 ASCII characters"),
        ('[[known]]\nkind = "msisdn"\nvalue = "07700 900123"', "known 1: value: is not a phone number with its country code"),
        ('[[known]]\nkind = "msisdn"\nvalue = "4477******23"', "known 1: value: is not a phone number with its country code"),
        ('[[known]]\nkind = "imsi"\nvalue = "alice@mail.example"', "known 1: value: is not an IMSI"),
        ('[[known]]\nkind = "imei"\nvalue = "000000000000000"', "known 1: value: is not an IMEI or IMEISV"),
        ('[[known]]\nkind = "mac"\nvalue = "02:00:00:00:00:00"', "known 1: value: is not a MAC address"),
        ('[[known]]\nkind = "subscriber_token"\nvalue = "two words 1"', "known 1: value: is not one word with a digit in it"),
        (ENTRY + "label = 1", "known 1: label: must be text"),
        (ENTRY + "salt = 1", "known 1: salt: must be text, or a list of texts"),
        (ENTRY + 'salt = [""]', "known 1: salt: must be text, or a list of texts"),
        (ENTRY + 'salt = ["1", "2", "3", "4", "5", "6", "7", "8", "9"]', "known 1: salt: at most 8"),
        (ENTRY + 'label = "mine"\n' + ENTRY + 'label = "hers"', 'known 2 ("hers"): value: is that of known 1'),
        (ENTRY * (MAX_ENTRIES + 1), "has 10,001 entries, at most 10,000 are looked for"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path, text, message):
    with pytest.raises(FileMistake) as mistake:
        entries(tmp_path, text)
    assert str(mistake.value).startswith(f"{tmp_path}/known.toml: ")
    assert message in str(mistake.value)
    assert NUMBER not in str(mistake.value).replace(str(tmp_path), "")
    assert mistake.value.exit_code == 2


def test_a_label_with_the_value_is_not_told(tmp_path):
    with pytest.raises(FileMistake) as mistake:
        entries(tmp_path, f'[[known]]\nkind = "imei"\nvalue = "{NUMBER}x"\nlabel = "my {NUMBER}x"')
    assert 'known 1 ("my ...")' in str(mistake.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileMistake, match="cannot be read: No such file"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b'x = "\xe9"')
    with pytest.raises(FileMistake, match="is not UTF-8 text"):
        load(str(tmp_path / "latin.toml"))


def test_every_kind_is_explained():
    page = (Path(__file__).parent.parent.parent / "docs" / "known.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []
