"""What is written beside an adapter, and whether it fits the base that is served. No torch here."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from finslm.engine.partner import Partner
from finslm.engine.tagging import OUTSIDE
from finslm.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CARD_FILE, CONFIG_FILE, WEIGHTS_FILE = "finslm_adapter.json", "adapter_config.json", "adapter_model.safetensors"


@final
@dataclass(frozen=True, slots=True)
class AdapterCard:
    """What serving needs to know of an adapter.

    Args:
        name: name in the registry.
        base_model: registry name of the base it was trained on.
        base_weights_sha256: SHA-256 of that base's ``model.safetensors`` (64 hex digits).
        task: the task it serves.
        labels: label of each output, in order; none: the adapter writes. Of one that tags ``O``, and ``B-`` and
            ``I-`` with each field.
        bidirectional: every token sees every other one (True) or only those before it (False).
        temperature: the logits are divided by it before softmax (Guo et al. 2017, arXiv:1706.04599).
        max_tokens: longest input it was trained on, tokens; one that tags reads a longer text window by window.
        long_texts: a longer input is refused (``refuse``), or only its beginning is read (``cut``).
        pooled_length: length that the mean of the hidden states is brought to before the head; None: as it is.
        head: ``classify`` labels a text, ``tag`` each of its tokens.
        overlap: tokens that windows of a text to tag have in common.
        partner: the adapter that answers together with this one, which classifies; None: it answers alone.
    """

    name: str
    base_model: str
    base_weights_sha256: str
    task: str
    labels: tuple[str, ...]
    bidirectional: bool
    temperature: float
    max_tokens: int
    long_texts: str = "refuse"
    pooled_length: float | None = None
    head: str = "classify"
    overlap: int = 0
    partner: Partner | None = None

    @property
    def form(self) -> str:
        """What it does: ``write``, ``classify`` or ``tag``."""
        return self.head if self.labels else "write"

    def write(self, folder: Path) -> None:
        """Write the card into an adapter folder; of one that answers alone it has no word about partners."""
        facts = {name: value for name, value in asdict(self).items() if name != "partner" or value is not None}
        new = folder / f"{CARD_FILE}.new"
        new.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
        new.replace(folder / CARD_FILE)

    @classmethod
    def read(cls, folder: Path) -> AdapterCard:
        """Read the card of an adapter folder.

        Raises:
            ConfigError: missing, unreadable, or with other fields than this class has.
        """
        try:
            fields: dict[str, Any] = json.loads((folder / CARD_FILE).read_text("utf-8"))
            partner = fields.get("partner") and Partner(**fields["partner"])
            card = cls(**{**fields, "labels": tuple(fields["labels"]), "partner": partner})
            card._check()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"adapter folder {folder}: {CARD_FILE}: {error}; train or pull it again") from error
        return card

    def _check(self) -> None:
        if not all(isinstance(label, str) for label in self.labels) or len({*self.labels}) < len(self.labels):
            raise ValueError("labels must be texts, each once")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if not isinstance(self.max_tokens, int) or self.max_tokens < 1:
            raise ValueError(f"max_tokens must be 1 or more, got {self.max_tokens}")
        if self.long_texts not in ("refuse", "cut"):
            raise ValueError(f"long_texts must be refuse or cut, got {self.long_texts}")
        if self.head not in ("classify", "tag"):
            raise ValueError(f"head must be classify or tag, got {self.head}")
        if self.head == "tag":
            self._check_tagging()
        if self.partner is not None:
            if self.form != "classify":
                raise ValueError("partner: only an adapter that classifies has one")
            self.partner.check()
        if self.pooled_length is not None and not (math.isfinite(self.pooled_length) and self.pooled_length > 0):
            raise ValueError(f"pooled_length must be above 0, got {self.pooled_length}")

    def _check_tagging(self) -> None:
        fields = {label[2:] for label in self.labels if label != OUTSIDE}
        if {*self.labels} != {OUTSIDE, *(f"{part}-{field}" for field in fields for part in "BI")}:
            raise ValueError("the labels of a tagger are O, and B- and I- with each field")
        if not isinstance(self.overlap, int) or not 0 <= self.overlap <= self.max_tokens // 2:
            raise ValueError(f"overlap must be up to half of max_tokens, got {self.overlap}")


def check_partner(card: AdapterCard, other: AdapterCard) -> None:
    """Whether two adapters can answer together: the same labels, and the other takes every text that the one takes.

    Raises:
        ConfigError: they cannot.
    """
    wrong = {
        "does not classify": other.form != "classify",
        "has other labels": {*other.labels} != {*card.labels},
        "has a partner itself": other.partner is not None,
        "treats long texts otherwise, or takes shorter ones": other.long_texts != card.long_texts
        or other.max_tokens < card.max_tokens,
    }
    if found := [what for what, is_so in wrong.items() if is_so]:
        raise ConfigError(f"adapter {card.name} cannot answer together with {other.name}, which {' and '.join(found)}")


def weights_sha256(model_dir: Path) -> str:
    """SHA-256 (hex) of a model folder's weights.

    Raises:
        ConfigError: there are none.
    """
    file = model_dir / "model.safetensors"
    try:
        facts = file.stat()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}: run 'finslm models pull' first") from error
    return _sha256(file, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=8)
def _sha256(file: Path, _changed_ns: int, _size: int) -> str:
    """Hashing takes a second for each gigabyte, and every adapter asks."""
    with file.open("rb") as weights:
        return hashlib.file_digest(weights, "sha256").hexdigest()


def fingerprint(folder: Path) -> str:
    """SHA-256 (hex) over the files of an adapter folder that serving reads.

    Raises:
        ConfigError: one of them is missing.
    """
    whole = hashlib.sha256()
    for name in (CARD_FILE, CONFIG_FILE, WEIGHTS_FILE):
        try:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise ConfigError(f"adapter folder {folder}: {name}: {error.strerror}; train or pull it again") from error
    return whole.hexdigest()


def check_base(card: AdapterCard, base_dir: Path) -> None:
    """Refuse an adapter of other weights.

    Raises:
        ConfigError: it was trained on another base.
    """
    if (served := weights_sha256(base_dir)) != card.base_weights_sha256:
        raise ConfigError(
            f"adapter {card.name} was trained on weights {card.base_weights_sha256[:12]}… of {card.base_model}, "
            f"but {served[:12]}… are served: train it again or serve that base"
        )


def refuse_tagging(card: AdapterCard) -> None:
    """Refuse an adapter that tags: a decoder's token does not see what comes after it.

    Raises:
        ConfigError: it tags.
    """
    if card.form == "tag":
        raise ConfigError(f"adapter {card.name} tags, and a decoder cannot: train it on an encoder")


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text to classify, in training and in serving: no control token can come from the text.

    An encoder's ids stand between its own two marks; a decoder's end with its end token.
    """
    ids = cast("list[int]", tokenizer.encode(text.strip(), add_special_tokens=False, split_special_tokens=True))
    if tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None:
        return [cast(int, tokenizer.cls_token_id), *ids, cast(int, tokenizer.sep_token_id)]
    return [*ids, cast(int, tokenizer.eos_token_id)]


def shortened(ids: list[int], card: AdapterCard) -> list[int]:
    """The beginning and the mark at the end, where the card lets long texts be cut; otherwise all."""
    if card.long_texts == "refuse" or len(ids) <= card.max_tokens:
        return ids
    return [*ids[: card.max_tokens - 1], ids[-1]]
