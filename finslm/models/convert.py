"""GGUF → an ordinary Hugging Face folder with safetensors in bfloat16.

The weights are byte-deterministic (measured: same bytes from run to run and with other thread
counts), so the manifest pins them. The small JSON files follow the version of transformers;
:func:`gguf_to_safetensors` removes what would differ for no reason (versions, how it was loaded).
"""

from __future__ import annotations

import contextlib
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finslm.errors import ConfigError

_VOLATILE = {
    "config.json": ("transformers_version",),
    "generation_config.json": ("transformers_version",),
    "tokenizer_config.json": ("is_local", "local_files_only"),
}


def gguf_to_safetensors(gguf: Path, into: Path) -> dict[str, str]:
    """Write model, tokenizer and chat template of ``gguf`` to ``into``. Opens no connection.

    Returns:
        The libraries that wrote the files, with their versions.

    Raises:
        ConfigError: the file is not a model that transformers reads, or the disk is full.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    quantized = GgufConfig(dequantize=True)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # it draws bars and warns there
            model = AutoModelForCausalLM.from_pretrained(
                str(gguf.parent), dtype=torch.bfloat16, quantization_config=quantized, **place
            )
            model.save_pretrained(str(into))
            AutoTokenizer.from_pretrained(str(gguf.parent), **place).save_pretrained(str(into))
    except OSError:
        raise
    except Exception as error:  # transformers, gguf and safetensors have no common root for their errors
        raise ConfigError(f"conversion of {gguf.name} failed: {type(error).__name__}: {error}") from error
    for name, keys in _VOLATILE.items():
        _drop(into / name, keys)
    return {name: version(name) for name in ("gguf", "safetensors", "tokenizers", "torch", "transformers")}


def _drop(path: Path, keys: tuple[str, ...]) -> None:
    tree = json.loads(path.read_text("utf-8"))
    kept = {key: value for key, value in tree.items() if key not in keys}
    path.write_text(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
