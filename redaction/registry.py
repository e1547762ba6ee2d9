"""Named parts: registered by a decorator, looked up by name; an unknown name lists the known ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """A table from name to part."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under ``name``.

        Raises:
            ValueError: the name is taken.
        """

        def add(part: T) -> T:
            if name in self._parts:
                raise ValueError(f"{self._kind} {name} is registered twice")
            self._parts[name] = part
            return part

        return add

    def get(self, name: str) -> T:
        """Return the part.

        Raises:
            LookupError: unknown name; the message lists the known ones.
        """
        try:
            return self._parts[name]
        except KeyError:
            raise LookupError(f"unknown {self._kind} {name!r}; known: {', '.join(self.names())}") from None

    def names(self) -> list[str]:
        """Return the known names, sorted."""
        return sorted(self._parts)
