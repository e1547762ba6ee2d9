"""Which line of a YAML text says what: for errors that a reviewer can find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import yaml

Path: TypeAlias = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: it is ten times as fast on a long list."""

_DEEPEST = 16
"""Nothing in a policy is deeper; YAML's aliases may even be endless."""


def lines(text: str) -> dict[Path, int]:
    """Return path → line (from 1) of every key and item of a YAML text that :mod:`redaction.strict_yaml` has read."""
    root = yaml.compose(text, Loader=_LOADER)
    return {} if root is None else dict(_walk(root, ()))


def line_of(known: dict[Path, int], path: Sequence[str | int]) -> int | None:
    """Return the line of ``path``, or of what is nearest above it."""
    for length in range(len(path), 0, -1):
        if (line := known.get(tuple(path[:length]))) is not None:
            return line
    return None


def _walk(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    if len(path) > _DEEPEST:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below: Path = (*path, str(key.value))
            yield below, key.start_mark.line + 1
            yield from _walk(value, below)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            below = (*path, number)
            yield below, item.start_mark.line + 1
            yield from _walk(item, below)
