"""Makes documents with their fields.

``python -m finslm.train.documents.generate --kind invoice --split test --count 3 --cache FOLDER`` prints some.

Structures (wording, layout, order) are written by hand, apart for training, calibration and test; what stands in them
is drawn from pools, and the names of the test documents stand in no other.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, final

from finslm.train.documents.layouts import Layouts
from finslm.train.documents.money import known_rows
from finslm.train.documents.values import SPLITS, Values
from finslm.train.names.grammar import Grammar, Piece, Scene, assemble
from finslm.train.names.makers import Makers
from finslm.train.names.noise import spoiled
from finslm.train.names.sample import Sample

_STRUCTURES: Final = Path(__file__).parent / "structures"
_NOISE: Final = {"train": 0.2, "dev": 0.1, "test": 0.1}
"""Share of documents in other letter case, badly scanned, with typing errors or without accents."""
_NEW_LAYOUTS: Final = 0.3
"""Share of training documents whose layout is put together anew; the others follow a structure written by hand."""
_TRAINED_ON: Final = ("", ".more", ".roles", ".prose")
"""Files of structures to train on, by what stands in their names."""
_LONGEST: Final = 3000
"""Characters of a document."""


class Kind(NamedTuple):
    """A kind of document: the task that reads it, and what fills each of its fields."""

    task: str
    fields: Mapping[str, str]


KINDS: Final = {
    "payment": Kind(
        "payment_instruction",
        {
            "amount": "", "currency": "", "beneficiary": "party", "account": "account", "bank_code": "bankcode",
            "reference": "reference", "execution_date": "date", "payer": "party", "payer_account": "account",
        },
    ),
    "invoice": Kind(
        "invoice",
        {
            "number": "invoiceno", "issue_date": "date", "due_date": "date", "seller": "org", "buyer": "party",
            "seller_tax_id": "taxid", "purchase_order": "order", "currency": "", "net": "", "tax_rate": "",
            "tax": "", "total": "", "account": "iban", "item_description": "goods", "item_quantity": "",
            "item_unit_price": "", "item_amount": "",
        },
    ),
    "kyc": Kind(
        "kyc_profile",
        {
            "full_name": "person", "date_of_birth": "dayofbirth", "nationality": "nationality", "address": "address",
            "document_type": "idtype", "document_number": "docno", "document_expiry": "date", "tax_id": "taxid",
            "occupation": "job", "employer": "org", "source_of_funds": "funds", "email": "email", "phone": "phone",
        },
    ),
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Document:
    """A text and its fields.

    Args:
        kind: see :data:`KINDS`.
        structure: which of the structures it follows.
        text: the text.
        spans: start, end (code points, half open) and field; sorted, without overlaps.
    """

    kind: str
    structure: str
    text: str
    spans: tuple[tuple[int, int, str], ...]


@final
class Documents:
    """Makes the documents of one split.

    Args:
        makers: the pools.
        split: ``train``, ``dev`` or ``test``.
    """

    def __init__(self, makers: Makers, split: str) -> None:
        self._split = split
        values = Values(makers, split)
        self._grammars = {kind: _grammar(kind, split, values) for kind in KINDS}
        self._weights = {kind: _structures(grammar, kind) for kind, grammar in self._grammars.items()}
        self._layouts = {
            kind: Layouts(kind, grammar, values.slots(KINDS[kind].fields), tuple(KINDS[kind].fields))
            for kind, grammar in self._grammars.items()
            if split == "train"
        }

    def structures(self, kind: str) -> Sequence[str]:
        """Names of the structures of a kind; training's stand for several lines each."""
        return tuple(self._weights[kind])

    def make(self, kind: str, rng: random.Random) -> Document:
        """Make one."""
        while True:
            structure, pieces = self._pieces(kind, rng)
            sample = _trimmed(spoiled(assemble(pieces), rng, _NOISE[self._split]))
            if sample.spans and len(sample.text) <= _LONGEST:
                return Document(kind, structure, sample.text, sample.spans)

    def _pieces(self, kind: str, rng: random.Random) -> tuple[str, list[Piece]]:
        """A text with rows is written twice, in the same words: then it is known what its rows add up to."""
        state, scene = rng.getstate(), Scene(rng)
        found = self._written(kind, scene)
        if known := known_rows(scene):
            rng.setstate(state)
            found = self._written(kind, Scene(rng, known))
        return found

    def _written(self, kind: str, scene: Scene) -> tuple[str, list[Piece]]:
        if kind in self._layouts and scene.rng.random() < _NEW_LAYOUTS:
            return f"{kind}_layout", self._layouts[kind].make(scene)
        weights = self._weights[kind]
        structure = scene.rng.choices(list(weights), list(weights.values()))[0]
        return structure, self._grammars[kind].expand(structure, scene)

    def stream(self, seed: int, count: int) -> Iterator[Document]:
        """Make documents of all kinds in turn; a seed always gives the same."""
        rng = random.Random(f"{self._split} {seed}")  # noqa: S311 - text for training, no secret
        kinds = list(KINDS)
        for number in range(count):
            yield self.make(kinds[number % len(kinds)], rng)


@lru_cache(maxsize=2)
def pools(cache: Path) -> Makers:
    """The pools of names, firms and places; made once, in under a minute."""
    return Makers(cache)


def _grammar(kind: str, split: str, values: Values) -> Grammar:
    names = ("common.txt", f"{kind}.words.txt", *(f"{kind}{part}.train.txt" for part in _TRAINED_ON))
    files = [_STRUCTURES / name for name in names]
    if split != "train":
        files = [_STRUCTURES / f"{kind}.{split}.txt"]
    grammar = Grammar(files, values.slots(KINDS[kind].fields))
    grammar.check()
    return grammar


def _structures(grammar: Grammar, kind: str) -> dict[str, int]:
    """Each structure and how often: as often as it has lines."""
    return {rule: len(grammar.lines(rule)) for rule in sorted(grammar.rules) if rule.startswith(f"{kind}_")}


def _trimmed(sample: Sample) -> Sample:
    """Without the spaces that noise left at the ends of values."""
    spans = []
    for start, end, field in sample.spans:
        value = sample.text[start:end]
        first, last = start + len(value) - len(value.lstrip()), start + len(value.rstrip())
        if first < last:
            spans.append((first, last, field))
    return Sample(sample.text, tuple(spans))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the pools of names")
    chosen = parser.parse_args(arguments)
    documents = Documents(pools(chosen.cache), chosen.split)
    rng = random.Random(f"{chosen.split} {chosen.seed}")  # noqa: S311 - text for training, no secret
    for _ in range(chosen.count):
        made = documents.make(chosen.kind, rng)
        shown = {"text": made.text, "structure": made.structure, "spans": made.spans}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
