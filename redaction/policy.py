"""What is looked for and what is done with it: a frozen value, read from YAML, with a digest for every record."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, final

import rfc8785
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from redaction import strict_yaml
from redaction.errors import PolicyError
from redaction.operators import OPERATORS

KEEP = "keep"
"""The action that leaves a detection in the text."""

LITERAL = "LITERAL"
"""Type of a placeholder lookalike in the caller's own text: always replaced, whatever the policy says."""

_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_action(action: str) -> str:
    known = sorted({KEEP, *OPERATORS.names()})
    if action not in known:
        raise ValueError(f"unknown action; known: {', '.join(known)}")
    return action


@final
class EntityRule(_Model):
    """What is done with one type. In YAML a bare action is enough: ``PERSON: placeholder``."""

    action: str
    """``keep`` or the name of an operator."""
    score_threshold: float | None = Field(None, ge=0, le=1)
    """Weaker findings of this type are dropped; the policy's own threshold when None."""

    @model_validator(mode="before")
    @classmethod
    def _bare_action(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value

    _action = field_validator("action")(_known_action)


@final
class Policy(_Model):
    """A redaction policy."""

    version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    language: Literal["en"] = "en"
    score_threshold: float = Field(0.35, ge=0, le=1)
    """Findings below it are dropped."""
    default_action: str = "placeholder"
    """For types that ``entities`` does not name. ``keep`` is refused: what is not thought of is protected."""
    entities: Mapping[str, EntityRule] = Field(default_factory=dict)

    _action = field_validator("default_action")(_known_action)

    @field_validator("default_action")
    @classmethod
    def _fail_closed(cls, action: str) -> str:
        if action == KEEP:
            raise ValueError("keep would pass every type that is not listed; list the types to keep instead")
        return action

    @field_validator("entities")
    @classmethod
    def _type_names(cls, entities: Mapping[str, EntityRule]) -> Mapping[str, EntityRule]:
        if wrong := [name for name in entities if not _TYPE.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} is no type name: A-Z, 0-9 and _, at most 64")
        if LITERAL in entities:
            raise ValueError(f"{LITERAL} cannot be configured: it keeps placeholders from being forged")
        return entities

    @classmethod
    def builtin(cls) -> Policy:
        """Return the built-in finance policy (``redaction/policies/finance.yaml``)."""
        text = resources.files("redaction").joinpath("policies", "finance.yaml").read_text("utf-8")
        return cls.parse(text, where="built-in policy finance")

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Read a policy file.

        Raises:
            PolicyError: unreadable, not YAML, or a key or value that breaks the rules; says where.
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"policy file {path}: {type(error).__name__}; it must be readable UTF-8") from None
        return cls.parse(text, where=f"policy file {path}")

    @classmethod
    def parse(cls, text: str, *, where: str = "policy") -> Policy:
        """Make a policy from YAML text.

        Raises:
            PolicyError: not YAML, or a key or value that breaks the rules; says where.
        """
        try:
            tree = strict_yaml.load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" line {mark.line + 1}" if mark else ""
            raise PolicyError(f"{where}:{line} {getattr(error, 'problem', None) or 'is not YAML'}") from None
        if not isinstance(tree, dict):
            raise PolicyError(f"{where}: a mapping is wanted, got {type(tree).__name__}")
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise PolicyError(f"{where}: {problems}") from None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the policy as canonical JSON (RFC 8785)."""
        return hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()

    @property
    def kept(self) -> frozenset[str]:
        """The types that stay in the text."""
        return frozenset(type_ for type_, rule in self.entities.items() if rule.action == KEEP)

    def action(self, type_: str) -> str:
        """Return what is done with a type."""
        rule = self.entities.get(type_)
        return self.default_action if rule is None else rule.action

    def threshold(self, type_: str) -> float:
        """Return the score below which findings of a type are dropped."""
        rule = self.entities.get(type_)
        return self.score_threshold if rule is None or rule.score_threshold is None else rule.score_threshold
