"""Tiny bases with real tokenizers, and rows that are easily told apart."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from finslm.train import recipe as recipes
from redaction.ner.weights import default_models_dir

WORDS = {"card_lost": "I lost my card", "transfer_abroad": "send money abroad", "pin_blocked": "the pin is blocked"}


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory) -> Path:
    """A seeded Llama of 2 layers in bfloat16 with the tokenizer of SmolLM2."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("decoder")
    tokenizer = AutoTokenizer.from_pretrained(str(default_models_dir() / "smollm2-135m-instruct"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    """A seeded BERT of 2 layers with the tokenizer of MiniLM."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = AutoTokenizer.from_pretrained(str(default_models_dir() / "all-minilm-l6-v2"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_rows(file: Path, rows: list[list[str]]) -> None:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([["text", "label"], *rows])


@pytest.fixture
def data(tmp_path) -> Path:
    """40 rows of each label to train on, 8 to test on."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, count in (("train.csv", 40), ("test.csv", 8)):
        rows = [[f"{name[:2]} {i}: {text}", label] for i in range(count) for label, text in WORDS.items()]
        write_rows(folder / name, rows)
    return folder


@pytest.fixture
def tiny_recipe() -> dict:
    """For the tiny encoder; a test changes what it is about."""
    return {
        "name": "tiny",
        "task": "banking_intent",
        "use": "Nothing",
        "base_model": "all-minilm-l6-v2",
        "seed": 7,
        "data": {
            "parts": [{"dataset": "csv", "path": ".", "options": {"train": "train.csv", "test": "test.csv"}}],
            "dev_share": 0.1,
            "redact": False,
            "labels": sorted(WORDS),
        },
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": ["query", "value"]},
        "training": {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "head_learning_rate": 1e-2,
            "warmup_share": 0.1,
            "weight_decay": 0.01,
            "label_smoothing": 0.05,
            "dropout": 0.1,
            "bidirectional": True,
            "pooled_length": 10,
            "max_tokens": 32,
        },
        "audit": {"reference": 63, "canaries": 4, "repeats": [1, 8]},
    }


@pytest.fixture
def make_recipe(tiny_recipe):
    """The recipe with parts of it changed: ``make_recipe(training={"epochs": 1}, privacy={...})``."""

    def make(**parts) -> recipes.Recipe:
        whole = dict(tiny_recipe)
        for name, value in parts.items():
            whole[name] = {**whole.get(name, {}), **value} if isinstance(value, dict) else value
        return recipes.Recipe.model_validate(whole)

    return make


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Tiny matrices: threads would wait for one another, and sums could come in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
