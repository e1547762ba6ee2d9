"""A distilling recipe: one YAML file that says everything an adapter depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finslm.evaluate.data import DataRecipe
from finslm.evaluate.datasets.explained import explains
from finslm.train import recipe_files
from finslm.train.recipe import LoraRecipe

INSTRUCTION = "Explain in one short sentence what in the text shows that the answer is right."
"""What a teacher is asked for when the recipe does not say."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRationales(_Part):
    """The data sets have them: programs, derivations."""

    source: Literal["data"] = "data"


class NoRationales(_Part):
    """Labels alone: what the paper compares with."""

    source: Literal["none"]


class FileRationales(_Part):
    """Those of a JSONL file, by the SHA-256 of the redacted text."""

    source: Literal["file"]
    path: Path
    """Relative to the data folder given to the command."""


class _Asked(_Part):
    instruction: str = Field(default=INSTRUCTION, min_length=1)
    """What the teacher is told beside the redacted text and its label."""
    max_tokens: int = Field(default=48, ge=1, le=1024)
    """Of a rationale."""


class LocalRationales(_Asked):
    """A language model that is installed."""

    source: Literal["local"]
    model: str
    """Its name in the registry."""
    batch_size: int = Field(default=8, ge=1)


class EndpointRationales(_Asked):
    """A server that speaks OpenAI's ``/v1/chat/completions``, inside the network."""

    source: Literal["endpoint"]
    url: str
    """Without ``/v1/chat/completions``."""
    model: str
    allowed_hosts: tuple[str, ...] = Field(min_length=1)
    """Hosts that a text may be sent to; the one of ``url`` must be among them."""
    plain_http: bool = False
    """Allow ``http`` to a host that is not this machine."""
    token_file: Path | None = None
    """Holds the bearer token."""
    timeout_s: float = Field(default=30.0, gt=0)
    """For a whole answer, from the connection to its last byte."""
    retries: int = Field(default=4, ge=0, le=10)
    """After a time-out, a broken connection, status 429 or 5xx."""


Rationales = Annotated[
    DataRationales | NoRationales | FileRationales | LocalRationales | EndpointRationales,
    Field(discriminator="source"),
]


class StudentRecipe(_Part):
    """What the two tasks look like, and how they are weighed."""

    label_prefix: str = "[label]"
    rationale_prefix: str = "[rationale]"
    """Before the input; these are the paper's."""
    rationale_weight: float = Field(default=1.0, ge=0)
    """The paper's lambda: loss = label loss + lambda x rationale loss."""
    max_tokens: int = Field(ge=8)
    """Of a text."""
    long_texts: Literal["refuse", "cut"] = "refuse"
    """A text of more: refused, or only its beginning is read."""
    max_rationale_tokens: int = Field(default=64, ge=1)
    """Of a longer rationale the beginning is learned."""


class DistilTraining(_Part):
    """Optimisation: AdamW, linear warm-up, cosine decay; gradients clipped to length 1."""

    share: float = Field(default=1.0, gt=0, le=1)
    """Of the training rows; a smaller share is part of a larger one."""
    epochs: int = Field(ge=1)
    min_steps: int = Field(default=1, ge=1)
    """A small share is read more often, until there are so many steps."""
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)


class DistilRecipe(_Part):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    use: str = Field(min_length=1)
    """What the adapter is for, in a sentence."""
    base_model: str
    seed: int
    data: DataRecipe
    rationales: Rationales = DataRationales()
    student: StudentRecipe
    lora: LoraRecipe
    training: DistilTraining

    @model_validator(mode="after")
    def _fits(self) -> DistilRecipe:
        if self.rationales.source in {"file", "local", "endpoint"} and not self.data.redact:
            raise ValueError(
                f"data.redact is false, and rationales.source is {self.rationales.source}: only redacted text may "
                "reach a teacher; set data.redact to true"
            )
        if self.rationales.source in {"file", "local", "endpoint"} and self.data.labels is None:
            raise ValueError(
                "data.labels: a teacher is told each row's label, and labels are not redacted: name the closed set"
            )
        without = [part.dataset for part in self.data.parts if not explains(part.dataset)]
        if self.rationales.source == "data" and without:
            raise ValueError(f"rationales.source is data, but data set {without[0]} has none: name a teacher")
        if self.lora.dropout > 0:
            raise ValueError("lora.dropout: a resumed run would draw other numbers; set it to 0")
        return self

    @property
    def weight(self) -> float:
        """Of the rationale loss; 0 where there are no rationales."""
        return 0.0 if self.rationales.source == "none" else self.student.rationale_weight


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    return recipe_files.shipped("distil")


def read(name_or_path: str) -> DistilRecipe:
    """Read a recipe by the name of one that ships, or by path.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    return recipe_files.read(DistilRecipe, name_or_path, "distil")
