"""Presidio's operators as functions; importing presidio-anonymizer takes seconds, so it waits for the first call."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from redaction.errors import CannotReplace

if TYPE_CHECKING:
    from presidio_anonymizer.operators import OperatorsFactory


def why_not(operator: str, params: Mapping[str, Any]) -> str:
    """Return what Presidio says against the parameters of an operator, or nothing."""
    from presidio_anonymizer.entities import InvalidParamError

    if "<" in str(params.get("new_value", "")):
        return "new_value may not have < in it: it could be taken for a placeholder"
    if unknown := {*params} - _TAKEN[operator] - {"entity_type"}:
        return f"Presidio's {operator} does not know {min(unknown)}; it takes {', '.join(sorted(_TAKEN[operator]))}"
    try:
        _operator(operator).validate(dict(params))
    except (InvalidParamError, TypeError, ValueError) as error:
        return f"Presidio says: {error}"
    return ""


_TAKEN = {
    "replace": frozenset({"new_value"}),
    "redact": frozenset[str](),
    "mask": frozenset({"masking_char", "chars_to_mask", "from_end"}),
    "hash": frozenset({"hash_type", "salt"}),
    "encrypt": frozenset({"key"}),
}
"""Presidio passes over what it does not know; a typing error must not."""


def check(operator: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that Presidio does not take.

    Raises:
        CannotReplace: it does not; the message is Presidio's.
    """
    if reason := why_not(operator, params):
        raise CannotReplace(reason)


def operate(operator: str, value: str, params: Mapping[str, Any]) -> str:
    """Return what an operator of Presidio writes for a value.

    Raises:
        CannotReplace: it fails, or leaves the value as it is.
    """
    try:
        answer: str = _operator(operator).operate(value, dict(params))
    except Exception as error:  # noqa: BLE001 - whatever it is, the value must not pass
        raise CannotReplace(f"Presidio's operator {operator} failed: {type(error).__name__}") from None
    if answer == value:
        raise CannotReplace(f"Presidio's operator {operator} leaves a value as it is; the text was not passed on")
    return answer


def decrypt(answer: str, key: bytes) -> str:
    """Return the value of what ``encrypt`` wrote.

    Raises:
        CannotReplace: it was not written with this key.
    """
    from presidio_anonymizer.operators import Decrypt

    try:
        base64.urlsafe_b64decode(answer.encode("ascii"))
        value: str = Decrypt().operate(answer, {"key": key})
    except (binascii.Error, ValueError):
        raise CannotReplace("the text was not written with this key") from None
    return value


def _operator(name: str) -> Any:
    return _factory().create_operator_class(name, _anonymize())


def _anonymize() -> Any:
    from presidio_anonymizer.operators import OperatorType

    return OperatorType.Anonymize


@cache
def _factory() -> OperatorsFactory:
    from presidio_anonymizer.operators import OperatorsFactory

    made: OperatorsFactory = OperatorsFactory()  # type: ignore[no-untyped-call]
    return made
