"""What a pack says, read with care: it may be anybody's.

In: a folder. Out: its manifest, its findings one by one, each with everything that is needed in it. Raises FileMistake.
Names that are there twice in one JSON object are refused: two readers would read two packs. State: none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from leakscan.errors import FileMistake
from leakscan.evidence import FINDINGS, KIND, MANIFEST, SCHEMA, SUMMARY
from leakscan.evidence.folder import Folder
from leakscan.model import CONFIDENCES

Json = dict[str, Any]

MAX_MANIFEST_BYTES = 16 << 20
MAX_LINE_BYTES = 4 << 20  # a request line of 64 KiB, twice, each byte as an escape in an escape


def read_manifest(folder: Folder) -> tuple[Json, str]:
    """The manifest, and its SHA-256."""
    where = f"{folder.path}/{MANIFEST}"
    made, data = _read(folder, MANIFEST)
    if not isinstance(made, dict) or made.get("type") != KIND:
        raise FileMistake(where, "type", f"{KIND!r} is needed here")
    if made.get("schema") != SCHEMA:
        raise FileMistake(where, "schema", f"this version reads schema {SCHEMA}")
    for key, right in _SHAPE.items():
        if not right(made.get(key)):
            raise FileMistake(where, key, "missing, or of another form")
    return made, hashlib.sha256(data).hexdigest()


def read_summary(folder: Folder) -> Json:
    made, _ = _read(folder, SUMMARY)
    if not isinstance(made, dict):
        raise FileMistake(f"{folder.path}/{SUMMARY}", "", "no summary")
    return made


def findings(folder: Folder) -> Iterator[Json]:
    """The findings, one by one."""
    where = f"{folder.path}/{FINDINGS}"
    with folder.open(FINDINGS) as file:
        for number in range(1, 1 << 62):
            line = file.readline(MAX_LINE_BYTES)
            if not line:
                return
            try:
                made = _loads(line)
                right = made["finding"] == number and all(form(made[key]) for key, form in _FINDING.items())
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                raise FileMistake(where, f"line {number}", "no finding") from error
            if not right:
                raise FileMistake(where, f"line {number}", "no finding")
            yield made


def _read(folder: Folder, name: str) -> tuple[Any, bytes]:
    """What a file holds, None when it is too long, and its bytes."""
    with folder.open(name) as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    try:
        return (_loads(data) if len(data) <= MAX_MANIFEST_BYTES else None), data
    except (ValueError, RecursionError) as error:
        raise FileMistake(f"{folder.path}/{name}", "", "no JSON") from error


def _loads(data: bytes) -> Any:
    return json.loads(data, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("the same name twice")
    return made


def _frames_right(frames: object) -> bool:
    return (isinstance(frames, list) and len(frames) in (1, 2)) and all(
        isinstance(frame, dict) and all(type(frame.get(key)) is int and 0 <= frame[key] < 1 << 62 for key in _NUMBERS)
        for frame in frames
    )


def _are(values: object, form: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(form, values))


def _is_sum(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"size", "sha256"}
        and type(value["size"]) is int
        and isinstance(value["sha256"], str)
    )


def _is_capture(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and _is_sum({key: value[key] for key in value if key != "name"})
    )


_NUMBERS = ("capture", "frame")
_FINDING: dict[str, Callable[[Any], bool]] = {
    "frames": _frames_right,
    "excerpt": lambda value: isinstance(value, list),
    "capture_sha256": lambda value: isinstance(value, str),
    "frame": lambda value: type(value) is int,
    "frame_end": lambda value: type(value) is int,
}
_SHAPE: dict[str, Callable[[Any], bool]] = {
    "tool": lambda value: (
        isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("name", "version", "catalogue"))
    ),
    "key_id": lambda value: isinstance(value, str),
    "values": lambda value: value in ("masked", "shown"),
    "settings": lambda value: (
        isinstance(value, dict)
        and value.get("min_confidence") in CONFIDENCES
        and all(value.get(key) is None or isinstance(value[key], str) for key in ("since", "until"))
    ),
    "captures": lambda value: _are(value, _is_capture),
    "findings": lambda value: type(value) is int,
    "files": lambda value: isinstance(value, dict) and all(map(_is_sum, value.values())),
}
