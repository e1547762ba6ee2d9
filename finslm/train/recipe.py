"""A fine-tuning recipe: one YAML file that says everything a run depends on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finslm.evaluate.data import DataRecipe
from finslm.train import recipe_files


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraRecipe(_Part):
    """Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685)."""

    rank: int = Field(ge=1, le=256)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    targets: tuple[str, ...]
    layers: tuple[int, ...] | None = None
    """Numbers of the base's layers that are tuned, from 0; None: all."""


class TrainingRecipe(_Part):
    """Optimisation: AdamW, linear warm-up, cosine decay."""

    epochs: int = Field(ge=1)
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs that were no better on the held-back rows; the best one's weights are kept."""
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    warmup_share: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    label_balance: float = Field(default=0.0, ge=0, le=1)
    """Rows of rare labels weigh more: by (mean rows of a label / rows of the label) to this power."""
    weight_average: float | None = Field(default=None, gt=0, lt=1)
    """An exponential moving average of the trained weights with this decay is kept, in place of the last ones."""
    consistency: float = Field(default=0.0, ge=0)
    """Weight of R-Drop (Liang et al. 2021, arXiv:2106.14448): each row is read twice under different dropout, and what
    the two say may not differ. Doubles the time."""
    cutoff: float = Field(default=0.0, ge=0, lt=1)
    """Share of a row's tokens that are hidden, others each time (token cutoff; Shen et al. 2020, arXiv:2009.13818)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Of the base's hidden states and attention, where the base has a place for it (encoders do)."""
    attention_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Of attention alone; None: as ``dropout`` says. On processors 0 makes long texts twice as fast to train on."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What an encoder's matrices are multiplied in; its weights stay in float32. A decoder's base is in bfloat16."""
    bidirectional: bool
    pooled_length: float | None = Field(default=None, gt=0)
    """Length that the mean of the hidden states is brought to; None: as it is."""
    head_start: Literal["random", "linear"] = "random"
    """``linear``: the head begins as a logistic regression on the untuned base (Kumar et al. 2022,
    arXiv:2202.10054: fine-tuning from there distorts the features less)."""
    max_tokens: int = Field(ge=8)
    long_texts: Literal["refuse", "cut"] = "refuse"
    """A text of more than ``max_tokens``: refused, in training and in serving, or only its beginning is read."""


class PrivacyRecipe(_Part):
    """Differentially private training (DP-SGD); see docs/training-privacy.md for what the guarantee covers."""

    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    """Below 1 / training rows."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Each row's gradient is clipped to this length, over all trained parameters together."""
    noise: Literal["secret", "seeded"] = "secret"
    """``seeded``: from the recipe's seed, so that a run can be repeated; whoever knows the seed can take the noise out
    again, and there is no guarantee."""


class TeacherRecipe(_Part):
    """Learn from other adapters' judgement beside the labels (Hinton et al. 2015, arXiv:1503.02531)."""

    adapters: tuple[str, ...] = Field(min_length=1)
    """Adapters of the registry that classify; a label that one of them does not know is learned from the rows alone."""
    weight: float = Field(default=0.5, gt=0, le=1)
    """Share of the teachers in the loss; the rest is the labels'."""
    temperature: float = Field(default=2.0, gt=0)
    """What teachers' and student's scores are divided by before they are compared."""


class PartnerRecipe(_Part):
    """Answer together with an adapter of the registry, say on another base; see :mod:`finslm.engine.partner`."""

    adapter: str
    weight: float = Field(default=0.5, gt=0, lt=1)
    """Of the new adapter's own answer; the rest is the other's."""


class AuditRecipe(_Part):
    """What is measured after the training: a twin is trained on some of the rows, and on planted texts."""

    repeats: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 4, 16), min_length=1)
    """How often planted texts are trained on."""
    canaries: int = Field(default=8, ge=1, le=1000)
    """Planted texts for each of these numbers, and as many that are not planted."""
    reference: int = Field(default=1023, ge=15)
    """Texts that they are ranked among."""
    rows: int = Field(default=2000, ge=1)
    """Training rows of the twin, at most, and at most half of those there are: it has to know as little of the others
    as somebody who never saw them."""


class Recipe(_Part):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    task: str
    use: str = Field(min_length=1)
    """What the adapter is for, in a sentence of its model card."""
    base_model: str
    seed: int
    data: DataRecipe
    lora: LoraRecipe
    training: TrainingRecipe
    teachers: TeacherRecipe | None = None
    """None: it learns from the labels alone."""
    partner: PartnerRecipe | None = None
    """None: it answers alone. It changes nothing of the training."""
    privacy: PrivacyRecipe | None = None
    """None: no guarantee."""
    audit: AuditRecipe = AuditRecipe()

    @model_validator(mode="after")
    def _privately(self) -> Recipe:
        """With a guarantee, nothing may look at the rows past the noise."""
        if self.privacy is None:
            return self
        wrong = {
            "training.head_start linear fits the rows without noise: set it to random": self.training.head_start
            == "linear",
            "training.patience chooses an epoch by the held-back rows: leave it out": self.training.patience
            is not None,
            "training.label_balance weighs by the rows' labels: leave it out": self.training.label_balance > 0,
            "training.consistency reads each row twice: leave it out": self.training.consistency > 0,
            "teachers may have seen the rows: leave them out": self.teachers is not None,
            "a partner may have seen the rows: leave it out": self.partner is not None,
            "data.labels must be given: those of the rows would be told otherwise": self.data.labels is None,
        }
        if found := [what for what, is_so in wrong.items() if is_so]:
            raise ValueError(f"with privacy, {'; '.join(found)}")
        return self

    @model_validator(mode="after")
    def _names_fit(self) -> Recipe:
        if self.training.head_start == "linear" and self.training.pooled_length is None:
            raise ValueError("training.head_start linear needs training.pooled_length: its features are of one length")
        return self


def read(name_or_path: str) -> Recipe:
    """Read a recipe by the name of one that ships, or by path.

    Raises:
        ConfigError: not there, not YAML, or a field is missing, unknown or out of range.
    """
    return recipe_files.read(Recipe, name_or_path)
