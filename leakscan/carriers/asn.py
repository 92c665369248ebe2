"""Autonomous systems by address, from a database that the operator brings: the file of `--asn-db`.

Comes in: an MMDB file (MaxMind DB format, version 2) with a number and a name for each range, and addresses. Goes out:
`System`. Nothing is asked over the network. State: the open file, and the last `MAX_REMEMBERED` answers.

A system is a company, and most companies carry fixed lines as well: so it says whose network, but never which bearer.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from leakscan.errors import FileMistake, MissingExtra

MAX_REMEMBERED = 65_536
MAX_NAME_CHARS = 100
#: So many records of a database are looked at to see whether it is one of autonomous systems.
LOOKED_AT = 100


class System(NamedTuple):
    """An autonomous system."""

    number: int
    name: str
    country: str | None  # ISO 3166, where the database has it


class AsnDatabase:
    """An open database; pickled by its path."""

    def __init__(self, path: str) -> None:
        """Raises FileMistake for a file that is no database of autonomous systems, MissingExtra without maxminddb."""
        self.path = path
        self._reader = _opened(path)
        self._remembered: dict[str, System | None] = {}

    def __reduce__(self) -> tuple[type[AsnDatabase], tuple[str]]:
        return AsnDatabase, (self.path,)

    def lookup(self, address: str) -> System | None:
        """The system that the address belongs to, if the database knows."""
        if address not in self._remembered:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[address] = self._ask(address)
        return self._remembered[address]

    def _ask(self, address: str) -> System | None:
        from maxminddb import InvalidDatabaseError

        try:
            return _system(self._reader.get(address))
        except ValueError:  # not an address, or IPv6 in a database of IPv4
            return None
        except InvalidDatabaseError as error:
            raise FileMistake(self.path, "", f"is damaged: {error}") from None


def _opened(path: str) -> Any:
    try:
        import maxminddb
    except ImportError:
        raise MissingExtra("--asn-db", "asn") from None
    try:
        reader = maxminddb.open_database(path)
        known = any(_system(record) for _, record in islice(reader, LOOKED_AT))
    except OSError as error:
        raise FileMistake(path, "", f"cannot be read: {error.strerror or error}") from None
    except (maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError):
        raise FileMistake(path, "", "is no MMDB database, or a damaged one") from None
    if not known:
        raise FileMistake(path, "", "is no database of autonomous systems")
    return reader


def _system(record: Any) -> System | None:
    """One record, as GeoLite2 and DB-IP write it, or as IPinfo does."""
    if not isinstance(record, dict):
        return None
    number = record.get("autonomous_system_number", record.get("asn"))
    if isinstance(number, str) and number[:2].upper() == "AS" and number[2:].isascii() and number[2:].isdigit():
        number = int(number[2:])
    if not isinstance(number, int) or not 0 < number < 1 << 32:
        return None
    name = record.get("autonomous_system_organization") or record.get("as_name") or record.get("name")
    country = record.get("country_code") or record.get("country")
    return System(
        number,
        str(name)[:MAX_NAME_CHARS] if name else f"AS{number}",
        country if isinstance(country, str) and len(country) == 2 else None,
    )
