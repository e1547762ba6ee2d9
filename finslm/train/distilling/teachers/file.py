"""A teacher that answered before: rationales in a JSONL file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

from finslm.errors import ConfigError
from finslm.evaluate.datasets import Files
from finslm.train.distilling.teachers.base import Row

_HEX_DIGITS: Final = 64


@final
class FileTeacher:
    """Reads ``{"sha256": ..., "rationale": ...}`` lines; the key is the SHA-256 (hex) of the row's redacted text.

    Args:
        file: JSON Lines, UTF-8.

    Raises:
        ConfigError: not there, a line is malformed, or two lines say different things of one row.
    """

    def __init__(self, file: Path) -> None:
        self._file, files = file, Files(file)
        self._lines: dict[str, str] = {}
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
        missing = [row.sha256 for row in rows if row.sha256 not in self._lines]
        if missing:
            raise ConfigError(
                f"{self._file}: no rationale for {len(missing)} of {len(rows)} rows, the first with sha256 "
                f"{missing[0]}; 'finslm distil RECIPE --write-rows FILE' writes the rows that are wanted"
            )
        return [self._lines[row.sha256] for row in rows]

    def _take(self, number: int, line: dict[str, object]) -> None:
        key, rationale = line.get("sha256"), line.get("rationale")
        if not isinstance(key, str) or len(key) != _HEX_DIGITS:
            raise self._bad(number, "sha256 must be 64 hex digits")
        if not isinstance(rationale, str) or not rationale.strip():
            raise self._bad(number, "rationale must be a text that is not empty")
        if self._lines.setdefault(key.lower(), rationale.strip()) != rationale.strip():
            raise self._bad(number, "another line says something else of this row")

    def _bad(self, number: int, why: str) -> ConfigError:
        return ConfigError(f"{self._file}, line {number}: {why}")
