"""Answers of a teacher on disk, so that nobody is asked twice and a run that was interrupted goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, final

from finslm.errors import ConfigError
from finslm.train.distilling.teachers.base import Row, Teacher

AT_ONCE: Final = 8
"""Rows that are asked for before their answers are on disk."""

Progress = Callable[[int, int], None]
"""Called with how many rows are explained, and how many there are."""


@final
class CachedTeacher:
    """A teacher that answers from a JSONL file where it can, and adds to it what it cannot.

    A line is ``{"teacher": ..., "prompt": ..., "rationale": ...}``, the first two being digests; it is on disk before
    the next rows are asked for.

    Args:
        teacher: asked for the rest.
        file: of this and other teachers' answers.

    Raises:
        ConfigError: the file cannot be read, or is damaged before its last line.
    """

    def __init__(self, teacher: Teacher, file: Path, progress: Progress = lambda _done, _all: None) -> None:
        self._teacher, self._file, self._progress = teacher, file, progress
        self._known = self._read()

    @property
    def digest(self) -> str:
        """The teacher's."""
        return self._teacher.digest

    def explain(self, rows: Sequence[Row]) -> list[str]:
        """From the file, or by the teacher.

        Raises:
            ConfigError: the teacher cannot answer, or there is no room; what it answered before is kept.
        """
        missing = [row for row in dict.fromkeys(rows) if self._key(row) not in self._known]
        self._progress(len(rows) - len(missing), len(rows))
        for at in range(0, len(missing), AT_ONCE):
            self._ask(missing[at : at + AT_ONCE])
            self._progress(len(rows) - max(0, len(missing) - at - AT_ONCE), len(rows))
        return [self._known[self._key(row)] for row in rows]

    def _ask(self, rows: Sequence[Row]) -> None:
        answers = self._teacher.explain(rows)
        lines = [
            {"teacher": self.digest, "prompt": row.digest, "rationale": answer}
            for row, answer in zip(rows, answers, strict=True)
        ]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigError(f"{self._file}: {error.strerror}; make room and run the same command again") from error
        self._known |= {self._key(row): answer for row, answer in zip(rows, answers, strict=True)}

    def _key(self, row: Row) -> tuple[str, str]:
        return self.digest, row.digest

    def _read(self) -> dict[tuple[str, str], str]:
        """What is whole; half a line, which a crash leaves, is cut off before more is added."""
        try:
            text = self._file.read_text("utf-8")
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                os.truncate(self._file, len(whole.encode()))
            lines = [json.loads(line) for line in whole.split("\n")[:-1]]
            return {(line["teacher"], line["prompt"]): str(line["rationale"]) for line in lines}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigError(f"{self._file}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self._file} is damaged ({type(error).__name__}); delete it") from error
