"""A small published set of our own making, and a small random encoder of the served kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from finslm.evaluate.datasets.base import Files
from finslm.evaluate.datasets.passages import Passage, read_tatqa

WORDS = (
    "revenue cost of sales total net income wages rent tax deferred assets goodwill cash what was the in is change "
    "average percentage which year highest why did rise million thousand because from 2017 2018 2019 company"
).split()


def entry(number: int, *, noun: str = "Revenue", shared: str = "") -> dict[str, Any]:
    """One passage in TAT-QA's form, with its own figures."""
    table = [
        ["", "2019", "2018"],
        [noun, f"$ {900 + number}.5", f"{800 + number}.0"],
        ["Cost of sales", f"({300 + number})", "(290)"],
        ["Other:", "", ""],
        ["Rent", "27.1%", "—"],
    ]
    text = f"{noun} rose because of site {number}. Wages are paid in cash. All amounts are in thousands."
    question = {"rel_paragraphs": [], "req_comparison": False, "scale": "thousand", "derivation": ""}
    return {
        "table": {"uid": f"table-{number}", "table": table},
        "paragraphs": [{"uid": f"p{number}", "order": 1, "text": text}]
        + ([{"uid": f"s{number}", "order": 2, "text": shared}] if shared else []),
        "questions": [
            question | {
                "uid": f"a{number}", "order": 1, "question": f"What was the change in {noun} from 2018 to 2019?",
                "answer": 100.5, "answer_type": "arithmetic", "answer_from": "table-text",
                "derivation": f"{900 + number}.5-{800 + number}.0",
            },
            question | {
                "uid": f"b{number}", "order": 2, "question": f"Why did {noun} rise?", "answer": [f"site {number}"],
                "answer_type": "span", "answer_from": "text", "rel_paragraphs": ["1"], "scale": "",
            },
            question | {
                "uid": f"c{number}", "order": 3, "question": "What was the Cost of sales in 2019?",
                "answer": [f"({300 + number})"], "answer_type": "span", "answer_from": "table",
            },
        ],
    }  # fmt: skip


def write(folder: Path, entries: list[dict[str, Any]]) -> Files:
    """The set as a file."""
    (folder / "tatqa_dataset_dev.json").write_text(json.dumps(entries), "utf-8")
    return Files(folder)


@pytest.fixture(scope="session")
def passages(tmp_path_factory: pytest.TempPathFactory) -> list[Passage]:
    """Thirty documents; the first two share a long paragraph."""
    nouns = ("Revenue", "Net income", "Goodwill", "Deferred tax assets", "Wages")
    shared = "The company keeps its books in a way that is described here at some length, and more than once a year."
    made = [entry(n, noun=nouns[n % 5], shared=shared if n < 2 else "") for n in range(30)]
    return read_tatqa(write(tmp_path_factory.mktemp("tatqa"), made))


@pytest.fixture(scope="session")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers with a word tokenizer."""
    folder = tmp_path_factory.mktemp("encoder")
    control = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [f"{mark}{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789.,()$%:;—|?" for mark in ("", "##")]
    vocabulary = {token: n for n, token in enumerate(dict.fromkeys([*control, *WORDS, *letters]))}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))  # noqa: S106 - no secret
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=200,
        )  # fmt: skip
        BertModel(config).save_pretrained(folder)
    return folder
