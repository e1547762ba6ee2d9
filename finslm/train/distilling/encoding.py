"""Rows as token ids: prefix, text, and what is to be written after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast, final

import torch
from torch import Tensor

from finslm.errors import ConfigError
from finslm.train.distilling.recipe import StudentRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED: Final = -100
"""Stands where nothing is to be predicted."""


class Written(NamedTuple):
    """What the model reads, and what it is to write after it."""

    prompt: list[int]
    target: list[int]


@final
@dataclass(frozen=True, slots=True)
class Explainable:
    """A row to train on; ``rationale`` is None where there is none."""

    text: str = field(repr=False)
    label: str
    rationale: str | None = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class Encoder:
    """From texts to token ids. No control token can come from a text.

    Args:
        tokenizer: of the base.
        how: prefixes and lengths.
    """

    tokenizer: PreTrainedTokenizerBase
    how: StudentRecipe

    @property
    def end(self) -> int:
        """The token that ends what is written."""
        return cast(int, self.tokenizer.eos_token_id)

    def label(self, row: Explainable) -> Written:
        """The label task."""
        return Written(self.label_prompt(row.text), self.target(row.label))

    def rationale(self, row: Explainable) -> Written | None:
        """The rationale task; None without a rationale."""
        if row.rationale is None:
            return None
        target = self.target(row.rationale, self.how.max_rationale_tokens)
        return Written(self.rationale_prompt(row.text), target)

    def label_prompt(self, text: str) -> list[int]:
        """What the label is written after.

        Raises:
            ConfigError: the text is too long, and such are refused.
        """
        return self._prompt(self.how.label_prefix, text)

    def rationale_prompt(self, text: str) -> list[int]:
        """What the rationale is written after.

        Raises:
            ConfigError: as for the label.
        """
        return self._prompt(self.how.rationale_prefix, text)

    def target(self, text: str, most: int | None = None) -> list[int]:
        """The tokens of a text, the first ``most`` of them, and the end."""
        return [*self._ids(text)[:most], self.end]

    def long(self, texts: Sequence[str]) -> int:
        """How many texts are longer than ``max_tokens``."""
        return sum(len(self._ids(text)) > self.how.max_tokens for text in texts)

    def _prompt(self, prefix: str, text: str) -> list[int]:
        ids = self._ids(f" {text}")
        if len(ids) > self.how.max_tokens and self.how.long_texts == "refuse":
            raise ConfigError(
                f"a text has {len(ids)} tokens, the recipe's student.max_tokens is {self.how.max_tokens}: raise it, "
                "or set student.long_texts to cut"
            )
        return [*self._ids(prefix), *ids[: self.how.max_tokens], *self._ids("\n")]

    def _ids(self, text: str) -> list[int]:
        return cast("list[int]", self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def to_learn(rows: Sequence[Written], fill: int) -> tuple[Tensor, Tensor]:
    """Ids [B, T], padded on the right, and for each place the token to be predicted there, or :data:`IGNORED`."""
    longest = max(len(row.prompt) + len(row.target) for row in rows) - 1
    ids = torch.full((len(rows), longest), fill)
    wanted = torch.full((len(rows), longest), IGNORED)
    for at, (prompt, target) in enumerate(rows):
        whole, start = [*prompt, *target[:-1]], len(prompt) - 1
        ids[at, : len(whole)] = torch.tensor(whole)
        wanted[at, start : start + len(target)] = torch.tensor(target)
    return ids, wanted


@final
class LabelTree:
    """All labels after one prompt, in one pass: each sees the prompt and itself, not the others.

    Args:
        labels: token ids of each, with the end.
    """

    def __init__(self, labels: Sequence[Sequence[int]]) -> None:
        parts = [list(label[:-1]) for label in labels]
        self._ids = torch.tensor([token for part in parts for token in part], dtype=torch.long)
        self._depth = torch.tensor([d for part in parts for d in range(len(part))], dtype=torch.long)
        owner = torch.tensor([i for i, part in enumerate(parts) for _ in part], dtype=torch.long)
        self._own = (owner[:, None] == owner) & (self._depth[:, None] >= self._depth)
        self._owner, self._labels = owner, labels

    def inputs(self, prompts: Sequence[Sequence[int]], fill: int) -> dict[str, Tensor]:
        """``input_ids``, ``position_ids`` [B, T] and ``attention_mask`` [B, 1, T, T] (0 or minus infinity)."""
        longest, size = max(map(len, prompts)), len(self._ids)
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        ids = torch.full((len(prompts), longest + size), fill)
        for at, prompt in enumerate(prompts):
            ids[at, : len(prompt)] = torch.tensor(prompt)
        ids[:, longest:] = self._ids
        places = torch.arange(longest).expand(len(prompts), -1)
        positions = torch.cat([places, lengths[:, None] + self._depth], 1)
        seen = torch.zeros(len(prompts), longest + size, longest + size, dtype=torch.bool)
        seen[:, :longest, :longest] = torch.ones(longest, longest, dtype=torch.bool).tril()
        seen[:, longest:, :longest] = (places < lengths[:, None])[:, None]
        seen[:, longest:, longest:] = self._own
        mask = torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill(~seen, torch.finfo(torch.bfloat16).min)
        return {"input_ids": ids, "position_ids": positions, "attention_mask": mask[:, None]}

    def scores(self, hidden: Tensor, lengths: Sequence[int], head: Any) -> Tensor:
        """[B, L] log-probability of each whole label, its end included.

        Args:
            hidden: [B, T, H] last states for :meth:`inputs`.
            lengths: of the prompts.
            head: from states [N, H] to logits [N, V].
        """
        size = len(self._ids)
        last = hidden[torch.arange(len(lengths)), torch.tensor(lengths) - 1]
        states = torch.cat([last[:, None], hidden[:, hidden.shape[1] - size :]], 1)
        logs = head(states.flatten(0, 1)).float().log_softmax(-1).unflatten(0, (len(lengths), 1 + size))
        return torch.stack([self._score(logs, number) for number in range(len(self._labels))], 1)

    def _score(self, logs: Tensor, number: int) -> Tensor:
        at = torch.cat([torch.zeros(1, dtype=torch.long), 1 + (self._owner == number).nonzero()[:, 0]])
        return logs[:, at, torch.tensor(self._labels[number])].sum(1)
