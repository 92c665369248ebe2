"""Writes docs/accuracy.md and the figures that the test compares with; with `--corpus FILE` the corpus itself.

python -m tests.accuracy
python -m tests.accuracy --corpus corpus.jsonl
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.accuracy.score import PAGE, corpus, page, score


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, help="write the corpus there, one request a line, and nothing else")
    to = parser.parse_args().corpus
    if to is None:
        PAGE.write_text(page(score(corpus())), encoding="utf-8")
        return
    with to.open("w", encoding="ascii") as file:
        for case in corpus():
            file.write(json.dumps(case._asdict()) + "\n")


if __name__ == "__main__":
    main()
