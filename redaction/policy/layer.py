"""One policy file by itself: read, each key checked, each error with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from redaction import strict_yaml
from redaction.errors import PolicyError
from redaction.policy.answer import Answer
from redaction.policy.entries import AllowEntry, DenyEntry
from redaction.policy.known import nearest
from redaction.policy.lines import Path, line_of, lines
from redaction.policy.model import EntityRule, Off, Policy

EXTENDS: Final = "extends"
"""The key that names the policy a file is based on."""

FILE: Final = "policy file "
BUILTIN: Final = "built-in policy "
"""How ``where`` begins."""

MAX_FILE_CHARS: Final = 1 << 24
"""Longest policy file, characters."""

_KEYS: Final[Mapping[str, type[BaseModel]]] = {
    "entities": EntityRule,
    "switched_off": Off,
    "allow": AllowEntry,
    "deny": DenyEntry,
    "answer": Answer,
}


@final
@dataclass(frozen=True, slots=True)
class Layer:
    """A policy file.

    Args:
        where: how errors call it.
        extends: name or path of the policy below it, or None.
        policy: what it says itself; what it does not say has its default.
    """

    where: str
    extends: str | None
    policy: Policy
    lines: dict[Path, int] = field(repr=False)

    def at(self, *path: str | int) -> str:
        """Return ``FILE:LINE`` of a key."""
        line = line_of(self.lines, path)
        return self.place if line is None else f"{self.place}:{line}"

    @property
    def place(self) -> str:
        """The path of the file, or the name of the built-in policy."""
        return self.where.removeprefix(FILE).removeprefix(BUILTIN)

    def wrong(self, path: Sequence[str | int], problem: str) -> PolicyError:
        """Return the error that says where the problem is."""
        return PolicyError(f"{self.where}: {_problem(self.lines, path, problem)}")


def read_layer(text: str, where: str) -> Layer:
    """Read one policy file.

    Raises:
        PolicyError: not YAML, or a key or value that breaks the rules; says the line and the key.
    """
    tree = _tree(text, where)
    known = lines(text)
    extends = tree.pop(EXTENDS, None)
    if extends is not None and not (isinstance(extends, str) and extends):
        raise PolicyError(f"{where}: {_problem(known, (EXTENDS,), 'the name or the path of a policy is wanted')}")
    try:
        policy = Policy.model_validate(tree)
    except ValidationError as error:
        raise PolicyError(f"{where}: {'; '.join(_problems(error, known))}") from None
    return Layer(where, extends, policy, known)


def problems_of(error: ValidationError) -> str:
    """Return pydantic's findings as one line, without the values it got."""
    return "; ".join(_problems(error, {}))


def _tree(text: str, where: str) -> dict[str, Any]:
    if len(text) > MAX_FILE_CHARS:
        raise PolicyError(f"{where}: {len(text)} characters, limit {MAX_FILE_CHARS}")
    try:
        tree = strict_yaml.load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        raise PolicyError(f"{where}:{line} {getattr(error, 'problem', None) or 'is not YAML'}") from None
    except RecursionError:
        raise PolicyError(f"{where}: nested too deep") from None
    if not isinstance(tree, dict):
        raise PolicyError(f"{where}: a mapping is wanted, got {type(tree).__name__}")
    return tree


def _problems(error: ValidationError, known: dict[Path, int]) -> Iterator[str]:
    for found in error.errors(include_input=False, include_url=False):
        yield _problem(known, found["loc"], _message(found))


def _problem(known: dict[Path, int], path: Sequence[str | int], problem: str) -> str:
    line = line_of(known, path)
    at = f"line {line}: " if line is not None else ""
    key = ".".join(map(str, path))
    return f"{at}{key}: {problem}" if key else f"{at}{problem}"


def _message(found: ErrorDetails) -> str:
    if found["type"] == "extra_forbidden":
        owner = _KEYS.get(str(found["loc"][0]), Policy) if len(found["loc"]) > 1 else Policy
        keys = [*owner.model_fields, *([EXTENDS] if owner is Policy else [])]
        return f"unknown key;{nearest(str(found['loc'][-1]), keys)} known: {', '.join(keys)}"
    return found["msg"].removeprefix("Value error, ")
