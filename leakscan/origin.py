"""Who put it there: the client, or somebody on the way?

Comes in: requests, and for each leak in a header or cookie how it stands in its request (`Manner`). Goes out: whether a
request is the phone's own business with its operator's MMS centre; and what statistics over the whole say of a name, in
words (`Spread.evidence`). State of a `Spread`: the values and clients of smallest hash, MAX_VALUES and MAX_CLIENTS of
them, and of each at most FEW of what it was seen with. It merges: commutative and associative.

An injected value follows the client and not what it talks to or with: the same at unrelated hosts, in requests of
several programs, in a slot and a case that are not the client's. One alone is no evidence: a program may send its
own id to several hosts, and a library may write names in another case. That it is on plain HTTP only goes without
saying here: nothing else is read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from leakscan.distinct import Bounded
from leakscan.model import Message
from leakscan.operators import of_hosts

MAX_VALUES = MAX_CLIENTS = 32
FEW = 4
#: Unrelated hosts that one value must be seen at; many, where nothing says that several programs sent it.
HOSTS, MANY_HOSTS = 2, 3
#: Kinds of programs (a program's makers give its User-Agents one first word) that no maker has.
MANY_FAMILIES = 3
#: Values, each of a client of its own, before an unknown header is more than a hint.
MANY_VALUES = 3
#: A slot is the name's own when it stands there in nine of ten requests, and there are at least so many.
MIN_SIGHTINGS = 3
MOST = 0.9
#: A value follows the client when three of four clients have only one.
FAITHFUL = 0.75

CLIENT_SENT, CONSISTENT, INJECTED, UNKNOWN = "client-sent", "consistent-with-injection", "injected", "unknown"


class Manner(NamedTuple):
    """How a leak stands in its request. Hashes; 0 where there is nothing."""

    client: int  # address and capture: the same address elsewhere, or another day, may be somebody else
    address: int  # of the client, alone: the same address in the next capture may be the same client
    program: int  # of the User-Agent
    family: int  # of the first product in it
    domain: int  # registrable, of the host
    foreign_case: bool  # the name is written unlike all of the client's own names
    slot: int  # -1: before all of the client's own headers; 1: behind them; 0: among them


class _Seen:
    """What one value was seen with: the smallest hashes."""

    __slots__ = ("addresses", "domains", "programs")

    def __init__(self) -> None:
        self.addresses: tuple[int, ...] = ()
        self.domains: tuple[int, ...] = ()
        self.programs: tuple[int, ...] = ()

    def merge(self, other: _Seen) -> None:
        self.addresses = _few(self.addresses, other.addresses)
        self.domains = _few(self.domains, other.domains)
        self.programs = _few(self.programs, other.programs)


class _Client:
    """The values of one client."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: tuple[int, ...] = ()

    def merge(self, other: _Client) -> None:
        self.values = _few(self.values, other.values)


