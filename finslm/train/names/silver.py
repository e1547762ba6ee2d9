"""Labels for plain prose from two models that were trained elsewhere: what both say counts.

Where only one of them sees a person, the words are left out of the loss: nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import spacy

from finslm.train.names.sample import Sample
from redaction.detection import Detection
from redaction.ner.rampart import Rampart
from redaction.ner.weights import SPACY, model_folder

UNKNOWN: Final = "UNKNOWN"
"""No type of the classifier: the words are left out of the loss."""

_TYPES: Final = {
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "ORG": "ORGANIZATION",
    "NORP": "NRP",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
    "PERSON": "PERSON",
    "FAC": UNKNOWN,
    "PRODUCT": UNKNOWN,
    "WORK_OF_ART": UNKNOWN,
    "EVENT": UNKNOWN,
    "LAW": UNKNOWN,
}
_BATCH = 64


def label(texts: Iterable[str], models_dir: Path) -> Iterator[Sample]:
    """Label texts.

    Args:
        texts: sentences or short passages.
        models_dir: folder of the models ``en-core-web-sm`` and ``rampart``.
    """
    pipeline: Any = spacy.load(model_folder(models_dir, SPACY), exclude=["tagger", "parser", "lemmatizer", "senter"])
    rampart = Rampart(models_dir)
    source = iter(texts)
    while batch := list(islice(source, _BATCH)):
        docs = pipeline.pipe(batch, batch_size=_BATCH)
        for text, doc, second in zip(batch, docs, rampart.detect_batch(batch), strict=True):
            yield Sample(text, tuple(_agreed(doc, [d for d in second if d.score >= 0.5])))


def _agreed(doc: Any, second: list[Detection]) -> Iterator[tuple[int, int, str]]:
    taken: list[tuple[int, int]] = []
    for entity in doc.ents:
        if entity.label_ not in _TYPES:
            continue
        start, end, type_ = entity.start_char, entity.end_char, _TYPES[entity.label_]
        seen = {d.type for d in second if d.start < end and d.end > start}
        if type_ == "PERSON" and "PERSON" not in seen:
            type_ = UNKNOWN
        if type_ in ("LOCATION", "ORGANIZATION") and "PERSON" in seen:
            type_ = UNKNOWN
        taken.append((start, end))
        yield start, end, type_
    for d in second:
        if not any(start < d.end and end > d.start for start, end in taken):
            yield d.start, d.end, UNKNOWN
