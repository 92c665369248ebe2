"""What must hold of any capture and its copy, asked with means that redact does not use itself.

    python -m tests.redaction.whole [--planted] CAPTURE...

In: captures; with --planted some words of each one's requests are given to redact as known values, as if they were
somebody's. Out: for each what happened, and every complaint: a request that differs in more than replaced values, an
original that is left in any encoding, something that tshark complains of only in the copy. State: a folder for copies.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from leakscan import cli
from leakscan.known import Known
from leakscan.losses import Losses
from leakscan.model import Message
from leakscan.reading import Reading
from leakscan.redaction.finding import EVERYWHERE, Findings
from leakscan.redaction.job import Wanted, find
from leakscan.series import series
from leakscan.sources import content

MIN_CHARS = 7
MIN_PART = 5
CHAT = 0x200000
PLANTED = 5
FRAMING = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection"})  # tell where it ends
WORD = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{9,40}(?![0-9A-Za-z])")
CHECKS = [f"-o{name}:TRUE" for name in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum")]
FIELDS = ["frame.number", "frame.len", "frame.time_epoch", "frame.protocols", "_ws.expert.severity", "_ws.expert.message",
          "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status"]  # fmt: skip


def redacted(path: Path, out: Path, *flags: str) -> tuple[int, str]:
    """Exit code, and what was said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = cli.run(["redact", "-q", "--progress", "never", *flags, str(path), str(out)])
    return code, said.getvalue()


def checked(path: Path, folder: Path, known: Path | None = None) -> tuple[str, list[str]]:
    """Redact one capture: what happened, in a word, and the complaints. The copy is `folder`/copy, if there is one."""
    out = folder / "copy"
    out.unlink(missing_ok=True)
    flags = () if known is None else ("--known", str(known))
    code, said = redacted(path, out, *flags)
    happened, dropped = "copied", False
    if code == 1:
        if out.exists() or not said.strip():
            return "stopped", ["stopped, but a copy is there, or no reason is given"]
        code, said = redacted(path, out, "--drop-unredactable", *flags)
        happened, dropped = "stopped; copied without some packets", True
    if code == 2 and not out.exists():
        return f"refused: {said.strip().rpartition(': ')[2]}", []
    if code not in (0, 3):
        return f"exit {code}", [said.strip() or f"exit {code}"]
    findings = find(str(path), Losses(), Wanted(None if known is None else Known.load(str(known))))
    complaints = list(left(findings, out)) + ([] if dropped else list(different(path, out, findings)))
    return f"{happened}, {len(findings.identities)} identifiers", complaints


def planted(path: Path, folder: Path) -> Path | None:
    """A file of known values: words with a digit out of a capture's requests; None when there are none."""
    lines = [message.target for message in messages(path)]
    lines += [
        value or "" for message in messages(path) for name, value in message.headers if name.lower() not in FRAMING
    ]
    words = sorted({word for line in lines for word in WORD.findall(line) if any(char.isdigit() for char in word)})
    if not words:
        return None
    chosen = Random(path.name).sample(words, min(PLANTED, len(words)))
    file = folder / "known.toml"
    file.write_text("".join(f'[[known]]\nkind = "subscriber_token"\nvalue = "{word}"\n' for word in chosen))
    return file


# -- requests --------------------------------------------------------------------------------------------------------


def messages(path: Path) -> list[Message]:
    losses = Losses()
    return list(Reading(series([str(path)], losses), losses).messages())


def different(path: Path, out: Path, findings: Findings) -> Iterator[str]:
    """What differs in the requests, but values that were found."""
    before, after = messages(path), messages(out)
    if len(before) != len(after):
        yield f"{len(before)} requests became {len(after)}"
    texts = {found.where.value for found in findings.fields.values()}
    for old, new in zip(before, after, strict=False):
        where = f"frame {old.frame}"
        same = ("time_ns", "frame", "frame_end", "client", "server", "partial", "protocol")
        if any(getattr(old, name) != getattr(new, name) for name in same):
            yield f"{where}: another place, time or method"
        if [name for name, _ in old.headers] != [name for name, _ in new.headers]:
            yield f"{where}: other names of headers"
        rows = [(old.method, new.method), (old.target, new.target)]
        rows += [(one or "", other or "") for (_, one), (_, other) in zip(old.headers, new.headers, strict=False)]
        for one, other in rows:
            if one != other and not explained(one, other, texts, findings, old.partial):
                yield f"{where}: a value that was not found became another"


def explained(one: str, other: str, texts: set[str], findings: Findings, torn: bool = False) -> bool:
    """Whether all characters that differ are of an identifier that was found, in some spelling; where a head was `torn`
    also of one's beginning, at the end."""
    if len(one) != len(other):
        return False
    places = {at for at, (old, new) in enumerate(zip(one, other, strict=True)) if old != new}
    spellings = {*texts, *(one for identity in findings.identities for one in plain_spellings(identity.normal))}
    for text in spellings:
        for found in re.finditer(re.escape(text), one, re.IGNORECASE) if text else ():
            places -= set(range(*found.span()))
        for size in range(MIN_PART, len(text)) if torn else ():
            if one.lower().endswith(text[:size].lower()):
                places -= set(range(len(one) - size, len(one)))
    return not places


