"""What this version knows: the types that anything may find, the recognizers, the languages."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

LANGUAGES: Final = frozenset({"en"})
"""Languages of texts that the detectors are trained for and measured on (ISO 639-1)."""

NOT_PERSONAL: Final = frozenset({"OTHER_ID"})
"""Labels of a classifier that it never reports."""


def recognizer_types() -> Mapping[str, tuple[str, ...]]:
    """Recognizer → the types it may find, by name; what is registered now."""
    from redaction.recognizers import RECOGNIZERS

    return {name: RECOGNIZERS.get(name)().types for name in RECOGNIZERS.names()}


@lru_cache(maxsize=1)
def presidio_types() -> Mapping[str, tuple[str, ...]]:
    """The same for Presidio's recognizers among ours; the first call takes seconds, to import Presidio."""
    from redaction.importing import HEAVY

    with HEAVY:
        from redaction.presidio import presidio_recognizers

    return {recognizer.name: recognizer.types for recognizer in presidio_recognizers()}


@lru_cache(maxsize=1)
def classifier_types() -> Mapping[str, tuple[str, ...]]:
    """Classifier that comes with the package → the types it may find, from its labels."""
    from redaction.ner.weights import shipped_models_dir

    found: dict[str, tuple[str, ...]] = {}
    for config in sorted(shipped_models_dir().glob("*/config.json")):
        labels = json.loads(config.read_text("utf-8")).get("labels", ())
        types = {label[2:] for label in labels if label[:2] in ("B-", "I-")} - NOT_PERSONAL
        found[config.parent.name] = tuple(sorted(types))
    return found


def finders() -> Mapping[str, tuple[str, ...]]:
    """Type → the names of what may find it, sorted; without Presidio's recognizers."""
    return _by_type({**recognizer_types(), **classifier_types()})


def all_finders() -> Mapping[str, tuple[str, ...]]:
    """Type → the names of what may find it, sorted."""
    return _by_type({**recognizer_types(), **classifier_types(), **presidio_types()})


def _by_type(types_of: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for name, types in types_of.items():
        for type_ in types:
            found.setdefault(type_, set()).add(name)
    return {type_: tuple(sorted(names)) for type_, names in sorted(found.items())}


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return `` did you mean A, B?`` with the known names nearest in spelling, or nothing.

    Args:
        name: what was said.
        known: what could have been meant.
        cutoff: how like it a name must be, 0 to 1 (:func:`difflib.get_close_matches`).
    """
    by_upper = {k.upper(): k for k in known}
    near = difflib.get_close_matches(name.upper(), by_upper, n=3, cutoff=cutoff)
    return f" did you mean {', '.join(by_upper[n] for n in near)}?" if near else ""
