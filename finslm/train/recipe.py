"""A fine-tuning recipe: one YAML file that says everything a run depends on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finslm.errors import ConfigError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRecipe(_Part):
    """CSV files with a text and a label column; paths are relative to the data folder given to the command."""

    train: Path
    test: Path
    text: str
    label: str
    dev_share: float = Field(gt=0, lt=0.5)
    """Share of the training rows held back to choose the epoch and calibrate; the test rows are never used for that."""
    licence: str
    source: str


class LoraRecipe(_Part):
    """Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685)."""

    rank: int = Field(ge=1, le=256)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    targets: tuple[str, ...]


class TrainingRecipe(_Part):
    """Optimisation: AdamW, linear warm-up, cosine decay."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    bidirectional: bool
    max_tokens: int = Field(ge=8)


class Recipe(_Part):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    task: str
    base_model: str
    seed: int
    data: DataRecipe
    lora: LoraRecipe
    training: TrainingRecipe


def read(name_or_path: str) -> Recipe:
    """Read a recipe by the name of one that ships, or by path.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    shipped = resources.files("finslm.train") / "recipes" / f"{name_or_path}.yaml"
    try:
        text = shipped.read_text("utf-8") if shipped.is_file() else Path(name_or_path).read_text("utf-8")
        return Recipe.model_validate(yaml.safe_load(text))
    except OSError as error:
        known = sorted(p.name.removesuffix(".yaml") for p in (resources.files("finslm.train") / "recipes").iterdir())
        raise ConfigError(f"recipe {name_or_path}: {error.strerror}; shipped ones: {', '.join(known)}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"recipe {name_or_path}: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"recipe {name_or_path}: {problems}") from None
