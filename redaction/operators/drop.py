"""Nothing, or a fixed word, in the place of a value."""

from __future__ import annotations

from typing import ClassVar, final

from pydantic import Field

from redaction.operators import base
from redaction.operators.base import OPERATORS
from redaction.operators.plain import Plain


@final
class DropOptions(base.Options):
    """What stands there."""

    word: str = Field("", max_length=32, pattern=r"^[^<>\r\n]*$")
    """The same for every value; empty: nothing."""


@OPERATORS.register("drop")
@final
class Drop(Plain[DropOptions]):
    """Leaves a value out."""

    Options: ClassVar[type[base.Options]] = DropOptions

    def replace(self, type_: str, value: str) -> str:  # noqa: ARG002 - of the protocol
        """Return the word."""
        return self._options.word
