"""Labelled text without end for the name classifier.

``python -m finslm.train.names.generate --count 1000 --seed 1 --cache DIR --out FILE.jsonl`` writes lines of
``{"text": ..., "spans": [[start, end, type], ...]}``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from finslm.train.names.grammar import Scene, assemble
from finslm.train.names.makers import Makers
from finslm.train.names.noise import spoiled
from finslm.train.names.sample import Sample

_KINDS: Final = {
    "negative": 39, "chat": 17, "prose": 17, "form": 6, "block": 4, "letter": 4, "email": 2, "dialog": 5, "fin_line": 4,
    "json": 1.5, "csv": 1.5, "xml": 1, "table": 2.5, "lone": 4, "mixture": 5, "salad": 3, "further": 18, "rare": 6,
    "machine": 12, "noun_line": 2, "group_line": 12, "party_line": 20,
}  # fmt: skip
"""Rule and its share, in per cent. ``mixture`` and ``salad`` are made here."""

_JOINTS: Final = (" ", " ", " ", "\n", "\n\n", " - ", "; ")
_LONGEST: Final = 900
"""Characters; what is longer is dropped, for the classifier reads in windows."""


def generate(seed: int, count: int, *, cache: Path | None = None, makers: Makers | None = None) -> Iterator[Sample]:
    """Make samples; a seed always gives the same.

    Args:
        seed: of the random source.
        count: how many.
        cache: folder where the pools of names are kept; made on first use, in under a minute.
        makers: the pools, if they are loaded already.

    Raises:
        ValueError: neither ``cache`` nor ``makers`` was given.
    """
    if makers is None:
        if cache is None:
            raise ValueError("generate() needs the folder of the pools, or loaded pools; got neither")
        makers = Makers(cache)
    rng = random.Random(seed)  # noqa: S311 - text for training, no secret
    made = 0
    while made < count:
        sample = _one(makers, rng)
        if sample.text.strip() and len(sample.text) <= _LONGEST:
            yield sample
            made += 1


def _one(makers: Makers, rng: random.Random) -> Sample:
    kind = rng.choices(list(_KINDS), list(_KINDS.values()))[0]
    special: dict[str, Callable[[Makers, random.Random], Sample]] = {"mixture": _mixture, "salad": _salad}
    if kind in special:
        return spoiled(special[kind](makers, rng), rng)
    return spoiled(assemble(makers.grammar.expand(kind, Scene(rng))), rng)


def _mixture(makers: Makers, rng: random.Random) -> Sample:
    """Two to four lines of any kind in one text."""
    rules = (
        "neg_line",
        "neg_line",
        "chat_line",
        "news_line",
        "bio_line",
        "review_line",
        "fin_line",
        "kv",
        "block",
        "sport_line",
    )
    scene, pieces = Scene(rng), []
    for place in range(rng.choice((2, 2, 3, 4))):
        pieces += ([(rng.choice(_JOINTS), None)] if place else []) + makers.grammar.expand(rng.choice(rules), scene)
    return assemble(pieces)


def _salad(makers: Makers, rng: random.Random) -> Sample:
    """Names among words that say nothing: only their own shape tells what they are."""
    slots = ("person", "person", "place", "org", "nrp", "addr", "full_date", "phone", "city")
    scene, pieces = Scene(rng), []
    for _ in range(rng.choice((1, 2, 2, 3))):
        words = [rng.choice(_CONNECTORS) if rng.random() < 0.4 else makers.word(rng) for _ in range(rng.randint(1, 7))]
        if rng.random() < 0.4:
            words[0] = words[0].capitalize()
        pieces += [
            (" ".join(words) + " ", None),
            *makers.grammar.expand("slot_" + rng.choice(slots), scene),
            (rng.choice((" ", " ", ", ", ". ", ": ")), None),
        ]
    return assemble([*pieces, (makers.word(rng) + rng.choice((".", "", "?", "!")), None)])


_CONNECTORS: Final = "the a of in to for with and from by on at is was that as or not it this his her we they".split()  # noqa: SIM905


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the pools of names")
    parser.add_argument("--out", type=Path, help="file; without it, standard output")
    chosen = parser.parse_args(arguments)
    lines = (
        json.dumps(sample._asdict(), ensure_ascii=False) + "\n"
        for sample in generate(chosen.seed, chosen.count, cache=chosen.cache)
    )
    if chosen.out is None:
        sys.stdout.writelines(lines)
        return
    with chosen.out.open("w", encoding="utf-8") as file:
        file.writelines(lines)


if __name__ == "__main__":
    main()
