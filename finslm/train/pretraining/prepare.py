"""From a recipe and a data folder to a tokenizer and packed documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finslm.engine import bases
from finslm.train.pretraining import corpus as corpora
from finslm.train.pretraining.corpus import Corpus, byte_count
from finslm.train.pretraining.packing import Packed
from finslm.train.pretraining.presets import preset
from finslm.train.pretraining.recipe import PretrainRecipe
from finslm.train.pretraining.redacting import CorpusRedactor
from finslm.train.pretraining.tokenizing import save_tokenizer, token_stream, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Note = Callable[[str], None]
"""Told what is being done."""


def read_corpus(recipe: PretrainRecipe, data: Path, *, skip_bad: bool = False) -> tuple[Corpus, dict[str, Any]]:
    """Read and redact; what redaction found is returned beside it, for the card.

    Raises:
        ConfigError: see :func:`finslm.train.pretraining.corpus.load`.
    """
    redactor = CorpusRedactor() if any(part.redacted for part in recipe.corpus.parts) else None
    corpus = corpora.load(recipe.corpus, data, redact=redactor, skip_bad=skip_bad)
    if redactor is None:
        return corpus, {}
    return corpus, {"digest": redactor.digest, "replaced": dict(sorted(redactor.counts.items()))}


def prepare(
    recipe: PretrainRecipe,
    data: Path,
    base_dir: Path | None,
    folder: Path,
    *,
    note: Note,
    skip_bad: bool = False,
) -> Packed:
    """Read, redact, train the tokenizer, tokenise; everything is written into ``folder``, and found there again.

    Args:
        base_dir: model folder of the base, where there is one.

    Raises:
        ConfigError: the corpus or the base cannot be used, or there is no room.
    """
    note("reading")
    corpus, redaction = read_corpus(recipe, data, skip_bad=skip_bad)
    note("tokenising")
    tokenizer = _tokenizer(recipe, corpus, base_dir)
    facts = {
        "corpus": corpus.counts(),
        "redaction": redaction,
        "data_sha256": corpus.sha256,
        "held_out_bytes": byte_count(corpus.held_out),
    }
    packed = Packed(token_stream(tokenizer, corpus.train), token_stream(tokenizer, corpus.held_out), facts)
    tokens = {"train": len(packed.train) - 1, "held_out": len(packed.held_out) - 1}
    packed.facts.update(tokens=tokens, vocabulary=len(tokenizer))
    save_tokenizer(tokenizer, folder / "tokenizer")
    packed.write(folder)
    return packed


def read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that :func:`prepare` left in ``folder``."""
    from transformers import PreTrainedTokenizerFast

    tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
        folder / "tokenizer", local_files_only=True
    )
    return tokenizer


def _tokenizer(recipe: PretrainRecipe, corpus: Corpus, base_dir: Path | None) -> Any:
    if base_dir is not None:
        return bases.tokenizer(base_dir)
    vocabulary = recipe.tokenizer.vocabulary or preset(str(recipe.preset)).vocabulary
    return train_tokenizer(corpus.train, vocabulary)
