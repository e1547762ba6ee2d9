"""Published data sets, read from their files. Importing this package registers them."""

from finslm.evaluate.datasets import answering, classification, entities, explained, reports
from finslm.evaluate.datasets.base import DATASETS, DataSet, Example, Files, Splits, folded

__all__ = [
    "DATASETS",
    "DataSet",
    "Example",
    "Files",
    "Splits",
    "answering",
    "classification",
    "entities",
    "explained",
    "folded",
    "reports",
]
