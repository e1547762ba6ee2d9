"""The policy: a frozen value with a digest for every record."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, final

import rfc8785
from pydantic import Field, ValidationError, field_validator, model_validator

from redaction.operators import OPERATORS
from redaction.places import Place
from redaction.policy.answer import Answer
from redaction.policy.entries import LITERAL, AllowEntry, Closed, DenyEntry, type_name
from redaction.policy.known import LANGUAGES, nearest

KEEP: Final = "keep"
"""The action that leaves a detection in the text."""

DEFAULT_ACTION: Final = "placeholder"
"""The action for types that a policy does not name, when it names no other."""

MAX_VALUES: Final = 200_000
MAX_PATTERNS: Final = 256
"""Most values, and most patterns, of the lists of one policy."""

__all__ = ["DEFAULT_ACTION", "KEEP", "LITERAL", "EntityRule", "Off", "Policy"]


def _known_action(action: str) -> str:
    known = sorted({KEEP, *OPERATORS.names()})
    if action not in known:
        near = nearest(action, known)
        raise ValueError(f"unknown action;{near} known: {', '.join(known)}")
    return action


def _unsuited(action: str | None, type_: str, options: Mapping[str, Any]) -> str:
    operator = OPERATORS.get(str(action))
    return operator.unsuited(type_, operator.Options.model_validate(dict(options)))


@final
class EntityRule(Closed):
    """What is done with one type. In YAML a bare action is enough: ``PERSON: placeholder``."""

    action: str | None = None
    """``keep`` or the name of an operator; that of the policy extended, else ``default_action``, when not given."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """What the action is to do in particular; which there are depends on it. Needs ``action`` beside it."""
    score_threshold: float | None = Field(None, ge=0, le=1)
    """Weaker findings of this type are dropped; the policy's own threshold when not given."""

    @model_validator(mode="before")
    @classmethod
    def _bare_action(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value

    @field_validator("action")
    @classmethod
    def _action(cls, action: str | None) -> str | None:
        return None if action is None else _known_action(action)

    @model_validator(mode="after")
    def _options_fit(self) -> EntityRule:
        if not self.options:
            return self
        if self.action is None or self.action == KEEP:
            raise ValueError("options need the action that they are for, and keep has none")
        try:
            OPERATORS.get(self.action).Options.model_validate(dict(self.options))
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, found["loc"]))
            raise ValueError(f"options of {self.action}: {where}: {found['msg']}") from None
        return self


@final
class Off(Closed):
    """What is not even looked for. ``keep`` is milder: it finds and counts, and leaves the text as it is."""

    types: tuple[str, ...] = ()
    """Findings of these types are dropped."""
    recognizers: tuple[str, ...] = ()
    """Findings of these recognizers are dropped."""

    @field_validator("types")
    @classmethod
    def _type_names(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({type_name(name) for name in types}))

    @field_validator("recognizers")
    @classmethod
    def _as_set(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(names)))


