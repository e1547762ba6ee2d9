"""The operator protocol and the table of operators."""

from __future__ import annotations

from typing import Protocol

from redaction.registry import Registry


class Operator(Protocol):
    """Replaces values. One instance serves one text, so it may remember what it has seen."""

    @property
    def reversible(self) -> bool:
        """Whether the replacement goes into the map that restores the value."""
        ...

    def replace(self, type_: str, value: str) -> str:
        """Return what stands in the place of ``value``; the same value of a type gets the same answer."""
        ...


OPERATORS: Registry[type[Operator]] = Registry("action")
