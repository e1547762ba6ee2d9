"""A teacher on this machine: any installed causal language model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import Tensor

from finslm.engine import bases
from finslm.engine.adapters import weights_sha256
from finslm.engine.prompts import PromptEncoder
from finslm.train.distilling.recipe import LocalRationales
from finslm.train.distilling.teachers.base import Row


@final
class LocalTeacher:
    """Writes rationales with a transformers model, always the likeliest token.

    Args:
        folder: the model's, with a chat template.
        said: instruction, how many tokens, how many rows at once.

    Raises:
        ConfigError: the folder cannot be used.
    """

    def __init__(self, folder: Path, said: LocalRationales) -> None:
        self._folder, self._said = folder, said
        self._tokenizer = cast("Any", bases.tokenizer(folder))
        self._weights = weights_sha256(folder)
        self._writer: tuple[PromptEncoder, Any] | None = None

    @property
    def digest(self) -> str:
        """Of the weights, the template, the instruction and the length."""
        whole = [self._weights, self._tokenizer.chat_template, self._said.instruction, self._said.max_tokens]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()

    def explain(self, rows: Sequence[Row]) -> list[str]:
        """Write a rationale for each row.

        Raises:
            ConfigError: the folder has no chat template.
        """
        self._writer = self._writer or self._load()  # only now: all may be in the cache
        encoder, model = self._writer
        prompts = [encoder.encode(row.prompt(self._said.instruction))[0] for row in rows]
        size, ends = self._said.batch_size, sorted(encoder.control_ids)
        written = [_write(model, prompts[at : at + size], ends, self._said) for at in range(0, len(prompts), size)]
        texts = [self._tokenizer.batch_decode(ids, skip_special_tokens=True) for ids in written]
        return [str(text).strip() for part in texts for text in part]

    def _load(self) -> tuple[PromptEncoder, Any]:
        from transformers import AutoModelForCausalLM

        encoder = PromptEncoder(self._tokenizer)
        model = AutoModelForCausalLM.from_pretrained(
            self._folder, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16
        )
        return encoder, model.train(mode=False)


@torch.no_grad()
def _write(model: Any, prompts: Sequence[list[int]], ends: list[int], said: LocalRationales) -> Tensor:
    """What the model writes after each prompt, [B, at most ``max_tokens``]; prompts are padded on the left."""
    from transformers import GenerationConfig

    longest = max(map(len, prompts))
    ids = torch.tensor([[ends[0]] * (longest - len(each)) + each for each in prompts])
    mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts])
    greedy = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=said.max_tokens, do_sample=False, eos_token_id=ends, pad_token_id=ends[0]
    )
    return cast(Tensor, model.generate(input_ids=ids, attention_mask=mask, generation_config=greedy)[:, longest:])
