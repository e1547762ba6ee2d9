"""The recipe of a tagging adapter: one YAML file with ``head: tag`` that says everything a run depends on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finslm.train import recipe_files
from finslm.train.recipe import LoraRecipe


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DocumentsRecipe(_Part):
    """How many documents are made."""

    train: int = Field(ge=1)
    dev: int = Field(ge=1)
    test: int = Field(ge=1)
    raw_share: float = Field(ge=0, le=1)
    """Share of the training documents that are read as they are; the others are redacted first, as in serving."""
    unseen: int = Field(default=600, ge=1)
    """Documents of the training structures with other values: can those trained on be told from them?"""


class TaggingRecipeOptions(_Part):
    """Optimisation: AdamW, linear warm-up, cosine decay."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    attention_dropout: float | None = Field(default=None, ge=0, lt=1)
    """See :class:`finslm.train.recipe.TrainingRecipe`, and for the next."""
    weight_average: float | None = Field(default=None, gt=0, lt=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    """What matrices are multiplied in; weights stay in float32."""
    max_tokens: int = Field(ge=16)
    """Tokens of a window, the marks at its ends included."""
    overlap: int = Field(ge=0)
    """Tokens that two windows of a long text have in common, at most half of one."""

    @model_validator(mode="after")
    def _advances(self) -> TaggingRecipeOptions:
        if self.overlap > self.max_tokens // 2:
            raise ValueError(f"overlap {self.overlap} is more than half of max_tokens {self.max_tokens}")
        return self


class TaggingRecipe(_Part):
    """The whole file."""

    head: Literal["tag"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    use: str = Field(min_length=1)
    """What the adapter is for, in a sentence of its model card."""
    base_model: str
    seed: int
    documents: DocumentsRecipe
    lora: LoraRecipe
    training: TaggingRecipeOptions


def read(name_or_path: str) -> TaggingRecipe:
    """Read a recipe by the name of one that ships, or by path.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    return recipe_files.read(TaggingRecipe, name_or_path)
