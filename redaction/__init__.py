"""Finds personal and confidential data in finance text, replaces it by placeholders, and puts it back exactly.

    >>> from redaction import Redactor
    >>> redactor = Redactor.from_policy()                              # doctest: +SKIP
    >>> redacted = redactor.redact("pay DE89370400440532013000")       # doctest: +SKIP
    >>> redacted.text                                                  # doctest: +SKIP
    'pay <IBAN_CODE_1>'
    >>> redactor.restore("paid <IBAN_CODE_1>", redacted)               # doctest: +SKIP
    'paid DE89370400440532013000'

The library knows nothing of gRPC or of ``finslm``, logs no text, opens no connection, and fails closed.
"""

from __future__ import annotations

from redaction import errors
from redaction.detection import Detection
from redaction.policy import Policy
from redaction.redactor import Redacted, Redactor
from redaction.text import RawText, RedactedText
from redaction.vault.memory import MemoryVault

__all__ = ["Detection", "MemoryVault", "Policy", "RawText", "Redacted", "RedactedText", "Redactor", "errors"]
