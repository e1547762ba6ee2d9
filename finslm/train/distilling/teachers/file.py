"""A teacher that answered before: rationales in a JSONL file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets import Files
from finslm.train.distilling.teachers.base import Row

_HEX_DIGITS: Final = 64
_ANY: Final = ""
"""Stands for the label of a line that names none."""


@final
class FileTeacher:
    """Reads ``{"sha256": ..., "label": ..., "rationale": ...}`` lines, of the SHA-256 (hex) of the row's redacted text.

    A line without ``label`` is for a text that stands under one label only.

    Args:
        file: JSON Lines, UTF-8.

    Raises:
        ConfigError: not there, a line is malformed, or two lines say different things of one row.
    """

    def __init__(self, file: Path) -> None:
        self._file, files = file, Files(file)
        self._lines: dict[tuple[str, str], str] = {}
        for number, line in files.json_lines(file.name):
            self._take(number, line)
        self._digest = files.sha256[file.name]

    @property
    def digest(self) -> str:
        """Of the file."""
        return self._digest

    def explain(self, rows: Sequence[Row]) -> list[str]:
        """Look the rows up.

        Raises:
            ConfigError: some are not there.
        """
        labels = Counter(sha256 for sha256, _ in {(row.sha256, row.label) for row in rows})
        found = [self._of(row, alone=labels[row.sha256] == 1) for row in rows]
        missing = [row for row, rationale in zip(rows, found, strict=True) if rationale is None]
        if missing:
            raise ConfigError(
                f"{self._file}: no rationale for {len(missing)} of {len(rows)} rows, the first with sha256 "
                f"{missing[0].sha256} and label {missing[0].label!r} (lines of a text that has several labels must "
                "say which); 'finslm distil RECIPE --write-rows FILE' writes the rows that are wanted"
            )
        return [rationale for rationale in found if rationale is not None]

    def _of(self, row: Row, *, alone: bool) -> str | None:
        said = self._lines.get((row.sha256, row.label))
        return self._lines.get((row.sha256, _ANY)) if said is None and alone else said

    def _take(self, number: int, line: dict[str, object]) -> None:
        key, label, rationale = line.get("sha256"), line.get("label", _ANY), line.get("rationale")
        if not isinstance(key, str) or len(key) != _HEX_DIGITS:
            raise self._bad(number, "sha256 must be 64 hex digits")
        if not isinstance(label, str):
            raise self._bad(number, "label must be a text, or not be there")
        if not isinstance(rationale, str) or not rationale.strip():
            raise self._bad(number, "rationale must be a text that is not empty")
        if self._lines.setdefault((key.lower(), label), rationale.strip()) != rationale.strip():
            raise self._bad(number, "another line says something else of this row")

    def _bad(self, number: int, why: str) -> ConfigError:
        return ConfigError(f"{self._file}, line {number}: {why}")
