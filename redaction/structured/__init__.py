"""Documents by structure: JSON, JSON Lines, CSV, HTML/XML and key-value text, walked leaf by leaf.

    >>> from redaction import Redactor
    >>> from redaction.structured import redact_document, restore_document
    >>> redacted = redact_document(Redactor.from_policy(), '{"card": 4111111111111111}')   # doctest: +SKIP
    >>> redacted.text                                                                      # doctest: +SKIP
    '{"card": "<CREDIT_CARD_1>"}'
    >>> restore_document(redacted.text, redacted)                                          # doctest: +SKIP
    '{"card": 4111111111111111}'

No document is loaded and dumped: positions are found, and outside the replaced values not a byte changes.
"""

from __future__ import annotations

from redaction.structured.document import FORMATS, Document, DocumentTooLarge, Kind, Leaf
from redaction.structured.find import find
from redaction.structured.parse import parse
from redaction.structured.replace import RedactedDocument, redact_document, restore_document

__all__ = [
    "FORMATS",
    "Document",
    "DocumentTooLarge",
    "Kind",
    "Leaf",
    "RedactedDocument",
    "find",
    "parse",
    "redact_document",
    "restore_document",
]