@final
class Policy(Closed):
    """A redaction policy. As read from a file it is checked against the types that this version knows."""

    version: Literal[1] = 1
    """Of the format."""
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """For people; the digest says which policy it is."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the texts it is for (ISO 639-1). One that no detector knows is refused."""
    score_threshold: float = Field(0.35, ge=0, le=1)
    """Findings below it are dropped."""
    default_action: str = DEFAULT_ACTION
    """For types that ``entities`` does not name. ``keep`` is refused: what is not thought of is protected."""
    budget_ms: int | None = Field(None, ge=1, le=600_000)
    """Most time for one text, milliseconds: when it is up, the text is refused. It can only shorten the program's."""
    max_chars: int | None = Field(None, ge=1, le=1 << 24)
    """Longest text, code points: a longer one is refused. It can only shorten the program's limit."""
    placeholders: Literal["session", "tenant"] = "session"
    """How far a value keeps its placeholder: within a session, or in all texts of a tenant. With ``tenant``, texts of
    different calls can be linked, and who of the tenant may restore can restore what another sent."""
    restore_in: tuple[Place, ...] = ()
    """Places of an answer where values are put back though they may carry them away: ``url``, ``email`` (an address
    that is built of a value), ``file_name``, ``tool_arguments``."""
    entities: Mapping[str, EntityRule] = Field(default_factory=dict)
    """Type → what is done with it."""
    switched_off: Off = Off()
    """What is switched off."""
    allow: tuple[AllowEntry, ...] = ()
    """What may stay though it was found."""
    deny: tuple[DenyEntry, ...] = ()
    """What is found though no detector knows it."""
    answer: Answer = Answer()
    """What is done with what should not stand in a model's answer."""

    @field_validator("default_action")
    @classmethod
    def _fail_closed(cls, action: str) -> str:
        if action == KEEP:
            raise ValueError("keep would pass every type that is not listed; list the types to keep instead")
        if reason := _unsuited(_known_action(action), "", {}):
            raise ValueError(f"{action} does not suit every type: {reason}")
        return action

    @field_validator("languages")
    @classmethod
    def _spoken(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [language for language in languages if language not in LANGUAGES]:
            known = ", ".join(sorted(LANGUAGES))
            raise ValueError(f"no detector knows the language {unknown[0][:8]!r}; known: {known}")
        if not languages:
            raise ValueError("at least one language is wanted")
        return tuple(sorted(set(languages)))

    @field_validator("restore_in")
    @classmethod
    def _each_once(cls, places: tuple[Place, ...]) -> tuple[Place, ...]:
        return tuple(sorted({*places}))

    @field_validator("entities")
    @classmethod
    def _type_names(cls, entities: Mapping[str, EntityRule]) -> Mapping[str, EntityRule]:
        named = {type_name(name): rule for name, rule in entities.items()}
        for type_, rule in named.items():
            if rule.action not in (None, KEEP) and (reason := _unsuited(rule.action, type_, rule.options)):
                raise ValueError(f"{rule.action} does not suit {type_}: {reason}")
        return named

    @model_validator(mode="after")
    def _lists_within_limits(self) -> Policy:
        entries = [*self.allow, *self.deny]
        if (values := sum(len(entry.values) for entry in entries)) > MAX_VALUES:
            raise ValueError(f"the lists have {values} values, limit {MAX_VALUES}: use patterns")
        if (patterns := sum(entry.pattern is not None for entry in entries)) > MAX_PATTERNS:
            raise ValueError(f"the lists have {patterns} patterns, limit {MAX_PATTERNS}: use values")
        if idle := sorted({entry.type for entry in self.deny} & self.kept):
            raise ValueError(f"deny gives {idle[0]}, kept or switched off: what it finds would stay in the text")
        return self

    @model_validator(mode="after")
    def _forbidden_can_be_withheld(self) -> Policy:
        if shown := sorted({*self.answer.forbid} & self.kept):
            raise ValueError(
                f"answer.forbid has {shown[0]}, kept or switched off: the model reads it in the clear; "
                "give it an action"
            )
        return self

    @classmethod
    def builtin(cls) -> Policy:
        """Return the built-in finance policy (``redaction/policies/finance.yaml``)."""
        from redaction.policy.resolve import resolve

        return resolve("finance").policy

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy file, and what it extends.

        Raises:
            PolicyError: unreadable, not YAML, or a key or value that breaks the rules; says where.
        """
        from redaction.policy.resolve import resolve

        return resolve(path).policy

    @classmethod
    def parse(cls, text: str, *, where: str = "policy") -> Policy:
        """Make a policy from YAML text; it may extend built-in policies only.

        Raises:
            PolicyError: not YAML, or a key or value that breaks the rules; says where.
        """
        from redaction.policy.resolve import resolve_text

        return resolve_text(text, where=where).policy

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the whole policy, with all that it extends, as canonical JSON (RFC 8785)."""
        return hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()

    @property
    def kept(self) -> frozenset[str]:
        """The types that stay in the text: those kept and those switched off."""
        return frozenset(
            {type_ for type_, rule in self.entities.items() if rule.action == KEEP} | {*self.switched_off.types}
        )

    def action(self, type_: str) -> str:
        """Return what is done with a type."""
        if type_ in self.switched_off.types:
            return KEEP
        rule = self.entities.get(type_)
        return self.default_action if rule is None or rule.action is None else rule.action

    def options(self, type_: str) -> Mapping[str, Any]:
        """Return what the action of a type is told."""
        rule = self.entities.get(type_)
        return {} if rule is None or type_ in self.switched_off.types else rule.options

    def threshold(self, type_: str) -> float:
        """Return the score below which findings of a type are dropped; infinite for a type that is off."""
        if type_ in self.switched_off.types:
            return math.inf
        rule = self.entities.get(type_)
        return self.score_threshold if rule is None or rule.score_threshold is None else rule.score_threshold
