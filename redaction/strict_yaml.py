"""YAML for files that protect something: what a reviewer reads is what holds."""

from __future__ import annotations

from typing import Any

import yaml


def load(text: str) -> Any:
    """Read one document; plain types only.

    Raises:
        yaml.YAMLError: not YAML, or a key is given twice.
    """
    return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader that refuses double keys


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key given twice: YAML lets the last one win, and a reviewer sees the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
