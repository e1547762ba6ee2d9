"""``safetensors``: an ordinary transformers folder of the merged model; of a classifier, the head beside it."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file

from finslm.engine.adapters import AdapterCard
from finslm.export.original import Answers, Original, classifier, of_module

HEAD_FILE: Final = "head.safetensors"
_TOKENIZER: Final = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "chat_template.jinja",
    "generation_config.json",
)  # fmt: skip


def write(original: Original, merged: Any, into: Path, dtype: torch.dtype) -> None:
    """Write the folder."""
    model = merged.backbone if original.card.labels else merged
    with contextlib.redirect_stderr(io.StringIO()):  # it draws bars there
        model.to(dtype).save_pretrained(str(into))
    if original.card.labels:
        write_head(merged, into)
    copy_tokenizer(original.base_dir, into)


def read(into: Path, card: AdapterCard) -> Answers:
    """The folder as transformers reads it."""
    from transformers import AutoModel, AutoModelForCausalLM

    place: dict[str, Any] = {"dtype": torch.float32, "local_files_only": True, "use_safetensors": True}
    with contextlib.redirect_stderr(io.StringIO()):
        if not card.labels:
            writer: Any = AutoModelForCausalLM.from_pretrained(str(into), **place)
            return of_module(writer.eval(), card)
        backbone = AutoModel.from_pretrained(str(into), **place)
    return of_module(with_head(backbone, into, card), card)


def with_head(backbone: Any, into: Path, card: AdapterCard) -> torch.nn.Module:
    """The backbone with the head of the folder."""
    if hasattr(backbone, "pooler"):
        backbone.pooler = None  # nothing of the export
    head = load_file(into / HEAD_FILE)
    return classifier(backbone, card, head["weight"], head["bias"])


def write_head(merged: Any, into: Path) -> None:
    """``weight`` [L, hidden] and ``bias`` [L], float32."""
    score = merged.score
    save_file(
        {name: getattr(score, name).detach().float().contiguous() for name in ("weight", "bias")}, into / HEAD_FILE
    )


def copy_tokenizer(base_dir: Path, into: Path) -> None:
    """Files of the base's tokenizer as they are."""
    for name in _TOKENIZER:
        if (base_dir / name).is_file() and not (into / name).exists():
            shutil.copyfile(base_dir / name, into / name)
