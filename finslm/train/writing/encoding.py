"""Rows as token ids, the very ones of serving: the task's prompt, the answer, the token that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from finslm.engine import bases
from finslm.engine.prompts import PromptEncoder
from finslm.errors import ConfigError
from finslm.tasks import TASKS
from finslm.train.writing.recipe import WritingOptions
from finslm.train.writing.rows import Row
from redaction.text import RedactedText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@final
class RowEncoder:
    """From rows to what TRL's trainer takes.

    Args:
        base_dir: model folder whose tokenizer and chat template are used.
        options: how long a row may be, and what becomes of a longer one.
    """

    def __init__(self, base_dir: Path, options: WritingOptions) -> None:
        self.tokenizer = bases.tokenizer(base_dir)
        self._prompts = PromptEncoder(cast("PreTrainedTokenizerFast", self.tokenizer))
        self._options = options

    def encoded(self, rows: Sequence[Row]) -> tuple[list[dict[str, Any]], int]:
        """``input_ids`` and ``completion_mask`` of each row, and how many were too long.

        Raises:
            ConfigError: a row is too long, and such are refused; none is left.
        """
        fitting, longest = self.fitting(rows)
        too_long, limit = len(rows) - len(fitting), self._options.max_tokens
        if too_long and (self._options.long_rows == "refuse" or not fitting):
            raise ConfigError(
                f"{too_long} rows have more than training.max_tokens {limit} tokens, the longest "
                f"{longest}: raise it, or set training.long_rows to leave_out"
            )
        return fitting, too_long

    def fitting(self, rows: Sequence[Row]) -> tuple[list[dict[str, Any]], int]:
        """The same of those that are not too long, and how long the longest of all is, tokens."""
        every = [self._row(row) for row in rows]
        fitting = [row for row in every if len(row["input_ids"]) <= self._options.max_tokens]
        return fitting, max((len(row["input_ids"]) for row in every), default=0)

    def _row(self, row: Row) -> dict[str, Any]:
        # What a row holds has been through the redaction stage, or the recipe's owner chose to train on it as it is.
        prompt, _ = self._prompts.encode(TASKS.get(row.task).render(RedactedText.trusted(row.text)))
        answer = [*self._prompts.encode_answer(RedactedText.trusted(row.answer)), self._prompts.end_id]
        return {"input_ids": prompt + answer, "completion_mask": [0] * len(prompt) + [1] * len(answer)}