class Spread:
    """Where and with what a name's values were seen."""

    __slots__ = ("_ahead", "_behind", "_clients", "_families", "_foreign", "_sightings", "_values")

    def __init__(self) -> None:
        self._values: Bounded[int, _Seen] = Bounded(MAX_VALUES, _Seen, int)
        self._clients: Bounded[int, _Client] = Bounded(MAX_CLIENTS, _Client, int)
        self._families: tuple[int, ...] = ()
        self._sightings = self._foreign = self._ahead = self._behind = 0

    def add(self, value: int, manner: Manner) -> None:
        seen = self._values.at(value)
        seen.addresses = _few(seen.addresses, (manner.address,))
        seen.domains = _few(seen.domains, (manner.domain,))
        if manner.program:
            seen.programs = _few(seen.programs, (manner.program,))
            self._families = _few(self._families, (manner.family,))
        client = self._clients.at(manner.client)
        client.values = _few(client.values, (value,))
        self._sightings += 1
        self._foreign += manner.foreign_case
        self._ahead += manner.slot < 0
        self._behind += manner.slot > 0

    def merge(self, other: Spread) -> None:
        self._values.merge(other._values)
        self._clients.merge(other._clients)
        self._families = _few(self._families, other._families)
        self._sightings += other._sightings
        self._foreign += other._foreign
        self._ahead += other._ahead
        self._behind += other._behind

    def evidence(self) -> tuple[str, ...]:
        """Why it is consistent with injection; () when that cannot be said."""
        hosts = max((len(seen.domains) for _, seen in self._values), default=0)
        programs = any(len(seen.programs) > 1 for _, seen in self._values)
        families = len(self._families) >= MANY_FAMILIES
        followed = self._follows_clients()
        foreign = self._foreign_words()
        of_several = hosts >= HOSTS and programs and (followed or foreign)
        of_many = hosts >= MANY_HOSTS and (families + followed + bool(foreign)) > 1
        if not (of_several or of_many):
            return ()
        words = [f"one value at {hosts} {'or more ' if hosts == FEW else ''}unrelated hosts"]
        words += ["one value in requests of several programs"] if programs else []
        words += ["in requests of many kinds of programs"] if families else []
        words += ["every client has a value of its own"] if followed else []
        return (*words, *foreign)

    def tracks(self) -> str:
        """How sure it is that the values are names of clients, by nothing but this: probable, hint, or ""."""
        values = [seen for _, seen in self._values]
        own = sum(len(seen.addresses) == 1 for seen in values)
        if not self._follows_clients() or own < FAITHFUL * len(values):
            return ""
        wide = [seen for seen in values if len(seen.domains) >= HOSTS]
        if not any(len(seen.programs) > 1 for seen in wide):
            return ""
        sure = (
            len(values) >= MANY_VALUES
            and 2 * len(wide) >= len(values)
            and any(len(seen.domains) >= MANY_HOSTS for seen in wide)
        )
        return "probable" if sure else "hint"

    def _follows_clients(self) -> bool:
        faithful = sum(len(client.values) == 1 for _, client in self._clients)
        return len(self._values) > 1 and len(self._clients) > 1 and faithful >= FAITHFUL * len(self._clients)

    def _foreign_words(self) -> list[str]:
        if self._sightings < MIN_SIGHTINGS:
            return []
        least = MOST * self._sightings
        return [
            words
            for count, words in (
                (self._foreign, "a name in another case than the client's own"),
                (self._ahead, "always before the client's own headers"),
                (self._behind, "always behind the client's own headers"),
            )
            if count >= least
        ]


def _few(some: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    """The smallest of both."""
    return some if all(one in some for one in more) else tuple(sorted({*some, *more})[:FEW])


def mms_centre(message: Message) -> str:
    """Of a request with which a phone sends or fetches a multimedia message (MM1, 3GPP TS 23.140 section 6): OWN when
    it goes to the operator's own centre, STRANGE when that is not sure; "" of any other request.

    Where to send is set in the phone, so a name is enough. From where to fetch anybody may tell it in a notification:
    so there the domain must be an operator's, or the address private. Many phones accept messages in any request.
    """
    named = _MMS_HOST.search(message.host) is not None
    private = _PRIVATE.match(message.host) is not None
    if message.method == "POST" and _says(message, "content-type"):
        return OWN if named or private or of_hosts(message.host)[0] else STRANGE
    if message.method == "GET" and (named or "/mms" in message.target.lower()) and _says(message, "accept"):
        return OWN if private or (named and of_hosts(message.host)[0]) else STRANGE
    return ""


def _says(message: Message, wanted: str) -> bool:
    return any(
        value is not None and name.strip().lower() == wanted and MMS_TYPE in value.lower()
        for name, value in message.headers
    )


OWN, STRANGE = "own", "strange"
MMS_TYPE = "application/vnd.wap.mms-message"
_MMS_HOST = re.compile(r"(?:^|[.-])mms(?:c|es|gw|proxy|server)?[0-9]*(?:[.-]|$)")
_PRIVATE = re.compile(r"(?:10|172\.(?:1[6-9]|2[0-9]|3[01])|192\.168)(?:\.[0-9]{1,3}){2,3}$")
