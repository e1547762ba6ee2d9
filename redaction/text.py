"""Text that may hold personal data, and text that may not: two types that a type checker keeps apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final


@final
@dataclass(frozen=True, slots=True)
class RawText:
    """Text as the caller sent it. Its ``repr`` and ``str`` never show the text, so no log line can."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return f"<RawText {len(self.value)} chars>"

    def __repr__(self) -> str:
        return str(self)

    def __len__(self) -> int:
        return len(self.value)


@final
@dataclass(frozen=True, slots=True)
class RedactedText:
    """Text after redaction: the only kind of text a prompt can be made of.

    It comes from :meth:`redaction.Redactor.redact` or, for text that the program's authors wrote
    (templates, instructions), from :meth:`trusted`. Its ``repr`` shows no text either: what is
    confidential is a matter of policy, and a policy can be wrong.
    """

    value: str = field(repr=False)

    @classmethod
    def trusted(cls, program_text: str) -> RedactedText:
        """Wrap text written by the program's authors. Never call it with anything a caller sent."""
        return cls(program_text)

    def __str__(self) -> str:
        return f"<RedactedText {len(self.value)} chars>"

    def __repr__(self) -> str:
        return str(self)

    def __len__(self) -> int:
        return len(self.value)
