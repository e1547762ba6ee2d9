"""``<TYPE_N>``: numbered per type in order of appearance, the same value under the same number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, final

from redaction.operators import base
from redaction.operators.base import OPERATORS, Context

PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]*_[0-9]+(?:_[0-9A-HJKMNP-TV-Z]{8})?>")
"""The shape of every placeholder: ``<TYPE_N>``, and where it leaves the process ``<TYPE_N_NONCE>``.

It begins and ends with a character that it does not hold inside, so two can never overlap and none can grow out of its
neighbourhood.
"""


@OPERATORS.register("placeholder")
@final
class Placeholder:
    """Numbers values; the map from placeholder to value restores them."""

    Options: ClassVar = base.Options
    reversible = True

    def __init__(self, options: base.Options | None = None, context: Context | None = None) -> None:  # noqa: ARG002 - has none
        self._issuer = None if context is None else context.issuer
        self._issued: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()

    @staticmethod
    def unsuited(type_: str, options: base.Options) -> str:  # noqa: ARG004 - of the protocol
        """It suits every type."""
        return ""

    def expect(self, values: Sequence[tuple[str, str]]) -> None:
        """Ask the issuer, where there is one, for all of them together."""
        new = [*dict.fromkeys(value for value in values if value not in self._issued)]
        if self._issuer is not None and new:
            self._issued.update(zip(new, self._issuer.issue(new), strict=True))

    def replace(self, type_: str, value: str) -> str:
        """Return the value's placeholder, a new one for a new value."""
        key = (type_, value)
        if key not in self._issued:
            if self._issuer is None:
                self._numbers[type_] += 1
                self._issued[key] = f"<{type_}_{self._numbers[type_]}>"
            else:
                self.expect([key])
        return self._issued[key]
