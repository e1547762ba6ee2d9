"""The recipe of an adapter that writes: one YAML file with ``head: write`` that says everything a run depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finslm.train import recipe_files
from finslm.train.recipe import LoraRecipe


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NotesRecipe(_Part):
    """Complaints and call notes of our generator, with their summaries; see :mod:`finslm.train.notes`."""

    train: int = Field(ge=1)
    dev: int = Field(ge=1)
    test: int = Field(ge=1)
    raw_share: float = Field(ge=0, le=1)
    """Share of the training notes that are read as they are; the others are redacted first, as in serving."""
    unseen: int = Field(default=200, ge=1)
    """Notes made as those of training are: can those trained on be told from them?"""


class RowsRecipe(_Part):
    """A folder of ``train.jsonl``, ``dev.jsonl`` and ``test.jsonl``: objects with ``text`` and ``answer``.

    ``finslm feedback build`` writes such folders.
    """

    path: Path
    """Relative to the data folder given to the command."""
    task: str
    """Whose prompt the texts stand in."""


class ComplaintsRecipe(_Part):
    """Published complaint narratives with summaries that are ours; see :mod:`finslm.train.writing.complaints`."""

    path: Path
    """The file ``cfpb_narratives.jsonl``, relative to the data folder given to the command."""
    times: int = Field(default=1, ge=1)
    """How often each is trained on in an epoch."""


class WritingOptions(_Part):
    """Optimisation: AdamW, linear warm-up, cosine decay; the loss is that of the answers' tokens alone."""

    epochs: int = Field(ge=1)
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs without a smaller loss on the held-back rows; the best one's weights are kept."""
    batch_size: int = Field(ge=1)
    """Sequences of a step: rows, or packs of rows."""
    learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    packing: bool = True
    """Fill sequences of ``max_tokens`` with several rows, none of which sees another."""
    max_tokens: int = Field(ge=32)
    """Of a row, prompt and answer together, and of a pack."""
    long_rows: Literal["refuse", "leave_out"] = "refuse"
    """What becomes of a longer row."""


class WritingRecipe(_Part):
    """The whole file."""

    head: Literal["write"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    use: str = Field(min_length=1)
    """What the adapter is for, in a sentence of its model card."""
    base_model: str
    seed: int
    notes: NotesRecipe | None = None
    complaints: ComplaintsRecipe | None = None
    rows: tuple[RowsRecipe, ...] = ()
    lora: LoraRecipe
    training: WritingOptions

    @model_validator(mode="after")
    def _learns_from_something(self) -> WritingRecipe:
        if self.notes is None and self.complaints is None and not self.rows:
            raise ValueError("notes, complaints or rows: one of the three is needed to train on")
        return self


def read(name_or_path: str) -> WritingRecipe:
    """Read a recipe by the name of one that ships, or by path.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    return recipe_files.read(WritingRecipe, name_or_path)
