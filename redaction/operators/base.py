"""The operator protocol, what an operator is made from, and the table of operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, final

from pydantic import BaseModel, ConfigDict

from redaction.errors import RedactionError
from redaction.registry import Registry


class Options(BaseModel):
    """What a policy may say of an operator; each operator's own come from it. Frozen, no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


_Options = Options
"""The class, where an attribute has its name."""


class Keys(Protocol):
    """The secrets of one tenant."""

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes: always the same for a tenant and a purpose, unrelated to those of any other.

        Raises:
            RedactionError: the key is destroyed, or its keeper cannot be reached.
        """
        ...


class Issuer(Protocol):
    """Numbers values beyond one text: the same value of a type gets the same placeholder wherever it is asked."""

    def issue(self, values: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Return a placeholder for each (type, value).

        Raises:
            RedactionError: the vault cannot say; nothing may be passed on.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class Context:
    """For whom a text is redacted. Its ``repr`` shows nothing of it.

    Args:
        keys: the tenant's; operators that need a key refuse without.
        subject: whom or what the text is about, such as a customer's number; dates are shifted alike for one subject.
        issuer: numbers placeholders for a session or a tenant; None: each text has numbers of its own.
    """

    keys: Keys | None = field(default=None, repr=False)
    subject: str = field(default="", repr=False)
    issuer: Issuer | None = field(default=None, repr=False)

    def key(self, action: str, purpose: str) -> bytes:
        """Return the tenant's 32 bytes for a purpose of an operator.

        Raises:
            RedactionError: there are no keys; or as for :meth:`Keys.derive`.
        """
        if self.keys is None:
            raise RedactionError(f"action {action} needs a key of the tenant, and none is configured")
        return self.keys.derive(f"operator {action} {purpose}")


class Operator(Protocol):
    """Replaces values. One instance serves one text, so it may remember what it has seen.

    The registry holds its class; it is made as ``Class(options, context)``, with an ``Options`` of its own.
    """

    Options: ClassVar[type[Options]]
    """What a policy may say of it."""

    @staticmethod
    def unsuited(type_: str, options: _Options) -> str:
        """Return why it makes no sense for a type (empty: for any), or nothing; a policy is refused with it."""
        ...

    @property
    def reversible(self) -> bool:
        """Whether the replacement goes into the map that restores the value."""
        ...

    def expect(self, values: Sequence[tuple[str, str]]) -> None:
        """Be told all (type, value) of a text that will be asked for, before the first: to ask a vault only once."""
        ...

    def replace(self, type_: str, value: str) -> str:
        """Return what stands in the place of ``value``; the same value of a type gets the same answer.

        Raises:
            CannotReplace: the value is of another form; the text must not be passed on.
        """
        ...


OPERATORS: Registry[type[Operator]] = Registry("action")


def make(action: str, options: Mapping[str, Any], context: Context) -> Operator:
    """Make an operator for one text.

    Args:
        action: its name.
        options: checked ones, as the policy says.
        context: for whom.

    Raises:
        LookupError: unknown action.
        RedactionError: it needs a key that is not there.
    """
    kind: Any = OPERATORS.get(action)
    made: Operator = kind(kind.Options.model_validate(options), context)
    return made
