"""Recipes as files: those that ship, by name, and anybody's, by path."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from finslm.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


def shipped(folder: str = "") -> list[str]:
    """Names of the recipes that come with the package; ``folder``: those of pretraining or distilling."""
    every = (resources.files("finslm.train") / "recipes" / folder).iterdir()
    return sorted(p.name.removesuffix(".yaml") for p in every if p.name.endswith(".yaml"))


def head(name_or_path: str) -> str:
    """What a recipe's adapter does: ``classify``, ``tag`` or ``write``; of one that cannot be read ``classify``."""
    try:
        tree = yaml.safe_load(_text(name_or_path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "classify"  # read() says what is wrong with it
    named: Any = tree.get("head") if isinstance(tree, dict) else None
    return named if named in ("tag", "write") else "classify"


def read(kind: type[M], name_or_path: str, folder: str = "") -> M:
    """Read a recipe by the name of one that ships, or by path.

    Args:
        kind: what is read.
        folder: of those that ship.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    try:
        return kind.model_validate(yaml.safe_load(_text(name_or_path, folder)))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"recipe {name_or_path}: {why}; shipped ones: {', '.join(shipped(folder))}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"recipe {name_or_path}: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"recipe {name_or_path}: {problems}") from None


def _text(name_or_path: str, folder: str = "") -> str:
    known = resources.files("finslm.train") / "recipes" / folder / f"{name_or_path}.yaml"
    return known.read_text("utf-8") if known.is_file() else Path(name_or_path).read_text("utf-8")
