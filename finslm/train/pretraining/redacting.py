"""The redaction stage before training, with the policy and the placeholders of serving."""

from __future__ import annotations

from typing import Final, final

from redaction import Redactor
from redaction.errors import CannotReplace, TextTooLarge

BUDGET_S: Final = 600.0
"""Time for one document, seconds: nobody waits, and a filing is long."""


@final
class CorpusRedactor:
    """Redacts documents one by one, each with placeholders of its own, and looks at each a second time.

    Args:
        redactor: with the policy to follow; the built-in finance policy when None.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self._redactor = redactor or Redactor.from_policy(None, budget_s=BUDGET_S)
        self.counts: dict[str, int] = {}
        """Type → pieces that were replaced."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of policy, detectors and models."""
        return self._redactor.digest

    def __call__(self, text: str) -> str:
        """The redacted document.

        Raises:
            ValueError: the second look found something, or the document is too long or cannot be replaced in.
            DetectionFailed: a detector failed: nothing may be trained on then.
        """
        try:
            redacted = self._redactor.redact(text)
        except (TextTooLarge, CannotReplace) as error:
            raise ValueError(f"it cannot be redacted: {error}") from error
        if left := self._redactor.second_look(redacted):
            raise ValueError(f"after redaction {left[0].type} is still in it: it is not trained on")
        for name, count in redacted.entity_counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        return redacted.text
