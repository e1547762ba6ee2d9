"""The vocabulary: trained on the corpus, or the base's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from finslm.errors import ConfigError
from finslm.train.pretraining.presets import END_TOKEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

CHAT_TEMPLATE: Final = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
"""A model that was only pretrained knows no turns: it writes on from the texts of the messages."""
_PARALLEL: Final = "TOKENIZERS_PARALLELISM"
_BATCH: Final = 256
"""Documents that are tokenised together."""


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train byte-level BPE: any text can be written with it, and comes back byte for byte.

    Digits stand alone, so that an amount is read figure by figure (Singh & Strouse 2024, arXiv:2402.14903).

    Args:
        vocabulary: tokens, of which 256 are bytes and one ends a document.

    Raises:
        ConfigError: the texts have too few different pieces for so many tokens.
    """
    from tokenizers import decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_TOKEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with _on_this_thread():
        tokenizer.train_from_iterator(texts, trainer)
    if (got := tokenizer.get_vocab_size()) < vocabulary:
        raise ConfigError(
            f"the corpus gives a vocabulary of {got} tokens, {vocabulary} are wanted: give more text, or set "
            f"tokenizer.vocabulary to at most {got}"
        )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=END_TOKEN,
        eos_token=END_TOKEN,
        pad_token=END_TOKEN,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


@contextmanager
def _on_this_thread() -> Iterator[None]:
    """Otherwise the texts are asked for by the library's own threads, and so Python's garbage is collected there too.

    What is finalised then (tensors, compiled networks) is not made for threads with little stack and none of its own
    for signals: a process that crashes there says nothing.
    """
    kept = os.environ.get(_PARALLEL)
    os.environ[_PARALLEL] = "false"
    try:
        yield
    finally:
        os.environ.pop(_PARALLEL)
        if kept is not None:
            os.environ[_PARALLEL] = kept


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the tokenizer's files.

    Raises:
        ConfigError: no room, or the folder cannot be written.
    """
    try:
        tokenizer.save_pretrained(folder)
    except Exception as error:  # tokenizers raises no class of its own
        raise ConfigError(f"{folder}: the tokenizer could not be written ({error}); make room") from error


def token_stream(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> NDArray[np.uint32]:
    """All documents behind one another, the end token before the first and behind each: [T] token ids.

    A document that spells a control token gives ordinary tokens: it cannot end itself.
    """
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.encode_special_tokens = True
    plain.no_truncation()
    end = cast(int, tokenizer.eos_token_id)
    pieces: list[NDArray[np.uint32]] = [np.array([end], np.uint32)]
    pieces.extend(np.array([*ids, end], np.uint32) for ids in _encoded(plain, texts))
    return np.concatenate(pieces)


def _encoded(plain: Tokenizer, texts: Sequence[str]) -> Iterator[list[int]]:
    for start in range(0, len(texts), _BATCH):
        for encoding in plain.encode_batch(list(texts[start : start + _BATCH]), add_special_tokens=False):
            yield encoding.ids
