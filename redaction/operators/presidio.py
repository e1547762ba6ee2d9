"""Operators of presidio-anonymizer, for those who have policies made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, final

from pydantic import Field, JsonValue

from redaction.operators import base
from redaction.operators.base import OPERATORS, Context
from redaction.operators.plain import Plain

_SECRETS: Final = {"hash": "salt", "encrypt": "key"}
"""What a policy must not say: it comes from the tenant's key."""


@final
class PresidioOptions(base.Options):
    """Which one, and what it is told."""

    operator: Literal["replace", "redact", "mask", "hash", "encrypt"] = "replace"
    """Its name in Presidio; ``keep`` is an action of its own, and ``custom`` would be code."""
    params: Mapping[str, JsonValue] = Field(default_factory=dict)
    """As Presidio takes them, without ``key`` and ``salt``: they come from the tenant's key."""


@OPERATORS.register("presidio")
@final
class Presidio(Plain[PresidioOptions]):
    """What ``AnonymizerEngine`` would write. One value gets the same within a text.

    Of Presidio's own: ``encrypt`` writes another text each time (AES-CBC with a random vector, no authentication),
    so that texts cannot be linked by it; decrypt it with :meth:`decrypt`.

    Raises:
        RedactionError: there is no key, and the operator needs one.
    """

    Options: ClassVar[type[base.Options]] = PresidioOptions

    def __init__(self, options: PresidioOptions, context: Context) -> None:
        from redaction.presidio.anonymizer import check

        super().__init__(options, context)
        self._params: dict[str, Any] = dict(options.params)
        if options.operator in _SECRETS:
            key = context.key("presidio", options.operator)
            self._params |= {_SECRETS[options.operator]: key}
        check(options.operator, self._params)  # options of no policy: it has been asked at load
        self._said: dict[tuple[str, str], str] = {}

    @staticmethod
    def unsuited(type_: str, options: base.Options) -> str:
        """Return what Presidio says against the options, or nothing."""
        from redaction.presidio.anonymizer import why_not

        told = options.model_dump()
        if secret := {*_SECRETS.values()} & {*told["params"]}:
            return f"{min(secret)} comes from the tenant's key and cannot stand in a policy"
        params = dict(told["params"])
        if told["operator"] == "encrypt":
            params["key"] = b"0" * 32
        return why_not(told["operator"], {**params, "entity_type": type_})

    def replace(self, type_: str, value: str) -> str:
        """Return what Presidio writes."""
        from redaction.presidio.anonymizer import operate

        if (type_, value) not in self._said:
            self._said[type_, value] = operate(self._options.operator, value, {**self._params, "entity_type": type_})
        return self._said[type_, value]

    def decrypt(self, answer: str) -> str:
        """Return the value that ``encrypt`` has written so.

        Raises:
            RedactionError: it was not written with this key.
        """
        from redaction.presidio.anonymizer import decrypt

        return decrypt(answer, self._params["key"])
