"""How well does an adapter extract the documents of a training run, without training again?

``python -m benchmarks.extraction_rows FILE [--adapter FOLDER] [--raw]``

``FILE`` is one of the run's folder ``documents``: ``dev-….jsonl`` to tune rules by, ``test-….jsonl`` for the last
figure alone. The same scoring as at the end of ``finslm finetune``; prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from finslm.models.registry import Registry
from finslm.train.documents.dataset import Row, spans_of
from finslm.train.tagging import Tagger
from finslm.train.tagging_run import measure
from redaction.ner.weights import default_models_dir


def rows(file: Path) -> Iterator[Row]:
    """The documents of a file."""
    for line in file.read_text("utf-8").splitlines():
        kind, structure, raw, raw_spans, text, spans, placeholders = json.loads(line)
        yield Row(kind, structure, raw, spans_of(raw_spans), text, spans_of(spans), placeholders)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--adapter", type=Path, help="default: the shipped one")
    parser.add_argument("--raw", action="store_true", help="read the documents as they are")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    registry = Registry(default_models_dir())
    folder = chosen.adapter or registry.resolve("extract-payment").path
    seen = [row.unredacted if chosen.raw else row for row in rows(chosen.file)]
    found = measure(Tagger(folder, registry.resolve("all-minilm-l6-v2").path), seen)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
