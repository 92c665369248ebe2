"""Mobile networks by their code: MCC and MNC, ITU-T E.212.

Comes in: codes and IMSIs, as text. Goes out: `Plmn` rows of `plmn.tsv` (its head says where they are from, and of when;
tests/tools/make_plmn.py makes it). State: the table, about 3,000 rows, read when the first value needs it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("plmn.tsv")


class Plmn(NamedTuple):
    """One public land mobile network."""

    mcc: str  # three digits
    mnc: str  # two or three digits, as assigned: "10" and "010" are different networks
    country: str | None  # ISO 3166 alpha-2; None for the international and test codes
    name: str  # the brand, or the operator where there is none

    @property
    def code(self) -> str:
        """As it is written in `Match.home`: "234-10"."""
        return f"{self.mcc}-{self.mnc}"


@cache
def _table() -> dict[str, Plmn]:
    """MCC and MNC joined -> row; unique, since every MCC has three digits."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {mcc + mnc: Plmn(mcc, mnc, country or None, name) for mcc, mnc, country, name in rows}


def plmn(mcc: str, mnc: str) -> Plmn | None:
    """The network of that code, if it is assigned."""
    found = _table().get(mcc + mnc)
    return found if found is not None and found.mcc == mcc else None


def plmn_of(code: str) -> Plmn | None:
    """The network of a code as `Plmn.code` writes it: "234-10"."""
    mcc, _, mnc = code.partition("-")
    return plmn(mcc, mnc)


@cache
def plmns_in(country: str) -> tuple[Plmn, ...]:
    """The networks of a country (ISO 3166 alpha-2), in the order of their codes."""
    return tuple(row for row in _table().values() if row.country == country)


def plmn_candidates(imsi: str) -> tuple[Plmn, ...]:
    """The networks an IMSI may belong to, the longer code first: none, one, or two where both lengths are assigned.

    An IMSI does not say how long its MNC is, TS 23.003 section 2.2, and some countries use both lengths (714-02 and
    714-020): then nothing but both is the truth.
    """
    table = _table()
    found = (table.get(imsi[:6]) if len(imsi) >= 6 else None, table.get(imsi[:5]))
    return tuple(row for row in found if row is not None)