def plain_spellings(normal: str) -> Iterator[str]:
    yield from (encoded.decode("latin-1") for encoded in encodings(normal))


# -- bytes -----------------------------------------------------------------------------------------------------------


def encodings(text: str) -> Iterator[bytes]:
    """A text in every encoding that a reader would try; spelled out here, and not taken from redact."""
    data = text.encode("latin-1", "replace")
    yield from {data, data.upper(), data.lower(), data[::-1], "".join(f"{char}\0" for char in text)[:-1].encode("latin-1", "replace")}  # fmt: skip
    for one in {data, data.upper(), data.lower()}:
        yield from {one.hex().encode(), one.hex().upper().encode(), b"".join(b"%%%02x" % byte for byte in one)}
        for before in range(3):  # characters that no neighbour has bits in
            encoded = base64.b64encode(bytes(before) + one + b"\0\0")
            first, last = -(-before * 8 // 6), (before + len(one)) * 8 // 6
            for chars in {encoded[first:last], encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))}:
                if len(chars) >= MIN_CHARS:
                    yield chars
    if text.isdigit():
        filled = text + "f" * (len(text) % 2)
        swapped = "".join(filled[at + 1] + filled[at] for at in range(0, len(filled), 2))
        yield from {swapped.encode(), swapped.upper().encode(), bytes.fromhex(swapped)}
    if len(text) >= MIN_CHARS:
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, data).hexdigest()
            yield from {digest.encode(), digest.upper().encode()}


def left(findings: Findings, out: Path) -> Iterator[str]:
    """Originals in the copy: in its bytes, and in its requests with their bodies as they were put together."""
    losses = Losses()
    reading = Reading(series([str(out)], losses), losses, bodies=True)
    heads = b"\n\n".join(part for head in reading.heads() for part in (head.raw, head.body))
    data = out.read_bytes()
    for number, identity in enumerate(findings.identities):
        if (
            identity.kind in EVERYWHERE - {"private_ip"}
            and len(identity.normal) >= MIN_CHARS
            and has_mark(identity.normal)
        ):
            count = sum(place.count(one) for one in set(encodings(identity.normal)) for place in (data, heads))
            if count:
                yield f"identifier {number} ({identity.kind}): {count} times in the copy"


def has_mark(text: str) -> bool:
    return "@" in text or any(char.isdigit() for char in text)


# -- tshark ----------------------------------------------------------------------------------------------------------


def complaints(path: Path) -> list[list[str]]:
    """What tshark says of every frame."""
    tshark = shutil.which("tshark") or "tshark"
    asked = [part for name in FIELDS for part in ("-e", name)]
    run = subprocess.run(
        [tshark, "-n", "-r", str(path), *CHECKS, "-T", "fields", "-E", "separator=\x1f", "-E", "aggregator=\x1e", *asked],
        capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    return [line.split("\x1f") for line in run.stdout.decode("utf-8", "replace").split("\n")]


def new_complaints(path: Path, out: Path) -> Iterator[str]:
    """What tshark complains of in the copy alone."""
    before, after = complaints(path), complaints(out)
    if len(before) != len(after):
        yield f"tshark: {len(before)} frames became {len(after)}"
    for old, new in zip(before, after, strict=False):
        for at, (name, one, other) in enumerate(zip(FIELDS, old, new, strict=False)):
            if name == "_ws.expert.message":
                lacking = _serious(new[at - 1], other) - _serious(old[at - 1], one)
                if lacking:
                    yield f"tshark, frame {old[0]}: {'; '.join(lacking)}"
            elif one != other and name != "_ws.expert.severity":
                yield f"tshark, frame {old[0]}: {name} {one} became {other}"


def _serious(severities: str, messages: str) -> Counter[str]:
    """What is more than chat, which quotes request lines. Numbers in it may be others."""
    said = zip(severities.split("\x1e"), messages.split("\x1e"), strict=False)
    return Counter(re.sub(r"0x[0-9a-f]+|[0-9]+", "0", text) for level, text in said if level and int(level) > CHAT)


def main(names: list[str]) -> int:
    """Check all of them; gives the number of captures with complaints."""
    plant, names = "--planted" in names, [name for name in names if name != "--planted"]
    happened: Counter[str] = Counter()
    bad = unlike = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            known = planted(Path(name), Path(folder)) if plant else None
            if plant and known is None:
                continue
            word, said, differs = examined(Path(name), Path(folder), known)
            happened[re.sub(r", [0-9]+ identifiers", "", word)] += 1
            unlike += differs
            bad += bool(said)
            lines = [word] if differs else []
            for line in (*lines, *said):
                say(f"{Path(name).name}: {line}")
    say(f"{len(names)} captures, {unlike} copies differ, {bad} with complaints")
    for word, count in happened.most_common():
        say(f"{count:5} {word}")
    return bad


def examined(path: Path, folder: Path, known: Path | None = None) -> tuple[str, list[str], bool]:
    """All of it, tshark included: what happened, the complaints, and whether the copy says something else."""
    word, said = checked(path, folder, known)
    copy = folder / "copy"
    # A copy ends where its original could not be read any further.
    differs = copy.exists() and not b"".join(content(str(path))).startswith(copy.read_bytes())
    if differs and not word.startswith("stopped"):
        said += new_complaints(path, copy)
    return word, said, differs


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
