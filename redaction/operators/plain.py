"""What operators that keep nothing to restore have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from redaction.operators.base import Context, Options

O = TypeVar("O", bound=Options)  # noqa: E741 - of options


class Plain(Generic[O]):
    """An operator whose answers are not put back.

    Args:
        options: its own.
        context: for whom.
    """

    reversible = False

    def __init__(self, options: O, context: Context) -> None:
        self._options, self._context = options, context

    @staticmethod
    def unsuited(type_: str, options: Options) -> str:  # noqa: ARG004 - of the protocol
        """It suits every type."""
        return ""

    def expect(self, values: Sequence[tuple[str, str]]) -> None:
        """Nothing is asked beforehand."""
