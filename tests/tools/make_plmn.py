"""Makes leakscan/plmn.tsv from the npm package mcc-mnc-list (MIT; drawn from Wikipedia).

    npm pack mcc-mnc-list@1.1.11 && tar xf mcc-mnc-list-1.1.11.tgz
    python tests/tools/make_plmn.py package leakscan/plmn.tsv --date 2024-12-13

Comes in: the unpacked package and the day that version was published. Goes out: one line per MCC-MNC,
sorted. What is dropped, and how codes with several entries are settled, stands below.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path

#: Codes that belong to nobody, whatever the list says of their past.
NOBODYS = {"Returned spare", "Reserved"}
#: Where the list names a region or several countries: the ISO 3166 code of the one that has most subscribers.
COUNTRIES = {"GE-AB": "GE", "BL/GF/GP/MF/MQ": "GP", "BQ/CW/SX": "CW", "AU/CC/CX": "AU", "YT/RE": "RE"}

HEADER = """\
# Mobile networks by MCC and MNC (ITU-T E.212). Made by tests/tools/make_plmn.py; do not edit.
# Source: npm package mcc-mnc-list {version} (MIT, Peter Bakondy), drawn from Wikipedia, "Mobile country code".
# Published: {date}. Networks: {count}.
# Columns: MCC, MNC (two or three digits, as assigned), country (ISO 3166 alpha-2, empty: international), name.
"""

Row = tuple[str, str, str, str]


def usable(entry: dict[str, str | None]) -> bool:
    mcc, mnc = entry["mcc"] or "", entry["mnc"] or ""
    if not re.fullmatch("[0-9]{3}", mcc) or not re.fullmatch("[0-9]{2,3}", mnc):
        return False  # a range, a question mark, or a code with a further split
    if mcc == "405" and re.fullmatch("8[0-9]", mnc):
        return False  # India: three-digit codes of which the list lost a digit
    return entry["status"] not in NOBODYS and bool(entry["brand"] or entry["operator"])


def rows(entries: list[dict[str, str | None]]) -> list[Row]:
    """One row per code: of several, an operating network first, then one of the country that has most of the MCC."""
    entries = [entry for entry in entries if usable(entry)]
    shares = Counter((entry["mcc"], entry["countryCode"]) for entry in entries)
    best: dict[tuple[str, str], tuple[tuple[bool, int], Row]] = {}
    for entry in entries:
        mcc, mnc, country = entry["mcc"] or "", entry["mnc"] or "", entry["countryCode"] or ""
        rank = (entry["status"] == "Operational", shares[mcc, country])
        name = " ".join((entry["brand"] or entry["operator"] or "").split())
        if (mcc, mnc) not in best or rank > best[mcc, mnc][0]:
            best[mcc, mnc] = (rank, (mcc, mnc, COUNTRIES.get(country, country), name))
    return sorted(row for _, row in best.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--date", required=True, help="the day this version of the package was published, YYYY-MM-DD")
    options = parser.parse_args()
    version = json.loads((options.package / "package.json").read_text())["version"]
    table = rows(json.loads((options.package / "mcc-mnc-list.json").read_text(encoding="utf-8")))
    head = HEADER.format(version=version, date=options.date, count=len(table))
    options.output.write_text(head + "".join("\t".join(row) + "\n" for row in table), encoding="utf-8")


if __name__ == "__main__":
    main()
