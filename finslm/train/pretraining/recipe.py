"""A pretraining recipe: one YAML file that says everything the weights depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finslm.train import recipe_files
from finslm.train.pretraining.presets import PRESETS


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusPart(_Part):
    """Documents of one file, or of all files of a folder."""

    path: Path
    """A ``.jsonl`` file (a document a line) or a ``.txt`` file (one document), or a folder of such; relative to the
    data folder given to the command."""
    text: str = "text"
    """The field of a JSON object that holds the document."""
    group: str | None = None
    """A field whose rows stay together, all trained on or all held out: a company that files every year nearly the
    same would otherwise stand on both sides. None: each document by itself."""
    licence: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where it comes from, for the model card."""
    published: bool = False
    """Whoever wants may read it already: a public record, a filing."""
    redact: bool | None = None
    """Pass it through the redaction stage first; None: yes, unless it is published. What a model was trained on can be
    drawn out of it again (Carlini et al. 2021, arXiv:2012.07805), so confidential text never goes in as it is."""

    @property
    def redacted(self) -> bool:
        """Whether it passes the redaction stage."""
        return not self.published if self.redact is None else self.redact


class CorpusRecipe(_Part):
    """What is read, and which documents are never trained on."""

    parts: tuple[CorpusPart, ...] = Field(min_length=1)
    held_out_share: float = Field(default=0.02, gt=0, lt=0.5)
    """Share of the groups that is held out, by the digest of the group: the same ones whatever the seed, the size or
    the order of the files."""
    train_bytes: int | None = Field(default=None, ge=1)
    """So many bytes of the other documents are trained on, whole documents by digest; None: all."""
    held_out_bytes: int = Field(default=400_000, ge=1)
    """So many bytes of the held-out documents are scored, whole documents by digest; none of the rest is trained on."""


class TokenizerRecipe(_Part):
    """A byte-level BPE vocabulary (Sennrich et al. 2016, arXiv:1508.07909), trained on the documents to train on."""

    vocabulary: int | None = Field(default=None, ge=257, le=262_144)
    """Tokens; None: what the preset says."""


class PretrainingRecipe(_Part):
    """Optimisation: AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) on packed windows."""

    tokens: int = Field(ge=1)
    """How many are trained on; where the corpus has fewer they are read again, in another order."""
    window: int = Field(ge=8, le=65_536)
    """Tokens of a window, and the longest text that the model is made for."""
    batch_windows: int = Field(ge=1)
    """Windows of one forward pass."""
    accumulation: int = Field(default=1, ge=1)
    """Forward passes whose gradients make one step."""
    attention: Literal["across", "within"] = "across"
    """In a window of several documents: every token sees all before it (the end token says that another document
    begins), or only those of its own document."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak; None: what the preset says."""
    schedule: Literal["cosine", "wsd"] = "cosine"
    """After the warm-up: down along a cosine, or level and then down in a line (warm-up, stable, decay: Hu et al.
    2024, arXiv:2404.06395)."""
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    decay_share: float = Field(default=0.2, gt=0, lt=1)
    """Last share of the steps in which ``wsd`` goes down."""
    final_share: float = Field(default=0.1, ge=0, le=1)
    """Learning rate of the last step, as a share of the peak."""
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Longest gradient; a longer one is brought to this length."""
    evaluations: int = Field(default=10, ge=1)
    """How often the held-out documents are scored in the run, evenly."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the products; weights and optimiser are float32 always. auto: bfloat16 where the processor has it."""


class PretrainRecipe(_Part):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    use: str = Field(min_length=1)
    """What the model is for, in a sentence of its card."""
    licence: str = Field(min_length=1)
    """Of the model that comes out."""
    seed: int
    preset: str | None = None
    """From scratch, in this size."""
    base_model: str | None = None
    """On from an installed model, with its tokenizer."""
    corpus: CorpusRecipe
    tokenizer: TokenizerRecipe = TokenizerRecipe()
    training: PretrainingRecipe

    @model_validator(mode="after")
    def _fits(self) -> PretrainRecipe:
        if (self.preset is None) == (self.base_model is None):
            raise ValueError("one of preset (from scratch) and base_model (on from a model) is wanted")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"no preset {self.preset!r}; known: {', '.join(PRESETS)}")
        if self.base_model is not None and self.tokenizer.vocabulary is not None:
            raise ValueError("tokenizer.vocabulary: a base keeps its own tokenizer")
        if self.base_model is not None and self.training.learning_rate is None:
            raise ValueError("training.learning_rate is wanted with a base_model")
        return self


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    return recipe_files.shipped("pretrain")


def read(name_or_path: str) -> PretrainRecipe:
    """Read a recipe by the name of one that ships, or by path.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    return recipe_files.read(PretrainRecipe, name_or_path, "pretrain")
