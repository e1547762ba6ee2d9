"""Natural text: labelled by people (CoNLL files), plain prose for silver labels, and messages without names.

The data sets are not part of the project; where they come from and their licences stand in the model card.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from finslm.train.names.sample import Sample
from finslm.train.names.silver import UNKNOWN

_CONLL: Final = (
    (Path("wnut17") / "wnut17train.conll", "\t"),
    (Path("wnut17") / "emerging.dev.conll", "\t"),
    (Path("ner_fin_sec") / "FIN5_train.txt", " "),
)
_TAGS: Final = {
    "person": "PERSON",
    "PER": "PERSON",
    "location": "LOCATION",
    "LOC": "LOCATION",
    "corporation": "ORGANIZATION",
    "group": "ORGANIZATION",
    "ORG": "ORGANIZATION",
}
_PARTIES: Final = frozenset(
    (  # noqa: SIM905
        "lender lenders borrower borrowers agent company guarantor bank banks executive parent holder employee "
        "landlord tenant seller buyer purchaser trustee issuer investor party parties lessor lessee administrative"
    ).split()
)
"""Roles in a contract, which one of the sets tags as persons."""

_PROSE: Final = (
    (Path("fed_dapt") / "fed_texts.jsonl", 9000),
    (Path("edgar_dapt") / "edgar_crawler_items.jsonl", 9000),
    (Path("cfpb_complaints") / "cfpb_narratives.jsonl", 7000),
    (Path("cfpb_regulations") / "regulations.jsonl", 800),
)
"""File and how many passages are taken."""

_SENTENCE = re.compile(r'(?<=[.!?])\s+(?=[A-Z"])')
_MASK = "XX"
"""What is left where somebody masked a name: nothing can be learned from such a passage."""


def labelled(data: Path) -> list[Sample]:
    """Sentences with labels by people."""
    found = []
    for file, parting in _CONLL:
        for sentence in re.split(r"\n\s*\n", (data / file).read_text("utf-8")):
            lines = [line.split(parting) for line in sentence.splitlines() if line.strip()]
            sample = _joined([(line[0], line[-1]) for line in lines if not line[0].startswith("-DOCSTART")])
            if 20 < len(sample.text) < 600:
                found.append(sample)
    return found


def _joined(words: list[tuple[str, str]]) -> Sample:
    text, spans = "", list[tuple[int, int, str]]()
    for word, tag in words:
        text += " " if text else ""
        start = len(text)
        text += word
        if tag == "O" or word.lower().strip('"') in _PARTIES:
            continue
        type_ = _TAGS.get(tag[2:], UNKNOWN)
        if spans and tag[0] == "I" and spans[-1][1] == start - 1 and spans[-1][2] == type_:
            spans[-1] = (spans[-1][0], len(text), type_)
        else:
            spans.append((start, len(text), type_))
    return Sample(text, tuple(spans))


def passages(data: Path, rng: random.Random) -> list[str]:
    """Passages of 60 to 450 characters."""
    found: list[str] = []
    for file, count in _PROSE:
        rows = [json.loads(line)["text"] for line in (data / file).read_text("utf-8").splitlines()]
        rng.shuffle(rows)
        parts = [part for row in rows for part in _some(_chunks(row, rng), rng, 3 + 3 * count // len(rows))]
        found += rng.sample(parts, min(count, len(parts)))
    rng.shuffle(found)
    return found


def _chunks(text: str, rng: random.Random) -> Iterator[str]:
    kept = ""
    for sentence in _SENTENCE.split(re.sub(r"[ \t]+", " ", text[:200_000])):
        kept = f"{kept} {sentence}".strip()
        if len(kept) >= rng.choice((60, 150, 300)):
            if len(kept) <= 450 and _MASK not in kept:
                yield kept
            kept = ""


def _some(parts: Iterator[str], rng: random.Random, count: int) -> list[str]:
    every = list(parts)
    return rng.sample(every, min(count, len(every)))


def messages(data: Path) -> list[Sample]:
    """What customers write to a bank, practically without names."""
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        return [Sample(row[0], ()) for row in csv.reader(file)]
