"""What differs between two versions: files, the card, labels, the recipe, and the figures with their change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, final

import yaml

from finslm.errors import ConfigError
from finslm.models.content import walk_files
from finslm.models.digest import sha256_file
from finslm.models.registry import InstalledModel
from finslm.models.seal import SEAL_NAME
from redaction import strict_yaml

METRICS_FILE: Final = "metrics.json"
RECIPE_FILE: Final = "recipe.yaml"
_CARD, _LORA = "finslm_adapter.json", "adapter_config.json"
_LIST_LIMIT: Final = 64
"""Items of a list of figures that are compared one by one; longer ones are curves."""

Pair = tuple[Any, Any]
"""A value in the first version and in the second; None where it is not there."""


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """Only what differs, by name; ``metrics`` has all figures that either has."""

    first: str
    second: str
    files: Mapping[str, Pair] = field(default_factory=dict)
    """SHA-256."""
    card: Mapping[str, Pair] = field(default_factory=dict)
    labels_gone: tuple[str, ...] = ()
    labels_new: tuple[str, ...] = ()
    lora: Mapping[str, Pair] = field(default_factory=dict)
    recipe: Mapping[str, Pair] = field(default_factory=dict)
    metrics: Mapping[str, tuple[float | None, float | None, float | None]] = field(default_factory=dict)
    """First, second, and second less first."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def diff(first: InstalledModel, second: InstalledModel, metrics: tuple[Path | None, Path | None]) -> Difference:
    """Compare two versions.

    Args:
        metrics: files of figures; ``metrics.json`` in the version's own folder where None.

    Raises:
        ConfigError: a file of theirs cannot be read.
    """
    folders = (first.path, second.path)
    cards = [_json(folder / _CARD) for folder in folders]
    labels = [tuple(card.pop("labels", ())) for card in cards]
    figures = [
        _figures(_json(given if given is not None else folder / METRICS_FILE, must=given is not None))
        for given, folder in zip(metrics, folders, strict=True)
    ]
    return Difference(
        first.ref,
        second.ref,
        files=_pairs(*(_hashes(folder) for folder in folders)),
        card=_pairs(*cards),
        labels_gone=tuple(sorted({*labels[0]} - {*labels[1]})),
        labels_new=tuple(sorted({*labels[1]} - {*labels[0]})),
        lora=_pairs(*(_json(folder / _LORA) for folder in folders)),
        recipe=_pairs(*(_flat(_yaml(folder / RECIPE_FILE)) for folder in folders)),
        metrics={name: _changed(figures[0].get(name), figures[1].get(name)) for name in {**figures[0], **figures[1]}},
    )


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Pair]:
    names = sorted(first.keys() | second.keys())
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _changed(first: float | None, second: float | None) -> tuple[float | None, float | None, float | None]:
    return first, second, None if first is None or second is None else second - first


def _hashes(folder: Path) -> dict[str, str]:
    return {relative: sha256_file(path) for relative, path in walk_files(folder) if relative != SEAL_NAME}


def _json(file: Path, *, must: bool = False) -> dict[str, Any]:
    """An object of a JSON file; empty where there is no file and none has to be."""
    if not must and not file.exists():
        return {}
    try:
        tree = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{file}: an object is wanted, got {type(tree).__name__}")
    return tree


def _yaml(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        tree = strict_yaml.load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: {error}") from error
    return tree if isinstance(tree, dict) else {}


def _flat(tree: Any, at: str = "") -> dict[str, Any]:
    """Leaves by their path, ``a.b.0``; long lists are left out."""
    if isinstance(tree, Mapping):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list):
        items = [(str(key), value) for key, value in enumerate(tree)] if len(tree) <= _LIST_LIMIT else []
    else:
        return {at: tree}
    flat: dict[str, Any] = {}
    for key, value in items:
        flat |= _flat(value, f"{at}.{key}" if at else key)
    return flat


def _figures(tree: Mapping[str, Any]) -> dict[str, float]:
    kept = {key: value for key, value in tree.items() if key not in ("history", "coverage", "data_sha256")}
    return {name: value for name, value in _flat(kept).items() if type(value) in (int, float)}
