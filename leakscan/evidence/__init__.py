"""Evidence packs: a folder that says what was found where, so that somebody else can check it against the captures.

`pack` writes one while a scan runs, `places` finds frames in files and what the files hash to, `folder` keeps names and
files where they belong, `contents` reads a pack, `verify` checks it, `confirm` tells with the key whether one number is
in it.
"""

from __future__ import annotations

SCHEMA = 1
KIND = "leakscan-evidence"

MANIFEST, FINDINGS, RUN, SUMMARY, RULES, README = (
    "manifest.json",
    "findings.jsonl",
    "run.json",
    "summary.json",
    "rules.json",
    "README.txt",
)
#: What a pack holds beside its manifest.
FILES = (FINDINGS, RUN, SUMMARY, RULES, README)
