"""Everything that is made once from the model folder. Imports torch; the engine imports it on its worker thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils.logging import disable_progress_bar

from finslm.config import EngineSettings
from finslm.engine.classifier import AdapterCard, encode
from finslm.engine.prompts import PromptEncoder
from finslm.engine.runner import TorchRunner, load_runner
from finslm.engine.scheduler import Scheduler
from finslm.engine.steps import Counters, StepLoop
from finslm.errors import ConfigError
from redaction.text import RedactedText


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running engine is made of.

    ``window`` is the limit of prompt and answer together, ``classify_limits`` that of a text by
    adapter, all in tokens. ``encode_to_classify`` may be called by one thread at a time.
    """

    encoder: PromptEncoder
    encode_to_classify: Callable[[RedactedText], list[int]]
    runner: TorchRunner
    step_loop: StepLoop
    counters: Counters
    window: int
    classify_limits: Mapping[str, int]


def load_parts(
    model_dir: Path, adapters: Mapping[str, Path], settings: EngineSettings, scheduler: Scheduler, threads: int
) -> Parts:
    """Load the model folder and the adapters. Sets the process's number of torch threads.

    Raises:
        ConfigError: a folder cannot be used.
    """
    torch.set_num_threads(threads)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers would draw on standard error
    tokenizer = _load_tokenizer(model_dir)
    encoder = PromptEncoder(tokenizer)
    pad_id = cast(int, tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
    runner = load_runner(model_dir, adapters, settings.dtype, pad_id)
    counters = Counters()
    return Parts(
        encoder=encoder,
        encode_to_classify=lambda text: _encode_to_classify(encoder, tokenizer, text),
        runner=runner,
        step_loop=StepLoop(scheduler, runner, encoder.decode, encoder.control_ids, counters),
        counters=counters,
        window=min(settings.max_context_tokens, runner.max_positions),
        classify_limits={name: AdapterCard.read(folder).max_tokens for name, folder in adapters.items()},
    )


def _load_tokenizer(model_dir: Path) -> PreTrainedTokenizerFast:
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model_dir), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"model folder {model_dir}: no usable tokenizer: run 'finslm models pull' first") from error
    if not tokenizer.is_fast or tokenizer.eos_token_id is None:
        raise ConfigError(f"model folder {model_dir}: a tokenizer.json with an end token is needed")
    return cast(PreTrainedTokenizerFast, tokenizer)


def _encode_to_classify(encoder: PromptEncoder, tokenizer: PreTrainedTokenizerFast, text: RedactedText) -> list[int]:
    """As in training; only the end token that closes the text may be a control token."""
    ids = encode(tokenizer, text.value)
    return [*encoder.refuse_control(ids[:-1]), ids[-1]]
