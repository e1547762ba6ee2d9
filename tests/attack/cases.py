"""The attack cases, read and placed. What a case is says ``corpus/README.md``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import yaml

FOLDER: Final = Path(__file__).parent / "corpus"

DOCUMENTS: Final = frozenset({"json", "csv", "xml", "html_tags", "json_escapes", "odd_documents"})
"""Classes that are redacted as documents; all others are redacted as plain text."""


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """One value that must be found.

    Args:
        start: offset of its first character in the text of the case.
        end: offset behind its last character.
        types: the names of types that are right.
        check_digit: whether the value that was disguised has a check digit, and it is right.
    """

    start: int
    end: int
    types: frozenset[str]
    check_digit: bool


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One attack. Its ``repr`` shows the id only, so that no failure prints a text of 10 KB."""

    id: str
    attack: str = field(repr=False)
    text: str = field(repr=False)
    expected: tuple[Expected, ...] = field(repr=False)


def cases() -> list[Case]:
    """Every case of every file.

    Raises:
        ValueError: a value does not stand in its text behind the value before it.
    """
    return [_case(raw) for path in sorted(FOLDER.glob("*.yaml")) for raw in _read(path)]


def _read(path: Path) -> list[dict[str, Any]]:
    raw: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return raw


def _case(raw: dict[str, Any]) -> Case:
    before = raw.get("before", {"text": "", "times": 0})
    noise = before["text"] * before["times"]
    text = noise + raw["text"]
    expected: list[Expected] = []
    at = len(noise)
    for wanted in raw["expected"]:
        start = text.find(wanted["value"], at)
        if start < 0 or not wanted["value"]:
            raise ValueError(f"case {raw['id']}: value {len(expected) + 1} does not stand in the text")
        at = start + len(wanted["value"])
        types = frozenset(wanted["types"] if "types" in wanted else [wanted["type"]])
        expected.append(Expected(start, at, types, wanted.get("check_digit", False)))
    return Case(raw["id"], raw["class"], text, tuple(expected))
