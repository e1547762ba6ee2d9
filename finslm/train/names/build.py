"""Makes the training text of the name classifier, as shards.

``python -m finslm.train.names.build --base DIR --data DIR --models DIR --out DIR`` takes about a quarter of
an hour, most of it the silver labels; ``fit`` can begin meanwhile.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from finslm.train.names.compose import Composer
from finslm.train.names.generate import generate
from finslm.train.names.makers import Makers
from finslm.train.names.pools import pools
from finslm.train.names.prose import labelled, messages, passages
from finslm.train.names.sample import Sample
from finslm.train.names.shards import rows, save
from finslm.train.names.silver import label
from finslm.train.names.slots import Slots

log = logging.getLogger(__name__)

LONGEST = 158
"""Word pieces of one row: the classifier's window."""
_SHARES = (67, 20, 8, 3, 2)
"""Per cent of the grammar's text, templates, silver-labelled prose, prose labelled by people, messages."""


def silver(file: Path, data: Path, models: Path, seed: int) -> list[Sample]:
    """Silver-labelled passages; made once and kept in ``file``."""
    if not file.exists():
        made = label(passages(data, random.Random(seed)), models)  # noqa: S311 - text for training, no secret
        file.write_text("".join(json.dumps(sample) + "\n" for sample in made), "utf-8")
    kept = (json.loads(line) for line in file.read_text("utf-8").splitlines())
    return [Sample(text, tuple((start, end, type_) for start, end, type_ in spans)) for text, spans in kept]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--models", type=Path, required=True, help="folder of en-core-web-sm and rampart")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=95, help="shards")
    parser.add_argument("--size", type=int, default=3000, help="samples in a shard")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(chosen.base / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    rng = random.Random(chosen.seed)  # noqa: S311 - text for training, no secret
    composer = Composer(Slots(rng, pools(chosen.out / "pools.json"), tokenizer))
    natural = silver(chosen.out / "silver.jsonl", chosen.data, chosen.models, chosen.seed)
    people, plain = labelled(chosen.data), messages(chosen.data)
    grammar = Makers(chosen.out / "pools")
    makers: list[Callable[[], Sample]] = [
        lambda: next(written),
        composer.sample,
        lambda: composer.swap(rng.choice(natural), 0.6),
        lambda: composer.swap(rng.choice(people), 0.5),
        lambda: rng.choice(plain),
    ]
    for number in range(chosen.first, chosen.first + chosen.count):
        rng.seed(chosen.seed * 1000 + number)
        written = generate(chosen.seed * 1000 + number, chosen.size, makers=grammar)
        samples = [rng.choices(makers, _SHARES)[0]() for _ in range(chosen.size)]
        shard = list(rows(tokenizer, samples, longest=LONGEST))
        save(chosen.out / f"shard-{number:03}.npz", shard)
        log.info("shard %d: %d rows, %d pieces", number, len(shard), sum(len(row.ids) for row in shard))


if __name__ == "__main__":
    main()
