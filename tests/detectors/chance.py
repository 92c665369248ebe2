"""How often chance makes an identifier of a random value by undoing what it never wore.

    python -m tests.detectors.chance [VALUES]      a minute for 50000

In: how many random values of each form. Out: how many of them, under all names that tell in turn, were taken for a
decoded number. Tokens, session ids and hashes as programs make them; the same every time.
"""

from __future__ import annotations

import base64
import sys
import uuid
from collections.abc import Callable
from random import Random

from leakscan.detectors import builtin, detect
from leakscan.losses import Losses
from leakscan.model import CONFIDENCES, Field

NUMBERS = {"msisdn", "imsi", "imei", "iccid", "meid_esn"}

#: What random values look like.
FORMS: dict[str, Callable[[Random], str]] = {
    "base64 of 6 to 48 bytes": lambda r: base64.b64encode(r.randbytes(r.randint(6, 48))).decode(),
    "base64url without padding": lambda r: base64.urlsafe_b64encode(r.randbytes(r.randint(6, 48))).decode().rstrip("="),
    "hex of 4 to 32 bytes": lambda r: r.randbytes(r.randint(4, 32)).hex(),
    "hex in capitals": lambda r: r.randbytes(r.randint(4, 32)).hex().upper(),
    "UUID": lambda r: str(uuid.UUID(bytes=r.randbytes(16), version=4)),
    "letters and digits": lambda r: "".join(r.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=r.randint(8, 40))),
    "hex digits, nearly all decimal": lambda r: "".join(r.choices("0123456789F", k=2 * r.randint(4, 16))),
    "percent-encoded bytes": lambda r: "".join(f"%{byte:02X}" for byte in r.randbytes(r.randint(6, 24))),
}  # fmt: skip


def names(loose: bool = False) -> list[tuple[str, str]]:
    """(place, name) of every signature that looks for a number, by name or by word; `loose`: that is not sure of it."""
    found = []
    for signature in builtin().signatures.values():
        if (
            signature.identifier in NUMBERS
            and signature.pattern is None
            and signature.confidence != "confirmed" * loose
        ):
            place = min(signature.places - {"part"}, default="")
            spellings = signature.names or tuple(f"X-Example-{word}" for word in signature.words)
            found += [(place, name) for name in spellings if place]
    return found


def decoded(form: str, count: int, loose: bool = False) -> dict[str, int]:
    """Confidence -> how many of so many values, under every name in turn, became a number by decoding."""
    random = Random(f"{form} 2012")
    counts = dict.fromkeys(CONFIDENCES, 0)
    fields = names(loose)
    for number in range(count):
        place, name = fields[number % len(fields)]
        for match in detect([Field(place, name, FORMS[form](random))], Losses()):
            if match.encoding and match.identifier in NUMBERS and match.value.isdigit():
                counts[match.confidence] += 1
    return counts


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for form in FORMS:
        for loose, which in ((False, "all names"), (True, "names that anybody uses")):
            counts = decoded(form, wanted, loose)
            print(f"{form}, {which}: {', '.join(f'{counts[word]} {word}' for word in CONFIDENCES)} of {wanted:,}")
