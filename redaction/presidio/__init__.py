"""The adapter to Presidio (data-privacy-stack/presidio): the only package that imports it.

* ``presidio_recognizers()``: its recognizers among ours, for what ours do not cover;
* ``as_presidio``, ``add_to``: ours inside a stock ``AnalyzerEngine``;
* ``stock_analyzer``: Presidio exactly as it comes, to compare with.
"""

from __future__ import annotations

from redaction.presidio.baseline import stock_analyzer
from redaction.presidio.export import add_to, as_presidio
from redaction.presidio.recognizers import StockRecognizer, presidio_recognizers

__all__ = [
    "StockRecognizer",
    "add_to",
    "as_presidio",
    "presidio_recognizers",
    "stock_analyzer",
]
