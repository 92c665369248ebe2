"""One glance at a request head: whether anything in it is worth taking it apart.

In: heads. Out: the host of those in which the detectors find nothing and count nothing, and which hold no known value;
None for all others. It asks the detectors themselves, line by line, and remembers what they said of a line: most lines
of most requests have been there before, byte for byte. So it cannot differ from them, and a request whose lines are all
known costs one look-up a line. Known values are looked for in the new lines of a head at once.

State: the answers for at most MAX_LINES lines, targets and names each, none longer than MAX_LINE_BYTES.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakscan.detectors import builtin, detect, may_stand_alone
from leakscan.detectors.catalogue import Catalogue
from leakscan.detectors.scan import line_speaks, may_name_inside
from leakscan.detectors.unknown import unknown_tokens
from leakscan.fields import MAX_FIELDS, MAX_VALUE_CHARS, SPECIAL, pairs_fields, target_fields
from leakscan.losses import Losses
from leakscan.model import Field, Head
from leakscan.protocols import host_of

if TYPE_CHECKING:
    from leakscan.known import Known as KnownValues

MAX_LINES = 8192
MAX_LINE_BYTES = 256

#: What is known of a line: that there is nothing in it, that there is something, (text) the host that it names, or
#: (name and value) a token that nobody knows.
Known = bool | str | tuple[str, str]
_NOTHING, _SOMETHING = False, True


class Glance:
    """Remembers what the detectors said."""

    def __init__(self, catalogue: Catalogue | None = None, values: KnownValues | None = None) -> None:
        self._catalogue = builtin() if catalogue is None else catalogue
        self._values = values
        self._silent: set[bytes] = set()  # names that no detector wants to see the value of
        self._lines: dict[bytes, Known] = {}
        self._targets: dict[bytes, Known] = {}
        self.unknown: list[tuple[str, str]] = []  # tokens in the last head, if that was plain

    def plain_host(self, head: Head) -> str | None:
        """The host that the request names, lower case and without a port ("": it names none), if that is all there is
        to say of it; None if the head is worth more than a glance.
        """
        lines = head.lines
        if head.partial or head.body or len(lines) > MAX_FIELDS:
            return None
        answers: list[Known | None] = list(map(self._lines.get, lines))
        answers[0] = self._targets.get(lines[0])
        if None in answers and not self._ask(lines, answers):
            return None
        if self.unknown:
            self.unknown = []
        host = ""
        for what in answers:
            if what:
                if what is _SOMETHING:
                    return None
                if isinstance(what, tuple):
                    self.unknown.append(what)
                else:
                    host = host or str(what)
        return host

    def _ask(self, lines: list[bytes], answers: list[Known | None]) -> bool:
        """Fill in the answers that are not known; gives whether all lines are free of known values."""
        new = [number for number, what in enumerate(answers) if what is None]
        fresh = [lines[number] for number in new]
        together = b"\n".join(fresh)
        quiet = not may_name_inside(together) and not line_speaks(together)
        for number, line in zip(new, fresh, strict=True):
            ask, where = (self._line, self._lines) if number else (self._target, self._targets)
            answers[number] = self._remember(where, line, ask(line, quiet))
        if self._values is None or not self._values.search(together):
            return True
        for number, line in zip(new, fresh, strict=True):
            if self._values.search(line):
                self._remember(self._targets if number == 0 else self._lines, line, _SOMETHING)
        return False

    def _remember(self, where: dict[bytes, Known], line: bytes, what: Known) -> Known:
        if len(line) <= MAX_LINE_BYTES:
            if len(where) >= MAX_LINES:
                where.clear()
            where[line] = what
        return what

    def _target(self, line: bytes, quiet: bool) -> Known:
        """Of a first line. What is not a usual one (an absolute URI, CONNECT) is left to whoever takes heads apart.
        `quiet`: neither a candidate nor a name stands inside it.
        """
        words = line.split(b" ")
        if len(words) != 3 or words[1][:1] != b"/" or words[2][:7] != b"HTTP/1." or b"\t" in line:
            return _SOMETHING
        target = words[1]
        if (
            len(line) <= MAX_VALUE_CHARS
            and b";" not in target.partition(b"?")[0]
            and (quiet or not may_name_inside(line))
            and self._no_name(_names_of(target))
            and (quiet or not self._stands(target, "query"))
        ):
            return _NOTHING
        losses = Losses()
        return self._says(target_fields(target.decode("latin-1"), losses), losses)

    def _line(self, line: bytes, quiet: bool) -> Known:
        """Of a header line, or an empty one. A folded one, and one without a colon, need their neighbours."""
        if line in (b"", b"\r"):
            return _NOTHING
        start, colon, rest = line.partition(b":")
        if not colon or start[:1] in (b" ", b"\t"):
            return _SOMETHING
        place = SPECIAL.get(start.decode("latin-1").lower()) if len(line) <= MAX_VALUE_CHARS else None
        if place in ("cookie", "referer") and (quiet or not may_name_inside(line)):
            pieces = rest.split(b";") if place == "cookie" else _names_of(rest)
            if self._no_name(pieces) and (quiet or not self._stands(rest, place)):
                return _NOTHING
        name, value = start.decode("latin-1"), rest.decode("latin-1").strip(" \t\r\n")
        losses = Losses()
        said = self._says(pairs_fields([(name, value)], losses), losses)
        if said is _NOTHING and value and name.strip(" \t\r").lower() == "host":
            return host_of(value) or _SOMETHING
        if said is _NOTHING and place is None and unknown_tokens([(name, value)], self._catalogue):
            return name, value
        return said

    def _stands(self, line: bytes, place: str) -> bool:
        """Whether a value of a line may be an identifier by itself."""
        return line_speaks(line) and may_stand_alone(line.decode("latin-1"), place, self._catalogue)

    def _no_name(self, pieces: list[bytes]) -> bool:
        """Whether no piece begins with a name that a detector wants to see the value of. There may be more pieces than
        fields: a name too many only costs a closer look.
        """
        named = [piece.partition(b"=")[0] for piece in pieces]
        if not self._silent.issuperset(named):
            for name in set(named) - self._silent:
                if len(name) > MAX_LINE_BYTES or self._catalogue.lookup(name.decode("latin-1").strip()):
                    return False
            if len(self._silent) >= MAX_LINES:
                self._silent.clear()
            self._silent.update(named[:MAX_LINES])
        return len(pieces) <= MAX_FIELDS

    def _says(self, found: list[Field], losses: Losses) -> Known:
        return _SOMETHING if detect(found, losses, self._catalogue) or losses else _NOTHING


def _names_of(target: bytes) -> list[bytes]:
    """What may be, or begin with, a name in a target or a Referer: the segments of its path, the last only with a value
    in it, and the pieces of its query. A host is none, but costs only a closer look.
    """
    path, _, query = target.partition(b"?")
    segments = path.translate(_SEGMENTS).split(b"/")
    if b"=" not in segments[-1]:
        del segments[-1]
    return segments + query.translate(_PIECES).split(b"&")


#: Where a name may begin in a query, and in a path.
_PIECES = bytes.maketrans(b";#", b"&&")
_SEGMENTS = bytes.maketrans(b";", b"/")
