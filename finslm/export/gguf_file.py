"""``gguf``: one file for llama.cpp and what is built on it; of a classifier, the head stands in a file beside it.

Names and keys are those of llama.cpp's ``convert_hf_to_gguf.py``. Pooling (mean) and attention in both directions are
written into the file, so that its embedding is what the head was trained on.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
import torch

from finslm.engine.weights import Floats
from finslm.errors import ConfigError
from finslm.export.folder import with_head, write_head
from finslm.export.original import Answers, Original, of_module

GGUF_FILE: Final = "model.gguf"
_ARCH: Final = {"llama": gguf.MODEL_ARCH.LLAMA, "bert": gguf.MODEL_ARCH.BERT}
_KEPT_WHOLE: Final = ("position_embd.weight", "token_types.weight")
"""llama.cpp wants them in float32."""


def write(original: Original, merged: Any, into: Path, dtype: torch.dtype) -> None:
    """Write the file, and the head.

    Raises:
        ConfigError: a network or a tokenizer that llama.cpp has no name for here.
    """
    model = merged.backbone if original.card.labels else merged
    config = model.config
    if config.model_type not in _ARCH:
        raise ConfigError(f"GGUF: {config.model_type} is not known here; known: {', '.join(sorted(_ARCH))}")
    writer = gguf.GGUFWriter(into / GGUF_FILE, config.model_type)
    half = dtype is torch.float16
    writer.add_name(original.card.name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    _shape(writer, config)
    if original.card.labels:
        writer.add_causal_attention(not original.card.bidirectional)
        writer.add_pooling_type(gguf.PoolingType.MEAN)
        write_head(merged, into)
    _vocabulary(writer, original, config)
    for name, values in _tensors(model):
        whole = not half or values.ndim == 1 or name in _KEPT_WHOLE
        writer.add_tensor(name, values if whole else _half(name, values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(into: Path, original: Original) -> Answers:
    """The file as transformers reads it, tokenizer included.

    Raises:
        ConfigError: its tokenizer gives other tokens.
    """
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place: dict[str, Any] = {"gguf_file": GGUF_FILE, "local_files_only": True}
    weights: dict[str, Any] = {"dtype": torch.float32, "quantization_config": GgufConfig(dequantize=True)}
    with contextlib.redirect_stderr(io.StringIO()):  # it draws bars there
        kind = AutoModel if original.card.labels else AutoModelForCausalLM
        model = kind.from_pretrained(str(into), **place, **weights)
        tokenizer = AutoTokenizer.from_pretrained(str(into), **place)
    if tokenizer.get_vocab() != original.tokenizer.get_vocab():
        raise ConfigError("GGUF: its tokenizer has another vocabulary when transformers reads it")
    card = original.card
    return of_module(with_head(model, into, card) if card.labels else model.eval(), card)


def _shape(writer: gguf.GGUFWriter, config: Any) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "bert":
        writer.add_layer_norm_eps(config.layer_norm_eps)
        return
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _tensors(model: Any) -> Iterator[tuple[str, Floats]]:
    """Every weight under llama.cpp's name, float32."""
    config = model.config
    names = gguf.get_tensor_name_map(_ARCH[config.model_type], config.num_hidden_layers)
    state: Mapping[str, torch.Tensor] = model.state_dict()
    tied = "lm_head.weight" in state and config.tie_word_embeddings
    for name, tensor in state.items():
        if name.endswith("position_ids") or (tied and name == "lm_head.weight"):
            continue
        full = name if config.model_type == "bert" or name.startswith(("model.", "lm_head.")) else f"model.{name}"
        if (known := names.get_name(full, try_suffixes=(".weight", ".bias"))) is None:
            raise ConfigError(f"GGUF: no name for tensor {name}")
        values = tensor.detach().float().numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            values = _interleaved(values, config, query=name.endswith("q_proj.weight"))
        yield known, np.ascontiguousarray(values)


def _interleaved(values: Floats, config: Any, *, query: bool) -> Floats:
    """Rows in the order of llama.cpp's rotary positions: pairs beside each other, not half a head apart."""
    heads = config.num_attention_heads if query else config.num_key_value_heads
    parts = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.asarray(parts.swapaxes(1, 2).reshape(values.shape), np.float32)


def _half(name: str, values: Floats) -> Any:
    if np.abs(values).max() > np.finfo(np.float16).max:
        raise ConfigError(f"GGUF: {name} has values that half precision cannot hold: use --dtype float32")
    return values.astype(np.float16)


def _vocabulary(writer: gguf.GGUFWriter, original: Original, config: Any) -> None:
    """Tokens in the order of their ids, with what sort each is."""
    tree = json.loads((original.base_dir / "tokenizer.json").read_text("utf-8"))
    tokens, kinds = _tokens(original, tree["added_tokens"], int(config.vocab_size))
    merges = tree["model"]["type"] == "BPE"
    if merges:
        if not tree["model"]["merges"]:
            raise ConfigError("GGUF: the tokenizer has no merges, and readers of the format want some")
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_splitting(tree["pre_tokenizer"]))
        writer.add_add_bos_token(value=False)
        writer.add_add_space_prefix(value=False)
    elif tree["model"]["type"] == "WordPiece":
        writer.add_tokenizer_model("bert")
        writer.add_token_type_count(config.type_vocab_size)
        tokens = [_spaced(token) for token in tokens]
    else:
        raise ConfigError(f"GGUF: a tokenizer of sort {tree['model']['type']} is not known here")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    gguf.SpecialVocab(original.base_dir, load_merges=merges, n_vocab=len(tokens)).add_to_gguf(writer)


def _tokens(
    original: Original, added: Sequence[Mapping[str, Any]], size: int
) -> tuple[list[str], list[gguf.TokenType]]:
    """Every token, those that the model has rows for and the tokenizer does not know too, and its sort."""
    sorts = {each["id"]: gguf.TokenType.CONTROL if each["special"] else gguf.TokenType.USER_DEFINED for each in added}
    of_id = {number: token for token, number in original.tokenizer.get_vocab().items()}
    known = [number in of_id for number in range(size)]
    tokens = [of_id.get(number, f"[PAD{number}]") for number in range(size)]
    kinds = [sorts.get(n, gguf.TokenType.NORMAL) if known[n] else gguf.TokenType.UNUSED for n in range(size)]
    return tokens, kinds


def _splitting(tree: Any) -> str:
    """llama.cpp's name for how the text is split before the merges.

    Raises:
        ConfigError: none that is known here.
    """
    parts = tree["pretokenizers"] if tree["type"] == "Sequence" else [tree]
    kinds = [part["type"] for part in parts]
    if kinds == ["ByteLevel"] and parts[0].get("use_regex", True) and not parts[0]["add_prefix_space"]:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0]["individual_digits"]:
        return "smollm"
    raise ConfigError(f"GGUF: llama.cpp's name for splitting by {', '.join(kinds)} is not known here")


def _spaced(token: str) -> str:
    """WordPiece as llama.cpp writes it: a word's beginning is marked, not its continuation."""
    if token.startswith("[") and token.endswith("]"):
        return token
    return token[2:] if token.startswith("##") else f"\u2581{token}"
