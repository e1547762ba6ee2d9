"""The student: a small decoder with LoRA, which writes labels and rationales."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, final

import torch
from torch import Tensor
from torch.nn import functional

from finslm.engine import bases
from finslm.engine.classifier import ENCODERS
from finslm.errors import ConfigError
from finslm.train.distilling.encoding import IGNORED, Encoder, LabelTree, Written, to_learn
from finslm.train.distilling.recipe import DistilRecipe
from finslm.train.recipe import LoraRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH: Final = 16
"""Prompts that are scored together."""


@final
class Student:
    """Reads prompts; learns targets; scores labels.

    Args:
        recipe: prefixes, lengths and LoRA.
        base_dir: model folder of a decoder.
        labels: the closed set that a label is chosen from.
        adapter: folder to load; None: a new one, drawn by torch's random numbers.
    """

    def __init__(
        self, recipe: DistilRecipe, base_dir: Path, labels: Sequence[str], adapter: Path | None = None
    ) -> None:
        if bases.model_type(base_dir) in ENCODERS:
            raise ConfigError(f"model folder {base_dir}: an encoder writes no rationale; a decoder is wanted")
        tokenizer: PreTrainedTokenizerBase = bases.tokenizer(base_dir)
        self.encoder = Encoder(tokenizer, recipe.student)
        self.labels = tuple(labels)
        self.model = _with_lora(_decoder(base_dir), recipe, adapter)
        self._tree = LabelTree([self.encoder.target(label) for label in labels])

    def loss(self, rows: Sequence[Written]) -> Tensor:
        """Mean cross-entropy of the targets' tokens, nats; the prompts are only read."""
        ids, wanted = to_learn(rows, self.encoder.end)
        places = wanted != IGNORED
        with self._mixed():
            hidden = self._states(input_ids=ids)[places]  # a flat matrix: logits of a slice would copy the vocabulary
            logits = self._head(hidden)
        return functional.cross_entropy(logits.float(), wanted[places])

    @torch.no_grad()
    def scores(self, texts: Sequence[str]) -> Tensor:
        """[N, L] log-probability of each label as the whole answer."""
        prompts = [self.encoder.label_prompt(text) for text in texts]
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        found = torch.zeros(len(prompts), len(self.labels))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            found[chosen] = self._scored([prompts[i] for i in chosen])
        return found

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text."""
        return [self.labels[i] for i in self.scores(texts).argmax(-1).tolist()]

    @torch.no_grad()
    def explain(self, text: str, most: int = 64) -> str:
        """A rationale, always the likeliest token.

        Args:
            most: tokens.
        """
        prompt = self.encoder.rationale_prompt(text)
        ids = list(prompt)
        while len(ids) < len(prompt) + most:
            with self._mixed():
                token = int(self._head(self._states(input_ids=torch.tensor([ids]))[0, -1:]).argmax())
            if token == self.encoder.end:
                break
            ids.append(token)
        return str(self.encoder.tokenizer.decode(ids[len(prompt) :]))

    def _scored(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        with self._mixed():
            hidden = self._states(**self._tree.inputs(prompts, self.encoder.end))
            return self._tree.scores(hidden, [len(prompt) for prompt in prompts], self._head)

    def _states(self, **inputs: Tensor) -> Tensor:
        return cast(Tensor, self.model.base_model.model.model(use_cache=False, **inputs).last_hidden_state)

    def _head(self, states: Tensor) -> Tensor:
        return cast(Tensor, self.model.base_model.model.lm_head(states))

    def _mixed(self) -> Any:
        """The adapters train in float32 and compute in bfloat16 beside the frozen bfloat16 base."""
        from contextlib import ExitStack

        from peft.helpers import disable_input_dtype_casting

        stack = ExitStack()
        stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        stack.enter_context(disable_input_dtype_casting(self.model))
        return stack


def _decoder(base_dir: Path) -> Any:
    from transformers import AutoModelForCausalLM

    # Plain attention: torch's fused one is ten times slower on its way back on this kind of processor.
    return AutoModelForCausalLM.from_pretrained(
        base_dir, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16, attn_implementation="eager"
    )


def _with_lora(decoder: Any, recipe: DistilRecipe, adapter: Path | None) -> Any:
    from peft import PeftModel, get_peft_model

    with warnings.catch_warnings():
        # peft asks transformers by a name that a later version of it will not have
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        if adapter is not None:
            return PeftModel.from_pretrained(decoder, str(adapter))
        return get_peft_model(decoder, _lora(recipe.lora))


def _lora(lora: LoraRecipe) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=list(lora.targets),
        layers_to_transform=None if lora.layers is None else list(lora.layers),
        task_type="CAUSAL_LM",
    )
